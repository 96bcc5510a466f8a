//! How many lanes a transfer runs over: more while it helps.
//!
//! Every stream of Tor has a window per round trip, and so has every circuit; on a long way the window is the limit, on a short one the
//! processors are. Nobody can tell beforehand, so a transfer begins with some lanes and doubles them as long as that makes it faster. Each lane is a
//! circuit of its own with several streams, so that none idles for a round trip. The work is the same on all streams: take a chunk that
//! nobody has, move it, until there are none left; so a slow stream takes fewer of them.

use super::Progress;
use crate::{ClientError, limits::ClientLimits, relay::RelayLane, transport::Transport};
use nightdrop_wire::onion::OnionAddress;
use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::{
    task::JoinSet,
    time::{Instant, MissedTickBehavior, interval},
};

/// How often it is looked whether more lanes would help.
const LOOK: Duration = Duration::from_millis(250);
/// So long at least one number of lanes is watched.
const WATCH: Duration = Duration::from_secs(1);
/// What doubling the lanes must bring, to be worth the circuits.
const WORTH: f64 = 1.2;

/// Chunks that a transfer has moved, and who hears of it. Clones count the same.
#[derive(Clone)]
pub(super) struct Moved {
    chunks: Arc<AtomicU64>,
    progress: Arc<dyn Progress>,
}

impl Moved {
    pub(super) fn told(progress: &Arc<dyn Progress>) -> Self {
        Self { chunks: Arc::default(), progress: Arc::clone(progress) }
    }

    /// One more, of so many sealed bytes.
    pub(super) fn one(&self, sealed_bytes: u64) {
        self.chunks.fetch_add(1, Ordering::Relaxed);
        self.progress.advance(sealed_bytes);
    }

    fn chunks(&self) -> u64 {
        self.chunks.load(Ordering::Relaxed)
    }
}

/// Runs `work` on the streams of lanes to a relay until every stream is done; the first error ends all of them. `first` is a lane that is
/// connected already.
pub(super) async fn over_lanes<T, R, F>(
    (transport, relay, limits): (&T, &OnionAddress, &ClientLimits),
    first: Option<RelayLane<T>>,
    chunks: u32,
    moved: &Moved,
    work: impl Fn(RelayLane<T>) -> F,
) -> Result<Vec<R>, ClientError>
where
    T: Transport,
    R: Send + 'static,
    F: Future<Output = Result<R, ClientError>> + Send + 'static,
{
    let mut streams = JoinSet::new();
    let mut left = usize::try_from(chunks).unwrap_or(usize::MAX);
    let mut lanes = 0;
    let mut open = |streams: &mut JoinSet<_>, lane: RelayLane<T>| {
        lanes += 1;
        moved.progress.lanes(lanes);
        for stream in lane.streams(limits.streams_per_lane.clamp(1, left.max(1))) {
            left = left.saturating_sub(1);
            streams.spawn(work(stream));
        }
        left > 0
    };
    let mut growth = Growth::new(limits);
    let isolated = || RelayLane::isolated(transport, relay, limits);
    let mut more = open(&mut streams, first.unwrap_or_else(isolated));
    for _ in 1..growth.lanes {
        more = more && open(&mut streams, isolated());
    }
    let mut looks = interval(LOOK);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut results = Vec::new();
    loop {
        tokio::select! {
            finished = streams.join_next() => match finished {
                None => return Ok(results),
                Some(finished) => results.push(finished.map_err(|_| ClientError::Stopped)??),
            },
            now = looks.tick(), if more => {
                for _ in 0..growth.more(now, moved.chunks(), streams.len()) {
                    more = more && open(&mut streams, isolated());
                }
            }
        }
    }
}

/// Decides, from what was moved, when to open more lanes.
struct Growth {
    lanes: usize,
    most: usize,
    best: f64,
    /// When watching the present number began, and what had been moved by then.
    since: Option<(Instant, u64)>,
}

impl Growth {
    fn new(limits: &ClientLimits) -> Self {
        let most = limits.most_lanes.max(1);
        Self { lanes: limits.lanes.clamp(1, most), most, best: 0.0, since: None }
    }

    /// How many lanes to open now.
    fn more(&mut self, now: Instant, chunks: u64, streams: usize) -> usize {
        let Some((since, before)) = self.since else {
            // Circuits take their time; what counts begins with the first chunk.
            self.since = (chunks > 0).then_some((now, chunks));
            return 0;
        };
        let (moved, passed) = (chunks.saturating_sub(before), now.saturating_duration_since(since));
        if self.lanes >= self.most || passed < WATCH || moved < 2 * streams as u64 {
            return 0;
        }
        #[expect(clippy::cast_precision_loss, reason = "far below 2^52 chunks")]
        let rate = moved as f64 / passed.as_secs_f64();
        if rate < self.best * WORTH {
            self.most = self.lanes;
            return 0;
        }
        self.best = rate;
        self.since = None;
        let more = self.lanes.min(self.most - self.lanes);
        self.lanes += more;
        more
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many lanes a transfer ends with whose rate is this many chunks in a second for a number of lanes.
    fn lanes_at(rate: impl Fn(usize) -> f64) -> usize {
        let limits = ClientLimits { lanes: 2, most_lanes: 8, ..ClientLimits::default() };
        let (mut growth, mut now, mut chunks) = (Growth::new(&limits), Instant::now(), 0.0);
        for _ in 0..2_000 {
            now += LOOK;
            chunks += rate(growth.lanes) * LOOK.as_secs_f64();
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "small and positive"
            )]
            growth.more(now, chunks as u64, growth.lanes * 2);
        }
        growth.lanes
    }

    #[test]
    fn lanes_are_doubled_while_that_helps() {
        assert_eq!(
            lanes_at(|lanes| 0.4 * f64::from(u32::try_from(lanes).unwrap())),
            8,
            "the windows are the limit"
        );
        assert_eq!(lanes_at(|_| 12.0), 4, "something else is: the second look shows it");
        assert_eq!(lanes_at(|lanes| if lanes < 4 { 3.0 } else { 6.0 }), 8);
        assert_eq!(lanes_at(|_| 0.0), 2, "nothing moves");
    }
}
