//! Many honest clients beside a flood, on the worker's own socket: all are served, and none much worse than the others.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod worker_support;

use nightdrop_relay::worker::HttpLimits;
use nightdrop_wire::{ids::AccountId, messages::account::LoginStart, token::Token};
use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::UnixStream,
    task::JoinSet,
};
use worker_support::{Connection, TestBlob, User, Worker, on_sockets, random, request};

const TIME: Duration = Duration::from_secs(20);
const SMALL: usize = 200;
const LARGE: usize = 20;
/// Of each kind of hostile client.
const HOSTILE: usize = 64;

async fn stored(worker: &Worker, blob: TestBlob) -> Arc<TestBlob> {
    let mut connection = worker.connect();
    let user = worker.user(&mut connection).await;
    let credit = user.credits(&mut connection, 1).await.remove(0);
    connection.post("/v1/blobs", None, &blob.create(credit)).await.success();
    for (n, chunk) in blob.chunks.iter().enumerate() {
        let path = blob.path(&format!("/{n}"));
        connection.request("PUT", &path, Some(&blob.writing()), chunk).await.success();
    }
    connection.post(&blob.path("/finish"), Some(&blob.writing()), &blob.finish()).await.success();
    Arc::new(blob)
}

/// Downloads chunk after chunk until the time is over; tells how many came.
async fn download(socket: PathBuf, blob: Arc<TestBlob>, over: Arc<AtomicBool>) -> usize {
    let mut connection = Connection::over(UnixStream::connect(&socket).await.unwrap());
    let mut count = 0;
    while !over.load(Ordering::Relaxed) {
        let n = count % blob.chunks.len();
        let chunk = connection.get(&blob.path(&format!("/{n}")), &blob.reading()).await.success();
        assert!(chunk == blob.chunks[n]);
        count += 1;
    }
    count
}

/// What hostile clients got done.
#[derive(Default)]
struct Flood {
    logins: AtomicUsize,
    refusals: AtomicUsize,
    trickled: AtomicUsize,
    stalled: AtomicUsize,
}

/// Comes back whenever it is ended, until the time is over.
async fn flood(kind: usize, socket: PathBuf, blob: Arc<TestBlob>, done: Arc<Flood>, over: Arc<AtomicBool>) {
    while !over.load(Ordering::Relaxed) {
        let _ended = match kind {
            0 => guess(&socket, &done).await,
            1 => ask_without_right(&socket, &blob, &done).await,
            2 => trickle(&socket, &done).await,
            _ => stall(&socket, &blob, &done).await,
        };
    }
}

/// Begins logins, and never ends one.
async fn guess(socket: &Path, done: &Flood) -> std::io::Result<()> {
    let mut connection = Connection::over(UnixStream::connect(socket).await?);
    let (_, start) = User::new(Token::from_bytes(random())).login();
    for _ in 0..100 {
        let start = LoginStart { account: AccountId::from_bytes(random()), request: start.request };
        let answer = connection.post("/v1/login/1", None, &start).await;
        assert_eq!(answer.status(), 200);
        done.logins.fetch_add(1, Ordering::Relaxed);
    }
    Ok(())
}

/// Begins uploads without the write key.
async fn ask_without_right(socket: &Path, blob: &TestBlob, done: &Flood) -> std::io::Result<()> {
    let mut connection = Connection::over(UnixStream::connect(socket).await?);
    let bytes = request("PUT", &blob.path("/0"), Some(&blob.reading()), &blob.chunks[0]);
    connection.send(&bytes[..1_000]).await;
    if connection.answer().await.is_some_and(|answer| answer.status() == 404) {
        done.refusals.fetch_add(1, Ordering::Relaxed);
    }
    Ok(())
}

/// Sends a head byte by byte.
async fn trickle(socket: &Path, done: &Flood) -> std::io::Result<()> {
    let mut stream = UnixStream::connect(socket).await?;
    for _ in 0..10 {
        stream.write_all(b"G").await?;
        done.trickled.fetch_add(1, Ordering::Relaxed);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Ok(())
}

/// Has the right to read, asks for a large chunk and takes next to nothing of it.
async fn stall(socket: &Path, blob: &TestBlob, done: &Flood) -> std::io::Result<()> {
    let mut stream = UnixStream::connect(socket).await?;
    stream.write_all(&request("GET", &blob.path("/0"), Some(&blob.reading()), &[])).await?;
    stream.read_exact(&mut [0; 100]).await?;
    done.stalled.fetch_add(1, Ordering::Relaxed);
    tokio::time::sleep(Duration::from_secs(5)).await;
    Ok(())
}

/// Checks that no client of a class did much worse than the mean, and says how they did.
fn judge(class: &str, counts: &[usize]) -> String {
    let (slowest, total): (usize, usize) = (*counts.iter().min().unwrap(), counts.iter().sum());
    let mean = total / counts.len();
    assert!(mean >= 2, "{class}: too few to compare");
    assert!(slowest * 2 >= mean, "{class}: the slowest had {slowest}, the mean is {mean}");
    format!("{class}: {total} chunks in {TIME:?} by {} clients, mean {mean}, slowest {slowest}", counts.len())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_small_and_twenty_large_downloads_beside_a_flood_are_served_alike() {
    // Room for fewer large answers than are asked for by honest and hostile clients together.
    let limits = HttpLimits {
        answer_memory: 32 << 20,
        pressed_after: Duration::from_secs(1),
        pressed_pause: Duration::from_millis(100),
        ..HttpLimits::default()
    };
    let (worker, socket, _end, _serving) = on_sockets(limits).await;
    let (small, large) = (stored(&worker, TestBlob::new(1)).await, stored(&worker, TestBlob::new(4)).await);
    let (over, done) = (Arc::new(AtomicBool::new(false)), Arc::new(Flood::default()));

    let mut hostile = JoinSet::new();
    for kind in (0..4).flat_map(|kind| [kind; HOSTILE]) {
        let (blob, done) = (Arc::clone(&large), Arc::clone(&done));
        hostile.spawn(flood(kind, socket.clone(), blob, done, Arc::clone(&over)));
    }
    let begin = |blob: &Arc<TestBlob>, count: usize| {
        let clients =
            (0..count).map(|_| tokio::spawn(download(socket.clone(), Arc::clone(blob), Arc::clone(&over))));
        clients.collect::<Vec<_>>()
    };
    let (small, large) = (begin(&small, SMALL), begin(&large, LARGE));
    tokio::time::sleep(TIME).await;
    over.store(true, Ordering::Relaxed);
    let mut counts = Vec::new();
    for client in small.into_iter().chain(large) {
        counts.push(client.await.expect("no honest client sees an error"));
    }
    hostile.abort_all();
    let Flood { logins, refusals, trickled, stalled } = &*done;
    let flood = [logins, refusals, trickled, stalled].map(|count| count.load(Ordering::Relaxed));
    println!(
        "flood: {} logins begun, {} uploads refused, {} bytes trickled, {} readers stalled",
        flood[0], flood[1], flood[2], flood[3]
    );
    assert!(flood.iter().all(|count| *count >= HOSTILE), "the flood reached the worker: {flood:?}");
    println!("{}\n{}", judge("small", &counts[..SMALL]), judge("large", &counts[SMALL..]));
}

/// A guesser who never stops: what it costs others, and the relay, is a refusal that looks at one place in memory.
#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_logins_on_one_account_does_not_slow_others() {
    const ROUNDS: usize = 6;
    const PROBES: usize = 50;
    let worker = Arc::new(Worker::start().await);
    let mut connection = worker.connect();
    let victim = worker.user(&mut connection).await;
    let mut medians = [Vec::new(), Vec::new()];
    let mut refused = 0;
    for round in 0..ROUNDS * 2 {
        let flooded = round % 2 == 1;
        let (stop, mut floods) = (Arc::new(AtomicBool::new(false)), JoinSet::new());
        for _ in 0..if flooded { 4 } else { 0 } {
            let (worker, stop) = (Arc::clone(&worker), Arc::clone(&stop));
            let start = victim.login().1;
            floods.spawn(async move {
                let mut refused = 0;
                // 500 requests in a second in all: more than onion circuits bring.
                let mut ticks = tokio::time::interval(Duration::from_millis(8));
                while !stop.load(Ordering::Relaxed) {
                    ticks.tick().await;
                    // A refusal ends the connection.
                    let answer = worker.connect().post("/v1/login/1", None, &start).await;
                    refused += u32::from(answer.status() == 429);
                }
                refused
            });
        }
        let mut times = Vec::with_capacity(PROBES);
        for _ in 0..PROBES {
            let other = User { account: AccountId::from_bytes(random()), ..worker.stranger(&victim) };
            let start = other.login().1;
            let began = Instant::now();
            connection.post("/v1/login/1", None, &start).await.success();
            times.push(began.elapsed());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        stop.store(true, Ordering::Relaxed);
        while let Some(flood) = floods.join_next().await {
            refused += flood.unwrap();
        }
        times.sort_unstable();
        medians[usize::from(flooded)].push(times[PROBES / 2]);
    }
    let [alone, flooded] = medians.map(|mut medians| {
        medians.sort_unstable();
        medians[ROUNDS / 2]
    });
    eprintln!("a login begins in {alone:?} alone, in {flooded:?} beside {refused} refused ones");
    assert!(refused > 100, "there is a flood");
    assert!(flooded < alone * 3 + Duration::from_millis(2), "{flooded:?} against {alone:?}");
}
