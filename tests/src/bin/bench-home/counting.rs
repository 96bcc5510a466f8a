//! Bytes to and from the relay.

use nightdrop_client::transport::Transport;
use nightdrop_onion_config::{Lane, TorError};
use nightdrop_tests::system::SocketTransport;
use nightdrop_wire::onion::OnionAddress;
use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::UnixStream,
};

/// Counts what goes to the relay and comes from it.
#[derive(Clone)]
pub(crate) struct Counting {
    inner: SocketTransport,
    moved: Arc<AtomicU64>,
}

/// A stream of it.
pub(crate) struct CountedStream {
    inner: UnixStream,
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
    type Stream = CountedStream;

    async fn connect(&self, relay: &OnionAddress, lane: &Lane) -> Result<CountedStream, TorError> {
        let inner = self.inner.connect(relay, lane).await?;
        Ok(CountedStream { inner, moved: Arc::clone(&self.moved) })
    }
}

impl AsyncRead for CountedStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.inner).poll_read(context, buffer);
        self.moved.fetch_add((buffer.filled().len() - before) as u64, Ordering::Relaxed);
        read
    }
}

impl AsyncWrite for CountedStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write(context, bytes);
        if let Poll::Ready(Ok(count)) = &written {
            self.moved.fetch_add(*count as u64, Ordering::Relaxed);
        }
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}
