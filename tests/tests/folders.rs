//! Directories: put, put again, and got back, through a private Tor network, with the built programs, as a user types it.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

use nightdrop_tests::system::{RelayProcess, User};
use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{BufRead, BufReader},
    os::unix::fs::symlink,
    path::Path,
    process::Stdio,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

const ANNA: &str = "plum orbit velvet cactus tide";

fn registered(relay: &RelayProcess, directory: &Path) -> User {
    let user = User::new(directory, ANNA).unwrap();
    let invite = relay.invite().unwrap();
    user.run_json(&["register", relay.address(), "--invite", &invite]).unwrap();
    user
}

/// What a command that must succeed printed, one object in each line.
fn lines(user: &User, arguments: &[&str]) -> Vec<serde_json::Value> {
    let finished = user.run(&[arguments, &["--json"]].concat()).unwrap();
    assert!(finished.status.success(), "{}: {}", finished.command, finished.stderr);
    finished.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn uploaded(lines: &[serde_json::Value]) -> Vec<&str> {
    let new = lines.iter().filter(|line| line["uploaded"] == true);
    new.map(|line| line["name"].as_str().unwrap()).collect()
}

/// Content and time of every file below a directory.
fn contents(directory: &Path) -> BTreeMap<String, (Vec<u8>, SystemTime)> {
    let mut contents = BTreeMap::new();
    let mut directories = vec![directory.to_owned()];
    while let Some(next) = directories.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            let metadata = path.symlink_metadata().unwrap();
            if metadata.is_dir() {
                directories.push(path);
            } else if metadata.is_file() {
                let name = path.strip_prefix(directory).unwrap().to_str().unwrap().to_owned();
                contents.insert(name, (fs::read(&path).unwrap(), metadata.modified().unwrap()));
            }
        }
    }
    contents
}

#[test]
fn a_directory_keeps_its_tree_and_what_is_unchanged_is_not_sent_again() {
    let directory = tempfile::tempdir().unwrap();
    let relay = RelayProcess::start(&directory.path().join("relay")).unwrap();
    let anna = registered(&relay, &directory.path().join("anna"));
    let docs = anna.directory().join("docs");
    fs::create_dir_all(docs.join("letters/old")).unwrap();
    fs::write(anna.directory().join("outside"), "not hers to share").unwrap();
    symlink("../outside", docs.join("link")).unwrap();
    symlink("..", docs.join("letters/up")).unwrap();
    let big = vec![7; 3 << 20];
    for (name, content) in
        [("a", &b"first"[..]), ("empty", b""), ("letters/b", b"second"), ("letters/old/c", &big)]
    {
        fs::write(docs.join(name), content).unwrap();
        let file = File::options().write(true).open(docs.join(name)).unwrap();
        file.set_modified(UNIX_EPOCH + Duration::from_secs(1_000_000_000)).unwrap();
    }
    let put = lines(&anna, &["put", "docs"]);
    assert_eq!(uploaded(&put), ["docs/a", "docs/empty", "docs/letters/b", "docs/letters/old/c"]);
    assert_eq!(uploaded(&lines(&anna, &["put", "docs"])), Vec::<&str>::new());

    fs::write(docs.join("a"), "changed").unwrap();
    // Times are kept in seconds.
    let changed = File::options().write(true).open(docs.join("a")).unwrap();
    changed.set_modified(UNIX_EPOCH + Duration::from_secs(1_100_000_000)).unwrap();
    let taken = anna.run(&["put", "docs"]).unwrap();
    assert_eq!(taken.status.code(), Some(4), "{}", taken.stderr);
    let below_a_file = anna.run(&["put", "outside", "--to", "docs/a"]).unwrap();
    assert_eq!(below_a_file.status.code(), Some(4), "{}", below_a_file.stderr);
    let twice = anna.run(&["put", "docs/a", "docs/../docs/a"]).unwrap();
    assert_eq!(twice.status.code(), Some(2), "{}", twice.stderr);
    assert_eq!(uploaded(&lines(&anna, &["put", "docs", "--replace"])), ["docs/a"]);
    assert_eq!(uploaded(&lines(&anna, &["put", "docs/letters", "--to", "kept"])).len(), 2);

    let got = lines(&anna, &["get", "docs", "-o", "back"]);
    assert_eq!(got.len(), 4);
    let back = anna.directory().join("back");
    assert_eq!(contents(&back), contents(&docs), "contents and times, and no links");
    assert_eq!(lines(&anna, &["get", "docs"]).len(), 0, "all of it is there already");
    assert_eq!(lines(&anna, &["get", "docs", "-o", "back"]).len(), 0, "here, too");

    // A link in the way is not followed, and nothing is replaced.
    fs::create_dir(anna.directory().join("elsewhere")).unwrap();
    fs::create_dir(anna.directory().join("third")).unwrap();
    symlink("../../elsewhere", anna.directory().join("third/kept")).unwrap();
    let refused = anna.run(&["get", "kept", "-o", "third/kept"]).unwrap();
    assert_eq!(refused.status.code(), Some(1), "{}", refused.stderr);
    symlink("../elsewhere", anna.directory().join("third/a")).unwrap();
    let refused = anna.run(&["get", "docs", "-o", "third"]).unwrap();
    assert_eq!(refused.status.code(), Some(1), "{}", refused.stderr);
    assert_eq!(fs::read_dir(anna.directory().join("elsewhere")).unwrap().count(), 0);
    fs::write(back.join("letters/b"), "hers by now").unwrap();
    fs::rename(&back, anna.directory().join("docs2")).unwrap();
    anna.run_json(&["mv", "docs", "docs2"]).unwrap();
    let refused = anna.run(&["get", "docs2"]).unwrap();
    assert_eq!(refused.status.code(), Some(1), "{}", refused.stderr);
    assert_eq!(fs::read_to_string(anna.directory().join("docs2/letters/b")).unwrap(), "hers by now");
}

/// Killed at any moment, what was acknowledged is there, and running it again stores the rest, each file once.
#[test]
fn a_directory_whose_upload_is_killed_is_gone_on_with() {
    const FILES: usize = 150;
    let directory = tempfile::tempdir().unwrap();
    let relay = RelayProcess::start(&directory.path().join("relay")).unwrap();
    let anna = registered(&relay, &directory.path().join("anna"));
    let docs = anna.directory().join("docs");
    fs::create_dir(&docs).unwrap();
    for n in 0..FILES {
        fs::write(docs.join(format!("{n:03}")), format!("file {n}")).unwrap();
    }
    let listed = || anna.run(&["ls", "docs"]).unwrap().stdout.lines().count();
    let began = Instant::now();
    // In the midst of the first batch, and right after it was listed.
    for acknowledged in [false, true] {
        let mut child = anna.command(&["put", "docs"]).unwrap();
        let mut child = child.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut told = String::new();
        if acknowledged {
            BufReader::new(child.stdout.take().unwrap()).read_line(&mut told).unwrap();
            assert!(told.contains("docs/000"), "{told}");
        } else {
            std::thread::sleep(Duration::from_millis(350));
        }
        let _ = child.kill();
        child.wait().unwrap();
        assert!(listed() >= usize::from(acknowledged), "what was told is there");
    }
    let before = listed();
    let put = lines(&anna, &["put", "docs"]);
    assert_eq!((put.len(), uploaded(&put).len()), (FILES, FILES - before));
    assert_eq!(listed(), FILES);
    lines(&anna, &["get", "docs", "-o", "back"]);
    assert_eq!(contents(&anna.directory().join("back")).len(), FILES);
    eprintln!("{before} files were listed before the last run; {:?} in all", began.elapsed());
}
