//! Tests of ends: how long they keep others waiting, that they go on after an interruption, and past what is damaged.

use crate::{
    NewSession, Queued, Store, StoreError, StoreLimits, chunks,
    common::{Fixture, TODAY, TestBlob, random_credit, random_token, registration},
    digest::token_hash,
    operation::Checked,
    row::Row,
    schema::{CHUNKS, ChunkHashRow, DoomedRow, SetAsideRow},
    transaction::{Changes, Rows},
};
use nightdrop_wire::size_class::SizeClass;
use std::{
    ops::ControlFlow,
    os::unix::fs::FileExt,
    sync::mpsc,
    task::{Context, Waker},
    time::{Duration, Instant},
};

const LIMIT: Duration = Duration::from_secs(120);

fn open(fixture: &mut Fixture, removal_chunks: usize) {
    fixture.open_with(StoreLimits { removal_chunks, ..StoreLimits::default() });
}

fn long_blob(fixture: &Fixture, chunks: u32) -> TestBlob {
    let blob = TestBlob::new(chunks);
    fixture.create(&blob.create(fixture.credit())).unwrap();
    for (n, chunk) in (0..).zip(&blob.chunks) {
        fixture.put(&blob, n, chunk).unwrap();
    }
    fixture.finish(&blob, &blob.finish()).unwrap();
    blob
}

fn destroy(fixture: &Fixture, blob: &TestBlob) -> Result<(), StoreError> {
    fixture.wait(fixture.store().destroy_blob(blob.id, &blob.write_key, TODAY)).map(drop)
}

/// How many chunks, hashes of chunks and doomed blobs there are.
fn held(store: &Store) -> [usize; 3] {
    let snapshot = store.snapshot().unwrap();
    let (mut chunks, mut hashes, mut doomed) = (0, 0, 0);
    let all = ([0; 16], 0)..=([0xff; 16], u32::MAX);
    // Keys of chunks that can be read only.
    snapshot
        .each(&ChunkHashRow::TABLE, all, |key, _| {
            hashes += 1;
            chunks += usize::from(snapshot.holds(&CHUNKS, &key).unwrap_or(false));
            Ok(ControlFlow::Continue(()))
        })
        .unwrap();
    snapshot
        .each(&DoomedRow::TABLE, [0; 16]..=[0xff; 16], |_, _| {
            doomed += 1;
            Ok(ControlFlow::Continue(()))
        })
        .unwrap();
    [chunks, hashes, doomed]
}

fn wait_for_removal(fixture: &Fixture) {
    let begun = Instant::now();
    while held(fixture.store())[2] > 0 {
        assert!(begun.elapsed() < LIMIT, "the removal does not end");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Queues an operation, so that those that are queued after it have their turn after it.
fn queued<T>(mut operation: Queued<T>) -> Queued<T> {
    assert!(operation.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    operation
}

/// A write of somebody else, which tells how many chunks of a blob there still are when it has its turn.
fn other_write(store: &Store, blob: &TestBlob) -> Queued<u32> {
    let id = blob.id;
    store.queue(0, move |rows| {
        let mut chunks = 0;
        rows.each(&ChunkHashRow::TABLE, chunks::from(id, 0), |_, _| {
            chunks += 1;
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(Checked::Write(move |_: &Changes<'_>| Ok(chunks)))
    })
}

#[test]
fn the_end_of_a_long_blob_keeps_others_waiting_for_one_step_and_not_for_the_whole() {
    const CHUNKS: u32 = 40;
    const STEP: u32 = 8;
    let mut fixture = Fixture::new();
    let removal_chunks = usize::try_from(STEP).unwrap();
    fixture.open_with(StoreLimits { removal_chunks, batch_operations: 1, ..StoreLimits::default() });
    let blob = long_blob(&fixture, CHUNKS);
    let store = fixture.store();
    // Nothing is written until all stand in the queue.
    let (begin, begun) = mpsc::channel();
    let first = queued(store.queue(0, move |_| {
        begun.recv().unwrap();
        Ok(Checked::Write(|_: &Changes<'_>| Ok(())))
    }));
    let end = queued(store.destroy_blob(blob.id, &blob.write_key, TODAY));
    let others: Vec<_> = (0..=CHUNKS / STEP).map(|_| queued(other_write(store, &blob))).collect();
    begin.send(()).unwrap();
    fixture.wait(first).unwrap();
    fixture.wait(end).unwrap();
    assert!(matches!(fixture.read(&blob, 0), Err(StoreError::Refused)), "it ended at once");
    let found: Vec<_> = others.into_iter().map(|other| fixture.wait(other).unwrap()).collect();
    assert_eq!(found, [32, 24, 16, 8, 0, 0], "between two writes, one step is removed");
    wait_for_removal(&fixture);
    assert_eq!(held(fixture.store()), [0; 3]);
}

#[test]
fn a_removal_that_is_interrupted_goes_on_when_the_store_is_opened_again() {
    let mut fixture = Fixture::new();
    open(&mut fixture, 1);
    let (blob, other) = (long_blob(&fixture, 24), fixture.whole_blob());
    destroy(&fixture, &blob).unwrap();
    fixture.close();
    // Opened by the name of its tables only, so that nothing goes on meanwhile.
    let database = redb::Database::open(fixture.file()).unwrap();
    let transaction = redb::ReadableDatabase::begin_read(&database).unwrap();
    let doomed = transaction.open_table(DoomedRow::TABLE.definition()).unwrap();
    assert_eq!(redb::ReadableTableMetadata::len(&doomed).unwrap(), 1, "it was interrupted");
    drop((doomed, transaction, database));
    open(&mut fixture, 1);
    wait_for_removal(&fixture);
    assert_eq!(held(fixture.store()), [1, 1, 0]);
    assert_eq!(fixture.read(&other, 0).unwrap(), other.chunks[0]);
    destroy(&fixture, &blob).expect("who lost the answer is told again");
}

#[test]
fn what_is_damaged_is_set_aside_once_and_neither_ends_the_store_nor_keeps_the_rest() {
    let mut fixture = Fixture::new();
    // So small a cache that the page is read from the file.
    fixture.open_with(StoreLimits { cache_bytes: 4 * 4096, ..StoreLimits::default() });
    let (blob, other) = (long_blob(&fixture, 6), long_blob(&fixture, 2));
    let stored =
        fixture.store().snapshot().unwrap().copy(&CHUNKS, &(*blob.id.as_bytes(), 3)).unwrap().unwrap();
    let file = std::fs::OpenOptions::new().read(true).write(true).open(fixture.file()).unwrap();
    let bytes = std::fs::read(fixture.file()).unwrap();
    let at = bytes.windows(64).position(|window| window == &stored[..64]).expect("the chunk is in the file");
    let page = at & !4095;
    assert_eq!(fixture.read(&blob, 3).unwrap(), blob.chunks[3]);
    assert_eq!(fixture.read(&blob, 2).unwrap(), blob.chunks[2]);
    file.write_all_at(&[0xff; 16], u64::try_from(page).unwrap()).unwrap();
    assert!(matches!(fixture.read(&blob, 3), Err(StoreError::Damaged("chunks"))));

    destroy(&fixture, &blob).unwrap();
    wait_for_removal(&fixture);
    let is_set_aside = |fixture: &Fixture| {
        let aside = fixture.store().snapshot().unwrap().row::<SetAsideRow>(blob.id.as_bytes()).unwrap();
        assert_eq!(aside.expect("set aside").damaged, 1);
    };
    is_set_aside(&fixture);
    assert_eq!(held(fixture.store()), [2, 2, 0], "all but the damaged one is removed");
    destroy(&fixture, &other).unwrap();
    wait_for_removal(&fixture);
    assert_eq!(held(fixture.store()), [0; 3], "others are removed after it");
    fixture.close();
    // redb looks at every page when it is opened by a program with debug assertions, as this one.
    file.write_all_at(&bytes[page..page + 16], u64::try_from(page).unwrap()).unwrap();
    fixture.open();
    is_set_aside(&fixture);
    let again = long_blob(&fixture, 2);
    destroy(&fixture, &again).unwrap();
    wait_for_removal(&fixture);
    assert_eq!(held(fixture.store()), [0; 3]);
    let snapshot = fixture.store().snapshot().unwrap();
    assert!(snapshot.holds(&CHUNKS, &(*blob.id.as_bytes(), 3)).unwrap(), "it is not touched again");
}

#[test]
fn a_blob_has_a_bounded_number_of_tickets_at_a_time() {
    let mut fixture = Fixture::new();
    fixture.open_with(StoreLimits { tickets_per_blob: 3, ..StoreLimits::default() });
    let (blob, other) = (fixture.whole_blob(), fixture.whole_blob());
    let tickets: Vec<_> = (0..4).map(|_| blob.ticket().0).collect();
    for ticket in &tickets[..3] {
        fixture.ticket(ticket, &blob.write_key).unwrap();
    }
    assert!(matches!(fixture.ticket(&tickets[3], &blob.write_key), Err(StoreError::Conflict)));
    fixture.ticket(&tickets[0], &blob.write_key).expect("the same again is none more");
    fixture.ticket(&other.ticket().0, &other.write_key).expect("another blob's");
    fixture.wait(fixture.store().end_ticket(tickets[0].ticket, &blob.write_key)).unwrap();
    fixture.ticket(&tickets[3], &blob.write_key).expect("one has ended");
}

#[test]
fn what_is_over_by_the_day_is_cleared_and_nothing_else() {
    let mut fixture = Fixture::new();
    // So few rows at a time that each table takes several looks.
    fixture.open_with(StoreLimits { sweep_rows: 4, ..StoreLimits::default() });
    let later = TODAY.plus(20);
    let session = fixture.session(1);
    let account = registration(1).account;
    let store = fixture.store().clone();
    let old: Vec<_> = (0..10).map(|_| token_hash(&random_token())).collect();
    for session in &old {
        let proved_by = store.login_record(account).unwrap().version;
        let new = NewSession { account, session: *session, began: TODAY, expires: TODAY, proved_by };
        fixture.wait(store.create_session(new)).unwrap();
        fixture.wait(store.issue_invitation(*session, TODAY)).unwrap();
    }
    fixture.draw(&session, 10, TODAY).unwrap();
    for _ in 0..10 {
        fixture.create(&TestBlob::new(1).create_whole(random_credit(TODAY), SizeClass::SMALLEST)).unwrap();
    }
    let fresh = fixture.credits(3);
    let (finished, unfinished) = (fixture.whole_blob(), TestBlob::new(2));
    fixture.create(&unfinished.create(fresh[0].clone())).unwrap();
    fixture.put(&unfinished, 1, &unfinished.chunks[1]).unwrap();

    assert_eq!(fixture.wait(store.sweep(TODAY)).unwrap(), 0, "all are good on their last day");
    fixture.put(&unfinished, 0, &unfinished.chunks[0]).expect("it is not old yet");
    let cleared = fixture.wait(store.sweep(later)).unwrap();
    // Ten spent credits, the list of sessions, a quota, one blob; invitations are remembered for longer.
    assert_eq!(cleared, 10 + 1 + 1 + 1);
    assert_eq!(store.authenticate(&token_hash(&session), later).unwrap(), account);
    fixture.wait(store.end_sessions(token_hash(&session), later)).unwrap();
    assert_eq!(fixture.read(&finished, 0).unwrap(), finished.chunks[0]);
    assert!(matches!(fixture.put(&unfinished, 0, &unfinished.chunks[0]), Err(StoreError::Refused)));
    fixture.create(&TestBlob::new(2).create(fresh[1].clone())).expect("a credit that is good");
    let taken = fixture.create(&unfinished.create(fresh[2].clone()));
    assert!(matches!(taken, Err(StoreError::Conflict)), "its id ended");
    wait_for_removal(&fixture);
    assert_eq!(held(&store), [11, 11, 0], "its chunks are gone");

    assert!(matches!(fixture.wait(store.issue_invitation(old[0], later)), Err(StoreError::Conflict)));
    let cleared = fixture.wait(store.sweep(TODAY.plus(31))).unwrap();
    assert!(cleared >= 10, "{cleared}: invitations");
    fixture.wait(store.issue_invitation(old[0], later)).expect("it is forgotten");
}
