//! A transport gives byte streams to a relay. The product has one: Tor.

use nightdrop_onion_config::{Lane, Tor, TorError, TorStream};
use nightdrop_wire::{ONION_PORT, onion::OnionAddress};
use std::future::Future;
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
