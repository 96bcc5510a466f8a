//! Logs and the end of tickets at a worker: what a client does, and how it is refused.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod worker_support;

use nightdrop_relay::worker::Plane;
use nightdrop_wire::{
    authorization::Authorization,
    codec,
    denomination::Denomination,
    ids::{SpaceId, TicketId},
    limits::{MAX_ENTRIES, MAX_ENTRIES_BODY},
    messages::{
        credit::Credit,
        log::{Append, CreateLog, LogHead},
    },
    token::Token,
};
use tokio::io::DuplexStream;
use worker_support::{Connection, TODAY, TestBlob, TestLog, Worker, connect, entries, random, request};

const REFUSED: &str = "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n";
const REFUSED_AND_LAST: &str = "HTTP/1.1 404 Not Found\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
const CONFLICT_AND_LAST: &str = "HTTP/1.1 409 Conflict\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";

async fn credits(worker: &Worker, count: u16) -> Vec<Credit> {
    let mut connection = worker.connect();
    worker.user(&mut connection).await.credits(&mut connection, count).await
}

async fn stored_log(worker: &Worker) -> TestLog {
    let log = TestLog::new();
    let create = log.create(credits(worker, 1).await.remove(0));
    assert!(worker.connect().post("/v1/logs", None, &create).await.success().is_empty());
    log
}

async fn append(connection: &mut Connection<DuplexStream>, log: &TestLog, message: &Append) -> u16 {
    connection.post(&log.path(""), Some(&log.appending()), message).await.status()
}

async fn is_whole(worker: &Worker, log: &TestLog) {
    let (mut connection, mut read) = (worker.connect(), Vec::new());
    loop {
        let page = log.page(&mut connection, u64::try_from(read.len()).unwrap()).await;
        assert_eq!(page.head, log.head());
        if page.entries.is_empty() {
            break;
        }
        read.extend(page.entries);
    }
    assert!(read == log.entries, "the entries are those that were given");
}

#[tokio::test]
async fn a_log_is_made_appended_to_and_read() {
    let worker = Worker::start().await;
    let mut log = stored_log(&worker).await;
    let mut connection = worker.connect();
    for (count, size) in [(1, 512), (MAX_ENTRIES, 1024), (3, 4096)] {
        let message = log.append(entries(count, size));
        assert_eq!(append(&mut connection, &log, &message).await, 200);
        is_whole(&worker, &log).await;
    }
    let end = log.page(&mut connection, log.head().count).await;
    assert_eq!((end.head, end.entries.len()), (log.head(), 0));
    let far = log.page(&mut connection, u64::MAX).await;
    assert_eq!((far.head, far.entries.len()), (log.head(), 0));
}

#[tokio::test]
async fn requests_whose_answer_was_lost_may_be_sent_again() {
    let worker = Worker::start().await;
    let mut log = TestLog::new();
    let create = log.create(credits(&worker, 1).await.remove(0));
    let lost = log.append(entries(5, 512));
    let more = log.append(entries(2, 512));
    let (space, shown) = (log.path(""), log.appending());
    for (path, shown, body) in [
        ("/v1/logs", None, codec::encode(&create).unwrap()),
        (space.as_str(), Some(&shown), codec::encode(&lost).unwrap()),
        (space.as_str(), Some(&shown), codec::encode(&more).unwrap()),
    ] {
        // The first connection ends before the answer is read.
        let mut broken = worker.connect();
        broken.send(&request("POST", path, shown, &body)).await;
        drop(broken);
        for _ in 0..2 {
            worker.connect().request("POST", path, shown, &body).await.success();
        }
    }
    assert_eq!(append(&mut worker.connect(), &log, &lost).await, 200, "others stand behind it");
    worker.connect().post("/v1/logs", None, &create).await.success();
    is_whole(&worker, &log).await;
}

#[tokio::test]
async fn every_refusal_is_the_same_and_changes_nothing() {
    let worker = Worker::start().await;
    let (mut log, other) = (stored_log(&worker).await, stored_log(&worker).await);
    let good = Append { expected: log.head(), entries: entries(2, 512) };
    let with = |entries| codec::encode(&Append { entries, ..good.clone() }).unwrap();
    let body = codec::encode(&good).unwrap();
    let (token, path) = (log.appending(), log.path(""));
    let unknown = format!("/v1/logs/{}", SpaceId::from_bytes(random()));
    let made_up = Authorization::Bearer(Token::from_bytes(random()));
    let ticket = Authorization::Ticket(TicketId::from_bytes(random()), log.append_token.clone());
    for (why, path, shown, body) in [
        ("unknown log", &unknown, Some(&token), body.clone()),
        ("made-up token", &path, Some(&made_up), body.clone()),
        ("read token", &path, Some(&log.reading()), body.clone()),
        ("another log's token", &path, Some(&other.appending()), body.clone()),
        ("no token", &path, None, body.clone()),
        ("shown as a ticket", &path, Some(&ticket), body.clone()),
        ("no entries", &path, Some(&token), with(Vec::new())),
        ("an entry of no size", &path, Some(&token), with(entries(1, 700))),
        ("too many entries", &path, Some(&token), with(entries(MAX_ENTRIES + 1, 512))),
        ("more bytes than fit", &path, Some(&token), with(entries(MAX_ENTRIES, 2048))),
        ("trailing byte", &path, Some(&token), [body.as_slice(), &[0]].concat()),
        ("truncated", &path, Some(&token), body[..body.len() - 1].to_vec()),
        ("empty", &path, Some(&token), Vec::new()),
    ] {
        let mut connection = worker.connect();
        let answer = connection.request("POST", path, shown, &body).await;
        // A request without a body leaves nothing unread behind.
        let expected = if body.is_empty() { REFUSED } else { REFUSED_AND_LAST };
        assert_eq!((answer.head.as_str(), answer.body.len()), (expected, 0), "{why}");
    }
    let mut connection = worker.connect();
    for (why, path, shown) in [
        ("unknown log", format!("{unknown}/0"), Some(&log.reading())),
        ("made-up token", log.path("/0"), Some(&made_up)),
        ("append token", log.path("/0"), Some(&token)),
        ("another log's token", log.path("/0"), Some(&other.reading())),
        ("no token", log.path("/0"), None),
        ("shown as a ticket", log.path("/0"), Some(&ticket)),
        ("beyond the end, made-up token", log.path("/7"), Some(&made_up)),
        ("non-canonical number", log.path("/00"), Some(&log.reading())),
        ("no number", log.path("/"), Some(&log.reading())),
        ("a number that is none", log.path("/18446744073709551616"), Some(&log.reading())),
    ] {
        let answer = connection.request("GET", &path, shown, &[]).await;
        assert_eq!((answer.head.as_str(), answer.body.len()), (REFUSED, 0), "{why}");
    }
    is_whole(&worker, &log).await;
    let message = log.append(good.entries);
    assert_eq!(append(&mut connection, &log, &message).await, 200);
    is_whole(&worker, &log).await;
    is_whole(&worker, &other).await;
}

#[tokio::test]
async fn creations_that_may_not_be_are_refused_and_spend_nothing() {
    let worker = Worker::start().await;
    let taken = stored_log(&worker).await;
    let (log, credit) = (TestLog::new(), credits(&worker, 1).await.remove(0));
    let good = log.create(credit);
    let made_up = Credit::new(Denomination::Large, TODAY, random(), random());
    for (why, bad) in [
        ("a made-up credit", CreateLog { payment: vec![made_up], ..good.clone() }),
        ("no entries", CreateLog { entries: Vec::new(), ..good.clone() }),
        ("an entry of no size", CreateLog { entries: entries(1, 1), ..good.clone() }),
        ("too many entries", CreateLog { entries: entries(MAX_ENTRIES + 1, 512), ..good.clone() }),
    ] {
        let answer = worker.connect().post("/v1/logs", None, &bad).await;
        assert_eq!((answer.head.as_str(), answer.body.len()), (REFUSED_AND_LAST, 0), "{why}");
    }
    // Whoever can pay is told that the id is taken, as with blobs, and has not paid.
    let taken_id = CreateLog { space: taken.space, ..good.clone() };
    assert_eq!(worker.connect().post("/v1/logs", None, &taken_id).await.status(), 409);
    worker.connect().post("/v1/logs", None, &good).await.success();
    let spent = CreateLog { space: SpaceId::from_bytes(random()), ..good };
    assert_eq!(worker.connect().post("/v1/logs", None, &spent).await.head, REFUSED_AND_LAST, "spent");
    is_whole(&worker, &log).await;
    is_whole(&worker, &taken).await;
}

#[tokio::test]
async fn to_a_writer_another_head_is_a_conflict() {
    let worker = Worker::start().await;
    let mut log = stored_log(&worker).await;
    let message = log.append(entries(1, 512));
    assert_eq!(append(&mut worker.connect(), &log, &message).await, 200);
    let head = log.head();
    for (why, expected) in [
        ("an older head", message.expected),
        ("another hash", LogHead { hash: random(), ..head }),
        ("another count", LogHead { count: u64::MAX, ..head }),
    ] {
        let stale = Append { expected, entries: entries(1, 512) };
        let answer = worker.connect().post(&log.path(""), Some(&log.appending()), &stale).await;
        assert_eq!((answer.head.as_str(), answer.body.len()), (CONFLICT_AND_LAST, 0), "{why}");
    }
    is_whole(&worker, &log).await;
}

#[tokio::test]
async fn of_sixteen_racing_appends_one_wins_and_the_others_succeed_behind_it() {
    let worker = Worker::start().await;
    let log = stored_log(&worker).await;
    let expected = log.head();
    let rivals: Vec<_> = (0..16).map(|_| Append { expected, entries: entries(3, 512) }).collect();
    let races: Vec<_> = rivals
        .iter()
        .map(|message| {
            let (mut connection, log, message) = (worker.connect(), log.clone(), message.clone());
            tokio::spawn(async move { append(&mut connection, &log, &message).await })
        })
        .collect();
    let mut statuses = Vec::new();
    for race in races {
        statuses.push(race.await.unwrap());
    }
    let mut sorted = statuses.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, [[200].as_slice(), &[409; 15]].concat());
    for (message, status) in rivals.iter().zip(statuses) {
        if status == 409 {
            let mut connection = worker.connect();
            let expected = log.page(&mut connection, u64::MAX).await.head;
            let again = Append { expected, ..message.clone() };
            assert_eq!(append(&mut connection, &log, &again).await, 200);
        }
    }
    let stored = log.page(&mut worker.connect(), 0).await.entries;
    assert_eq!(stored.len(), 1 + 16 * 3);
    for message in &rivals {
        assert_eq!(stored.windows(3).filter(|run| *run == message.entries).count(), 1, "in one piece");
    }
    is_whole(&worker, &TestLog { entries: stored, ..log }).await;
}

#[tokio::test]
async fn two_writers_lose_nothing() {
    let worker = Worker::start().await;
    let log = stored_log(&worker).await;
    let writers: Vec<_> = (0..2)
        .map(|_| {
            let (mut connection, log, mine) = (worker.connect(), log.clone(), entries(200, 512));
            let connections = worker.connections.clone();
            tokio::spawn(async move {
                let mut expected = log.head();
                for entry in &mine {
                    loop {
                        let message = Append { expected, entries: vec![entry.clone()] };
                        let status = append(&mut connection, &log, &message).await;
                        if status == 409 {
                            // The connection ends with a refusal of a request that has a body.
                            connection = connect(&connections, Plane::Public, 64 * 1024);
                        }
                        expected = log.page(&mut connection, u64::MAX).await.head;
                        match status {
                            200 => break,
                            409 => {}
                            other => panic!("{other}"),
                        }
                    }
                }
                mine
            })
        })
        .collect();
    let mut written = Vec::new();
    for writer in writers {
        written.push(writer.await.unwrap());
    }
    let (mut stored, mut connection) = (Vec::new(), worker.connect());
    while stored.len() < 401 {
        let page = log.page(&mut connection, u64::try_from(stored.len()).unwrap()).await;
        assert!(!page.entries.is_empty());
        stored.extend(page.entries);
    }
    for mine in &written {
        let kept: Vec<_> = stored.iter().filter(|entry| mine.contains(entry)).collect();
        assert!(kept.iter().copied().eq(mine), "all of a writer's entries, in its order");
    }
    is_whole(&worker, &TestLog { entries: stored, ..log }).await;
}

#[tokio::test]
async fn a_page_is_within_its_limit() {
    let worker = Worker::start().await;
    let mut log = stored_log(&worker).await;
    let mut connection = worker.connect();
    for size in [4096, 1024, 512] {
        for _ in 0..4 {
            let message = log.append(entries(64, size));
            assert_eq!(append(&mut connection, &log, &message).await, 200);
        }
    }
    for from in [0, 1, 100, 300, 600, 768] {
        let page = connection.get(&log.path(&format!("/{from}")), &log.reading()).await.success();
        assert!(page.len() <= MAX_ENTRIES_BODY, "{} bytes from {from}", page.len());
    }
    assert_eq!(log.page(&mut connection, 257).await.entries.len(), MAX_ENTRIES);
    is_whole(&worker, &log).await;
}

#[tokio::test]
async fn a_ticket_ends_and_its_blob_stays() {
    let worker = Worker::start().await;
    let mut credits = credits(&worker, 2).await;
    let (blob, other) = (TestBlob::new(1), TestBlob::new(1));
    let mut connection = worker.connect();
    for blob in [&blob, &other] {
        let create = blob.create_whole(credits.remove(0));
        connection.post("/v1/blobs", None, &create).await.success();
    }
    let (ended, shown) = blob.ticket();
    let (stays, stays_shown) = blob.ticket();
    for ticket in [&ended, &stays] {
        connection.post("/v1/tickets", Some(&blob.writing()), ticket).await.success();
    }
    let path = format!("/v1/tickets/{}", ended.ticket);
    let nowhere = format!("/v1/tickets/{}", TicketId::from_bytes(random()));
    for (why, path, key) in [
        ("made-up key", &path, &Authorization::Bearer(Token::from_bytes(random()))),
        ("another blob's key", &path, &other.writing()),
        ("the reader", &path, &blob.reading()),
        ("the ticket itself", &path, &shown),
        ("no such ticket", &nowhere, &blob.writing()),
    ] {
        let answer = connection.request("DELETE", path, Some(key), &[]).await;
        assert_eq!((answer.head.as_str(), answer.body.len()), (REFUSED, 0), "{why}");
    }
    assert_eq!(connection.get(&path, &shown).await.success(), ended.envelope);

    assert!(connection.request("DELETE", &path, Some(&blob.writing()), &[]).await.success().is_empty());
    for path in [path.clone(), blob.path("/0"), blob.path("/head")] {
        assert_eq!(connection.get(&path, &shown).await.head, REFUSED, "{path}");
    }
    // Whoever lost the answer is told again, and nobody else.
    connection.request("DELETE", &path, Some(&blob.writing()), &[]).await.success();
    for key in [other.writing(), blob.reading(), shown] {
        assert_eq!(connection.request("DELETE", &path, Some(&key), &[]).await.head, REFUSED, "ended");
    }
    assert_eq!(connection.get(&blob.path("/0"), &stays_shown).await.success(), blob.chunks[0]);
    assert_eq!(connection.get(&blob.path("/0"), &blob.reading()).await.success(), blob.chunks[0]);
    let again = connection.post("/v1/tickets", Some(&blob.writing()), &ended).await;
    assert_eq!(again.head, CONFLICT_AND_LAST, "its id ended");
}
