//! A stream that counts its bytes, both ways together: the rate of a transfer is known long before its first chunk is whole.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A stream, and what counts its bytes.
pub struct CountedIo<S> {
    stream: S,
    bytes: Arc<AtomicU64>,
}

impl<S> CountedIo<S> {
    /// Adds to what was counted so far.
    pub const fn new(stream: S, bytes: Arc<AtomicU64>) -> Self {
        Self { stream, bytes }
    }

    fn count(&self, moved: usize) {
        self.bytes.fetch_add(moved as u64, Ordering::Relaxed);
    }

    fn counted(&self, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if let Poll::Ready(Ok(moved)) = &written {
            self.count(*moved);
        }
        written
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for CountedIo<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buffer);
        self.count(buffer.filled().len().saturating_sub(before));
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for CountedIo<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.counted(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.counted(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    #[tokio::test]
    async fn bytes_count_both_ways() {
        let (ours, mut peer) = duplex(64);
        let bytes = Arc::new(AtomicU64::new(0));
        let mut ours = CountedIo::new(ours, Arc::clone(&bytes));
        ours.write_all(b"12345").await.unwrap();
        peer.write_all(b"678").await.unwrap();
        ours.read_exact(&mut [0; 3]).await.unwrap();
        assert_eq!(bytes.load(Ordering::Relaxed), 8);
    }
}
