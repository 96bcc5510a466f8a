//! What a client does at a worker, from registration to reading by a ticket, and what may happen only once.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod worker_support;

use nightdrop_credit::{Order, good_until};
use nightdrop_relay::worker::HttpLimits;
use nightdrop_wire::{
    authorization::Authorization,
    codec,
    denomination::{Assortment, Denomination},
    ids::AccountId,
    messages::{
        account::{LoginFinish, LoginStarted},
        blob::{CreateBlob, Destroyed, HeldChunk, HeldChunks},
        credit::{Credit, CreditOrder, Credits, OrderedPart},
    },
    onion::OnionAddress,
    token::Token,
};
use rand08::rngs::OsRng;
use sha2::{Digest, Sha256};
use std::sync::atomic::Ordering;
use worker_support::{
    Connection, TODAY, TestBlob, TestLog, User, Worker, address, fetch, issuing_key, random,
};

#[tokio::test]
async fn register_log_in_upload_share_and_read() {
    let worker = Worker::start().await;
    let mut connection = worker.connect();
    let mut user = User::new(worker.invitation().await);
    user.register(&mut connection).await;
    let logged_in = user.log_in(&mut connection).await;
    assert_eq!((logged_in.master_key, logged_in.keyring.envelope), (vec![1; 115], vec![2; 300]));
    assert_eq!(logged_in.keyring.version, 1);

    let credit = user.credits(&mut connection, 3).await.remove(0);
    let blob = TestBlob::new(3);
    connection.post("/v1/blobs", None, &blob.create(credit)).await.success();
    for (n, chunk) in blob.chunks.iter().enumerate() {
        let path = blob.path(&format!("/{n}"));
        connection.request("PUT", &path, Some(&blob.writing()), chunk).await.success();
    }
    connection.post(&blob.path("/finish"), Some(&blob.writing()), &blob.finish()).await.success();
    let (ticket, shown) = blob.ticket();
    connection.post("/v1/tickets", Some(&blob.writing()), &ticket).await.success();

    let mut reader = worker.connect();
    let envelope = reader.get(&format!("/v1/tickets/{}", ticket.ticket), &shown).await.success();
    assert_eq!(envelope, ticket.envelope);
    for shown in [shown, blob.reading()] {
        assert_eq!(reader.get(&blob.path("/head"), &shown).await.success(), blob.manifest);
        for (n, chunk) in blob.chunks.iter().enumerate() {
            assert_eq!(&reader.get(&blob.path(&format!("/{n}")), &shown).await.success(), chunk);
        }
    }
    connection.request("DELETE", &blob.path(""), Some(&blob.writing()), &[]).await.success();
    assert_eq!(reader.get(&blob.path("/0"), &blob.reading()).await.status(), 404);
}

#[tokio::test]
async fn an_upload_that_was_cut_off_learns_what_is_there() {
    let worker = Worker::start().await;
    let mut connection = worker.connect();
    let user = worker.user(&mut connection).await;
    let blob = TestBlob::new(3);
    let have = blob.path("/have/0");
    let refused = connection.get(&have, &blob.writing()).await;
    assert_eq!((refused.status(), refused.body.len()), (404, 0), "it is not there yet");
    let create = blob.create(user.credits(&mut connection, 1).await.remove(0));
    connection.post("/v1/blobs", None, &create).await.success();
    connection.request("PUT", &blob.path("/1"), Some(&blob.writing()), &blob.chunks[1]).await.success();
    let held: HeldChunks = codec::decode(&connection.get(&have, &blob.writing()).await.success()).unwrap();
    let hash = Sha256::digest(&blob.chunks[1]).into();
    assert_eq!(held, HeldChunks { chunks: vec![HeldChunk { index: 1, hash }] });
    let end = blob.path("/have/2");
    let held: HeldChunks = codec::decode(&connection.get(&end, &blob.writing()).await.success()).unwrap();
    assert_eq!(held.chunks, []);
    let wrong = Authorization::Bearer(Token::from_bytes(random()));
    for shown in [blob.reading(), wrong] {
        let answer = connection.get(&have, &shown).await;
        assert_eq!((answer.head, answer.body), (refused.head.clone(), refused.body.clone()));
    }
}

#[tokio::test]
async fn a_small_file_is_one_request() {
    let worker = Worker::start().await;
    let mut connection = worker.connect();
    let user = worker.user(&mut connection).await;
    let blob = TestBlob::new(1);
    let create = blob.create_whole(user.credits(&mut connection, 1).await.remove(0));
    connection.post("/v1/blobs", None, &create).await.success();
    connection.post("/v1/blobs", None, &create).await.success();
    assert_eq!(connection.get(&blob.path("/0"), &blob.reading()).await.success(), blob.chunks[0]);
}

#[tokio::test]
async fn a_registration_may_be_sent_again_and_its_invitation_not() {
    let worker = Worker::start().await;
    let mut connection = worker.connect();
    let user = User::new(worker.invitation().await);
    let registration = user.registration(&mut connection).await;
    let other = User::new(user.invitation.clone());
    let rival = other.registration(&mut connection).await;
    connection.post("/v1/register/2", None, &registration).await.success();
    connection.post("/v1/register/2", None, &registration).await.success();
    assert_eq!(connection.post("/v1/register/2", None, &rival).await.status(), 404);
}

#[tokio::test]
async fn a_login_has_one_try_and_a_time() {
    let worker = Worker::start().await;
    let mut connection = worker.connect();
    let user = worker.user(&mut connection).await;
    let finish = user.login_finish(&mut connection).await;
    let wrong = LoginFinish { finalization: [7; 64], ..finish.clone() };
    assert_eq!(connection.post("/v1/login/2", None, &wrong).await.status(), 404);
    let mut connection = worker.connect();
    assert_eq!(connection.post("/v1/login/2", None, &finish).await.status(), 404, "its try is over");

    let mut connection = worker.connect();
    let finish = user.login_finish(&mut connection).await;
    connection.post("/v1/login/2", None, &finish).await.success();
    assert_eq!(connection.post("/v1/login/2", None, &finish).await.status(), 404, "replayed");
}

#[tokio::test]
async fn an_unknown_account_is_answered_with_the_same_status_and_length() {
    let worker = Worker::start().await;
    let mut connection = worker.connect();
    let user = worker.user(&mut connection).await;
    let (_, start) = user.login();
    let known = connection.post("/v1/login/1", None, &start).await;
    let stranger = User { account: AccountId::from_bytes(random()), ..User::new(user.invitation.clone()) };
    let (_, start) = stranger.login();
    let unknown = connection.post("/v1/login/1", None, &start).await;
    assert_eq!(known.head, unknown.head);
    assert_eq!((known.status(), known.body.len()), (200, unknown.body.len()));

    // And the third message is refused alike.
    let started: LoginStarted = codec::decode(&unknown.body).unwrap();
    let finish = LoginFinish { login: started.login, finalization: [3; 64] };
    let refused_unknown = connection.post("/v1/login/2", None, &finish).await;
    let mut connection = worker.connect();
    let started: LoginStarted = codec::decode(&known.body).unwrap();
    let finish = LoginFinish { login: started.login, finalization: [3; 64] };
    assert_eq!(connection.post("/v1/login/2", None, &finish).await, refused_unknown);
}

#[tokio::test]
async fn a_session_ends_when_told_and_with_its_last_day() {
    let worker = Worker::start().await;
    let mut connection = worker.connect();
    let mut user = worker.user(&mut connection).await;
    user.credits(&mut connection, 1).await;
    connection.request("DELETE", "/v1/sessions", Some(&user.shown()), &[]).await.success();
    let ended = connection.post("/v1/credits", Some(&user.shown()), &fetch(1)).await;
    assert_eq!(ended.status(), 404, "ended");

    let mut connection = worker.connect();
    user.log_in(&mut connection).await;
    worker.day.fetch_add(30, Ordering::Relaxed);
    connection.request("GET", "/v1/sessions", Some(&user.shown()), &[]).await.success();
    worker.day.fetch_add(1, Ordering::Relaxed);
    let expired = connection.request("GET", "/v1/sessions", Some(&user.shown()), &[]).await;
    assert_eq!(expired.status(), 404, "expired");
}

#[tokio::test]
async fn credits_are_drawn_within_limits() {
    let worker = Worker::start().await;
    let mut connection = worker.connect();
    let user = worker.user(&mut connection).await;
    let one = fetch(1);
    let (part, element) = (one.parts[0].clone(), one.parts[0].blinded[0]);
    let of_one =
        |blinded| CreditOrder { parts: vec![OrderedPart { blinded, ..part.clone() }], ..one.clone() };
    for (why, refused, status) in [
        ("none", of_one(Vec::new()), 404),
        ("no part", CreditOrder { parts: Vec::new(), ..one.clone() }, 404),
        ("too many", of_one(vec![element; 129]), 404),
        ("a part twice", CreditOrder { parts: vec![part.clone(), part.clone()], ..one.clone() }, 404),
        ("a day of their own", CreditOrder { expires: one.expires + 1, ..one.clone() }, 409),
        ("for ever", CreditOrder { expires: u32::MAX, ..one.clone() }, 409),
        ("no element", of_one(vec![[0xff; 32]]), 404),
    ] {
        let answer = connection.post("/v1/credits", Some(&user.shown()), &refused).await;
        assert_eq!(answer.status(), status, "{why}");
        connection = worker.connect();
    }
    for _ in 0..15 {
        user.credits(&mut connection, 128).await;
    }
    assert_eq!(
        user.credits(&mut connection, 128).await.len(),
        127,
        "what is left of 32 GiB, one credit of which was no element"
    );
    let answer = connection.post("/v1/credits", Some(&user.shown()), &fetch(1)).await;
    assert_eq!(answer.status(), 409, "more than the quota of a period");
}

/// The same request again, after a lost answer: the same credits, which count once.
#[tokio::test]
async fn credits_whose_answer_was_lost_can_be_asked_for_again() {
    let worker = Worker::start().await;
    let mut connection = worker.connect();
    let user = worker.user(&mut connection).await;
    user.credits(&mut connection, 1).await;
    let request = fetch(64);
    let mut answers = Vec::new();
    for _ in 0..17 {
        let answer = connection.post("/v1/credits", Some(&user.shown()), &request).await.success();
        answers.push(codec::decode::<Credits>(&answer).unwrap().parts.remove(0).evaluated);
    }
    assert!(answers.iter().all(|answer| answer == &answers[0] && answer.len() == 64));
    user.credits(&mut connection, 1).await;
}

/// A credit that this relay did not issue pays for nothing, whatever stands in it.
#[tokio::test]
async fn a_forged_credit_pays_for_nothing() {
    let (worker, other) = (Worker::start().await, Worker::start().await);
    let mut connection = worker.connect();
    let user = worker.user(&mut connection).await;
    let credit = user.credits(&mut connection, 1).await.remove(0);
    let stranger = other.user(&mut other.connect()).await.credits(&mut other.connect(), 1).await.remove(0);
    let large = credit.denomination();
    let larger = Credit::new(Denomination::Largest, credit.expires(), *credit.nonce(), *credit.mark());
    let later = Credit::new(large, credit.expires() + 91, *credit.nonce(), *credit.mark());
    let renamed = Credit::new(large, credit.expires(), random(), *credit.mark());
    let unmarked = Credit::new(large, credit.expires(), *credit.nonce(), [0; 32]);
    for (why, forged) in [
        ("another relay's", stranger),
        ("shown as a larger one", larger),
        ("lasts longer", later),
        ("another nonce", renamed),
        ("no mark", unmarked),
    ] {
        let refused =
            connection.post("/v1/blobs", None, &TestBlob::new(1).create_whole(forged.clone())).await;
        assert_eq!(refused.status(), 404, "{why}");
        connection = worker.connect();
        let refused = connection.post("/v1/logs", None, &TestLog::new().create(forged)).await;
        assert_eq!(refused.status(), 404, "{why}");
        connection = worker.connect();
    }
    connection.post("/v1/blobs", None, &TestBlob::new(1).create_whole(credit)).await.success();
}

/// What is destroyed pays for something else: once, for whoever destroyed it, and without a session.
#[tokio::test]
async fn a_destroyed_blob_gives_back_what_was_paid() {
    let worker = Worker::start().await;
    let mut connection = worker.connect();
    let user = worker.user(&mut connection).await;
    let credit = user.credits(&mut connection, 1).await.remove(0);
    let (blob, other) = (TestBlob::new(2), TestBlob::new(2));
    connection.post("/v1/blobs", None, &blob.create(credit)).await.success();
    let order = |expires, assortment| Order::new(assortment, expires, &mut OsRng).unwrap();
    let today = good_until(TODAY);
    let (path, shown, all) = (blob.path("/refund"), blob.writing(), Assortment([15, 15, 0, 0]));
    let early = connection.post(&path, Some(&shown), order(today, all).request()).await;
    assert_eq!(early.status(), 404, "it is there still");
    let destroyed = worker.connect().request("DELETE", &blob.path(""), Some(&shown), &[]).await.success();
    assert_eq!(codec::decode::<Destroyed>(&destroyed), Ok(Destroyed { refund: 255 }));

    let ours = order(today, all);
    for (why, shown, order, status) in [
        ("more than was paid", &shown, order(today, Assortment([0, 0, 1, 0])), 409),
        ("a day of their own", &shown, order(today + 1, all), 404),
        ("another blob's key", &other.writing(), order(today, all), 404),
        ("its reader", &blob.reading(), order(today, all), 404),
    ] {
        let answer = worker.connect().post(&path, Some(shown), order.request()).await;
        assert_eq!(answer.status(), status, "{why}");
    }
    let mut given = Vec::new();
    for _ in 0..2 {
        let answer = worker.connect().post(&path, Some(&shown), ours.request()).await.success();
        given.push(codec::decode::<Credits>(&answer).unwrap());
    }
    let evaluated =
        |credits: &Credits| credits.parts.iter().map(|part| part.evaluated.clone()).collect::<Vec<_>>();
    assert_eq!(evaluated(&given[0]), evaluated(&given[1]), "the same again, after a lost answer");
    let more = order(today, Assortment([1, 0, 0, 0]));
    assert_eq!(worker.connect().post(&path, Some(&shown), more.request()).await.status(), 409, "once");

    let credits = ours.take(&given[0], &issuing_key(&mut worker.connect()).await).unwrap();
    let payment = [credits[..1].to_vec(), credits[15..17].to_vec()].concat();
    let create = CreateBlob { payment, ..other.create(credits[0].clone()) };
    worker.connect().post("/v1/blobs", None, &create).await.success();
}

#[tokio::test]
async fn one_credit_pays_for_exactly_one_of_sixteen_racing_blobs() {
    let worker = Worker::start().await;
    let mut connection = worker.connect();
    let user = worker.user(&mut connection).await;
    let credit = user.credits(&mut connection, 1).await.remove(0);
    let races: Vec<_> = (0..16)
        .map(|_| {
            let (mut connection, credit) = (worker.connect(), credit.clone());
            tokio::spawn(async move {
                let create = TestBlob::new(1).create_whole(credit);
                connection.post("/v1/blobs", None, &create).await.status()
            })
        })
        .collect();
    let mut statuses = Vec::new();
    for race in races {
        statuses.push(race.await.unwrap());
    }
    statuses.sort_unstable();
    assert_eq!(statuses, [[200].as_slice(), &[404; 15]].concat());
}

#[tokio::test]
async fn the_account_plane_is_busy_until_the_address_is_known() {
    let worker = Worker::without_address(HttpLimits::default()).await;
    let user = User::new(worker.invitation().await);
    let (_, start) = user.login();
    assert_eq!(worker.connect().post("/v1/login/1", None, &start).await.status(), 503);
    let blob = TestBlob::new(1);
    let head = worker.connect().get(&blob.path("/head"), &blob.reading()).await;
    assert_eq!(head.status(), 404, "the data plane is not concerned");
    worker.service.set_address(address()).await.unwrap();
    worker.connect().post("/v1/login/1", None, &start).await.success();
    worker.service.set_address(address()).await.expect("the same again");
    let other: OnionAddress = "vww6ybal4bd7szmgncyruucpgfkqahzddi37ktceo3ah7ngmcopnpyyd".parse().unwrap();
    assert!(worker.service.set_address(other).await.is_err());
}

#[tokio::test]
async fn a_token_of_one_blob_is_refused_on_another() {
    let worker = Worker::start().await;
    let mut connection = worker.connect();
    let user = worker.user(&mut connection).await;
    let credits = user.credits(&mut connection, 2).await;
    let (a, b) = (TestBlob::new(1), TestBlob::new(1));
    for (blob, credit) in [&a, &b].into_iter().zip(credits) {
        connection.post("/v1/blobs", None, &blob.create_whole(credit)).await.success();
    }
    let (ticket, shown) = a.ticket();
    connection.post("/v1/tickets", Some(&a.writing()), &ticket).await.success();
    for right in [a.reading(), shown.clone()] {
        connection.get(&a.path("/0"), &right).await.success();
        connection.get(&a.path("/head"), &right).await.success();
        assert_eq!(connection.get(&b.path("/0"), &right).await.status(), 404);
        assert_eq!(connection.get(&b.path("/head"), &right).await.status(), 404);
    }
    let refused = |method: &'static str, path: String, body: Vec<u8>| (method, path, body);
    for (method, path, body) in [
        refused("PUT", b.path("/0"), a.chunks[0].clone()),
        refused("POST", b.path("/finish"), codec::encode(&b.finish()).unwrap()),
        refused("POST", "/v1/tickets".to_owned(), codec::encode(&b.ticket().0).unwrap()),
        refused("DELETE", b.path(""), Vec::new()),
    ] {
        let answer = worker.connect().request(method, &path, Some(&a.writing()), &body).await;
        assert_eq!(answer.status(), 404, "{method} {path}");
    }
    assert_eq!(connection.get(&b.path("/0"), &b.reading()).await.success(), b.chunks[0]);
    let unknown = Authorization::Bearer(Token::from_bytes(random()));
    assert_eq!(worker.connect().get(&a.path("/0"), &unknown).await.status(), 404);
    let mut other: Connection<_> = worker.connect();
    let path = format!("/v1/tickets/{}", ticket.ticket);
    assert_eq!(other.get(&path, &a.reading()).await.status(), 404, "a ticket is read as a ticket");
    other.get(&path, &shown).await.success();
}
