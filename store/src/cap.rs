//! Tests of the cap on what the store holds: it is never passed, also by writes at once, and what is stored is read and destroyed all the same.

use crate::{
    StoreError, StoreLimits, assert_refused,
    common::{
        Fixture, TODAY, TestBlob, TestLog, credit_worth, entries, random_credit, random_token, registration,
    },
    credits::Payment,
    digest::{BodyDigest, token_hash},
    row::Row,
    schema::DoomedRow,
    transaction::Rows,
    volume,
};
use nightdrop_wire::{
    codec,
    denomination::{Assortment, Denomination},
    size_class::SizeClass,
};
use std::{
    ops::ControlFlow,
    time::{Duration, Instant},
};

const MOST: u64 = 24 << 20;

fn fixture() -> Fixture {
    let mut fixture = Fixture::new();
    fixture.open_with(StoreLimits { max_bytes: MOST, ..StoreLimits::default() });
    fixture
}

fn held(fixture: &Fixture) -> u64 {
    volume::kept(&fixture.store().snapshot().unwrap()).unwrap().unwrap()
}

/// Whole blobs of a full chunk, stored one after the other until there is no room.
fn fill(fixture: &Fixture) -> Vec<TestBlob> {
    let mut stored = Vec::new();
    loop {
        let blob = TestBlob::new(1);
        match fixture.create(&blob.create_whole(random_credit(TODAY), SizeClass::FULL)) {
            Ok(()) => stored.push(blob),
            Err(error) => {
                assert!(matches!(error, StoreError::Full), "{error:?}");
                return stored;
            }
        }
        assert!(held(fixture) <= MOST);
    }
}

#[test]
fn a_full_store_refuses_what_grows_and_loses_nothing() {
    let mut fixture = fixture();
    let (mut log, open) = (fixture.log(), TestBlob::new(2));
    fixture.create(&open.create(fixture.credit())).unwrap();
    let stored = fill(&fixture);
    assert!((15..24).contains(&stored.len()), "{}", stored.len());
    let refused = credit_worth(Denomination::Large, TODAY);
    for _ in 0..2 {
        let small = TestBlob::new(1).create_whole(refused.clone(), SizeClass::FULL);
        assert_refused!(fixture.create(&small), Full, "a blob");
        assert_refused!(fixture.put(&open, 0, &open.chunks[0]), Full, "a chunk");
        // Who has no right learns nothing of it.
        let stranger = TestBlob { id: open.id, ..TestBlob::new(2) };
        assert_refused!(fixture.put(&stranger, 0, &open.chunks[0]), Refused);
        let append = log.append(entries(1, 512));
        fixture.append(&log, &append).expect("lists go on");
        for blob in &stored {
            fixture.read(blob, 0).unwrap();
        }
        fixture.close();
        fixture.open_with(StoreLimits { max_bytes: MOST, ..StoreLimits::default() });
    }
    for blob in &stored[..4] {
        fixture.wait(fixture.store().destroy_blob(blob.id, &blob.write_key, TODAY)).unwrap();
    }
    wait_for_removal(&fixture);
    let again = TestBlob::new(1);
    fixture
        .create(&again.create_whole(refused, SizeClass::FULL))
        .expect("there is room again, for the same credit");
    fixture.put(&open, 0, &open.chunks[0]).unwrap();
    assert!(held(&fixture) <= MOST);
}

#[test]
fn a_full_store_gives_back_what_was_paid_for_what_ends() {
    let fixture = fixture();
    let mut log = fixture.log();
    let stored = fill(&fixture);
    // Not even lists go on.
    let full = (0..2_000).find_map(|_| {
        let append = log.append(entries(64, 4_096));
        fixture.append(&log, &append).err()
    });
    assert!(matches!(full, Some(StoreError::Full)), "{full:?}");
    let blob = &stored[0];
    let again = TestBlob::new(1).create_whole(random_credit(TODAY), SizeClass::SMALLEST);
    assert_refused!(fixture.create(&again), Full, "it is full");
    let left = fixture.wait(fixture.store().destroy_blob(blob.id, &blob.write_key, TODAY)).unwrap();
    assert!(left >= 16, "{left}");
    let refund = |order: &[u8]| {
        let wanted = Assortment::only(Denomination::Small, 1);
        fixture.wait(fixture.store().refund(blob.id, &blob.write_key, wanted, BodyDigest::of(order), TODAY))
    };
    refund(b"order").expect("a refund");
    refund(b"order").expect("the answer was lost");
    assert_refused!(refund(b"another"), Conflict, "once only");
}

/// The operator allows less than there is: people come in, and what they destroy makes room.
#[test]
fn a_cap_below_what_is_held_keeps_nobody_from_ending_what_is_theirs() {
    let mut fixture = fixture();
    fixture.session(1);
    let mut log = fixture.log();
    let account = registration(1).account;
    let stored = fill(&fixture);
    let limits = StoreLimits { max_bytes: MOST / 2, sessions_per_account: 4, ..StoreLimits::default() };
    fixture.open_with(limits);
    let before = held(&fixture);
    let small = TestBlob::new(1).create_whole(random_credit(TODAY), SizeClass::SMALLEST);
    assert_refused!(fixture.create(&small), Full, "growth");
    for _ in 0..20 {
        let session = random_token();
        fixture.open_session(account, &session).expect("a login");
        assert_eq!(fixture.store().authenticate(&token_hash(&session), TODAY).unwrap(), account);
    }
    assert!(held(&fixture) < before + (16 << 10), "an account has a bounded number of them");
    for blob in &stored {
        let append = log.append(entries(1, 512));
        fixture.append(&log, &append).expect("a list that says so");
        fixture.wait(fixture.store().destroy_blob(blob.id, &blob.write_key, TODAY)).expect("an end");
    }
    wait_for_removal(&fixture);
    fixture.create(&small).expect("there is room again");
}

/// R10: many at once take what there is and no more.
#[test]
fn r10_blobs_at_once_never_pass_the_cap() {
    let fixture = fixture();
    let racing: Vec<_> = (0..64)
        .map(|_| {
            let message = TestBlob::new(1).create_whole(random_credit(TODAY), SizeClass::FULL);
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
    let (mut made, mut full) = (0, 0);
    for race in racing {
        match fixture.wait(race).unwrap() {
            Ok(_) => made += 1,
            Err(StoreError::Full) => full += 1,
            Err(error) => panic!("{error:?}"),
        }
    }
    assert!(made > 4 && full > 4, "{made} made, {full} refused");
    assert!(held(&fixture) <= MOST, "{}", held(&fixture));
}

/// Whoever appends for ever comes to an end, too.
#[test]
fn lists_go_on_for_a_sixteenth_beyond_the_cap() {
    let fixture = fixture();
    let mut log = fixture.log();
    fill(&fixture);
    let full = (0..2_000).find_map(|_| {
        let append = log.append(entries(64, 4_096));
        fixture.append(&log, &append).err()
    });
    assert!(matches!(full, Some(StoreError::Full)), "{full:?}");
    assert!(held(&fixture) <= MOST + MOST / 16);
    let log = TestLog::new();
    assert_refused!(fixture.create_log(&log.create(fixture.credit())), Full);
}

fn wait_for_removal(fixture: &Fixture) {
    let begun = Instant::now();
    loop {
        let mut doomed = 0;
        let snapshot = fixture.store().snapshot().unwrap();
        let count = |_, _: &[u8]| {
            doomed += 1;
            Ok(ControlFlow::Continue(()))
        };
        snapshot.each(&DoomedRow::TABLE, [0; 16]..=[0xff; 16], count).unwrap();
        if doomed == 0 {
            return;
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "the removal does not end");
        std::thread::sleep(Duration::from_millis(1));
    }
}
