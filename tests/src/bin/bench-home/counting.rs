//! Bytes to and from the relay.

use nightdrop_client::{counted_io::CountedIo, transport::Transport};
use nightdrop_onion_config::{Lane, TorError};
use nightdrop_tests::system::SocketTransport;
use nightdrop_wire::onion::OnionAddress;
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};
use tokio::net::UnixStream;

/// Counts what goes to the relay and comes from it.
#[derive(Clone)]
pub(crate) struct Counting {
    inner: SocketTransport,
    moved: Arc<AtomicU64>,
}

impl Counting {
    /// Over this one.
    pub(crate) fn over(inner: SocketTransport) -> Self {
        Self { inner, moved: Arc::default() }
    }

    /// Bytes in both directions so far.
    pub(crate) fn moved(&self) -> u64 {
        self.moved.load(Ordering::Relaxed)
    }
}

impl Transport for Counting {
    type Stream = CountedIo<UnixStream>;

    async fn connect(&self, relay: &OnionAddress, lane: &Lane) -> Result<CountedIo<UnixStream>, TorError> {
        let stream = self.inner.connect(relay, lane).await?;
        Ok(CountedIo::new(stream, Arc::clone(&self.moved)))
    }
}
