//! Limits of tickets: how many downloads, and until when.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use common::{Fixture, NOW, TODAY, TestBlob, random_token};
use nightdrop_store::{StoreError, StoreLimits, token_hash};
use nightdrop_wire::{
    authorization::Authorization,
    limits::{CLAIM_DAYS, MAX_DOWNLOADS},
    messages::ticket::{CreateTicket, TicketLimits},
    quarter::QuarterHour,
    token::Token,
};
use std::{num::NonZeroU16, sync::Arc};
use tokio::sync::Barrier;

fn downloads(count: u16) -> TicketLimits {
    TicketLimits { ends: None, downloads: NonZeroU16::new(count) }
}

const fn until(ends: QuarterHour) -> TicketLimits {
    TicketLimits { ends: Some(ends), downloads: None }
}

/// A ticket of a blob that is stored.
fn ticket(fixture: &Fixture, blob: &TestBlob, limits: TicketLimits) -> (CreateTicket, Token) {
    let (message, token) = blob.ticket();
    let message = CreateTicket { limits, ..message };
    fixture.ticket(&message, &blob.write_key).unwrap();
    (message, token)
}

fn take(
    fixture: &Fixture,
    (ticket, token): &(CreateTicket, Token),
    claim: &Token,
    now: QuarterHour,
) -> Result<Vec<u8>, StoreError> {
    let taken = fixture.store().take_claim(ticket.ticket, token, token_hash(claim), now);
    fixture.wait(taken).map(|envelope| envelope.to_vec())
}

/// Reads chunk and manifest with a claim.
fn read(
    fixture: &Fixture,
    blob: &TestBlob,
    (ticket, token): &(CreateTicket, Token),
    claim: &Token,
    now: QuarterHour,
) -> Result<(), StoreError> {
    let shown = Authorization::Claim(ticket.ticket, token.clone(), claim.clone());
    assert_eq!(*fixture.store().read_chunk(blob.id, 0, &shown, now)?, *blob.chunks[0]);
    assert_eq!(*fixture.store().read_manifest(blob.id, &shown, now)?, *blob.manifest);
    Ok(())
}

/// Everything that a ticket without a claim could open is refused.
fn assert_closed(fixture: &Fixture, blob: &TestBlob, (ticket, token): &(CreateTicket, Token)) {
    let (store, shown) = (fixture.store(), Authorization::Ticket(ticket.ticket, token.clone()));
    assert_refused!(store.read_ticket(ticket.ticket, token, NOW), Refused, "its envelope");
    assert_refused!(store.read_chunk(blob.id, 0, &shown, NOW), Refused, "a chunk");
    assert_refused!(store.read_manifest(blob.id, &shown, NOW), Refused, "the manifest");
}

#[test]
fn each_claim_is_a_download_and_the_same_again_is_none_more() {
    let fixture = Fixture::new();
    let blob = fixture.whole_blob();
    let ticket = ticket(&fixture, &blob, downloads(2));
    let claims: Vec<_> = (0..3).map(|_| random_token()).collect();
    assert_closed(&fixture, &blob, &ticket);
    assert_refused!(read(&fixture, &blob, &ticket, &claims[0], NOW), Refused, "not taken yet");
    for claim in [&claims[0], &claims[0], &claims[1], &claims[0]] {
        assert_eq!(take(&fixture, &ticket, claim, NOW).unwrap(), ticket.0.envelope);
        read(&fixture, &blob, &ticket, claim, NOW).unwrap();
    }
    assert_refused!(take(&fixture, &ticket, &claims[2], NOW), Refused, "used up");
    assert_refused!(read(&fixture, &blob, &ticket, &claims[2], NOW), Refused, "used up");
    assert_eq!(take(&fixture, &ticket, &claims[1], NOW).unwrap(), ticket.0.envelope, "a lost answer");
    assert_closed(&fixture, &blob, &ticket);
}

#[test]
fn a_claim_needs_its_ticket_its_token_and_its_blob() {
    let fixture = Fixture::new();
    let (blob, other) = (fixture.whole_blob(), fixture.whole_blob());
    let counted = ticket(&fixture, &blob, downloads(1));
    let others = ticket(&fixture, &other, downloads(1));
    let free = ticket(&fixture, &blob, TicketLimits::default());
    let claim = random_token();
    let wrong = (counted.0.clone(), random_token());
    assert_refused!(take(&fixture, &wrong, &claim, NOW), Refused, "another token");
    assert_refused!(take(&fixture, &free, &claim, NOW), Refused, "it counts nothing");
    take(&fixture, &counted, &claim, NOW).expect("what was refused took nothing");
    assert_refused!(read(&fixture, &blob, &wrong, &claim, NOW), Refused, "another token");
    assert_refused!(read(&fixture, &blob, &free, &claim, NOW), Refused, "another ticket of the blob");
    assert_refused!(read(&fixture, &other, &others, &claim, NOW), Refused, "a claim of another ticket");
    let shown = Authorization::Claim(counted.0.ticket, counted.1.clone(), claim.clone());
    assert_refused!(fixture.store().read_chunk(other.id, 0, &shown, NOW), Refused, "another blob");
    read(&fixture, &blob, &counted, &claim, NOW).unwrap();
}

#[test]
fn r10_of_many_who_want_the_last_one_at_once_one_gets_it() {
    const READERS: usize = 24;
    let fixture = Fixture::new();
    let blob = fixture.whole_blob();
    for round in 0..8 {
        let (ticket, token) = ticket(&fixture, &blob, downloads(1));
        let start = Arc::new(Barrier::new(READERS));
        let readers: Vec<_> = (0..READERS)
            .map(|_| {
                let (store, start) = (fixture.store().clone(), Arc::clone(&start));
                let (id, token) = (ticket.ticket, token.clone());
                fixture.runtime.spawn(async move {
                    start.wait().await;
                    store.take_claim(id, &token, token_hash(&random_token()), NOW).await.is_ok()
                })
            })
            .collect();
        let served = readers.into_iter().map(|reader| fixture.wait(reader).unwrap());
        assert_eq!(served.filter(|served| *served).count(), 1, "round {round}");
    }
}

#[test]
fn a_claim_lasts_for_days_and_outlives_neither_them_nor_its_ticket() {
    let fixture = Fixture::new();
    let blob = fixture.whole_blob();
    let counted = ticket(&fixture, &blob, downloads(1));
    let claim = random_token();
    take(&fixture, &counted, &claim, NOW).unwrap();
    let last = QuarterHour(TODAY.plus(CLAIM_DAYS).begins().0 - 1);
    let after = TODAY.plus(CLAIM_DAYS).begins();
    take(&fixture, &counted, &claim, last).expect("it is the last day");
    read(&fixture, &blob, &counted, &claim, last).expect("it is the last day");
    assert_refused!(read(&fixture, &blob, &counted, &claim, after), Refused, "past");
    assert_refused!(take(&fixture, &counted, &claim, after), Refused, "past");
    let ends = QuarterHour(NOW.0 + 2);
    let both = ticket(&fixture, &blob, TicketLimits { ends: Some(ends), ..downloads(1) });
    take(&fixture, &both, &claim, NOW).unwrap();
    read(&fixture, &blob, &both, &claim, QuarterHour(ends.0 - 1)).unwrap();
    assert_refused!(read(&fixture, &blob, &both, &claim, ends), Refused, "its ticket is over");
    assert_refused!(take(&fixture, &both, &claim, ends), Refused, "its ticket is over");
}

#[test]
fn a_ticket_is_over_from_its_quarter_of_an_hour_on() {
    let fixture = Fixture::new();
    let blob = fixture.whole_blob();
    let ends = QuarterHour(NOW.0 + 1);
    let (message, token) = ticket(&fixture, &blob, until(ends));
    let shown = Authorization::Ticket(message.ticket, token.clone());
    let store = fixture.store();
    assert_eq!(store.read_ticket(message.ticket, &token, NOW).unwrap(), message.envelope);
    assert_eq!(store.read_chunk(blob.id, 0, &shown, NOW).unwrap(), blob.chunks[0]);
    for now in [ends, QuarterHour(u32::MAX)] {
        assert_refused!(store.read_ticket(message.ticket, &token, now), Refused);
        assert_refused!(store.read_chunk(blob.id, 0, &shown, now), Refused);
        assert_refused!(store.read_manifest(blob.id, &shown, now), Refused);
    }
    assert!(store.read_chunk(blob.id, 0, &blob.reading(), ends).is_ok(), "the blob stays");
}

#[test]
fn what_ended_is_swept_and_its_owner_is_told_that_it_ended() {
    let mut fixture = Fixture::new();
    // So few rows at a time that the claims take several steps.
    fixture.open_with(StoreLimits { sweep_rows: 4, ..StoreLimits::default() });
    let blob = fixture.whole_blob();
    let (expired, lasting) = (
        ticket(&fixture, &blob, until(TODAY.plus(1).begins())),
        ticket(&fixture, &blob, until(QuarterHour(TODAY.plus(1).begins().0 + 1))),
    );
    let (used_up, unshared, left) = (
        ticket(&fixture, &blob, downloads(9)),
        ticket(&fixture, &blob, downloads(9)),
        ticket(&fixture, &blob, downloads(10)),
    );
    for ticket in [&used_up, &unshared, &left] {
        for _ in 0..9 {
            take(&fixture, ticket, &random_token(), NOW).unwrap();
        }
    }
    let sweep = |day| fixture.wait(fixture.store().sweep(day)).unwrap();
    let end = |ticket: &(CreateTicket, Token), key: &Token| {
        fixture.wait(fixture.store().end_ticket(ticket.0.ticket, key))
    };
    assert_eq!(sweep(TODAY), 0, "nothing is over");
    end(&unshared, &blob.write_key).unwrap();
    assert_eq!(sweep(TODAY), 9, "claims of a ticket that ended");
    assert_eq!(sweep(TODAY.plus(1)), 1, "the expired one");
    assert!(fixture.store().read_ticket(lasting.0.ticket, &lasting.1, NOW).is_ok(), "swept, not passed");
    // The claims, the one that is used up with the last of them, and the other one that has expired by then.
    assert_eq!(sweep(TODAY.plus(CLAIM_DAYS)), 9 + 9 + 1 + 1);
    fixture.ticket(&left.0, &blob.write_key).expect("it is still there");
    take(&fixture, &left, &random_token(), NOW).expect("one download is left");
    for over in [&expired, &used_up, &unshared] {
        let again = fixture.ticket(&over.0, &blob.write_key);
        assert_refused!(again, Conflict, "m52: it is never made again");
        assert_refused!(end(over, &random_token()), Refused, "another key");
        end(over, &blob.write_key).expect("it has ended already");
    }
    assert_refused!(end(&blob.ticket(), &blob.write_key), Refused, "there never was such a one");
}

#[test]
fn r05_what_the_claims_of_a_blob_take_is_bounded() {
    let mut fixture = Fixture::new();
    fixture.open_with(StoreLimits { claims_per_blob: 5, ..StoreLimits::default() });
    let (blob, other) = (fixture.whole_blob(), fixture.whole_blob());
    let make = |blob: &TestBlob, limits| {
        let message = CreateTicket { limits, ..blob.ticket().0 };
        fixture.ticket(&message, &blob.write_key).map(|()| message.ticket)
    };
    let first = make(&blob, downloads(3)).unwrap();
    make(&blob, downloads(2)).unwrap();
    assert_refused!(make(&blob, downloads(1)), Conflict, "one more");
    make(&blob, TicketLimits::default()).expect("one that gives no claims");
    make(&other, downloads(5)).expect("another blob's");
    fixture.wait(fixture.store().end_ticket(first, &blob.write_key)).unwrap();
    make(&blob, downloads(3)).expect("as many as ended");
    let mut fixture = Fixture::new();
    fixture.open_with(StoreLimits { claims_per_blob: u32::MAX, ..StoreLimits::default() });
    let blob = fixture.whole_blob();
    let make = |count| {
        let message = CreateTicket { limits: downloads(count), ..blob.ticket().0 };
        fixture.ticket(&message, &blob.write_key)
    };
    make(MAX_DOWNLOADS).unwrap();
    assert_refused!(make(MAX_DOWNLOADS + 1), Refused, "more than a ticket may give");
}

/// R06: a flood of claims is refused by reading, without a turn of the writer, and leaves nothing behind.
#[test]
fn r06_a_flood_of_claims_leaves_as_many_as_the_ticket_gives() {
    let fixture = Fixture::new();
    let blob = fixture.whole_blob();
    let counted = ticket(&fixture, &blob, downloads(3));
    let taken = (0..500).filter(|_| take(&fixture, &counted, &random_token(), NOW).is_ok()).count();
    assert_eq!(taken, 3);
    assert_eq!(fixture.wait(fixture.store().sweep(TODAY.plus(CLAIM_DAYS))).unwrap(), 3 + 1, "and the ticket");
}

#[test]
fn claims_and_what_is_left_survive_a_reopening() {
    let mut fixture = Fixture::new();
    let blob = fixture.whole_blob();
    let counted = ticket(&fixture, &blob, downloads(2));
    let claim = random_token();
    take(&fixture, &counted, &claim, NOW).unwrap();
    fixture.open();
    read(&fixture, &blob, &counted, &claim, NOW).unwrap();
    take(&fixture, &counted, &random_token(), NOW).unwrap();
    assert_refused!(take(&fixture, &counted, &random_token(), NOW), Refused);
}

#[test]
fn the_end_of_a_blob_ends_its_claims() {
    let fixture = Fixture::new();
    let blob = fixture.whole_blob();
    let counted = ticket(&fixture, &blob, downloads(1));
    let claim = random_token();
    take(&fixture, &counted, &claim, NOW).unwrap();
    read(&fixture, &blob, &counted, &claim, NOW).unwrap();
    fixture.wait(fixture.store().destroy_blob(blob.id, &blob.write_key, TODAY)).unwrap();
    assert_refused!(read(&fixture, &blob, &counted, &claim, NOW), Refused);
    assert_refused!(take(&fixture, &counted, &claim, NOW), Refused);
    assert!(fixture.wait(fixture.store().sweep(TODAY)).unwrap() >= 1, "its claim is cleared away");
}
