//! Time tells nothing: whoever asks for what is there, without the right to it, waits as long as for what is not.
//!
//! A *probe* asks two questions in random order, pair by pair, and times each whole request through the HTTP
//! connection, data base included. Of each side the slowest quarter is dropped (that is the machine's doing), and what
//! remains is compared by Welch's t, with the errors of trimmed means (Yuen 1974). Chance alone decides which question
//! comes first, so that load on the machine adds to both sides alike: it makes the probe duller, and does not make it
//! see what is not there. A probe goes on until it is sharp enough to see ten microseconds.
//!
//! - An account that exists and one that does not are the *same*: |t| < 4.5 (by chance once in 140,000 runs).
//! - Two refusals are in one *timing class* when their means differ by less than 20 µs with 4.5 standard errors to
//!   spare: it takes a row's check more to refuse a wrong token than an unknown id. Ids and tokens of 128 bits and more
//!   are not guessed, and a circuit through Tor swings by a thousand times as much.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr
)]

mod worker_support;

use nightdrop_store::{BodyDigest, Day, Registration, token_hash};
use nightdrop_wire::{
    authorization::Authorization,
    codec,
    ids::{AccountId, BlobId, SpaceId, TicketId},
    messages::{
        account::{LoginStart, RegisterFinish, RegisterStart},
        ticket::{CreateTicket, TakeClaim, TicketLimits},
    },
    quarter::QuarterHour,
    token::Token,
};
use rand::{RngExt, seq::IndexedRandom};
use std::{
    num::NonZeroU16,
    time::{Duration, Instant},
};
use tokio::task::JoinSet;
use worker_support::{TestBlob, TestLog, User, Worker, random, request};

/// Beyond this, two means differ.
const BOUND: f64 = 4.5;
/// Microseconds by which the means of a timing class may differ.
const CLASS: f64 = 20.0;
/// Microseconds that a sharp probe sees.
const SHARP: f64 = 10.0;
/// Requests of each side, for the comparison of accounts …
const LOGINS: usize = 5_000;
/// … and for that of refusals; as many again until the probe is sharp …
const REFUSALS: usize = 1_000;
/// … but not more than so many times.
const ROUNDS: usize = 20;
/// Which part of a sample is kept: the fastest.
const KEPT: f64 = 0.75;

/// Which of two questions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Present,
    Absent,
}

/// Microseconds that the requests of each side took.
#[derive(Default)]
struct Samples {
    present: Vec<f64>,
    absent: Vec<f64>,
}

/// What two samples say.
#[derive(Debug)]
struct Comparison {
    /// Mean of the first less mean of the second, in microseconds.
    difference: f64,
    /// Its standard error.
    error: f64,
}

impl Comparison {
    fn t(&self) -> f64 {
        self.difference / self.error
    }

    fn is_sharp(&self) -> bool {
        BOUND * self.error < SHARP
    }

    fn is_one_class(&self) -> bool {
        self.difference.abs() + BOUND * self.error < CLASS
    }
}

impl Samples {
    /// Asks both questions `pairs` times more. The question that is given is a request's bytes; `handicap` is lost by
    /// whoever asks for what is there.
    async fn ask(
        &mut self,
        worker: &Worker,
        pairs: usize,
        handicap: Duration,
        mut question: impl FnMut(Side) -> Vec<u8>,
    ) {
        let mut connection = worker.connect();
        for _ in 0..pairs {
            let first = if rand::rng().random() { Side::Present } else { Side::Absent };
            let second = if first == Side::Present { Side::Absent } else { Side::Present };
            for side in [first, second] {
                let bytes = question(side);
                let began = Instant::now();
                let lost = if side == Side::Present { handicap } else { Duration::ZERO };
                while began.elapsed() < lost {}
                let answer = connection.exchange(&bytes).await;
                let micros = began.elapsed().as_secs_f64() * 1e6;
                match side {
                    Side::Present => self.present.push(micros),
                    Side::Absent => self.absent.push(micros),
                }
                if answer.headers().len() > 1 {
                    // It was told that it is the last.
                    connection = worker.connect();
                }
            }
        }
    }

    fn compare(&self) -> Comparison {
        let (present, absent) = (Moments::of(&self.present), Moments::of(&self.absent));
        Comparison {
            difference: present.mean - absent.mean,
            error: (present.variance_of_mean + absent.variance_of_mean).sqrt(),
        }
    }
}

struct Moments {
    mean: f64,
    variance_of_mean: f64,
}

impl Moments {
    /// Of the fastest part of a sample. What is dropped counts as slow as the slowest that is kept, or the error would
    /// seem smaller than it is.
    fn of(samples: &[f64]) -> Self {
        let mut sorted = samples.to_vec();
        sorted.sort_by(f64::total_cmp);
        let count = f64::from(u32::try_from(sorted.len()).unwrap());
        let (kept, dropped) =
            sorted.split_at((0..sorted.len()).take_while(|n| number(*n) < count * KEPT).count());
        let slowest = kept.last().unwrap();
        let winsorized = || kept.iter().chain(dropped.iter().map(|_| slowest));
        let center = winsorized().sum::<f64>() / count;
        let variance = winsorized().map(|sample| (sample - center).powi(2)).sum::<f64>() / (count - 1.0);
        let part = number(kept.len()) / count;
        Self {
            mean: kept.iter().sum::<f64>() / number(kept.len()),
            variance_of_mean: variance / (part * part * count),
        }
    }
}

fn number(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap())
}

/// Asks both questions until the probe is sharp, `requests` times a round.
async fn probe(
    worker: &Worker,
    what: &str,
    requests: usize,
    handicap: Duration,
    mut question: impl FnMut(Side) -> Vec<u8>,
) -> Comparison {
    // What is used for the first time is slow on either side.
    Samples::default().ask(worker, 100, Duration::ZERO, &mut question).await;
    let mut samples = Samples::default();
    for _ in 0..ROUNDS {
        samples.ask(worker, requests, handicap, &mut question).await;
        let comparison = samples.compare();
        eprintln!(
            "{what}, {} each, handicap {handicap:?}: t = {:.2}, {comparison:?}",
            samples.absent.len(),
            comparison.t()
        );
        if comparison.is_sharp() {
            return comparison;
        }
    }
    panic!("{what}: this machine is too busy for its clock to tell anything");
}

/// Accounts that there are, and a worker that has them. Argon2 is the client's: one registration serves for all.
async fn with_accounts(count: usize) -> (Worker, Vec<AccountId>, [u8; 96]) {
    let worker = Worker::patient().await;
    let mut connection = worker.connect();
    let user = User::new(worker.invitation().await);
    let message = user.registration(&mut connection).await;
    let (mut accounts, mut writes) = (Vec::new(), JoinSet::new());
    for _ in 0..count {
        let invitation = Token::from_bytes(random());
        let message = RegisterFinish {
            invitation: invitation.clone(),
            account: AccountId::from_bytes(random()),
            ..message.clone()
        };
        let invitation = token_hash(&invitation);
        let body = BodyDigest::of(&codec::encode(&message).unwrap());
        let registration = Registration { invitation, message: &message, body };
        let (store, today) = (worker.service.store(), Day(20_000));
        let issued = store.issue_invitation(invitation, today);
        let registered = store.register(&registration, today, &mut rand::rng());
        writes.spawn(async {
            issued.await.unwrap();
            registered.await.unwrap();
        });
        accounts.push(message.account);
    }
    writes.join_all().await;
    (worker, accounts, user.login().1.request)
}

fn post<T: serde::Serialize>(path: &str, message: &T) -> Vec<u8> {
    request("POST", path, None, &codec::encode(message).unwrap())
}

async fn compare_logins(handicap: Duration) -> Comparison {
    let (worker, accounts, credential) = with_accounts(1_024).await;
    let question = |side| {
        // Both are drawn, so that what a request leaves in the caches does not depend on its side either.
        let known = *accounts.choose(&mut rand::rng()).unwrap();
        let unknown = AccountId::from_bytes(random());
        let account = if side == Side::Present { known } else { unknown };
        post("/v1/login/1", &LoginStart { account, request: credential })
    };
    probe(&worker, "login/1", LOGINS, handicap, question).await
}

#[tokio::test]
async fn an_account_that_exists_and_one_that_does_not_take_the_same_time() {
    let comparison = compare_logins(Duration::ZERO).await;
    assert!(comparison.t().abs() < BOUND, "t = {}, {comparison:?}", comparison.t());
}

#[tokio::test]
async fn the_probe_sees_what_takes_twenty_microseconds_longer() {
    let comparison = compare_logins(Duration::from_micros(20)).await;
    assert!(comparison.t() > BOUND, "t = {}, {comparison:?}", comparison.t());
}

/// Asserts that what is there and what is not are refused in one timing class, that the probe would see it were they
/// not, and that what is asked rightly is not refused.
async fn refusals_are_one_class(
    worker: &Worker,
    what: &str,
    rightly: &[u8],
    mut question: impl FnMut(Side) -> Vec<u8>,
) {
    for side in [Side::Present, Side::Absent] {
        assert_eq!(worker.connect().exchange(&question(side)).await.status(), 404, "{what}: {side:?}");
    }
    let comparison = probe(worker, what, REFUSALS, Duration::ZERO, &mut question).await;
    assert!(comparison.is_one_class(), "{what}: {comparison:?}");
    let comparison = probe(worker, what, REFUSALS, Duration::from_micros(40), &mut question).await;
    assert!(!comparison.is_one_class(), "{what}: the probe is blind: {comparison:?}");
    worker.connect().exchange(rightly).await.success();
}

#[tokio::test]
async fn a_refused_blob_ticket_or_log_that_exists_is_in_the_class_of_one_that_does_not() {
    let worker = Worker::start().await;
    let mut connection = worker.connect();
    let user = worker.user(&mut connection).await;
    let (mut blobs, mut tickets, mut logs) = (Vec::new(), Vec::new(), Vec::new());
    let mut rightly = Vec::new();
    for credit in user.credits(&mut connection, 16).await {
        let blob = TestBlob::new(1);
        connection.post("/v1/blobs", None, &blob.create_whole(credit)).await.success();
        let (ticket, shown) = blob.ticket();
        connection.post("/v1/tickets", Some(&blob.writing()), &ticket).await.success();
        rightly = vec![
            request("GET", &blob.path("/0"), Some(&blob.reading()), &[]),
            request("GET", &format!("/v1/tickets/{}", ticket.ticket), Some(&shown), &[]),
        ];
        blobs.push(blob.id);
        tickets.push(ticket.ticket);
    }
    let log = TestLog::new();
    for credit in user.credits(&mut connection, 16).await {
        let log = TestLog { space: SpaceId::from_bytes(random()), ..log.clone() };
        connection.post("/v1/logs", None, &log.create(credit)).await.success();
        logs.push(log.space);
    }
    rightly.push(request("GET", &format!("/v1/logs/{}/0", logs[0]), Some(&log.reading()), &[]));
    let wrong = || Token::from_bytes(random());
    refusals_are_one_class(&worker, "blob", &rightly[0], |side| {
        let blob = match side {
            Side::Present => *blobs.choose(&mut rand::rng()).unwrap(),
            Side::Absent => BlobId::from_bytes(random()),
        };
        request("GET", &format!("/v1/blobs/{blob}/0"), Some(&Authorization::Bearer(wrong())), &[])
    })
    .await;
    refusals_are_one_class(&worker, "ticket", &rightly[1], |side| {
        let ticket = match side {
            Side::Present => *tickets.choose(&mut rand::rng()).unwrap(),
            Side::Absent => TicketId::from_bytes(random()),
        };
        let shown = Authorization::Ticket(ticket, wrong());
        request("GET", &format!("/v1/tickets/{ticket}"), Some(&shown), &[])
    })
    .await;
    refusals_are_one_class(&worker, "log", &rightly[2], |side| {
        let space = match side {
            Side::Present => *logs.choose(&mut rand::rng()).unwrap(),
            Side::Absent => SpaceId::from_bytes(random()),
        };
        request("GET", &format!("/v1/logs/{space}/0"), Some(&Authorization::Bearer(wrong())), &[])
    })
    .await;
}

/// Tickets of one blob that are over: by time, and because all their downloads are taken.
async fn tickets_that_are_over(worker: &Worker, blob: &TestBlob, of_each: usize) -> [Vec<Authorization>; 2] {
    let mut connection = worker.connect();
    let (mut expired, mut used_up) = (Vec::new(), Vec::new());
    for _ in 0..of_each {
        for (ends, downloads, over) in
            [(Some(QuarterHour(1)), None, &mut expired), (None, NonZeroU16::new(1), &mut used_up)]
        {
            let (ticket, shown) = blob.ticket();
            let ticket = CreateTicket { limits: TicketLimits { ends, downloads }, ..ticket };
            connection.post("/v1/tickets", Some(&blob.writing()), &ticket).await.success();
            if downloads.is_some() {
                connection.exchange(&claiming(&shown)).await.success();
            }
            over.push(shown);
        }
    }
    [expired, used_up]
}

/// A request for a new claim.
fn claiming(shown: &Authorization) -> Vec<u8> {
    let Authorization::Ticket(ticket, _) = shown else { panic!("a ticket") };
    let body = codec::encode(&TakeClaim { claim: token_hash(&Token::from_bytes(random())) }).unwrap();
    request("POST", &format!("/v1/tickets/{ticket}/claims"), Some(shown), &body)
}

#[tokio::test]
async fn a_ticket_that_is_over_is_in_the_class_of_one_that_never_was() {
    let worker = Worker::start().await;
    let mut connection = worker.connect();
    let user = worker.user(&mut connection).await;
    let blob = TestBlob::new(1);
    let create = blob.create_whole(user.credits(&mut connection, 1).await.remove(0));
    connection.post("/v1/blobs", None, &create).await.success();
    let [expired, used_up] = tickets_that_are_over(&worker, &blob, 16).await;
    let one_of = |over: &[Authorization], side| match side {
        Side::Present => over.choose(&mut rand::rng()).unwrap().clone(),
        Side::Absent => Authorization::Ticket(TicketId::from_bytes(random()), Token::from_bytes(random())),
    };
    let (living, shown) = blob.ticket();
    connection.post("/v1/tickets", Some(&blob.writing()), &living).await.success();
    let chunk = |shown: Authorization| request("GET", &blob.path("/0"), Some(&shown), &[]);
    refusals_are_one_class(&worker, "expired ticket", &chunk(shown), |side| chunk(one_of(&expired, side)))
        .await;
    let (living, shown) = blob.ticket();
    let limits = TicketLimits { ends: None, downloads: NonZeroU16::new(1) };
    let living = CreateTicket { limits, ..living };
    connection.post("/v1/tickets", Some(&blob.writing()), &living).await.success();
    refusals_are_one_class(&worker, "used-up ticket", &claiming(&shown), |side| {
        claiming(&one_of(&used_up, side))
    })
    .await;
}

#[tokio::test]
async fn a_session_or_invitation_that_expired_is_in_the_class_of_one_that_never_was() {
    let (worker, accounts, _) = with_accounts(1).await;
    let (store, yesterday) = (worker.service.store(), Day(19_999));
    let (mut sessions, mut invitations) = (Vec::new(), Vec::new());
    for _ in 0..16 {
        let (session, invitation) = (Token::from_bytes(random()), Token::from_bytes(random()));
        worker.open_session(accounts[0], &session, yesterday).await;
        store.issue_invitation(token_hash(&invitation), yesterday).await.unwrap();
        sessions.push(session);
        invitations.push(invitation);
    }
    let one_of = |expired: &[Token], side| match side {
        Side::Present => expired.choose(&mut rand::rng()).unwrap().clone(),
        Side::Absent => Token::from_bytes(random()),
    };
    let session = Token::from_bytes(random());
    worker.open_session(accounts[0], &session, Day(20_000)).await;
    let end = |session| request("DELETE", "/v1/sessions", Some(&Authorization::Bearer(session)), &[]);
    refusals_are_one_class(&worker, "session", &end(session), |side| end(one_of(&sessions, side))).await;

    let (_, start) = User::new(worker.invitation().await).registration_start();
    let register = |invitation| post("/v1/register/1", &RegisterStart { invitation, ..start.clone() });
    let rightly = register(start.invitation.clone());
    refusals_are_one_class(&worker, "invitation", &rightly, |side| register(one_of(&invitations, side)))
        .await;
}
