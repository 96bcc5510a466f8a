//! Moving the chunks of a transfer over lanes: each a circuit of its own, with several streams that take turns, so that none idles for a round trip.
//!
//! The circuits are built ahead, while the transfer still asks for what it needs to begin. The work is the same on all streams: take a chunk
//! that nobody has, move it, until there are none left; so a slow stream takes fewer of them, and what is late goes by a second way
//! ([`Underway`]). How many lanes and chunks there are at once is decided as it goes ([`Pacing`]).

use super::{
    Progress,
    gate::Gate,
    pace::{LOOK, Pace, Pacing},
    underway::Underway,
};
use crate::{ClientError, limits::ClientLimits, relay::RelayLane, transport::Transport};
use futures::future::select_all;
use nightdrop_wire::onion::OnionAddress;
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
    time::{Instant, MissedTickBehavior, interval, timeout},
};

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
        turn: Turn,
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
    pub(super) fn open_ahead(
        (transport, relay, limits): (&T, &OnionAddress, &ClientLimits),
        first: RelayLane<T>,
        chunks: u32,
    ) -> Self {
        let chunks = usize::try_from(chunks).unwrap_or(usize::MAX);
        let lanes = chunks.div_ceil(limits.streams_per_lane.max(1)).min(limits.most_lanes);
        let mut opening = JoinSet::new();
        for _ in 1..lanes {
            let mut lane = RelayLane::isolated(transport, relay, limits);
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

/// Moves all of it; the first error ends everything. Gives a lane that has worked.
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
    let (mut traffic, mut working) = (Traffic::default(), JoinSet::new());
    let begin = |lane: RelayLane<T>, traffic: &mut Traffic, working: &mut JoinSet<_>| {
        traffic.0.push(lane.traffic());
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
            now = looks.tick() => {
                let Pace { lanes, chunks } = pacing.look(now, traffic.bytes());
                // Who waits for a dead lane holds nobody up.
                shared.gate.set(Pace { lanes, chunks: chunks + shared.underway.late(now) });
                shared.progress.lanes(shared.gate.lanes());
            }
        }
    };
    // When this returns, nothing takes any more chunks.
    working.shutdown().await;
    ended
}

/// What the lanes have moved, both ways together.
#[derive(Default)]
struct Traffic(Vec<Arc<AtomicU64>>);

impl Traffic {
    fn bytes(&self) -> u64 {
        self.0.iter().map(|lane| lane.load(Ordering::Relaxed)).sum()
    }
}

struct Shared<F: Freight> {
    freight: Arc<F>,
    underway: Underway<F::Chunk>,
    gate: Gate,
    progress: Arc<dyn Progress>,
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
            let carried = self.freight.carry(&mut lane, index, chunk, turn).await?;
            if self.underway.arrives(index, Instant::now()) {
                self.freight.land(index, carried).await?;
                self.underway.lands(index);
                self.progress.advance(self.freight.chunk_bytes() as u64);
            }
        }
    }

    /// A chunk to move. Waits while there is none but others are on their way, one of which may yet be late.
    async fn next(&self) -> Result<Option<(u32, F::Chunk)>, ClientError> {
        loop {
            let mut landings = self.underway.landings();
            if let Some(late) = self.underway.send_again(Instant::now()) {
                return Ok(Some(late));
            }
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
            // Whether one landed or only time passed, it looks again.
            let _ = timeout(LOOK, landings.changed()).await;
        }
    }
}
