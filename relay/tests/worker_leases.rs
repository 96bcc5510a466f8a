//! Leases through the worker: what is over is refused like what never was, byte for byte, and whoever pays for longer is told until when.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod worker_support;

use nightdrop_store::{Trust, token_hash};
use nightdrop_wire::{
    authorization::Authorization,
    codec,
    messages::{
        blob::{CreateBlob, Destroyed, ExtendLease, Leased, RenewBlob},
        credit::Credit,
        ticket::{CreateTicket, TakeClaim, TicketLimits},
    },
    season,
    token::Token,
};
use std::{num::NonZeroU16, sync::atomic::Ordering, time::Duration};
use worker_support::{RawAnswer, TODAY, TestBlob, Worker, random};

const LAST: u32 = season::end_of_lease(TODAY);

/// Sets both clocks of a worker to the noon of a day.
fn on_day(worker: &Worker, day: u32) {
    worker.day.store(day, Ordering::Relaxed);
    worker.minute.store((u64::from(day) * 24 + 12) * 60, Ordering::Relaxed);
}

fn until(answer: RawAnswer) -> u32 {
    codec::decode::<Leased>(&answer.success()).unwrap().until
}

/// A stored blob, and credits that would pay for it again.
async fn stored(worker: &Worker) -> (TestBlob, Vec<Credit>) {
    on_day(worker, TODAY);
    let mut connection = worker.connect();
    let user = worker.user(&mut connection).await;
    let mut credits = user.credits(&mut connection, 3).await;
    let blob = TestBlob::new(1);
    let create = blob.create_whole(credits.remove(0));
    for _ in 0..2 {
        assert_eq!(until(connection.post("/v1/blobs", None, &create).await), LAST);
    }
    (blob, credits)
}

/// Everything that is asked of a blob whose tickets these are, and what is answered.
async fn ask_all(
    worker: &Worker,
    blob: &TestBlob,
    (ticket, counted): (&Authorization, &Authorization),
    payment: Option<&[Credit]>,
) -> Vec<(String, RawAnswer)> {
    let Authorization::Ticket(ticket_id, _) = ticket else { panic!("a ticket") };
    let Authorization::Claim(counted_id, token, _) = counted else { panic!("a claim") };
    let counting = Authorization::Ticket(*counted_id, token.clone());
    let writing = blob.writing();
    let claim = TakeClaim { claim: token_hash(&Token::from_bytes(random())) };
    let renewal = RenewBlob {
        read_token: token_hash(&blob.read_token),
        write_key: token_hash(&blob.write_key),
        tickets: vec![*ticket_id, *counted_id],
    };
    let extension = ExtendLease { payment: payment.unwrap_or_default().to_vec() };
    let reading = blob.reading();
    let asked = [
        ("GET", blob.path("/0"), &reading, Vec::new()),
        ("GET", blob.path("/head"), &reading, Vec::new()),
        ("GET", blob.path("/0"), ticket, Vec::new()),
        ("GET", blob.path("/head"), counted, Vec::new()),
        ("GET", format!("/v1/tickets/{ticket_id}"), ticket, Vec::new()),
        ("POST", format!("/v1/tickets/{counted_id}/claims"), &counting, codec::encode(&claim).unwrap()),
        ("PUT", blob.path("/0"), &writing, blob.chunks[0].clone()),
        ("POST", blob.path("/finish"), &writing, codec::encode(&blob.finish()).unwrap()),
        ("POST", "/v1/tickets".to_owned(), &writing, codec::encode(&blob.ticket().0).unwrap()),
    ];
    // What its owner may do as long as it is not cleared away.
    let owners = [
        ("POST", blob.path("/renew"), &writing, codec::encode(&renewal).unwrap()),
        ("POST", blob.path("/lease"), &writing, codec::encode(&extension).unwrap()),
    ];
    let asked = asked.into_iter().chain(owners.into_iter().filter(|_| payment.is_some()));
    let mut answers = Vec::new();
    for (method, path, shown, body) in asked {
        let answer = worker.connect().request(method, &path, Some(shown), &body).await;
        answers.push((format!("{method} {path}"), answer));
    }
    answers
}

/// A ticket, and one with a claim that was just taken.
async fn tickets(worker: &Worker, blob: &TestBlob) -> (Authorization, Authorization) {
    let mut connection = worker.connect();
    let (ticket, shown) = blob.ticket();
    let (counted, counting) = blob.ticket();
    let limits = TicketLimits { ends: None, downloads: NonZeroU16::new(9) };
    let counted = CreateTicket { limits, ..counted };
    for message in [&ticket, &counted] {
        connection.post("/v1/tickets", Some(&blob.writing()), message).await.success();
    }
    let claim = Token::from_bytes(random());
    let path = format!("/v1/tickets/{}/claims", counted.ticket);
    let take = TakeClaim { claim: token_hash(&claim) };
    connection.post(&path, Some(&counting), &take).await.success();
    let Authorization::Ticket(id, token) = counting else { panic!("a ticket") };
    (shown, Authorization::Claim(id, token, claim))
}

#[tokio::test]
async fn what_is_over_is_refused_like_what_never_was_before_and_after_the_sweep() {
    let worker = Worker::start().await;
    let (blob, credits) = stored(&worker).await;
    on_day(&worker, LAST);
    let shown = tickets(&worker, &blob).await;
    let never = TestBlob::new(1);
    let nobodys = never.ticket().1;
    let Authorization::Ticket(id, token) = nobodys.clone() else { panic!("a ticket") };
    let counted = Authorization::Claim(id, token, Token::from_bytes(random()));
    for (asked, answer) in ask_all(&worker, &blob, (&shown.0, &shown.1), Some(&[])).await {
        // Its lease would become longer, for some.
        let expected = if asked.ends_with("/lease") { 409 } else { 200 };
        assert_eq!(answer.status(), expected, "{asked}");
    }
    on_day(&worker, LAST + 1);
    let unknown = ask_all(&worker, &never, (&nobodys, &counted), Some(&credits[..1])).await;
    for swept in [false, true] {
        if swept {
            worker.service.store().sweep(nightdrop_store::Day(LAST + 1)).await.unwrap();
        }
        let payment = swept.then_some(&credits[..1]);
        let over = ask_all(&worker, &blob, (&shown.0, &shown.1), payment).await;
        for ((asked, answer), (_, never)) in over.iter().zip(&unknown) {
            assert_eq!(answer, never, "{asked}, swept: {swept}");
            assert_eq!(answer.status(), 404, "{asked}");
        }
    }
    let ended = worker.connect().request("DELETE", &blob.path(""), Some(&blob.writing()), &[]).await;
    assert_eq!(codec::decode::<Destroyed>(&ended.success()).unwrap().refund, 0);
}

/// A machine whose clock goes wrong must not end what people stored.
#[tokio::test]
async fn a_clock_that_jumps_years_ahead_clears_nothing_away_for_a_week() {
    const HOUR: u64 = 60;
    let worker = Worker::start().await;
    let (blob, _) = stored(&worker).await;
    let reads =
        async || worker.connect().request("GET", &blob.path("/head"), Some(&blob.reading()), &[]).await;
    // Hours of the machine, and of its clock.
    let goes_on = async |hours: u64| {
        let minute = worker.minute.fetch_add(hours * HOUR, Ordering::Relaxed) + hours * HOUR;
        worker.day.store(u32::try_from(minute / (24 * HOUR)).unwrap(), Ordering::Relaxed);
        worker.service.trust_in_clock(Some(Duration::from_secs(hours * 3_600))).await.unwrap()
    };
    assert_eq!(worker.service.trust_in_clock(None).await.unwrap(), Trust::Believed);
    on_day(&worker, TODAY + 3_000);
    assert_eq!(goes_on(1).await, Trust::Watched);
    assert_eq!(reads().await.status(), 404, "it is over by that clock");
    on_day(&worker, TODAY);
    assert_eq!(goes_on(1).await, Trust::Believed, "it was set right");
    assert_eq!(reads().await.status(), 200);

    on_day(&worker, LAST + 1);
    for _ in 0..7 {
        assert_eq!(goes_on(24).await, Trust::Watched);
    }
    assert_eq!(reads().await.status(), 404);
    assert_eq!(goes_on(24).await, Trust::Believed, "a week of running");
}

#[tokio::test]
async fn a_lease_is_extended_once_for_its_price_by_whoever_has_the_write_key() {
    let worker = Worker::start().await;
    let (blob, credits) = stored(&worker).await;
    let path = blob.path("/lease");
    let extend = async |shown: &Authorization, payment: &[Credit]| {
        let message = ExtendLease { payment: payment.to_vec() };
        worker.connect().post(&path, Some(shown), &message).await
    };
    let writing = blob.writing();
    for payment in [&[], &credits[..1]] {
        assert_eq!(until(extend(&writing, payment).await), LAST, "not longer: nothing is spent");
    }
    let next = TODAY + season::DAYS;
    on_day(&worker, next);
    let longer = season::end_of_lease(next);
    assert_eq!(extend(&blob.reading(), &credits[..1]).await.status(), 404, "the read token");
    assert_eq!(
        extend(&Authorization::Bearer(Token::from_bytes(random())), &credits[..1]).await.status(),
        404
    );
    assert_eq!(extend(&writing, &[]).await.status(), 409, "it would become longer");
    assert_eq!(extend(&writing, &credits).await.status(), 404, "too much");
    let forged = Credit::new(credits[0].denomination(), credits[0].expires(), random(), random());
    assert_eq!(extend(&writing, &[forged]).await.status(), 404, "not of this relay");
    for _ in 0..2 {
        assert_eq!(until(extend(&writing, &credits[..1]).await), longer, "once, and after a lost answer");
    }
    assert_eq!(until(extend(&writing, &credits[1..]).await), longer, "nothing is spent");
    let open = TestBlob::new(2);
    let create = CreateBlob { payment: vec![credits[1].clone()], ..open.create(credits[1].clone()) };
    assert_eq!(until(worker.connect().post("/v1/blobs", None, &create).await), longer, "so it still pays");
    let extension = ExtendLease { payment: vec![credits[0].clone()] };
    let answer = worker.connect().post(&open.path("/lease"), Some(&open.writing()), &extension).await;
    assert_eq!(answer.status(), 409, "it is open");
}
