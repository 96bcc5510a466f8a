//! Seasons: the 13 weeks by which credits and leases end, so that a last day tells little of when something was drawn or paid.
//!
//! ```text
//! season         s (paid on some day of it)    s + 1                s + 2 (the last one of the lease)
//!                |––––––––·––––––––––––––––|–––––––––––––––––––––|–––––––––––––––––––––| ended
//! whole ones left            2                      1                      0
//! ```

use crate::limits::PERIOD_DAYS;

/// Days of a season: two are a period, in which an account draws its quota. They are counted from 1970-01-01 (UTC), for everybody alike.
pub const DAYS: u32 = PERIOD_DAYS / 2;
/// Whole seasons that a payment lasts for, those that follow the one in which it is made: 26 to 39 weeks in all.
pub const OF_LEASE: u32 = 2;

/// The last day of the season that comes `further` ones after that of `today`, in days since 1970-01-01 (UTC).
#[must_use]
pub const fn last_day(today: u32, further: u32) -> u32 {
    (today / DAYS).saturating_add(further).saturating_add(1).saturating_mul(DAYS).saturating_sub(1)
}

/// The last day of a lease that is paid on `today`.
#[must_use]
pub const fn end_of_lease(today: u32) -> u32 {
    last_day(today, OF_LEASE)
}

/// Whole seasons that follow that of `today` and are over by the end of `until`.
#[must_use]
pub const fn left(today: u32, until: u32) -> u32 {
    (until.saturating_add(1) / DAYS).saturating_sub(today / DAYS).saturating_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_lasts_26_to_39_weeks_and_ends_on_one_day_for_all_of_a_season() {
        assert_eq!((end_of_lease(0), end_of_lease(90), end_of_lease(91)), (272, 272, 363));
        for today in 20_000..20_200 {
            assert!((26 * 7..=39 * 7).contains(&(end_of_lease(today) - today)), "{today}");
            assert_eq!((end_of_lease(today) + 1) % DAYS, 0);
        }
        assert_eq!(end_of_lease(u32::MAX), u32::MAX - 1, "no overflow");
    }

    #[test]
    fn whole_seasons_that_are_left_are_counted() {
        let until = end_of_lease(10);
        let counted = [0, 90, 91, 181, 182, 272, 273, 1_000].map(|today| left(today, until));
        assert_eq!(counted, [2, 2, 1, 1, 0, 0, 0, 0]);
        assert_eq!(left(10, until - 1), 1, "one is not whole");
        assert_eq!((left(0, 0), left(u32::MAX, u32::MAX), left(0, u32::MAX)), (0, 0, u32::MAX / DAYS - 1));
    }
}
