//! Time where a day is too coarse and a minute tells too much: when a ticket ends.

use crate::date::Date;
use serde::{Deserialize, Serialize};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const SECONDS: u64 = 15 * 60;

/// A quarter of an hour, counted from 1970-01-01 (UTC). What ends with one is over when it begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct QuarterHour(pub u32);

impl QuarterHour {
    /// So many make a day.
    pub const PER_DAY: u32 = 24 * 4;

    /// The one that a point in time lies in; the first one for a clock that stands before 1970.
    #[must_use]
    pub fn of(time: SystemTime) -> Self {
        let since_epoch = time.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        Self(u32::try_from(since_epoch.as_secs() / SECONDS).unwrap_or(u32::MAX))
    }

    /// Where what begins now and lasts this long ends at the earliest: at the beginning of a quarter, or, if it lasts a day or longer, of
    /// a day. `None` beyond what can be counted.
    #[must_use]
    pub fn after(now: SystemTime, lasts: Duration) -> Option<Self> {
        let since_epoch = now.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        let end = since_epoch.checked_add(lasts)?;
        let seconds = end.as_secs().checked_add(u64::from(end.subsec_nanos() > 0))?;
        let step = if lasts.as_secs() < SECONDS * u64::from(Self::PER_DAY) { 1 } else { Self::PER_DAY };
        let steps = seconds.div_ceil(SECONDS * u64::from(step));
        u32::try_from(steps).ok()?.checked_mul(step).map(Self)
    }

    /// When it begins, in seconds since the epoch.
    #[must_use]
    pub const fn begins(self) -> u64 {
        self.0 as u64 * SECONDS
    }
}

impl std::fmt::Display for QuarterHour {
    /// As in `2026-11-28 14:15 UTC`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (day, quarter) = (self.0 / Self::PER_DAY, self.0 % Self::PER_DAY);
        write!(f, "{} {:02}:{:02} UTC", Date::of_day(day), quarter / 4, quarter % 4 * 15)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: u64 = 24 * 60 * 60;

    fn at(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(seconds)
    }

    fn ends(now: u64, lasts: u64) -> Option<u64> {
        QuarterHour::after(at(now), Duration::from_secs(lasts)).map(QuarterHour::begins)
    }

    #[test]
    fn quarters_are_counted_from_the_epoch() {
        assert_eq!(QuarterHour::of(at(899)), QuarterHour(0));
        assert_eq!(QuarterHour::of(at(900)), QuarterHour(1));
        assert_eq!(QuarterHour::of(UNIX_EPOCH - Duration::from_secs(1)), QuarterHour(0));
        assert_eq!(QuarterHour(3).begins(), 2_700);
    }

    #[test]
    fn are_shown_as_people_read_them() {
        assert_eq!(QuarterHour::of(at(1_795_875_300)).to_string(), "2026-11-28 14:15 UTC");
        assert_eq!(QuarterHour(0).to_string(), "1970-01-01 00:00 UTC");
    }

    #[test]
    fn an_end_is_never_early_and_less_than_a_step_late() {
        assert_eq!(ends(900, 900), Some(1_800));
        assert_eq!(ends(901, 900), Some(2_700));
        assert_eq!(ends(10 * DAY + 1, DAY - 1), Some(11 * DAY), "to the quarter");
        assert_eq!(ends(10 * DAY, 7 * DAY), Some(17 * DAY));
        assert_eq!(ends(10 * DAY + 1, 7 * DAY), Some(18 * DAY), "to the day");
        let fraction = QuarterHour::after(UNIX_EPOCH + Duration::from_millis(1), Duration::from_secs(900));
        assert_eq!(fraction, Some(QuarterHour(2)));
        assert_eq!(ends(0, u64::MAX), None);
        assert_eq!(ends(0, u64::from(u32::MAX) * 900 + 1), None);
    }
}
