//! Whether the machine's clock is to be believed when it says that something is over: a clock that jumps ahead by years must not end everything that is stored.
//!
//! The store remembers the last day that it was told of. When a much later one comes, because the clock is wrong or the relay did not run, nothing is cleared away for
//! some days: so an operator has the time to see it. Until then what is over by that clock is refused and still there.

use crate::{
    day::Day,
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
    ///
    /// A damaged memory of it is as none.
    #[must_use]
    pub fn believed_from(&self, today: Day) -> Queued<Day> {
        self.queue_for(Need::Least, 0, move |rows| {
            let before = rows.row::<ClockRow>(&ONLY).unwrap_or_default();
            let row = next(before.as_ref(), today);
            if before.is_some_and(|before| before == row) {
                return Ok(Checked::Already(row.believed_from));
            }
            Ok(Checked::Write(move |changes: &Changes<'_>| {
                changes.put(&ONLY, &row)?;
                Ok(row.believed_from)
            }))
        })
    }
}

fn next(before: Option<&ClockRow>, today: Day) -> ClockRow {
    let at_once = ClockRow { last: today, believed_from: today };
    match before {
        Some(before) if today > before.last.plus(JUMP) => {
            ClockRow { last: today, believed_from: today.plus(WATCHED) }
        }
        // It goes on from where it jumped to.
        Some(before) if today >= before.last && today < before.believed_from => {
            ClockRow { last: today, ..*before }
        }
        // Also when it was set back: that day is none that it jumped ahead to.
        _ => at_once,
    }
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
}
