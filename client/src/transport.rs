//! A transport gives byte streams to a relay. The product has one: Tor.

use nightdrop_onion_config::{Lane, Tor, TorError, TorStream};
use nightdrop_wire::{ONION_PORT, onion::OnionAddress};
use std::{future::Future, pin::Pin, sync::Arc};
use tokio::io::{AsyncRead, AsyncWrite};

/// Opens byte streams to relays.
pub trait Transport: Clone + Send + Sync + 'static {
    /// What it opens.
    type Stream: AsyncRead + AsyncWrite + Send + Unpin + 'static;

    /// Opens a stream; streams of different lanes share nothing that a relay or the network could link them by.
    fn connect(
        &self,
        relay: &OnionAddress,
        lane: &Lane,
    ) -> impl Future<Output = Result<Self::Stream, TorError>> + Send;
}

impl Transport for Tor {
    type Stream = TorStream;

    async fn connect(&self, relay: &OnionAddress, lane: &Lane) -> Result<TorStream, TorError> {
        Self::connect(self, relay, ONION_PORT, lane).await
    }
}

/// A transport whose kind is known only when the program runs, so that what commands are written for need not be generic. Clones are
/// the same transport.
#[derive(Clone)]
pub struct AnyTransport(Arc<dyn Connect>);

/// What [`AnyTransport`] gives.
pub trait AnyStream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> AnyStream for S {}

type Connecting<'a> = Pin<Box<dyn Future<Output = Result<Box<dyn AnyStream>, TorError>> + Send + 'a>>;

trait Connect: Send + Sync {
    fn connect<'a>(&'a self, relay: &'a OnionAddress, lane: &'a Lane) -> Connecting<'a>;
}

impl<T: Transport> Connect for T {
    fn connect<'a>(&'a self, relay: &'a OnionAddress, lane: &'a Lane) -> Connecting<'a> {
        Box::pin(async move {
            let stream = Transport::connect(self, relay, lane).await?;
            Ok(Box::new(stream) as Box<dyn AnyStream>)
        })
    }
}

impl AnyTransport {
    /// Any transport.
    pub fn new(transport: impl Transport) -> Self {
        Self(Arc::new(transport))
    }
}

impl Transport for AnyTransport {
    type Stream = Box<dyn AnyStream>;

    async fn connect(&self, relay: &OnionAddress, lane: &Lane) -> Result<Self::Stream, TorError> {
        self.0.connect(relay, lane).await
    }
}

impl std::fmt::Debug for AnyTransport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AnyTransport")
    }
}
