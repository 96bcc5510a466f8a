//! Whether the machine's clock is to be believed when it says that something is over: a clock that jumps ahead by years must not end everything that is stored.
//!
//! The store remembers the last day that it was told of. When a much later one comes, because the clock is wrong or the relay did not run, nothing is cleared away for
//! some days: so an operator has the time to see it. Until then what is over by that clock is refused and still there.

use crate::{
    day::Day,
    error::StoreError,
    operation::Checked,
    room::Need,
    schema::{ClockRow, ONLY},
    store::{Queued, Store},
    transaction::{Changes, Rows},
};

/// Days without the relay, or of a jump, after which the clock is not believed at once.
const JUMP: u32 = 14;
/// Days that it is then watched for.
const WATCHED: u32 = 7;

impl Store {
    /// Tells what day it is, and gives the one from which on that is believed: today, or later.
    #[must_use]
    pub fn believed_from(&self, today: Day) -> Queued<Day> {
        self.queue_for(Need::Least, 0, move |rows| {
            let before = match rows.row::<ClockRow>(&ONLY) {
                // Nothing is known of it any more.
                Err(StoreError::Damaged(_)) => {
                    Some(ClockRow { believed: Day(0), last: Day(0), watched_since: Day(0) })
                }
                before => before?,
            };
            let row = next(before.as_ref(), today);
            let from = if row.believed == today { today } else { row.watched_since.plus(WATCHED) };
            if before.is_some_and(|before| before == row) {
                return Ok(Checked::Already(from));
            }
            Ok(Checked::Write(move |changes: &Changes<'_>| {
                changes.put(&ONLY, &row)?;
                Ok(from)
            }))
        })
    }
}

/// A day is believed that is not far beyond the last believed one, also one before it; another one after a clock went steadily for long enough.
fn next(before: Option<&ClockRow>, today: Day) -> ClockRow {
    let believed = ClockRow { believed: today, last: today, watched_since: today };
    let Some(before) = before else { return believed };
    if today <= before.believed.plus(JUMP) {
        return believed;
    }
    let is_watched = before.last > before.believed.plus(JUMP);
    let is_steady = is_watched && today >= before.last && today <= before.last.plus(JUMP);
    let watched_since = if is_steady { before.watched_since } else { today };
    if today >= watched_since.plus(WATCHED) {
        return believed;
    }
    ClockRow { last: today, watched_since, ..*before }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::common::{Fixture, TODAY};

    fn told(fixture: &Fixture, days: u32) -> u32 {
        let today = TODAY.plus(days);
        fixture.wait(fixture.store().believed_from(today)).unwrap().0 - TODAY.0
    }

    #[test]
    fn a_clock_that_jumps_ahead_is_believed_a_week_later() {
        let mut fixture = Fixture::new();
        assert_eq!((told(&fixture, 0), told(&fixture, 1)), (0, 1));
        assert_eq!(told(&fixture, 1 + JUMP), 1 + JUMP, "it did not run for a while");
        let jumped = 2 + 2 * JUMP;
        assert_eq!(told(&fixture, jumped), jumped + WATCHED);
        fixture.close();
        fixture.open();
        for day in 0..WATCHED {
            assert_eq!(told(&fixture, jumped + day), jumped + WATCHED, "{day} days later");
        }
        assert_eq!(told(&fixture, jumped + WATCHED), jumped + WATCHED);
        assert_eq!(told(&fixture, jumped + WATCHED + 1), jumped + WATCHED + 1);
    }

    #[test]
    fn one_that_is_set_right_again_is_believed_at_once() {
        let fixture = Fixture::new();
        assert_eq!(told(&fixture, 10), 10);
        assert_eq!(told(&fixture, 20_000), 20_000 + WATCHED);
        assert_eq!((told(&fixture, 10), told(&fixture, 9), told(&fixture, 11)), (10, 9, 11));
        // As long as it stands wrong, it jumps anew each time.
        assert_eq!(told(&fixture, 20_000), 20_000 + WATCHED);
    }

    #[test]
    fn one_that_is_wrong_in_another_way_is_watched_anew() {
        let fixture = Fixture::new();
        assert_eq!(told(&fixture, 10), 10);
        for day in [20_000, 19_999, 19_900, 30_000, 29_000] {
            assert_eq!(told(&fixture, day), day + WATCHED, "{day}");
        }
        assert_eq!(told(&fixture, 29_000 + WATCHED), 29_000 + WATCHED);
        assert_eq!(told(&fixture, 10), 10, "it was set back, and a day is over again later");
        assert_eq!(told(&fixture, 29_000), 29_000 + WATCHED);
    }
}
