//! Tests on an almost full disk that says truly how much room it has: the store never meets its end. redb gives a file up
//! at the first write that finds no space.

use crate::row::{FixedKey, Row};
use crate::{
    Day, NewSession, Room, Store, StoreError, StoreLimits,
    common::{Fixture, TODAY, TestBlob, random_token, registration},
    digest::{BodyDigest, token_hash},
    open::open_with,
    schema::{BlobTicketRow, DoomedRow, SessionRow, Table},
};
use nightdrop_wire::{codec, messages::credit::Credit};
use redb::{ReadableTableMetadata, StorageBackend};
use std::{
    collections::BTreeSet,
    io,
    path::Path,
    sync::{Arc, Mutex, MutexGuard},
    time::{Duration, Instant},
};

const BLOCK: usize = 4096;
const MIB: usize = 1 << 20;
const RESERVE: u64 = 2 << 20;
/// Below this, nothing is written.
const FLOOR: usize = 2 << 16;
/// More than an operation is counted beside its rows.
const SMALLEST: usize = 256 << 10;

/// A disk in memory that takes space for blocks that are written, as a file system does.
#[derive(Debug, Clone, Default)]
struct Disk(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    bytes: Vec<u8>,
    taken: BTreeSet<usize>,
    /// Blocks that there are; no limit if `None`.
    blocks: Option<usize>,
    /// So many commits more find room; no limit if `None`.
    commits: Option<usize>,
    /// What it was said to have free when it was asked last, in blocks, and the blocks that were written since then.
    promised: usize,
    written: BTreeSet<usize>,
    /// Whether a write found no space, or more was written than was free: that some of it came into blocks that were
    /// taken before is luck.
    overrun: bool,
}

impl Disk {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    fn room(&self) -> Room {
        let mut state = self.state();
        let (taken, block) = (state.taken.len(), BLOCK as u64);
        let free = state.blocks.map_or(1 << 40, |blocks| blocks.saturating_sub(taken) as u64 * block);
        let free = if state.commits == Some(0) { 0 } else { free };
        state.commits = state.commits.map(|commits| commits.saturating_sub(1));
        state.promised = usize::try_from(free / block).unwrap();
        state.written.clear();
        Room { free, file: taken as u64 * block }
    }

    /// Somebody else takes the disk, but for so many bytes.
    fn leave(&self, bytes: usize) {
        let mut state = self.state();
        state.blocks = Some(state.taken.len() + bytes / BLOCK);
    }

    fn open(&self, limits: StoreLimits) -> Store {
        let (disk, asked) = (self.clone(), self.clone());
        let room = Box::new(move || Ok(asked.room()));
        open_with(Path::new("disk"), limits, room, |builder| builder.create_with_backend(disk)).unwrap()
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.state().bytes.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let start = usize::try_from(offset).unwrap();
        out.copy_from_slice(&self.state().bytes[start..start + out.len()]);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let len = usize::try_from(len).unwrap();
        let mut state = self.state();
        state.bytes.resize(len, 0);
        state.taken.retain(|block| block * BLOCK < len);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let start = usize::try_from(offset).unwrap();
        let mut state = self.state();
        let blocks = start / BLOCK..(start + data.len()).div_ceil(BLOCK);
        state.taken.extend(blocks.clone());
        state.written.extend(blocks);
        state.overrun |= state.blocks.is_some() && state.written.len() > state.promised;
        if state.blocks.is_some_and(|blocks| state.taken.len() > blocks) {
            state.overrun = true;
            return Err(io::Error::from_raw_os_error(nix::libc::ENOSPC));
        }
        state.bytes[start..start + data.len()].copy_from_slice(data);
        Ok(())
    }
}

fn limits() -> StoreLimits {
    StoreLimits {
        reserve_bytes: RESERVE,
        quota_bytes: u64::MAX,
        // So small a cache that redb writes while a transaction is under way.
        cache_bytes: 1 << 20,
        removal_pause: Duration::from_millis(1),
        longest_removal_pause: Duration::from_millis(10),
        ..StoreLimits::default()
    }
}

fn fixture(disk: &Disk) -> Fixture {
    fixture_with(disk, limits())
}

fn fixture_with(disk: &Disk, limits: StoreLimits) -> Fixture {
    let mut fixture = Fixture::new();
    fixture.close();
    fixture.store = Some(disk.open(limits));
    fixture
}

/// How many rows a table has.
fn rows<K: FixedKey>(store: &Store, table: &Table<K>) -> u64 {
    let snapshot = store.snapshot().unwrap();
    snapshot.transaction().open_table(table.definition()).unwrap().len().unwrap()
}

/// Gives a blob many tickets, several with each commit.
fn many_tickets(fixture: &Fixture, blob: &TestBlob, count: usize) {
    let made: Vec<_> = (0..count)
        .map(|_| {
            let message = blob.ticket().0;
            let body = BodyDigest::of(&codec::encode(&message).unwrap());
            let made =
                fixture.store().create_ticket(&message, body, &blob.write_key, TODAY, &mut rand::rng());
            fixture.runtime.spawn(made)
        })
        .collect();
    made.into_iter().for_each(|made| fixture.wait(made).unwrap().unwrap());
}

/// Runs what makes room with less and less of it left; how often it was done before there was too little.
fn squeeze(disk: &Disk, mut run: impl FnMut(usize) -> Result<(), StoreError>) -> usize {
    let mut done = 0;
    for left in [4 * SMALLEST, 3 * SMALLEST, 2 * SMALLEST, SMALLEST, SMALLEST / 4, 0] {
        disk.leave(FLOOR + left);
        match run(left) {
            Ok(()) => done += 1,
            Err(error) => {
                assert!(matches!(error, StoreError::Full), "{error:?} with {left} bytes above the floor");
                assert!(left < SMALLEST, "no room with {left} bytes above the floor");
            }
        }
        assert!(!disk.state().overrun, "too much was written with {left} bytes above the floor");
    }
    done
}

#[test]
fn a_blob_of_many_tickets_is_ended_on_an_almost_full_disk_in_small_steps() {
    let disk = Disk::default();
    let fixture = fixture(&disk);
    let blobs: Vec<_> = (0..6).map(|_| fixture.whole_blob()).collect();
    blobs.iter().for_each(|blob| many_tickets(&fixture, blob, 1_000));
    let mut left = blobs.iter();
    let ended = squeeze(&disk, |_| {
        let blob = left.next().unwrap();
        fixture.wait(fixture.store().destroy_blob(blob.id, &blob.write_key, TODAY)).map(drop)
    });
    assert!((4..6).contains(&ended), "{ended}");
    disk.leave(64 << 20);
    for blob in &blobs {
        fixture
            .wait(fixture.store().destroy_blob(blob.id, &blob.write_key, TODAY))
            .expect("there is room again");
    }
    assert_eq!(rows(fixture.store(), &BlobTicketRow::TABLE), 0);
}

/// Opens sessions of an account, one that ends on each of these days.
fn sessions(fixture: &Fixture, name: u8, days: &[Day]) {
    let account = registration(name).account;
    let proved_by = fixture.store().login_record(account).unwrap().version;
    let opened: Vec<_> = days
        .iter()
        .map(|day| {
            let session = token_hash(&random_token());
            let new = NewSession { account, session, began: TODAY, expires: *day, proved_by };
            fixture.runtime.spawn(fixture.store().create_session(new))
        })
        .collect();
    opened.into_iter().for_each(|opened| fixture.wait(opened).unwrap().unwrap());
}

#[test]
fn sessions_that_are_over_are_cleared_on_an_almost_full_disk_in_small_steps() {
    let disk = Disk::default();
    let fixture = fixture(&disk);
    let days: Vec<_> = (0..30).map(|n| TODAY.plus(n % 6)).collect();
    for name in 1..=200 {
        fixture.session(name);
        sessions(&fixture, name, &days);
    }
    let mut day = TODAY;
    let swept = squeeze(&disk, |_| {
        day = day.plus(1);
        fixture.wait(fixture.store().sweep(day)).map(drop)
    });
    assert!((4..6).contains(&swept), "{swept}");
    disk.leave(64 << 20);
    fixture.wait(fixture.store().sweep(TODAY.plus(6))).expect("there is room again");
    assert_eq!(rows(fixture.store(), &SessionRow::TABLE), 200, "those that last longer");
}

#[test]
fn a_removal_that_found_no_room_goes_on_by_itself_when_there_is_some() {
    let disk = Disk::default();
    let fixture = fixture(&disk);
    let blob = TestBlob::new(24);
    fixture.create(&blob.create(fixture.credit())).unwrap();
    for (n, chunk) in (0..).zip(&blob.chunks) {
        fixture.put(&blob, n, chunk).unwrap();
    }
    // For the end, and for no removal after it.
    disk.state().commits = Some(1);
    fixture.wait(fixture.store().destroy_blob(blob.id, &blob.write_key, TODAY)).unwrap();
    std::thread::sleep(Duration::from_millis(50));
    let doomed = || rows(fixture.store(), &DoomedRow::TABLE);
    assert_eq!(doomed(), 1);
    disk.state().commits = None;
    wait_for_removal(&fixture);
}

/// Waits until all that is doomed is removed.
fn wait_for_removal(fixture: &Fixture) {
    let begun = Instant::now();
    while rows(fixture.store(), &DoomedRow::TABLE) > 0 {
        assert!(begun.elapsed() < Duration::from_secs(60), "nobody else writes, and it does not go on");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Stores blobs of two full chunks until one does not fit, which is then ended.
fn fill(fixture: &Fixture, credits: &mut Vec<Credit>) -> Vec<TestBlob> {
    let mut stored = Vec::new();
    loop {
        let blob = TestBlob::new(2);
        let put = fixture.create(&blob.create(credits.pop().unwrap())).and_then(|()| {
            (0..).zip(&blob.chunks).try_for_each(|(n, chunk)| fixture.put(&blob, n, chunk))?;
            fixture.finish(&blob, &blob.finish())
        });
        match put {
            Ok(()) => stored.push(blob),
            Err(error) => {
                assert!(matches!(error, StoreError::Full), "{error:?}");
                match fixture.wait(fixture.store().destroy_blob(blob.id, &blob.write_key, TODAY)) {
                    Ok(_) | Err(StoreError::Refused) => {}
                    error => panic!("{error:?}"),
                }
                wait_for_removal(fixture);
                return stored;
            }
        }
    }
}

#[test]
fn what_ends_on_a_full_disk_is_room_for_as_much_wherever_the_file_is_written() {
    let limits = StoreLimits { reserve_bytes: 16 << 20, ..limits() };
    let mut grown = 0;
    // On disks of some of these sizes, the file ends in pages that were never written, which redb takes first.
    for disk_size in (40..=64).step_by(3) {
        let disk = Disk::default();
        let fixture = fixture_with(&disk, limits);
        let mut credits = fixture.credits(200);
        disk.state().blocks = Some(disk_size * MIB / BLOCK);
        let stored = fill(&fixture, &mut credits);
        for blob in &stored[..5] {
            fixture.wait(fixture.store().destroy_blob(blob.id, &blob.write_key, TODAY)).unwrap();
        }
        wait_for_removal(&fixture);
        let taken = disk.state().taken.len();
        let again = fill(&fixture, &mut credits).len();
        // An operation is charged twice its size beforehand, so the fifth finds too little left.
        assert!((4..=5).contains(&again), "{disk_size} MiB: {again} for 5");
        assert!(!disk.state().overrun, "{disk_size} MiB");
        grown += disk.state().taken.len().saturating_sub(taken) / (MIB / BLOCK);
    }
    assert!(grown > 0, "none of the disks was one whose file grows though pages of it are free");
}
