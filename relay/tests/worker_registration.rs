//! Who can register at a worker: by invitation, by work, or not at all.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod worker_support;

use futures::future::join_all;
use nightdrop_login::work::{Puzzle, WorkKey};
use nightdrop_relay::worker::{
    Connections, Environment, HttpLimits, Plane, RegistrationLimits, Service, ServiceLimits,
};
use nightdrop_store::{Day, Store, StoreLimits};
use nightdrop_wire::{
    PROTOCOL_VERSION, codec,
    ids::AccountId,
    messages::relay::{EarnInvitation, EarnedInvitation, Registration, RelayInfo},
    token::Token,
};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};
use worker_support::{Connection, RawAnswer, User, Worker, address, connect, random};

const WORK: u8 = 8;
const PER_HOUR: u32 = 5;

/// A relay whose clock can be put forward, and more workers on the same store.
struct Relay {
    store: Store,
    environment: Environment,
    /// Seconds that the clock was put forward.
    later: Arc<AtomicU64>,
    _directory: tempfile::TempDir,
}

impl Relay {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(&directory.path().join("store"), StoreLimits::default()).unwrap();
        let later = Arc::new(AtomicU64::new(0));
        let (start, ahead) = (Instant::now(), Arc::clone(&later));
        let environment = Environment {
            today: Arc::new(|| Day(20_000)),
            now: Arc::new(move || start + Duration::from_secs(ahead.load(Ordering::Relaxed))),
            ..Environment::system()
        };
        Self { store, environment, later, _directory: directory }
    }

    async fn serve(&self, registration: Registration) -> Connections {
        let registration = RegistrationLimits {
            registration,
            work: WORK,
            earned_per_hour: PER_HOUR,
            ..RegistrationLimits::default()
        };
        let limits = ServiceLimits { registration, ..ServiceLimits::default() };
        let service = Service::start(self.store.clone(), self.environment.clone(), limits).await.unwrap();
        service.set_address(address()).await.unwrap();
        Connections::new(service, HttpLimits::default())
    }
}

fn connection(to: &Connections) -> Connection<tokio::io::DuplexStream> {
    connect(to, Plane::Public, 64 * 1024)
}

async fn info(to: &Connections) -> RelayInfo {
    codec::decode(&connection(to).request("GET", "/v1/relay", None, &[]).await.success()).unwrap()
}

/// Honest work for an account.
async fn work(to: &Connections, account: AccountId) -> EarnInvitation {
    let RelayInfo { challenge, work, .. } = info(to).await;
    let solution = Puzzle::new(&challenge, account, work).solve(|_| true).unwrap();
    EarnInvitation { account, challenge, solution }
}

async fn earn(to: &Connections, work: &EarnInvitation) -> RawAnswer {
    connection(to).post("/v1/invitations", None, work).await
}

async fn earned(to: &Connections, work: &EarnInvitation) -> Token {
    codec::decode::<EarnedInvitation>(&earn(to, work).await.success()).unwrap().invitation
}

#[tokio::test]
async fn work_earns_an_invitation_that_registers_one_account() {
    let relay = Relay::new();
    let open = relay.serve(Registration::Open).await;
    let mut user = User::new(Token::from_bytes(random()));
    user.invitation = earned(&open, &work(&open, user.account).await).await;
    user.register(&mut connection(&open)).await;
    user.log_in(&mut connection(&open)).await;

    let second = User::new(user.invitation.clone());
    let (_, start) = second.registration_start();
    assert_eq!(connection(&open).post("/v1/register/1", None, &start).await.status(), 404, "spent");
}

#[tokio::test]
async fn only_honest_work_is_taken() {
    let relay = Relay::new();
    let open = relay.serve(Registration::Open).await;
    let account = AccountId::from_bytes(random());
    let honest = work(&open, account).await;
    let mut wrong = Vec::new();
    for part in 0..16 {
        let mut other = honest.clone();
        // Once in 256 numbers another one solves it, too.
        for number in 0_u64.. {
            other.solution[part * 8..part * 8 + 8].copy_from_slice(&number.to_be_bytes());
            if !Puzzle::new(&honest.challenge, account, WORK).is_solved_by(&other.solution) {
                break;
            }
        }
        wrong.push((format!("part {part} is wrong"), other));
    }
    let challenge = honest.challenge;
    let solved = |challenge, account, work| {
        let solution = Puzzle::new(&challenge, account, work).solve(|_| true).unwrap();
        EarnInvitation { account, challenge, solution }
    };
    wrong.push(("too easy".to_owned(), solved(challenge, account, 1)));
    let other = AccountId::from_bytes(random());
    wrong.push(("another account's".to_owned(), EarnInvitation { account: other, ..honest.clone() }));
    let forged = WorkKey::from_bytes([7; 32]).challenge(u64::MAX).unwrap();
    wrong.push(("a challenge of somebody else's".to_owned(), solved(forged, account, WORK)));
    let mut longer = challenge;
    longer[0] = 0x7f;
    wrong.push(("a challenge made to count longer".to_owned(), solved(longer, account, WORK)));

    for (name, work) in &wrong {
        assert_eq!(earn(&open, work).await.status(), 404, "{name}");
    }
    earned(&open, &honest).await;
    earned(&open, &work(&open, other).await).await;
}

#[tokio::test]
async fn work_counts_for_half_an_hour_and_at_one_worker() {
    let relay = Relay::new();
    let open = relay.serve(Registration::Open).await;
    let (account, other) = (AccountId::from_bytes(random()), AccountId::from_bytes(random()));
    let (in_time, late) = (work(&open, account).await, work(&open, other).await);
    relay.later.store(30 * 60, Ordering::Relaxed);
    earned(&open, &in_time).await;
    relay.later.store(30 * 60 + 1, Ordering::Relaxed);
    assert_eq!(earn(&open, &late).await.status(), 404);
    assert_eq!(earn(&open, &in_time).await.status(), 404, "sent again, too late");

    let fresh = work(&open, other).await;
    let restarted = relay.serve(Registration::Open).await;
    assert_eq!(earn(&restarted, &fresh).await.status(), 404, "of a worker that is gone");
    earned(&restarted, &work(&restarted, other).await).await;
}

#[tokio::test]
async fn work_that_is_sent_again_earns_the_same_and_takes_no_other_place() {
    let relay = Relay::new();
    let open = relay.serve(Registration::Open).await;
    let mut user = User::new(Token::from_bytes(random()));
    let once = work(&open, user.account).await;
    user.invitation = earned(&open, &once).await;
    let at_once = join_all((0..20).map(|_| earned(&open, &once))).await;
    for again in at_once {
        assert_eq!(again.secret_bytes(), user.invitation.secret_bytes());
    }
    user.register(&mut connection(&open)).await;
    let spent = User { invitation: earned(&open, &once).await, ..User::new(Token::from_bytes(random())) };
    let (_, start) = spent.registration_start();
    assert_eq!(connection(&open).post("/v1/register/1", None, &start).await.status(), 404);

    for _ in 1..PER_HOUR {
        earned(&open, &work(&open, AccountId::from_bytes(random())).await).await;
    }
    assert_eq!(earn(&open, &work(&open, AccountId::from_bytes(random())).await).await.status(), 409);
}

#[tokio::test]
async fn the_bound_of_an_hour_holds_however_many_ask_at_once() {
    let relay = Relay::new();
    let open = relay.serve(Registration::Open).await;
    let mut works = Vec::new();
    for _ in 0..4 * PER_HOUR {
        works.push(work(&open, AccountId::from_bytes(random())).await);
    }
    let answers = join_all(works.iter().map(|work| earn(&open, work))).await;
    let count = |status| answers.iter().filter(|answer| answer.status() == status).count();
    assert_eq!((count(200), count(409)), (PER_HOUR as usize, 3 * PER_HOUR as usize));

    let invited = User::new(worker_invitation(&relay).await);
    invited.register(&mut connection(&open)).await;
    relay.later.store(60 * 60 - 1, Ordering::Relaxed);
    let account = AccountId::from_bytes(random());
    assert_eq!(earn(&open, &work(&open, account).await).await.status(), 409);
    relay.later.store(60 * 60, Ordering::Relaxed);
    earned(&open, &work(&open, account).await).await;
}

async fn worker_invitation(relay: &Relay) -> Token {
    let issued = nightdrop_relay::worker::issue_invitations(&relay.store, &relay.environment, 7, 1).await;
    issued.unwrap().remove(0)
}

#[tokio::test]
async fn without_open_registration_work_earns_nothing() {
    let relay = Relay::new();
    for registration in [Registration::Invite, Registration::Closed] {
        let relay_by = relay.serve(registration).await;
        let honest = work(&relay_by, AccountId::from_bytes(random())).await;
        let refused = earn(&relay_by, &honest).await;
        assert_eq!((refused.status(), refused.body.len()), (404, 0));
    }
    let by_invitation = relay.serve(Registration::Invite).await;
    User::new(worker_invitation(&relay).await).register(&mut connection(&by_invitation)).await;
}

#[tokio::test]
async fn a_closed_relay_refuses_like_any_other_refusal_and_keeps_who_is_there() {
    let relay = Relay::new();
    let (by_invitation, closed) =
        (relay.serve(Registration::Invite).await, relay.serve(Registration::Closed).await);
    let mut user = User::new(worker_invitation(&relay).await);
    let registration = user.registration(&mut connection(&by_invitation)).await;
    let other = User::new(worker_invitation(&relay).await);
    let begun = other.registration(&mut connection(&by_invitation)).await;
    connection(&by_invitation).post("/v1/register/2", None, &registration).await.success();

    let (_, start) = other.registration_start();
    let made_up = User::new(Token::from_bytes(random())).registration_start().1;
    let refused = connection(&by_invitation).post("/v1/register/1", None, &made_up).await;
    assert_eq!(refused.status(), 404);
    assert_eq!(connection(&closed).post("/v1/register/1", None, &start).await, refused);
    assert_eq!(connection(&closed).post("/v1/register/2", None, &begun).await, refused);
    connection(&closed).post("/v1/register/2", None, &registration).await.success();
    user.log_in(&mut connection(&closed)).await;
    connection(&by_invitation).post("/v1/register/2", None, &begun).await.success();
}

#[tokio::test]
async fn every_relay_says_as_much_of_itself() {
    let relay = Relay::new();
    let mut answers = Vec::new();
    for registration in [Registration::Invite, Registration::Open, Registration::Closed] {
        let relay_by = relay.serve(registration).await;
        let answer = connection(&relay_by).request("GET", "/v1/relay", None, &[]).await;
        let info: RelayInfo = codec::decode(&answer.clone().success()).unwrap();
        assert_eq!((info.version, info.registration, info.work), (PROTOCOL_VERSION, registration, WORK));
        assert_eq!((info.quota, info.session_days), (32 << 30, 30));
        answers.push((answer.head, answer.body.len()));
    }
    assert!(answers.iter().all(|answer| *answer == answers[0]));
    // A relay that does not know its address yet says nothing of itself.
    let worker = Worker::without_address(HttpLimits::default()).await;
    assert_eq!(worker.connect().request("GET", "/v1/relay", None, &[]).await.status(), 503);
}
