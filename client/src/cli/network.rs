//! Starting Tor for one command, with progress.

use super::print::Printer;
use crate::{ClientError, Home};
use nightdrop_onion_config::{Network, Role, Tor, TorError, TorLimits, TorSettings};
use std::path::Path;

pub(super) async fn connect(
    home: &Home,
    network: Option<&Path>,
    printer: &Printer,
) -> Result<Tor, ClientError> {
    let network = Network::load(network).map_err(TorError::from)?;
    let settings =
        TorSettings { directory: home.tor(), network, role: Role::Client, limits: TorLimits::default() };
    let bar = printer.bar("Connecting to Tor");
    let tor = Tor::bootstrap(settings, |progress| bar.bootstrap(&progress)).await;
    bar.done();
    Ok(tor?)
}
