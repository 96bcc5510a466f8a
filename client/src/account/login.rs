//! Opening an account: OPAQUE login, then the master key, then the keyring.

use crate::{
    ClientError,
    account::Session,
    blocking::blocking,
    limits::ClientLimits,
    random,
    relay::{RelayLane, RequestError},
    transport::Transport,
};
use nightdrop_envelope::{
    account_code::AccountCode,
    keyring::Keyring,
    master_key::{encryption_key, open_master_key},
};
use nightdrop_login::{
    LoginContext,
    client::{ClientLogin, ExportKey},
    password::{AccountKey, Password},
};
use nightdrop_wire::{
    endpoint::Endpoint,
    messages::account::{LoggedIn, LoginFinish, LoginStart, LoginStarted},
    refusal::Refusal,
};

/// Whole logins that are tried when the third message's answer is lost: the relay takes each third message once.
pub(super) const LOGINS: u32 = 3;

/// Logs in at the relay of the account code.
///
/// # Errors
/// [`ClientError::WrongPassword`] before any third message is sent; [`ClientError::Tampered`] if master key or keyring
/// are not what was sealed for this account: then nothing is made in their place.
pub async fn log_in<T: Transport>(
    transport: &T,
    code: &AccountCode,
    password: &Password,
    limits: &ClientLimits,
) -> Result<Session<T>, ClientError> {
    let mut lane = RelayLane::isolated(transport, code.relay(), limits);
    let mut logins = 0;
    let (logged_in, export_key) = loop {
        logins += 1;
        let (finish, export_key) = prove_password(&mut lane, code, password).await?;
        match lane.call::<_, LoggedIn>(Endpoint::LoginFinish, None, &finish).await {
            Ok(logged_in) => break (logged_in, export_key),
            Err(RequestError::Refused(Refusal::Refused) | RequestError::Broken) if logins < LOGINS => {}
            Err(error) => return Err(ClientError::login(error)),
        }
    };
    let key = encryption_key(export_key.secret_bytes());
    let master = open_master_key(&logged_in.master_key, &key, code.relay(), code.account())
        .map_err(ClientError::Tampered)?;
    let keyring = Keyring::open(&logged_in.keyring, &master, code.relay(), code.account())
        .map_err(ClientError::Tampered)?;
    Ok(Session::new(lane, (logged_in.session, logged_in.id), code, master, keyring))
}

/// The first two messages, and the third one, which exists only if the second was right.
pub(super) async fn prove_password<T: Transport>(
    lane: &mut RelayLane<T>,
    code: &AccountCode,
    password: &Password,
) -> Result<(LoginFinish, ExportKey), ClientError> {
    let account = code.account();
    let account_key = AccountKey::from_bytes(*code.secret_account_key());
    let (state, request) = ClientLogin::start(password, &account_key, &mut random::for_login())?;
    let started: LoginStarted = lane
        .call(Endpoint::LoginStart, None, &LoginStart { account, request })
        .await
        .map_err(ClientError::login)?;
    let context = LoginContext::new(code.relay());
    let finish = move || state.finish(&started.response, &account, &context, &mut random::for_login());
    let (finalization, export_key) = blocking(finish).await??;
    Ok((LoginFinish { login: started.login, finalization }, export_key))
}
