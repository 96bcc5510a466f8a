//! What destroyed blobs give back: once, to whoever destroyed them, and no more than was paid.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use common::{Fixture, TODAY, TestBlob, credit_worth, payment_of, random_credit, random_token};
use nightdrop_store::{BodyDigest, Day, StoreError, token_hash};
use nightdrop_wire::{
    denomination::{Assortment, Denomination},
    limits::REFUND_DAYS,
    messages::blob::{CreateBlob, GrowBlob, RenewBlob},
    size_class::SizeClass,
    token::Token,
};

/// A blob of two chunks, paid with 33 units.
fn paid_blob(fixture: &Fixture) -> (TestBlob, CreateBlob) {
    let blob = TestBlob::new(2);
    let create = CreateBlob { payment: payment_of(33), ..blob.create(random_credit(TODAY)) };
    fixture.create(&create).unwrap();
    (blob, create)
}

fn destroy(fixture: &Fixture, blob: &TestBlob) -> Result<u32, StoreError> {
    fixture.wait(fixture.store().destroy_blob(blob.id, &blob.write_key, TODAY))
}

fn refund_on(
    fixture: &Fixture,
    (blob, write_key): (&TestBlob, &Token),
    wanted: Assortment,
    order: &[u8],
    day: Day,
) -> Result<(), StoreError> {
    fixture.wait(fixture.store().refund(blob.id, write_key, wanted, BodyDigest::of(order), day))
}

fn refund(fixture: &Fixture, blob: &TestBlob, wanted: Assortment, order: &[u8]) -> Result<(), StoreError> {
    refund_on(fixture, (blob, &blob.write_key), wanted, order, TODAY)
}

const ALL: Assortment = Assortment([0, 2, 0, 0]);

#[test]
fn what_was_paid_is_given_back_once_but_for_a_unit() {
    let fixture = Fixture::new();
    let (blob, _) = paid_blob(&fixture);
    assert_refused!(refund(&fixture, &blob, ALL, b"order"), Refused, "it is there still");
    assert_eq!(destroy(&fixture, &blob).unwrap(), 32);
    assert_eq!(destroy(&fixture, &blob).unwrap(), 32, "the answer was lost");
    for more in [Assortment([33, 0, 0, 0]), Assortment([1, 2, 0, 0]), Assortment([0, 0, 1, 0])] {
        assert_refused!(refund(&fixture, &blob, more, b"more"), Conflict, "more than was paid");
    }
    assert_refused!(refund(&fixture, &blob, Assortment([u16::MAX; 4]), b"more"), Conflict, "far more");
    for _ in 0..17 {
        refund(&fixture, &blob, ALL, b"order").expect("once, and again when the answer was lost");
    }
    assert_refused!(refund(&fixture, &blob, ALL, b"order"), Conflict, "whoever hears no answer so often");
    assert_refused!(refund(&fixture, &blob, Assortment([1, 0, 0, 0]), b"another"), Conflict, "once only");
    assert_eq!(destroy(&fixture, &blob).unwrap(), 0, "it was asked for");
}

#[test]
fn nobody_gets_what_anothers_blob_gives_back() {
    let fixture = Fixture::new();
    let ((blob, _), (other, _)) = (paid_blob(&fixture), paid_blob(&fixture));
    for destroyed in [&blob, &other] {
        destroy(&fixture, destroyed).unwrap();
    }
    for key in [&other.write_key, &blob.read_token, &random_token()] {
        assert_refused!(refund_on(&fixture, (&blob, key), ALL, b"theft", TODAY), Refused);
    }
    let unknown = TestBlob::new(2);
    assert_refused!(refund(&fixture, &unknown, ALL, b"unknown"), Refused, "there was no such blob");
    refund(&fixture, &blob, ALL, b"order").expect("its owner");
}

#[test]
fn a_blob_that_is_made_again_gives_nothing_back_again() {
    let fixture = Fixture::new();
    let (blob, create) = paid_blob(&fixture);
    destroy(&fixture, &blob).unwrap();
    refund(&fixture, &blob, ALL, b"order").unwrap();
    assert_refused!(fixture.create(&create), Refused, "its credits are spent");
    let paid_anew = CreateBlob { payment: payment_of(33), ..create };
    assert_refused!(fixture.create(&paid_anew), Conflict, "its id ended");
    assert_eq!(destroy(&fixture, &blob).unwrap(), 0);
    assert_refused!(refund(&fixture, &blob, ALL, b"another"), Conflict);
    let not_spent =
        CreateBlob { payment: paid_anew.payment, ..TestBlob::new(2).create(random_credit(TODAY)) };
    fixture.create(&not_spent).expect("what was to pay for it again pays for something else");
}

/// R10: of orders at once, one is answered.
#[test]
fn r10_of_racing_orders_exactly_one_is_answered() {
    let fixture = Fixture::new();
    let (blob, _) = paid_blob(&fixture);
    destroy(&fixture, &blob).unwrap();
    let racing: Vec<_> = (0..64_u8)
        .map(|n| {
            let (store, order) = (fixture.store(), BodyDigest::of(&[n]));
            fixture.runtime.spawn(store.refund(blob.id, &blob.write_key, ALL, order, TODAY))
        })
        .collect();
    let given = racing.into_iter().filter(|_| true).map(|race| fixture.wait(race).unwrap());
    assert_eq!(given.filter(Result::is_ok).count(), 1);
}

#[test]
fn all_that_was_paid_counts_and_the_smallest_gives_nothing_back() {
    let fixture = Fixture::new();
    let (grown, _) = paid_blob(&fixture);
    let payment = vec![credit_worth(Denomination::Small, TODAY)];
    fixture.grow(&grown, &GrowBlob { chunks: 3, payment }).unwrap();
    assert_eq!(destroy(&fixture, &grown).unwrap(), 48);
    let overpaid = fixture.whole_blob();
    assert_eq!(destroy(&fixture, &overpaid).unwrap(), 4_095, "one large credit for a small file");
    let small = TestBlob::new(1);
    let smallest = credit_worth(Denomination::Smallest, TODAY);
    fixture.create(&small.create_whole(smallest, SizeClass::SMALLEST)).unwrap();
    assert_eq!(destroy(&fixture, &small).unwrap(), 0);
    assert_refused!(refund(&fixture, &small, Assortment([1, 0, 0, 0]), b"order"), Conflict);
}

#[test]
fn only_the_write_key_that_ended_it_asks_and_only_for_some_days() {
    let fixture = Fixture::new();
    let (blob, _) = paid_blob(&fixture);
    let renewed = random_token();
    let message = RenewBlob {
        read_token: token_hash(&random_token()),
        write_key: token_hash(&renewed),
        tickets: Vec::new(),
    };
    fixture.wait(fixture.store().renew_blob(blob.id, &blob.write_key, &message)).unwrap();
    fixture.wait(fixture.store().destroy_blob(blob.id, &renewed, TODAY)).unwrap();
    assert_refused!(refund(&fixture, &blob, ALL, b"thief"), Refused, "a key that was replaced");
    let last = TODAY.plus(REFUND_DAYS);
    fixture.wait(fixture.store().sweep(last)).unwrap();
    let late = refund_on(&fixture, (&blob, &renewed), ALL, b"order", last.plus(1));
    assert_refused!(late, Conflict, "too late");
    refund_on(&fixture, (&blob, &renewed), ALL, b"order", last).expect("the last day");
    assert_eq!(fixture.wait(fixture.store().sweep(last.plus(1))).unwrap(), 1, "nothing of it is kept");
    let swept = refund_on(&fixture, (&blob, &renewed), ALL, b"order", last);
    assert_refused!(swept, Conflict, "forgotten, and not given again");
}

#[test]
fn what_was_never_finished_gives_back_what_was_paid_too() {
    let fixture = Fixture::new();
    let (blob, _) = paid_blob(&fixture);
    let later = TODAY.plus(15);
    assert!(fixture.wait(fixture.store().sweep(later)).unwrap() >= 1);
    refund_on(&fixture, (&blob, &blob.write_key), ALL, b"order", later).unwrap();
}
