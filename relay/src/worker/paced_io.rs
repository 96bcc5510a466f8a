//! A stream that ends when its peer is too slow: in sending a request's head, in taking an answer, or in asking again.
//!
//! - *Head*: from the first byte that arrives between two requests until the service has the request, `head_time`.
//! - *Writing*: whenever the peer makes the relay wait, it must take `pace_floor` bytes (or all there are) within
//!   `pace_window`.
//! - *Idle*: once all of an answer was taken, the first byte of another request must come within `idle_time`. Whoever is
//!   still taking an answer is not idle, however long that takes.
//!
//! A request's body has a deadline of its own, where it is read.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Sleep, sleep},
};

use super::{limits::HttpLimits, peer::Peer};

/// A stream with a pace.
pub(crate) struct PacedIo<S> {
    stream: S,
    limits: HttpLimits,
    peer: Peer,
    /// Runs while a head is arriving.
    head: Option<InGap>,
    /// Runs while nothing is under way.
    idle: Option<InGap>,
    /// Runs while the peer makes us wait.
    window: Option<Window>,
    /// Something was written that the peer has not taken yet, as far as can be seen.
    unflushed: bool,
}

/// A time that began in a gap between two requests, and means nothing in any other.
struct InGap {
    gap: u64,
    end: Pin<Box<Sleep>>,
}

struct Window {
    end: Pin<Box<Sleep>>,
    taken: usize,
}

impl<S> PacedIo<S> {
    /// Gives `stream` a pace.
    pub(crate) fn new(stream: S, limits: HttpLimits, peer: Peer) -> Self {
        Self { stream, limits, peer, head: None, idle: None, window: None, unflushed: false }
    }

    /// Passes a write on, and ends the stream if the peer took too little for too long.
    fn paced(&mut self, cx: &mut Context<'_>, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        self.unflushed = true;
        match written {
            Poll::Ready(Ok(taken)) => {
                self.peer.moved(taken);
                if let Some(window) = &mut self.window {
                    window.taken = window.taken.saturating_add(taken);
                    if window.taken >= self.limits.pace_floor {
                        self.window = None;
                    }
                }
                Poll::Ready(Ok(taken))
            }
            Poll::Pending => {
                let duration = self.limits.pace_window;
                let window = self.window.get_or_insert_with(|| Window { end: timer(duration), taken: 0 });
                ready!(window.end.as_mut().poll(cx));
                Poll::Ready(Err(too_slow()))
            }
            failed => failed,
        }
    }

    /// Ready once the peer has been idle for too long in this gap.
    fn poll_idle(&mut self, cx: &mut Context<'_>, gap: u64) -> Poll<()> {
        if self.unflushed || self.head.is_some() {
            self.idle = None;
            return Poll::Pending;
        }
        let duration = self.limits.idle_time;
        let begin = || InGap { gap, end: timer(duration) };
        let idle = match &mut self.idle {
            Some(idle) if idle.gap == gap => idle,
            other => other.insert(begin()),
        };
        idle.end.as_mut().poll(cx)
    }
}

fn timer(duration: Duration) -> Pin<Box<Sleep>> {
    Box::pin(sleep(duration))
}

fn too_slow() -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, "the peer is too slow")
}

impl<S: AsyncRead + Unpin> AsyncRead for PacedIo<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buffer);
        let came = buffer.filled().len().saturating_sub(before);
        self.peer.moved(came);
        let Some(gap) = self.peer.gap() else { return read };
        if self.head.as_ref().is_some_and(|head| head.gap != gap) {
            self.head = None;
        }
        if self.head.is_none() && came > 0 {
            self.head = Some(InGap { gap, end: timer(self.limits.head_time) });
        }
        // Also when bytes came: a peer that always has one more byte ready must not put the end off.
        if let Some(head) = &mut self.head
            && head.end.as_mut().poll(cx).is_ready()
        {
            return Poll::Ready(Err(too_slow()));
        }
        if read.is_pending() && self.poll_idle(cx, gap).is_ready() {
            return Poll::Ready(Err(too_slow()));
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for PacedIo<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.paced(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.paced(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(cx);
        if flushed.is_ready() {
            // The peer took all there was: the next answer starts afresh.
            self.window = None;
            self.unflushed = false;
            if let Some(gap) = self.peer.gap() {
                // Begins the time; reading finds out when it is over.
                let _begun = self.poll_idle(cx, gap);
            }
        }
        flushed
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

    /// Longer than any other time here.
    const IDLE: Duration = Duration::from_secs(5_000);

    fn limits() -> HttpLimits {
        HttpLimits {
            head_time: Duration::from_secs(10),
            idle_time: IDLE,
            pace_floor: 100,
            pace_window: Duration::from_secs(60),
            ..HttpLimits::default()
        }
    }

    fn paced(room: usize) -> (PacedIo<DuplexStream>, DuplexStream, Peer) {
        let (ours, peer) = duplex(room);
        let known = Peer::default();
        (PacedIo::new(ours, limits(), known.clone()), peer, known)
    }

    #[tokio::test(start_paused = true)]
    async fn a_head_that_trickles_in_ends_the_stream_and_waiting_for_one_does_not() {
        let (mut io, mut peer, _known) = paced(1024);
        let trickle = async {
            // Idle for longer than a head may take: that is another limit's business.
            sleep(Duration::from_secs(100)).await;
            for _ in 0..20 {
                peer.write_all(b"x").await?;
                sleep(Duration::from_secs(1)).await;
            }
            io::Result::Ok(())
        };
        let read = async {
            let mut count = 0;
            loop {
                match io.read_u8().await {
                    Ok(_) => count += 1,
                    Err(error) => return (count, error.kind()),
                }
            }
        };
        let ((count, kind), _) = tokio::join!(read, trickle);
        assert_eq!(kind, io::ErrorKind::TimedOut);
        assert!((10..=11).contains(&count), "{count} bytes in ten seconds");
    }

    #[tokio::test(start_paused = true)]
    async fn once_the_request_is_there_the_heads_time_is_over() {
        let (mut io, mut peer, known) = paced(1024);
        for _ in 0..3 {
            peer.write_all(b"head").await.unwrap();
            io.read_exact(&mut [0; 4]).await.unwrap();
            known.request_began();
            sleep(Duration::from_secs(100)).await;
            peer.write_all(b"body").await.unwrap();
            io.read_exact(&mut [0; 4]).await.unwrap();
            known.request_ended();
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_that_was_answered_at_once_leaves_no_time_running() {
        let (mut io, mut peer, known) = paced(1024);
        for _ in 0..3 {
            peer.write_all(b"head").await.unwrap();
            io.read_exact(&mut [0; 4]).await.unwrap();
            known.request_began();
            known.request_ended();
            sleep(Duration::from_secs(100)).await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_takes_less_than_the_floor_ends_the_stream() {
        let (mut io, mut peer, _known) = paced(10);
        let take = async {
            for _ in 0..100 {
                sleep(Duration::from_secs(1)).await;
                if peer.read_u8().await.is_err() {
                    break;
                }
            }
        };
        let (written, ()) = tokio::join!(
            async {
                let written = io.write_all(&[0; 1000]).await;
                drop(io);
                written
            },
            take
        );
        assert_eq!(written.unwrap_err().kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_peer_above_the_floor_gets_everything() {
        let (mut io, mut peer, _known) = paced(10);
        let take = async {
            let mut taken = 0;
            while taken < 1000 {
                sleep(Duration::from_secs(1)).await;
                taken += peer.read(&mut [0; 3]).await?;
            }
            io::Result::Ok(taken)
        };
        let (written, taken) = tokio::join!(io.write_all(&[0; 1000]), take);
        assert_eq!((written.is_ok(), taken.unwrap()), (true, 1000));
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_between_two_answers_is_not_slowness() {
        let (mut io, mut peer, _known) = paced(10);
        for _ in 0..2 {
            let (written, _) = tokio::join!(
                async {
                    io.write_all(&[0; 20]).await?;
                    io.flush().await
                },
                async {
                    sleep(Duration::from_secs(1)).await;
                    peer.read_exact(&mut [0; 20]).await
                }
            );
            written.unwrap();
            sleep(Duration::from_secs(1000)).await;
        }
    }
    /// Reads one byte as the connection would, and tells how long it took to give up.
    async fn gives_up(io: &mut PacedIo<DuplexStream>) -> Duration {
        let start = tokio::time::Instant::now();
        assert_eq!(io.read_u8().await.unwrap_err().kind(), io::ErrorKind::TimedOut);
        start.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_asks_nothing_is_ended_and_an_answer_begins_its_time_afresh() {
        let (mut io, _peer, _known) = paced(1024);
        assert_eq!(gives_up(&mut io).await, IDLE);

        let (mut io, mut peer, known) = paced(1024);
        sleep(IDLE / 2).await;
        peer.write_all(b"ask").await.unwrap();
        io.read_exact(&mut [0; 3]).await.unwrap();
        known.request_began();
        sleep(IDLE * 2).await;
        known.request_ended();
        io.write_all(b"answer").await.unwrap();
        io.flush().await.unwrap();
        assert_eq!(gives_up(&mut io).await, IDLE);
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_still_taking_an_answer_is_not_idle() {
        let (io, mut peer, known) = paced(10);
        known.request_began();
        known.request_ended();
        let (mut reader, mut writer) = tokio::io::split(io);
        let take = async {
            for _ in 0..10_000 {
                sleep(Duration::from_secs(2)).await;
                peer.read_exact(&mut [0; 10]).await.unwrap();
            }
            sleep(IDLE * 2).await;
        };
        let write = async {
            writer.write_all(&[0; 100_000]).await.unwrap();
            writer.flush().await.unwrap();
            tokio::time::Instant::now()
        };
        let read = async {
            let error = reader.read_u8().await.unwrap_err();
            (error.kind(), tokio::time::Instant::now())
        };
        let (taken, (kind, ended), ()) = tokio::join!(write, read, take);
        assert_eq!(kind, io::ErrorKind::TimedOut);
        assert!(ended - taken >= IDLE && ended - taken <= IDLE + Duration::from_secs(1));
    }
}
