//! When the agent has idled for too long.
//!
//! Time is that since the machine was started, asleep or not: a laptop that wakes up after the limit finds the account locked.

use crate::duration;
use nix::time::{ClockId, clock_gettime};
use std::{sync::Arc, time::Duration};

/// Tells the time; a parameter, so that tests need not wait.
pub type Clock = Arc<dyn Fn() -> Duration + Send + Sync>;

/// The time since the machine was started.
#[must_use]
pub fn since_boot() -> Clock {
    // A system without this clock would be no Linux; without a time the agent takes itself for idle, and locks.
    Arc::new(|| clock_gettime(ClockId::CLOCK_BOOTTIME).map_or(Duration::MAX, Duration::from))
}

/// After how long without a command the account is locked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IdleLimit(Option<Duration>);

impl IdleLimit {
    /// After this long.
    #[must_use]
    pub const fn after(limit: Duration) -> Self {
        Self(Some(limit))
    }

    /// How long; `None` is never.
    #[must_use]
    pub const fn duration(self) -> Option<Duration> {
        self.0
    }
}

impl std::str::FromStr for IdleLimit {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const EXPECTED: &str = "a number with s, m, h or d is expected, as in 15m; or never";
        if text == "never" {
            return Ok(Self(None));
        }
        duration::parse(text).map(|limit| Self(Some(limit))).ok_or(EXPECTED)
    }
}

impl std::fmt::Display for IdleLimit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            None => f.write_str("never"),
            Some(limit) => write!(f, "{}s", limit.as_secs()),
        }
    }
}

/// How long the agent has idled.
#[derive(Debug)]
pub(super) struct Idle {
    limit: IdleLimit,
    running: u32,
    last_used: Duration,
    /// For how long something that moved is taken for moving.
    moving: Duration,
    going_on: GoingOn,
}

/// What the agent does with uploads by itself.
#[derive(Debug, Clone, Copy)]
enum GoingOn {
    /// Nothing.
    No,
    /// It tries to.
    Tries,
    /// It does: something moved then.
    Moves(Duration),
}

impl Idle {
    /// Since now.
    pub(super) const fn new(limit: IdleLimit, moving: Duration, now: Duration) -> Self {
        Self { limit, running: 0, last_used: now, moving, going_on: GoingOn::No }
    }

    /// A command begins.
    pub(super) const fn begin(&mut self) {
        self.running += 1;
    }

    /// A command ended.
    pub(super) const fn end(&mut self, now: Duration) {
        self.running -= 1;
        self.last_used = now;
    }

    /// Commands that run.
    pub(super) const fn running(&self) -> u32 {
        self.running
    }

    /// How long until it is too long; `None` if it cannot be.
    pub(super) fn left(&self, now: Duration) -> Option<Duration> {
        let limit = self.limit.0.filter(|_| self.running == 0)?;
        let unused = limit.saturating_sub(now.saturating_sub(self.last_used));
        let moves = match self.going_on {
            GoingOn::Moves(last) => self.moving.saturating_sub(now.saturating_sub(last)),
            GoingOn::No | GoingOn::Tries => Duration::ZERO,
        };
        Some(unused.max(moves))
    }

    /// Whether it is too long.
    pub(super) fn is_too_long(&self, now: Duration) -> bool {
        self.left(now) == Some(Duration::ZERO)
    }

    /// The agent tries to go on by itself, which is no use of the account.
    pub(super) const fn go_on(&mut self) {
        self.going_on = GoingOn::Tries;
    }

    /// Something moves.
    pub(super) const fn moved(&mut self, now: Duration) {
        if !matches!(self.going_on, GoingOn::No) {
            self.going_on = GoingOn::Moves(now);
        }
    }

    /// It does no more by itself.
    pub(super) const fn rest(&mut self) {
        self.going_on = GoingOn::No;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOVING: Duration = Duration::from_secs(20);

    #[test]
    fn limits_are_lengths_of_time_or_never() {
        let limit: IdleLimit = "15m".parse().unwrap();
        assert_eq!(limit.duration(), Some(Duration::from_secs(900)));
        assert_eq!(limit.to_string().parse(), Ok(limit));
        assert_eq!("never".parse::<IdleLimit>().unwrap().duration(), None);
        assert!("15".parse::<IdleLimit>().is_err());
    }

    #[test]
    fn only_time_without_a_command_counts() {
        let at = Duration::from_secs;
        let mut idle = Idle::new(IdleLimit::after(at(100)), MOVING, at(1000));
        assert_eq!(idle.left(at(1099)), Some(at(1)));
        assert_eq!(idle.left(at(1100)), Some(at(0)));
        idle.begin();
        assert_eq!(idle.left(at(5000)), None);
        idle.end(at(5000));
        assert_eq!(idle.left(at(5001)), Some(at(99)));
        assert_eq!(Idle::new("never".parse().unwrap(), MOVING, at(0)).left(at(1 << 40)), None);
    }

    #[test]
    fn going_on_is_no_use_and_only_what_moves_postpones_the_end() {
        let at = Duration::from_secs;
        let mut idle = Idle::new(IdleLimit::after(at(100)), MOVING, at(1000));
        idle.go_on();
        assert_eq!(idle.left(at(1099)), Some(at(1)));
        assert!(idle.is_too_long(at(1100)), "a line that is dead");
        idle.moved(at(1099));
        assert_eq!((idle.left(at(1100)), idle.left(at(1119))), (Some(at(19)), Some(at(0))));
        idle.moved(at(1110));
        assert!(!idle.is_too_long(at(1129)) && idle.is_too_long(at(1130)));
        idle.moved(at(1050));
        assert_eq!(idle.left(at(1060)), Some(at(40)), "never sooner than without it");
        idle.moved(at(1110));
        idle.rest();
        assert!(idle.is_too_long(at(1111)), "the network ended it again");
        idle.moved(at(1111));
        assert!(idle.is_too_long(at(1111)), "too late to be heard");
    }

    #[test]
    fn the_system_clock_goes_on() {
        let clock = since_boot();
        let before = clock();
        assert!(before > Duration::ZERO && clock() >= before && clock() < Duration::MAX);
    }
}
