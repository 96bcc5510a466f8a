//! How many lanes a transfer uses and how many of its chunks are on their way at once: decided from what was measured.
//!
//! *Lanes.* Every stream of Tor has a window per round trip, and so has every circuit; on a long way the window is the limit, on a short one the
//! processors are. Nobody can tell beforehand, so a transfer begins with some lanes and doubles them as long as that makes it faster.
//!
//! *Chunks.* What is on its way when the line breaks must be sent again. So no more is on its way than passes in [`HORIZON`]: one chunk or two on
//! a slow line, where a break would otherwise undo minutes, and as many as memory allows on a fast one.

use crate::limits::ClientLimits;
use std::{collections::VecDeque, time::Duration};
use tokio::time::Instant;

/// How often it is looked.
pub(super) const LOOK: Duration = Duration::from_millis(250);
/// A break costs at most what passes in this time.
const HORIZON: Duration = Duration::from_secs(20);
/// What is written at first only fills buffers of this machine.
const SETTLE: Duration = Duration::from_millis(500);
/// The rate is that of so long at least …
const SHORTEST: Duration = Duration::from_millis(500);
/// … and so long at most.
const LONGEST: Duration = Duration::from_secs(4);
/// So long a number of lanes is watched at least.
const WATCH: Duration = Duration::from_millis(500);
/// What doubling the lanes must bring, to be worth the circuits.
const WORTH: f64 = 1.2;
/// Chunks on their way before anything is known.
const CHUNKS_AT_FIRST: usize = 2;

/// What a transfer uses from now on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pace {
    /// Lanes that carry chunks.
    pub(super) lanes: usize,
    /// Chunks on their way.
    pub(super) chunks: usize,
}

/// Decides the [`Pace`].
#[derive(Debug)]
pub(super) struct Pacing {
    pace: Pace,
    most_lanes: usize,
    streams_per_lane: usize,
    most_chunks: usize,
    chunk_bytes: f64,
    /// When the first byte was seen.
    began: Option<Instant>,
    /// Bytes that had moved, at each look of the last seconds.
    looks: VecDeque<(Instant, u64)>,
    /// Since when there are so many lanes, and how fast fewer were.
    lanes_since: Option<Instant>,
    best: f64,
}

impl Pacing {
    /// For a transfer whose sealed chunks have `chunk_bytes` each.
    pub(super) fn new(limits: &ClientLimits, chunk_bytes: usize) -> Self {
        let most_lanes = limits.most_lanes.max(1);
        let most_chunks = limits.chunks_at_once.max(1);
        let lanes = limits.lanes.clamp(1, most_lanes);
        Self {
            pace: Pace { lanes, chunks: CHUNKS_AT_FIRST.min(most_chunks) },
            most_lanes,
            streams_per_lane: limits.streams_per_lane.max(1),
            most_chunks,
            #[expect(clippy::cast_precision_loss, reason = "a chunk has about 2^20 bytes")]
            chunk_bytes: chunk_bytes.max(1) as f64,
            began: None,
            looks: VecDeque::new(),
            lanes_since: None,
            best: 0.0,
        }
    }

    /// What holds now.
    pub(super) const fn pace(&self) -> Pace {
        self.pace
    }

    /// Decides anew, `bytes` being all that moved so far, whichever way.
    pub(super) fn look(&mut self, now: Instant, bytes: u64) -> Pace {
        if bytes == 0 {
            return self.pace;
        }
        let began = *self.began.get_or_insert(now);
        if now.saturating_duration_since(began) < SETTLE {
            return self.pace;
        }
        self.looks.push_back((now, bytes));
        while self.looks.front().is_some_and(|(at, _)| now.saturating_duration_since(*at) > LONGEST) {
            self.looks.pop_front();
        }
        if let Some(rate) = self.rate(LONGEST, SHORTEST, now, bytes) {
            self.decide_lanes(now, bytes);
            self.decide_chunks(rate);
        }
        self.pace
    }

    /// Bytes in a second over the last `longest`, if that is `shortest` at least.
    fn rate(&self, longest: Duration, shortest: Duration, now: Instant, bytes: u64) -> Option<f64> {
        let passed = |at: &Instant| now.saturating_duration_since(*at);
        let (at, before) = self.looks.iter().find(|(at, _)| passed(at) <= longest)?;
        #[expect(clippy::cast_precision_loss, reason = "far below 2^52 bytes")]
        let moved = bytes.saturating_sub(*before) as f64;
        (passed(at) >= shortest).then(|| moved / passed(at).as_secs_f64())
    }

    fn decide_lanes(&mut self, now: Instant, bytes: u64) {
        let since = *self.lanes_since.get_or_insert(now);
        // Lanes that carry nothing show nothing.
        let are_used = self.pace.chunks >= self.pace.lanes;
        if self.pace.lanes >= self.most_lanes || !are_used || now.saturating_duration_since(since) < WATCH {
            return;
        }
        let Some(rate) = self.rate(WATCH, SHORTEST, now, bytes) else { return };
        if rate < self.best * WORTH {
            self.most_lanes = self.pace.lanes;
            return;
        }
        self.best = rate;
        self.lanes_since = Some(now);
        self.pace.lanes = (self.pace.lanes * 2).min(self.most_lanes);
    }

    fn decide_chunks(&mut self, rate: f64) {
        let most = self.most_chunks.min(self.pace.lanes * self.streams_per_lane);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "positive, and cut off far below"
        )]
        let pass = (rate * HORIZON.as_secs_f64() / self.chunk_bytes).round() as usize;
        // What begins to move fills buffers first, which looks like a rate.
        self.pace.chunks = pass.clamp(1, self.pace.chunks * 2).min(most);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHUNK: usize = 1_048_508;

    /// What a transfer comes to whose rate is so many chunks in a second at a pace.
    fn comes_to(rate: impl Fn(Pace) -> f64) -> Pace {
        let limits = ClientLimits {
            lanes: 2,
            most_lanes: 8,
            streams_per_lane: 2,
            chunks_at_once: 12,
            ..ClientLimits::default()
        };
        let (mut pacing, mut now, mut bytes) = (Pacing::new(&limits, CHUNK), Instant::now(), 0.0);
        for _ in 0..2_000 {
            now += LOOK;
            bytes += rate(pacing.pace()) * LOOK.as_secs_f64() * CHUNK as f64;
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "small and positive"
            )]
            pacing.look(now, bytes as u64);
        }
        pacing.pace()
    }

    #[test]
    fn lanes_are_doubled_while_that_helps() {
        let by_window = |pace: Pace| 0.4 * pace.lanes.min(pace.chunks) as f64;
        assert_eq!(comes_to(by_window), Pace { lanes: 8, chunks: 12 }, "the windows are the limit");
        assert_eq!(comes_to(|_| 12.0).lanes, 4, "something else is: the second look shows it");
        assert_eq!(comes_to(|pace| if pace.lanes < 4 { 3.0 } else { 6.0 }).lanes, 8);
        assert_eq!(comes_to(|_| 0.0), Pace { lanes: 2, chunks: 2 }, "nothing moves");
    }

    #[test]
    fn no_more_is_on_its_way_than_passes_in_the_horizon() {
        assert_eq!(comes_to(|_| 0.1).chunks, 2, "about 100 kB/s");
        assert_eq!(comes_to(|_| 0.01).chunks, 1);
        assert_eq!(
            comes_to(|_| 0.1).lanes,
            4,
            "the first look, which has nothing to compare with, doubles them"
        );
    }

    #[test]
    fn a_line_that_gets_slow_gets_fewer_and_a_fast_one_gets_them_back() {
        let mut pacing = Pacing::new(&ClientLimits::default(), CHUNK);
        let (mut now, mut bytes) = (Instant::now(), 0);
        let mut run = |per_look: u64| {
            (0..40).for_each(|_| {
                now += LOOK;
                bytes += per_look;
                pacing.look(now, bytes);
            });
            pacing.pace().chunks
        };
        // More than four lanes did not make it faster.
        assert_eq!(run(1 << 20), 8);
        assert_eq!(run(5_000), 1);
        assert_eq!(run(1 << 20), 8);
    }

    #[test]
    fn what_fills_buffers_at_first_is_no_rate() {
        let mut pacing = Pacing::new(&ClientLimits::default(), CHUNK);
        let (start, mut most) = (Instant::now(), 0);
        for look in 1..40_u32 {
            // Two streams take 128 KiB at once each, and then 50 kB/s pass.
            let bytes = (256 << 10) + u64::from(look) * 12_500;
            most = pacing.look(start + LOOK * look, bytes).chunks.max(most);
        }
        assert_eq!(most, 2);
    }
}
