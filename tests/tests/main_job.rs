//! The main job through a private Tor network, with the built programs, as a user types them.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

use nightdrop_tests::system::{MARKER, PeakMemory, RelayProcess, User, make_sample, search};
use std::{fs, io::Read, os::unix::fs::MetadataExt, path::Path, process::Stdio, time::Duration};

const ANNA: &str = "plum orbit velvet cactus tide";
const BEN: &str = "harbor seven lantern mosaic quilt";

fn registered(relay: &RelayProcess, directory: &Path, password: &str) -> (User, serde_json::Value) {
    let user = User::new(directory, password).unwrap();
    let invite = relay.invite().unwrap();
    let registered = user.run_json(&["register", relay.address(), "--invite", &invite]).unwrap();
    (user, registered)
}

/// Register, upload, share a link, download, and find nothing at the relay.
#[test]
fn a_file_goes_from_one_user_to_another_and_the_relay_learns_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let relay = RelayProcess::start(&directory.path().join("relay")).unwrap();
    let (anna, registration) = registered(&relay, &directory.path().join("anna"), ANNA);
    let (ben, _) = registered(&relay, &directory.path().join("ben"), BEN);
    let words = registration["recovery_phrase"].as_str().unwrap();
    assert_eq!(words.split(' ').count(), 24);

    let name = "minutes of the meeting.txt";
    let file = anna.directory().join(name);
    make_sample(&file, 9_000_000).unwrap();
    let put = anna.run_json(&["put", name, "--link"]).unwrap();
    assert_eq!(put["name"], name);
    let link = put["link"].as_str().unwrap();
    let got = ben.run_json(&["get", link]).unwrap();
    assert_eq!(got["size"], 9_000_000);
    assert_eq!(fs::read(ben.directory().join(name)).unwrap(), fs::read(&file).unwrap());

    // Whoever has no account can read a link, too; and a small file takes the short way.
    let small = anna.directory().join("small.txt");
    fs::write(&small, MARKER).unwrap();
    let put = anna.run(&["put", "small.txt", "--link"]).unwrap();
    assert!(put.status.success(), "{}", put.stderr);
    let stranger = User::new(&directory.path().join("stranger"), "unused").unwrap();
    let link = put.stdout.lines().last().unwrap();
    stranger.run_json(&["get", &format!(" {link}\n"), "-o", "mine.txt"]).unwrap();
    assert_eq!(fs::read_to_string(stranger.directory().join("mine.txt")).unwrap(), MARKER);

    let data = relay.data().to_owned();
    assert!(relay.stop().unwrap().success());
    let three_words = words.split(' ').take(3).collect::<Vec<_>>().join(" ");
    let code = registration["account_code"].as_str().unwrap().rsplit('/').next().unwrap();
    let canaries = [name, "minutes of", MARKER, ANNA, BEN, three_words.as_str(), code, "plum orbit"];
    assert_eq!(search(&data, &canaries).unwrap(), []);
    fs::write(data.join("planted"), format!("xx{MARKER}xx")).unwrap();
    assert_eq!(search(&data, &canaries).unwrap().len(), 1, "the search finds what is there");
}

/// Each refusal leaves nothing behind, says what to do, and has its exit code.
#[test]
fn mistakes_get_a_clear_answer_and_lose_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let relay = RelayProcess::start(&directory.path().join("relay")).unwrap();
    let (anna, _) = registered(&relay, &directory.path().join("anna"), ANNA);
    fs::write(anna.directory().join("notes"), "notes").unwrap();
    let put = anna.run_json(&["put", "notes", "--link"]).unwrap();
    let link = put["link"].as_str().unwrap();
    let expect = |user: &User, arguments: &[&str], exit: i32, says: &str| {
        let finished = user.run(arguments).unwrap();
        assert_eq!(finished.status.code(), Some(exit), "{}: {}", finished.command, finished.stderr);
        assert!(finished.stderr.contains(says), "{}: {}", finished.command, finished.stderr);
        assert_eq!(finished.stdout, "");
    };

    let spent = relay.invite().unwrap();
    let ben = User::new(&directory.path().join("ben"), BEN).unwrap();
    ben.run_json(&["register", relay.address(), "--invite", &spent]).unwrap();
    let carl = User::new(&directory.path().join("carl"), BEN).unwrap();
    expect(&carl, &["register", relay.address(), "--invite", &spent], 4, "refused the invitation");
    expect(&carl, &["put", "/etc/hostname", "--link"], 3, "no account");
    expect(&ben, &["register", relay.address(), "--invite", &spent], 4, "there is an account");
    expect(&carl, &["register", "example.onion", "--invite", &spent], 2, "not a relay's address");

    let weak = User::new(&directory.path().join("weak"), "password1").unwrap();
    let invite = relay.invite().unwrap();
    expect(&weak, &["register", relay.address(), "--invite", &invite], 4, "too easy to guess");
    let forgetful = User::new(anna.directory(), "some other words entirely").unwrap();
    expect(&forgetful, &["put", "notes", "--link"], 4, "password is wrong");

    // A right link of another ticket: its checksum holds, and the relay has nothing under it.
    let mut wrong = link.to_owned();
    wrong.replace_range(
        wrong.len() - 40..wrong.len() - 39,
        if wrong.as_bytes()[wrong.len() - 40] == b'0' { "1" } else { "0" },
    );
    expect(&ben, &["get", &wrong, "-o", "x"], 2, "a symbol in it is wrong");
    expect(&ben, &["get", "https://example.com", "-o", "x"], 2, "cannot be a name among your files");
    fs::write(ben.directory().join("x"), "mine").unwrap();
    expect(&ben, &["get", link, "-o", "x"], 1, "exists");
    assert_eq!(fs::read_to_string(ben.directory().join("x")).unwrap(), "mine");
    ben.run_json(&["get", link, "-o", "y"]).unwrap();
    assert_eq!(fs::read_to_string(ben.directory().join("y")).unwrap(), "notes");
}

/// The onion identity and what was acknowledged are there after the relay was ended and started again.
#[test]
fn a_restarted_relay_has_the_same_address_and_the_same_files() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("relay");
    let relay = RelayProcess::start(&data).unwrap();
    let address = relay.address().to_owned();
    let (anna, registration) = registered(&relay, &directory.path().join("anna"), ANNA);
    make_sample(&anna.directory().join("file"), 2_500_000).unwrap();
    let put = anna.run_json(&["put", "file", "--link"]).unwrap();
    assert!(relay.stop().unwrap().success());

    let relay = RelayProcess::start(&data).unwrap();
    assert_eq!(relay.address(), address);
    anna.run_json(&["get", put["link"].as_str().unwrap(), "-o", "again"]).unwrap();
    let original = fs::read(anna.directory().join("file")).unwrap();
    assert_eq!(fs::read(anna.directory().join("again")).unwrap(), original);
    let second_device = User::new(&directory.path().join("second"), ANNA).unwrap();
    let code = registration["account_code"].as_str().unwrap();
    let login = second_device.run_json(&["login", code]).unwrap();
    assert_eq!(login["keyring_version"], 1);
}

/// Waits until a command has `begun` to move the file, and gives its peak from then on above what it held, and what it printed; it must
/// succeed. (Before that it logs in, and hashing a password is meant to take memory.)
fn peak_of(user: &User, arguments: &[&str], begun: impl Fn() -> bool) -> (u64, String) {
    let mut command = user.command(arguments).unwrap();
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let (mut measured, mut above) = (None, 0);
    let status = loop {
        if measured.is_none() && begun() {
            measured = PeakMemory::begin(child.id()).ok();
        }
        above = measured.as_ref().and_then(|peak| peak.above_idle().ok()).unwrap_or(above);
        match child.try_wait().unwrap() {
            Some(status) => break status,
            None => std::thread::sleep(Duration::from_millis(5)),
        }
    };
    assert!(status.success());
    assert!(measured.is_some_and(|peak| peak.idle() > 1024), "the transfer was seen to begin");
    let mut printed = String::new();
    child.stdout.take().unwrap().read_to_string(&mut printed).unwrap();
    (above, printed)
}

/// Bytes that are allocated to the files of a directory, those whose names begin with `prefix`.
fn allocated(directory: &Path, prefix: &str) -> u64 {
    let entries = fs::read_dir(directory).unwrap().flatten();
    let ours =
        entries.filter(|entry| entry.file_name().to_str().is_some_and(|name| name.starts_with(prefix)));
    ours.filter_map(|entry| Some(entry.metadata().ok()?.blocks() * 512)).sum()
}

/// The worker and the gateway of a relay.
fn children_of(supervisor: u32) -> Vec<u32> {
    let entries = fs::read_dir("/proc").unwrap();
    let ids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    ids.filter(|id: &u32| {
        let status = fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
        status.lines().any(|line| line == format!("PPid:\t{supervisor}"))
    })
    .collect()
}

#[test]
fn memory_is_constant_for_128_mib_over_tor() {
    const SIZE: u64 = 128 << 20;
    const BEGUN: u64 = 4 << 20;
    /// KiB.
    const ALLOWED: u64 = 64 * 1024;
    let directory = tempfile::tempdir().unwrap();
    let relay = RelayProcess::start(&directory.path().join("relay")).unwrap();
    let (anna, _) = registered(&relay, &directory.path().join("anna"), ANNA);
    make_sample(&anna.directory().join("file"), SIZE).unwrap();
    let processes = children_of(relay.id());
    assert_eq!(processes.len(), 2);
    let relay_peaks: Vec<PeakMemory> =
        processes.iter().map(|process| PeakMemory::begin(*process).unwrap()).collect();

    let store = relay.data().join("store");
    let empty = allocated(&store, "");
    let (up, link) = peak_of(&anna, &["put", "file", "--link"], || allocated(&store, "") > empty + BEGUN);
    let (down, _) = peak_of(&anna, &["get", link.trim(), "-o", "back"], || {
        allocated(anna.directory(), ".nightdrop-") > BEGUN
    });
    let relay: Vec<u64> = relay_peaks.iter().map(|peak| peak.above_idle().unwrap()).collect();
    println!("KiB above idle: put {up}, get {down}, the relay's two processes {relay:?}");
    assert!([up, down].iter().chain(&relay).all(|above| *above < ALLOWED), "{up}, {down}, {relay:?}");
    let same =
        fs::read(anna.directory().join("back")).unwrap() == fs::read(anna.directory().join("file")).unwrap();
    assert!(same);
}
