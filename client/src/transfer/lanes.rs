//! Moving the chunks of a transfer over lanes: each a circuit of its own, with several streams that take turns, so that none idles for a round trip.
//!
//! The circuits are built ahead, while the transfer still asks for what it needs to begin. The work is the same on all streams: take a chunk
//! that nobody has, move it, until there are none left; so a slow stream takes fewer of them. What is late goes by a second way, over a circuit of its
//! own ([`Underway`]). How many lanes and chunks there are at once is decided as it goes ([`Pacing`]).

use super::{
    Progress,
    gate::Gate,
    pace::{LOOK, Pacing},
    underway::Underway,
};
use crate::{ClientError, limits::ClientLimits, relay::RelayLane, transport::Transport};
use futures::future::select_all;
use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    task::JoinSet,
    time::{Instant, MissedTickBehavior, interval},
};

/// Late chunks that go by a second way at once, at most.
const MOST_RESCUES: usize = 4;

/// The turn of one of a lane's streams.
pub(super) type Turn = OwnedSemaphorePermit;

/// What a transfer moves, chunk by chunk.
pub(super) trait Freight: Send + Sync + 'static {
    /// A chunk as it is sent, or what it takes to ask for it. A clone of it may go by another way.
    type Chunk: Clone + Send + 'static;
    /// What comes of moving it.
    type Carried: Send;

    /// Bytes of a sealed chunk.
    fn chunk_bytes(&self) -> usize;

    /// The next one that nobody has.
    fn fresh(
        self: &Arc<Self>,
    ) -> impl Future<Output = Result<Option<(u32, Self::Chunk)>, ClientError>> + Send;

    /// Moves it over a lane, whose next stream may begin when the turn ends; perhaps another lane moves the same.
    fn carry<T: Transport>(
        &self,
        lane: &mut RelayLane<T>,
        index: u32,
        chunk: Self::Chunk,
        turn: Option<Turn>,
    ) -> impl Future<Output = Result<Self::Carried, ClientError>> + Send;

    /// Puts it where it belongs: once for each chunk.
    fn land(
        self: &Arc<Self>,
        index: u32,
        carried: Self::Carried,
    ) -> impl Future<Output = Result<(), ClientError>> + Send;
}

/// The lanes of a transfer, most of which are being opened.
pub(super) struct Lanes<T> {
    first: RelayLane<T>,
    opening: JoinSet<RelayLane<T>>,
}

impl<T: Transport> Lanes<T> {
    /// Begins to open as many as are of use for so many chunks, besides the `first`.
    pub(super) fn open_ahead(limits: &ClientLimits, first: RelayLane<T>, chunks: u32) -> Self {
        let chunks = usize::try_from(chunks).unwrap_or(usize::MAX);
        let lanes = chunks.div_ceil(limits.streams_per_lane.max(1)).min(limits.most_lanes);
        let mut opening = JoinSet::new();
        for _ in 1..lanes {
            let mut lane = first.sibling();
            opening.spawn(async move {
                lane.open_ahead().await;
                lane
            });
        }
        Self { first, opening }
    }
}

impl<T> std::fmt::Debug for Lanes<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Lanes")
    }
}

/// Moves all of it; the first error ends everything. Gives a lane for what comes next.
pub(super) async fn move_all<T: Transport, F: Freight>(
    freight: &Arc<F>,
    lanes: Lanes<T>,
    limits: &ClientLimits,
    progress: &Arc<dyn Progress>,
) -> Result<RelayLane<T>, ClientError> {
    let Lanes { first, mut opening } = lanes;
    let mut pacing = Pacing::new(limits, freight.chunk_bytes());
    let shared = Arc::new(Shared {
        freight: Arc::clone(freight),
        underway: Underway::new(),
        gate: Gate::new(pacing.pace()),
        progress: Arc::clone(progress),
    });
    let spare = first.sibling();
    let (mut traffic, mut working, mut rescues) = (Traffic::default(), JoinSet::new(), JoinSet::new());
    let begin = |lane: RelayLane<T>, traffic: &mut Traffic, working: &mut JoinSet<_>| {
        traffic.add(lane.traffic());
        working.spawn(run_lane(Arc::clone(&shared), lane, limits.streams_per_lane.max(1)));
    };
    begin(first, &mut traffic, &mut working);
    let mut looks = interval(LOOK);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let ended = loop {
        tokio::select! {
            // The first stream that finds nothing left ends the others, which may hang on a dead lane.
            Some(ended) = working.join_next() => break ended.map_err(|_| ClientError::Stopped).flatten(),
            Some(opened) = opening.join_next() => match opened {
                Ok(lane) => begin(lane, &mut traffic, &mut working),
                Err(_) => break Err(ClientError::Stopped),
            },
            Some(ended) = rescues.join_next() => {
                if let Err(error) = ended.map_err(|_| ClientError::Stopped).flatten() {
                    break Err(error);
                }
            }
            now = looks.tick() => {
                shared.gate.set(pacing.look(now, traffic.bytes()));
                shared.progress.lanes(shared.gate.lanes());
                while rescues.len() < MOST_RESCUES && let Some((index, chunk)) = shared.underway.send_again(now) {
                    rescues.spawn(rescue(Arc::clone(&shared), spare.sibling(), index, chunk));
                }
            }
        }
    };
    // When this returns, nothing takes any more chunks.
    working.shutdown().await;
    rescues.shutdown().await;
    ended
}

/// What the lanes have moved, both ways together, since they were taken into use.
#[derive(Default)]
struct Traffic(Vec<(Arc<AtomicU64>, u64)>);

impl Traffic {
    fn add(&mut self, lane: Arc<AtomicU64>) {
        let before = lane.load(Ordering::Relaxed);
        self.0.push((lane, before));
    }

    fn bytes(&self) -> u64 {
        self.0.iter().map(|(lane, before)| lane.load(Ordering::Relaxed).saturating_sub(*before)).sum()
    }
}

struct Shared<F: Freight> {
    freight: Arc<F>,
    underway: Underway<F::Chunk>,
    gate: Gate,
    progress: Arc<dyn Progress>,
}

/// Moves a late chunk by a second way. Whoever carries it already decides if this one fails.
async fn rescue<T: Transport, F: Freight>(
    shared: Arc<Shared<F>>,
    mut lane: RelayLane<T>,
    index: u32,
    chunk: F::Chunk,
) -> Result<(), ClientError> {
    match shared.carry(&mut lane, index, chunk, None).await {
        Some(Ok(carried)) => shared.land(index, carried).await,
        Some(Err(_)) | None => Ok(()),
    }
}

/// The work of a lane, once there is need for it: ends with the first of its streams.
async fn run_lane<T: Transport, F: Freight>(
    shared: Arc<Shared<F>>,
    lane: RelayLane<T>,
    streams: usize,
) -> Result<RelayLane<T>, ClientError> {
    shared.gate.lane().await;
    let turns = Arc::new(Semaphore::new(1));
    let streams = lane.streams(streams).into_iter().map(|stream| Box::pin(shared.run_stream(stream, &turns)));
    select_all(streams).await.0
}

impl<F: Freight> Shared<F> {
    /// The work of a stream: takes chunks until there are none left.
    async fn run_stream<T: Transport>(
        &self,
        mut lane: RelayLane<T>,
        turns: &Arc<Semaphore>,
    ) -> Result<RelayLane<T>, ClientError> {
        loop {
            let turn = Arc::clone(turns).acquire_owned().await.map_err(|_| ClientError::Stopped)?;
            let _place = self.gate.place().await;
            let Some((index, chunk)) = self.next().await? else { return Ok(lane) };
            match self.carry(&mut lane, index, chunk, Some(turn)).await {
                Some(Ok(carried)) => self.land(index, carried).await?,
                Some(Err(error)) if self.underway.is_awaited(index) => return Err(error),
                // Another way was faster: this circuit may be dead.
                Some(Err(_)) | None => lane.renew(),
            }
        }
    }

    /// Moves a chunk; nothing comes of it when another way is faster.
    async fn carry<T: Transport>(
        &self,
        lane: &mut RelayLane<T>,
        index: u32,
        chunk: F::Chunk,
        turn: Option<Turn>,
    ) -> Option<Result<F::Carried, ClientError>> {
        tokio::select! {
            carried = self.freight.carry(lane, index, chunk, turn) => Some(carried),
            () = self.underway.is_there(index) => None,
        }
    }

    /// It arrived: puts it where it belongs, unless it was there before.
    async fn land(&self, index: u32, carried: F::Carried) -> Result<(), ClientError> {
        if self.underway.arrives(index, Instant::now()) {
            self.freight.land(index, carried).await?;
            self.underway.lands(index);
            self.progress.advance(self.freight.chunk_bytes() as u64);
        }
        Ok(())
    }

    /// A chunk to move. Waits while there is none but others are on their way.
    async fn next(&self) -> Result<Option<(u32, F::Chunk)>, ClientError> {
        loop {
            let mut changes = self.underway.changes();
            if self.underway.make() {
                let fresh = self.freight.fresh().await?;
                self.underway.made(fresh.clone(), Instant::now());
                if fresh.is_some() {
                    return Ok(fresh);
                }
            }
            if self.underway.is_over() {
                return Ok(None);
            }
            // The sender is that of `underway`.
            let _ = changes.changed().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nightdrop_onion_config::{Lane, TorError};
    use nightdrop_wire::onion::OnionAddress;
    use std::{
        collections::BTreeMap,
        future::pending,
        sync::{Mutex, atomic::AtomicU32},
        time::Duration,
    };
    use tokio::{io::DuplexStream, time::sleep};

    const CHUNKS: u32 = 6;
    const RELAY: &str = "2gzyxa5ihm7nsggfxnu52rck2vv4rvmdlkiu3zzui5du4xyclen53wid";

    /// Nothing is sent: what carries chunks here needs no streams.
    #[derive(Clone)]
    struct Nowhere;

    impl Transport for Nowhere {
        type Stream = DuplexStream;

        async fn connect(&self, _: &OnionAddress, _: &Lane) -> Result<DuplexStream, TorError> {
            Err(TorError::ServiceUnreachable)
        }
    }

    /// Each chunk takes a second, but the first way of one takes for ever, or fails once another way was faster.
    #[derive(Default)]
    struct Slow {
        next: AtomicU32,
        ways: Mutex<BTreeMap<u32, u32>>,
        landed: Mutex<Vec<u32>>,
        /// The chunk whose first way does not work.
        bad: Option<u32>,
        /// After so long the bad way fails.
        fails_after: Option<Duration>,
    }

    impl Freight for Slow {
        type Chunk = ();
        type Carried = ();

        fn chunk_bytes(&self) -> usize {
            1 << 20
        }

        async fn fresh(self: &Arc<Self>) -> Result<Option<(u32, ())>, ClientError> {
            let next = self.next.fetch_add(1, Ordering::Relaxed);
            Ok((next < CHUNKS).then_some((next, ())))
        }

        async fn carry<T: Transport>(
            &self,
            _lane: &mut RelayLane<T>,
            index: u32,
            (): (),
            _turn: Option<Turn>,
        ) -> Result<(), ClientError> {
            let way = {
                let mut ways = self.ways.lock().unwrap();
                let way = ways.entry(index).or_default();
                *way += 1;
                *way
            };
            if self.bad == Some(index) && way == 1 {
                match self.fails_after {
                    Some(time) => sleep(time).await,
                    None => pending().await,
                }
                return Err(ClientError::RelayBusy);
            }
            sleep(Duration::from_secs(1)).await;
            Ok(())
        }

        async fn land(self: &Arc<Self>, index: u32, (): ()) -> Result<(), ClientError> {
            self.landed.lock().unwrap().push(index);
            Ok(())
        }
    }

    async fn moved(
        slow: Slow,
        chunks_at_once: usize,
        most_lanes: usize,
    ) -> (Result<(), ClientError>, Vec<u32>) {
        let limits = ClientLimits { chunks_at_once, most_lanes, ..ClientLimits::default() };
        let (slow, began) = (Arc::new(slow), Instant::now());
        let first = RelayLane::isolated(&Nowhere, &RELAY.parse().unwrap(), &limits);
        let lanes = Lanes::open_ahead(&limits, first, CHUNKS);
        let progress: Arc<dyn Progress> = Arc::new(());
        let ended = move_all(&slow, lanes, &limits, &progress).await.map(drop);
        assert!(began.elapsed() < limits.request, "it does not wait for what hangs");
        let mut landed = std::mem::take(&mut *slow.landed.lock().unwrap());
        landed.sort_unstable();
        (ended, landed)
    }

    #[tokio::test(start_paused = true)]
    async fn a_way_that_hangs_holds_nobody_up_however_few_may_be_on_their_way() {
        for bad in [None, Some(0), Some(3), Some(CHUNKS - 1)] {
            for (chunks, lanes) in [(1, 1), (1, 4), (2, 1), (16, 8)] {
                let (ended, landed) = moved(Slow { bad, ..Slow::default() }, chunks, lanes).await;
                assert!(ended.is_ok(), "{bad:?} {chunks} {lanes}");
                assert_eq!(landed, (0..CHUNKS).collect::<Vec<_>>(), "each once: {bad:?} {chunks} {lanes}");
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_way_that_fails_ends_all_unless_another_was_faster() {
        let failing = |seconds| Slow {
            bad: Some(2),
            fails_after: Some(Duration::from_secs(seconds)),
            ..Slow::default()
        };
        let (ended, landed) = moved(failing(200), 2, 2).await;
        assert!(ended.is_ok() && landed.len() == CHUNKS as usize);
        let (ended, landed) = moved(failing(2), 2, 2).await;
        assert!(matches!(ended, Err(ClientError::RelayBusy)));
        assert!(!landed.contains(&2));
    }
}
