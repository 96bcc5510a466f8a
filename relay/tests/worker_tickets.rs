//! Limits of tickets through the worker: what is over is refused like what never was, and the last download goes to one reader.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod worker_support;

use nightdrop_relay::worker::HttpLimits;
use nightdrop_store::{Day, token_hash};
use nightdrop_wire::{
    authorization::Authorization,
    codec,
    ids::TicketId,
    messages::ticket::{CreateTicket, TakeClaim, TicketLimits},
    quarter::QuarterHour,
    token::Token,
};
use std::{num::NonZeroU16, sync::Arc, sync::atomic::Ordering};
use tokio::{
    net::UnixStream,
    sync::Barrier,
    task::{JoinSet, spawn_blocking},
};
use worker_support::{Connection, TestBlob, Worker, on_sockets, random, request};

const REFUSED: &str = "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n";
const REFUSED_AND_LAST: &str = "HTTP/1.1 404 Not Found\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
/// The day of the worker's clock by minutes.
const TODAY: Day = Day(29_000_000 / (24 * 60));

/// A blob that is stored, and what makes its tickets.
struct Shared<'w> {
    worker: &'w Worker,
    blob: TestBlob,
}

impl<'w> Shared<'w> {
    async fn of(worker: &'w Worker) -> Self {
        let mut connection = worker.connect();
        let user = worker.user(&mut connection).await;
        let blob = TestBlob::new(1);
        let create = blob.create_whole(user.credits(&mut connection, 1).await.remove(0));
        connection.post("/v1/blobs", None, &create).await.success();
        Self { worker, blob }
    }

    async fn ticket(&self, ends: Option<QuarterHour>, downloads: u16) -> Ticket {
        let limits = TicketLimits { ends, downloads: NonZeroU16::new(downloads) };
        let (message, shown) = self.blob.ticket();
        let message = CreateTicket { limits, ..message };
        let made = self.worker.connect().post("/v1/tickets", Some(&self.blob.writing()), &message).await;
        made.success();
        let Authorization::Ticket(id, token) = shown else { panic!("a ticket") };
        Ticket { id, token, envelope: message.envelope }
    }
}

#[derive(Clone)]
struct Ticket {
    id: TicketId,
    token: Token,
    envelope: Vec<u8>,
}

impl Ticket {
    /// One that never was.
    fn unknown() -> Self {
        let (id, token) = (TicketId::from_bytes(random()), Token::from_bytes(random()));
        Self { id, token, envelope: Vec::new() }
    }

    fn shown(&self) -> Authorization {
        Authorization::Ticket(self.id, self.token.clone())
    }

    fn with(&self, claim: &Token) -> Authorization {
        Authorization::Claim(self.id, self.token.clone(), claim.clone())
    }

    fn take(&self, claim: &Token) -> Vec<u8> {
        let body = codec::encode(&TakeClaim { claim: token_hash(claim) }).unwrap();
        request("POST", &format!("/v1/tickets/{}/claims", self.id), Some(&self.shown()), &body)
    }
}

#[tokio::test]
async fn a_claim_is_taken_once_and_reads_all() {
    let worker = Worker::start().await;
    let shared = Shared::of(&worker).await;
    let (ticket, claim) = (shared.ticket(None, 1).await, Token::from_bytes(random()));
    let mut connection = worker.connect();
    for _ in 0..2 {
        assert_eq!(connection.exchange(&ticket.take(&claim)).await.success(), ticket.envelope);
        let (head, chunk) = (shared.blob.path("/head"), shared.blob.path("/0"));
        assert_eq!(connection.get(&head, &ticket.with(&claim)).await.success(), shared.blob.manifest);
        assert_eq!(connection.get(&chunk, &ticket.with(&claim)).await.success(), shared.blob.chunks[0]);
    }
    let other = Token::from_bytes(random());
    assert_eq!(worker.connect().exchange(&ticket.take(&other)).await.head, REFUSED_AND_LAST);
    let path = format!("/v1/tickets/{}", ticket.id);
    for (why, path, shown) in [
        ("its envelope without a claim", &path, ticket.shown()),
        ("its envelope with one", &path, ticket.with(&claim)),
        ("a chunk without a claim", &shared.blob.path("/0"), ticket.shown()),
        ("a chunk with another claim", &shared.blob.path("/0"), ticket.with(&other)),
        ("the manifest without a claim", &shared.blob.path("/head"), ticket.shown()),
    ] {
        assert_eq!(connection.get(path, &shown).await.head, REFUSED, "{why}");
    }
    let free = shared.ticket(None, 0).await;
    assert_eq!(
        worker.connect().exchange(&free.take(&claim)).await.head,
        REFUSED_AND_LAST,
        "it counts nothing"
    );
}

/// However a ticket ended, and whatever is asked of it: the same bytes as for one that never was.
#[tokio::test]
async fn what_is_over_is_refused_like_what_never_was() {
    let worker = Worker::start().await;
    let (shared, gone) = (Shared::of(&worker).await, Shared::of(&worker).await);
    let (soon, claim) = (QuarterHour(TODAY.begins().0 + QuarterHour::PER_DAY), Token::from_bytes(random()));
    let mut connection = worker.connect();
    let mut tickets = Vec::new();
    for (why, of, ends, downloads) in [
        ("expired", &shared, Some(soon), 0),
        ("expired, with a claim", &shared, Some(soon), 1),
        ("used up", &shared, None, 1),
        ("unshared", &shared, None, 0),
        ("unshared, with a claim", &shared, None, 2),
        ("its blob is gone", &gone, None, 0),
        ("its blob is gone, with a claim", &gone, None, 2),
    ] {
        let ticket = of.ticket(ends, downloads).await;
        let answer = if downloads > 0 {
            connection.exchange(&ticket.take(&claim)).await
        } else {
            connection.get(&format!("/v1/tickets/{}", ticket.id), &ticket.shown()).await
        };
        assert_eq!(answer.success(), ticket.envelope, "{why}: it was there");
        tickets.push((why, of, ticket));
    }
    worker.minute.fetch_add(24 * 60, Ordering::Relaxed);
    for (_, of, ticket) in tickets.iter().filter(|(why, ..)| why.starts_with("unshared")) {
        let path = format!("/v1/tickets/{}", ticket.id);
        worker.connect().request("DELETE", &path, Some(&of.blob.writing()), &[]).await.success();
    }
    worker.connect().request("DELETE", &gone.blob.path(""), Some(&gone.blob.writing()), &[]).await.success();
    tickets.push(("never was", &shared, Ticket::unknown()));
    for swept in [false, true] {
        if swept {
            worker.service.store().sweep(TODAY.plus(20)).await.unwrap();
        }
        for (why, of, ticket) in &tickets {
            // Whoever took the last one goes on, until its claim's days have passed.
            let claim = if *why == "used up" && !swept { &Token::from_bytes(random()) } else { &claim };
            for (path, shown) in [
                (format!("/v1/tickets/{}", ticket.id), ticket.shown()),
                (of.blob.path("/0"), ticket.shown()),
                (of.blob.path("/head"), ticket.shown()),
                (of.blob.path("/0"), ticket.with(claim)),
                (of.blob.path("/head"), ticket.with(claim)),
            ] {
                let answer = connection.get(&path, &shown).await;
                assert_eq!((answer.head.as_str(), answer.body.len()), (REFUSED, 0), "{why}: {path}");
            }
            let answer = worker.connect().exchange(&ticket.take(claim)).await;
            assert_eq!((answer.head.as_str(), answer.body.len()), (REFUSED_AND_LAST, 0), "{why}");
        }
    }
    let read = connection.get(&shared.blob.path("/0"), &shared.blob.reading()).await;
    assert_eq!(read.success(), shared.blob.chunks[0], "the blob stays");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn r10_of_many_who_want_the_last_download_one_gets_it() {
    const READERS: usize = 16;
    let (worker, path, end, serving) = on_sockets(HttpLimits::default()).await;
    let shared = Shared::of(&worker).await;
    for round in 0..4 {
        let ticket = shared.ticket(None, 1).await;
        let start = Arc::new(Barrier::new(READERS));
        let mut readers = JoinSet::new();
        for _ in 0..READERS {
            let (ticket, path, start) = (ticket.clone(), path.clone(), Arc::clone(&start));
            readers.spawn(async move {
                let mut connection = Connection::over(UnixStream::connect(path).await.unwrap());
                let claim = Token::from_bytes(random());
                start.wait().await;
                let answer = connection.exchange(&ticket.take(&claim)).await;
                (answer.status(), claim)
            });
        }
        let mut served = Vec::new();
        for (status, claim) in readers.join_all().await {
            let mut connection = Connection::over(UnixStream::connect(&path).await.unwrap());
            let read = connection.get(&shared.blob.path("/0"), &ticket.with(&claim)).await;
            assert_eq!(read.status(), status, "who has a claim reads, and nobody else");
            served.extend((status == 200).then_some(claim));
        }
        assert_eq!(served.len(), 1, "round {round}");
    }
    end.send(()).unwrap();
    serving.await.unwrap();
    drop(shared);
    spawn_blocking(move || drop(worker)).await.unwrap();
}

/// R05: what claims no ticket of ours makes.
#[tokio::test]
async fn r05_malformed_claims_are_refused_and_take_nothing() {
    let worker = Worker::start().await;
    let shared = Shared::of(&worker).await;
    let (ticket, claim) = (shared.ticket(None, 1).await, Token::from_bytes(random()));
    let good = codec::encode(&TakeClaim { claim: token_hash(&claim) }).unwrap();
    let path = format!("/v1/tickets/{}/claims", ticket.id);
    let other = Ticket::unknown();
    for (why, path, shown, body) in [
        ("no claim", &path, Some(ticket.shown()), &good[..0]),
        ("a short one", &path, Some(ticket.shown()), &good[..31]),
        ("a byte more", &path, Some(ticket.shown()), &[good.as_slice(), &[0]].concat()),
        ("nothing shown", &path, None, good.as_slice()),
        ("the write key", &path, Some(shared.blob.writing()), &good),
        ("a claim for a claim", &path, Some(ticket.with(&claim)), &good),
        ("another ticket", &path, Some(other.shown()), &good),
        ("at another ticket", &format!("/v1/tickets/{}/claims", other.id), Some(ticket.shown()), &good),
    ] {
        let answer = worker.connect().request("POST", path, shown.as_ref(), body).await;
        assert_eq!(answer.status(), 404, "{why}");
    }
    let zero =
        [ticket.id.as_bytes().as_slice(), &[7; 32], &[8; 16], &[0, 1, 0], &[163, 1], &[9; 163]].concat();
    assert!(codec::decode::<CreateTicket>(&zero).is_err(), "a ticket for no download");
    let one =
        [ticket.id.as_bytes().as_slice(), &[7; 32], &[8; 16], &[0, 1, 1], &[163, 1], &[9; 163]].concat();
    assert!(codec::decode::<CreateTicket>(&one).is_ok());
    assert_eq!(worker.connect().exchange(&ticket.take(&claim)).await.success(), ticket.envelope);
}
