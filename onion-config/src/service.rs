//! The relay's onion service: its address, and what Arti makes of its state.

use crate::TorError;
use futures::{Stream, StreamExt};
use nightdrop_wire::onion::OnionAddress;
use safelog::DisplayRedacted;
use std::sync::Arc;
use tor_hsservice::{
    HsId, RunningOnionService,
    status::{OnionServiceStatus, State},
};

/// A launched service. Dropping it stops publishing the address.
pub struct OnionService {
    running: Arc<RunningOnionService>,
    address: OnionAddress,
}

/// What Arti makes of the service's state.
///
/// A hint and no more: while Arti keeps its own limit on uploads (one a minute), it calls a service `Bootstrapping` whose
/// descriptor stands, and may stay with that after a restart. [`crate::Tor::probe`] finds out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reachability {
    /// Introduction points or descriptors are on their way.
    Pending,
    /// Introduction points stand and the descriptor is published.
    Reachable,
    /// Something is wrong that Arti goes on trying to repair; in words.
    Troubled(String),
}

impl OnionService {
    pub(crate) fn new(running: Arc<RunningOnionService>) -> Result<Self, TorError> {
        let id = running.onion_address().ok_or_else(no_identity)?;
        Ok(Self { running, address: address_of(id)? })
    }

    /// The address that clients connect to.
    #[must_use]
    pub const fn address(&self) -> &OnionAddress {
        &self.address
    }

    /// What Arti makes of its state: now, and after each change. Ends with the service.
    pub fn reachability(&self) -> impl Stream<Item = Reachability> + Unpin + Send + use<> {
        self.running.status_events().map(|status| Reachability::of(&status))
    }
}

/// The address is a relay's business alone.
impl std::fmt::Debug for OnionService {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("OnionService")
    }
}

impl Reachability {
    fn of(status: &OnionServiceStatus) -> Self {
        match status.state() {
            state if state.is_fully_reachable() => Self::Reachable,
            // Also what a service reports before its tasks have run for the first time.
            State::Shutdown | State::Bootstrapping => Self::Pending,
            _ => status
                .current_problem()
                .map_or(Self::Pending, |problem| Self::Troubled(format!("{problem:?}"))),
        }
    }
}

/// The text form of a service's identity.
pub(crate) fn address_of(id: HsId) -> Result<OnionAddress, TorError> {
    id.display_unredacted().to_string().parse().map_err(|_| no_identity())
}

fn no_identity() -> TorError {
    TorError::Internal("the onion service has no identity".to_owned())
}
