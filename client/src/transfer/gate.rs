//! Lets the streams of a transfer through as its pace allows: so many lanes, and so many chunks on their way.

use super::pace::Pace;
use tokio::sync::watch;

/// What may be taken, and what is.
#[derive(Debug)]
pub(super) struct Gate(watch::Sender<Counts>);

#[derive(Debug)]
struct Counts {
    pace: Pace,
    lanes: usize,
    chunks: usize,
}

/// A chunk may be on its way as long as this exists.
#[derive(Debug)]
pub(super) struct Place<'g>(&'g Gate);

impl Gate {
    pub(super) fn new(pace: Pace) -> Self {
        Self(watch::Sender::new(Counts { pace, lanes: 0, chunks: 0 }))
    }

    /// From now on so many; what is more is not taken back.
    pub(super) fn set(&self, pace: Pace) {
        self.0.send_if_modified(|counts| {
            let changes = counts.pace != pace;
            counts.pace = pace;
            changes
        });
    }

    /// Lanes that were let through.
    pub(super) fn lanes(&self) -> usize {
        self.0.borrow().lanes
    }

    /// Waits until one more lane is worth its circuit.
    pub(super) async fn lane(&self) {
        self.take(|counts| {
            let free = counts.lanes < counts.pace.lanes;
            counts.lanes += usize::from(free);
            free
        })
        .await;
    }

    /// Waits for a chunk's place.
    pub(super) async fn place(&self) -> Place<'_> {
        self.take(|counts| {
            let free = counts.chunks < counts.pace.chunks;
            counts.chunks += usize::from(free);
            free
        })
        .await;
        Place(self)
    }

    /// Waits until `take` says that there was something to take.
    async fn take(&self, mut take: impl FnMut(&mut Counts) -> bool) {
        let mut changes = self.0.subscribe();
        while !self.0.send_if_modified(&mut take) {
            // The sender is this gate's.
            let _ = changes.changed().await;
        }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.0.send_modify(|counts| counts.chunks -= 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;

    #[test]
    fn no_more_than_the_pace_pass_and_a_free_place_goes_to_who_waits() {
        let gate = Gate::new(Pace { lanes: 1, chunks: 2 });
        assert!(gate.lane().now_or_never().is_some());
        assert!(gate.lane().now_or_never().is_none());
        let first = gate.place().now_or_never().unwrap();
        let _second = gate.place().now_or_never().unwrap();
        let mut waiting = Box::pin(gate.place());
        assert!(waiting.as_mut().now_or_never().is_none());
        drop(first);
        let _third = waiting.now_or_never().unwrap();

        gate.set(Pace { lanes: 2, chunks: 1 });
        assert!(gate.lane().now_or_never().is_some());
        assert!(gate.place().now_or_never().is_none());
        assert_eq!(gate.lanes(), 2);
    }
}
