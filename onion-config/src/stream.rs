//! A stream of bytes through Tor.

use crate::circuit::OpenStream;
use arti_client::DataStream;
use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A stream to or from an onion service.
///
/// What is written leaves in cells of 498 bytes; a last partial cell waits for [`AsyncWrite::poll_flush`]. Tor has no
/// half-closed streams: when either side closes, both directions end.
#[derive(Debug)]
pub struct TorStream {
    stream: DataStream,
    /// Keeps a client's circuit at the service in use.
    _open: Option<OpenStream>,
}

impl TorStream {
    /// A stream that was opened here.
    pub(crate) const fn outgoing(stream: DataStream) -> Self {
        Self { stream, _open: None }
    }

    /// A stream that a client opened.
    pub(crate) const fn incoming(stream: DataStream, open: OpenStream) -> Self {
        Self { stream, _open: Some(open) }
    }

    fn inner(self: Pin<&mut Self>) -> Pin<&mut DataStream> {
        Pin::new(&mut self.get_mut().stream)
    }
}

impl AsyncRead for TorStream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        AsyncRead::poll_read(self.inner(), cx, buf)
    }
}

impl AsyncWrite for TorStream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        AsyncWrite::poll_write(self.inner(), cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        AsyncWrite::poll_flush(self.inner(), cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        AsyncWrite::poll_shutdown(self.inner(), cx)
    }
}
