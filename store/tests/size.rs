//! What storing costs: at most 2 % above the sealed payload, for every size class.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use common::{Fixture, TODAY, TestBlob};
use nightdrop_store::{Store, StoreLimits};
use nightdrop_wire::size_class::SizeClass;

const OBJECTS: usize = 64;
const CHUNKS: redb::TableDefinition<'_, ([u8; 16], u32), &[u8]> = redb::TableDefinition::new("chunks");

/// Bytes of all pages that the table of chunks holds.
fn allocated(fixture: &mut Fixture) -> u64 {
    fixture.close();
    let database = redb::Database::open(fixture.file()).unwrap();
    let transaction = database.begin_write().unwrap();
    let table = transaction.open_table(CHUNKS).unwrap();
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
        let allocated = allocated(&mut fixture);
        let payload = u64::try_from(OBJECTS * class.sealed()).unwrap();
        // Pages of branches are a constant for so few objects: two pages are forgiven.
        let most = payload + payload / 50 + 2 * 4096;
        assert!(allocated <= most, "{} bytes each: {allocated} for {payload}", class.sealed());
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
