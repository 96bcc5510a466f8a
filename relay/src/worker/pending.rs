//! What waits for its second request, a login or a change of what opens an account: bounded in number and in time.

use std::{
    collections::{HashMap, VecDeque},
    hash::Hash,
    time::{Duration, Instant},
};

/// First halves, by the id under which the second half asks for them.
pub(crate) struct Pending<Id, First> {
    most: usize,
    time: Duration,
    halves: HashMap<Id, First>,
    /// Oldest first; may name halves that were taken already, but never more than `most` in all.
    order: VecDeque<(Instant, Id)>,
}

impl<Id: Copy + Eq + Hash, First> Pending<Id, First> {
    /// At most `most` of them (at least one), each for `time`.
    pub(crate) fn new(most: usize, time: Duration) -> Self {
        Self { most: most.max(1), time, halves: HashMap::new(), order: VecDeque::new() }
    }

    /// Keeps a first half, in place of the oldest if there is no room.
    pub(crate) fn insert(&mut self, id: Id, half: First, now: Instant) {
        self.forget_old(now);
        while self.order.len() >= self.most {
            self.forget_first();
        }
        self.order.push_back((now, id));
        self.halves.insert(id, half);
    }

    /// Keeps a first half of somebody who has at most `most` of them (at least one), in place of their own oldest if they
    /// have as many: so nobody's take the place of others'.
    pub(crate) fn insert_own(
        &mut self,
        id: Id,
        half: First,
        now: Instant,
        most: usize,
        is_own: impl Fn(&First) -> bool,
    ) {
        self.forget_old(now);
        let own: Vec<Id> = self
            .order
            .iter()
            .map(|(_, id)| *id)
            .filter(|id| self.halves.get(id).is_some_and(&is_own))
            .collect();
        let superfluous = (own.len() + 1).saturating_sub(most.max(1));
        for oldest in own.into_iter().take(superfluous) {
            self.halves.remove(&oldest);
            // Its place in the order, too, or it would be paid with that of another one.
            self.order.retain(|(_, id)| *id != oldest);
        }
        self.insert(id, half, now);
    }

    /// Takes a first half: there is no second try.
    pub(crate) fn take(&mut self, id: &Id, now: Instant) -> Option<First> {
        self.forget_old(now);
        self.halves.remove(id)
    }

    /// A first half whose second one may be repeated.
    pub(crate) fn get(&mut self, id: &Id, now: Instant) -> Option<&First> {
        self.forget_old(now);
        self.halves.get(id)
    }

    fn forget_old(&mut self, now: Instant) {
        while self.order.front().is_some_and(|(since, _)| now.duration_since(*since) >= self.time) {
            self.forget_first();
        }
    }

    fn forget_first(&mut self) {
        if let Some((_, id)) = self.order.pop_front() {
            self.halves.remove(&id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nightdrop_wire::ids::LoginId;

    fn id(n: u8) -> LoginId {
        LoginId::from_bytes([n; 16])
    }

    fn logins() -> Pending<LoginId, u8> {
        Pending::new(2, Duration::from_secs(120))
    }

    #[test]
    fn a_login_is_taken_once() {
        let (mut logins, now) = (logins(), Instant::now());
        logins.insert(id(1), 1, now);
        assert_eq!(logins.take(&id(2), now), None);
        assert_eq!(logins.get(&id(1), now), Some(&1));
        assert_eq!(logins.take(&id(1), now), Some(1));
        assert_eq!(logins.take(&id(1), now), None);
        assert_eq!(logins.get(&id(1), now), None);
    }

    #[test]
    fn the_oldest_makes_room() {
        let (mut logins, now) = (logins(), Instant::now());
        for n in 1..=3 {
            logins.insert(id(n), n, now);
        }
        assert_eq!(logins.take(&id(1), now), None);
        assert_eq!(logins.take(&id(2), now), Some(2));
        assert_eq!(logins.take(&id(3), now), Some(3));
    }

    #[test]
    fn what_is_taken_does_not_stay_in_the_order_for_good() {
        let (mut logins, now) = (logins(), Instant::now());
        for n in 0..100 {
            logins.insert(id(n), n, now);
            assert_eq!(logins.take(&id(n), now), Some(n));
        }
        assert!(logins.order.len() <= 2 && logins.halves.is_empty());
    }

    #[test]
    fn who_begins_many_changes_takes_the_place_of_nobody_else() {
        let now = Instant::now();
        // By whom each is.
        let mut changes: Pending<LoginId, &str> = Pending::new(8, Duration::from_secs(120));
        changes.insert_own(id(0), "another", now, 4, |by| *by == "another");
        for n in 1..=100 {
            changes.insert_own(id(n), "one", now, 4, |by| *by == "one");
        }
        assert_eq!(changes.get(&id(0), now), Some(&"another"));
        let left: Vec<u8> = (1..=100).filter(|n| changes.get(&id(*n), now).is_some()).collect();
        assert_eq!(left, [97, 98, 99, 100], "the oldest of the same one made room");
        assert_eq!(changes.order.len(), 5);
    }

    #[test]
    fn a_login_ends_with_its_time() {
        let (mut logins, now) = (logins(), Instant::now());
        logins.insert(id(1), 1, now);
        logins.insert(id(2), 2, now + Duration::from_secs(1));
        let later = now + Duration::from_secs(120);
        assert_eq!(logins.take(&id(1), later), None);
        assert_eq!(logins.take(&id(2), later), Some(2));
    }
}
