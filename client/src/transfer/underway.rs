//! Chunks that are on their way. One that takes far longer than others is sent by a second way: its lane may be dead without knowing it, and the
//! time that a request may take is minutes. The first one to arrive counts, and ends the others.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{sync::watch, time::Instant};

/// A chunk is late after so many times what others took …
const TIMES: u32 = 3;
/// … and this.
const AND: Duration = Duration::from_secs(10);
/// What a chunk is expected to take before any arrived.
const EXPECTED: Duration = Duration::from_secs(20);
/// Ways that a chunk is sent by, at most.
const MOST_WAYS: u32 = 3;

/// The chunks on their way; `C` is what is sent, or what it takes to ask for one.
#[derive(Debug)]
pub(super) struct Underway<C> {
    state: Mutex<State<C>>,
    /// Tells that one arrived or landed.
    changed: watch::Sender<()>,
}

#[derive(Debug)]
struct State<C> {
    out: BTreeMap<u32, Out<C>>,
    /// How many are being made.
    being_made: usize,
    /// Whether there may be others to make.
    more: bool,
    /// What chunks take, the latest counting most.
    usual: Option<Duration>,
}

#[derive(Debug)]
struct Out<C> {
    chunk: C,
    began: Instant,
    /// When it was last sent.
    sent: Instant,
    ways: u32,
    /// It is there, and is being put where it belongs.
    is_there: bool,
}

impl<C> Out<C> {
    fn is_late(&self, usual: Duration, now: Instant) -> bool {
        !self.is_there
            && self.ways < MOST_WAYS
            && now.saturating_duration_since(self.sent) > usual * TIMES + AND
    }
}

impl<C: Clone> Underway<C> {
    pub(super) fn new() -> Self {
        let state = State { out: BTreeMap::new(), being_made: 0, more: true, usual: None };
        Self { state: Mutex::new(state), changed: watch::Sender::new(()) }
    }

    /// Whether there may be another one; if so, it is being made until it is [made](Self::made).
    pub(super) fn make(&self) -> bool {
        let mut state = self.state();
        state.being_made += usize::from(state.more);
        state.more
    }

    /// It sets out, or there was none.
    pub(super) fn made(&self, chunk: Option<(u32, C)>, now: Instant) {
        let mut state = self.state();
        state.being_made -= 1;
        match chunk {
            Some((index, chunk)) => {
                let out = Out { chunk, began: now, sent: now, ways: 1, is_there: false };
                state.out.insert(index, out);
            }
            None => state.more = false,
        }
    }

    /// The one that is late for longest, to be sent by one more way.
    pub(super) fn send_again(&self, now: Instant) -> Option<(u32, C)> {
        let mut state = self.state();
        let usual = state.usual.unwrap_or(EXPECTED);
        let late = state.out.iter_mut().filter(|(_, out)| out.is_late(usual, now));
        let (index, out) = late.min_by_key(|(_, out)| out.sent)?;
        (out.sent, out.ways) = (now, out.ways + 1);
        Some((*index, out.chunk.clone()))
    }

    /// Waits until it has arrived by another way.
    pub(super) async fn is_there(&self, index: u32) {
        let mut changes = self.changes();
        while self.is_awaited(index) {
            // The sender is this structure's.
            let _ = changes.changed().await;
        }
    }

    /// Whether it is still to come.
    pub(super) fn is_awaited(&self, index: u32) -> bool {
        self.state().out.get(&index).is_some_and(|out| !out.is_there)
    }

    /// It is there. `false` if it was before: then nothing is to be done with this one.
    pub(super) fn arrives(&self, index: u32, now: Instant) -> bool {
        let mut state = self.state();
        let Some(out) = state.out.get_mut(&index).filter(|out| !out.is_there) else { return false };
        out.is_there = true;
        let took = now.saturating_duration_since(out.began);
        state.usual = Some(state.usual.map_or(took, |usual| (usual * 3 + took) / 4));
        drop(state);
        self.changed.send_replace(());
        true
    }

    /// All that was to be done with it is done.
    pub(super) fn lands(&self, index: u32) {
        self.state().out.remove(&index);
        self.changed.send_replace(());
    }

    /// Whether none is left, nor will be.
    pub(super) fn is_over(&self) -> bool {
        let state = self.state();
        !state.more && state.being_made == 0 && state.out.is_empty()
    }

    /// Hears of each that arrives or lands from now on.
    pub(super) fn changes(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    fn state(&self) -> MutexGuard<'_, State<C>> {
        // Nothing can panic while it is held.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;
    use std::pin::pin;

    fn sets_out<C: Clone>(underway: &Underway<C>, index: u32, chunk: C, now: Instant) {
        assert!(underway.make());
        underway.made(Some((index, chunk)), now);
    }

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_late_chunk_is_sent_by_other_ways_and_counts_once() {
        let (underway, start) = (Underway::new(), Instant::now());
        sets_out(&underway, 0, 'a', start);
        sets_out(&underway, 1, 'b', start);
        assert!(underway.arrives(1, start + SECOND));
        underway.lands(1);
        let late = start + SECOND * TIMES + AND;
        assert_eq!(underway.send_again(late), None);
        let late = late + SECOND;
        assert_eq!(underway.send_again(late), Some((0, 'a')));
        assert_eq!(underway.send_again(late), None, "its second way has time, too");
        assert_eq!(underway.send_again(late + AND * 2), Some((0, 'a')));
        assert_eq!(underway.send_again(late + AND * 9), None, "no more ways than three");
        assert!(underway.is_there(0).now_or_never().is_none());
        let mut other_way = pin!(underway.is_there(0));
        assert!(other_way.as_mut().now_or_never().is_none());
        assert!(underway.arrives(0, late));
        assert!(other_way.now_or_never().is_some(), "it hears of it");
        assert!(!underway.arrives(0, late), "the other way's");
        assert!(underway.make());
        underway.made(None, late);
        assert!(!underway.make());
        assert!(!underway.is_over(), "it is there, but not yet where it belongs");
        underway.lands(0);
        assert!(underway.is_over());
    }

    #[test]
    fn what_is_there_is_not_late_however_long_it_waits_for_its_turn() {
        let (underway, start) = (Underway::new(), Instant::now());
        sets_out(&underway, 0, (), start);
        assert!(underway.arrives(0, start + SECOND));
        assert_eq!(underway.send_again(start + AND * 100), None);
    }

    #[test]
    fn the_first_ones_have_time_too() {
        let (underway, start) = (Underway::new(), Instant::now());
        sets_out(&underway, 0, (), start);
        assert_eq!(underway.send_again(start + EXPECTED * TIMES), None);
        assert_eq!(underway.send_again(start + EXPECTED * TIMES + AND + SECOND), Some((0, ())));
    }

    #[test]
    fn one_that_is_being_made_keeps_it_from_being_over() {
        let (underway, now) = (Underway::new(), Instant::now());
        assert!(underway.make() && underway.make());
        underway.made(None, now);
        assert!(!underway.is_over());
        underway.made(Some((7, ())), now);
        assert!(!underway.is_over());
        assert!(underway.arrives(7, now));
        underway.lands(7);
        assert!(underway.is_over());
    }
}
