//! The way of the operator's commands: to the relay that runs on the data directory, or to the store itself when none
//! does. The commands do not see which.

use super::admin;
use crate::{
    data_directory::{DataDirectory, DataLock},
    error::RelayError,
    settings::RelayLimits,
    takeover::take_over,
    worker::{AdminEndpoint, Environment, operate},
};
use nightdrop_store::{OpenError, Store, StoreLimits};
use nightdrop_wire::codec;
use serde::{Serialize, de::DeserializeOwned};
use std::{path::Path, path::PathBuf, time::Duration};
use tokio::runtime::Runtime;

/// Carries commands out.
pub(super) struct Operator {
    runtime: Runtime,
    way: Way,
}

enum Way {
    /// The running relay's socket, and how long it may take to answer.
    Relay(PathBuf, Duration),
    /// The lock keeps a relay from starting meanwhile.
    Store(Store, #[expect(dead_code, reason = "held, not read")] DataLock),
}

impl Operator {
    /// Finds the way.
    pub(super) fn of(root: &Path, limits: &RelayLimits) -> Result<Self, RelayError> {
        let data = DataDirectory::existing(root)?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|source| RelayError::System { what: "an async runtime", source })?;
        let way = match data.lock()? {
            Some(lock) => {
                let is_held = |error: &OpenError| matches!(error, OpenError::InUse);
                let open = || Store::open(&data.store(), StoreLimits::default());
                Way::Store(take_over(limits.takeover, is_held, open)?, lock)
            }
            None => Way::Relay(data.admin_socket(), limits.admin_answer),
        };
        Ok(Self { runtime, way })
    }

    /// Sends a command and waits for its answer.
    ///
    /// # Errors
    /// [`RelayError::OperatorRefused`], [`RelayError::AdminUnreachable`], [`RelayError::AdminMalformed`].
    pub(super) fn ask<Q, A>(&self, endpoint: AdminEndpoint, message: &Q) -> Result<A, RelayError>
    where
        Q: Serialize,
        A: DeserializeOwned + Serialize,
    {
        let body = codec::encode(message).map_err(|_| RelayError::AdminMalformed)?;
        let answer = match &self.way {
            Way::Relay(socket, patience) => {
                self.runtime.block_on(admin::ask(socket, endpoint.path(), body, *patience))?
            }
            Way::Store(store, _) => {
                let environment = Environment::system();
                let done = self.runtime.block_on(operate(store, &environment, endpoint, &body));
                done.map_err(RelayError::OperatorRefused)?
            }
        };
        codec::decode(&answer).map_err(|_| RelayError::AdminMalformed)
    }
}
