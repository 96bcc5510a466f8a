//! Peers that are slow, many or endless: each is ended, and the honest one beside it is served.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod worker_support;

use nightdrop_relay::worker::{HttpLimits, Plane};
use nightdrop_wire::{
    authorization::Authorization,
    codec,
    denomination::Denomination,
    messages::{
        blob::{CreateBlob, FinishBlob, WholeBlob},
        credit::Credit,
        log::CreateLog,
    },
    size_class::SizeClass,
    token::Token,
};
use std::time::{Duration, Instant};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::UnixStream,
};
use worker_support::{
    Connection, TODAY, TestBlob, TestLog, Worker, entries, on_sockets, random, random_bytes, request,
};

const SHORT: Duration = Duration::from_millis(300);

fn quick() -> HttpLimits {
    HttpLimits {
        head_time: SHORT,
        idle_time: SHORT * 4,
        body_time: SHORT,
        pace_window: SHORT,
        memory_wait: SHORT,
        ..HttpLimits::default()
    }
}

async fn stored_blob(worker: &Worker) -> TestBlob {
    let mut connection = worker.connect();
    let user = worker.user(&mut connection).await;
    let credit = user.credits(&mut connection, 1).await.remove(0);
    let blob = TestBlob::new(2);
    connection.post("/v1/blobs", None, &blob.create(credit)).await.success();
    for (n, chunk) in blob.chunks.iter().enumerate() {
        let path = blob.path(&format!("/{n}"));
        connection.request("PUT", &path, Some(&blob.writing()), chunk).await.success();
    }
    connection.post(&blob.path("/finish"), Some(&blob.writing()), &blob.finish()).await.success();
    blob
}

/// Sends a byte every 20 ms until the worker ends the connection; tells how long that took.
async fn trickle(connection: &mut Connection<tokio::io::DuplexStream>) -> Duration {
    let start = Instant::now();
    while connection.stream.write_all(b"x").await.is_ok() {
        assert!(start.elapsed() < SHORT * 20, "the worker goes on waiting");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    start.elapsed()
}

#[tokio::test]
async fn a_slow_head_is_ended() {
    let worker = Worker::with_limits(quick()).await;
    let mut connection = worker.connect();
    connection.send(b"GET /v1/").await;
    assert!(trickle(&mut connection).await >= SHORT / 2);
    assert!(connection.answer().await.is_none());
}

/// An honest body passes; one that comes byte by byte is ended.
async fn trickled_body_is_ended(limits: HttpLimits) {
    let worker = Worker::with_limits(limits).await;
    let blob = stored_blob(&worker).await;
    let bytes = request("PUT", &blob.path("/0"), Some(&blob.writing()), &blob.chunks[0]);
    worker.connect().exchange(&bytes).await.success();
    let mut connection = worker.connect();
    connection.send(&bytes[..1_000]).await;
    trickle(&mut connection).await;
    assert!(connection.answer().await.is_none());
}

#[tokio::test]
async fn a_body_is_ended_at_its_deadline() {
    trickled_body_is_ended(HttpLimits { pace_window: Duration::from_secs(600), ..quick() }).await;
}

#[tokio::test]
async fn a_body_that_comes_too_slowly_is_ended_long_before_its_deadline() {
    trickled_body_is_ended(HttpLimits { body_time: Duration::from_secs(600), ..quick() }).await;
}

#[tokio::test]
async fn a_slow_reader_is_ended_and_another_is_served() {
    let worker = Worker::with_limits(quick()).await;
    let blob = stored_blob(&worker).await;
    let mut slow = worker.connect();
    slow.send(&request("GET", &blob.path("/0"), Some(&blob.reading()), &[])).await;
    let mut taken = 0;
    let ended = async {
        loop {
            match slow.stream.read(&mut [0; 100]).await {
                Ok(0) | Err(_) => return taken,
                Ok(count) => taken += count,
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    // What the worker had written when it gave up is still in the pipe, so the reader sees that and then the end.
    let taken = tokio::time::timeout(worker_support::PATIENCE, ended).await.unwrap();
    assert!(taken < SizeClass::FULL.sealed(), "{taken} bytes came");
    assert_eq!(worker.connect().get(&blob.path("/0"), &blob.reading()).await.success(), blob.chunks[0]);
}

#[tokio::test]
async fn an_idle_connection_is_ended_and_a_busy_one_is_not() {
    let worker = Worker::with_limits(quick()).await;
    let blob = stored_blob(&worker).await;
    let (mut idle, mut busy) = (worker.connect(), worker.connect());
    for _ in 0..6 {
        busy.get(&blob.path("/head"), &blob.reading()).await.success();
        tokio::time::sleep(SHORT).await;
    }
    assert!(idle.is_ended().await);
    busy.get(&blob.path("/head"), &blob.reading()).await.success();
}

#[tokio::test]
async fn bodies_share_a_budget_and_what_is_over_it_is_told_to_come_later() {
    let patient = HttpLimits { body_time: SHORT * 8, pace_window: SHORT * 8, ..quick() };
    let limits = HttpLimits { request_memory: 3 << 19, ..patient };
    let worker = Worker::with_limits(limits).await;
    let blob = stored_blob(&worker).await;
    let user = worker.user(&mut worker.connect()).await;
    let bytes = request("PUT", &blob.path("/0"), Some(&blob.writing()), &blob.chunks[0]);
    let mut holder = worker.connect();
    holder.send(&bytes[..1_000]).await;
    tokio::time::sleep(SHORT / 3).await;
    assert_eq!(worker.connect().exchange(&bytes).await.status(), 503);
    // Whoever keeps the room for chunks keeps nobody from logging in.
    let (_, start) = user.login();
    worker.connect().post("/v1/login/1", None, &start).await.success();
    holder.send(&bytes[1_000..]).await;
    holder.answer().await.unwrap().success();
    worker.connect().exchange(&bytes).await.success();
}

/// Reads what comes until the end, at most `piece` bytes after each `pause`.
async fn read_slowly(
    connection: &mut Connection<tokio::io::DuplexStream>,
    piece: usize,
    pause: Duration,
) -> Vec<u8> {
    let (mut taken, mut buffer) = (Vec::new(), vec![0; piece]);
    loop {
        tokio::time::sleep(pause).await;
        match connection.stream.read(&mut buffer).await {
            Ok(0) | Err(_) => return taken,
            Ok(count) => taken.extend_from_slice(&buffer[..count]),
        }
    }
}

#[tokio::test]
async fn an_honest_reader_on_a_very_slow_line_gets_its_chunk_and_a_stalled_one_is_ended() {
    let limits = HttpLimits::default();
    let worker = Worker::with_limits(limits).await;
    let blob = stored_blob(&worker).await;
    let get = request("GET", &blob.path("/0"), Some(&blob.reading()), &[]);
    tokio::time::pause();

    let (mut slow, start) = (worker.connect(), tokio::time::Instant::now());
    slow.send(&get).await;
    let taken = read_slowly(&mut slow, 1_000, Duration::from_secs(1)).await;
    assert!(taken.ends_with(&blob.chunks[0]), "{} bytes came", taken.len());
    assert!(start.elapsed() > limits.idle_time * 4, "a kilobyte a second, then the idle time");

    let mut stalled = worker.connect();
    stalled.send(&get).await;
    stalled.stream.read_exact(&mut vec![0; 100_000]).await.unwrap();
    tokio::time::sleep(limits.pace_window * 2).await;
    let rest = read_slowly(&mut stalled, SizeClass::FULL.sealed(), Duration::ZERO).await;
    assert!(rest.len() <= 64 * 1024, "what was in the pipe: {}", rest.len());
}

#[tokio::test]
async fn strangers_are_refused_before_there_is_room_for_their_bodies() {
    // For one chunk, and not for two.
    let limits = HttpLimits { request_memory: 3 << 19, memory_wait: SHORT, ..HttpLimits::default() };
    let worker = Worker::with_limits(limits).await;
    let blob = stored_blob(&worker).await;
    let stranger = Authorization::Bearer(Token::from_bytes(random()));
    let unpaid = || Credit::new(Denomination::Largest, TODAY, random(), random());
    let whole = WholeBlob {
        chunk: random_bytes(SizeClass::FULL.sealed()),
        manifest: random_bytes(SizeClass::FULL.sealed()),
    };
    let create = |blob: &TestBlob| {
        codec::encode(&CreateBlob { chunks: 1, whole: Some(whole.clone()), ..blob.create(unpaid()) })
    };
    let log = TestLog { entries: entries(20, 1024), ..TestLog::new() };
    let finish = FinishBlob { manifest: whole.manifest.clone(), ..blob.finish() };
    let finish = codec::encode(&finish).unwrap();
    let create_log: CreateLog = log.create(unpaid());
    let mut open = Vec::new();
    for (method, path, body) in [
        ("PUT", blob.path("/0"), blob.chunks[0].clone()),
        ("PUT", TestBlob::new(2).path("/1"), blob.chunks[0].clone()),
        ("POST", blob.path("/finish"), finish),
        ("POST", "/v1/blobs".to_owned(), create(&TestBlob::new(1)).unwrap()),
        ("POST", "/v1/logs".to_owned(), codec::encode(&create_log).unwrap()),
        ("POST", log.path(""), codec::encode(&log.clone().append(entries(20, 1024))).unwrap()),
    ] {
        let shown = (path != "/v1/blobs" && path != "/v1/logs").then_some(&stranger);
        let bytes = request(method, &path, shown, &body);
        let mut connection = worker.connect();
        connection.send(&bytes[..1_000]).await;
        let answer = connection.answer().await.expect("an answer to a body that has not come");
        assert_eq!(answer.status(), 404, "{method} {path}");
        open.push(connection);
    }
    // With the right, the same beginning is waited for, and takes the room.
    let bytes = request("PUT", &blob.path("/0"), Some(&blob.writing()), &blob.chunks[0]);
    let mut owner = worker.connect();
    owner.send(&bytes[..1_000]).await;
    tokio::time::sleep(SHORT / 3).await;
    assert_eq!(worker.connect().exchange(&bytes).await.status(), 503);
    owner.send(&bytes[1_000..]).await;
    owner.answer().await.unwrap().success();
}

#[tokio::test]
async fn a_repeated_creation_passes_though_its_credit_is_spent() {
    let worker = Worker::start().await;
    let mut connection = worker.connect();
    let user = worker.user(&mut connection).await;
    let credit = user.credits(&mut connection, 1).await.remove(0);
    let mut blob = TestBlob::new(1);
    blob.chunks[0] = random_bytes(SizeClass::FULL.sealed());
    let create = blob.create_whole(credit);
    for _ in 0..2 {
        connection.post("/v1/blobs", None, &create).await.success();
    }
    let other = blob.create_whole(create.payment[0].clone());
    let other = CreateBlob { chunks: 1, blob: TestBlob::new(1).id, ..other };
    assert_eq!(connection.post("/v1/blobs", None, &other).await.status(), 404);
}

/// Room for one large body and one large answer, and peers that are ended soon when others wait for it.
fn pressed() -> HttpLimits {
    HttpLimits {
        request_memory: 3 << 19,
        answer_memory: 3 << 19,
        pressed_after: SHORT,
        pressed_pause: SHORT / 10,
        ..HttpLimits::default()
    }
}

#[tokio::test]
async fn a_slow_sender_gives_way_to_who_waits_for_room() {
    let worker = Worker::with_limits(pressed()).await;
    let blob = stored_blob(&worker).await;
    let bytes = request("PUT", &blob.path("/0"), Some(&blob.writing()), &blob.chunks[0]);
    let mut holder = worker.connect();
    holder.send(&bytes[..1_000]).await;
    tokio::time::sleep(SHORT * 3).await;
    holder.send(&bytes[1_000..2_000]).await;
    let start = Instant::now();
    worker.connect().exchange(&bytes).await.success();
    assert!(start.elapsed() < pressed().memory_wait / 2);
    assert!(holder.is_ended().await);
}

#[tokio::test]
async fn a_slow_reader_gives_way_to_who_waits_for_room() {
    let worker = Worker::with_limits(pressed()).await;
    let blob = stored_blob(&worker).await;
    let mut holder = worker.connect_to(Plane::Public, 4 * 1024);
    holder.send(&request("GET", &blob.path("/0"), Some(&blob.reading()), &[])).await;
    holder.stream.read_exact(&mut [0; 100]).await.unwrap();
    let start = Instant::now();
    let chunk = worker.connect().get(&blob.path("/1"), &blob.reading()).await.success();
    assert_eq!(chunk, blob.chunks[1]);
    assert!(start.elapsed() < pressed().memory_wait / 2);
    let rest = read_slowly(&mut holder, SizeClass::FULL.sealed(), Duration::ZERO).await;
    assert!(rest.len() <= 4 * 1024);
}

#[tokio::test]
async fn connections_over_the_limit_are_closed_at_once() {
    let limits = HttpLimits { connections: 2, ..HttpLimits::default() };
    let (_worker, path, _end, _serving) = on_sockets(limits).await;
    let ask = b"GET / HTTP/1.1\r\n\r\n";
    let mut open = Vec::new();
    for _ in 0..2 {
        let mut connection = Connection::over(UnixStream::connect(&path).await.unwrap());
        assert_eq!(connection.exchange(ask).await.status(), 404);
        open.push(connection);
    }
    let mut third = Connection::over(UnixStream::connect(&path).await.unwrap());
    assert!(third.is_ended().await);
    open.pop();
    tokio::time::sleep(SHORT / 3).await;
    let mut fourth = Connection::over(UnixStream::connect(&path).await.unwrap());
    assert_eq!(fourth.exchange(ask).await.status(), 404);
}

#[tokio::test]
async fn the_end_waits_for_what_is_under_way_and_for_no_longer_than_the_grace() {
    let limits = HttpLimits { shutdown_grace: SHORT * 2, ..HttpLimits::default() };
    let (worker, path, end, serving) = on_sockets(limits).await;
    let blob = stored_blob(&worker).await;
    let bytes = request("PUT", &blob.path("/0"), Some(&blob.writing()), &blob.chunks[0]);
    let mut idle = Connection::over(UnixStream::connect(&path).await.unwrap());
    idle.exchange(b"GET / HTTP/1.1\r\n\r\n").await;
    let mut under_way = Connection::over(UnixStream::connect(&path).await.unwrap());
    under_way.send(&bytes[..1_000]).await;
    let mut stuck = Connection::over(UnixStream::connect(&path).await.unwrap());
    stuck.send(&bytes[..1_000]).await;
    tokio::time::sleep(SHORT / 3).await;

    let start = Instant::now();
    end.send(()).unwrap();
    assert!(idle.is_ended().await);
    under_way.send(&bytes[1_000..]).await;
    under_way.answer().await.unwrap().success();
    serving.await.unwrap();
    assert!(start.elapsed() >= SHORT && start.elapsed() < SHORT * 10);
    assert!(stuck.is_ended().await);
}
