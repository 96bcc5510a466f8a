//! The client's library over a private Tor network, in this process.

use crate::system::{RelayProcess, network_file};
use nightdrop_client::{
    account::{self, Session},
    limits::ClientLimits,
};
use nightdrop_login::password::Password;
use nightdrop_onion_config::{Network, Role, Tor, TorLimits, TorSettings};
use nightdrop_wire::token::Token;
use std::path::Path;

const PASSWORD: &str = "plum orbit velvet cactus tide";

/// A Tor in the private network around this process.
///
/// # Errors
/// What there is no network for, or why it did not come up.
pub async fn start_tor(
    directory: &Path,
    role: Role,
) -> Result<Tor, Box<dyn std::error::Error + Send + Sync>> {
    let network = Network::load(Some(&network_file()?))?;
    let settings =
        TorSettings { directory: directory.to_owned(), network, role, limits: TorLimits::default() };
    Ok(Tor::bootstrap(settings, |_| {}).await?)
}

/// A new account at a relay, logged in.
///
/// # Errors
/// What the relay or the client say.
pub async fn open_account(
    tor: &Tor,
    relay: &RelayProcess,
) -> Result<Session<Tor>, Box<dyn std::error::Error + Send + Sync>> {
    let (limits, address) = (ClientLimits::default(), relay.address().parse()?);
    let invitation = Token::from_text(&relay.invite()?)?;
    let prepared =
        account::prepare(tor, &address, invitation, Password::new(PASSWORD), false, &limits).await?;
    account::commit(tor, &address, &prepared.request, &limits).await?;
    Ok(account::log_in(tor, &prepared.code, &Password::new(PASSWORD), &limits).await?)
}
