//! The service: endpoint in, answer or refusal out. It knows nothing of HTTP; one file per subject does the work.

use super::{
    account_changes::BegunChange, accounts::BegunLogin, environment::Environment, limits::ServiceLimits,
    pending::Pending, refusals::refusal_of, registration::OpenRegistration,
};
use bytes::Bytes;
use nightdrop_credit::Issuer;
use nightdrop_login::{
    LoginContext, LoginError,
    server::{Record, ServerSetup},
    work::WorkKey,
};
use nightdrop_store::{Guesses, Queued, Store, StoreError, token_hash};
use nightdrop_wire::{
    authorization::Authorization,
    codec,
    endpoint::Endpoint,
    ids::{ChangeId, LoginId},
    onion::OnionAddress,
    refusal::Refusal,
    token::{Token, TokenHash},
};
use serde::{Serialize, de::DeserializeOwned};
use std::sync::{Arc, Mutex, OnceLock};

/// Why the service could not start.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// The store did not give or take the relay's identity.
    #[error("the store does not give the relay's login secrets")]
    Store(#[from] StoreError),
    /// The relay's login secrets are not such.
    #[error("the relay's login secrets are damaged: restore the store from a backup")]
    Setup(#[from] LoginError),
}

/// What the relay does, for any number of connections at once. Clones share it.
#[derive(Clone)]
pub struct Service {
    pub(super) inner: Arc<Inner>,
}

pub(super) struct Inner {
    pub(super) store: Store,
    pub(super) environment: Environment,
    pub(super) limits: ServiceLimits,
    pub(super) setup: ServerSetup,
    pub(super) issuer: Issuer,
    /// Held while credits are made.
    pub(super) issuing: tokio::sync::Mutex<()>,
    pub(super) open_registration: OpenRegistration,
    pub(super) guesses: Guesses,
    pub(super) logins: Mutex<Pending<LoginId, BegunLogin>>,
    pub(super) changes: Mutex<Pending<ChangeId, BegunChange>>,
    /// Set once the relay's address is known: without it no login can be bound to the relay.
    pub(super) context: OnceLock<LoginContext>,
}

impl Service {
    /// A service on a store; gives a new store its login secrets.
    ///
    /// # Errors
    /// [`ServiceError`] if the store fails or its secrets are damaged.
    pub async fn start(
        store: Store,
        environment: Environment,
        limits: ServiceLimits,
    ) -> Result<Self, ServiceError> {
        let setup = match store.identity()? {
            Some(identity) => ServerSetup::from_bytes(&identity.server_setup)?,
            None => create_setup(&store, &environment).await?,
        };
        let seed = setup.issuing_seed()?;
        let issuer = Issuer::from_seed(&seed).map_err(|_| LoginError::Malformed)?;
        let work_key = WorkKey::from_bytes(environment.random());
        let inner = Inner {
            open_registration: OpenRegistration::new(work_key, environment.now()),
            guesses: Guesses::load(&store)?,
            logins: Mutex::new(Pending::new(limits.pending_logins, limits.login_time)),
            changes: Mutex::new(Pending::new(limits.pending_changes, limits.change_time)),
            context: OnceLock::new(),
            store,
            environment,
            limits,
            setup,
            issuer,
            issuing: tokio::sync::Mutex::default(),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Tells the service the relay's own address, and pins it in the store. Until then the account plane is busy.
    ///
    /// # Errors
    /// [`StoreError::OtherAddress`] if the store belongs to a relay of another address.
    pub async fn set_address(&self, address: OnionAddress) -> Result<(), StoreError> {
        self.inner.store.pin_address(address.clone()).await?;
        // Told again, it is the same address, or the line above had failed.
        let _ = self.inner.context.set(LoginContext::new(&address));
        Ok(())
    }

    /// The store below.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.inner.store
    }

    /// Answers one request.
    ///
    /// # Errors
    /// The refusal to send.
    pub async fn handle(
        &self,
        endpoint: Endpoint,
        authorization: Option<Authorization>,
        body: Bytes,
    ) -> Result<Bytes, Refusal> {
        let shown = authorization;
        if endpoint.row().plane == "account" {
            // Nothing of an account may be bound to a relay that does not know who it is.
            self.inner.context()?;
        }
        match endpoint {
            Endpoint::RelayInfo => self.relay_info(),
            Endpoint::EarnInvitation => self.earn_invitation(&body).await,
            Endpoint::RegisterStart => self.register_start(&body).await,
            Endpoint::RegisterFinish => self.register_finish(&body).await,
            Endpoint::LoginStart => self.login_start(&body).await,
            Endpoint::LoginFinish => self.login_finish(&body).await,
            Endpoint::PasswdStart => self.passwd_start(&body).await,
            Endpoint::RecoverStart => self.recover_start(&body).await,
            Endpoint::ChangeFinish => self.change_finish(&body).await,
            Endpoint::RemoveAccount => self.remove_account(&body).await,
            Endpoint::ListSessions => self.list_sessions(session(shown)?).await,
            Endpoint::EndSessions => self.end_sessions(session(shown)?).await,
            Endpoint::EndSession(ended) => self.end_session(session(shown)?, ended).await,
            Endpoint::FetchCredits => self.fetch_credits(session(shown)?, body).await,
            Endpoint::CreateBlob => self.create_blob(body).await,
            Endpoint::PutChunk(blob, n) => self.put_chunk(blob, n, bearer(shown)?, body).await,
            Endpoint::GetChunk(blob, n) => self.get_chunk(blob, n, any(shown)?).await,
            Endpoint::FinishBlob(blob) => self.finish_blob(blob, bearer(shown)?, body).await,
            Endpoint::GrowBlob(blob) => self.grow_blob(blob, bearer(shown)?, body).await,
            Endpoint::ExtendLease(blob) => self.extend_lease(blob, bearer(shown)?, body).await,
            Endpoint::HeldChunks(blob, from) => self.held_chunks(blob, from, bearer(shown)?).await,
            Endpoint::GetHead(blob) => self.get_head(blob, any(shown)?).await,
            Endpoint::RenewBlob(blob) => self.renew_blob(blob, &bearer(shown)?, &body).await,
            Endpoint::DestroyBlob(blob) => self.destroy_blob(blob, &bearer(shown)?).await,
            Endpoint::RefundBlob(blob) => self.refund_blob(blob, bearer(shown)?, body).await,
            Endpoint::CreateTicket => self.create_ticket(&bearer(shown)?, &body).await,
            Endpoint::GetTicket(ticket) => self.get_ticket(ticket, any(shown)?).await,
            Endpoint::TakeClaim(ticket) => self.take_claim(ticket, any(shown)?, &body).await,
            Endpoint::EndTicket(ticket) => self.end_ticket(ticket, &bearer(shown)?).await,
            Endpoint::CreateLog => self.create_log(body).await,
            Endpoint::AppendLog(space) => self.append_log(space, bearer(shown)?, body).await,
            Endpoint::GrowLog(space) => self.grow_log(space, bearer(shown)?, body).await,
            Endpoint::ReadLog(space, from) => self.read_log(space, bearer(shown)?, from).await,
        }
    }
}

impl std::fmt::Debug for Service {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Service")
    }
}

async fn create_setup(store: &Store, environment: &Environment) -> Result<ServerSetup, ServiceError> {
    let (setup, created) = {
        let rng = &mut environment.rng();
        let setup = ServerSetup::generate(rng);
        let decoy = Record::decoy(rng)?;
        let created = store.create_identity(&setup.to_bytes(), decoy.as_bytes(), rng);
        (setup, created)
    };
    created.await?;
    Ok(setup)
}

/// Whatever was shown.
fn any(shown: Option<Authorization>) -> Result<Authorization, Refusal> {
    shown.ok_or(Refusal::Refused)
}

/// The bearer token that was shown.
pub(super) fn bearer(shown: Option<Authorization>) -> Result<Token, Refusal> {
    match shown {
        Some(Authorization::Bearer(token)) => Ok(token),
        Some(Authorization::Ticket(..) | Authorization::Claim(..)) | None => Err(Refusal::Refused),
    }
}

/// The session that was shown, by its hash.
fn session(shown: Option<Authorization>) -> Result<TokenHash, Refusal> {
    bearer(shown).map(|token| token_hash(&token))
}

/// A well-formed control body.
pub(super) fn decode<T: Serialize + DeserializeOwned>(body: &[u8]) -> Result<T, Refusal> {
    codec::decode(body).map_err(|_| Refusal::Refused)
}

/// The body of an answer.
pub(super) fn encode<T: Serialize>(answer: &T) -> Result<Bytes, Refusal> {
    // All messages have a form; an answer without one is as good as none.
    codec::encode(answer).map(Bytes::from).map_err(|_| Refusal::Busy)
}

/// Runs what reads the disk or computes for milliseconds away from the threads that serve connections.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Refusal> + Send + 'static,
) -> Result<T, Refusal> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|_| {
        tracing::error!("a request's work ended abruptly");
        Err(Refusal::Busy)
    })
}

/// Runs a read of the store.
pub(super) async fn read<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, Refusal> {
    blocking(move || work().map_err(|error| refusal_of(&error))).await
}

/// Prepares a write on a thread for work, since sealing takes milliseconds, and waits for its commit on this one.
pub(super) async fn prepared<T: Send + 'static>(
    prepare: impl FnOnce() -> Result<Queued<T>, Refusal> + Send + 'static,
) -> Result<T, Refusal> {
    blocking(prepare).await?.await.map_err(|error| refusal_of(&error))
}

/// A write of what is so already, mostly because this very request came before.
pub(super) fn done<T: Send + 'static>(so: T) -> Queued<T> {
    Box::pin(std::future::ready(Ok(so)))
}
