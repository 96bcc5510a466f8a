//! The places that streams take, and who gets one when there is none left.
//!
//! Strangers may open as many circuits as they like and hold what they open, so places are not first come, first
//! served. A stream that finds none
//! 1. takes that of the quietest stream of the circuit that holds the most, if that one holds more than it needs and its
//!    own circuit stays below it. What a circuit needs is `streams_undisturbed` against one that has a stream already, and
//!    a single stream against one that has none;
//! 2. else takes that of the quietest stream of all that has been quiet for `stream_quiet`, if that one's circuit holds
//!    no less than its own;
//! 3. else is refused.
//!
//! So whoever holds every place holds them by one stream a circuit, each of which says something all the time.

use super::activity::Activity;
use crate::settings::RelayLimits;
use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::sync::Notify;

/// All places. `C` names circuits.
#[derive(Debug)]
pub(crate) struct Places<C: Eq + Hash> {
    most: usize,
    undisturbed: usize,
    quiet: Duration,
    held: Mutex<Held<C>>,
}

#[derive(Debug)]
struct Held<C> {
    streams: HashMap<u64, Holder<C>>,
    /// How many of them a circuit holds.
    circuits: HashMap<C, usize>,
    next: u64,
}

#[derive(Debug)]
struct Holder<C> {
    circuit: C,
    activity: Arc<Activity>,
    wanted: Arc<Notify>,
}

/// A stream's place, until this is dropped or another takes it.
#[derive(Debug)]
pub(crate) struct Place<C: Copy + Eq + Hash> {
    places: Arc<Places<C>>,
    number: u64,
    activity: Arc<Activity>,
    wanted: Arc<Notify>,
}

impl<C: Copy + Eq + Hash> Places<C> {
    pub(crate) fn new(limits: &RelayLimits) -> Arc<Self> {
        let held = Held { streams: HashMap::new(), circuits: HashMap::new(), next: 0 };
        Arc::new(Self {
            most: limits.streams,
            undisturbed: limits.streams_undisturbed,
            quiet: limits.stream_quiet,
            held: Mutex::new(held),
        })
    }

    /// A place for one more stream of `circuit`, if there is one or another has to give way.
    pub(crate) fn take(self: &Arc<Self>, circuit: C) -> Option<Place<C>> {
        let mut held = self.held();
        if held.streams.len() >= self.most {
            let out = self.who_gives_way(&held, circuit)?;
            if let Some(holder) = held.remove(out) {
                holder.wanted.notify_one();
            }
        }
        let (activity, wanted) = (Arc::new(Activity::begin()), Arc::new(Notify::new()));
        let number = held.next;
        held.next = held.next.wrapping_add(1);
        *held.circuits.entry(circuit).or_default() += 1;
        let holder = Holder { circuit, activity: Arc::clone(&activity), wanted: Arc::clone(&wanted) };
        held.streams.insert(number, holder);
        drop(held);
        Some(Place { places: Arc::clone(self), number, activity, wanted })
    }

    fn who_gives_way(&self, held: &Held<C>, newcomer: C) -> Option<u64> {
        let own = held.of(newcomer);
        let greatest = held.circuits.values().copied().max()?;
        // Else circuits of few streams each, kept busy, would hold all places against whoever comes later.
        let needed = if own == 0 { 1 } else { self.undisturbed };
        if greatest > needed && greatest > own.saturating_add(1) {
            let (number, _) = held.quietest(|holder| held.of(holder.circuit) == greatest)?;
            return Some(number);
        }
        let (number, quiet) = held.quietest(|holder| held.of(holder.circuit) >= own)?;
        (quiet >= self.quiet).then_some(number)
    }

    /// Nothing can panic while it is held.
    fn held(&self) -> MutexGuard<'_, Held<C>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<C: Copy + Eq + Hash> Held<C> {
    fn of(&self, circuit: C) -> usize {
        self.circuits.get(&circuit).copied().unwrap_or(0)
    }

    fn quietest(&self, which: impl Fn(&Holder<C>) -> bool) -> Option<(u64, Duration)> {
        let candidates = self.streams.iter().filter(|(_, holder)| which(holder));
        candidates.map(|(number, holder)| (*number, holder.activity.quiet())).max_by_key(|(_, quiet)| *quiet)
    }

    fn remove(&mut self, number: u64) -> Option<Holder<C>> {
        let holder = self.streams.remove(&number)?;
        let left = self.of(holder.circuit).saturating_sub(1);
        if left == 0 {
            self.circuits.remove(&holder.circuit);
        } else {
            self.circuits.insert(holder.circuit, left);
        }
        Some(holder)
    }
}

impl<C: Copy + Eq + Hash> Place<C> {
    /// What is known of the stream's activity.
    pub(crate) fn activity(&self) -> &Activity {
        &self.activity
    }

    /// Returns once the place belongs to another.
    pub(crate) async fn given_away(&self) {
        self.wanted.notified().await;
    }
}

impl<C: Copy + Eq + Hash> Drop for Place<C> {
    fn drop(&mut self) {
        // Nothing is there any more if another took it.
        self.places.held().remove(self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;
    use tokio::time::sleep;

    const QUIET: Duration = Duration::from_secs(20);

    fn places(most: usize, undisturbed: usize) -> Arc<Places<char>> {
        Places::new(&RelayLimits {
            streams: most,
            streams_undisturbed: undisturbed,
            stream_quiet: QUIET,
            ..RelayLimits::default()
        })
    }

    fn gave_way(place: &Place<char>) -> bool {
        place.given_away().now_or_never().is_some()
    }

    fn take(places: &Arc<Places<char>>, circuit: char, count: usize) -> Vec<Place<char>> {
        (0..count).map(|_| places.take(circuit).unwrap()).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn a_place_that_is_given_back_is_free() {
        let places = places(2, usize::MAX);
        let (kept, given_back) = (places.take('a').unwrap(), places.take('b').unwrap());
        assert!(places.take('c').is_none(), "nobody gives way");
        drop(given_back);
        assert!(places.take('c').is_some());
        assert!(!gave_way(&kept));
    }

    /// No circuit holds more than is left undisturbed, and every stream is used all the time.
    #[tokio::test(start_paused = true)]
    async fn busy_circuits_of_few_streams_keep_no_other_circuit_out() {
        let places = places(8, 4);
        let _held = [take(&places, 'a', 4), take(&places, 'b', 4)];
        let newcomers: Vec<_> = ('c'..='z').map_while(|circuit| places.take(circuit)).collect();
        assert_eq!(newcomers.len(), 6, "until each circuit has one");
        assert!(newcomers.iter().all(|place| !gave_way(place)), "nobody loses the only one");
        assert!(places.held().circuits.values().all(|count| *count == 1));
        assert!(places.take('c').is_none(), "whoever has one takes none of another's few");
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_has_a_stream_takes_none_of_a_circuit_of_few() {
        let places = places(4, 4);
        let (_few, _own) = (take(&places, 'a', 3), places.take('b').unwrap());
        assert!(places.take('b').is_none());
        assert!(places.take('c').is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn the_greediest_circuit_gives_way_with_its_quietest_stream() {
        let places = places(10, 2);
        let (greedy, modest) = (take(&places, 'a', 8), take(&places, 'b', 2));
        sleep(Duration::from_secs(1)).await;
        for place in greedy.iter().skip(1).chain(&modest) {
            place.activity().touch();
        }
        let newcomer = places.take('c').unwrap();
        assert!(gave_way(&greedy[0]), "the one that was quiet");
        assert!(greedy.iter().skip(1).chain(&modest).all(|place| !gave_way(place)));
        drop(greedy);
        drop(newcomer);
        assert_eq!(places.held().streams.len(), 2, "no place is counted twice");
        assert_eq!(places.held().circuits.len(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn many_circuits_share_alike_and_none_takes_more_than_another_has() {
        let places = places(8, 2);
        let _first = take(&places, 'a', 4);
        let _second = take(&places, 'b', 4);
        let third: Vec<_> = (0..10).map_while(|_| places.take('c')).collect();
        assert_eq!(third.len(), 2, "three circuits, eight places");
        assert!(places.take('d').is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn when_all_hold_little_only_who_is_quiet_gives_way() {
        let places = places(2, 2);
        let (quiet, busy) = (places.take('a').unwrap(), places.take('b').unwrap());
        assert!(places.take('c').is_none());
        sleep(QUIET).await;
        busy.activity().touch();
        let newcomer = places.take('c').unwrap();
        assert!(gave_way(&quiet) && !gave_way(&busy));
        sleep(QUIET).await;
        busy.activity().touch();
        newcomer.activity().touch();
        assert!(places.take('d').is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn a_greedy_circuit_takes_no_quiet_place_of_a_modest_one() {
        let places = places(4, 4);
        let modest = places.take('a').unwrap();
        let _greedy = take(&places, 'b', 3);
        sleep(QUIET * 2).await;
        let newcomer = places.take('b').unwrap();
        assert!(!gave_way(&modest), "its own gave way");
        drop(newcomer);
    }
}
