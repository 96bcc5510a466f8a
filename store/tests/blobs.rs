//! Blobs and tickets: what is given is kept, what is refused changes nothing, what ended stays ended.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use common::{Fixture, NOW, TODAY, TestBlob, payment_of, random_bytes, random_credit, random_token};
use nightdrop_store::{BodyDigest, Day, Payment, token_hash};
use nightdrop_wire::{
    authorization::Authorization,
    ids::BlobId,
    limits::{MAX_CHUNKS, MAX_HELD_CHUNKS},
    messages::{blob::CreateBlob, blob::FinishBlob, credit::Credit, ticket::CreateTicket},
    price,
    size_class::SizeClass,
    token::Token,
};
use sha2::{Digest, Sha256};

/// A blob of two chunks, created, not filled.
fn open_blob(fixture: &Fixture) -> TestBlob {
    let blob = TestBlob::new(2);
    fixture.create(&blob.create(fixture.credit())).unwrap();
    blob
}

fn filled_blob(fixture: &Fixture) -> TestBlob {
    let blob = open_blob(fixture);
    fixture.put(&blob, 0, &blob.chunks[0]).unwrap();
    fixture.put(&blob, 1, &blob.chunks[1]).unwrap();
    blob
}

fn finished_blob(fixture: &Fixture) -> TestBlob {
    let blob = filled_blob(fixture);
    fixture.finish(&blob, &blob.finish()).unwrap();
    blob
}

#[test]
fn a_finished_blob_is_read_as_it_was_given() {
    let fixture = Fixture::new();
    let blob = finished_blob(&fixture);
    assert_eq!(fixture.read(&blob, 0).unwrap(), blob.chunks[0]);
    assert_eq!(fixture.read(&blob, 1).unwrap(), blob.chunks[1]);
    assert_eq!(fixture.store().read_manifest(blob.id, &blob.reading(), NOW).unwrap(), blob.manifest);
}

#[test]
fn what_an_unfinished_blob_holds_is_listed_by_pages() {
    let fixture = Fixture::new();
    let blob = TestBlob::new(1);
    let many = u32::try_from(MAX_HELD_CHUNKS).unwrap() + 3;
    fixture
        .create(&CreateBlob {
            chunks: many,
            payment: payment_of(price::of_open(many).unwrap()),
            ..blob.create(fixture.credit())
        })
        .unwrap();
    let held = |from| fixture.store().held_chunks(blob.id, &blob.write_key, from, TODAY).unwrap().chunks;
    assert_eq!(held(0), []);
    let chunk = random_bytes(SizeClass::FULL.sealed());
    let hash: [u8; 32] = Sha256::digest(&chunk).into();
    for n in [0, 2, many - 1] {
        fixture.put(&blob, n, &chunk).unwrap();
    }
    let indexes = |from| held(from).iter().map(|held| held.index).collect::<Vec<_>>();
    assert_eq!((indexes(0), indexes(1), indexes(many)), (vec![0, 2, many - 1], vec![2, many - 1], vec![]));
    assert!(held(0).iter().all(|held| held.hash == hash));
    let other = random_bytes(SizeClass::FULL.sealed());
    fixture.put(&blob, 2, &other).unwrap();
    assert_eq!(held(2)[0].hash, <[u8; 32]>::from(Sha256::digest(&other)), "the one in its place");
}

#[test]
fn what_a_blob_holds_is_told_to_its_write_key_until_it_is_finished() {
    let fixture = Fixture::new();
    let blob = filled_blob(&fixture);
    let held = |token: &Token| fixture.store().held_chunks(blob.id, token, 0, TODAY);
    assert_eq!(held(&blob.write_key).unwrap().chunks.len(), 2);
    assert_refused!(held(&blob.read_token), Refused, "its reader");
    assert_refused!(held(&random_token()), Refused, "a stranger");
    let unknown = fixture.store().held_chunks(TestBlob::new(1).id, &blob.write_key, 0, TODAY);
    assert_refused!(unknown, Refused, "another blob");
    fixture.finish(&blob, &blob.finish()).unwrap();
    assert_refused!(held(&blob.write_key), Refused, "finished");
    let open = filled_blob(&fixture);
    fixture.wait(fixture.store().destroy_blob(open.id, &open.write_key, TODAY)).unwrap();
    assert_refused!(fixture.store().held_chunks(open.id, &open.write_key, 0, TODAY), Refused, "ended");
}

#[test]
fn a_whole_blob_is_stored_and_finished_by_one_request() {
    let fixture = Fixture::new();
    let blob = fixture.whole_blob();
    assert_eq!(fixture.read(&blob, 0).unwrap(), blob.chunks[0]);
    assert_eq!(fixture.store().read_manifest(blob.id, &blob.reading(), NOW).unwrap(), blob.manifest);
    fixture.finish(&blob, &blob.finish()).expect("the same manifest again");
}

#[test]
fn the_same_requests_again_are_answered_alike() {
    let fixture = Fixture::new();
    let blob = TestBlob::new(2);
    let create = blob.create(fixture.credit());
    for _ in 0..2 {
        fixture.create(&create).unwrap();
        for (n, chunk) in (0..).zip(&blob.chunks) {
            fixture.put(&blob, n, chunk).unwrap();
        }
        fixture.finish(&blob, &blob.finish()).unwrap();
    }
    let (ticket, _) = blob.ticket();
    fixture.ticket(&ticket, &blob.write_key).unwrap();
    fixture.ticket(&ticket, &blob.write_key).unwrap();
}

#[test]
fn a_credit_pays_once_and_until_its_last_day() {
    let fixture = Fixture::new();
    let credit = fixture.credit();
    fixture.create(&TestBlob::new(2).create(credit.clone())).unwrap();
    assert_refused!(fixture.create(&TestBlob::new(2).create(credit.clone())), Refused, "spent");
    let altered = Credit::new(credit.denomination(), TODAY.plus(90).0, *credit.nonce(), [1; 32]);
    assert_refused!(fixture.create(&TestBlob::new(2).create(altered)), Refused, "whatever else stands in it");
    assert_refused!(
        fixture.create(&TestBlob::new(2).create(random_credit(Day(TODAY.0 - 1)))),
        Refused,
        "too old"
    );

    let create_on = |day, credit: Credit| {
        let message = TestBlob::new(2).create(credit);
        let payment = Payment::of_verified(&message.payment);
        fixture.wait(fixture.store().create_blob(
            &message,
            payment,
            BodyDigest::of(b"body"),
            day,
            &mut rand::rng(),
        ))
    };
    assert_refused!(create_on(TODAY.plus(31), fixture.credit()), Refused, "expired");
    create_on(TODAY.plus(30), fixture.credit()).expect("the last day");
}

#[test]
fn malformed_creations_are_refused_and_do_not_spend_the_credit() {
    let fixture = Fixture::new();
    let (blob, credit) = (TestBlob::new(1), fixture.credit());
    let good = blob.create_whole(credit, SizeClass::SMALLEST);
    let with = |change: &dyn Fn(&mut CreateBlob)| {
        let mut message = good.clone();
        change(&mut message);
        message
    };
    for (why, bad) in [
        ("no chunks", with(&|message| message.chunks = 0)),
        ("two chunks in one", with(&|message| message.chunks = 2)),
        ("too many chunks", with(&|message| (message.chunks, message.whole) = (MAX_CHUNKS + 1, None))),
        ("chunk of no class", with(&|message| message.whole.as_mut().unwrap().chunk.push(0))),
        ("manifest of no class", with(&|message| message.whole.as_mut().unwrap().manifest.truncate(9))),
    ] {
        assert_refused!(fixture.create(&bad), Refused, why);
    }
    fixture.create(&good).unwrap();
}

#[test]
fn a_taken_id_is_a_conflict_and_does_not_spend_the_credit() {
    let fixture = Fixture::new();
    let taken = open_blob(&fixture);
    let other = TestBlob { id: taken.id, ..TestBlob::new(2) };
    let credit = fixture.credit();
    assert_refused!(fixture.create(&other.create(credit.clone())), Conflict);
    fixture.put(&taken, 0, &taken.chunks[0]).expect("the first one's blob is as it was");
    fixture.create(&TestBlob::new(2).create(credit)).expect("the credit still pays");
}

#[test]
fn a_chunk_may_be_replaced_until_the_blob_is_finished() {
    let fixture = Fixture::new();
    let mut blob = filled_blob(&fixture);
    blob.chunks[1] = random_bytes(SizeClass::FULL.sealed());
    fixture.put(&blob, 1, &blob.chunks[1]).unwrap();
    fixture.finish(&blob, &blob.finish()).unwrap();
    assert_eq!(fixture.read(&blob, 1).unwrap(), blob.chunks[1]);

    assert_refused!(fixture.put(&blob, 1, &blob.chunks[0]), Conflict, "other bytes");
    fixture.put(&blob, 1, &blob.chunks[1]).expect("the same bytes");
    assert_eq!(fixture.read(&blob, 1).unwrap(), blob.chunks[1]);
}

#[test]
fn chunks_without_a_place_are_refused() {
    let fixture = Fixture::new();
    let blob = open_blob(&fixture);
    let small = random_bytes(SizeClass::SMALLEST.sealed());
    assert_refused!(fixture.put(&blob, 2, &blob.chunks[0]), Conflict, "beyond the count");
    assert_refused!(fixture.put(&blob, u32::MAX, &blob.chunks[0]), Conflict, "far beyond the count");
    assert_refused!(fixture.put(&blob, 0, &small), Conflict, "a small chunk of several");
    assert_refused!(fixture.put(&blob, 0, &blob.chunks[0][1..]), Refused, "no class");
    assert_refused!(fixture.put(&blob, 0, &[]), Refused, "empty");
    let stranger = TestBlob { write_key: random_token(), ..blob.clone() };
    assert_refused!(fixture.put(&stranger, 0, &blob.chunks[0]), Refused, "another key");
    let reader = TestBlob { write_key: blob.read_token.clone(), ..blob.clone() };
    assert_refused!(fixture.put(&reader, 0, &blob.chunks[0]), Refused, "the read token");
    fixture.put(&blob, 1, &blob.chunks[1]).unwrap();
}

#[test]
fn finishing_needs_exactly_the_listed_chunks() {
    let fixture = Fixture::new();
    let blob = open_blob(&fixture);
    fixture.put(&blob, 1, &blob.chunks[1]).unwrap();
    assert_refused!(fixture.finish(&blob, &blob.finish()), Conflict, "a chunk is missing");
    fixture.put(&blob, 0, &blob.chunks[1]).unwrap();
    assert_refused!(fixture.finish(&blob, &blob.finish()), Conflict, "a chunk is another");
    fixture.put(&blob, 0, &blob.chunks[0]).unwrap();
    let swapped = TestBlob { chunks: blob.chunks.iter().rev().cloned().collect(), ..blob.clone() };
    assert_refused!(fixture.finish(&blob, &swapped.finish()), Conflict, "another order");
    let odd = FinishBlob { manifest: vec![0; 100], ..blob.finish() };
    assert_refused!(fixture.finish(&blob, &odd), Refused, "a manifest of no class");
    let stranger = TestBlob { write_key: random_token(), ..blob.clone() };
    assert_refused!(fixture.finish(&stranger, &blob.finish()), Refused, "another key");

    fixture.finish(&blob, &blob.finish()).unwrap();
    let other = FinishBlob { manifest: random_bytes(blob.manifest.len()), ..blob.finish() };
    assert_refused!(fixture.finish(&blob, &other), Conflict, "another manifest");
    assert_eq!(fixture.store().read_manifest(blob.id, &blob.reading(), NOW).unwrap(), blob.manifest);
}

#[test]
fn nothing_is_read_before_the_blob_is_finished() {
    let fixture = Fixture::new();
    let blob = filled_blob(&fixture);
    assert_refused!(fixture.read(&blob, 0), Refused);
    assert_refused!(fixture.store().read_manifest(blob.id, &blob.reading(), NOW), Refused);
    fixture.finish(&blob, &blob.finish()).unwrap();
    assert_eq!(fixture.read(&blob, 0).unwrap(), blob.chunks[0]);
}

#[test]
fn a_blob_is_read_only_with_what_belongs_to_it() {
    let fixture = Fixture::new();
    let (blob, other) = (finished_blob(&fixture), fixture.whole_blob());
    let (ticket, token) = other.ticket();
    fixture.ticket(&ticket, &other.write_key).unwrap();
    let store = fixture.store();
    for (why, shown) in [
        ("a made-up token", Authorization::Bearer(random_token())),
        ("another blob's token", other.reading()),
        ("the write key", Authorization::Bearer(blob.write_key.clone())),
        ("another blob's ticket", Authorization::Ticket(ticket.ticket, token.clone())),
    ] {
        assert_refused!(store.read_chunk(blob.id, 0, &shown, NOW), Refused, why);
        assert_refused!(store.read_manifest(blob.id, &shown, NOW), Refused, why);
    }
    assert_refused!(store.read_chunk(blob.id, 2, &blob.reading(), NOW), Refused, "no such chunk");
    assert_refused!(
        store.read_chunk(BlobId::from_bytes([0; 16]), 0, &blob.reading(), NOW),
        Refused,
        "no such blob"
    );
    assert!(store.read_chunk(blob.id, 0, &blob.reading(), NOW).is_ok());
    assert!(store.read_chunk(other.id, 0, &Authorization::Ticket(ticket.ticket, token), NOW).is_ok());
}

#[test]
fn a_ticket_reads_its_blob_and_gives_its_envelope() {
    let fixture = Fixture::new();
    let blob = finished_blob(&fixture);
    let (ticket, token) = blob.ticket();
    fixture.ticket(&ticket, &blob.write_key).unwrap();
    let store = fixture.store();
    assert_eq!(store.read_ticket(ticket.ticket, &token, NOW).unwrap(), ticket.envelope);
    let shown = Authorization::Ticket(ticket.ticket, token);
    assert_eq!(store.read_chunk(blob.id, 1, &shown, NOW).unwrap(), blob.chunks[1]);
    assert_eq!(store.read_manifest(blob.id, &shown, NOW).unwrap(), blob.manifest);
    assert_refused!(store.read_ticket(ticket.ticket, &random_token(), NOW), Refused, "another token");
    assert_refused!(
        store.read_ticket(blob.ticket().0.ticket, &random_token(), NOW),
        Refused,
        "no such ticket"
    );
}

#[test]
fn tickets_that_may_not_be_made_are_refused() {
    let fixture = Fixture::new();
    let (blob, unfinished) = (finished_blob(&fixture), filled_blob(&fixture));
    let (ticket, _) = blob.ticket();
    assert_refused!(fixture.ticket(&ticket, &random_token()), Refused, "another key");
    assert_refused!(fixture.ticket(&ticket, &unfinished.write_key), Refused, "another blob's key");
    let long = CreateTicket { envelope: vec![0; ticket.envelope.len() + 1], ..ticket };
    assert_refused!(fixture.ticket(&long, &blob.write_key), Refused, "a longer envelope");
    assert_refused!(fixture.ticket(&unfinished.ticket().0, &unfinished.write_key), Conflict, "not finished");
    fixture.ticket(&ticket, &blob.write_key).unwrap();
    let other = CreateTicket { ticket: ticket.ticket, ..blob.ticket().0 };
    assert_refused!(fixture.ticket(&other, &blob.write_key), Conflict, "a taken id");
}

#[test]
fn a_destroyed_blob_is_gone_with_its_tickets_and_for_good() {
    let fixture = Fixture::new();
    let (blob, neighbour) = (finished_blob(&fixture), fixture.whole_blob());
    let (ticket, token) = blob.ticket();
    fixture.ticket(&ticket, &blob.write_key).unwrap();
    let store = fixture.store();
    assert_refused!(
        fixture.wait(store.destroy_blob(blob.id, &blob.read_token, TODAY)),
        Refused,
        "the read token"
    );
    assert!(fixture.read(&blob, 0).is_ok());

    fixture.wait(store.destroy_blob(blob.id, &blob.write_key, TODAY)).unwrap();
    assert_refused!(fixture.read(&blob, 0), Refused);
    assert_refused!(store.read_manifest(blob.id, &blob.reading(), NOW), Refused);
    assert_refused!(store.read_ticket(ticket.ticket, &token, NOW), Refused);
    assert_refused!(fixture.put(&blob, 0, &blob.chunks[0]), Refused);
    fixture
        .wait(store.destroy_blob(blob.id, &blob.write_key, TODAY))
        .expect("who lost the answer is told again");
    assert_refused!(
        fixture.wait(store.destroy_blob(blob.id, &blob.read_token, TODAY)),
        Refused,
        "nobody else is"
    );

    assert_refused!(fixture.create(&blob.create(fixture.credit())), Conflict, "the id ended");
    let heir = fixture.whole_blob();
    let again = CreateTicket { blob: heir.id, ..ticket };
    assert_refused!(fixture.ticket(&again, &heir.write_key), Conflict, "the ticket ended");
    assert!(fixture.read(&neighbour, 0).is_ok(), "others stay");
}

#[test]
fn a_ticket_ends_by_itself_and_for_good() {
    let mut fixture = Fixture::new();
    let (blob, other) = (finished_blob(&fixture), fixture.whole_blob());
    let (ended, ended_token) = blob.ticket();
    let (stays, stays_token) = blob.ticket();
    for ticket in [&ended, &stays] {
        fixture.ticket(ticket, &blob.write_key).unwrap();
    }
    let end = |fixture: &Fixture, id, key: &Token| fixture.wait(fixture.store().end_ticket(id, key));
    for (why, key) in [
        ("a made-up key", &random_token()),
        ("another blob's key", &other.write_key),
        ("the blob's read token", &blob.read_token),
        ("the ticket's token", &ended_token),
    ] {
        assert_refused!(end(&fixture, ended.ticket, key), Refused, why);
    }
    assert_refused!(end(&fixture, other.ticket().0.ticket, &blob.write_key), Refused, "no such ticket");
    assert_eq!(fixture.store().read_ticket(ended.ticket, &ended_token, NOW).unwrap(), ended.envelope);

    end(&fixture, ended.ticket, &blob.write_key).unwrap();
    for reopened in [false, true] {
        let store = fixture.store();
        assert_refused!(store.read_ticket(ended.ticket, &ended_token, NOW), Refused, "its envelope");
        let shown = Authorization::Ticket(ended.ticket, ended_token.clone());
        assert_refused!(store.read_chunk(blob.id, 0, &shown, NOW), Refused, "its blob's chunks");
        assert_refused!(store.read_manifest(blob.id, &shown, NOW), Refused, "its blob's manifest");
        end(&fixture, ended.ticket, &blob.write_key).expect("who lost the answer is told again");
        assert_refused!(end(&fixture, ended.ticket, &blob.read_token), Refused, "nobody else is");
        assert_refused!(fixture.ticket(&ended, &blob.write_key), Conflict, "made again");
        let shown = Authorization::Ticket(stays.ticket, stays_token.clone());
        assert_eq!(
            store.read_chunk(blob.id, 0, &shown, NOW).unwrap(),
            blob.chunks[0],
            "another ticket stays"
        );
        assert_eq!(store.read_ticket(stays.ticket, &stays_token, NOW).unwrap(), stays.envelope);
        assert!(fixture.read(&blob, 0).is_ok(), "and so does the blob");
        if !reopened {
            fixture.open();
        }
    }
    let holds_key = |fixture: &mut Fixture, id: &nightdrop_wire::ids::TicketId| {
        fixture.close();
        let database = redb::Database::open(fixture.file()).unwrap();
        let transaction = redb::ReadableDatabase::begin_read(&database).unwrap();
        let keys: redb::TableDefinition<'_, [u8; 17], &[u8]> = redb::TableDefinition::new("at_rest_keys");
        let mut name = [2; 17];
        name[1..].copy_from_slice(id.as_bytes());
        transaction.open_table(keys).unwrap().get(name).unwrap().is_some()
    };
    assert!(!holds_key(&mut fixture, &ended.ticket), "its key is erased");
    assert!(holds_key(&mut fixture, &stays.ticket));
    fixture.open();
    fixture
        .wait(fixture.store().destroy_blob(blob.id, &blob.write_key, TODAY))
        .expect("the blob's end is not in its way");
    assert_refused!(fixture.store().read_ticket(stays.ticket, &stays_token, NOW), Refused);
}

#[test]
fn the_last_chunk_index_that_the_protocol_knows_has_a_place() {
    let fixture = Fixture::new();
    let blob = TestBlob::new(2);
    let create = CreateBlob {
        chunks: MAX_CHUNKS,
        payment: payment_of(price::of_open(MAX_CHUNKS).unwrap()),
        ..blob.create(fixture.credit())
    };
    fixture.create(&create).unwrap();
    fixture.put(&blob, MAX_CHUNKS - 1, &blob.chunks[0]).unwrap();
    assert_refused!(fixture.put(&blob, MAX_CHUNKS, &blob.chunks[0]), Conflict);
    assert_eq!(token_hash(&blob.write_key), create.write_key);
}
