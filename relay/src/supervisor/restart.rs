//! When a child process that died is started again. Pure: the caller says what time it is.

use crate::settings::RestartLimits;
use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

/// The recent deaths of one child.
#[derive(Debug)]
pub(crate) struct RestartPolicy {
    limits: RestartLimits,
    deaths: VecDeque<Instant>,
}

/// What a death leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Start it again after this pause.
    RestartAfter(Duration),
    /// It dies too often; going on would only hide that.
    GiveUp,
}

impl RestartPolicy {
    pub(crate) const fn new(limits: RestartLimits) -> Self {
        Self { limits, deaths: VecDeque::new() }
    }

    /// The child died at `now`.
    pub(crate) fn died(&mut self, now: Instant) -> Verdict {
        let window = self.limits.window;
        self.deaths.retain(|death| now.saturating_duration_since(*death) < window);
        self.deaths.push_back(now);
        if self.deaths.len() >= self.limits.deaths {
            return Verdict::GiveUp;
        }
        let doublings = u32::try_from(self.deaths.len() - 1).unwrap_or(u32::MAX);
        let delay = self.limits.first_delay.saturating_mul(2_u32.saturating_pow(doublings));
        Verdict::RestartAfter(delay.min(self.limits.longest_delay))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: RestartLimits = RestartLimits {
        first_delay: Duration::from_millis(100),
        longest_delay: Duration::from_millis(300),
        window: Duration::from_secs(60),
        deaths: 5,
    };

    fn verdicts(seconds: &[u64]) -> Vec<Verdict> {
        let start = Instant::now();
        let mut policy = RestartPolicy::new(LIMITS);
        seconds.iter().map(|second| policy.died(start + Duration::from_secs(*second))).collect()
    }

    fn after(milliseconds: u64) -> Verdict {
        Verdict::RestartAfter(Duration::from_millis(milliseconds))
    }

    #[test]
    fn the_pause_doubles_up_to_its_limit_and_the_fifth_death_within_a_minute_is_the_last() {
        assert_eq!(
            verdicts(&[0, 10, 20, 30, 59]),
            [after(100), after(200), after(300), after(300), Verdict::GiveUp]
        );
    }

    #[test]
    fn deaths_are_forgotten_after_a_minute() {
        assert_eq!(verdicts(&[0, 10, 20, 30, 60]).last(), Some(&after(300)));
        assert_eq!(verdicts(&[0, 61, 122, 183, 244, 305]), [after(100); 6]);
    }
}
