//! From an account code to the keyring, with checks left out. The login itself is the product's: without its checks there
//! is no export key, so nothing would open.

use super::{Check, Stopped, Without, envelope::open, file::ask};
use crate::{
    lying::Asked,
    memory::{MemoryTransport, PASSWORD},
};
use nightdrop_envelope::{account_code::AccountCode, master_key::encryption_key, seal::Kind};
use nightdrop_login::{
    LoginContext,
    client::{ClientLogin, ExportKey},
    password::{AccountKey, Password},
};
use nightdrop_wire::{
    codec,
    endpoint::Endpoint,
    messages::account::{LoggedIn, LoginFinish, LoginStart, LoginStarted},
};
use rand08::rngs::OsRng;
use serde::{Serialize, de::DeserializeOwned};

/// What a naive login took for the account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NaiveAccount {
    /// Version of the keyring, as the relay said.
    pub version: u64,
    /// Seed of the identity key.
    pub identity: [u8; 32],
    /// Secret of the home space.
    pub home_secret: [u8; 32],
}

/// Logs in with [`PASSWORD`], leaving out these checks of what the relay then hands over.
///
/// # Errors
/// [`Stopped`] when a check that is not left out fails, or nothing can be made of what came.
pub async fn log_in(
    transport: &MemoryTransport,
    code: &AccountCode,
    without: &[Check],
) -> Result<NaiveAccount, Stopped> {
    let without = Without(without);
    let (logged_in, export_key) = handed_over(transport, code).await?;
    let (relay, account) = (code.relay().as_str().as_bytes(), code.account());
    let key = encryption_key(export_key.secret_bytes());
    let context: [&[u8]; 3] = [b"master key", relay, account.as_bytes()];
    let master = open(Kind::MasterKey, key.secret_bytes(), &context, &logged_in.master_key, without)?;
    let master = master.as_slice().try_into().map_err(|_| Stopped::Unreadable)?;
    let version = logged_in.keyring.version;
    let context: [&[u8]; 4] = [b"keyring", relay, account.as_bytes(), &version.to_be_bytes()];
    let keyring = open(Kind::Keyring, &master, &context, &logged_in.keyring.envelope, without)?;
    let length = keyring.first_chunk::<4>().ok_or(Stopped::Unreadable)?;
    let length = u32::from_be_bytes(*length) as usize;
    let (body, padding) = keyring[4..].split_at_checked(length).ok_or(Stopped::Unreadable)?;
    without.check(Check::Padding, padding.iter().all(|byte| *byte == 0))?;
    // The sharing key's seed stands between the two.
    let secrets: &[u8; 96] = body.first_chunk().ok_or(Stopped::Unreadable)?;
    let (identity, home_secret) = (*secrets.first_chunk().unwrap(), *secrets.last_chunk().unwrap());
    Ok(NaiveAccount { version, identity, home_secret })
}

async fn handed_over(
    transport: &MemoryTransport,
    code: &AccountCode,
) -> Result<(LoggedIn, ExportKey), Stopped> {
    let account = code.account();
    let account_key = AccountKey::from_bytes(*code.secret_account_key());
    let (state, request) = ClientLogin::start(&Password::new(PASSWORD), &account_key, &mut OsRng).unwrap();
    let start = LoginStart { account, request };
    let started: LoginStarted = call(transport, code, Endpoint::LoginStart, &start).await?;
    let context = LoginContext::new(code.relay());
    let (finalization, export_key) =
        state.finish(&started.response, &account, &context, &mut OsRng).map_err(|_| Stopped::Unreadable)?;
    let finish = LoginFinish { login: started.login, finalization };
    Ok((call(transport, code, Endpoint::LoginFinish, &finish).await?, export_key))
}

async fn call<Q: Serialize, A: Serialize + DeserializeOwned>(
    transport: &MemoryTransport,
    code: &AccountCode,
    endpoint: Endpoint,
    request: &Q,
) -> Result<A, Stopped> {
    let asked = Asked { body: codec::encode(request).unwrap(), ..Asked::plain(endpoint) };
    let exchange = ask(transport, code.relay(), &asked).await?;
    codec::decode(&exchange.body).map_err(|_| Stopped::Unreadable)
}
