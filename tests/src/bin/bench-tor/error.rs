//! Why a bench ended.

use nightdrop_client::ClientError;
use nightdrop_onion_config::TorError;
use nightdrop_tests::system::{NotBuilt, SystemError};

/// Why a bench ended.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BenchError {
    #[error(transparent)]
    System(#[from] SystemError),
    #[error(transparent)]
    NotBuilt(#[from] NotBuilt),
    #[error(transparent)]
    Tor(#[from] TorError),
    #[error(transparent)]
    Client(#[from] ClientError),
    #[error(transparent)]
    Account(#[from] Box<dyn std::error::Error + Send + Sync>),
    #[error("{0}")]
    Io(#[from] std::io::Error),
    #[error("{0} is not what it should be")]
    Unexpected(&'static str),
    #[error("{program} {what}; its output:\n{output}")]
    Peer { program: &'static str, what: String, output: String },
}
