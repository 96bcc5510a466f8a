//! Progress for programs: with `--json`, a transfer's progress is one JSON object per line on standard error.
//!
//! ```json
//! {"progress":"Uploading","done":3145524,"total":9436572,"bytes_per_second":1048508,"seconds_left":6,"lanes":4}
//! ```
//! Bytes are sealed ones; those that an earlier command moved count as done. `total` and `seconds_left` are left out as long as they are not known. At most one event in a
//! second for each bar, besides the first and the last.

use crate::console::BarState;
use serde::Serialize;
use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

const PAUSE: Duration = Duration::from_secs(1);

/// What was heard of each bar.
#[derive(Debug, Default)]
pub(super) struct ProgressEvents {
    bars: BTreeMap<u32, Heard>,
}

#[derive(Debug, Default)]
struct Heard {
    what: String,
    /// When the transfer began, and when it was told of last.
    times: Option<(Instant, Instant)>,
    /// What was done before there was a lane.
    before: u64,
    is_over: bool,
}

#[derive(Serialize)]
struct Event<'a> {
    progress: &'a str,
    done: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    total: Option<u64>,
    bytes_per_second: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    seconds_left: Option<u64>,
    lanes: u32,
}

impl ProgressEvents {
    /// What is to be told now, as a line.
    pub(super) fn hear(&mut self, number: u32, state: BarState, now: Instant) -> Option<String> {
        match state {
            BarState::Named(what) => {
                self.bars.entry(number).or_default().what = what;
                None
            }
            BarState::Bytes { position, length, lanes } => {
                self.bars.entry(number).or_default().moved((position, length), lanes, now)
            }
            BarState::Done => {
                self.bars.remove(&number);
                None
            }
            BarState::Percent { .. } | BarState::Waiting => None,
        }
    }
}

impl Heard {
    fn moved(&mut self, (done, length): (u64, u64), lanes: u32, now: Instant) -> Option<String> {
        let is_over = length > 0 && done >= length;
        let is_first = self.times.is_none();
        let (began, told) = self.times.unwrap_or((now, now));
        let is_due = is_first || now.saturating_duration_since(told) >= PAUSE || (is_over && !self.is_over);
        self.is_over |= is_over;
        if lanes == 0 {
            self.before = done;
        }
        if !is_due {
            return None;
        }
        self.times = Some((began, now));
        let milliseconds = now.saturating_duration_since(began).as_millis();
        let moved = u128::from(done.saturating_sub(self.before));
        let rate = moved.saturating_mul(1_000).checked_div(milliseconds).unwrap_or(0);
        let bytes_per_second = u64::try_from(rate).unwrap_or(u64::MAX);
        let total = (length > 0).then_some(length);
        let left = total.map(|total| total.saturating_sub(done));
        let seconds_left = left.and_then(|left| left.checked_div(bytes_per_second));
        let progress = self.what.as_str();
        serde_json::to_string(&Event { progress, done, total, bytes_per_second, seconds_left, lanes }).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    struct Heard {
        events: ProgressEvents,
        began: Instant,
    }

    impl Heard {
        fn new() -> Self {
            let mut heard = Self { events: ProgressEvents::default(), began: Instant::now() };
            assert_eq!(heard.at(0, BarState::Named("Uploading".to_owned())), None);
            heard
        }

        fn at(&mut self, milliseconds: u64, state: BarState) -> Option<Value> {
            let now = self.began + Duration::from_millis(milliseconds);
            self.events.hear(1, state, now).map(|line| serde_json::from_str(&line).unwrap())
        }

        fn moved(&mut self, milliseconds: u64, position: u64, length: u64) -> Option<Value> {
            self.at(milliseconds, BarState::Bytes { position, length, lanes: 4 })
        }
    }

    #[test]
    fn the_first_and_the_last_are_told_and_one_in_a_second_between() {
        let mut heard = Heard::new();
        let first = heard.at(0, BarState::Bytes { position: 0, length: 4_000, lanes: 0 });
        let nothing =
            json!({"progress": "Uploading", "done": 0, "total": 4_000, "bytes_per_second": 0, "lanes": 0});
        assert_eq!(first, Some(nothing));
        assert_eq!(heard.moved(1, 0, 4_000), None);
        assert_eq!(heard.moved(999, 500, 4_000), None);
        let event = heard.moved(1_000, 1_000, 4_000).unwrap();
        let expected = json!({
            "progress": "Uploading", "done": 1_000, "total": 4_000, "bytes_per_second": 1_000,
            "seconds_left": 3, "lanes": 4,
        });
        assert_eq!(event, expected);
        assert_eq!(heard.moved(1_500, 2_000, 4_000), None);
        let last = heard.moved(1_600, 4_000, 4_000).unwrap();
        assert_eq!((&last["done"], &last["seconds_left"]), (&json!(4_000), &json!(0)));
        assert_eq!(heard.moved(1_601, 4_000, 4_000), None, "the last is told once");
        assert_eq!(heard.at(1_700, BarState::Done), None);
    }

    #[test]
    fn what_an_earlier_command_moved_is_done_and_no_part_of_the_rate() {
        let mut heard = Heard::new();
        for position in [0, 5_000] {
            let _ = heard.at(0, BarState::Bytes { position, length: 10_000, lanes: 0 });
        }
        let event = heard.moved(2_000, 6_000, 10_000).unwrap();
        assert_eq!((&event["done"], &event["bytes_per_second"]), (&json!(6_000), &json!(500)));
        assert_eq!(event["seconds_left"], 8);
    }

    #[test]
    fn however_often_a_transfer_moves_the_rate_of_events_is_bounded() {
        let mut heard = Heard::new();
        let told = (0..10_000).filter(|at| heard.moved(*at, *at, 1 << 40).is_some()).count();
        assert!((9..=10).contains(&told), "{told}");
    }

    #[test]
    fn a_stream_has_no_total_and_what_is_no_transfer_has_no_events() {
        let mut heard = Heard::new();
        assert_eq!(heard.at(1, BarState::Waiting), None);
        assert_eq!(heard.at(2, BarState::Percent { percent: 7, hint: String::new() }), None);
        let event = heard.at(3, BarState::Bytes { position: 0, length: 0, lanes: 0 }).unwrap();
        assert!(event.get("total").is_none() && event.get("seconds_left").is_none());
        let event = heard.moved(5_003, 50_000, 0).unwrap();
        assert_eq!((&event["bytes_per_second"], event.get("total")), (&json!(10_000), None));
        assert_eq!(heard.moved(5_004, 60_000, 0), None);
    }
}
