//! Many downloads at once through a private Tor network, beside strangers who ask as fast as they can: no honest one fails, and shares are fair.
//!
//! The relay is the built one. All clients share one Arti, but no circuit.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stderr,
    missing_docs
)]

use bytes::Bytes;
use nightdrop_client::{
    limits::ClientLimits,
    relay::{RelayLane, RequestError},
    transfer::Source,
};
use nightdrop_envelope::{layout::Layout, space::FileRecord};
use nightdrop_onion_config::{Role, Tor};
use nightdrop_tests::{
    over_tor::{open_account, start_tor},
    system::{RelayProcess, make_sample},
    uploads,
};
use nightdrop_wire::{
    authorization::Authorization, endpoint::Endpoint, ids::BlobId, onion::OnionAddress, refusal::Refusal,
    token::Token,
};
use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::task::JoinSet;

const TIME: Duration = Duration::from_secs(20);
/// As many as two cores bear, Tor's relays among them.
const SMALL: usize = 24;
const LARGE: usize = 4;
const HOSTILE: usize = 8;

/// A file at the relay, and the answer to a request for one of its chunks.
#[derive(Clone)]
struct Stored {
    file: FileRecord,
    chunks: u32,
    length: usize,
}

struct Scene {
    tor: Tor,
    relay: OnionAddress,
    limits: ClientLimits,
    over: AtomicBool,
    refused: AtomicUsize,
}

impl Scene {
    fn lane(&self) -> RelayLane<Tor> {
        RelayLane::isolated(&self.tor, &self.relay, &self.limits)
    }

    /// Downloads chunk after chunk until the time is over; tells how many came. The first one builds the circuit, and does not count.
    async fn download(self: Arc<Self>, stored: Stored) -> usize {
        let (mut lane, mut count) = (self.lane(), 0);
        let authorization = Authorization::Bearer(stored.file.read_token.clone());
        for n in (0..stored.chunks).cycle() {
            let endpoint = Endpoint::GetChunk(stored.file.blob, n);
            let chunk = lane.exchange(endpoint, Some(&authorization), Bytes::new(), stored.length).await;
            assert_eq!(chunk.expect("no honest client sees an error").len(), stored.length);
            if self.over.load(Ordering::Relaxed) {
                break;
            }
            count += 1;
        }
        count
    }

    /// Guesses for what is not there.
    async fn guess(self: Arc<Self>) {
        let mut lane = self.lane();
        let authorization = Authorization::Bearer(Token::from_bytes([7; Token::LENGTH]));
        while !self.over.load(Ordering::Relaxed) {
            let endpoint = Endpoint::GetChunk(BlobId::from_bytes([7; BlobId::LENGTH]), 0);
            let asked = lane.exchange(endpoint, Some(&authorization), Bytes::new(), 1 << 20).await;
            assert!(matches!(asked, Err(RequestError::Refused(Refusal::Refused))), "{asked:?}");
            self.refused.fetch_add(1, Ordering::Relaxed);
        }
    }
}

async fn store(tor: &Tor, relay: &RelayProcess, directory: &Path, name: &str, size: u64) -> FileRecord {
    let mut session = open_account(tor, relay).await.unwrap();
    let path = directory.join(name);
    make_sample(&path, size).unwrap();
    let credits = session.fetch_credits(uploads::enough_for(&path).unwrap()).await.unwrap();
    let (address, limits) = (relay.address().parse().unwrap(), ClientLimits::default());
    let journals = session.journals(directory.join("transfers"));
    let source = Source::open(&path, None).unwrap();
    uploads::store((tor, &address, &limits), &journals, source, credits, Arc::new(())).await.unwrap()
}

/// Checks that no client of a class did much worse than the mean, and says how they did.
fn judge(class: &str, counts: &[usize]) {
    let (slowest, total): (usize, usize) = (*counts.iter().min().unwrap(), counts.iter().sum());
    let mean = total / counts.len();
    eprintln!(
        "{class}: {total} chunks in {TIME:?} by {} clients, mean {mean}, slowest {slowest}",
        counts.len()
    );
    assert!(mean >= 2, "{class}: too few to compare");
    assert!(slowest * 2 >= mean, "{class}: the slowest had {slowest}, the mean is {mean}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_downloads_over_tor_beside_a_flood_are_served_alike() {
    let directory = tempfile::tempdir().unwrap();
    let relay = RelayProcess::start(&directory.path().join("relay")).unwrap();
    let tor = start_tor(&directory.path().join("tor"), Role::Client).await.unwrap();
    let small = store(&tor, &relay, directory.path(), "small", 10_000).await;
    let large = store(&tor, &relay, directory.path(), "large", 4 << 20).await;
    let stored = |file, size| {
        let layout = Layout::of_size(size).unwrap();
        Stored { file, chunks: layout.chunks(), length: layout.class().sealed() }
    };
    let (small, large) = (stored(small, 10_000), stored(large, 4 << 20));

    let scene = Arc::new(Scene {
        tor,
        relay: relay.address().parse().unwrap(),
        limits: ClientLimits::default(),
        over: AtomicBool::new(false),
        refused: AtomicUsize::new(0),
    });
    let mut hostile = JoinSet::new();
    (0..HOSTILE).for_each(|_| drop(hostile.spawn(Arc::clone(&scene).guess())));
    let begin = |stored: &Stored, count| {
        let clients = (0..count).map(|_| tokio::spawn(Arc::clone(&scene).download(stored.clone())));
        clients.collect::<Vec<_>>()
    };
    let clients = [begin(&small, SMALL), begin(&large, LARGE)];
    tokio::time::sleep(TIME).await;
    scene.over.store(true, Ordering::Relaxed);
    let mut counts = Vec::new();
    for class in clients {
        let ended = futures::future::join_all(class).await;
        counts.push(ended.into_iter().map(Result::unwrap).collect::<Vec<usize>>());
    }
    while let Some(ended) = hostile.join_next().await {
        ended.unwrap();
    }
    let refused = scene.refused.load(Ordering::Relaxed);
    eprintln!("flood: {refused} guesses refused");
    assert!(refused >= HOSTILE, "the flood reached the relay");
    judge("small", &counts[0]);
    judge("large", &counts[1]);
}
