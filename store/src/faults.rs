//! Tests on a disk that fails: at the n-th request for good, for every n, with and without what was never synced.

use crate::{
    Day, OpenError, Room, Store, StoreError, StoreLimits,
    common::{Fixture, TestBlob},
    open::open_with,
};
use nightdrop_wire::token::TokenHash;
use redb::StorageBackend;
use std::{
    io,
    path::Path,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::time::timeout;

const TODAY: Day = Day(20_000);
const LIMIT: Duration = Duration::from_secs(60);

/// A disk in memory, which remembers what was synced.
#[derive(Debug, Clone, Default)]
struct Disk(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    bytes: Vec<u8>,
    synced: Vec<u8>,
    /// Writes, syncs and changes of length so far.
    requests: usize,
    /// From this request on, all fail.
    fails_from: Option<usize>,
    /// Whether only syncing fails.
    syncing_only: bool,
    /// With which error of the system everything fails, reading too.
    broken: Option<i32>,
    /// Whether reading fails.
    unreadable: bool,
}

impl Disk {
    fn holding(bytes: Vec<u8>) -> Self {
        Self(Arc::new(Mutex::new(State { synced: bytes.clone(), bytes, ..State::default() })))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    fn request(&self, syncing: bool) -> io::Result<MutexGuard<'_, State>> {
        let mut state = self.state();
        state.check()?;
        state.requests += 1;
        let failed = state.fails_from.is_some_and(|from| state.requests >= from);
        if failed && (syncing || !state.syncing_only) {
            return Err(io::Error::other("the disk fails"));
        }
        Ok(state)
    }

    fn open(&self) -> Result<Store, OpenError> {
        let disk = self.clone();
        let room = Box::new(|| Ok(Room { free: u64::MAX, file: 0 }));
        open_with(Path::new("disk"), StoreLimits::default(), room, |builder| {
            builder.create_with_backend(disk)
        })
    }
}

impl State {
    fn check(&self) -> io::Result<()> {
        self.broken.map_or(Ok(()), |code| Err(io::Error::from_raw_os_error(code)))
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        Ok(u64::try_from(self.state().bytes.len()).unwrap())
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let start = usize::try_from(offset).unwrap();
        let state = self.state();
        state.check()?;
        if state.unreadable {
            return Err(io::Error::from_raw_os_error(nix::libc::EIO));
        }
        let bytes = state.bytes.get(start..start + out.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
        out.copy_from_slice(bytes);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.request(false)?.bytes.resize(usize::try_from(len).unwrap(), 0);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut state = self.request(true)?;
        state.synced = state.bytes.clone();
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let start = usize::try_from(offset).unwrap();
        let mut state = self.request(false)?;
        state.bytes[start..start + data.len()].copy_from_slice(data);
        Ok(())
    }
}

fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

fn invitation(n: u8) -> TokenHash {
    TokenHash::from_bytes([n; 32])
}

fn issue(store: &Store, n: u8) -> Result<(), StoreError> {
    wait(store.issue_invitation(invitation(n), TODAY))
}

#[test]
fn a_failed_sync_is_never_tried_again_and_tells_the_owner() {
    let disk = Disk::default();
    let store = disk.open().unwrap();
    issue(&store, 1).unwrap();
    let fails_from = disk.state().requests;
    (disk.state().fails_from, disk.state().syncing_only) = (Some(fails_from), true);
    assert!(matches!(issue(&store, 2), Err(StoreError::Database(_))));
    wait(store.failed());
    // The disk is well again; what was dropped from its cache is not.
    disk.state().fails_from = None;
    assert!(matches!(issue(&store, 3), Err(StoreError::Stopped)));
    drop(store);
    let synced = disk.state().synced.clone();
    let store = Disk::holding(synced).open().unwrap();
    store.check_invitation(&invitation(1), TODAY).expect("acknowledged");
    assert!(store.check_invitation(&invitation(3), TODAY).is_err());
    issue(&store, 4).expect("opened again, it writes again");
}

#[test]
fn a_removal_that_cannot_read_the_disk_tells_the_owner_though_nobody_writes() {
    let disk = Disk::default();
    let mut fixture = Fixture::new();
    fixture.close();
    // So many commits find room.
    let commits = Arc::new(AtomicUsize::new(usize::MAX));
    let left = Arc::clone(&commits);
    let limits = StoreLimits {
        // Whatever is read is read from the disk.
        cache_bytes: 0,
        removal_pause: Duration::from_millis(1),
        longest_removal_pause: Duration::from_millis(10),
        ..StoreLimits::default()
    };
    let backend = disk.clone();
    let room = Box::new(move || {
        let take = |commits: usize| commits.checked_sub(1);
        let room = left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, take);
        Ok(Room { free: room.map_or(0, |_| u64::MAX), file: 0 })
    });
    let store = open_with(Path::new("disk"), limits, room, |builder| builder.create_with_backend(backend));
    fixture.store = Some(store.unwrap());
    let blob = TestBlob::new(24);
    fixture.create(&blob.create(fixture.credit())).unwrap();
    for (n, chunk) in (0..).zip(&blob.chunks) {
        fixture.put(&blob, n, chunk).unwrap();
    }
    // For the end, and for no removal after it.
    commits.store(1, Ordering::SeqCst);
    let ended = fixture.store().destroy_blob(blob.id, &blob.write_key, TODAY);
    fixture.wait(ended).unwrap();
    disk.state().unreadable = true;
    let told = runtime_with_time().block_on(async { timeout(LIMIT, fixture.store().failed()).await });
    told.expect("the owner is told");
    assert!(matches!(issue(fixture.store(), 1), Err(StoreError::Stopped)));
}

fn runtime_with_time() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap()
}

#[test]
fn a_healthy_store_does_not_say_that_it_failed() {
    let store = Disk::default().open().unwrap();
    issue(&store, 1).unwrap();
    issue(&store, 2).unwrap();
    wait(async {
        tokio::select! {
            biased;
            () = store.failed() => panic!("nothing failed"),
            () = std::future::ready(()) => {}
        }
    });
}

/// Writes until the disk fails, and tells which writes were acknowledged.
fn write_on(disk: &Disk) -> Vec<u8> {
    let Ok(store) = disk.open() else { return Vec::new() };
    (1..=6).filter(|n| issue(&store, *n).is_ok()).collect()
}

/// A disk with a complete store: one that is not is never put in place (`open`).
fn with_store() -> Disk {
    let disk = Disk::default();
    drop(disk.open().unwrap());
    disk
}

#[test]
fn whatever_request_fails_what_was_acknowledged_is_there() {
    let whole = with_store();
    let made = whole.state().requests;
    assert_eq!(write_on(&whole), [1, 2, 3, 4, 5, 6]);
    let requests = whole.state().requests;
    let mut counts = Vec::new();
    for n in made + 1..=requests {
        let disk = with_store();
        disk.state().fails_from = Some(n);
        let acknowledged = write_on(&disk);
        counts.push(acknowledged.len());
        let (all, synced) = {
            let state = disk.state();
            (state.bytes.clone(), state.synced.clone())
        };
        for (what, image) in [("all that was written", all), ("only what was synced", synced)] {
            let store = Disk::holding(image).open();
            let store = store.unwrap_or_else(|error| panic!("request {n}, {what}: {error:?}"));
            for invited in &acknowledged {
                let held = store.check_invitation(&invitation(*invited), TODAY);
                assert!(held.is_ok(), "request {n}, {what}: {invited} is gone");
            }
            issue(&store, 7).expect("it goes on");
        }
    }
    assert!((0..6).all(|count| counts.contains(&count)), "failures came everywhere: {counts:?}");
}

#[test]
fn opening_tells_a_full_disk_and_a_bad_one_from_a_damaged_file() {
    use nix::libc::{EDQUOT, EIO, ENOSPC};
    let disk = with_store();
    drop(disk.open().expect("as long as nothing is wrong"));
    for code in [ENOSPC, EDQUOT, EIO] {
        disk.state().broken = Some(code);
        let error = disk.open().unwrap_err();
        let told = match code {
            EIO => matches!(error, OpenError::Disk { .. }),
            _ => matches!(error, OpenError::NoSpace { .. }),
        };
        assert!(told, "{code}: {error:?}");
        assert!(!error.to_string().contains("backup"), "what is stored is not in question: {error}");
        disk.state().broken = None;
        drop(disk.open().expect("nothing was written over"));
    }
    let half = disk.state().bytes.len() / 2;
    disk.state().bytes.truncate(half);
    let error = disk.open().unwrap_err();
    assert!(matches!(error, OpenError::Database { .. }) && error.to_string().contains("backup"), "{error:?}");
}
