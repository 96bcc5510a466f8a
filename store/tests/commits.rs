//! Commits: what was acknowledged survives, what was refused leaves nothing, batches are shared.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use bytes::BytesMut;
use common::{Fixture, NOW, TODAY, TestBlob, random_token};
use nightdrop_store::{BodyDigest, OpenError, Payment, Store, StoreError, StoreLimits, token_hash};
use nightdrop_wire::{codec, size_class::SizeClass};
use std::os::unix::fs::PermissionsExt;

#[test]
fn many_writes_at_once_are_all_there_after_reopening() {
    let mut fixture = Fixture::new();
    let credits = fixture.credits(200);
    let blobs: Vec<_> = (0..200).map(|_| TestBlob::new(1)).collect();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    let tasks: Vec<_> = blobs
        .iter()
        .zip(credits)
        .map(|(blob, credit)| {
            let message = blob.create_whole(credit, SizeClass::SMALLEST);
            let body = BodyDigest::of(&codec::encode(&message).unwrap());
            runtime.spawn(fixture.store().create_blob(
                &message,
                Payment::of_verified(&message.payment),
                body,
                TODAY,
                &mut rand::rng(),
            ))
        })
        .collect();
    for task in tasks {
        runtime.block_on(task).unwrap().unwrap();
    }
    fixture.open();
    for blob in &blobs {
        assert_eq!(fixture.read(blob, 0).unwrap(), blob.chunks[0]);
    }
}

#[test]
fn what_is_answered_is_committed_at_that_moment() {
    let fixture = Fixture::new();
    let copies = tempfile::tempdir().unwrap();
    let mut answered = Vec::new();
    for n in 0..8 {
        answered.push(fixture.whole_blob());
        // As a crash would leave it: nothing of the running store is closed or flushed.
        let directory = copies.path().join(n.to_string());
        std::fs::create_dir(&directory).unwrap();
        std::fs::copy(fixture.file(), directory.join("nightdrop.redb")).unwrap();
        let crashed = Store::open(&directory, StoreLimits::default()).unwrap();
        for blob in &answered {
            assert_eq!(crashed.read_chunk(blob.id, 0, &blob.reading(), NOW).unwrap(), blob.chunks[0]);
        }
    }
}

#[test]
fn a_copy_taken_in_mid_write_opens_with_all_that_was_answered_before() {
    let fixture = Fixture::new();
    let before: Vec<_> = (0..4).map(|_| fixture.whole_blob()).collect();
    let blob = TestBlob::new(8);
    fixture.create(&blob.create(fixture.credit())).unwrap();
    let copies = tempfile::tempdir().unwrap();
    let (store, file) = (fixture.store().clone(), fixture.file());
    let writer = fixture.runtime.spawn(async move {
        for round in 0..5 {
            for n in 0..8u32 {
                let chunk = BytesMut::from_iter(vec![round; SizeClass::FULL.sealed()]);
                let put = store.put_chunk(blob.id, n, &blob.write_key, chunk, TODAY, &mut rand::rng());
                put.await.unwrap();
            }
        }
    });
    let mut copied = 0;
    while !writer.is_finished() || copied == 0 {
        let directory = copies.path().join(copied.to_string());
        std::fs::create_dir(&directory).unwrap();
        std::fs::copy(&file, directory.join("nightdrop.redb")).unwrap();
        copied += 1;
        // A copy is not a snapshot: pages may be from before and the header from after. It must open or be refused.
        if let Ok(crashed) = Store::open(&directory, StoreLimits::default()) {
            for blob in &before {
                assert_eq!(crashed.read_chunk(blob.id, 0, &blob.reading(), NOW).unwrap(), blob.chunks[0]);
            }
        }
        std::fs::remove_dir_all(&directory).unwrap();
    }
    fixture.wait(writer).unwrap();
}

#[test]
fn a_refused_operation_in_a_batch_leaves_nothing_and_the_others_intact() {
    let fixture = Fixture::new();
    let credits = fixture.credits(32);
    let good: Vec<_> = (0..32).map(|_| TestBlob::new(1)).collect();
    let bad: Vec<_> = (0..32).map(|_| TestBlob::new(1)).collect();
    let spent = fixture.credit();
    fixture.create(&TestBlob::new(1).create_whole(spent.clone(), SizeClass::SMALLEST)).unwrap();
    let create = |blob: &TestBlob, credit| {
        let message = blob.create_whole(credit, SizeClass::SMALLEST);
        let body = BodyDigest::of(&codec::encode(&message).unwrap());
        fixture.runtime.spawn(fixture.store().create_blob(
            &message,
            Payment::of_verified(&message.payment),
            body,
            TODAY,
            &mut rand::rng(),
        ))
    };
    let tasks: Vec<_> = good
        .iter()
        .zip(&bad)
        .zip(credits)
        .map(|((good, bad), credit)| (create(good, credit), create(bad, spent.clone())))
        .collect();
    for (accepted, refused) in tasks {
        fixture.wait(accepted).unwrap().unwrap();
        assert_refused!(fixture.wait(refused).unwrap(), Refused);
    }
    for (good, bad) in good.iter().zip(&bad) {
        assert!(fixture.read(good, 0).is_ok());
        assert_refused!(fixture.read(bad, 0), Refused);
        // Nothing of it stayed: the same id can be made with a credit that pays.
        fixture.create(&bad.create_whole(fixture.credit(), SizeClass::SMALLEST)).unwrap();
    }
}

#[test]
fn r10_of_racing_writes_that_spend_one_credit_exactly_one_wins() {
    let fixture = Fixture::new();
    let credit = fixture.credit();
    let tasks: Vec<_> = (0..16)
        .map(|_| {
            let message = TestBlob::new(2).create(credit.clone());
            let body = BodyDigest::of(&codec::encode(&message).unwrap());
            fixture.runtime.spawn(fixture.store().create_blob(
                &message,
                Payment::of_verified(&message.payment),
                body,
                TODAY,
                &mut rand::rng(),
            ))
        })
        .collect();
    let results: Vec<_> = tasks.into_iter().map(|task| fixture.wait(task).unwrap()).collect();
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1);
    assert!(results.iter().all(|result| matches!(result, Ok(_) | Err(StoreError::Refused))));
}

#[test]
fn directory_and_file_are_private() {
    let fixture = Fixture::new();
    let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&fixture.directory()), 0o700);
    assert_eq!(mode(&fixture.file()), 0o600);
}

#[test]
fn a_store_that_is_open_is_not_opened_again() {
    let mut fixture = Fixture::new();
    let again = Store::open(&fixture.directory(), StoreLimits::default());
    assert!(matches!(again, Err(OpenError::InUse)), "{again:?}");
    fixture.close();
    Store::open(&fixture.directory(), StoreLimits::default()).unwrap();
}

#[test]
fn a_later_schema_and_another_programs_database_are_refused_untouched() {
    let mut fixture = Fixture::new();
    let blob = fixture.whole_blob();
    fixture.close();
    let table: redb::TableDefinition<'_, u8, &[u8]> = redb::TableDefinition::new("meta");
    let set_version = |version: Option<u32>| {
        let database = redb::Database::open(fixture.file()).unwrap();
        let transaction = database.begin_write().unwrap();
        {
            let mut meta = transaction.open_table(table).unwrap();
            match version {
                Some(version) => drop(meta.insert(0, version.to_le_bytes().as_slice()).unwrap()),
                None => drop(meta.remove(0).unwrap()),
            }
        }
        transaction.commit().unwrap();
    };
    let known = {
        let database = redb::Database::open(fixture.file()).unwrap();
        let meta = redb::ReadableDatabase::begin_read(&database).unwrap().open_table(table).unwrap();
        u32::from_le_bytes(meta.get(0).unwrap().unwrap().value().try_into().unwrap())
    };
    set_version(Some(known + 1));
    let newer = Store::open(&fixture.directory(), StoreLimits::default());
    let Err(OpenError::NewerSchema { found, known: ours }) = newer else { panic!("{newer:?}") };
    assert_eq!((found, ours), (known + 1, known));
    set_version(None);
    let foreign = Store::open(&fixture.directory(), StoreLimits::default());
    assert!(matches!(foreign, Err(OpenError::NotAStore { .. })), "{foreign:?}");
    set_version(Some(known));
    fixture.open();
    assert_eq!(fixture.read(&blob, 0).unwrap(), blob.chunks[0]);
}

#[test]
fn what_a_crash_left_of_making_a_store_does_not_stand_in_the_way() {
    let directory = tempfile::tempdir().unwrap();
    let (aside, file) = (directory.path().join("nightdrop.new"), directory.path().join("nightdrop.redb"));
    std::fs::write(&aside, vec![0; 4_096]).unwrap();
    let store = Store::open(directory.path(), StoreLimits::default()).unwrap();
    assert!(file.exists() && !aside.exists());
    assert!(store.identity().unwrap().is_none());
}

#[test]
fn a_file_that_is_no_database_is_an_error() {
    let mut fixture = Fixture::new();
    fixture.close();
    std::fs::write(fixture.file(), vec![0x55; 100_000]).unwrap();
    let opened = Store::open(&fixture.directory(), StoreLimits::default());
    assert!(matches!(opened, Err(OpenError::Database { .. })), "{opened:?}");
    std::fs::write(fixture.file(), []).unwrap();
    let opened = Store::open(&fixture.directory(), StoreLimits::default());
    assert!(matches!(opened, Err(OpenError::NotAStore { .. })), "an empty file: {opened:?}");
    std::fs::remove_file(fixture.file()).unwrap();
    fixture.open();
}

#[test]
fn a_closed_store_finishes_what_is_queued() {
    let mut fixture = Fixture::new();
    let blob = TestBlob::new(1);
    let message = blob.create_whole(fixture.credit(), SizeClass::SMALLEST);
    let created = fixture.store().create_blob(
        &message,
        Payment::of_verified(&message.payment),
        BodyDigest::of(b"x"),
        TODAY,
        &mut rand::rng(),
    );
    let task = fixture.runtime.spawn(created);
    fixture.close();
    fixture.wait(task).unwrap().unwrap();
    fixture.open();
    assert_eq!(fixture.read(&blob, 0).unwrap(), blob.chunks[0]);
    assert!(fixture.store().authenticate(&token_hash(&random_token()), TODAY).is_err());
}
