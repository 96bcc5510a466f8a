//! Links with limits and a password, with the programs as they are built, over Tor.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

use nightdrop_tests::system::{Finished, RelayProcess, User, make_sample};
use std::{
    fs,
    path::Path,
    process::Stdio,
    time::{Duration, Instant},
};

const ANNA: &str = "plum orbit velvet cactus tide";
const WORDS: &str = "lantern gravel sonnet brisk otter";

/// How many chunks of a download are there.
fn journaled(directory: &Path) -> u64 {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap());
    let mut journals = entries.filter(|entry| entry.file_name().to_string_lossy().ends_with(".journal"));
    journals.next().map_or(0, |journal| journal.metadata().unwrap().len() / 28)
}

fn kept_claims(user: &User) -> usize {
    fs::read_dir(user.home().join("claims")).map_or(0, Iterator::count)
}

/// A reader without an account, who was told the words.
fn reader(directory: &Path, words: &str) -> User {
    let user = User::new(directory, "no account's").unwrap();
    fs::write(user.directory().join("words"), format!("{words}\n")).unwrap();
    user
}

fn get(user: &User, link: &str) -> Finished {
    user.run(&["get", link, "-o", "back", "--link-password-file", "words"]).unwrap()
}

#[test]
fn one_download_with_a_password_counts_once_although_its_reader_is_killed() {
    let directory = tempfile::tempdir().unwrap();
    let relay = RelayProcess::start(&directory.path().join("relay")).unwrap();
    let anna = User::new(&directory.path().join("anna"), ANNA).unwrap();
    let invite = relay.invite().unwrap();
    anna.run_json(&["register", relay.address(), "--invite", &invite]).unwrap();
    make_sample(&anna.directory().join("sample"), 40 << 20).unwrap();
    anna.run_json(&["put", "sample"]).unwrap();

    let share =
        ["share", "sample", "--link", "--downloads", "1", "--expires", "7d", "--link-password-file", "w"];
    fs::write(anna.directory().join("w"), "hunter2").unwrap();
    let weak = anna.run(&share).unwrap();
    assert_eq!(weak.status.code(), Some(4), "{}", weak.stderr);
    fs::write(anna.directory().join("w"), WORDS).unwrap();
    let shared = anna.run_json(&share).unwrap();
    let link = shared["link"].as_str().unwrap();
    assert_eq!((&shared["downloads"], &shared["needs_password"]), (&1.into(), &true.into()));
    assert_eq!(shared["ends"].as_u64().unwrap() % (24 * 60 * 60), 0, "to the day");
    let info = anna.run(&["info", "sample"]).unwrap();
    assert!(info.stdout.contains(link) && info.stdout.contains("1 download(s) in all"), "{}", info.stdout);

    let (bert, cleo) = (
        reader(&directory.path().join("bert"), WORDS),
        reader(&directory.path().join("cleo"), "other words"),
    );
    let silent = cleo.run(&["get", link, "-o", "back"]).unwrap();
    assert_eq!(silent.status.code(), Some(2), "nobody to ask: {}", silent.stderr);
    let wrong = get(&cleo, link);
    assert_eq!(wrong.status.code(), Some(3), "{}", wrong.stderr);
    assert!(wrong.stderr.contains("password is wrong or the link has ended"), "{}", wrong.stderr);

    let mut child = bert.command(&["get", link, "-o", "back", "--link-password-file", "words"]).unwrap();
    let mut child = child.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let end = Instant::now() + Duration::from_secs(300);
    while journaled(bert.directory()) < 3 {
        assert!(Instant::now() < end && child.try_wait().unwrap().is_none(), "the download begins");
        std::thread::sleep(Duration::from_millis(5));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(!bert.directory().join("back").exists());
    assert_eq!(kept_claims(&bert), 1);

    fs::write(cleo.directory().join("words"), WORDS).unwrap();
    let second = get(&cleo, link);
    assert_eq!(second.status.code(), Some(3), "the only download is taken: {}", second.stderr);
    assert_eq!(kept_claims(&cleo), 0);

    let done = get(&bert, link);
    assert!(done.status.success(), "{}", done.stderr);
    let (back, sample) = (bert.directory().join("back"), anna.directory().join("sample"));
    assert!(fs::read(&back).unwrap() == fs::read(sample).unwrap());
    assert_eq!(kept_claims(&bert), 0);
    fs::remove_file(back).unwrap();
    assert_eq!(get(&bert, link).status.code(), Some(3), "another one counts, and there is none");
    anna.run_json(&["unshare", "sample"]).unwrap();
}
