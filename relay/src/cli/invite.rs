//! `invite new`: through the relay that runs on the data directory, or on the store itself when none does.

use super::{admin, output};
use crate::{
    data_directory::{DataDirectory, DataLock},
    error::RelayError,
    settings::RelayLimits,
    takeover::take_over,
    worker::{Environment, issue_invitation},
};
use nightdrop_store::{OpenError, Store, StoreLimits};
use nightdrop_wire::messages::admin::{Invitation, NewInvitation};
use std::path::Path;

const PATH: &str = "/admin/v1/invites";

/// Issues an invitation and prints its code.
pub(super) fn new(root: &Path, days: u16, json: bool, limits: &RelayLimits) -> Result<(), RelayError> {
    let data = DataDirectory::existing(root)?;
    let invitation = match data.lock()? {
        Some(lock) => on_the_store(&data, &lock, days, limits)?,
        None => admin::ask(&data.admin_socket(), PATH, &NewInvitation { days }, limits.admin_answer)?,
    };
    print(&invitation, json)
}

/// The lock keeps a relay from starting meanwhile.
fn on_the_store(
    data: &DataDirectory,
    _lock: &DataLock,
    days: u16,
    limits: &RelayLimits,
) -> Result<Invitation, RelayError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|source| RelayError::System { what: "an async runtime", source })?;
    let is_held = |error: &OpenError| matches!(error, OpenError::InUse);
    let open = || Store::open(&data.store(), StoreLimits::default());
    let store = take_over(limits.takeover, is_held, open)?;
    let issued = runtime.block_on(issue_invitation(&store, &Environment::system(), days))?;
    Ok(issued)
}

fn print(invitation: &Invitation, json: bool) -> Result<(), RelayError> {
    let code = invitation.invitation.secret_text();
    if json {
        // A code is base32: nothing in it has to be escaped.
        output::line(&format!(r#"{{"invite":"{}"}}"#, *code))
    } else {
        output::line(&code)
    }
}
