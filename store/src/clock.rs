//! Whether the machine's clock is to be believed when it says that something is over: one that is wrong must not end what is stored.
//!
//! The store remembers the last day that was believed, and how the clock went beside the time for which the relay ran. What is over by a clock that is not believed is
//! refused, and still there: so an operator has the time to set it right.
//!
//! ```text
//! the next day      is believed after an hour in which the clock went as the relay ran, and not twice within 20 hours
//! a later one       after a week of running in which it went so
//! one before it     at once: nothing ends by it
//! ```
//! So neither a clock that jumps ends anything, nor one that is set ahead day by day, nor a machine that starts with a wrong one and sets it right. A relay that was off for some
//! days is as one whose clock jumped: it clears away a week later. Only what the relay itself ran for counts, as a clock that never goes back tells it.

use crate::{
    day::Day,
    error::StoreError,
    guesses::Minute,
    operation::Checked,
    room::Need,
    schema::{ClockRow, ONLY},
    store::{Queued, Store},
    transaction::{Changes, Rows},
};
use std::time::Duration;

/// All in milliseconds.
const MINUTE: u64 = 60_000;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;
/// For so long a clock has to go on steadily before a day of it is believed.
const SETTLED: u64 = HOUR;
/// So long the relay runs between two days that are believed, one after the other.
const BETWEEN_DAYS: u64 = 20 * HOUR;
/// For so long it has to go on steadily where more than a day is missing.
const WATCHED: u64 = 7 * DAY;
/// What a clock may be off by in all, since it goes steadily.
const SLACK: u64 = 10 * MINUTE;
/// For so long a relay may be off while its clock is watched, and not begin anew.
const OFF: u64 = 14 * DAY;

/// What is thought of a day that the clock tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trust {
    /// It is that day.
    Believed,
    /// It may well be: within an hour it is believed, or later on a day that comes early.
    Soon,
    /// The clock is days ahead of what was believed last.
    Watched,
}

impl Store {
    /// Tells what time it is, and for how long the relay ran since it last told; `None` for the first time since it was started. Gives what is thought of
    /// this day: nothing is to be cleared away on one that is not believed.
    #[must_use]
    pub fn trust(&self, now: Minute, ran: Option<Duration>) -> Queued<Trust> {
        let ran = ran.map(|ran| u64::try_from(ran.as_millis()).unwrap_or(u64::MAX));
        self.queue_for(Need::Least, 0, move |rows| {
            let before = match rows.row::<ClockRow>(&ONLY) {
                // Nothing is known of it any more.
                Err(StoreError::Damaged(_)) => Some(ClockRow {
                    believed: Day(0),
                    seen: Minute(0),
                    began: Minute(0),
                    steady: 0,
                    since: 0,
                }),
                before => before?,
            };
            let row = next(before.as_ref(), now, ran);
            let trust = match day_of(now).0.saturating_sub(row.believed.0) {
                0 => Trust::Believed,
                1 => Trust::Soon,
                _ => Trust::Watched,
            };
            Ok(Checked::Write(move |changes: &Changes<'_>| {
                changes.put(&ONLY, &row)?;
                Ok(trust)
            }))
        })
    }
}

fn next(before: Option<&ClockRow>, now: Minute, ran: Option<u64>) -> ClockRow {
    let today = day_of(now);
    let Some(before) = before else {
        return ClockRow { believed: today, seen: now, began: now, steady: 0, since: BETWEEN_DAYS };
    };
    let (began, steady, since) = went_on(before, now, ran);
    let is_believed = match today.0.saturating_sub(before.believed.0) {
        0 => true,
        1 => steady >= SETTLED && since >= BETWEEN_DAYS,
        _ => steady >= WATCHED,
    };
    let since = if is_believed && today > before.believed { 0 } else { since };
    ClockRow { believed: if is_believed { today } else { before.believed }, seen: now, began, steady, since }
}

/// Since when, and for how long, the clock goes on steadily, and how long it is that a day was believed.
fn went_on(before: &ClockRow, now: Minute, ran: Option<u64>) -> (Minute, u64, u64) {
    let Some(ran) = ran else {
        // How long it was off, nobody knows; a watch that began goes on all the same, or a relay that is off now and then would never clear away. But it was
        // perhaps set wrong meanwhile: a day of it is always to come.
        let is_watched = day_of(before.seen).0 > before.believed.0.saturating_add(1);
        let goes_on = is_watched && (0..=OFF / MINUTE).contains(&now.0.wrapping_sub(before.seen.0));
        let steady = if goes_on { before.steady.min(WATCHED - DAY) } else { 0 };
        return (Minute(now.0.saturating_sub(steady / MINUTE)), steady, BETWEEN_DAYS);
    };
    let (steady, since) = (before.steady.saturating_add(ran), before.since.saturating_add(ran));
    let expected = before.began.0.saturating_mul(MINUTE).saturating_add(steady);
    let is_steady = now.0.saturating_mul(MINUTE).abs_diff(expected) <= SLACK;
    if is_steady { (before.began, steady, since) } else { (now, 0, since) }
}

fn day_of(minute: Minute) -> Day {
    Day::at(minute.quarter())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::common::{Fixture, TODAY};

    // In minutes.
    const LOOK: u64 = 10;
    const HOUR: u64 = super::HOUR / MINUTE;
    const DAY: u64 = super::DAY / MINUTE;
    const SETTLED: u64 = super::SETTLED / MINUTE;
    const OFF: u64 = super::OFF / MINUTE;

    /// A machine: the time that passes, and what its clock says.
    struct Machine {
        row: Option<ClockRow>,
        clock: u64,
        started: bool,
    }

    impl Machine {
        fn new() -> Self {
            Self { row: None, clock: u64::from(TODAY.0) * DAY + 12 * HOUR, started: false }
        }

        /// Whether the day is believed after so many minutes in which the clock went right.
        fn look(&mut self, minutes: u64) -> bool {
            self.clock += minutes;
            let ran = self.started.then_some(minutes * MINUTE);
            self.started = true;
            let row = next(self.row.as_ref(), Minute(self.clock), ran);
            self.row = Some(row);
            row.believed == day_of(Minute(self.clock))
        }

        /// Goes on for so long, looking often; whether the day is believed at its end.
        fn run(&mut self, minutes: u64) -> bool {
            (0..minutes / LOOK).fold(false, |_, _| self.look(LOOK))
        }

        fn set(&mut self, days: i64) {
            self.clock = self.clock.checked_add_signed(days * 24 * 60).unwrap();
        }

        fn off(&mut self, minutes: u64) {
            self.clock += minutes;
            self.started = false;
        }
    }

    #[test]
    fn what_is_known_of_the_clock_outlasts_the_process() {
        let mut fixture = Fixture::new();
        let told = |fixture: &Fixture, days: u32, ran| {
            let now = Minute(u64::from(TODAY.0 + days) * DAY);
            fixture.wait(fixture.store().trust(now, ran)).unwrap()
        };
        let day = Some(Duration::from_secs(DAY * 60));
        assert_eq!(told(&fixture, 0, None), Trust::Believed);
        assert_eq!(told(&fixture, 1, day), Trust::Believed);
        assert_eq!(told(&fixture, 400, day), Trust::Watched);
        for days in 1..7 {
            assert_eq!(told(&fixture, 400 + days, day), Trust::Watched);
        }
        fixture.close();
        fixture.open();
        assert_eq!(told(&fixture, 407, None), Trust::Watched);
        assert_eq!(told(&fixture, 408, day), Trust::Believed, "a week of running, in two parts");
        fixture.close();
        fixture.open();
        assert_eq!(told(&fixture, 409, None), Trust::Soon);
    }

    #[test]
    fn days_that_pass_are_believed_an_hour_after_they_begin_at_most() {
        let mut machine = Machine::new();
        assert!(machine.look(0), "of a new store");
        for _ in 0..30 {
            assert!(machine.run(DAY));
        }
        machine.off(5);
        assert!(machine.look(0), "the same day");
        machine.off(20 * HOUR);
        assert!(!machine.look(0), "it may have been set wrong");
        assert!(!machine.run(SETTLED - LOOK) && machine.run(LOOK));
    }

    #[test]
    fn a_relay_that_was_off_for_days_clears_away_a_week_later_of_running() {
        let mut machine = Machine::new();
        assert!(machine.look(0) && machine.run(DAY));
        machine.off(3 * DAY);
        assert!(!machine.run(5 * DAY));
        machine.off(2 * DAY);
        assert!(!machine.look(0));
        assert!(!machine.run(2 * DAY));
        assert!(machine.run(LOOK));
        assert!(machine.run(DAY), "and from then on as ever");
        machine.off(40 * DAY);
        assert!(!machine.run(6 * DAY));
        machine.off(OFF + DAY);
        assert!(!machine.run(2 * DAY), "too long to be one watch");
        assert!(machine.run(5 * DAY + LOOK));
    }

    #[test]
    fn a_clock_that_jumps_is_not_believed_however_far_and_one_that_is_set_right_is() {
        for days in [2, 10, 20_000] {
            let mut machine = Machine::new();
            assert!(machine.look(0) && machine.run(DAY));
            machine.set(days);
            assert!(!machine.run(6 * DAY), "{days}");
            machine.set(-days - 6);
            assert!(machine.run(LOOK), "it is an earlier day");
        }
        let mut machine = Machine::new();
        assert!(machine.look(0));
        machine.set(1);
        assert!(!machine.run(SETTLED - LOOK), "a day is believed after an hour");
    }

    #[test]
    fn a_clock_that_is_set_ahead_again_and_again_is_never_believed() {
        let (mut machine, mut believed) = (Machine::new(), 0);
        assert!(machine.look(0) && machine.run(2 * HOUR));
        for step in 0..200 {
            machine.set([1, 13, 14, 2][step % 4]);
            believed += u32::from(machine.run(40));
        }
        assert_eq!(believed, 0);
        // One day at a time, as often as it may be believed: no faster than days pass.
        let mut machine = Machine::new();
        assert!(machine.look(0) && machine.run(2 * HOUR));
        let before = machine.clock;
        for _ in 0..20 {
            machine.set(1);
            believed += u32::from(machine.run(2 * HOUR));
        }
        assert!(believed <= 2, "{believed}");
        assert!(machine.clock - before > 20 * DAY);
    }

    #[test]
    fn a_clock_that_runs_fast_is_watched_too() {
        let mut machine = Machine::new();
        assert!(machine.look(0) && machine.run(DAY));
        // Much too fast, and a little.
        for extra in [5 * LOOK, LOOK / 5] {
            for _ in 0..20_000 {
                machine.clock += extra;
                let believed = machine.look(LOOK);
                assert!(!believed || machine.clock < (u64::from(TODAY.0) + 3) * DAY);
            }
        }
    }

    #[test]
    fn one_that_is_watched_and_starts_with_a_wrong_clock_is_watched_for_a_day_more() {
        let mut machine = Machine::new();
        assert!(machine.look(0) && machine.run(DAY));
        machine.off(3 * DAY);
        assert!(!machine.run(7 * DAY));
        machine.off(10);
        machine.set(12);
        assert!(!machine.run(DAY));
        machine.set(-12);
        assert!(!machine.run(6 * DAY), "it was set: the watch begins anew");
        assert!(machine.run(DAY + LOOK));
    }

    #[test]
    fn a_machine_that_starts_with_a_wrong_clock_and_sets_it_right_ends_nothing() {
        for days in [1, 10, 400] {
            let mut machine = Machine::new();
            assert!(machine.look(0) && machine.run(DAY));
            machine.off(10);
            machine.set(days);
            assert!(!machine.run(30), "{days}");
            machine.set(-days);
            assert!(machine.run(LOOK));
        }
    }
}
