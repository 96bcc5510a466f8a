//! Making an account.
//!
//! ```text
//! prepare  asks the relay for its half of the password's hash (spends nothing); gives everything that the account will be
//! commit   makes it, in one transaction, which may be repeated with the same bytes
//! ```
//! Between the two the caller keeps [`Prepared::request`] and the account code: an account that exists at the relay and whose
//! code is lost would be gone for good, and the same bytes find out whether it exists.

use crate::{
    ClientError,
    blocking::blocking,
    clock,
    limits::ClientLimits,
    random,
    relay::{RelayLane, RequestError},
    relay_info::issuing_key,
    transport::Transport,
};
use bytes::Bytes;
use nightdrop_envelope::{
    account_code::AccountCode,
    capability::hash_token,
    device_memory::DeviceMemory,
    key::MasterKey,
    keyring::Keyring,
    master_key::{encryption_key, seal_master_key},
    recovery::RecoveryPhrase,
};
use nightdrop_login::{
    LoginContext,
    client::{ClientRegistration, ExportKey},
    password::{AccountKey, Password},
};
use nightdrop_wire::{
    codec,
    endpoint::Endpoint,
    messages::{
        account::{Recovery, RegisterFinish, RegisterStart, RegisterStarted},
        log::LogHead,
    },
    onion::OnionAddress,
    refusal::Refusal,
    token::Token,
};

/// An account that can be made.
#[derive(Debug)]
pub struct Prepared {
    /// To be kept before the account is made; it is needed to log in.
    pub code: AccountCode,
    /// To be written down, unless none was wanted.
    pub recovery: Option<RecoveryPhrase>,
    /// The request that makes the account.
    pub request: Vec<u8>,
    /// What this device is to remember: that the account has no files yet.
    pub memory: Vec<u8>,
}

/// Prepares an account at `relay`, for an invitation.
///
/// # Errors
/// [`ClientError::InvitationRefused`] if the invitation is unknown, spent or expired.
pub async fn prepare<T: Transport>(
    transport: &T,
    relay: &OnionAddress,
    invitation: Token,
    password: Password,
    with_recovery: bool,
    limits: &ClientLimits,
) -> Result<Prepared, ClientError> {
    let issuing_key = issuing_key(transport, relay, limits).await?;
    let mut lane = RelayLane::isolated(transport, relay, limits);
    let code = AccountCode::generate(relay.clone(), &mut random::system());
    prepare_on(&mut lane, code, invitation, password, with_recovery, issuing_key).await
}

/// Prepares the account of a code over a lane to its relay.
pub(super) async fn prepare_on<T: Transport>(
    lane: &mut RelayLane<T>,
    code: AccountCode,
    invitation: Token,
    password: Password,
    with_recovery: bool,
    issuing_key: [u8; 32],
) -> Result<Prepared, ClientError> {
    let (upload, export_key) = hash_password(lane, &code, &invitation, password).await?;
    let recovery = with_recovery.then(|| RecoveryPhrase::generate(&mut random::system()));
    seal_account(code, invitation, upload, &export_key, recovery, issuing_key)
}

/// Makes the account of a prepared request, or finds that it was made.
///
/// # Errors
/// [`ClientError::InvitationRefused`] or [`ClientError::RelayFull`]: there is no such account.
/// [`ClientError::RegistrationUnknown`]: it may exist; the same bytes find out.
pub async fn commit<T: Transport>(
    transport: &T,
    relay: &OnionAddress,
    request: &[u8],
    limits: &ClientLimits,
) -> Result<(), ClientError> {
    let mut lane = RelayLane::isolated(transport, relay, limits);
    let body = Bytes::copy_from_slice(request);
    match lane.exchange(Endpoint::RegisterFinish, None, body, 0).await {
        Ok(_) => Ok(()),
        Err(RequestError::Refused(Refusal::Refused | Refusal::Conflict)) => {
            Err(ClientError::InvitationRefused)
        }
        Err(RequestError::Refused(Refusal::Full)) => Err(ClientError::RelayFull),
        Err(_) => Err(ClientError::RegistrationUnknown),
    }
}

/// The OPAQUE registration: the relay's half of the hash, then Argon2id.
async fn hash_password<T: Transport>(
    lane: &mut RelayLane<T>,
    code: &AccountCode,
    invitation: &Token,
    password: Password,
) -> Result<([u8; 192], ExportKey), ClientError> {
    let account_key = AccountKey::from_bytes(*code.secret_account_key());
    let (state, request) = ClientRegistration::start(&password, &account_key, &mut random::for_login())?;
    let start = RegisterStart { invitation: invitation.clone(), account: code.account(), request };
    let started: RegisterStarted =
        lane.call(Endpoint::RegisterStart, None, &start).await.map_err(ClientError::registration)?;
    let (account, context) = (code.account(), LoginContext::new(code.relay()));
    let finish = move || state.finish(&started.response, &account, &context, &mut random::for_login());
    Ok(blocking(finish).await??)
}

fn seal_account(
    code: AccountCode,
    invitation: Token,
    upload: [u8; 192],
    export_key: &ExportKey,
    recovery: Option<RecoveryPhrase>,
    issuing_key: [u8; 32],
) -> Result<Prepared, ClientError> {
    let (relay, account) = (code.relay(), code.account());
    let mut rng = random::system();
    let master = MasterKey::generate(&mut rng);
    let keyring = Keyring::generate(issuing_key, clock::today(), &mut rng);
    let home_head = Some(LogHead::before_first(keyring.home_keys().space()));
    let memory = DeviceMemory { keyring_version: keyring.version(), home_head };
    let memory =
        memory.seal(&keyring.memory_key(), relay, account, &mut rng).map_err(ClientError::Sealing)?;
    let envelope = |phrase: &RecoveryPhrase| {
        let envelope = phrase.seal(&master, account, relay, &mut random::system())?;
        Ok(Recovery { id: phrase.id(relay), token: hash_token(&phrase.token(relay)), envelope })
    };
    let key = encryption_key(export_key.secret_bytes());
    let finish = RegisterFinish {
        invitation,
        account,
        upload,
        master_key: seal_master_key(&master, &key, relay, account, &mut rng).map_err(ClientError::Sealing)?,
        recovery: recovery.as_ref().map(envelope).transpose().map_err(ClientError::Sealing)?,
        keyring: keyring.seal(&master, relay, account, &mut rng).map_err(ClientError::Sealing)?.envelope,
    };
    let request = codec::encode(&finish).map_err(|_| ClientError::Stopped)?;
    Ok(Prepared { code, recovery, request, memory })
}
