//! Damage: whatever happens to the file, nothing false is served, nothing panics, and what is healthy is served.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use common::{Fixture, NOW, TODAY, TestBlob, random_token};
use nightdrop_store::{AccountChange, BodyDigest, Store, StoreError, StoreLimits, token_hash};
use nightdrop_wire::{
    ids::{AccountId, ChangeId},
    messages::account::{ChangeFinish, RecoveryChange},
    size_class::SizeClass,
};
use redb::ReadableTable;
use std::{
    fs::OpenOptions,
    os::unix::fs::FileExt,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
};

fn is_damaged<T>(result: &Result<T, StoreError>) -> bool {
    matches!(result, Err(StoreError::Damaged(_)))
}

/// Writes one row straight into the database.
fn overwrite(path: &Path, edit: impl FnOnce(&redb::WriteTransaction)) {
    let database = redb::Database::open(path).unwrap();
    let transaction = database.begin_write().unwrap();
    edit(&transaction);
    transaction.commit().unwrap();
}

const CHUNKS: redb::TableDefinition<'_, ([u8; 16], u32), &[u8]> = redb::TableDefinition::new("chunks");
const MANIFESTS: redb::TableDefinition<'_, [u8; 16], &[u8]> = redb::TableDefinition::new("manifests");
const BLOBS: redb::TableDefinition<'_, [u8; 16], &[u8]> = redb::TableDefinition::new("blobs");
const KEYS: redb::TableDefinition<'_, [u8; 17], &[u8]> = redb::TableDefinition::new("at_rest_keys");

#[test]
fn flipped_bytes_of_the_file_are_noticed_and_healthy_objects_are_served() {
    let mut fixture = Fixture::new();
    let (hurt, healthy) = (fixture.whole_blob(), fixture.whole_blob());
    let stored = stored_chunk(&mut fixture, &hurt);
    let bytes = std::fs::read(fixture.file()).unwrap();
    let at =
        bytes.windows(stored.len()).position(|window| window == stored).expect("the chunk is in the file");
    let file = OpenOptions::new().write(true).open(fixture.file()).unwrap();
    for offset in [0, 24, stored.len() / 2, stored.len() - 1] {
        let place = u64::try_from(at + offset).unwrap();
        file.write_all_at(&[stored[offset] ^ 0x10], place).unwrap();
        fixture.open();
        assert!(matches!(fixture.read(&hurt, 0), Err(StoreError::Damaged("chunks"))), "byte {offset}");
        assert_eq!(fixture.store().read_manifest(hurt.id, &hurt.reading(), NOW).unwrap(), hurt.manifest);
        assert_eq!(fixture.read(&healthy, 0).unwrap(), healthy.chunks[0]);
        fixture.close();
        file.write_all_at(&[stored[offset]], place).unwrap();
    }
    fixture.open();
    assert_eq!(fixture.read(&hurt, 0).unwrap(), hurt.chunks[0]);
}

fn stored_chunk(fixture: &mut Fixture, blob: &TestBlob) -> Vec<u8> {
    fixture.close();
    let database = redb::Database::open(fixture.file()).unwrap();
    let transaction = redb::ReadableDatabase::begin_read(&database).unwrap();
    let chunk = transaction.open_table(CHUNKS).unwrap().get((*blob.id.as_bytes(), 0)).unwrap().unwrap();
    chunk.value().to_vec()
}

#[test]
fn swapped_missing_and_shortened_values_are_damage_of_that_object_alone() {
    let mut fixture = Fixture::new();
    let (a, b, healthy) = (fixture.whole_blob(), fixture.whole_blob(), fixture.whole_blob());
    let chunk_of_b = stored_chunk(&mut fixture, &b);
    overwrite(&fixture.file(), |transaction| {
        let mut chunks = transaction.open_table(CHUNKS).unwrap();
        chunks.insert((*a.id.as_bytes(), 0), chunk_of_b.as_slice()).unwrap();
        chunks.remove((*b.id.as_bytes(), 0)).unwrap();
        let mut manifests = transaction.open_table(MANIFESTS).unwrap();
        manifests.insert(*a.id.as_bytes(), [1; 39].as_slice()).unwrap();
        manifests.insert(*b.id.as_bytes(), [].as_slice()).unwrap();
    });
    fixture.open();
    for blob in [&a, &b] {
        assert!(is_damaged(&fixture.read(blob, 0)));
        assert!(is_damaged(&fixture.store().read_manifest(blob.id, &blob.reading(), NOW)));
    }
    assert_eq!(fixture.read(&healthy, 0).unwrap(), healthy.chunks[0]);
}

#[test]
fn damaged_rows_and_keys_are_noticed_before_they_are_believed() {
    let mut fixture = Fixture::new();
    let (row_hurt, key_hurt) = (fixture.whole_blob(), fixture.whole_blob());
    let healthy = fixture.whole_blob();
    fixture.close();
    overwrite(&fixture.file(), |transaction| {
        let mut blobs = transaction.open_table(BLOBS).unwrap();
        let mut row = blobs.get(*row_hurt.id.as_bytes()).unwrap().unwrap().value().to_vec();
        // The read token's hash: without a checksum its owner would merely be told that there is no such blob.
        row[5] ^= 1;
        blobs.insert(*row_hurt.id.as_bytes(), row.as_slice()).unwrap();
        let mut keys = transaction.open_table(KEYS).unwrap();
        let mut name = [1; 17];
        name[1..].copy_from_slice(key_hurt.id.as_bytes());
        let mut key = keys.get(name).unwrap().unwrap().value().to_vec();
        key[31] ^= 1;
        keys.insert(name, key.as_slice()).unwrap();
    });
    fixture.open();
    assert_refused!(fixture.read(&row_hurt, 0), Refused, "nobody can show a capability for it");
    assert!(matches!(fixture.read(&key_hurt, 0), Err(StoreError::Damaged("chunks"))));
    assert_eq!(fixture.read(&healthy, 0).unwrap(), healthy.chunks[0]);
    fixture
        .wait(fixture.store().destroy_blob(key_hurt.id, &key_hurt.write_key, TODAY))
        .expect("it can be destroyed");
    fixture.whole_blob();
}

#[test]
fn a_damaged_row_is_the_same_refusal_as_one_that_is_not_there() {
    let mut fixture = Fixture::new();
    let session = fixture.session(1);
    let (blob, log, spent) = (fixture.whole_blob(), fixture.log(), fixture.credit());
    fixture.create(&TestBlob::new(2).create(spent.clone())).unwrap();
    let (ticket, ticket_token) = blob.ticket();
    fixture.ticket(&ticket, &blob.write_key).unwrap();
    let invitation = token_hash(&random_token());
    fixture.wait(fixture.store().issue_invitation(invitation, TODAY)).unwrap();
    // Each probe with the right capability, under which it succeeds as long as nothing is damaged.
    let probe = |fixture: &Fixture| {
        let store = fixture.store();
        let mut log = log.clone();
        let append = log.append(vec![log.entries[0].clone()]);
        vec![
            ("a chunk", fixture.read(&blob, 0).map(drop)),
            ("a ticket", store.read_ticket(ticket.ticket, &ticket_token, NOW).map(drop)),
            ("a log", fixture.read_log(&log, 0).map(drop)),
            ("an append", fixture.append(&log, &append)),
            ("a session", store.authenticate(&token_hash(&session), TODAY).map(drop)),
            ("an invitation", store.check_invitation(&invitation, TODAY)),
            ("an end of a ticket", fixture.wait(store.end_ticket(ticket.ticket, &blob.write_key))),
            ("an end of a blob", fixture.wait(store.destroy_blob(blob.id, &blob.write_key, TODAY)).map(drop)),
        ]
    };
    fixture.close();
    let whole = std::fs::read(fixture.file()).unwrap();
    overwrite(&fixture.file(), |transaction| {
        damage_all::<[u8; 16]>(transaction, &["blobs", "tickets"]);
        damage_all::<[u8; 32]>(transaction, &["logs", "sessions", "invitations", "spent_credits"]);
    });
    fixture.open();
    for (what, result) in probe(&fixture) {
        assert_refused!(result, Refused, what);
    }
    let taken = TestBlob { id: blob.id, ..TestBlob::new(2) };
    assert_refused!(
        fixture.create(&TestBlob::new(2).create(spent.clone())),
        Refused,
        "a damaged row is that of a spent credit"
    );
    assert_refused!(fixture.create(&taken.create(spent.clone())), Refused, "a taken id, no credit");
    fixture.close();
    std::fs::write(fixture.file(), whole).unwrap();
    fixture.open();
    assert_refused!(fixture.create(&taken.create(spent)), Refused, "a taken id, no credit");
    for (what, result) in probe(&fixture) {
        result.unwrap_or_else(|error| panic!("{what} undamaged: {error:?}"));
    }
}

/// Flips a bit of the checksum of every row of these tables.
fn damage_all<K>(transaction: &redb::WriteTransaction, tables: &[&str])
where
    K: redb::Key + for<'a> redb::Value<SelfType<'a> = K> + 'static,
{
    for name in tables {
        let mut table = transaction.open_table(redb::TableDefinition::<'_, K, &[u8]>::new(name)).unwrap();
        let rows: Vec<_> = table
            .iter()
            .unwrap()
            .map(|row| row.unwrap())
            .map(|(key, value)| (key.value(), value.value().to_vec()))
            .collect();
        assert!(!rows.is_empty(), "{name}");
        for (key, mut row) in rows {
            *row.last_mut().unwrap() ^= 1;
            table.insert(key, row.as_slice()).unwrap();
        }
    }
}

#[test]
fn a_lost_key_of_one_account_does_not_concern_whoever_asks_for_its_neighbour() {
    let mut fixture = Fixture::new();
    let decoy = [0xaa; 192];
    fixture.wait(fixture.store().create_identity(b"set-up", &decoy, &mut rand::rng())).unwrap();
    fixture.session(4);
    fixture.session(7);
    fixture.close();
    overwrite(&fixture.file(), |transaction| {
        let mut name = [0; 17];
        name[0] = 3;
        name[1..11].copy_from_slice(&[7; 10]);
        drop(transaction.open_table(KEYS).unwrap().remove(name).unwrap().expect("it has a key"));
    });
    fixture.open();
    let record = |id| fixture.store().login_record(AccountId::from_bytes(id)).map(|held| *held.record);
    assert_eq!(record([7; 10]).unwrap(), decoy, "answered as if there were no such account");
    assert_eq!(record([4; 10]).unwrap(), [4; 192]);
    let mut before = [7; 10];
    before[9] = 6;
    assert_eq!(record(before).unwrap(), decoy, "the next record is the one without a key");
    assert_eq!(record([0xff; 10]).unwrap(), decoy, "there is no next record, or only the decoy");
}

#[test]
fn a_damaged_list_of_sessions_ends_them_and_keeps_nobody_from_changing_or_removing_the_account() {
    let mut fixture = Fixture::new();
    let accounts = [1, 2, 3].map(|name| AccountId::from_bytes([name; 10]));
    let sessions = [1, 2, 3].map(|name| token_hash(&fixture.session(name)));
    let [changed, removed, logged_in] = accounts;
    fixture.close();
    overwrite(&fixture.file(), |transaction| damage_all::<[u8; 10]>(transaction, &["account_sessions"]));
    fixture.open();
    let good =
        |fixture: &Fixture| sessions.map(|session| fixture.store().authenticate(&session, TODAY).is_ok());
    assert_eq!(good(&fixture), [true; 3]);

    let message = ChangeFinish {
        change: ChangeId::from_bytes([7; 16]),
        upload: [7; 192],
        master_key: vec![7; 115],
        recovery: RecoveryChange::Keep,
        keyring: None,
    };
    let begun_with = fixture.store().login_record(changed).unwrap().version;
    let change =
        AccountChange { account: changed, begun_with, message: &message, body: BodyDigest::of(b"change") };
    fixture.wait(fixture.store().change_account(&change, &mut rand::rng())).expect("it is changed");
    assert_eq!(good(&fixture), [false, true, true], "its sessions end, and no other's");
    fixture.wait(fixture.store().remove_account(removed, None)).expect("it is removed");
    assert_eq!(good(&fixture), [false, false, true], "its sessions end, and no other's");
    let (one, two) = (random_token(), random_token());
    fixture.open_session(changed, &one).expect("its list is there again");
    fixture.open_session(logged_in, &two).expect("a login is not kept out, either");
    assert_eq!(good(&fixture), [false; 3]);
    for (session, account) in [(one, changed), (two, logged_in)] {
        assert_eq!(fixture.store().authenticate(&token_hash(&session), TODAY).unwrap(), account);
        assert_eq!(fixture.store().list_sessions(&token_hash(&session), TODAY).unwrap().len(), 1);
    }
}

#[test]
fn an_unfinished_upload_goes_on_beside_a_damaged_one() {
    let mut fixture = Fixture::new();
    let (hurt, going) = (TestBlob::new(2), TestBlob::new(2));
    for blob in [&hurt, &going] {
        fixture.create(&blob.create(fixture.credit())).unwrap();
        fixture.put(blob, 0, &blob.chunks[0]).unwrap();
    }
    fixture.close();
    overwrite(&fixture.file(), |transaction| {
        let mut blobs = transaction.open_table(BLOBS).unwrap();
        blobs.insert(*hurt.id.as_bytes(), [7; 3].as_slice()).unwrap();
    });
    fixture.open();
    assert_refused!(fixture.put(&hurt, 1, &hurt.chunks[1]), Refused);
    fixture.put(&going, 1, &going.chunks[1]).unwrap();
    fixture.finish(&going, &going.finish()).unwrap();
    assert_eq!(fixture.read(&going, 0).unwrap(), going.chunks[0]);
}

/// What a store with a damaged file may do: refuse to open, fail, or give exactly what was written.
fn everything_served_is_right(directory: &Path, blobs: &[TestBlob], runtime: &tokio::runtime::Runtime) {
    let Ok(store) = Store::open(directory, StoreLimits::default()) else { return };
    for blob in blobs {
        if let Ok(chunk) = store.read_chunk(blob.id, 0, &blob.reading(), NOW) {
            assert_eq!(chunk, blob.chunks[0]);
        }
        if let Ok(manifest) = store.read_manifest(blob.id, &blob.reading(), NOW) {
            assert_eq!(manifest, blob.manifest);
        }
    }
    let _ = runtime.block_on(store.issue_invitation(token_hash(&random_token()), TODAY));
}

#[test]
fn a_file_that_is_flipped_zeroed_truncated_or_extended_never_serves_what_was_not_written() {
    let mut fixture = Fixture::new();
    let blobs: Vec<_> = (0..6).map(|_| fixture.whole_blob()).collect();
    fixture.close();
    let good = std::fs::read(fixture.file()).unwrap();
    let length = good.len();
    let mut cases: Vec<Vec<u8>> = Vec::new();
    for cut in [0, 100, 4096, length / 2, length - 1] {
        cases.push(good[..cut].to_vec());
    }
    cases.push([good.as_slice(), &[0; 5_000]].concat());
    for page in (0..length).step_by(4096).filter(|page| good[*page..][..64.min(length - page)] != [0; 64]) {
        for offset in [0, 7, 100] {
            let mut flipped = good.clone();
            if let Some(byte) = flipped.get_mut(page + offset) {
                *byte ^= 0x81;
            }
            cases.push(flipped);
        }
        let mut zeroed = good.clone();
        let end = (page + 4096).min(length);
        zeroed[page..end].fill(0);
        cases.push(zeroed);
    }
    let directory = tempfile::tempdir().unwrap();
    let mut panics = 0;
    for case in &cases {
        std::fs::write(directory.path().join("nightdrop.redb"), case).unwrap();
        let run = || everything_served_is_right(directory.path(), &blobs, &fixture.runtime);
        panics += usize::from(catch_unwind(AssertUnwindSafe(run)).is_err());
    }
    assert_eq!(panics, 0, "of {} cases", cases.len());
}

#[test]
fn sizes_of_the_tests_are_those_of_the_protocol() {
    assert_eq!(TestBlob::new(1).chunks[0].len(), SizeClass::SMALLEST.sealed());
}
