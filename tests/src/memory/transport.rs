//! A transport of pipes. It remembers every address that it was asked for, so that a test can show that no other was.

use nightdrop_client::transport::Transport;
use nightdrop_onion_config::{Lane, TorError};
use nightdrop_wire::onion::OnionAddress;
use std::sync::{Arc, Mutex};
use tokio::io::{DuplexStream, duplex};

/// Bytes on their way in one direction of a stream; beyond them the writer waits.
const IN_FLIGHT: usize = 64 * 1024;

/// What answers at an address.
pub trait Host: Send + Sync + 'static {
    /// Serves one stream until it ends. Does not wait for that.
    fn accept(&self, stream: DuplexStream);
}

/// Reaches the hosts that it was given, and nothing else. Clones are the same transport.
#[derive(Clone)]
pub struct MemoryTransport {
    inner: Arc<Inner>,
}

struct Inner {
    hosts: Vec<(OnionAddress, Box<dyn Host>)>,
    asked: Mutex<Vec<OnionAddress>>,
}

impl MemoryTransport {
    /// A transport to one host.
    pub fn to(address: OnionAddress, host: impl Host) -> Self {
        Self::to_all(vec![(address, Box::new(host))])
    }

    /// A transport to several hosts.
    #[must_use]
    pub fn to_all(hosts: Vec<(OnionAddress, Box<dyn Host>)>) -> Self {
        Self { inner: Arc::new(Inner { hosts, asked: Mutex::default() }) }
    }

    /// Every address that a stream was asked for, in order.
    #[must_use]
    pub fn asked(&self) -> Vec<OnionAddress> {
        self.inner.asked.lock().unwrap().clone()
    }

    /// A stream to an address, for whoever speaks bytes.
    ///
    /// # Errors
    /// [`TorError::ServiceNotFound`] if nobody is there.
    pub fn stream(&self, address: &OnionAddress) -> Result<DuplexStream, TorError> {
        self.inner.asked.lock().unwrap().push(address.clone());
        let found = self.inner.hosts.iter().find(|(at, _)| at == address);
        let (_, host) = found.ok_or(TorError::ServiceNotFound)?;
        let (ours, theirs) = duplex(IN_FLIGHT);
        host.accept(theirs);
        Ok(ours)
    }
}

impl Transport for MemoryTransport {
    type Stream = DuplexStream;

    async fn connect(&self, relay: &OnionAddress, _lane: &Lane) -> Result<DuplexStream, TorError> {
        self.stream(relay)
    }
}

impl std::fmt::Debug for MemoryTransport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("MemoryTransport")
    }
}
