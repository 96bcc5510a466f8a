//! Logins between their two requests: bounded in number and in time, each good for one try.

use nightdrop_login::server::PendingLogin;
use nightdrop_wire::ids::LoginId;
use std::{
    collections::{HashMap, VecDeque},
    time::{Duration, Instant},
};

/// The logins under way.
pub(crate) struct PendingLogins<L = PendingLogin> {
    most: usize,
    time: Duration,
    logins: HashMap<LoginId, L>,
    /// Oldest first; may name logins that were taken already, but never more than `most` in all.
    order: VecDeque<(Instant, LoginId)>,
}

impl<L> PendingLogins<L> {
    /// At most `most` logins (at least one), each for `time`.
    pub(crate) fn new(most: usize, time: Duration) -> Self {
        Self { most: most.max(1), time, logins: HashMap::new(), order: VecDeque::new() }
    }

    /// Keeps a login, in place of the oldest if there is no room.
    pub(crate) fn insert(&mut self, id: LoginId, login: L, now: Instant) {
        self.forget_old(now);
        while self.order.len() >= self.most {
            self.forget_first();
        }
        self.order.push_back((now, id));
        self.logins.insert(id, login);
    }

    /// Takes a login: there is no second try.
    pub(crate) fn take(&mut self, id: &LoginId, now: Instant) -> Option<L> {
        self.forget_old(now);
        self.logins.remove(id)
    }

    fn forget_old(&mut self, now: Instant) {
        while self.order.front().is_some_and(|(since, _)| now.duration_since(*since) >= self.time) {
            self.forget_first();
        }
    }

    fn forget_first(&mut self) {
        if let Some((_, id)) = self.order.pop_front() {
            self.logins.remove(&id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(n: u8) -> LoginId {
        LoginId::from_bytes([n; 16])
    }

    fn logins() -> PendingLogins<u8> {
        PendingLogins::new(2, Duration::from_secs(120))
    }

    #[test]
    fn a_login_is_taken_once() {
        let (mut logins, now) = (logins(), Instant::now());
        logins.insert(id(1), 1, now);
        assert_eq!(logins.take(&id(2), now), None);
        assert_eq!(logins.take(&id(1), now), Some(1));
        assert_eq!(logins.take(&id(1), now), None);
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
        assert!(logins.order.len() <= 2 && logins.logins.is_empty());
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
