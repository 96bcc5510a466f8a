//! Refusals: one and the same, before anything is read, and nothing that tells one relay from another.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod worker_support;

use nightdrop_wire::{
    authorization::Authorization, codec, endpoint::ENDPOINTS, ids::BlobId, size_class::SizeClass,
    token::Token,
};
use worker_support::{TestBlob, Worker, fetch, random, request};

const REFUSED: &str = "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n";
const REFUSED_AND_LAST: &str = "HTTP/1.1 404 Not Found\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";

async fn stored_blob(worker: &Worker) -> TestBlob {
    let mut connection = worker.connect();
    let user = worker.user(&mut connection).await;
    let blob = TestBlob::new(1);
    let create = blob.create_whole(user.credits(&mut connection, 1).await.remove(0));
    connection.post("/v1/blobs", None, &create).await.success();
    blob
}

#[tokio::test]
async fn every_refused_read_is_the_same_bytes_on_a_connection_that_goes_on() {
    let worker = Worker::start().await;
    let blob = stored_blob(&worker).await;
    let mut connection = worker.connect();
    let good = blob.reading();
    connection.get(&blob.path("/0"), &good).await.success();
    let unknown = BlobId::from_bytes(random());
    let wrong = Authorization::Bearer(Token::from_bytes(random()));
    let header = |value: &str| {
        format!("GET {} HTTP/1.1\r\nauthorization: {value}\r\n\r\n", blob.path("/0")).into_bytes()
    };
    for (why, bytes) in [
        ("unknown blob", request("GET", &format!("/v1/blobs/{unknown}/0"), Some(&good), &[])),
        ("wrong token", request("GET", &blob.path("/0"), Some(&wrong), &[])),
        ("write key", request("GET", &blob.path("/0"), Some(&blob.writing()), &[])),
        ("no token", request("GET", &blob.path("/0"), None, &[])),
        ("malformed token", header("Bearer x")),
        ("two tokens", header("Bearer a\r\nauthorization: Bearer b")),
        ("no such chunk", request("GET", &blob.path("/1"), Some(&good), &[])),
        ("malformed id", request("GET", "/v1/blobs/xyz/0", Some(&good), &[])),
        ("unknown path", request("GET", "/v1/nothing", Some(&good), &[])),
        ("root", request("GET", "/", None, &[])),
        ("query", request("GET", &blob.path("/0?"), Some(&good), &[])),
        ("absolute form", request("GET", &format!("http://host{}", blob.path("/0")), Some(&good), &[])),
        ("other method", request("PATCH", &blob.path("/0"), Some(&good), &[])),
        ("upgrade", header(&format!("{}\r\nupgrade: h2c", *good.to_header()))),
        ("unknown ticket", request("GET", "/v1/tickets/00000000000000000000000000", Some(&good), &[])),
        ("unknown session", request("DELETE", "/v1/sessions", Some(&good), &[])),
        ("destroying by reader", request("DELETE", &blob.path(""), Some(&good), &[])),
    ] {
        let answer = connection.exchange(&bytes).await;
        assert_eq!((answer.head.as_str(), answer.body.len()), (REFUSED, 0), "{why}");
    }
    assert_eq!(connection.get(&blob.path("/0"), &good).await.success(), blob.chunks[0]);
}

#[tokio::test]
async fn every_refused_write_is_the_same_bytes_and_the_last() {
    let worker = Worker::start().await;
    let blob = stored_blob(&worker).await;
    let chunk = &blob.chunks[0];
    let key = blob.writing();
    let put = |path: &str, key: &Authorization, body: &[u8]| request("PUT", path, Some(key), body);
    worker.connect().exchange(&put(&blob.path("/0"), &key, chunk)).await.success();

    let unknown = format!("/v1/blobs/{}/0", BlobId::from_bytes(random()));
    let with = |header: &str| {
        let head = format!("PUT {} HTTP/1.1\r\nauthorization: {}\r\n", blob.path("/0"), *key.to_header());
        [head.as_bytes(), header.as_bytes(), b"\r\n\r\n", chunk].concat()
    };
    let length = chunk.len();
    let chunked = [with("transfer-encoding: chunked"), b"0\r\n\r\n".to_vec()].concat();
    for (why, bytes) in [
        ("unknown blob", put(&unknown, &key, chunk)),
        ("reader's token", put(&blob.path("/0"), &blob.reading(), chunk)),
        ("malformed id", put("/v1/blobs/xyz/0", &key, chunk)),
        ("non-canonical index", put(&blob.path("/00"), &key, chunk)),
        ("index beyond every blob", put(&blob.path("/16384"), &key, chunk)),
        ("unknown path", put("/v1/nothing", &key, chunk)),
        ("size of no class", put(&blob.path("/0"), &key, &chunk[1..])),
        ("a body where none belongs", request("GET", &blob.path("/0"), Some(&blob.reading()), b"x")),
        ("expectation", with(&format!("expect: 100-continue\r\ncontent-length: {length}"))),
        ("chunked body", chunked),
    ] {
        let mut connection = worker.connect();
        let answer = connection.exchange(&bytes).await;
        assert_eq!((answer.head.as_str(), answer.body.len()), (REFUSED_AND_LAST, 0), "{why}");
        assert!(connection.is_ended().await, "{why}");
    }
    // The blob has one chunk: to its owner that is a conflict, and no secret.
    assert_eq!(worker.connect().exchange(&put(&blob.path("/1"), &key, chunk)).await.status(), 409);
}

#[tokio::test]
async fn bodies_in_another_form_than_the_canonical_one_are_refused() {
    let worker = Worker::start().await;
    let mut connection = worker.connect();
    let user = worker.user(&mut connection).await;
    let good = codec::encode(&fetch(1)).unwrap();
    assert_eq!((good.len(), good[4]), (4 + 1 + 1 + 1 + 32, 1));
    let with = |length: &[u8], end: &[u8]| [&good[..4], length, &good[5..], end].concat();
    let shown = user.shown();
    connection.request("POST", "/v1/credits", Some(&shown), &good).await.success();
    for (why, body) in [
        ("trailing byte", with(&[1], &[0])),
        ("over-long number", with(&[0x81, 0], &[])),
        ("truncated", good[..38].to_vec()),
    ] {
        let answer = worker.connect().request("POST", "/v1/credits", Some(&shown), &body).await;
        assert_eq!(answer.head, REFUSED_AND_LAST, "{why}");
    }
    let none = format!("POST /v1/credits HTTP/1.1\r\nauthorization: {}\r\n\r\n", *shown.to_header());
    assert_eq!(worker.connect().exchange(none.as_bytes()).await.head, REFUSED, "no length");
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused_before_a_byte_of_it_is_sent() {
    let worker = Worker::start().await;
    let blob = stored_blob(&worker).await;
    let key = blob.writing().to_header();
    let full = SizeClass::FULL.sealed();
    let head = |length: &str| {
        let path = blob.path("/0");
        format!("PUT {path} HTTP/1.1\r\nauthorization: {}\r\ncontent-length: {length}\r\n\r\n", *key)
    };
    for length in ["4294967296".to_owned(), i64::MAX.to_string(), (full + 1).to_string()] {
        let mut connection = worker.connect();
        assert_eq!(connection.exchange(head(&length).as_bytes()).await.head, REFUSED_AND_LAST, "{length}");
        assert!(connection.is_ended().await, "{length}");
    }
    // Not a number to hyper, which refuses it by itself.
    let mut connection = worker.connect();
    assert_eq!(connection.exchange(head(&u64::MAX.to_string()).as_bytes()).await.status(), 431);
    assert!(connection.is_ended().await);
    for row in ENDPOINTS.iter().filter(|row| row.max_body > 0) {
        let (short, long) = ("0".repeat(26), "0".repeat(52));
        let path = row.path.replace("{blob}", &short).replace("{ticket}", &short).replace("{n}", "0");
        let path = path.replace("{space}", &long);
        let head = format!("{} {path} HTTP/1.1\r\ncontent-length: {}\r\n\r\n", row.method, row.max_body + 1);
        let mut connection = worker.connect();
        assert_eq!(connection.exchange(head.as_bytes()).await.head, REFUSED_AND_LAST, "{path}");
        assert!(connection.is_ended().await, "{path}");
    }
}

#[tokio::test]
async fn answers_carry_no_header_but_their_length() {
    let worker = Worker::start().await;
    let blob = stored_blob(&worker).await;
    let mut connection = worker.connect();
    let answer = connection.get(&blob.path("/0"), &blob.reading()).await;
    assert_eq!(answer.head, format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", blob.chunks[0].len()));
    let answer = connection.get("/nothing", &blob.reading()).await;
    assert_eq!(answer.headers(), [("content-length", "0")]);
    let user = worker.user(&mut connection).await;
    let answer = connection.post("/v1/credits", Some(&user.shown()), &fetch(1)).await;
    assert_eq!(answer.headers().len(), 1);
}

#[tokio::test]
async fn what_is_not_http_ends_without_a_banner() {
    let worker = Worker::start().await;
    let many: String = (0..17).map(|n| format!("x-{n}: 1\r\n")).collect();
    for (why, bytes) in [
        ("noise", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 noise\r\n\r\n".to_vec()),
        ("too many headers", format!("GET / HTTP/1.1\r\n{many}\r\n").into_bytes()),
        ("a head too long", format!("GET / HTTP/1.1\r\nx: {}\r\n\r\n", "a".repeat(9_000)).into_bytes()),
        (
            "two lengths",
            b"POST /v1/credits HTTP/1.1\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n".to_vec(),
        ),
    ] {
        let mut connection = worker.connect();
        let answer = connection.exchange(&bytes).await;
        assert!(answer.status() >= 400 && answer.body.is_empty(), "{why}: {}", answer.head);
        for (name, _) in answer.headers() {
            assert!(["content-length", "connection"].contains(&name), "{why}: {name}");
        }
        assert!(connection.is_ended().await, "{why}");
    }
    let mut connection = worker.connect();
    assert_eq!(connection.exchange(b"GET / HTTP/1.1\r\n\r\n").await.head, REFUSED);
}

#[tokio::test]
async fn an_older_version_of_http_is_refused() {
    let worker = Worker::start().await;
    let blob = stored_blob(&worker).await;
    let ask = |version: &str| {
        let shown = blob.reading().to_header();
        format!("GET {} {version}\r\nauthorization: {}\r\n\r\n", blob.path("/0"), *shown)
    };
    assert_eq!(worker.connect().exchange(ask("HTTP/1.1").as_bytes()).await.status(), 200);
    let mut connection = worker.connect();
    assert_eq!(connection.exchange(ask("HTTP/1.0").as_bytes()).await.status(), 404);
    assert!(connection.is_ended().await);
}
