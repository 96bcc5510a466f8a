//! One's own files through a private Tor network, with the built programs, as a user types them.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

use nightdrop_tests::system::{RelayProcess, User, make_sample, search};
use std::{fs, path::Path};

const ANNA: &str = "plum orbit velvet cactus tide";

fn registered(relay: &RelayProcess, directory: &Path) -> (User, String) {
    let user = User::new(directory, ANNA).unwrap();
    let invite = relay.invite().unwrap();
    let registered = user.run_json(&["register", relay.address(), "--invite", &invite]).unwrap();
    let code = registered["account_code"].as_str().unwrap().to_owned();
    (user, code)
}

fn names(user: &User) -> Vec<String> {
    let listed = user.run(&["ls", "--json"]).unwrap();
    assert!(listed.status.success(), "{}", listed.stderr);
    assert_eq!(listed.stderr, "");
    let name = |line: &str| {
        serde_json::from_str::<serde_json::Value>(line).unwrap()["name"].as_str().unwrap().to_owned()
    };
    listed.stdout.lines().map(name).collect()
}

fn fails(user: &User, arguments: &[&str], exit: i32, says: &str) {
    let finished = user.run(arguments).unwrap();
    assert_eq!(finished.status.code(), Some(exit), "{}: {}", finished.command, finished.stderr);
    assert!(finished.stderr.contains(says), "{}: {}", finished.command, finished.stderr);
}

#[test]
fn files_are_stored_listed_moved_shared_and_removed() {
    let directory = tempfile::tempdir().unwrap();
    let relay = RelayProcess::start(&directory.path().join("relay")).unwrap();
    let (anna, code) = registered(&relay, &directory.path().join("anna"));
    assert_eq!(names(&anna), Vec::<String>::new());
    fs::write(anna.directory().join("notes"), "first").unwrap();
    make_sample(&anna.directory().join("large"), 3_000_000).unwrap();

    let put = anna.run(&["put", "notes", "large", "--to", "docs/2026"]).unwrap();
    assert!(put.status.success(), "{}", put.stderr);
    assert_eq!(names(&anna), ["docs/2026/large", "docs/2026/notes"]);
    let again = anna.run_json(&["put", "notes", "--to", "docs/2026"]).unwrap();
    assert_eq!(again["uploaded"], false, "the same content is not uploaded again");
    fs::write(anna.directory().join("notes"), "second").unwrap();
    fails(&anna, &["put", "notes", "--to", "docs/2026"], 4, "--replace");
    anna.run_json(&["put", "notes", "--to", "docs/2026", "--replace"]).unwrap();

    anna.run_json(&["mv", "docs/2026", "archive"]).unwrap();
    assert_eq!(names(&anna), ["archive/large", "archive/notes"]);
    fails(&anna, &["mv", "docs/2026/notes", "x"], 3, "there is no");
    anna.run_json(&["get", "archive/notes", "-o", "back"]).unwrap();
    assert_eq!(fs::read_to_string(anna.directory().join("back")).unwrap(), "second");

    let info = anna.run_json(&["info", "archive/large"]).unwrap();
    assert_eq!((&info["size"], &info["relay_sees"]["chunks"]), (&3_000_000.into(), &3.into()));
    let link =
        anna.run_json(&["share", "archive/large", "--link"]).unwrap()["link"].as_str().unwrap().to_owned();
    let stranger = User::new(&directory.path().join("stranger"), "unused").unwrap();
    stranger.run_json(&["get", &link, "-o", "one"]).unwrap();
    let original = fs::read(anna.directory().join("large")).unwrap();
    assert_eq!(fs::read(stranger.directory().join("one")).unwrap(), original);
    anna.run_json(&["unshare", "archive/large"]).unwrap();
    fails(&stranger, &["get", &link, "-o", "two"], 3, "nothing under this link");
    fails(&anna, &["unshare", "archive/large"], 3, "has no links");
    anna.run_json(&["get", "archive/large", "-o", "still"]).unwrap();

    let link =
        anna.run_json(&["share", "archive/notes", "--link"]).unwrap()["link"].as_str().unwrap().to_owned();
    fails(&anna, &["rm", "archive"], 2, "-r");
    anna.run_json(&["rm", "archive/notes"]).unwrap();
    fails(&stranger, &["get", &link, "-o", "three"], 3, "nothing under this link");
    assert_eq!(names(&anna), ["archive/large"]);

    // A second device sees the same.
    let second = User::new(&directory.path().join("second"), ANNA).unwrap();
    second.run_json(&["login", &code]).unwrap();
    assert_eq!(names(&second), ["archive/large"]);
    second.run_json(&["rm", "-r", "archive"]).unwrap();
    assert_eq!(names(&anna), Vec::<String>::new());

    let data = relay.data().to_owned();
    assert!(relay.stop().unwrap().success());
    assert_eq!(search(&data, &["archive", "docs/2026", "notes", ANNA]).unwrap(), []);
    let homes = [anna.home(), second.home()];
    for home in &homes {
        assert_eq!(search(home, &["archive", "docs/2026", "notes", ANNA]).unwrap(), []);
    }
    fs::write(homes[0].join("planted"), "docs/2026").unwrap();
    assert_eq!(search(&homes[0], &["docs/2026"]).unwrap().len(), 1, "the search finds what is there");
}

/// M28: the relay is set back to an older state, as by a backup that was restored.
#[test]
fn a_relay_that_was_set_back_is_noticed() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("relay");
    let relay = RelayProcess::start(&data).unwrap();
    let (anna, code) = registered(&relay, &directory.path().join("anna"));
    fs::write(anna.directory().join("a"), "a").unwrap();
    fs::write(anna.directory().join("b"), "b").unwrap();
    anna.run_json(&["put", "a"]).unwrap();
    assert!(relay.stop().unwrap().success());
    let backup = directory.path().join("backup");
    let copied = std::process::Command::new("cp").arg("-a").arg(data.join("store")).arg(&backup).status();
    assert!(copied.unwrap().success());

    let relay = RelayProcess::start(&data).unwrap();
    anna.run_json(&["put", "b"]).unwrap();
    assert_eq!(names(&anna), ["a", "b"]);
    assert!(relay.stop().unwrap().success());
    fs::remove_dir_all(data.join("store")).unwrap();
    fs::rename(&backup, data.join("store")).unwrap();

    let relay = RelayProcess::start(&data).unwrap();
    fails(&anna, &["ls"], 6, "another history");
    let newcomer = User::new(&directory.path().join("newcomer"), ANNA).unwrap();
    newcomer.run_json(&["login", &code]).unwrap();
    assert_eq!(names(&newcomer), ["a"], "a device without memory cannot see it");
    drop(relay);
}
