//! What storing costs: at most 2 % above the sealed payload, for every size class; and a log no more than is paid for it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use common::{Fixture, TODAY, TestBlob, TestLog, entries};
use nightdrop_store::{Store, StoreLimits};
use nightdrop_wire::{limits::ENTRY_SIZES, price, size_class::SizeClass};

const OBJECTS: usize = 64;
const CHUNKS: redb::TableDefinition<'_, ([u8; 16], u32), &[u8]> = redb::TableDefinition::new("chunks");
const ENTRIES: redb::TableDefinition<'_, ([u8; 32], u32), &[u8]> = redb::TableDefinition::new("log_entries");

/// Bytes of all pages that a table holds.
fn allocated<K: redb::Key + 'static>(
    fixture: &mut Fixture,
    table: redb::TableDefinition<'_, K, &'static [u8]>,
) -> u64 {
    fixture.close();
    let database = redb::Database::open(fixture.file()).unwrap();
    let transaction = database.begin_write().unwrap();
    let table = transaction.open_table(table).unwrap();
    let stats = redb::ReadableTableMetadata::stats(&table).unwrap();
    stats.stored_bytes() + stats.metadata_bytes() + stats.fragmented_bytes()
}

#[test]
fn a_chunk_of_any_class_takes_at_most_two_percent_more_than_it_brings() {
    for class in SizeClass::all() {
        let mut fixture = Fixture::new();
        for credit in fixture.credits(OBJECTS) {
            fixture.create(&TestBlob::new(1).create_whole(credit, class)).unwrap();
        }
        let allocated = allocated(&mut fixture, CHUNKS);
        let payload = u64::try_from(OBJECTS * class.sealed()).unwrap();
        // Pages of branches are a constant for so few objects: two pages are forgiven.
        let most = payload + payload / 50 + 2 * 4096;
        assert!(allocated <= most, "{} bytes each: {allocated} for {payload}", class.sealed());
    }
}

#[test]
fn the_pages_of_a_log_take_no_more_than_is_paid_for_its_entries() {
    for (size, logs, batch) in
        ENTRY_SIZES.into_iter().flat_map(|size| [(size, 1, 1), (size, 8, 1), (size, 3, 40)])
    {
        let mut fixture = Fixture::new();
        let mut all: Vec<TestLog> = (0..logs).map(|_| fixture.log()).collect();
        for turn in 0..240 / batch {
            let log = &mut all[turn % logs];
            let append = log.append(entries(batch, size));
            fixture.append(log, &append).unwrap();
        }
        let written = all.iter().flat_map(|log| &log.entries);
        let paid: u64 = written.map(|entry| price::of_entry(entry.len())).sum();
        let allocated = allocated(&mut fixture, ENTRIES);
        // As above, two pages are forgiven.
        assert!(allocated <= paid + 2 * 4096, "{size} bytes each, {logs} logs: {allocated} for {paid}");
        assert!(allocated > paid / 2, "nor is it paid twice");
    }
}

#[test]
fn what_is_destroyed_makes_room_for_what_comes() {
    let mut fixture = Fixture::new();
    let mut lengths = Vec::new();
    for _ in 0..4 {
        let blobs: Vec<_> = (0..4).map(|_| TestBlob::new(4)).collect();
        for blob in &blobs {
            fixture.create(&blob.create(fixture.credit())).unwrap();
            for (n, chunk) in (0..).zip(&blob.chunks) {
                fixture.put(blob, n, chunk).unwrap();
            }
        }
        for blob in &blobs {
            fixture.wait(fixture.store().destroy_blob(blob.id, &blob.write_key, TODAY)).unwrap();
        }
        lengths.push(std::fs::metadata(fixture.file()).unwrap().len());
    }
    assert!(lengths.last().unwrap() <= &(lengths[0] * 2), "{lengths:?}");
    fixture.close();
    Store::open(&fixture.directory(), StoreLimits::default()).unwrap();
}
