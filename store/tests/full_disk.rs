//! A full disk: what grows is refused, reading and ends go on, nothing that was acknowledged is lost, and there is room
//! again after ends.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use common::{
    Fixture, NOW, TODAY, TestBlob, TestLog, entries, payment_of, random_credit, random_token, registration,
};
use nightdrop_store::{Day, OpenError, Room, Store, StoreError, StoreLimits, token_hash};
use nightdrop_wire::messages::{credit::Credit, log::GrowLog};
use std::{
    io::Write,
    path::{Path, PathBuf},
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

const MIB: u64 = 1 << 20;

fn limits(reserve: u64) -> StoreLimits {
    StoreLimits { reserve_bytes: reserve, ..StoreLimits::default() }
}

#[test]
fn what_grows_is_refused_first_and_reading_never() {
    let mut fixture = Fixture::new();
    let free = Arc::new(AtomicU64::new(1_000 * MIB));
    fixture.close();
    let asked = Arc::clone(&free);
    // All of the file is in use, however little that is.
    let room = Box::new(move || Ok(Room { free: asked.load(Ordering::SeqCst), file: 0 }));
    fixture.store = Some(Store::open_asking(&fixture.directory(), limits(64 * MIB), room).unwrap());
    let session = fixture.session(1);
    let (blob, mut log) = (fixture.whole_blob(), fixture.log());
    let (open, credit) = (TestBlob::new(2), fixture.credit());
    fixture.create(&open.create(fixture.credit())).unwrap();
    let account = registration(1).account;
    let grow = |credit: &Credit, chunk: usize| {
        let invited = fixture.store().issue_invitation(token_hash(&random_token()), TODAY);
        [
            ("an invitation", fixture.wait(invited)),
            ("credits", fixture.draw(&session, 1, TODAY).map(drop)),
            ("a blob", fixture.create(&TestBlob::new(2).create(credit.clone()))),
            ("a chunk", fixture.put(&open, 0, &open.chunks[chunk])),
            ("a ticket", fixture.ticket(&blob.ticket().0, &blob.write_key)),
        ]
    };
    let little = |log: &mut TestLog| {
        let before = log.clone();
        let append = log.append(entries(1, 512));
        let appended = fixture.append(log, &append);
        if appended.is_err() {
            *log = before;
        }
        let paid = fixture.read_log(log, 0).unwrap().room.paid;
        let grown = fixture.grow_log(log, &GrowLog { held: paid, paid: paid + 1, payment: payment_of(1) });
        let held = fixture.read_log(log, 0).unwrap().room.paid;
        let unpaid = GrowLog { held, paid: held + 2, payment: vec![random_credit(Day(TODAY.0 - 1))] };
        assert_refused!(fixture.grow_log(log, &unpaid), Refused, "who cannot pay is not told");
        let logged_in = fixture.open_session(account, &random_token());
        [("an append", appended), ("a log's growth", grown), ("a login", logged_in)]
    };
    for (megabytes, grows, is_little, ends) in [
        (200, true, true, true),
        (64, false, true, true),
        (15, false, false, true),
        (3, false, false, false),
        (0, false, false, false),
        (64, false, true, true),
    ] {
        free.store(megabytes * MIB, Ordering::SeqCst);
        let spare = if grows { credit.clone() } else { random_credit(Day(TODAY.0 - 1)) };
        for (what, result) in grow(&spare, 0) {
            match result {
                Ok(()) => assert!(grows, "{what} with {megabytes} MiB free"),
                // Who has no credit is not told that the disk is full.
                Err(StoreError::Refused) if what == "a blob" => {}
                error => assert!(!grows && matches!(error, Err(StoreError::Full)), "{what}: {error:?}"),
            }
        }
        for (what, result) in little(&mut log) {
            let right = matches!((is_little, &result), (true, Ok(())) | (false, Err(StoreError::Full)));
            assert!(right, "{what} with {megabytes} MiB free: {result:?}");
        }
        let ending = fixture.wait(fixture.store().end_sessions(token_hash(&random_token()), TODAY));
        assert_refused!(ending, Refused, "whoever has no right is not told");
        let (ticket, token) = blob.ticket();
        if grows {
            fixture.ticket(&ticket, &blob.write_key).unwrap();
            assert_eq!(fixture.store().read_ticket(ticket.ticket, &token, NOW).unwrap(), ticket.envelope);
        }
        assert_eq!(fixture.read(&blob, 0).unwrap(), blob.chunks[0], "reading");
        assert_eq!(fixture.read_log(&log, 0).unwrap().head, log.head(), "reading");
        if !ends {
            assert_refused!(
                fixture.wait(fixture.store().destroy_blob(open.id, &open.write_key, TODAY)),
                Full
            );
        }
    }
    fixture.wait(fixture.store().destroy_blob(open.id, &open.write_key, TODAY)).expect("an end makes room");
    free.store(200 * MIB, Ordering::SeqCst);
    let fresh = fixture.credit();
    fixture.create(&TestBlob::new(2).create(fresh)).expect("there is room again");
    fixture.open();
    assert_eq!(fixture.read(&blob, 0).unwrap(), blob.chunks[0], "what was acknowledged is there");
    assert_eq!(fixture.read_log(&log, 0).unwrap().head, log.head(), "what was acknowledged is there");
}

/// Where the inner half of a test finds its small disk.
const SMALL_DISK: &str = "NIGHTDROP_TEST_SMALL_DISK";

/// Runs this test again inside a mount namespace of its own, in which a directory is a disk of 64 MiB.
fn on_a_small_disk(test: &str) -> Option<PathBuf> {
    if let Some(disk) = std::env::var_os(SMALL_DISK) {
        return Some(PathBuf::from(disk));
    }
    let directory = tempfile::tempdir().unwrap();
    let run = "mount -t tmpfs -o size=64m,mode=0700 tmpfs \"$0\" || exit 77; exec \"$@\"";
    let inside = |namespaces: &[&str]| {
        Command::new("unshare")
            .args(namespaces)
            .args(["sh", "-c", run])
            .arg(directory.path())
            .arg(std::env::current_exe().unwrap())
            .args([test, "--exact", "--nocapture"])
            .env(SMALL_DISK, directory.path())
            .status()
            .expect("the program unshare (util-linux) is needed")
    };
    let probe = Command::new("unshare").args(["--user", "--map-root-user", "--mount", "true"]).status();
    let ended = match probe {
        Ok(status) if status.success() => inside(&["--user", "--map-root-user", "--mount"]),
        _ => inside(&["--mount"]),
    };
    assert_ne!(
        ended.code(),
        Some(77),
        "a small disk cannot be mounted: this test needs user namespaces (sysctl kernel.unprivileged_userns_clone=1, \
         user.max_user_namespaces > 0), or root"
    );
    assert!(ended.success(), "{ended}");
    None
}

/// Stores blobs of two chunks until one does not fit, which is then ended; what was acknowledged.
fn fill(fixture: &Fixture, credits: &mut Vec<Credit>) -> Vec<TestBlob> {
    let mut stored = Vec::new();
    while stored.len() < 100 {
        let (blob, credit) = (TestBlob::new(2), credits.last().expect("a credit").clone());
        if let Err(error) = fixture.create(&blob.create(credit)) {
            assert!(matches!(error, StoreError::Full), "{error:?}");
            return stored;
        }
        credits.pop();
        let put = (0..).zip(&blob.chunks).try_for_each(|(n, chunk)| fixture.put(&blob, n, chunk));
        if let Err(error) = put.and_then(|()| fixture.finish(&blob, &blob.finish())) {
            assert!(matches!(error, StoreError::Full), "{error:?}");
            fixture.wait(fixture.store().destroy_blob(blob.id, &blob.write_key, TODAY)).unwrap();
            return stored;
        }
        stored.push(blob);
    }
    panic!("64 MiB do not hold so many");
}

fn all_there(fixture: &Fixture, blobs: &[TestBlob]) {
    for blob in blobs {
        assert_eq!(fixture.read(blob, 0).unwrap(), blob.chunks[0]);
        assert_eq!(fixture.read(blob, 1).unwrap(), blob.chunks[1]);
    }
}

#[test]
fn a_small_disk_becomes_full_is_made_room_on_and_filled_again() {
    let Some(disk) = on_a_small_disk("a_small_disk_becomes_full_is_made_room_on_and_filled_again") else {
        return;
    };
    let mut fixture = Fixture::new();
    fixture.close();
    let directory = disk.join("store");
    let open = || Store::open(&directory, limits(16 * MIB));
    fixture.store = Some(open().unwrap());
    let (mut credits, session) = (fixture.credits(900), fixture.session(1));
    let mut log = fixture.log();

    let mut stored = fill(&fixture, &mut credits);
    assert!((10..24).contains(&stored.len()), "{} blobs of 2 MiB on 64 MiB", stored.len());
    assert_refused!(
        fixture.put(&stored[0], 0, &stored[1].chunks[0]),
        Conflict,
        "no other error has come first"
    );
    all_there(&fixture, &stored);
    let append = log.append(entries(1, 512));
    fixture.append(&log, &append).expect("without it nobody could take a file off the list");

    for round in 0..3 {
        let ended: Vec<_> = stored.drain(..5).collect();
        for blob in &ended {
            fixture.wait(fixture.store().destroy_blob(blob.id, &blob.write_key, TODAY)).unwrap();
        }
        if round == 1 {
            // What is known of free pages survives.
            fixture.close();
            fixture.store = Some(open().unwrap());
        }
        let begun = Instant::now();
        let mut again = Vec::new();
        while again.len() < 4 {
            assert!(
                begun.elapsed() < Duration::from_secs(60),
                "round {round}: only {} fit again",
                again.len()
            );
            again.extend(fill(&fixture, &mut credits));
            // Each try spends a credit, and the removal of what ended takes its time.
            std::thread::sleep(Duration::from_millis(100));
        }
        stored.extend(again);
        all_there(&fixture, &stored);
    }

    // Somebody else takes all that is left.
    let others = disk.join("others");
    let mut file = std::fs::File::create(&others).unwrap();
    while file.write_all(&[1; 4096]).is_ok() {}
    drop(file);
    let invited = fixture.store().issue_invitation(token_hash(&random_token()), TODAY);
    assert_refused!(fixture.wait(invited), Full);
    let ended = fixture.store().destroy_blob(stored[0].id, &stored[0].write_key, TODAY);
    assert_refused!(fixture.wait(ended), Full, "an end writes, too, and must not find the disk full");
    all_there(&fixture, &stored);
    fixture.close();
    match open() {
        Ok(store) => fixture.store = Some(store),
        Err(error) => assert!(matches!(error, OpenError::NoSpace { .. }), "{error:?}"),
    }
    std::fs::remove_file(&others).unwrap();
    if fixture.store.is_none() {
        fixture.store = Some(open().unwrap());
    }
    all_there(&fixture, &stored);
    assert_eq!(fixture.read_log(&log, 0).unwrap().head, log.head());
    fixture.wait(fixture.store().end_sessions(token_hash(&session), TODAY)).unwrap();
    fixture.wait(fixture.store().destroy_blob(stored[0].id, &stored[0].write_key, TODAY)).unwrap();
    let no_disk = Store::open(Path::new("/dev/full/store"), limits(16 * MIB));
    assert!(matches!(no_disk, Err(OpenError::Files { .. })), "{no_disk:?}");
}
