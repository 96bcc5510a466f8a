//! The way from a link to its file: password → claim, where downloads are counted → ticket → the download of any file.
//!
//! Nothing is asked of the relay before the user has said where the file goes. The claim is the first request, and everything else needs it,
//! the envelope with the file's key, too: a wrong password, or a connection that fails, spends no download, and nobody gets a key without a
//! download. Where they are not counted, the envelope is the first request.

use super::{
    Downloaded, Output, Progress,
    claim::{Claims, KeptSeed},
    download::{fetch, get_head},
};
use crate::{
    ClientError,
    blocking::blocking,
    limits::ClientLimits,
    relay::{RelayLane, RequestError},
    transport::Transport,
};
use bytes::Bytes;
use nightdrop_envelope::{
    capability::hash_token,
    key::StretchedPassword,
    link::FileLink,
    ticket::{EnvelopeDigest, TicketRoot, TicketSecret},
};
use nightdrop_login::password::Password;
use nightdrop_wire::{
    authorization::Authorization, codec, endpoint::Endpoint, limits::TICKET_ENVELOPE,
    messages::ticket::TakeClaim, onion::OnionAddress, refusal::Refusal, token::Token,
};
use std::sync::Arc;

/// A link with its password, if it needs one. Whether that is right only the relay tells.
#[derive(Debug)]
pub struct OpenedLink {
    relay: OnionAddress,
    root: TicketRoot,
    envelope: EnvelopeDigest,
    needs_password: bool,
    /// Under which name the seed of a claim is kept, if downloads are counted.
    claim_name: Option<String>,
}

impl OpenedLink {
    /// With a password this takes a second and 64 MiB, which are given back.
    ///
    /// # Errors
    /// [`ClientError::LinkPasswordNeeded`], [`ClientError::LinkHasNoPassword`], [`ClientError::OutOfMemory`].
    pub fn open(link: &FileLink, password: Option<&Password>) -> Result<Self, ClientError> {
        let FileLink { relay, secret, envelope, needs_password, counts_downloads } = link;
        let root = match (needs_password, password) {
            (false, None) => secret.root(),
            (true, Some(password)) => root_with(secret, password)?,
            (true, None) => return Err(ClientError::LinkPasswordNeeded),
            (false, Some(_)) => return Err(ClientError::LinkHasNoPassword),
        };
        Ok(Self {
            relay: relay.clone(),
            root,
            envelope: *envelope,
            needs_password: *needs_password,
            claim_name: counts_downloads.then(|| secret.claim_name()),
        })
    }

    /// What the relay says of the ticket, first of all.
    fn refused(&self, error: RequestError) -> ClientError {
        match ClientError::ticket(error) {
            ClientError::LinkEnded if self.needs_password => ClientError::WrongLinkPassword,
            error => error,
        }
    }
}

/// The root of a ticket with a password.
///
/// # Errors
/// [`ClientError::OutOfMemory`].
pub(super) fn root_with(secret: &TicketSecret, password: &Password) -> Result<TicketRoot, ClientError> {
    let stretched = password.stretched(&secret.password_salt())?;
    Ok(secret.root_with(&StretchedPassword::from_bytes(*stretched)))
}

/// Fetches the file of a link. Where downloads are counted, one that was cut off goes on with the same claim, which `claims` keeps.
///
/// # Errors
/// [`ClientError`]; then there is no file under the final name.
pub async fn download_link<T: Transport>(
    transport: &T,
    link: &OpenedLink,
    claims: &Claims,
    output: impl Into<Output>,
    limits: &ClientLimits,
    progress: Arc<dyn Progress>,
) -> Result<Downloaded, ClientError> {
    let output = &output.into();
    let seed = match link.claim_name.clone() {
        None => None,
        Some(name) => {
            let claims = claims.clone();
            Some(blocking(move || claims.seed(&name)).await??)
        }
    };
    let claim = seed.as_ref().map(|kept| link.root.claim(&kept.seed));
    let mut lane = RelayLane::isolated(transport, &link.relay, limits);
    let envelope = match get_envelope(&mut lane, link, claim.as_ref()).await {
        Ok(envelope) => envelope,
        Err(error) => {
            if matches!(error, RequestError::Refused(Refusal::Refused)) {
                seed.into_iter().for_each(KeptSeed::refused);
            }
            return Err(link.refused(error));
        }
    };
    let ticket = link.root.open(&envelope, &link.envelope, &link.relay).map_err(ClientError::opened)?;
    let authorization = match &claim {
        None => link.root.authorization(),
        Some(claim) => Authorization::Claim(link.root.id(), link.root.token(), claim.clone()),
    };
    let outcome = async {
        let head = get_head(&mut lane, ticket.blob(), &authorization).await?;
        let manifest = ticket.open_manifest(&head).map_err(ClientError::opened)?;
        fetch(lane, manifest, authorization.clone(), output, limits, progress).await
    };
    let outcome = async { outcome.await.map(|(downloaded, _lane)| downloaded) };
    match outcome.await {
        Ok(downloaded) => {
            seed.into_iter().for_each(KeptSeed::finish);
            Ok(downloaded)
        }
        Err(ClientError::Withheld) if has_ended(transport, link, claim.as_ref(), limits).await => {
            Err(ClientError::LinkEnded)
        }
        Err(error) => Err(error),
    }
}

/// The ticket's envelope; takes the claim, if there is one. May be repeated.
async fn get_envelope<T: Transport>(
    lane: &mut RelayLane<T>,
    link: &OpenedLink,
    claim: Option<&Token>,
) -> Result<Vec<u8>, RequestError> {
    let (id, authorization) = (link.root.id(), link.root.authorization());
    let (endpoint, body) = match claim {
        None => (Endpoint::GetTicket(id), Vec::new()),
        Some(claim) => (Endpoint::TakeClaim(id), codec::encode(&TakeClaim { claim: hash_token(claim) })?),
    };
    lane.exchange(endpoint, Some(&authorization), Bytes::from(body), TICKET_ENVELOPE).await
}

/// Whether a link that worked is refused altogether: then it ended meanwhile, and nothing is withheld.
async fn has_ended<T: Transport>(
    transport: &T,
    link: &OpenedLink,
    claim: Option<&Token>,
    limits: &ClientLimits,
) -> bool {
    let mut lane = RelayLane::isolated(transport, &link.relay, limits);
    let answer = get_envelope(&mut lane, link, claim).await;
    matches!(answer, Err(RequestError::Refused(Refusal::Refused)))
}
