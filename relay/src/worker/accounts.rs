//! Registration and login. A session is made only from the witness that a login succeeded.

use super::{
    refusals::refusal_of,
    service::{Inner, Service, blocking, decode, encode, read},
};
use bytes::Bytes;
use nightdrop_login::{
    LoginContext,
    server::{Authenticated, PendingLogin, Record},
};
use nightdrop_store::{BodyDigest, Registration, token_hash};
use nightdrop_wire::{
    ids::{AccountId, LoginId},
    limits::{ENVELOPE_OVERHEAD, MASTER_KEY_ENVELOPE, MAX_KEYRING_ENVELOPE},
    messages::account::{
        LoggedIn, LoginFinish, LoginStart, LoginStarted, RegisterFinish, RegisterStart, RegisterStarted,
    },
    refusal::Refusal,
    token::TokenHash,
};
use std::sync::{Arc, PoisonError};

/// Bytes of a recovery envelope: master key and account id.
const RECOVERY_ENVELOPE: usize = ENVELOPE_OVERHEAD + 32 + AccountId::LENGTH;

impl Service {
    /// `POST /v1/register/1`.
    pub(super) async fn register_start(&self, body: &[u8]) -> Result<Bytes, Refusal> {
        let message: RegisterStart = decode(body)?;
        let inner = Arc::clone(&self.inner);
        blocking(move || {
            let today = inner.environment.today();
            let invitation = token_hash(&message.invitation);
            inner.store.check_invitation(&invitation, today).map_err(|error| refusal_of(&error))?;
            let response = inner.setup.start_registration(message.account, &message.request);
            encode(&RegisterStarted { response: response.map_err(|_| Refusal::Refused)? })
        })
        .await
    }

    /// `POST /v1/register/2`.
    pub(super) async fn register_finish(&self, body: &[u8]) -> Result<Bytes, Refusal> {
        let message: RegisterFinish = decode(body)?;
        check_form(&message)?;
        let registered = {
            let Inner { store, environment, .. } = &*self.inner;
            let registration = Registration {
                invitation: token_hash(&message.invitation),
                message: &message,
                body: BodyDigest::of(body),
            };
            store.register(&registration, environment.today(), &mut environment.rng())
        };
        registered.await.map_err(|error| refusal_of(&error))?;
        Ok(Bytes::new())
    }

    /// `POST /v1/login/1`: the same steps for an account that does not exist.
    pub(super) async fn login_start(&self, body: &[u8]) -> Result<Bytes, Refusal> {
        let message: LoginStart = decode(body)?;
        let inner = Arc::clone(&self.inner);
        blocking(move || inner.start_login(&message)).await
    }

    /// `POST /v1/login/2`.
    pub(super) async fn login_finish(&self, body: &[u8]) -> Result<Bytes, Refusal> {
        let message: LoginFinish = decode(body)?;
        let pending = self.inner.take_login(&message.login).ok_or(Refusal::Refused)?;
        let authenticated = pending.finish(&message.finalization).map_err(|_| Refusal::Refused)?;
        self.open_session(&authenticated).await
    }

    /// `DELETE /v1/sessions`.
    pub(super) async fn end_session(&self, session: TokenHash) -> Result<Bytes, Refusal> {
        let today = self.inner.environment.today();
        self.inner.store.end_session(session, today).await.map_err(|error| refusal_of(&error))?;
        Ok(Bytes::new())
    }

    async fn open_session(&self, authenticated: &Authenticated) -> Result<Bytes, Refusal> {
        let account = authenticated.account();
        let inner = Arc::clone(&self.inner);
        let envelopes = read(move || inner.store.account_envelopes(account)).await?;
        let Inner { store, environment, limits, .. } = &*self.inner;
        let session = environment.token();
        let expires = environment.today().plus(limits.session_days);
        let created = store.create_session(account, token_hash(&session), expires);
        created.await.map_err(|error| refusal_of(&error))?;
        encode(&LoggedIn { session, master_key: envelopes.master_key, keyring: envelopes.keyring })
    }
}

impl Inner {
    /// What logins are bound to; busy until the relay's address is known.
    pub(super) fn context(&self) -> Result<&LoginContext, Refusal> {
        self.context.get().ok_or(Refusal::Busy)
    }

    fn start_login(&self, message: &LoginStart) -> Result<Bytes, Refusal> {
        let context = self.context()?;
        let record = self.store.login_record(message.account).map_err(|error| refusal_of(&error))?;
        let record = Record::from_bytes(record.as_slice()).map_err(|_| Refusal::Refused)?;
        let rng = &mut self.environment.rng();
        let (pending, response) =
            PendingLogin::start(&self.setup, &record, message.account, context, &message.request, rng)
                .map_err(|_| Refusal::Refused)?;
        let login = LoginId::from_bytes(self.environment.random());
        let now = self.environment.now();
        self.logins.lock().unwrap_or_else(PoisonError::into_inner).insert(login, pending, now);
        encode(&LoginStarted { login, response })
    }

    fn take_login(&self, login: &LoginId) -> Option<PendingLogin> {
        let now = self.environment.now();
        self.logins.lock().unwrap_or_else(PoisonError::into_inner).take(login, now)
    }
}

/// Whether every part has a length that it can have, and the upload is one that a login can be checked against.
fn check_form(message: &RegisterFinish) -> Result<(), Refusal> {
    let recovery = message.recovery.as_ref();
    let well_formed = message.master_key.len() == MASTER_KEY_ENVELOPE
        && (ENVELOPE_OVERHEAD..=MAX_KEYRING_ENVELOPE).contains(&message.keyring.len())
        && recovery.is_none_or(|recovery| recovery.envelope.len() == RECOVERY_ENVELOPE)
        && Record::from_upload(&message.upload).is_ok();
    if well_formed { Ok(()) } else { Err(Refusal::Refused) }
}
