//! Logs: entries are appended where their writer saw the end, all or none, and read as they were given.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use common::{Fixture, TODAY, TestLog, entries, random, random_credit, random_token};
use nightdrop_store::{BodyDigest, Day, Payment, Store, StoreError, StoreLimits, token_hash};
use nightdrop_wire::{
    codec,
    ids::SpaceId,
    limits::{ENTRY_SIZES, MAX_ENTRIES, MAX_ENTRIES_BODY},
    messages::log::{Append, CreateLog, LogHead, LogPage},
    size_class::SizeClass,
};
use rand::seq::SliceRandom;
use serde_bytes::ByteBuf;

const LOGS: redb::TableDefinition<'_, [u8; 32], &[u8]> = redb::TableDefinition::new("logs");
const ENTRIES: redb::TableDefinition<'_, ([u8; 32], u32), &[u8]> = redb::TableDefinition::new("log_entries");

/// All entries, page by page.
fn read_all(fixture: &Fixture, log: &TestLog) -> Vec<ByteBuf> {
    let mut read = Vec::new();
    loop {
        let page = fixture.read_log(log, u64::try_from(read.len()).unwrap()).unwrap();
        if page.entries.is_empty() {
            assert_eq!(page.head.count, u64::try_from(read.len()).unwrap());
            return read;
        }
        read.extend(page.entries);
    }
}

fn is_whole(fixture: &Fixture, log: &TestLog) {
    let page = fixture.read_log(log, 0).unwrap();
    assert_eq!(page.head, log.head());
    assert!(read_all(fixture, log) == log.entries, "the entries are those that were given");
}

#[test]
fn entries_are_read_as_they_were_given_and_from_where_one_asks() {
    let fixture = Fixture::new();
    let mut log = fixture.log();
    for size in ENTRY_SIZES {
        let append = log.append(entries(2, size));
        fixture.append(&log, &append).unwrap();
        is_whole(&fixture, &log);
    }
    for from in 0..log.entries.len() {
        let page = fixture.read_log(&log, u64::try_from(from).unwrap()).unwrap();
        assert!(page.entries == log.entries[from..], "from {from}");
        assert_eq!(page.head, log.head());
    }
    for from in [log.head().count, log.head().count + 1, 1 << 32, u64::MAX] {
        let page = fixture.read_log(&log, from).unwrap();
        assert_eq!((page.head, page.entries.len()), (log.head(), 0), "from {from}");
    }
}

#[test]
fn entries_and_tokens_are_there_after_reopening() {
    let mut fixture = Fixture::new();
    let mut log = fixture.log();
    let append = log.append(entries(300 - MAX_ENTRIES, 1024));
    fixture.append(&log, &append).unwrap();
    let append = log.append(entries(MAX_ENTRIES, 512));
    fixture.append(&log, &append).unwrap();
    fixture.open();
    is_whole(&fixture, &log);
    let append = log.append(entries(1, 512));
    fixture.append(&log, &append).unwrap();
    is_whole(&fixture, &log);
}

#[test]
fn a_log_costs_one_credit_and_a_refused_one_none() {
    let fixture = Fixture::new();
    let (log, credit) = (TestLog::new(), fixture.credit());
    let good = log.create(credit.clone());
    let with = |entries: Vec<ByteBuf>| CreateLog { entries, ..good.clone() };
    for (why, bad) in [
        ("no entry", with(Vec::new())),
        ("too many entries", with(entries(MAX_ENTRIES + 1, 512))),
        ("an entry of no size", with(entries(1, 513))),
        ("an empty entry", with(entries(1, 0))),
        ("one long entry of two", with([entries(1, 512), entries(1, 4097)].concat())),
        (
            "a credit whose last day has passed",
            CreateLog { payment: vec![random_credit(Day(TODAY.0 - 1))], ..good.clone() },
        ),
    ] {
        assert_refused!(fixture.create_log(&bad), Refused, why);
    }
    fixture.create_log(&good).unwrap();
    assert_refused!(fixture.create_log(&TestLog::new().create(credit)), Refused, "spent");
    is_whole(&fixture, &log);
}

#[test]
fn a_creation_may_be_sent_again_and_its_id_is_taken_for_good() {
    let fixture = Fixture::new();
    let mut log = TestLog::new();
    let create = log.create(fixture.credit());
    fixture.create_log(&create).unwrap();
    fixture.create_log(&create).expect("the same bytes");
    let append = log.append(entries(1, 512));
    fixture.append(&log, &append).unwrap();
    fixture.create_log(&create).expect("the same bytes, even later");
    is_whole(&fixture, &log);

    let credit = fixture.credit();
    let thief = TestLog { space: log.space, ..TestLog::new() };
    assert_refused!(fixture.create_log(&thief.create(credit.clone())), Conflict, "other bytes");
    let again = CreateLog { payment: vec![credit.clone()], ..create };
    assert_refused!(fixture.create_log(&again), Conflict, "the same log for another credit");
    fixture.create_log(&TestLog::new().create(credit)).expect("the credit still pays");
    is_whole(&fixture, &log);
}

#[test]
fn only_the_append_token_appends_and_only_the_read_token_reads() {
    let fixture = Fixture::new();
    let (mut log, other) = (fixture.log(), fixture.log());
    let append = Append { expected: log.head(), entries: entries(1, 512) };
    for (why, token) in [
        ("a made-up token", random_token()),
        ("the read token", log.read_token.clone()),
        ("another log's token", other.append_token.clone()),
    ] {
        let stranger = TestLog { append_token: token, ..log.clone() };
        assert_refused!(fixture.append(&stranger, &append), Refused, why);
    }
    for (why, token) in [
        ("a made-up token", random_token()),
        ("the append token", log.append_token.clone()),
        ("another log's token", other.read_token.clone()),
    ] {
        let stranger = TestLog { read_token: token, ..log.clone() };
        assert_refused!(fixture.read_log(&stranger, 0), Refused, why);
        assert_refused!(fixture.read_log(&stranger, 9), Refused, why);
    }
    let nowhere = TestLog { space: SpaceId::from_bytes(random()), ..log.clone() };
    assert_refused!(fixture.append(&nowhere, &append), Refused, "no such log");
    assert_refused!(fixture.read_log(&nowhere, 0), Refused, "no such log");
    let append = log.append(append.entries);
    fixture.append(&log, &append).unwrap();
    is_whole(&fixture, &log);
    is_whole(&fixture, &other);
}

#[test]
fn malformed_appends_are_refused_whole() {
    let fixture = Fixture::new();
    let mut log = fixture.log();
    let expected = log.head();
    for (why, bad) in [
        ("no entry", Vec::new()),
        ("too many entries", entries(MAX_ENTRIES + 1, 512)),
        ("an entry of no size", entries(1, 511)),
        ("an entry of no size behind a good one", [entries(1, 512), entries(1, 2047)].concat()),
    ] {
        assert_refused!(fixture.append(&log, &Append { expected, entries: bad }), Refused, why);
        is_whole(&fixture, &log);
    }
    let append = log.append(entries(MAX_ENTRIES, 512));
    fixture.append(&log, &append).expect("as many as an append may carry");
    is_whole(&fixture, &log);
}

#[test]
fn an_append_to_another_head_is_a_conflict_and_appends_nothing() {
    let fixture = Fixture::new();
    let mut log = fixture.log();
    let before = log.head();
    let append = log.append(entries(3, 512));
    fixture.append(&log, &append).unwrap();
    let head = log.head();
    for (why, expected) in [
        ("an older head", before),
        ("before the first", LogHead::before_first(log.space)),
        ("another count", LogHead { count: head.count - 1, ..head }),
        ("a later count", LogHead { count: head.count + 1, ..head }),
        ("a count beyond every log", LogHead { count: 1 << 32, ..head }),
        ("the last count", LogHead { count: u64::MAX, ..head }),
        ("the last count of a log", LogHead { count: u64::from(u32::MAX), ..head }),
        ("another hash", LogHead { hash: random(), ..head }),
    ] {
        let append = Append { expected, entries: entries(2, 512) };
        assert_refused!(fixture.append(&log, &append), Conflict, why);
    }
    is_whole(&fixture, &log);
    let append = log.append(entries(2, 512));
    fixture.append(&log, &append).unwrap();
    is_whole(&fixture, &log);
}

#[test]
fn an_append_whose_answer_was_lost_may_be_sent_again() {
    let fixture = Fixture::new();
    let mut log = fixture.log();
    let lost = log.append(entries(3, 512));
    fixture.append(&log, &lost).unwrap();
    fixture.append(&log, &lost).expect("it stands at the end");
    is_whole(&fixture, &log);
    let later = log.append(entries(2, 1024));
    fixture.append(&log, &later).unwrap();
    fixture.append(&log, &lost).expect("it stands further back");
    let part = Append { expected: lost.expected, entries: lost.entries[..2].to_vec() };
    fixture.append(&log, &part).expect("what stands right after the head");
    is_whole(&fixture, &log);

    let after = |expected, entries| Append { expected, entries };
    let swapped = lost.entries.iter().rev().cloned().collect();
    assert_refused!(fixture.append(&log, &after(lost.expected, swapped)), Conflict, "another order");
    let longer = [lost.entries.clone(), entries(1, 512)].concat();
    assert_refused!(fixture.append(&log, &after(lost.expected, longer)), Conflict, "others after them");
    let both = [lost.entries.clone(), later.entries].concat();
    fixture.append(&log, &after(lost.expected, both.clone())).expect("all of these stand there");
    let beyond = [both, entries(1, 512)].concat();
    assert_refused!(fixture.append(&log, &after(lost.expected, beyond)), Conflict, "more than there are");
    let elsewhere = LogHead { hash: random(), ..lost.expected };
    assert_refused!(fixture.append(&log, &after(elsewhere, lost.entries)), Conflict, "after another head");
    is_whole(&fixture, &log);
}

#[test]
fn a_page_holds_as_much_as_it_may() {
    let fixture = Fixture::new();
    for (size, fit) in [(512, 256), (1024, 256), (2048, 131), (4096, 65)] {
        let mut log = fixture.log();
        log.entries.clear();
        log.space = SpaceId::from_bytes(random());
        log.entries = entries(MAX_ENTRIES, size);
        fixture.create_log(&log.create(fixture.credit())).unwrap();
        let append = log.append(entries(MAX_ENTRIES, size));
        fixture.append(&log, &append).unwrap();
        let page = fixture.read_log(&log, 1).unwrap();
        assert_eq!(page.entries.len(), fit, "of {size} bytes");
        let encoded = codec::encode(&page).unwrap().len();
        assert!(encoded <= MAX_ENTRIES_BODY, "{encoded} bytes");
        let full = page.entries.len() == MAX_ENTRIES || encoded + size + 2 > MAX_ENTRIES_BODY - 24;
        assert!(full, "{encoded} bytes: one more would fit");
        is_whole(&fixture, &log);
    }
}

#[test]
fn a_log_has_a_longest_length() {
    let mut fixture = Fixture::new();
    let mut log = fixture.log();
    fixture.open_with(StoreLimits { log_entries: 5, ..StoreLimits::default() });
    let append = log.append(entries(3, 512));
    fixture.append(&log, &append).unwrap();
    let expected = log.head();
    assert_refused!(fixture.append(&log, &Append { expected, entries: entries(2, 512) }), Conflict);
    let append = log.append(entries(1, 512));
    fixture.append(&log, &append).expect("the last that fits");
    fixture.append(&log, &append).expect("and again");
    is_whole(&fixture, &log);
    let (long, credit) = (TestLog { entries: entries(6, 512), ..TestLog::new() }, fixture.credit());
    assert_refused!(fixture.create_log(&long.create(credit.clone())), Conflict, "made too long");
    let just = TestLog { entries: entries(5, 512), ..TestLog::new() };
    fixture.create_log(&just.create(credit)).expect("the credit was not spent");
}

#[test]
fn a_log_has_a_bounded_number_of_bytes_however_it_comes_by_them() {
    let mut fixture = Fixture::new();
    // What it is made with, and the three that are appended, each with its seal.
    let most = (512 + 4_096 + 2 * 2_048) + 4 * 40;
    fixture.open_with(StoreLimits { log_bytes: most, ..StoreLimits::default() });
    let mut log = fixture.log();
    let append = log.append(entries(1, 4_096));
    fixture.append(&log, &append).unwrap();
    for _ in 0..2 {
        let expected = log.head();
        assert_refused!(fixture.append(&log, &Append { expected, entries: entries(2, 4_096) }), Conflict);
        let append = log.append(entries(1, 2_048));
        fixture.append(&log, &append).expect("what fits");
        fixture.append(&log, &append).expect("and again, which is no more");
        fixture.open_with(StoreLimits { log_bytes: most, ..StoreLimits::default() });
        is_whole(&fixture, &log);
    }
    let expected = log.head();
    assert_refused!(fixture.append(&log, &Append { expected, entries: entries(1, 512) }), Conflict, "full");
    let (long, credit) = (TestLog { entries: entries(3, 4_096), ..TestLog::new() }, fixture.credit());
    assert_refused!(fixture.create_log(&long.create(credit.clone())), Conflict, "made too long");
    let just = TestLog { entries: entries(2, 4_096), ..TestLog::new() };
    fixture.create_log(&just.create(credit)).expect("the credit was not spent");
}

#[test]
fn of_sixteen_appends_to_one_head_exactly_one_wins_and_the_others_follow() {
    let fixture = Fixture::new();
    let log = fixture.log();
    let expected = log.head();
    let rivals: Vec<_> = (0..16).map(|_| Append { expected, entries: entries(2, 512) }).collect();
    let tasks: Vec<_> = rivals
        .iter()
        .map(|append| {
            let append = fixture.store().append(log.space, &log.append_token, append, &mut rand::rng());
            fixture.runtime.spawn(append)
        })
        .collect();
    let results: Vec<_> = tasks.into_iter().map(|task| fixture.wait(task).unwrap()).collect();
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1);
    assert!(results.iter().all(|result| matches!(result, Ok(()) | Err(StoreError::Conflict))));
    for (append, result) in rivals.iter().zip(&results) {
        if result.is_err() {
            let LogPage { head: expected, .. } = fixture.read_log(&log, 0).unwrap();
            fixture.append(&log, &Append { expected, ..append.clone() }).unwrap();
        }
    }
    let stored = read_all(&fixture, &log);
    assert_eq!(stored.len(), 1 + 2 * 16);
    for append in &rivals {
        assert_eq!(stored.windows(2).filter(|pair| *pair == append.entries).count(), 1, "in one piece");
    }
}

/// Appends each entry by itself, wherever the log stands by then; tells how often another was faster.
async fn write_on(store: Store, log: TestLog, mine: Vec<ByteBuf>) -> usize {
    let (mut conflicts, mut expected) = (0, log.head());
    for entry in mine {
        loop {
            let append = Append { expected, entries: vec![entry.clone()] };
            let appended = store.append(log.space, &log.append_token, &append, &mut rand::rng());
            let appended = appended.await;
            expected = store.read_log(log.space, &log.read_token, u64::MAX).unwrap().head;
            match appended {
                Ok(()) => break,
                Err(StoreError::Conflict) => conflicts += 1,
                Err(error) => panic!("{error}"),
            }
        }
    }
    conflicts
}

#[test]
fn two_writers_who_take_turns_by_compare_and_swap_lose_nothing() {
    let mut fixture = Fixture::new();
    let log = fixture.log();
    let mine: Vec<_> = (0..2).map(|_| entries(200, 512)).collect();
    let writers: Vec<_> = mine
        .iter()
        .map(|mine| fixture.runtime.spawn(write_on(fixture.store().clone(), log.clone(), mine.clone())))
        .collect();
    let conflicts: usize = writers.into_iter().map(|writer| fixture.wait(writer).unwrap()).sum();
    assert!(conflicts > 0, "they were in each other's way");
    fixture.open();
    let stored = read_all(&fixture, &log);
    assert_eq!(stored.len(), 401);
    for mine in &mine {
        let kept: Vec<_> = stored.iter().filter(|entry| mine.contains(entry)).collect();
        assert!(kept.iter().copied().eq(mine), "all of a writer's entries, in its order");
    }
    let whole = TestLog { entries: stored, ..log };
    assert_eq!(fixture.read_log(&whole, 0).unwrap().head, whole.head());
}

#[test]
fn appends_share_their_commit_with_everything_else() {
    let fixture = Fixture::new();
    let mut logs: Vec<_> = (0..30).map(|_| fixture.log()).collect();
    let blobs: Vec<_> = (0..30).map(|_| common::TestBlob::new(1)).collect();
    let mut tasks = Vec::new();
    for ((log, blob), credit) in logs.iter_mut().zip(&blobs).zip(fixture.credits(30)) {
        let append = log.append(entries(4, 512));
        let store = fixture.store();
        tasks.push(store.append(log.space, &log.append_token, &append, &mut rand::rng()));
        let create = blob.create_whole(credit, SizeClass::SMALLEST);
        let body = BodyDigest::of(&codec::encode(&create).unwrap());
        let payment = Payment::of_verified(&create.payment);
        let made = store.create_blob(&create, payment, body, TODAY, &mut rand::rng());
        tasks.push(Box::pin(async { made.await.map(drop) }));
        // Refused: it must not take the others of its batch with it.
        let stranger = store.append(log.space, &random_token(), &append, &mut rand::rng());
        tasks.push(Box::pin(async { stranger.await.map_or(Ok(()), |()| Err(StoreError::Conflict)) }));
    }
    tasks.shuffle(&mut rand::rng());
    let tasks: Vec<_> = tasks.into_iter().map(|task| fixture.runtime.spawn(task)).collect();
    for task in tasks {
        fixture.wait(task).unwrap().unwrap();
    }
    for (log, blob) in logs.iter().zip(&blobs) {
        is_whole(&fixture, log);
        assert_eq!(fixture.read(blob, 0).unwrap(), blob.chunks[0]);
    }
}

/// Changes a value straight in the database.
fn edit<K: redb::Key + 'static>(
    fixture: &mut Fixture,
    table: redb::TableDefinition<'_, K, &'static [u8]>,
    key: &impl for<'k> std::borrow::Borrow<K::SelfType<'k>>,
    change: impl FnOnce(&mut Vec<u8>),
) {
    fixture.close();
    let database = redb::Database::open(fixture.file()).unwrap();
    let transaction = database.begin_write().unwrap();
    {
        let mut table = transaction.open_table(table).unwrap();
        let mut value = redb::ReadableTable::get(&table, key.borrow()).unwrap().unwrap().value().to_vec();
        change(&mut value);
        if value.is_empty() {
            drop(table.remove(key.borrow()).unwrap());
        } else {
            drop(table.insert(key.borrow(), value.as_slice()).unwrap());
        }
    }
    transaction.commit().unwrap();
    drop(database);
    fixture.open();
}

#[test]
fn a_damaged_entry_is_damage_of_its_log_from_there_on() {
    let mut fixture = Fixture::new();
    let (mut log, healthy) = (fixture.log(), fixture.log());
    let append = log.append(entries(5, 512));
    fixture.append(&log, &append).unwrap();
    let place = |n: u32| (*log.space.as_bytes(), n);
    let mut length = 0;
    edit(&mut fixture, ENTRIES, &place(3), |stored| length = stored.len());
    // Version, hash of the chain, length, nonce, ciphertext, tag, checksum.
    for at in [0, 1, 32, 33, 36, 60, 300, length - 20, length - 1] {
        edit(&mut fixture, ENTRIES, &place(3), |stored| stored[at] ^= 0x10);
        for from in 0..=3 {
            let damaged = fixture.read_log(&log, from);
            assert!(matches!(damaged, Err(StoreError::Damaged("log_entries"))), "byte {at}, from {from}");
        }
        let behind = fixture.read_log(&log, 4).unwrap();
        assert!(behind.entries == log.entries[4..], "those behind are whole");
        is_whole(&fixture, &healthy);
        edit(&mut fixture, ENTRIES, &place(3), |stored| stored[at] ^= 0x10);
    }
    is_whole(&fixture, &log);
    let append = log.append(entries(1, 512));
    edit(&mut fixture, ENTRIES, &(*log.space.as_bytes(), 5), Vec::clear);
    assert!(
        matches!(fixture.read_log(&log, 0), Err(StoreError::Damaged("log_entries"))),
        "the last is missing"
    );
    fixture.append(&log, &append).expect("one can still append");
    assert!(matches!(fixture.read_log(&log, 0), Err(StoreError::Damaged("log_entries"))), "one is missing");
    assert!(fixture.read_log(&log, 6).unwrap().entries == append.entries);
}

#[test]
fn entries_that_changed_places_are_damage() {
    let mut fixture = Fixture::new();
    let (mut log, other) = (fixture.log(), fixture.log());
    let append = log.append(entries(1, 512));
    fixture.append(&log, &append).unwrap();
    let mut foreign = Vec::new();
    edit(&mut fixture, ENTRIES, &(*other.space.as_bytes(), 0), |stored| foreign.clone_from(stored));
    edit(&mut fixture, ENTRIES, &(*log.space.as_bytes(), 0), |stored| *stored = foreign);
    assert!(matches!(fixture.read_log(&log, 0), Err(StoreError::Damaged("log_entries"))));
    assert!(fixture.read_log(&log, 1).unwrap().entries == append.entries);
    is_whole(&fixture, &other);
}

#[test]
fn a_damaged_head_is_noticed_before_it_is_believed() {
    let mut fixture = Fixture::new();
    let (mut log, healthy) = (fixture.log(), fixture.log());
    let append = log.append(entries(2, 512));
    fixture.append(&log, &append).unwrap();
    edit(&mut fixture, LOGS, log.space.as_bytes(), |row| row[66] ^= 1);
    let next = Append { expected: log.head(), entries: entries(1, 512) };
    assert_refused!(fixture.append(&log, &next), Refused, "nobody can show a capability for it");
    assert_refused!(fixture.read_log(&log, 0), Refused, "nobody can show a capability for it");
    is_whole(&fixture, &healthy);
    edit(&mut fixture, LOGS, log.space.as_bytes(), |row| row[66] ^= 1);
    is_whole(&fixture, &log);
}

#[test]
fn what_stands_in_the_file_is_not_what_was_sent() {
    let mut fixture = Fixture::new();
    let log = fixture.log();
    fixture.close();
    let file = std::fs::read(fixture.file()).unwrap();
    let holds = |bytes: &[u8]| file.windows(bytes.len()).any(|window| window == bytes);
    assert!(!holds(&log.entries[0][..32]), "entries are sealed at rest");
    assert!(!holds(log.append_token.secret_bytes()) && !holds(log.read_token.secret_bytes()));
    assert!(holds(token_hash(&log.append_token).as_bytes()), "tokens are kept as hashes");
}
