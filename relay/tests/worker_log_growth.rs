//! Growth of logs at a worker: what is paid for is appended, and who may not hear of payment does not.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod worker_support;

use nightdrop_wire::{
    authorization::Authorization,
    codec,
    denomination::Denomination,
    ids::SpaceId,
    messages::{
        credit::Credit,
        log::{Append, GrowLog, LogRoom},
    },
    price,
    token::Token,
};
use worker_support::{TestLog, Worker, entries, random, request};

const REFUSED: &str = "HTTP/1.1 404 Not Found\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
const CONFLICT: &str = "HTTP/1.1 409 Conflict\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
const UNPAID: &str = "HTTP/1.1 402 Payment Required\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";

/// A log of one unit, of which half is taken, and small credits.
async fn half_full(worker: &Worker) -> (TestLog, Vec<Credit>) {
    let mut connection = worker.connect();
    let user = worker.user(&mut connection).await;
    let mut credits = user.credits_worth(&mut connection, Denomination::Smallest, 8).await;
    let mut log = TestLog::new();
    connection.post("/v1/logs", None, &log.create(credits.remove(0))).await.success();
    let append = log.append(entries(30, 512));
    connection.post(&log.path(""), Some(&log.appending()), &append).await.success();
    (log, credits)
}

async fn head_of(worker: &Worker, path: &str, shown: Option<&Authorization>, body: &[u8]) -> String {
    let answer = worker.connect().request("POST", path, shown, body).await;
    assert!(answer.body.is_empty());
    answer.head
}

async fn room(worker: &Worker, log: &TestLog) -> LogRoom {
    log.page(&mut worker.connect(), 0).await.room
}

fn grow(held: u32, paid: u32, payment: &[Credit]) -> Vec<u8> {
    codec::encode(&GrowLog { held, paid, payment: payment.to_vec() }).unwrap()
}

#[tokio::test]
async fn an_append_beyond_what_is_paid_is_told_so_to_its_writer_alone_and_goes_on_after_growth() {
    let worker = Worker::start().await;
    let (mut log, credits) = half_full(&worker).await;
    let append = codec::encode(&Append { expected: log.head(), entries: entries(30, 512) }).unwrap();
    let (path, shown) = (log.path(""), log.appending());
    let made_up = Authorization::Bearer(Token::from_bytes(random()));
    let unknown = format!("/v1/logs/{}", SpaceId::from_bytes(random()));
    for (why, path, shown, head) in [
        ("its writer", &path, Some(&shown), UNPAID),
        ("a made-up token", &path, Some(&made_up), REFUSED),
        ("the read token", &path, Some(&log.reading()), REFUSED),
        ("no token", &path, None, REFUSED),
        ("no such log", &unknown, Some(&shown), REFUSED),
    ] {
        assert_eq!(head_of(&worker, path, shown, &append).await, head, "{why}");
    }
    let stale = Append { expected: TestLog::new().head(), entries: entries(30, 512) };
    assert_eq!(head_of(&worker, &path, Some(&shown), &codec::encode(&stale).unwrap()).await, CONFLICT);
    assert_eq!(room(&worker, &log).await, LogRoom { paid: 1, taken: 31 * price::of_entry(512) });

    worker
        .connect()
        .request("POST", &log.path("/grow"), Some(&shown), &grow(1, 2, &credits[..1]))
        .await
        .success();
    worker.connect().request("POST", &path, Some(&shown), &append).await.success();
    let more: Append = codec::decode(&append).unwrap();
    log.append(more.entries);
    assert_eq!(room(&worker, &log).await, LogRoom { paid: 2, taken: 61 * price::of_entry(512) });
    assert_eq!(log.page(&mut worker.connect(), 0).await.head, log.head());
}

#[tokio::test]
async fn every_refusal_of_a_growth_is_the_same_and_spends_nothing() {
    let worker = Worker::start().await;
    let (log, credits) = half_full(&worker).await;
    let (path, shown) = (log.path("/grow"), log.appending());
    let good = grow(1, 3, &credits[..2]);
    let made_up = Authorization::Bearer(Token::from_bytes(random()));
    let unknown = format!("/v1/logs/{}/grow", SpaceId::from_bytes(random()));
    let forged = Credit::new(Denomination::Small, credits[0].expires(), random(), random());
    for (why, path, shown, body) in [
        ("a made-up token", &path, Some(&made_up), good.clone()),
        ("the read token", &path, Some(&log.reading()), good.clone()),
        ("no token", &path, None, good.clone()),
        ("no such log", &unknown, Some(&shown), good.clone()),
        ("too little", &path, Some(&shown), grow(1, 4, &credits[..2])),
        ("too much", &path, Some(&shown), grow(1, 2, &credits[..2])),
        ("one twice", &path, Some(&shown), grow(1, 3, &vec![credits[0].clone(); 2])),
        ("a forged credit", &path, Some(&shown), grow(1, 3, &[forged])),
        ("longer than any", &path, Some(&shown), grow(1, price::LONGEST_LOG + 1, &credits[..2])),
        ("a trailing byte", &path, Some(&shown), [good.as_slice(), &[0]].concat()),
        ("truncated", &path, Some(&shown), good[..good.len() - 1].to_vec()),
    ] {
        assert_eq!(head_of(&worker, path, shown, &body).await, REFUSED, "{why}");
    }
    assert_eq!(
        head_of(&worker, &path, Some(&shown), &grow(2, 3, &credits[..1])).await,
        CONFLICT,
        "another sum"
    );
    assert_eq!(room(&worker, &log).await.paid, 1);
    worker.connect().request("POST", &path, Some(&shown), &good).await.success();
    assert_eq!(room(&worker, &log).await.paid, 3);
    assert_eq!(head_of(&worker, &path, Some(&shown), &grow(3, 5, &credits[..2])).await, REFUSED, "spent");
}

#[tokio::test]
async fn a_growth_whose_answer_was_lost_may_be_sent_again_and_pays_once() {
    let worker = Worker::start().await;
    let (log, credits) = half_full(&worker).await;
    let (path, shown, body) = (log.path("/grow"), log.appending(), grow(1, 4, &credits[..3]));
    let mut broken = worker.connect();
    broken.send(&request("POST", &path, Some(&shown), &body)).await;
    drop(broken);
    for _ in 0..2 {
        worker.connect().request("POST", &path, Some(&shown), &body).await.success();
    }
    assert_eq!(room(&worker, &log).await.paid, 4);
    worker.connect().request("POST", &path, Some(&shown), &grow(4, 8, &credits[3..7])).await.success();
    assert_eq!(room(&worker, &log).await.paid, 8, "no more was spent than was needed");
}
