//! What is known of the other end of a connection: where it stands between its requests, and how fast it is.
//!
//! Shared by the stream, by what answers on it, and by the budgets of memory, which may end it.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};
use tokio::sync::Notify;

/// The peer of one connection. Clones are the same peer.
#[derive(Debug, Clone, Default)]
pub(crate) struct Peer(Arc<Known>);

#[derive(Debug, Default)]
struct Known {
    /// Beginnings and ends of requests, so it is even between two of them.
    turns: AtomicU64,
    /// Bytes that came and bytes that were taken.
    moved: AtomicU64,
    end: Notify,
}

impl Peer {
    /// A request's head is complete.
    pub(crate) fn request_began(&self) {
        self.0.turns.fetch_add(1, Ordering::Relaxed);
    }

    /// A request's answer is known.
    pub(crate) fn request_ended(&self) {
        self.0.turns.fetch_add(1, Ordering::Relaxed);
    }

    /// The number of the gap between two requests, if the connection is in one.
    pub(crate) fn gap(&self) -> Option<u64> {
        let turns = self.0.turns.load(Ordering::Relaxed);
        turns.is_multiple_of(2).then_some(turns)
    }

    /// So many bytes came or were taken.
    pub(crate) fn moved(&self, bytes: usize) {
        self.0.moved.fetch_add(u64::try_from(bytes).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// Bytes so far.
    pub(crate) fn bytes_moved(&self) -> u64 {
        self.0.moved.load(Ordering::Relaxed)
    }

    /// Ends its connection: what it holds is wanted by others.
    pub(crate) fn end(&self) {
        self.0.end.notify_one();
    }

    /// Returns once the connection is to end.
    pub(crate) async fn ended(&self) {
        self.0.end.notified().await;
    }
}
