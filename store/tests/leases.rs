//! Leases: a blob is there until its last day and not a day longer, whoever pays for it anew pays once, and what an operator's maximum age ends has ended.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use common::{
    Fixture, TODAY, TestBlob, credit_worth, payment_of, random, random_bytes, random_credit, random_token,
};
use nightdrop_store::{
    Beforehand, BodyDigest, Day, Payment, Room, Store, StoreError, StoreLimits, token_hash,
};
use nightdrop_wire::{
    authorization::Authorization,
    codec,
    denomination::{Assortment, Denomination},
    ids::TicketId,
    limits::REFUND_DAYS,
    messages::{
        blob::{CreateBlob, ExtendLease, FinishBlob, RenewBlob},
        credit::Credit,
        ticket::{CreateTicket, TicketLimits},
    },
    season,
    size_class::SizeClass,
    token::Token,
};
use std::{
    num::NonZeroU16,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

/// The last day of what is paid on [`TODAY`].
const LAST: Day = Day(season::end_of_lease(TODAY.0));
/// Credits that pay on any day of these tests.
const LATER: Day = Day(TODAY.0 + 10 * season::DAYS);

fn credits(units: u32) -> Vec<Credit> {
    let mut payment = payment_of(units);
    for credit in &mut payment {
        *credit = credit_worth(credit.denomination(), LATER);
    }
    payment
}

fn extend(
    fixture: &Fixture,
    blob: &TestBlob,
    key: &Token,
    payment: &[Credit],
    today: Day,
) -> Result<Day, StoreError> {
    let message = ExtendLease { payment: payment.to_vec() };
    let body = BodyDigest::of(&codec::encode(&message).unwrap());
    let payment = Payment::of_verified(payment);
    let store = fixture.store();
    let before = store.before_lease(blob.id, key, &message, body, today);
    let extended = fixture.wait(store.extend_lease(blob.id, key, payment, body, today));
    // What is seen beforehand is what comes of it.
    match (&before, &extended) {
        // Whether there is room, only the writer knows.
        (Ok(Beforehand::MayPay), Ok(_) | Err(StoreError::Full)) => {}
        (Ok(Beforehand::Done(seen)), Ok(until)) => assert_eq!(seen, until),
        (Err(seen), Err(error)) => assert_eq!(seen.to_string(), error.to_string()),
        other => panic!("{other:?}"),
    }
    extended
}

/// A blob of one small chunk, made on a day.
fn whole(fixture: &Fixture, today: Day) -> (TestBlob, Day) {
    let blob = TestBlob::new(1);
    let message =
        CreateBlob { payment: credits(1), ..blob.create_whole(random_credit(LATER), SizeClass::SMALLEST) };
    let until = fixture.create_on(&message, today).unwrap();
    assert_eq!(fixture.create_on(&message, today).unwrap(), until, "the answer was lost");
    (blob, until)
}

fn read_on(fixture: &Fixture, blob: &TestBlob, shown: &Authorization, day: Day) -> Result<(), StoreError> {
    let store = fixture.store();
    let chunk = store.read_chunk(blob.id, 0, shown, day.begins());
    let manifest = store.read_manifest(blob.id, shown, day.begins());
    assert_eq!(chunk.is_ok(), manifest.is_ok());
    chunk.and(manifest).map(drop)
}

/// A ticket of a blob, and one of which a claim was taken on a day: what reads through them.
fn tickets(fixture: &Fixture, blob: &TestBlob, today: Day) -> ([TicketId; 2], [Authorization; 2]) {
    let (ticket, token) = blob.ticket();
    let (counted, counted_token) = blob.ticket();
    let limits = TicketLimits { ends: None, downloads: NonZeroU16::new(2) };
    let counted = CreateTicket { limits, ..counted };
    for message in [&ticket, &counted] {
        fixture.ticket(message, &blob.write_key).unwrap();
    }
    let claim = random_token();
    let taken =
        fixture.store().take_claim(counted.ticket, &counted_token, token_hash(&claim), today.begins());
    fixture.wait(taken).unwrap();
    (
        [ticket.ticket, counted.ticket],
        [
            Authorization::Ticket(ticket.ticket, token),
            Authorization::Claim(counted.ticket, counted_token, claim),
        ],
    )
}

#[test]
fn a_blob_is_there_until_its_last_day_and_refused_from_the_next_whoever_asks() {
    let fixture = Fixture::new();
    let (blob, until) = whole(&fixture, TODAY);
    let other = whole(&fixture, TODAY).0;
    assert_eq!((until, (LAST.0 + 1) % season::DAYS), (LAST, 0));
    let shown = tickets(&fixture, &blob, LAST).1;
    let [Authorization::Ticket(ticket, ticket_token), Authorization::Claim(counted, counted_token, _)] =
        &shown
    else {
        panic!("a ticket and a claim")
    };
    let store = fixture.store();
    let (unread, renewed) = (random_token(), random_token());
    let (after, key) = (LAST.plus(1), &blob.write_key);
    let renewal = RenewBlob {
        read_token: token_hash(&renewed),
        write_key: token_hash(&random_token()),
        tickets: Vec::new(),
    };
    // Everything that can be asked, on a day: whether it was answered.
    let answered = |day: Day| -> Vec<Result<(), StoreError>> {
        let mut rng = rand::rng();
        let mut answers = vec![read_on(&fixture, &blob, &blob.reading(), day)];
        answers.extend(shown.iter().map(|shown| read_on(&fixture, &blob, shown, day)));
        answers.push(store.read_ticket(*ticket, ticket_token, day.begins()).map(drop));
        let claim = store.take_claim(*counted, counted_token, token_hash(&unread), day.begins());
        answers.push(fixture.wait(claim).map(drop));
        answers.push(store.admit_writer(blob.id, key, day));
        let chunk = blob.chunks[0].as_slice();
        answers.push(fixture.wait(store.put_chunk(blob.id, 0, key, chunk.into(), day, &mut rng)));
        let finished = store.finish_blob(blob.id, key, &blob.finish(), day, &mut rng);
        answers.push(fixture.wait(finished).map(drop));
        let (message, body) = (blob.ticket().0, BodyDigest::of(&random::<32>()));
        answers.push(fixture.wait(store.create_ticket(&message, body, key, day, &mut rng)));
        answers
    };
    let refused = |day: Day| {
        for (n, answer) in answered(day).into_iter().enumerate() {
            assert_refused!(answer, Refused, n);
        }
    };
    for (n, answer) in answered(LAST).into_iter().enumerate() {
        assert!(answer.is_ok(), "{n}: {answer:?}");
    }
    extend(&fixture, &other, &other.write_key, &credits(1), LAST).expect("on the last day");
    fixture.wait(store.renew_blob(other.id, &other.write_key, &renewal)).expect("the same");
    refused(after);
    // The sweep changes nothing of it, and leaves the rest.
    let living = whole(&fixture, after).0;
    assert_eq!(fixture.wait(store.sweep(LAST)).unwrap(), 0, "nothing is over on its last day");
    assert!(fixture.wait(store.sweep(after)).unwrap() >= 3, "the blob and its tickets");
    refused(after);
    assert_refused!(extend(&fixture, &blob, key, &credits(1), after), Refused, "a longer lease");
    assert_refused!(fixture.wait(store.renew_blob(blob.id, key, &renewal)), Refused, "renewal");
    let renewed = Authorization::Bearer(renewed);
    for (blob, shown) in [(&living, living.reading()), (&other, renewed)] {
        read_on(&fixture, blob, &shown, after).unwrap();
    }
    assert_eq!(
        fixture.wait(store.destroy_blob(blob.id, key, after)).unwrap(),
        0,
        "its owner is told that it is over"
    );
    assert_refused!(fixture.wait(store.destroy_blob(blob.id, &random_token(), after)), Refused);
}

#[test]
fn what_lapsed_and_was_not_swept_is_destroyed_like_what_was() {
    let fixture = Fixture::new();
    let (blob, _) = whole(&fixture, TODAY);
    let [ticket, counted] = tickets(&fixture, &blob, TODAY).0;
    let (store, after) = (fixture.store(), LAST.plus(1));
    fixture.wait(store.end_ticket(ticket, &blob.write_key)).unwrap();
    assert_refused!(fixture.wait(store.destroy_blob(blob.id, &blob.read_token, after)), Refused);
    assert_eq!(fixture.wait(store.destroy_blob(blob.id, &blob.write_key, after)).unwrap(), 0);
    fixture.wait(store.end_ticket(counted, &blob.write_key)).expect("it went with its blob");
    assert_refused!(read_on(&fixture, &blob, &blob.reading(), TODAY), Refused, "on no day");
}

/// The relay was off on its last days, and its owner comes before it is cleared away.
#[test]
fn what_lapsed_and_was_not_swept_is_had_again_for_its_price() {
    let mut fixture = Fixture::new();
    let (blob, _) = whole(&fixture, TODAY);
    let (other, open) = (whole(&fixture, TODAY).0, TestBlob::new(2));
    fixture
        .create_on(&CreateBlob { payment: credits(33), ..open.create(random_credit(LATER)) }, TODAY)
        .unwrap();
    let (key, after, payment) = (&blob.write_key, LAST.plus(3), credits(1));
    assert_refused!(read_on(&fixture, &blob, &blob.reading(), after), Refused);
    assert_refused!(extend(&fixture, &blob, &random_token(), &payment, after), Refused, "another key");
    assert_refused!(extend(&fixture, &blob, key, &[], after), Conflict, "it would last longer, for some");
    assert_refused!(
        extend(&fixture, &blob, key, &payment, LAST.plus(15)),
        Refused,
        "too late, or a wrong clock"
    );
    let longer = Day(season::end_of_lease(after.0));
    assert_eq!(extend(&fixture, &blob, key, &payment, after).unwrap(), longer);
    assert_eq!(extend(&fixture, &blob, key, &payment, after).unwrap(), longer, "the answer was lost");
    fixture.wait(fixture.store().sweep(after)).unwrap();
    read_on(&fixture, &blob, &blob.reading(), after).unwrap();
    let lapsed = longer.plus(1);
    assert_refused!(extend(&fixture, &blob, key, &payment, lapsed), Refused, "the same request, once more");
    assert_refused!(extend(&fixture, &other, &other.write_key, &credits(1), after), Refused, "it was swept");
    assert_refused!(extend(&fixture, &open, &open.write_key, &credits(1), after), Refused, "and so was this");

    fixture.open_with(StoreLimits { max_age_days: 7, ..StoreLimits::default() });
    let (old, _) = whole(&fixture, TODAY);
    for payment in [&[][..], &credits(1)] {
        let extended = extend(&fixture, &old, &old.write_key, payment, TODAY.plus(30));
        assert_refused!(extended, Refused, "no payment makes it younger");
    }
}

#[test]
fn a_lease_that_lapsed_is_not_made_again_by_the_request_that_made_the_blob() {
    let fixture = Fixture::new();
    let blob = TestBlob::new(1);
    let message = blob.create_whole(random_credit(LATER), SizeClass::SMALLEST);
    fixture.create_on(&message, TODAY).unwrap();
    let after = LAST.plus(1);
    let fresh = blob.create_whole(random_credit(LATER), SizeClass::SMALLEST);
    for _ in 0..2 {
        assert_refused!(fixture.create_on(&message, after), Refused, "its credit is spent");
        let payment = Payment::of_verified(&message.payment);
        assert_refused!(fixture.store().admit_blob(blob.id, &payment, after), Refused, "no room for it");
        assert_refused!(fixture.create_on(&fresh, after), Conflict, "the id ended");
        fixture.wait(fixture.store().sweep(after)).unwrap();
    }
}

#[test]
fn a_lease_is_extended_for_its_price_once_and_answered_alike() {
    let fixture = Fixture::new();
    let (blob, _) = whole(&fixture, TODAY);
    let key = &blob.write_key;
    let first = credits(1);
    assert_eq!(extend(&fixture, &blob, key, &first, TODAY).unwrap(), LAST, "not longer: what holds");
    let next = Day((TODAY.0 / season::DAYS + 1) * season::DAYS);
    let longer = Day(season::end_of_lease(next.0));
    assert_refused!(extend(&fixture, &blob, &random_token(), &first, next), Refused, "another key");
    assert_refused!(extend(&fixture, &blob, &blob.read_token, &first, next), Refused, "the read token");
    assert_refused!(extend(&fixture, &TestBlob::new(1), key, &first, next), Refused, "no such blob");
    assert_refused!(extend(&fixture, &blob, key, &[], next), Conflict, "it would last longer, for some");
    assert_refused!(extend(&fixture, &blob, &random_token(), &[], next), Refused, "another key");
    assert_refused!(extend(&fixture, &blob, key, &credits(2), next), Refused, "too much");
    assert_refused!(
        extend(&fixture, &blob, key, &[credit_worth(Denomination::Smallest, TODAY)], next),
        Refused
    );
    let twice = [first[0].clone(), first[0].clone()];
    assert_refused!(extend(&fixture, &blob, key, &twice, next), Refused, "one twice");
    assert_eq!(extend(&fixture, &blob, key, &first, next).unwrap(), longer, "none of that spent it");
    assert_eq!(extend(&fixture, &blob, key, &first, next).unwrap(), longer, "the answer was lost");
    assert_eq!(extend(&fixture, &blob, key, &[], next).unwrap(), longer, "what holds is told for nothing");
    let other = whole(&fixture, TODAY).0;
    assert_refused!(extend(&fixture, &other, &other.write_key, &first, next), Refused, "it is spent");
    let second = credits(1);
    assert_eq!(extend(&fixture, &blob, key, &second, next).unwrap(), longer, "nothing is spent");
    assert_eq!(extend(&fixture, &other, &other.write_key, &second, next).unwrap(), longer);
    // The same request a season later is the same request still: nothing is paid with it.
    let later = next.plus(season::DAYS);
    assert_eq!(extend(&fixture, &blob, key, &first, later).unwrap(), longer);
}

#[test]
fn long_blobs_cost_again_what_they_hold_and_open_ones_cannot_be_extended() {
    let fixture = Fixture::new();
    let next = TODAY.plus(season::DAYS);
    let until = Day(season::end_of_lease(next.0));
    let long = TestBlob::new(2);
    // Made for four, and two are stored: they are paid for from then on.
    let create = CreateBlob { payment: credits(65), chunks: 4, ..long.create(random_credit(LATER)) };
    fixture.create(&create).unwrap();
    let key = &long.write_key;
    assert_refused!(extend(&fixture, &long, key, &credits(65), next), Conflict, "it is open");
    for (n, chunk) in (0..).zip(&long.chunks) {
        fixture.put(&long, n, chunk).unwrap();
    }
    let finish = |message: &FinishBlob| {
        fixture.wait(fixture.store().finish_blob(long.id, key, message, TODAY, &mut rand::rng()))
    };
    for _ in 0..2 {
        assert_eq!(finish(&long.finish()).unwrap(), LAST);
    }
    assert_refused!(extend(&fixture, &long, key, &credits(32), next), Refused, "too little");
    assert_refused!(extend(&fixture, &long, key, &credits(65), next), Refused, "too much");
    assert_eq!(extend(&fixture, &long, key, &credits(33), next).unwrap(), until);
    // A chunk of a blob that may have but one is of any class.
    for (class, price) in [(SizeClass::SMALLEST, 1), (SizeClass::FULL, 17)] {
        let mut one = TestBlob::new(1);
        one.chunks[0] = random_bytes(class.sealed());
        fixture.create(&one.create(random_credit(LATER))).unwrap();
        fixture.put(&one, 0, &one.chunks[0]).unwrap();
        fixture.finish(&one, &one.finish()).unwrap();
        assert_refused!(extend(&fixture, &one, &one.write_key, &credits(price + 1), next), Refused);
        assert_eq!(extend(&fixture, &one, &one.write_key, &credits(price), next).unwrap(), until);
    }
}

/// R10: of payments at once, one is spent, for each blob and for each credit.
#[test]
fn r10_of_racing_extensions_exactly_one_is_paid() {
    let fixture = Fixture::new();
    let (next, payment) = (TODAY.plus(season::DAYS), credits(1));
    let blobs: Vec<_> = (0..32).map(|_| whole(&fixture, TODAY).0).collect();
    let race = |blob: &TestBlob, payment: &[Credit]| {
        let message = ExtendLease { payment: payment.to_vec() };
        let body = BodyDigest::of(&codec::encode(&message).unwrap());
        let payment = Payment::of_verified(payment);
        let extended = fixture.store().extend_lease(blob.id, &blob.write_key, payment, body, next);
        fixture.runtime.spawn(extended)
    };
    let one_credit: Vec<_> = blobs.iter().map(|blob| race(blob, &payment)).collect();
    let paid = one_credit.into_iter().map(|race| fixture.wait(race).unwrap()).filter(Result::is_ok).count();
    assert_eq!(paid, 1, "one credit");
    let (one_blob, payments) = (whole(&fixture, TODAY).0, (0..32).map(|_| credits(1)).collect::<Vec<_>>());
    let races: Vec<_> = payments.iter().map(|payment| race(&one_blob, payment)).collect();
    for race in races {
        fixture.wait(race).unwrap().expect("who comes later is told what holds");
    }
    let spent = payments.iter().filter(|payment| {
        let pays = Payment::of_verified(payment);
        fixture.store().admit_blob(TestBlob::new(1).id, &pays, next).is_err()
    });
    assert_eq!(spent.count(), 1, "one blob");
}

#[test]
fn what_is_given_back_shrinks_with_the_lease() {
    let season = |n: u32| TODAY.plus(n * season::DAYS);
    let give_back = |extended_in: Option<u32>, destroyed: Day| {
        let fixture = Fixture::new();
        let blob = TestBlob::new(1);
        let create =
            CreateBlob { payment: credits(17), ..blob.create_whole(random_credit(LATER), SizeClass::FULL) };
        fixture.create(&create).unwrap();
        if let Some(n) = extended_in {
            extend(&fixture, &blob, &blob.write_key, &credits(17), season(n)).unwrap();
        }
        let refund = fixture.wait(fixture.store().destroy_blob(blob.id, &blob.write_key, destroyed)).unwrap();
        for (wanted, fits) in [(refund + 1, false), (refund, true)] {
            let wanted = Assortment::only(Denomination::Smallest, wanted.try_into().unwrap());
            let order = BodyDigest::of(&random::<32>());
            let given = fixture.store().refund(blob.id, &blob.write_key, wanted, order, destroyed);
            assert_eq!(fixture.wait(given).is_ok(), fits && refund > 0);
        }
        refund
    };
    let counted = [0, 1, 2, 3].map(|n| give_back(None, season(n)));
    assert_eq!(counted, [16, 7, 0, 0], "all, a half, nothing, and nothing");
    assert_eq!(give_back(None, LAST), 0);
    let extended = [2, 3, 4, 5].map(|n| give_back(Some(2), season(n)));
    assert_eq!(extended, [16, 7, 0, 0], "of what was paid last, and not of both");
    assert_eq!(give_back(Some(1), season(1)), 16);
    // What was never finished was of no use.
    let fixture = Fixture::new();
    let open = TestBlob::new(2);
    fixture.create(&CreateBlob { payment: credits(33), ..open.create(random_credit(LATER)) }).unwrap();
    let after = LAST.plus(REFUND_DAYS);
    assert_eq!(fixture.wait(fixture.store().destroy_blob(open.id, &open.write_key, season(1))).unwrap(), 32);
    assert_eq!(fixture.wait(fixture.store().destroy_blob(open.id, &open.write_key, after)).unwrap(), 0);
}

#[test]
fn nothing_is_older_than_the_operator_wants_however_its_lease_stands() {
    let mut fixture = Fixture::new();
    let aged = |days| StoreLimits { max_age_days: days, ..StoreLimits::default() };
    let old = whole(&fixture, TODAY).0;
    fixture.open_with(aged(100));
    let (blob, until) = whole(&fixture, TODAY);
    assert_eq!(until, TODAY.week().plus(99));
    assert!(until < LAST);
    for blob in [&blob, &old] {
        read_on(&fixture, blob, &blob.reading(), until).unwrap();
        assert_refused!(read_on(&fixture, blob, &blob.reading(), until.plus(1)), Refused);
        let payment = credits(1);
        let extended = extend(&fixture, blob, &blob.write_key, &payment, until).unwrap();
        assert_eq!(extended, until, "it cannot last longer, so nothing is spent");
        fixture.store().admit_blob(TestBlob::new(1).id, &Payment::of_verified(&payment), until).unwrap();
    }
    // What is made in pieces ends on the same day, and is told so both times.
    let long = TestBlob::new(2);
    let create = CreateBlob { payment: credits(33), ..long.create(random_credit(LATER)) };
    let day = Day(TODAY.week().0 + 6);
    assert_eq!(fixture.create_on(&create, day).unwrap(), until);
    for (n, chunk) in (0..).zip(&long.chunks) {
        fixture.put(&long, n, chunk).unwrap();
    }
    let finish = fixture.store().finish_blob(long.id, &long.write_key, &long.finish(), day, &mut rand::rng());
    assert_eq!(fixture.wait(finish).unwrap(), until);
    // A lower age ends what is older; a longer one brings nothing back.
    fixture.open_with(aged(30));
    let before = TODAY.plus(20);
    read_on(&fixture, &blob, &blob.reading(), before).unwrap();
    assert_eq!(fixture.wait(fixture.store().sweep(before)).unwrap(), 0, "none is so old");
    let now = TODAY.plus(40);
    assert_refused!(read_on(&fixture, &blob, &blob.reading(), now), Refused);
    assert!(fixture.wait(fixture.store().sweep(now)).unwrap() >= 3);
    fixture.open();
    for blob in [&blob, &old] {
        assert_refused!(read_on(&fixture, blob, &blob.reading(), now), Refused, "it is gone");
    }
}

/// It takes no room: so a relay that is full lets people keep what they have.
#[test]
fn a_full_store_still_extends_leases() {
    let mut fixture = Fixture::new();
    let blobs: Vec<_> = (0..8).map(|_| whole(&fixture, TODAY).0).collect();
    fixture.open_with(StoreLimits { max_bytes: 0, ..StoreLimits::default() });
    let refused = TestBlob::new(1).create_whole(random_credit(LATER), SizeClass::SMALLEST);
    assert_refused!(fixture.create(&refused), Full, "growth");
    let next = TODAY.plus(season::DAYS);
    for blob in &blobs {
        let until = extend(&fixture, blob, &blob.write_key, &credits(1), next).unwrap();
        assert_eq!(until, Day(season::end_of_lease(next.0)));
    }
}

#[test]
fn a_full_disk_still_extends_leases_until_there_is_room_for_ends_alone() {
    let mut fixture = Fixture::new();
    let blobs: Vec<_> = (0..3).map(|_| whole(&fixture, TODAY).0).collect();
    fixture.close();
    let free = Arc::new(AtomicU64::new(0));
    let asked = Arc::clone(&free);
    let room = Box::new(move || Ok(Room { free: asked.load(Ordering::SeqCst), file: 0 }));
    let limits = StoreLimits { reserve_bytes: 64 << 20, ..StoreLimits::default() };
    fixture.store = Some(Store::open_asking(&fixture.directory(), limits, room).unwrap());
    let next = TODAY.plus(season::DAYS);
    let longer = Day(season::end_of_lease(next.0));
    let payment = credits(1);
    let extended = |blob: &TestBlob, megabytes: u64| {
        free.store(megabytes << 20, Ordering::SeqCst);
        extend(&fixture, blob, &blob.write_key, &payment, next)
    };
    assert_refused!(extended(&blobs[0], 3), Full, "there is room for ends alone");
    let refused = TestBlob::new(1).create_whole(random_credit(LATER), SizeClass::SMALLEST);
    free.store(40 << 20, Ordering::SeqCst);
    assert_refused!(fixture.create(&refused), Full, "growth");
    assert_eq!(extended(&blobs[0], 40).unwrap(), longer, "what was refused for want of room is not spent");
    assert_refused!(extended(&blobs[1], 40), Refused, "now it is");
    assert_eq!(extended(&blobs[0], 0).unwrap(), longer, "whoever lost the answer is told for nothing");
}
