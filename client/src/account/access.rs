//! Changing what opens an account: with the password, or with the recovery phrase.
//!
//! ```text
//! begin    the relay checks password or phrase, and gives the sealed master key and its half of the new password's hash
//! finish   record, sealed master key and recovery envelope are replaced in one transaction, and all sessions end
//! ```
//! Unless it is a [rekey](super::Rekeying), the master key stays what it is, so nothing that was stored is touched. When the last answer is lost, a login with the new password
//! finds out what happened: at any moment exactly one of the two passwords opens the account.

use super::login::{LOGINS, prove_password};
use crate::{
    ClientError,
    blocking::blocking,
    limits::ClientLimits,
    random,
    relay::{RelayLane, RequestError},
    transport::Transport,
};
use nightdrop_envelope::{
    account_code::AccountCode,
    capability::hash_token,
    key::MasterKey,
    keyring::Keyring,
    master_key::{encryption_key, open_master_key, seal_master_key},
    recovery::RecoveryPhrase,
};
use nightdrop_login::{
    LoginContext,
    client::{ClientRegistration, ExportKey},
    password::{AccountKey, Password},
};
use nightdrop_wire::{
    endpoint::Endpoint,
    ids::ChangeId,
    messages::account::{
        self, ChangeFinish, PasswdStart, PasswdStarted, REGISTRATION_RESPONSE, RecoverStart, RecoverStarted,
        Recovery, RecoveryChange,
    },
    onion::OnionAddress,
    refusal::Refusal,
};

/// What becomes of the recovery phrase.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecoveryWish {
    /// It stays.
    Keep,
    /// A new one takes its place.
    Replace,
    /// None opens the account any more.
    Remove,
}

/// What opens the account after a change.
#[derive(Debug)]
pub struct NewAccess {
    /// Its code.
    pub code: AccountCode,
    /// The new recovery phrase, if there is one.
    pub recovery: Option<RecoveryPhrase>,
}

/// Changes the password, or with the same one again only the recovery phrase.
///
/// # Errors
/// As [`super::log_in`]; [`ClientError::ChangeRefused`]: nothing was changed; [`ClientError::ChangeUnknown`].
pub async fn change_password<T: Transport>(
    transport: &T,
    code: &AccountCode,
    password: &Password,
    new: &Password,
    recovery: RecoveryWish,
    limits: &ClientLimits,
) -> Result<NewAccess, ClientError> {
    let mut lane = RelayLane::isolated(transport, code.relay(), limits);
    let begun = Begun::with_password(&mut lane, code, password, new).await?;
    begun.finish(transport, lane, code.clone(), new, recovery, limits).await
}

/// A change to another master key, and the keyring that it seals; the password stays. No recovery phrase from before opens it.
pub(super) struct MasterKeyChange<T> {
    lane: RelayLane<T>,
    begun: Begun,
}

impl<T: Transport> MasterKeyChange<T> {
    /// Proves the password.
    ///
    /// # Errors
    /// As [`change_password`]; [`ClientError::ChangeRefused`], too, if the account's keyring is no more of this version.
    pub(super) async fn begin(
        transport: &T,
        code: &AccountCode,
        keyring_version: u64,
        password: &Password,
        limits: &ClientLimits,
    ) -> Result<Self, ClientError> {
        let mut lane = RelayLane::isolated(transport, code.relay(), limits);
        let begun = Begun::with_password(&mut lane, code, password, password).await?;
        if begun.keyring_version != keyring_version {
            return Err(ClientError::ChangeRefused);
        }
        Ok(Self { lane, begun })
    }

    /// Makes it.
    ///
    /// # Errors
    /// As [`change_password`].
    pub(super) async fn finish(
        self,
        transport: &T,
        code: &AccountCode,
        password: &Password,
        keyring: &Keyring,
        recovery: RecoveryWish,
        limits: &ClientLimits,
    ) -> Result<NewAccess, ClientError> {
        let Self { lane, mut begun } = self;
        begun.master = MasterKey::generate(&mut random::system());
        let sealed = keyring.seal(&begun.master, code.relay(), code.account(), &mut random::system());
        begun.next_keyring = Some(sealed.map_err(ClientError::Sealing)?);
        begun.finish(transport, lane, code.clone(), password, recovery, limits).await
    }
}

/// Sets a new password, and makes a new account code, with the recovery phrase alone.
///
/// # Errors
/// [`ClientError::PhraseRefused`]; [`ClientError::Tampered`] if what the relay returned is not what was sealed with this phrase;
/// [`ClientError::ChangeRefused`]: nothing was changed; [`ClientError::ChangeUnknown`].
pub async fn recover<T: Transport>(
    transport: &T,
    relay: &OnionAddress,
    phrase: &RecoveryPhrase,
    new: &Password,
    limits: &ClientLimits,
) -> Result<NewAccess, ClientError> {
    let mut lane = RelayLane::isolated(transport, relay, limits);
    // Its account id is not known yet, and its account key goes into the first message.
    let code = AccountCode::generate(relay.clone(), &mut random::system());
    let (state, request) = start_registration(&code, new)?;
    let start = RecoverStart { recovery: phrase.id(relay), token: phrase.token(relay), request };
    let started: RecoverStarted =
        lane.call(Endpoint::RecoverStart, None, &start).await.map_err(ClientError::recovery)?;
    let (master, account) = phrase.open(&started.envelope, relay).map_err(ClientError::Tampered)?;
    let keyring = Keyring::open(&started.keyring, &master, relay, account).map_err(ClientError::Tampered)?;
    let (change, response) = (started.change, started.response);
    let keyring_version = keyring.version();
    let begun = Begun { change, response, state, master, keyring_version, next_keyring: None };
    begun.finish(transport, lane, code.of_account(account), new, RecoveryWish::Keep, limits).await
}

fn start_registration(
    code: &AccountCode,
    new: &Password,
) -> Result<(ClientRegistration, [u8; 32]), ClientError> {
    let account_key = AccountKey::from_bytes(*code.secret_account_key());
    Ok(ClientRegistration::start(new, &account_key, &mut random::for_login())?)
}

/// A change that the relay has begun.
struct Begun {
    change: ChangeId,
    response: [u8; REGISTRATION_RESPONSE],
    state: ClientRegistration,
    /// What the change will seal.
    master: MasterKey,
    /// Of the keyring that the account has.
    keyring_version: u64,
    /// The one that it gets, sealed under `master`.
    next_keyring: Option<account::Keyring>,
}

impl Begun {
    /// Begins a change by a login.
    async fn with_password<T: Transport>(
        lane: &mut RelayLane<T>,
        code: &AccountCode,
        password: &Password,
        new: &Password,
    ) -> Result<Self, ClientError> {
        let (state, request) = start_registration(code, new)?;
        let mut logins = 0;
        let (started, key) = loop {
            logins += 1;
            let (login, key) = prove_password(lane, code, password).await?;
            let start = PasswdStart { login, request };
            match lane.call::<_, PasswdStarted>(Endpoint::PasswdStart, None, &start).await {
                Ok(started) => break (started, key),
                // The relay takes each third message once; its answer may be what was lost.
                Err(RequestError::Refused(Refusal::Refused) | RequestError::Broken) if logins < LOGINS => {}
                Err(error) => return Err(ClientError::login(error)),
            }
        };
        let (relay, account) = (code.relay(), code.account());
        let key = encryption_key(key.secret_bytes());
        let PasswdStarted { change, response, master_key, keyring } = started;
        let master = open_master_key(&master_key, &key, relay, account).map_err(ClientError::Tampered)?;
        let keyring = Keyring::open(&keyring, &master, relay, account).map_err(ClientError::Tampered)?;
        let keyring_version = keyring.version();
        Ok(Self { change, response, state, master, keyring_version, next_keyring: None })
    }

    async fn finish<T: Transport>(
        self,
        transport: &T,
        mut lane: RelayLane<T>,
        code: AccountCode,
        new: &Password,
        wish: RecoveryWish,
        limits: &ClientLimits,
    ) -> Result<NewAccess, ClientError> {
        let recovery = match wish {
            RecoveryWish::Keep | RecoveryWish::Remove => None,
            RecoveryWish::Replace => Some(RecoveryPhrase::generate(&mut random::system())),
        };
        let (mut message, key) = self.seal(&code, recovery.as_ref()).await?;
        if wish == RecoveryWish::Remove {
            message.recovery = RecoveryChange::Remove;
        }
        let made = match lane.tell(Endpoint::ChangeFinish, None, &message).await {
            Ok(()) => Ok(()),
            Err(RequestError::Refused(Refusal::Full)) => Err(ClientError::RelayFull),
            // Also a refusal may answer the repetition of a request that was carried out before the relay was started again.
            Err(RequestError::Refused(_)) => {
                find_out(transport, &code, new, &key, ClientError::ChangeRefused, limits).await
            }
            // What was sent may still be on its way.
            Err(_) => find_out(transport, &code, new, &key, ClientError::ChangeUnknown, limits).await,
        };
        made.map(|()| NewAccess { code, recovery })
    }

    async fn seal(
        self,
        code: &AccountCode,
        recovery: Option<&RecoveryPhrase>,
    ) -> Result<(ChangeFinish, ExportKey), ClientError> {
        let Self { change, response, state, master, keyring_version: _, next_keyring: keyring } = self;
        let (relay, account) = (code.relay(), code.account());
        let (upload, key) = hash(state, response, code).await?;
        let mut rng = random::system();
        let encryption = encryption_key(key.secret_bytes());
        let recovery = match recovery {
            None => RecoveryChange::Keep,
            Some(phrase) => RecoveryChange::Replace(Recovery {
                id: phrase.id(relay),
                token: hash_token(&phrase.token(relay)),
                envelope: phrase.seal(&master, account, relay, &mut rng).map_err(ClientError::Sealing)?,
            }),
        };
        let master_key =
            seal_master_key(&master, &encryption, relay, account, &mut rng).map_err(ClientError::Sealing)?;
        Ok((ChangeFinish { change, upload, master_key, recovery, keyring }, key))
    }
}

/// Argon2id, away from the threads that serve connections.
async fn hash(
    state: ClientRegistration,
    response: [u8; REGISTRATION_RESPONSE],
    code: &AccountCode,
) -> Result<([u8; 192], ExportKey), ClientError> {
    let (account, context) = (code.account(), LoginContext::new(code.relay()));
    let finish = move || state.finish(&response, &account, &context, &mut random::for_login());
    Ok(blocking(finish).await??)
}

/// Whether the change was made: then the new password gives the key of the new record. That it opens the account would not do, since it
/// may be the old password, too. If it was not made so far, the outcome is `otherwise`.
async fn find_out<T: Transport>(
    transport: &T,
    code: &AccountCode,
    new: &Password,
    key: &ExportKey,
    otherwise: ClientError,
    limits: &ClientLimits,
) -> Result<(), ClientError> {
    let mut lane = RelayLane::isolated(transport, code.relay(), limits);
    match prove_password(&mut lane, code, new).await {
        Ok((_login, held)) if held.secret_bytes() == key.secret_bytes() => Ok(()),
        Ok(_) | Err(ClientError::WrongPassword) => Err(otherwise),
        Err(error @ ClientError::OutOfMemory) => Err(error),
        Err(_) => Err(ClientError::ChangeUnknown),
    }
}
