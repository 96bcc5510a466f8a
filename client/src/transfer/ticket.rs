//! Making and ending what shares or holds a file at the relay.

use super::{Refund, link::root_with};
use crate::{ClientError, blocking::blocking, random, relay::RelayLane, transport::Transport};
use bytes::Bytes;
use nightdrop_envelope::{
    capability::hash_token,
    space::{FileRecord, TicketRecord},
    ticket::TicketSecret,
};
use nightdrop_login::password::Password;
use nightdrop_wire::{
    authorization::Authorization,
    codec,
    endpoint::Endpoint,
    ids::{BlobId, TicketId},
    limits::MAX_SMALL_BODY,
    messages::{
        blob::Destroyed,
        ticket::{CreateTicket, TicketLimits},
    },
    onion::OnionAddress,
    token::Token,
};

/// How a ticket is to be made. Without anything it ends when its owner ends it, for whoever has the link.
#[derive(Debug, Default)]
pub struct TicketTerms {
    /// What ends it by itself.
    pub limits: TicketLimits,
    /// What its reader has to know beside the link.
    pub password: Option<Password>,
}

/// Makes a ticket of a stored file. With a password this takes a second and 64 MiB, which are given back before anything is sent.
///
/// # Errors
/// [`ClientError::Withheld`] if the relay does not know the file, [`ClientError::OutOfMemory`].
pub async fn make_ticket<T: Transport>(
    lane: &mut RelayLane<T>,
    relay: &OnionAddress,
    file: &FileRecord,
    terms: TicketTerms,
) -> Result<TicketRecord, ClientError> {
    let TicketTerms { limits, password } = terms;
    let secret = TicketSecret::generate(&mut random::system());
    let (needs_password, root) = match password {
        None => (false, secret.root()),
        Some(password) => {
            let secret = secret.clone();
            (true, blocking(move || root_with(&secret, &password)).await??)
        }
    };
    let (envelope, digest) = root
        .seal(&file.file_key(), file.blob, &file.manifest, relay, &mut random::system())
        .map_err(ClientError::Sealing)?;
    let (ticket, token) = (root.id(), hash_token(&root.token()));
    let create = CreateTicket { ticket, token, blob: file.blob, limits, envelope };
    let authorization = Authorization::Bearer(file.write_key.clone());
    lane.tell(Endpoint::CreateTicket, Some(&authorization), &create).await.map_err(ClientError::sharing)?;
    Ok(if needs_password {
        TicketRecord::with_password(&secret, digest, limits, ticket)
    } else {
        TicketRecord::new(&secret, digest, limits)
    })
}

/// Ends a ticket of a file. A repetition is answered alike.
///
/// # Errors
/// [`ClientError::Withheld`] if the relay denies that there was such a ticket: then it may still be good.
pub async fn end_ticket<T: Transport>(
    lane: &mut RelayLane<T>,
    ticket: TicketId,
    write_key: &Token,
) -> Result<(), ClientError> {
    delete(lane, Endpoint::EndTicket(ticket), write_key, 0).await.map(drop)
}

/// Destroys a blob and its tickets. A repetition is answered alike, but for what it gives back once that was asked for.
///
/// # Errors
/// [`ClientError::Withheld`] if the relay denies that there was such a blob: then it may still be there.
pub async fn destroy<T: Transport>(
    lane: &mut RelayLane<T>,
    blob: BlobId,
    write_key: &Token,
) -> Result<Refund, ClientError> {
    let answer = delete(lane, Endpoint::DestroyBlob(blob), write_key, MAX_SMALL_BODY).await?;
    let Destroyed { refund } = codec::decode(&answer).map_err(|_| ClientError::NotARelay)?;
    Ok(Refund::new(blob, write_key.clone(), refund))
}

async fn delete<T: Transport>(
    lane: &mut RelayLane<T>,
    endpoint: Endpoint,
    write_key: &Token,
    longest: usize,
) -> Result<Vec<u8>, ClientError> {
    let authorization = Authorization::Bearer(write_key.clone());
    lane.exchange(endpoint, Some(&authorization), Bytes::new(), longest).await.map_err(ClientError::listed)
}
