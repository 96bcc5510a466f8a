//! The relay that lies: it stands between a client and an honest relay, and lets one [`Lie`] change what passes.
//!
//! It repeats nothing byte by byte but what it was told to repeat: requests and answers are parsed and written again, so
//! an answer may be one that no HTTP library would send.

use super::{
    After, Answer, Asked, Heard, Honest, Lie,
    http::{Exchange, MessageReader, speak},
};
use crate::memory::{Host, MemoryRelay};
use std::sync::{
    Arc, Mutex,
    atomic::{AtomicU64, Ordering},
};
use tokio::io::{AsyncWrite, AsyncWriteExt, DuplexStream, duplex, split};

/// Clones are the same relay.
#[derive(Clone)]
pub struct LyingRelay {
    inner: Arc<Inner>,
}

struct Inner {
    honest: MemoryRelay,
    lie: Mutex<Arc<dyn Lie>>,
    heard: Mutex<Vec<Heard>>,
    asked: Mutex<Vec<Asked>>,
    sent: AtomicU64,
}

impl LyingRelay {
    /// A relay in front of `honest` that does not lie yet.
    #[must_use]
    pub fn before(honest: MemoryRelay) -> Self {
        let inner = Inner {
            honest,
            lie: Mutex::new(Arc::new(Honest)),
            heard: Mutex::default(),
            asked: Mutex::default(),
            sent: AtomicU64::new(0),
        };
        Self { inner: Arc::new(inner) }
    }

    /// From the next request on, this lie and no other.
    pub fn tell(&self, lie: impl Lie) {
        *self.inner.lie.lock().unwrap() = Arc::new(lie);
    }

    /// All that clients ever sent, one item for each connection.
    #[must_use]
    pub fn heard(&self) -> Vec<Heard> {
        self.inner.heard.lock().unwrap().clone()
    }

    /// The requests since the last call, as the clients meant them.
    #[must_use]
    pub fn take_asked(&self) -> Vec<Asked> {
        std::mem::take(&mut *self.inner.asked.lock().unwrap())
    }

    /// Bytes that clients took of answers, in all.
    #[must_use]
    pub fn sent(&self) -> u64 {
        self.inner.sent.load(Ordering::Relaxed)
    }
}

impl Host for LyingRelay {
    fn accept(&self, stream: DuplexStream) {
        let relay = self.clone();
        tokio::spawn(async move { relay.inner.serve(stream).await });
    }
}

impl Inner {
    async fn serve(&self, stream: DuplexStream) {
        let heard = Heard::default();
        self.heard.lock().unwrap().push(heard.clone());
        let (requests, mut answers) = split(stream);
        let mut requests = MessageReader::new(requests, Some(heard));
        while let Some(message) = requests.next().await {
            let Some(asked) = Asked::parse(&message) else { return };
            self.asked.lock().unwrap().push(asked.clone());
            let lie = Arc::clone(&*self.lie.lock().unwrap());
            let honest = self.ask_the_honest_relay(&lie.ask(&asked)).await;
            let answer = lie.answer(&asked, honest);
            if answer.status == 0 {
                // The honest relay ended the connection without an answer, and nobody made one up.
                if answer.after == After::Silence {
                    std::future::pending::<()>().await;
                }
                return;
            }
            if self.send(&mut answers, &answer).await.is_none() {
                return;
            }
        }
    }

    /// Each request over a stream of its own, so that none is refused for what another did.
    async fn ask_the_honest_relay(&self, asked: &Asked) -> Answer {
        let (ours, theirs) = duplex(64 * 1024);
        self.honest.accept(theirs);
        let Exchange { status, body, .. } = speak(ours, asked).await;
        Answer::new(status, body)
    }

    /// Sends an answer and does what is to follow it. `None` when the connection is over.
    async fn send<S: AsyncWrite + Unpin>(&self, stream: &mut S, answer: &Answer) -> Option<()> {
        self.write(stream, &answer.to_bytes()).await?;
        match answer.after {
            After::NextRequest => Some(()),
            After::End => {
                // Nothing to do about a peer that is gone already.
                let _ = stream.shutdown().await;
                None
            }
            After::Silence => std::future::pending().await,
            After::Endless(bytes) => loop {
                self.write(stream, bytes).await?;
            },
        }
    }

    async fn write<S: AsyncWrite + Unpin>(&self, stream: &mut S, bytes: &[u8]) -> Option<()> {
        let mut left = bytes;
        while !left.is_empty() {
            let written = stream.write(left).await.ok().filter(|written| *written > 0)?;
            self.sent.fetch_add(written as u64, Ordering::Relaxed);
            left = &left[written..];
        }
        Some(())
    }
}

impl std::fmt::Debug for LyingRelay {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("LyingRelay")
    }
}
