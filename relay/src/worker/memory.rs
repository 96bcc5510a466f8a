//! A budget of bytes: whoever is to hold many at once takes its share first, and gives it back by dropping it.
//!
//! A share that is held for a peer is watched: when somebody else waits for memory, the slowest of those peers is ended,
//! if it is slower than `pressed_pace`. So a full budget is one that moves.

use super::{limits::HttpLimits, peer::Peer};
use bytes::Bytes;
use std::{
    collections::HashMap,
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, timeout_at},
};

/// Bytes are counted in units of a kibibyte, so that the semaphore's 32-bit counts suffice.
const UNIT: usize = 1024;

/// Bytes that may be held at once.
#[derive(Debug, Clone)]
pub(crate) struct Budget {
    units: Arc<Semaphore>,
    watched: Arc<Mutex<Watched>>,
    limits: HttpLimits,
}

/// A share of a budget.
#[derive(Debug)]
pub(crate) struct Share {
    /// `None` for nothing.
    permit: Option<OwnedSemaphorePermit>,
    watched: Arc<Mutex<Watched>>,
    /// Its number among those that are watched.
    watch: Option<u64>,
}

/// Shares that are held for a peer who sends or takes bytes.
#[derive(Debug, Default)]
struct Watched {
    next: u64,
    shares: HashMap<u64, Watch>,
}

#[derive(Debug)]
struct Watch {
    peer: Peer,
    since: Instant,
    moved_before: u64,
}

impl Budget {
    /// A budget of `bytes`; whoever asks for a share waits for `memory_wait` at most.
    pub(crate) fn new(bytes: usize, limits: &HttpLimits) -> Self {
        Self {
            units: Arc::new(Semaphore::new((bytes / UNIT).min(Semaphore::MAX_PERMITS))),
            watched: Arc::default(),
            limits: *limits,
        }
    }

    /// A share for `bytes`; `None` if none came free in time.
    pub(crate) async fn share(&self, bytes: usize) -> Option<Share> {
        let units = u32::try_from(bytes.div_ceil(UNIT)).ok()?;
        let permit = if units == 0 { None } else { Some(self.permit(units).await?) };
        Some(Share { permit, watched: Arc::clone(&self.watched), watch: None })
    }

    async fn permit(&self, units: u32) -> Option<OwnedSemaphorePermit> {
        let mut permit = pin!(Arc::clone(&self.units).acquire_many_owned(units));
        let mut look = Instant::now();
        let deadline = look + self.limits.memory_wait;
        loop {
            if let Ok(permit) = timeout_at(look.min(deadline), permit.as_mut()).await {
                return permit.ok();
            }
            if look >= deadline {
                return None;
            }
            self.end_slowest();
            look = Instant::now() + self.limits.pressed_pause;
        }
    }

    fn end_slowest(&self) {
        let mut watched = locked(&self.watched);
        let now = Instant::now();
        let paces =
            watched.shares.iter().filter_map(|(number, watch)| Some((*number, self.pace(watch, now)?)));
        let slowest = paces.min_by_key(|(_, pace)| *pace);
        if let Some((number, pace)) = slowest
            && pace < self.limits.pressed_pace
            && let Some(watch) = watched.shares.remove(&number)
        {
            watch.peer.end();
        }
    }

    /// Bytes in a second, once they can be judged.
    fn pace(&self, watch: &Watch, now: Instant) -> Option<u64> {
        let held = now.duration_since(watch.since);
        if held < self.limits.pressed_after {
            return None;
        }
        let milliseconds = u64::try_from(held.as_millis()).unwrap_or(u64::MAX).max(1);
        let moved = watch.peer.bytes_moved().saturating_sub(watch.moved_before);
        Some(moved.saturating_mul(1_000) / milliseconds)
    }
}

impl Share {
    /// From here on it is held for a peer, which moves bytes or gives way.
    pub(crate) fn watch(&mut self, peer: &Peer) {
        self.unwatch();
        if self.permit.is_none() {
            return;
        }
        let mut watched = locked(&self.watched);
        let number = watched.next;
        watched.next = watched.next.wrapping_add(1);
        let watch = Watch { peer: peer.clone(), since: Instant::now(), moved_before: peer.bytes_moved() };
        watched.shares.insert(number, watch);
        self.watch = Some(number);
    }

    /// From here on it is not the peer who is waited for.
    pub(crate) fn unwatch(&mut self) {
        if let Some(number) = self.watch.take() {
            locked(&self.watched).shares.remove(&number);
        }
    }

    /// Gives back what is more than `bytes`.
    pub(crate) fn shrink_to(&mut self, bytes: usize) {
        let Some(permit) = &mut self.permit else { return };
        let superfluous = permit.num_permits().saturating_sub(bytes.div_ceil(UNIT));
        drop(permit.split(superfluous));
    }

    /// Bytes that give the share back when the last copy of them is gone, wherever a connection keeps it. They are for
    /// `peer` to take.
    pub(crate) fn hold(mut self, bytes: Bytes, peer: &Peer) -> Bytes {
        if self.permit.is_none() {
            return bytes;
        }
        self.watch(peer);
        Bytes::from_owner(Held { bytes, _share: self })
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.unwatch();
    }
}

struct Held {
    bytes: Bytes,
    _share: Share,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// Nothing can panic while it is held.
fn locked(watched: &Mutex<Watched>) -> MutexGuard<'_, Watched> {
    watched.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;
    use std::time::Duration;
    use tokio::time::sleep;

    fn limits() -> HttpLimits {
        HttpLimits {
            memory_wait: Duration::from_secs(30),
            pressed_pace: 100,
            pressed_after: Duration::from_secs(10),
            pressed_pause: Duration::from_secs(1),
            ..HttpLimits::default()
        }
    }

    fn budget() -> Budget {
        Budget::new(4 * UNIT, &limits())
    }

    #[tokio::test(start_paused = true)]
    async fn a_share_is_refused_until_another_is_given_back() {
        let budget = budget();
        let first = budget.share(3 * UNIT).await.unwrap();
        let start = Instant::now();
        assert!(budget.share(2 * UNIT).await.is_none());
        assert!(start.elapsed() >= limits().memory_wait);
        drop(first);
        assert!(budget.share(2 * UNIT).await.is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn held_bytes_keep_their_share_until_the_last_copy_is_gone() {
        let budget = budget();
        let mut share = budget.share(4 * UNIT).await.unwrap();
        share.shrink_to(3);
        assert_eq!(budget.units.available_permits(), 3);
        let bytes = share.hold(Bytes::from_static(b"abc"), &Peer::default());
        let copy = bytes.slice(1..);
        drop(bytes);
        assert_eq!((budget.units.available_permits(), copy.as_ref()), (3, b"bc".as_slice()));
        drop(copy);
        assert_eq!(budget.units.available_permits(), 4);
        assert!(locked(&budget.watched).shares.is_empty());
    }

    /// A peer that holds a share and moves `pace` bytes a second until it is ended.
    fn holder(budget: &Budget, pace: usize) -> tokio::task::JoinHandle<Duration> {
        let mut share = budget.share(2 * UNIT).now_or_never().unwrap().unwrap();
        tokio::spawn(async move {
            let (peer, start) = (Peer::default(), Instant::now());
            share.watch(&peer);
            let moving = async {
                loop {
                    sleep(Duration::from_secs(1)).await;
                    peer.moved(pace);
                }
            };
            tokio::select! {
                () = moving => {}
                () = peer.ended() => {}
            }
            start.elapsed()
        })
    }

    #[tokio::test(start_paused = true)]
    async fn the_slowest_gives_way_to_who_waits_and_nobody_else_does() {
        let budget = budget();
        let (slow, slower) = (holder(&budget, 50), holder(&budget, 40));
        sleep(Duration::from_secs(100)).await;
        assert!(!slow.is_finished() && !slower.is_finished(), "nobody waits");
        assert!(budget.share(2 * UNIT).await.is_some());
        assert_eq!((slow.is_finished(), slower.is_finished()), (false, true));
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_fast_enough_or_has_just_begun_gives_no_way() {
        let budget = budget();
        let (_fast, begun) = (holder(&budget, 200), holder(&budget, 0));
        let share = budget.share(UNIT).await;
        assert!(share.is_some());
        let held = begun.await.unwrap();
        assert!(held >= limits().pressed_after && held <= limits().pressed_after * 2, "{held:?}");
        let _begun = budget.share(UNIT).await.unwrap();
        assert!(budget.share(UNIT).await.is_none(), "the fast one and those that wait for no peer stay");
    }
}
