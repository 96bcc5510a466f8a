//! When something last moved on a stream, in either direction.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::time::{Instant, sleep_until};

/// A stream's activity, from when its client asked for it.
#[derive(Debug)]
pub(crate) struct Activity {
    begun: Instant,
    /// `None` until the first byte.
    moved: Mutex<Option<Instant>>,
}

impl Activity {
    pub(crate) fn begin() -> Self {
        Self { begun: Instant::now(), moved: Mutex::new(None) }
    }

    /// Something moved.
    pub(crate) fn touch(&self) {
        *self.moved() = Some(Instant::now());
    }

    /// For how long nothing has moved.
    pub(crate) fn quiet(&self) -> Duration {
        self.moved().unwrap_or(self.begun).elapsed()
    }

    /// Returns once nothing has come within `first` of the beginning, or nothing has moved for `limit` after that.
    pub(crate) async fn idle(&self, first: Duration, limit: Duration) {
        loop {
            let moved = *self.moved();
            let deadline = moved.map_or(self.begun + first, |moved| moved + limit);
            if deadline <= Instant::now() {
                return;
            }
            // Nothing wakes this when the first byte comes: it looks again when that would have been due.
            sleep_until(deadline).await;
        }
    }

    /// Nothing can panic while it is held, and an instant is right whoever wrote it.
    fn moved(&self) -> MutexGuard<'_, Option<Instant>> {
        self.moved.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
