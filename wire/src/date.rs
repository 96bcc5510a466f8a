//! Days as people read them.

/// A day of the Gregorian calendar, shown as `2026-11-28`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Date {
    year: i64,
    month: i64,
    day: i64,
}

impl Date {
    /// The date of a day counted from 1970-01-01.
    ///
    /// Years are taken to begin in March, so that the day that some years lack is the last one of its year: then the
    /// lengths of months follow one rule, and four hundred years have always the same number of days.
    #[must_use]
    pub const fn of_day(day: u32) -> Self {
        const DAYS_OF_400_YEARS: i64 = 146_097;
        const FROM_MARCH_OF_YEAR_0: i64 = 719_468;
        let days = day as i64 + FROM_MARCH_OF_YEAR_0;
        let (cycle, of_cycle) = (days / DAYS_OF_400_YEARS, days % DAYS_OF_400_YEARS);
        let year = (of_cycle - of_cycle / 1_460 + of_cycle / 36_524 - of_cycle / 146_096) / 365;
        let of_year = of_cycle - (365 * year + year / 4 - year / 100);
        let from_march = (5 * of_year + 2) / 153;
        let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
        let january_or_february = if month <= 2 { 1 } else { 0 };
        Self {
            year: cycle * 400 + year + january_or_february,
            month,
            day: of_year - (153 * from_march + 2) / 5 + 1,
        }
    }
}

impl std::fmt::Display for Date {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_the_dates_that_the_calendar_gives_them() {
        for (day, date) in [
            (0, "1970-01-01"),
            (58, "1970-02-28"),
            (59, "1970-03-01"),
            (789, "1972-02-29"),
            (11_016, "2000-02-29"),
            (20_778, "2026-11-21"),
            (47_540, "2100-02-28"),
            (47_541, "2100-03-01"),
        ] {
            assert_eq!(Date::of_day(day).to_string(), date);
        }
    }
}
