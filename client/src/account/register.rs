//! Making an account.
//!
//! The relay makes it in one transaction, which may be repeated with the same bytes. What a crash leaves is decided by
//! the caller, who keeps the account code *before* the transaction is sent ([`RegistrationStep::BeforeCommit`]): an account
//! that exists at the relay and whose code is lost would be gone for good.

use crate::{ClientError, limits::ClientLimits, random, relay::RelayLane, transport::Transport};
use nightdrop_envelope::{
    account_code::AccountCode,
    capability::hash_token,
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
    endpoint::Endpoint,
    messages::account::{Recovery, RegisterFinish, RegisterStart, RegisterStarted},
    onion::OnionAddress,
    token::Token,
};

/// A new account.
#[derive(Debug)]
pub struct Registered {
    /// To be kept: it is needed to log in on another device.
    pub code: AccountCode,
    /// To be written down, unless none was wanted.
    pub recovery: Option<RecoveryPhrase>,
}

/// Where a registration stands.
#[derive(Debug)]
pub enum RegistrationStep<'a> {
    /// The relay accepts the invitation; the account is made next. Whoever hears this keeps the code now.
    BeforeCommit(&'a AccountCode),
}

/// Registers at `relay` with an invitation.
///
/// # Errors
/// [`ClientError`]. After [`RegistrationStep::BeforeCommit`] a broken connection leaves open whether the account exists.
pub async fn register<T: Transport>(
    transport: &T,
    relay: &OnionAddress,
    invitation: Token,
    password: Password,
    with_recovery: bool,
    limits: &ClientLimits,
    mut on_step: impl FnMut(RegistrationStep<'_>) -> Result<(), ClientError>,
) -> Result<Registered, ClientError> {
    let mut lane = RelayLane::isolated(transport, relay, limits);
    let code = AccountCode::generate(relay.clone(), &mut random::system());
    let (upload, export_key) = hash_password(&mut lane, &code, &invitation, password).await?;
    let recovery = with_recovery.then(|| RecoveryPhrase::generate(&mut random::system()));
    let commit = commit(&code, invitation, upload, &export_key, recovery.as_ref())?;
    on_step(RegistrationStep::BeforeCommit(&code))?;
    lane.tell(Endpoint::RegisterFinish, None, &commit).await.map_err(ClientError::registration)?;
    Ok(Registered { code, recovery })
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
    Ok(tokio::task::spawn_blocking(finish).await.map_err(|_| ClientError::Stopped)??)
}

fn commit(
    code: &AccountCode,
    invitation: Token,
    upload: [u8; 192],
    export_key: &ExportKey,
    recovery: Option<&RecoveryPhrase>,
) -> Result<RegisterFinish, ClientError> {
    let (relay, account) = (code.relay(), code.account());
    let mut rng = random::system();
    let master = MasterKey::generate(&mut rng);
    let encryption_key = encryption_key(export_key.secret_bytes());
    let recovery = match recovery {
        None => None,
        Some(phrase) => Some(Recovery {
            id: phrase.id(relay),
            token: hash_token(&phrase.token(relay)),
            envelope: phrase.seal(&master, account, relay, &mut rng)?,
        }),
    };
    Ok(RegisterFinish {
        invitation,
        account,
        upload,
        master_key: seal_master_key(&master, &encryption_key, relay, account, &mut rng)?,
        recovery,
        keyring: Keyring::generate(&mut rng).seal(&master, relay, account, &mut rng)?.envelope,
    })
}
