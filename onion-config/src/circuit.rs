//! A client's circuit at the service: which one a stream came by, and for how long a circuit without streams is kept.
//!
//! Whoever knows the relay's address may build circuits to it, and each takes a place here. So one that carries nothing
//! is given up; a client that comes back builds another.

use futures::{Stream, StreamExt, stream::unfold};
use std::{
    future::pending,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::time::{Instant, sleep, sleep_until};

/// One circuit of one client, as long as it stands. Says nothing of whose it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Circuit(pub(crate) usize);

/// A stream of a circuit, which is in use while this exists.
#[derive(Debug)]
pub(crate) struct OpenStream(Arc<Mutex<Use>>);

/// How much a circuit is used.
#[derive(Debug)]
struct Use {
    streams: usize,
    /// When there last was a stream.
    since: Instant,
}

/// The requests of a circuit for as long as it is used: ends, and so drops them, when no stream was open for `limit`.
pub(crate) fn until_unused<R>(
    requests: impl Stream<Item = R> + Unpin,
    limit: Duration,
) -> impl Stream<Item = (R, OpenStream)> {
    let used = Arc::new(Mutex::new(Use { streams: 0, since: Instant::now() }));
    unfold((requests, used), move |(mut requests, used)| async move {
        let request = tokio::select! {
            request = requests.next() => request?,
            () = unused_for(&used, limit) => return None,
        };
        let open = OpenStream::begin(&used);
        Some(((request, open), (requests, used)))
    })
}

async fn unused_for(used: &Mutex<Use>, limit: Duration) {
    loop {
        let (streams, since) = {
            let used = locked(used);
            (used.streams, used.since)
        };
        match since.checked_add(limit) {
            None => return pending().await,
            // Whenever the last of them ends, this looks again before the time is over.
            Some(_) if streams > 0 => sleep(limit).await,
            Some(end) if end <= Instant::now() => return,
            Some(end) => sleep_until(end).await,
        }
    }
}

impl OpenStream {
    fn begin(used: &Arc<Mutex<Use>>) -> Self {
        locked(used).streams += 1;
        Self(Arc::clone(used))
    }
}

impl Drop for OpenStream {
    fn drop(&mut self) {
        let mut used = locked(&self.0);
        used.streams = used.streams.saturating_sub(1);
        used.since = Instant::now();
    }
}

/// Nothing can panic while it is held, and its numbers are right whoever wrote them.
fn locked(used: &Mutex<Use>) -> MutexGuard<'_, Use> {
    used.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::{FutureExt, channel::mpsc};
    use std::pin::pin;

    const LIMIT: Duration = Duration::from_secs(120);

    #[tokio::test(start_paused = true)]
    async fn a_circuit_that_is_used_stays_and_one_that_is_not_is_dropped() {
        let (mut client, requests) = mpsc::unbounded();
        let mut streams = pin!(until_unused(requests, LIMIT));
        client.start_send(1).unwrap();
        let (_, first) = streams.next().await.unwrap();
        client.start_send(2).unwrap();
        let (_, second) = streams.next().await.unwrap();
        drop(first);
        assert!(tokio::time::timeout(LIMIT * 10, streams.next()).await.is_err(), "a stream is open");
        drop(second);
        assert!(tokio::time::timeout(LIMIT / 2, streams.next()).await.is_err(), "its time is not over");
        client.start_send(3).unwrap();
        let (third, open) = streams.next().await.unwrap();
        assert_eq!(third, 3);
        drop(open);
        let ended = Instant::now();
        assert!(streams.next().await.is_none());
        assert!(ended.elapsed() >= LIMIT && ended.elapsed() < LIMIT * 2);
        assert!(client.start_send(4).is_err(), "Arti's half is gone, and with it the circuit");
    }

    #[tokio::test(start_paused = true)]
    async fn a_circuit_that_never_carries_a_stream_is_dropped_too() {
        let (client, requests) = mpsc::unbounded::<()>();
        let mut streams = pin!(until_unused(requests, LIMIT));
        assert!(streams.next().now_or_never().is_none());
        assert!(streams.next().await.is_none());
        assert!(client.is_closed());
    }
}
