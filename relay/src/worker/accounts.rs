//! Registration and login. A session is made, and an account changed, only from the witness that a login succeeded.

use super::{
    refusals::refusal_of,
    service::{Inner, Service, blocking, decode, encode, read},
};
use bytes::Bytes;
use nightdrop_login::{
    LoginContext,
    server::{Authenticated, PendingLogin, Record},
};
use nightdrop_store::{
    AccountEnvelopes, BodyDigest, NewSession, RecordVersion, Registration, session_id, token_hash,
};
use nightdrop_wire::{
    ids::{AccountId, LoginId},
    limits::{ENVELOPE_OVERHEAD, MASTER_KEY_ENVELOPE, MAX_KEYRING_ENVELOPE},
    messages::account::{
        LoggedIn, LoginFinish, LoginStart, LoginStarted, REGISTRATION_UPLOAD, Recovery, RegisterFinish,
        RegisterStart, RegisterStarted,
    },
    refusal::Refusal,
};
use std::sync::{Arc, PoisonError};

/// Bytes of a recovery envelope: master key and account id.
const RECOVERY_ENVELOPE: usize = ENVELOPE_OVERHEAD + 32 + AccountId::LENGTH;

impl Service {
    /// `POST /v1/register/1`.
    pub(super) async fn register_start(&self, body: &[u8]) -> Result<Bytes, Refusal> {
        let message: RegisterStart = decode(body)?;
        if self.is_closed() {
            return Err(Refusal::Refused);
        }
        let inner = Arc::clone(&self.inner);
        blocking(move || {
            let today = inner.environment.today();
            let invitation = token_hash(&message.invitation);
            inner.store.check_invitation(&invitation, today).map_err(|error| refusal_of(&error))?;
            // The answer is the relay's half of a hash that a login could be checked against, so it counts as a guess at this id.
            let begun = inner.guesses.begin(message.account, inner.environment.minute());
            begun.map_err(|_| Refusal::TooManyLogins)?;
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
            if self.is_closed() {
                // What was made before is answered alike, or its owner would take it for not made.
                let made = store.is_registered(&registration);
                return made.map(|()| Bytes::new()).map_err(|error| refusal_of(&error));
            }
            store.register(&registration, environment.today(), &mut environment.rng())
        };
        registered.await.map_err(|error| refusal_of(&error))?;
        Ok(Bytes::new())
    }

    /// `POST /v1/login/1`: the same steps for an account that does not exist. It counts as a failure until it is finished.
    pub(super) async fn login_start(&self, body: &[u8]) -> Result<Bytes, Refusal> {
        let message: LoginStart = decode(body)?;
        let Inner { guesses, environment, .. } = &*self.inner;
        guesses.begin(message.account, environment.minute()).map_err(|_| Refusal::TooManyLogins)?;
        self.keep_guesses();
        let inner = Arc::clone(&self.inner);
        blocking(move || inner.start_login(&message)).await
    }

    /// `POST /v1/login/2`.
    pub(super) async fn login_finish(&self, body: &[u8]) -> Result<Bytes, Refusal> {
        let proved = self.prove(&decode(body)?)?;
        let (account, proved_by) = (proved.login.account(), proved.record);
        let inner = Arc::clone(&self.inner);
        let envelopes = read(move || inner.store.account_envelopes(account, &proved_by)).await?;
        let Inner { store, environment, limits, .. } = &*self.inner;
        let (session, began) = (environment.token(), environment.today());
        let expires = began.plus(limits.session_days);
        let hash = token_hash(&session);
        let new = NewSession { account, session: hash, began, expires, proved_by };
        store.create_session(new).await.map_err(|error| refusal_of(&error))?;
        let AccountEnvelopes { master_key, keyring } = envelopes;
        encode(&LoggedIn { session, id: session_id(&hash), master_key, keyring })
    }

    /// Writes the counters of failures behind the answers.
    fn keep_guesses(&self) {
        let guesses = self.inner.guesses.clone();
        tokio::spawn(async move {
            // What fails here is told by the next write that somebody waits for.
            let _ = guesses.keep().await;
        });
    }

    /// Checks the third message of a login, whatever it is shown for, and forgets the failures before it.
    pub(super) fn prove(&self, message: &LoginFinish) -> Result<Proved, Refusal> {
        let BegunLogin { login, record } = self.inner.take_login(&message.login).ok_or(Refusal::Refused)?;
        let login = login.finish(&message.finalization).map_err(|_| Refusal::Refused)?;
        let Inner { guesses, environment, .. } = &*self.inner;
        guesses.finish(login.account(), environment.minute());
        self.keep_guesses();
        Ok(Proved { login, record })
    }
}

/// A login between its second and its third message.
pub(super) struct BegunLogin {
    login: PendingLogin,
    record: RecordVersion,
}

/// A login that succeeded.
pub(super) struct Proved {
    /// Whose.
    pub(super) login: Authenticated,
    /// The record that it was proved by: what is done with it must find the same one.
    pub(super) record: RecordVersion,
}

impl Inner {
    /// What logins are bound to; busy until the relay's address is known.
    pub(super) fn context(&self) -> Result<&LoginContext, Refusal> {
        self.context.get().ok_or(Refusal::Busy)
    }

    fn start_login(&self, message: &LoginStart) -> Result<Bytes, Refusal> {
        let context = self.context()?;
        let held = self.store.login_record(message.account).map_err(|error| refusal_of(&error))?;
        let record = Record::from_bytes(held.record.as_slice()).map_err(|_| Refusal::Refused)?;
        let rng = &mut self.environment.rng();
        let (login, response) =
            PendingLogin::start(&self.setup, &record, message.account, context, &message.request, rng)
                .map_err(|_| Refusal::Refused)?;
        let id = LoginId::from_bytes(self.environment.random());
        let begun = BegunLogin { login, record: held.version };
        let now = self.environment.now();
        self.logins.lock().unwrap_or_else(PoisonError::into_inner).insert(id, begun, now);
        encode(&LoginStarted { login: id, response })
    }

    fn take_login(&self, login: &LoginId) -> Option<BegunLogin> {
        let now = self.environment.now();
        self.logins.lock().unwrap_or_else(PoisonError::into_inner).take(login, now)
    }
}

/// Whether every part has a length that it can have, and the upload is one that a login can be checked against.
fn check_form(message: &RegisterFinish) -> Result<(), Refusal> {
    check_access(&message.upload, &message.master_key, Some(&message.keyring), message.recovery.as_ref())
}

/// The same for what opens an account.
pub(super) fn check_access(
    upload: &[u8; REGISTRATION_UPLOAD],
    master_key: &[u8],
    keyring: Option<&Vec<u8>>,
    recovery: Option<&Recovery>,
) -> Result<(), Refusal> {
    let keyring_lengths = ENVELOPE_OVERHEAD..=MAX_KEYRING_ENVELOPE;
    let well_formed = master_key.len() == MASTER_KEY_ENVELOPE
        && keyring.is_none_or(|keyring| keyring_lengths.contains(&keyring.len()))
        && recovery.is_none_or(|recovery| recovery.envelope.len() == RECOVERY_ENVELOPE)
        && Record::from_upload(upload).is_ok();
    if well_formed { Ok(()) } else { Err(Refusal::Refused) }
}
