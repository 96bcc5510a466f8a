//! What pays for blobs and logs: lists of credits that cover a price, spent all or none.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use common::{Fixture, TODAY, TestBlob, TestLog, credit_worth, payment_of, random_bytes, random_credit};
use nightdrop_store::{BodyDigest, Day, Payment};
use nightdrop_wire::{
    codec,
    denomination::Denomination::{self, Large, Largest, Small, Smallest},
    limits::{MAX_CHUNKS, MAX_CREDITS_PER_PAYMENT},
    messages::{
        blob::{CreateBlob, FinishBlob, GrowBlob},
        credit::Credit,
        log::CreateLog,
    },
    price,
    size_class::SizeClass,
};

fn worth(denominations: &[Denomination]) -> Vec<Credit> {
    denominations.iter().map(|denomination| credit_worth(*denomination, TODAY)).collect()
}

/// A blob that may have two chunks: 33 units.
fn paid_with(payment: Vec<Credit>) -> CreateBlob {
    CreateBlob { payment, ..TestBlob::new(2).create(random_credit(TODAY)) }
}

#[test]
fn a_payment_covers_the_price_and_none_of_it_could_be_left_out() {
    let fixture = Fixture::new();
    assert_eq!(price::of_open(2), Some(33));
    for good in [&[Small, Small, Smallest][..], &[Smallest, Small, Small], &[Small; 3], &[Large], &[Largest]]
    {
        fixture.create(&paid_with(worth(good))).expect("it covers the price");
    }
    fixture.create(&paid_with(worth(&[Smallest; 33]))).expect("in small coins");
    let refused = |why: &str, bad: Vec<Credit>| {
        assert_refused!(fixture.create(&paid_with(bad.clone())), Refused, why);
        // None of them was spent.
        for credit in bad.into_iter().filter(|credit| credit.expires() >= TODAY.0).take(3) {
            let small = TestBlob::new(1).create_whole(credit, SizeClass::SMALLEST);
            fixture
                .create(&small)
                .or_else(|error| if why.contains("twice") { Ok(()) } else { Err(error) })
                .unwrap();
        }
    };
    refused("nothing", Vec::new());
    refused("too little", worth(&[Small, Small]));
    refused("one unit too little", worth(&[Smallest; 32]));
    refused("one too many", worth(&[Smallest; 34]));
    refused("a large one and another", worth(&[Large, Smallest]));
    refused("two that each are enough", worth(&[Large, Large]));
    let one = credit_worth(Small, TODAY);
    refused("one twice in a list", vec![one.clone(), one.clone(), credit_worth(Smallest, TODAY)]);
    let renamed = Credit::new(Large, one.expires(), *one.nonce(), [9; 32]);
    refused("the nonce of one twice, as something else", vec![one, renamed]);
    let old = credit_worth(Smallest, Day(TODAY.0 - 1));
    refused("one whose last day has passed", [worth(&[Small, Small]), vec![old]].concat());
}

#[test]
fn a_payment_of_too_many_credits_is_refused_whatever_they_are_worth() {
    let fixture = Fixture::new();
    let create = |chunks, payment| CreateBlob { chunks, ..paid_with(payment) };
    let mixed = |smallest, small| [worth(&vec![Smallest; smallest]), worth(&vec![Small; small])].concat();
    // Both are exactly what their chunks cost.
    assert_refused!(fixture.create(&create(22, mixed(97, 16))), Refused, "113 credits");
    fixture.create(&create(21, mixed(97, 15))).expect("112 credits");
    // All that any list can be worth is far from an overflow, and no price.
    let largest = worth(&[Largest; MAX_CREDITS_PER_PAYMENT]);
    assert_eq!(largest.iter().map(|credit| u64::from(credit.denomination().units())).sum::<u64>(), 458_752);
    assert_refused!(fixture.create(&create(MAX_CHUNKS, largest)), Refused, "more than the longest costs");
    let exact = payment_of(price::of_open(MAX_CHUNKS).unwrap());
    assert_eq!(exact.len(), 65);
    fixture.create(&create(MAX_CHUNKS, exact)).expect("the longest blob");
    let canonical = |units: u32| (0..3).map(|at| units >> (4 * at) & 15).sum::<u32>() + (units >> 12);
    let longest = (1..=MAX_CHUNKS).filter_map(price::of_open).map(canonical).max().unwrap();
    assert!(longest as usize <= MAX_CREDITS_PER_PAYMENT, "{longest}");
}

#[test]
fn one_spent_credit_in_a_list_spoils_it_and_spends_no_other() {
    let fixture = Fixture::new();
    let [first, second, last] = [Small, Small, Smallest].map(|one| credit_worth(one, TODAY));
    fixture.create(&TestBlob::new(1).create_whole(last.clone(), SizeClass::SMALLEST)).unwrap();
    let spoilt = paid_with(vec![first.clone(), second.clone(), last]);
    assert_refused!(fixture.create(&spoilt), Refused, "one is spent");
    fixture.create(&paid_with(vec![first.clone(), second, credit_worth(Smallest, TODAY)])).unwrap();
    let again = paid_with([vec![first], worth(&[Small, Smallest])].concat());
    assert_refused!(fixture.create(&again), Refused, "all of the list are spent");
}

/// R10: of lists that share a credit, one is taken, and what else stands in the others stays good.
#[test]
fn r10_of_racing_payments_that_share_a_credit_exactly_one_is_taken() {
    let fixture = Fixture::new();
    let shared = credit_worth(Small, TODAY);
    let own: Vec<_> = (0..24).map(|_| worth(&[Small, Smallest])).collect();
    let racing: Vec<_> = own
        .iter()
        .map(|own| {
            let message = paid_with([own.clone(), vec![shared.clone()]].concat());
            let body = BodyDigest::of(&codec::encode(&message).unwrap());
            let payment = Payment::of_verified(&message.payment);
            fixture.runtime.spawn(fixture.store().create_blob(
                &message,
                payment,
                body,
                TODAY,
                &mut rand::rng(),
            ))
        })
        .collect();
    let taken: Vec<bool> = racing.into_iter().map(|create| fixture.wait(create).unwrap().is_ok()).collect();
    assert_eq!(taken.iter().filter(|taken| **taken).count(), 1);
    for (own, taken) in own.into_iter().zip(taken) {
        let again = fixture.create(&paid_with([own, worth(&[Small])].concat()));
        assert_eq!(again.is_ok(), !taken, "{again:?}");
    }
}

#[test]
fn a_log_of_few_entries_costs_the_smallest_credit() {
    let fixture = Fixture::new();
    let create = |payment| CreateLog { payment, ..TestLog::new().create(random_credit(TODAY)) };
    for (why, bad) in [("nothing", Vec::new()), ("two", worth(&[Smallest; 2]))] {
        assert_refused!(fixture.create_log(&create(bad)), Refused, why);
    }
    fixture.create_log(&create(worth(&[Smallest]))).unwrap();
    fixture.create_log(&create(worth(&[Large]))).expect("a larger one, if there is no other");
}

#[test]
fn a_manifest_takes_no_more_room_than_was_paid_for() {
    let fixture = Fixture::new();
    let blob = TestBlob::new(2);
    fixture.create(&CreateBlob { payment: payment_of(33), ..blob.create(random_credit(TODAY)) }).unwrap();
    for (n, chunk) in (0..).zip(&blob.chunks) {
        fixture.put(&blob, n, chunk).unwrap();
    }
    let finish = |class: SizeClass| FinishBlob { manifest: random_bytes(class.sealed()), ..blob.finish() };
    let largest = SizeClass::all().filter(|class| class.page() <= 64 * 1024).max().unwrap();
    let too_large = SizeClass::all().find(|class| *class > largest).unwrap();
    assert_refused!(fixture.finish(&blob, &finish(too_large)), Conflict);
    fixture.finish(&blob, &finish(largest)).unwrap();
}

#[test]
fn an_open_blob_grows_for_what_is_missing() {
    let fixture = Fixture::new();
    let blob = TestBlob::new(2);
    let create = CreateBlob { payment: payment_of(33), ..blob.create(random_credit(TODAY)) };
    fixture.create(&create).unwrap();
    let chunk = &blob.chunks[0];
    assert_refused!(fixture.put(&blob, 2, chunk), Conflict, "not paid for");
    let grow = |chunks, payment| GrowBlob { chunks, payment };
    let other = TestBlob { id: blob.id, ..TestBlob::new(2) };
    assert_refused!(fixture.grow(&other, &grow(3, payment_of(16))), Refused, "another write key");
    assert_refused!(fixture.grow(&blob, &grow(3, payment_of(15))), Refused, "too little");
    assert_refused!(fixture.grow(&blob, &grow(3, payment_of(17))), Refused, "too much");
    assert_refused!(fixture.grow(&blob, &grow(MAX_CHUNKS + 1, payment_of(16))), Refused, "too long");
    assert_refused!(fixture.grow(&blob, &grow(2, Vec::new())), Conflict, "as it is");
    fixture.put(&blob, 2, chunk).expect_err("nothing of that made it grow");
    let four = grow(4, worth(&[Small, Small]));
    fixture.grow(&blob, &four).unwrap();
    fixture.grow(&blob, &four).expect("the same again, after a lost answer");
    fixture.create(&create).expect("its making, too");
    fixture.put(&blob, 3, chunk).unwrap();
    assert_refused!(fixture.put(&blob, 4, chunk), Conflict);
    let spent = grow(5, four.payment[..1].to_vec());
    assert_refused!(fixture.grow(&blob, &spent), Refused, "spent");
    // A credit that is worth more pays for more, later.
    fixture.grow(&blob, &grow(5, worth(&[Large]))).unwrap();
    fixture.grow(&blob, &grow(20, Vec::new())).expect("paid for already");
    assert_refused!(fixture.grow(&blob, &grow(21, Vec::new())), Refused, "not any more");
    fixture.put(&blob, 19, chunk).unwrap();
}

#[test]
fn what_is_finished_or_may_have_one_chunk_only_does_not_grow() {
    let fixture = Fixture::new();
    let (one, whole) = (TestBlob::new(1), fixture.whole_blob());
    fixture.create(&CreateBlob { payment: payment_of(17), ..one.create(random_credit(TODAY)) }).unwrap();
    fixture.put(&one, 0, &one.chunks[0]).expect("of a small class");
    let payment = worth(&[Small]);
    let grow = GrowBlob { chunks: 2, payment: payment.clone() };
    assert_refused!(fixture.grow(&one, &grow), Conflict, "its chunk may be small");
    assert_refused!(fixture.grow(&whole, &GrowBlob { chunks: 2, payment: Vec::new() }), Conflict, "finished");
    let small = TestBlob::new(1).create_whole(payment[0].clone(), SizeClass::SMALLEST);
    fixture.create(&small).expect("the credit was not spent");
}
