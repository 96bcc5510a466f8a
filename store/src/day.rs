//! Time as the relay keeps it: by the day, because expiry needs no more.

use nightdrop_wire::quarter::QuarterHour;
use serde::{Deserialize, Serialize};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const SECONDS_PER_DAY: u64 = 24 * 60 * 60;

/// A day, counted from 1970-01-01 (UTC).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Day(pub u32);

impl Day {
    /// The day of a point in time; the first day for a clock that stands before 1970.
    #[must_use]
    pub fn of(time: SystemTime) -> Self {
        let since_epoch = time.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        Self(u32::try_from(since_epoch.as_secs() / SECONDS_PER_DAY).unwrap_or(u32::MAX))
    }

    /// The day that a quarter of an hour lies in.
    #[must_use]
    pub const fn at(quarter: QuarterHour) -> Self {
        Self(quarter.0 / QuarterHour::PER_DAY)
    }

    /// Its first quarter of an hour.
    #[must_use]
    pub const fn begins(self) -> QuarterHour {
        QuarterHour(self.0.saturating_mul(QuarterHour::PER_DAY))
    }

    /// The first day of its week; weeks are counted from 1970-01-01, a Thursday.
    #[must_use]
    pub const fn week(self) -> Self {
        Self(self.0 - self.0 % 7)
    }

    /// The day `days` later.
    #[must_use]
    pub const fn plus(self, days: u32) -> Self {
        Self(self.0.saturating_add(days))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_counted_from_the_epoch() {
        assert_eq!(Day::of(UNIX_EPOCH), Day(0));
        assert_eq!(Day::of(UNIX_EPOCH + Duration::from_secs(SECONDS_PER_DAY - 1)), Day(0));
        assert_eq!(Day::of(UNIX_EPOCH + Duration::from_secs(SECONDS_PER_DAY)), Day(1));
        assert_eq!(Day::of(UNIX_EPOCH - Duration::from_secs(1)), Day(0));
    }

    #[test]
    fn a_day_has_its_quarters() {
        assert_eq!(Day(3).begins(), QuarterHour(288));
        assert_eq!((Day::at(QuarterHour(288)), Day::at(QuarterHour(287))), (Day(3), Day(2)));
        let now = UNIX_EPOCH + Duration::from_secs(1_000_000_007);
        assert_eq!(Day::at(QuarterHour::of(now)), Day::of(now));
    }

    #[test]
    fn a_week_begins_with_its_first_day() {
        assert_eq!([0, 6, 7, 20_000].map(|day| Day(day).week()), [0, 0, 7, 19_999].map(Day));
    }

    #[test]
    fn the_last_day_does_not_wrap() {
        assert_eq!(Day(3).plus(4), Day(7));
        assert_eq!(Day(u32::MAX).plus(1), Day(u32::MAX));
    }
}
