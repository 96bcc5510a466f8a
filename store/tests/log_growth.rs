//! A log pays for what it grows: entries are appended as far as they are paid for, and not one further.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use common::{
    Fixture, TODAY, TestBlob, TestLog, credit_worth, entries, payment_of, random_credit, random_token,
};
use nightdrop_store::{Beforehand, BodyDigest, Day, Payment, StoreError};
use nightdrop_wire::{
    codec,
    denomination::{
        Denomination::{Large, Small, Smallest},
        UNIT,
    },
    ids::SpaceId,
    limits::{ENTRY_SIZES, MAX_CREDITS_PER_PAYMENT},
    messages::{
        credit::Credit,
        log::{Append, CreateLog, GrowLog, LogRoom},
    },
    price,
    size_class::SizeClass,
};

/// A log that is paid for so much.
fn log_of(fixture: &Fixture, paid: u32) -> TestLog {
    let log = TestLog::new();
    let create = CreateLog { paid, payment: payment_of(paid), ..log.create(random_credit(TODAY)) };
    fixture.create_log(&create).unwrap();
    log
}

fn grow(held: u32, paid: u32, payment: Vec<Credit>) -> GrowLog {
    GrowLog { held, paid, payment }
}

fn taken(log: &TestLog) -> u64 {
    log.entries.iter().map(|entry| price::of_entry(entry.len())).sum()
}

fn room(fixture: &Fixture, log: &TestLog) -> LogRoom {
    fixture.read_log(log, 0).unwrap().room
}

/// Appends entries of this size one by one, until one is refused; gives why.
fn fill(fixture: &Fixture, log: &mut TestLog, size: usize) -> StoreError {
    loop {
        let mut longer = log.clone();
        let append = longer.append(entries(1, size));
        match fixture.append(log, &append) {
            Ok(()) => *log = longer,
            Err(error) => return error,
        }
    }
}

#[test]
fn one_small_credit_pays_for_64_kib_of_entries_and_not_for_one_more() {
    let fixture = Fixture::new();
    for size in ENTRY_SIZES {
        let mut log = log_of(&fixture, 1);
        assert!(matches!(fill(&fixture, &mut log, size), StoreError::Unpaid));
        let taken = taken(&log);
        assert!(taken <= UNIT && taken + price::of_entry(size) > UNIT, "{taken} in entries of {size}");
        assert!(log.entries.len() > 5, "the probe appends what is paid for");
        let page = fixture.read_log(&log, 0).unwrap();
        assert_eq!((page.head, page.room), (log.head(), LogRoom { paid: 1, taken }));
    }
}

#[test]
fn what_is_paid_for_is_appended_and_all_or_nothing_of_what_is_not() {
    let mut fixture = Fixture::new();
    let mut log = log_of(&fixture, 1);
    let whole = Append { expected: log.head(), entries: entries(60, 512) };
    assert_refused!(fixture.append(&log, &whole), Unpaid, "more than a unit");
    assert_eq!(fixture.read_log(&log, 0).unwrap().head, log.head(), "none of them");
    fixture.grow_log(&log, &grow(1, 2, payment_of(1))).unwrap();
    assert_eq!(room(&fixture, &log).paid, 2);
    let append = log.append(whole.entries);
    fixture.append(&log, &append).expect("the same, paid for");
    fixture.append(&log, &append).expect("again, which takes no more");
    fixture.open();
    assert_eq!(room(&fixture, &log), LogRoom { paid: 2, taken: taken(&log) });
    assert!(matches!(fill(&fixture, &mut log, 512), StoreError::Unpaid));
    fixture.append(&log, &append).expect("what stands there, also when there is no room");
}

/// Right, then head, then payment: who has no right learns nothing, and who is late is told that first.
#[test]
fn only_the_holder_of_the_append_token_who_stands_at_the_head_hears_of_payment() {
    let fixture = Fixture::new();
    let mut log = log_of(&fixture, 1);
    fill(&fixture, &mut log, 512);
    let next = Append { expected: log.head(), entries: entries(1, 512) };
    assert_refused!(fixture.append(&log, &next), Unpaid);
    let stranger = TestLog { append_token: random_token(), ..log.clone() };
    assert_refused!(fixture.append(&stranger, &next), Refused, "another token");
    let reader = TestLog { append_token: log.read_token.clone(), ..log.clone() };
    assert_refused!(fixture.append(&reader, &next), Refused, "the read token");
    let late = Append { expected: TestLog::new().head(), ..next };
    assert_refused!(fixture.append(&log, &late), Conflict, "another head");
}

#[test]
fn a_log_is_made_with_what_its_first_entries_take_at_least() {
    let fixture = Fixture::new();
    let many = TestLog { entries: entries(100, 512), ..TestLog::new() };
    assert_eq!(price::of_log(taken(&many)), 2);
    let with = |paid, payment| CreateLog { paid, payment, ..many.create(random_credit(TODAY)) };
    assert_refused!(fixture.create_log(&with(1, payment_of(1))), Refused, "they take more");
    assert_refused!(fixture.create_log(&with(0, Vec::new())), Refused, "nothing");
    assert_refused!(fixture.create_log(&with(2, payment_of(1))), Refused, "declared and not paid");
    assert_refused!(fixture.create_log(&with(2, payment_of(3))), Refused, "one that could be left out");
    let most = price::LONGEST_LOG;
    assert_refused!(fixture.create_log(&with(most + 1, payment_of(most + 1))), Refused, "longer than any");
    fixture.create_log(&with(2, payment_of(2))).unwrap();
    let ahead = TestLog::new();
    let create = CreateLog { paid: most, payment: payment_of(most), ..ahead.create(random_credit(TODAY)) };
    fixture.create_log(&create).expect("as much as the longest could take");
    assert_eq!(room(&fixture, &ahead).paid, most);
}

#[test]
fn growth_is_refused_like_everything_else_and_then_nothing_is_spent() {
    let fixture = Fixture::new();
    let (log, other) = (log_of(&fixture, 2), log_of(&fixture, 2));
    let unspent = payment_of(2);
    let old = credit_worth(Smallest, Day(TODAY.0 - 1));
    let one = credit_worth(Smallest, TODAY);
    let most = price::LONGEST_LOG;
    for (why, token, message) in [
        ("a made-up token", random_token(), grow(2, 4, unspent.clone())),
        ("the read token", log.read_token.clone(), grow(2, 4, unspent.clone())),
        ("another log's token", other.append_token.clone(), grow(2, 4, unspent.clone())),
        ("too little", log.append_token.clone(), grow(2, 4, unspent[..1].to_vec())),
        ("nothing", log.append_token.clone(), grow(2, 4, Vec::new())),
        ("one too many", log.append_token.clone(), grow(2, 3, unspent.clone())),
        ("one twice", log.append_token.clone(), grow(2, 4, vec![one.clone(), one.clone()])),
        ("one that is too old", log.append_token.clone(), grow(2, 4, vec![one.clone(), old])),
        ("to what is paid", log.append_token.clone(), grow(2, 2, Vec::new())),
        ("to less", log.append_token.clone(), grow(2, 1, unspent.clone())),
        ("longer than any", log.append_token.clone(), grow(2, most + 1, payment_of(most - 1))),
        (
            "more credits than a payment has",
            log.append_token.clone(),
            grow(2, 115, vec![one; MAX_CREDITS_PER_PAYMENT + 1]),
        ),
    ] {
        let shown = TestLog { append_token: token, ..log.clone() };
        assert_refused!(fixture.grow_log(&shown, &message), Refused, why);
    }
    let nowhere = TestLog { space: SpaceId::from_bytes(common::random()), ..log.clone() };
    assert_refused!(fixture.grow_log(&nowhere, &grow(2, 4, unspent.clone())), Refused, "no such log");
    for held in [0, 1, 3] {
        let message = grow(held, 4, unspent.clone());
        assert_refused!(fixture.grow_log(&log, &message), Conflict, "another sum is paid");
    }
    assert_eq!(room(&fixture, &log).paid, 2);
    fixture.grow_log(&log, &grow(2, 4, unspent.clone())).expect("nothing of that was spent");
    assert_refused!(fixture.grow_log(&other, &grow(2, 4, unspent)), Refused, "now it is");
    assert_eq!((room(&fixture, &log).paid, room(&fixture, &other).paid), (4, 2));
}

#[test]
fn the_same_growth_again_is_answered_alike_and_what_is_worth_more_pays_for_more() {
    let mut fixture = Fixture::new();
    let log = log_of(&fixture, 1);
    let larger = grow(1, 3, vec![credit_worth(Small, TODAY)]);
    let before = |fixture: &Fixture, message: &GrowLog| {
        let body = BodyDigest::of(&codec::encode(message).unwrap());
        fixture.store().before_log_growth(log.space, &log.append_token, message, body, TODAY)
    };
    assert_eq!(before(&fixture, &larger).unwrap(), Beforehand::MayPay);
    fixture.grow_log(&log, &larger).unwrap();
    fixture.open();
    assert_eq!(before(&fixture, &larger).unwrap(), Beforehand::Done(()));
    fixture.grow_log(&log, &larger).expect("after a lost answer");
    assert_eq!(room(&fixture, &log).paid, 17, "one of sixteen, which could not be left out");
    assert_refused!(before(&fixture, &grow(1, 17, Vec::new())), Conflict);
    let again = grow(17, 18, larger.payment.clone());
    assert_refused!(before(&fixture, &again), Refused, "spent");
    assert_refused!(fixture.grow_log(&log, &again), Refused, "spent");
    fixture.grow_log(&log, &grow(17, 18, vec![credit_worth(Large, TODAY)])).unwrap();
    assert_refused!(fixture.grow_log(&log, &larger), Conflict, "another growth came after it");
}

/// R10: of growths at once to as much, one is paid, and the others are told to look.
#[test]
fn r10_of_racing_growths_one_is_paid_and_the_others_spend_nothing() {
    let fixture = Fixture::new();
    let log = log_of(&fixture, 1);
    let own: Vec<_> = (0..16).map(|_| payment_of(1)).collect();
    let racing: Vec<_> = own
        .iter()
        .map(|payment| {
            let message = grow(1, 2, payment.clone());
            let body = BodyDigest::of(&codec::encode(&message).unwrap());
            let payment = Payment::of_verified(payment);
            fixture.runtime.spawn(fixture.store().grow_log(
                log.space,
                &log.append_token,
                &message,
                payment,
                body,
                TODAY,
            ))
        })
        .collect();
    let results: Vec<_> = racing.into_iter().map(|growth| fixture.wait(growth).unwrap()).collect();
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1);
    assert_eq!(room(&fixture, &log).paid, 2);
    for (payment, result) in own.into_iter().zip(results) {
        let spent = fixture.create(&TestBlob::new(1).create_whole(payment[0].clone(), SizeClass::SMALLEST));
        match result {
            Ok(()) => assert_refused!(spent, Refused, "it paid for the log"),
            Err(StoreError::Conflict) => spent.expect("it was not spent"),
            Err(error) => panic!("{error}"),
        }
    }
}
