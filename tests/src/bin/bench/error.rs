//! Why a bench ended.

use nightdrop_client::relay::RequestError;
use nightdrop_store::{OpenError, StoreError};
use nightdrop_tests::system::{NotBuilt, SystemError};

/// Why a bench ended.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BenchError {
    #[error(transparent)]
    System(#[from] SystemError),
    #[error(transparent)]
    NotBuilt(#[from] NotBuilt),
    #[error(transparent)]
    Io(#[from] std::io::Error),
    #[error("cannot open the store: {0}")]
    Open(#[from] OpenError),
    #[error("the store refuses: {0}")]
    Store(#[from] StoreError),
    #[error("the worker: {0}")]
    Request(#[from] RequestError),
    #[error("{0} is not what it should be")]
    Unexpected(&'static str),
}
