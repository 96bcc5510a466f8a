//! What opens an account, changed through a private Tor network, with the built programs, as a user types it.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, missing_docs)]

use nightdrop_tests::system::{Finished, RelayProcess, User, search};
use std::{
    fs,
    path::Path,
    process::Stdio,
    time::{Duration, Instant},
};

const OLD: &str = "plum orbit velvet cactus tide";
const NEW: &str = "walnut ferry cobalt lantern moss";

struct Registered {
    user: User,
    code: String,
    phrase: String,
}

fn register(relay: &RelayProcess, directory: &Path) -> Registered {
    let user = User::new(directory, OLD).unwrap();
    fs::write(directory.join("new"), format!("{NEW}\n")).unwrap();
    let invite = relay.invite().unwrap();
    let shown = user.run_json(&["register", relay.address(), "--invite", &invite]).unwrap();
    let text = |name: &str| shown[name].as_str().unwrap().to_owned();
    Registered { code: text("account_code"), phrase: text("recovery_phrase"), user }
}

fn fails(user: &User, arguments: &[&str], exit: i32, says: &str) -> Finished {
    let finished = user.run(arguments).unwrap();
    assert_eq!(finished.status.code(), Some(exit), "{}: {}", finished.command, finished.stderr);
    assert!(finished.stderr.contains(says), "{}: {}", finished.command, finished.stderr);
    finished
}

#[test]
fn a_password_is_changed_and_recovered_and_an_account_removed() {
    let directory = tempfile::tempdir().unwrap();
    let relay = RelayProcess::start(&directory.path().join("relay")).unwrap();
    let Registered { user: anna, code, phrase } = register(&relay, &directory.path().join("anna"));
    fs::write(anna.directory().join("notes"), "first").unwrap();
    anna.run_json(&["put", "notes"]).unwrap();

    fs::write(anna.directory().join("weak"), "hunter2").unwrap();
    fails(&anna, &["passwd", "--new-password-file", "weak"], 4, "too easy to guess");
    assert_eq!(anna.run_json(&["passwd", "--new-password-file", "new"]).unwrap()["changed"], true);
    fails(&anna, &["ls"], 4, "password is wrong");
    let anna = User::new(anna.directory(), NEW).unwrap();
    assert!(anna.run(&["ls"]).unwrap().stdout.contains("notes"), "all data is kept");
    assert_eq!(anna.run_json(&["sessions"]).unwrap()["sessions"], serde_json::json!([]));

    // The phrase opens it on another device, where nothing is known but phrase and address.
    let elsewhere = User::new(&directory.path().join("elsewhere"), OLD).unwrap();
    let mut words: Vec<&str> = phrase.split(' ').collect();
    words[6] = "nightdrop";
    fs::write(elsewhere.directory().join("mistyped"), words.join(" ")).unwrap();
    let recover = |file| ["recover", "--relay", relay.address(), "--phrase-file", file];
    fails(&elsewhere, &recover("mistyped"), 2, "word 7");
    fs::write(elsewhere.directory().join("phrase"), &phrase).unwrap();
    let recovered = elsewhere.run_json(&recover("phrase")).unwrap();
    let recovered = recovered["account_code"].as_str().unwrap().to_owned();
    assert_ne!(recovered, code);
    elsewhere.run_json(&["get", "notes", "-o", "back"]).unwrap();
    assert_eq!(fs::read_to_string(elsewhere.directory().join("back")).unwrap(), "first");
    fails(&anna, &["ls"], 4, "password is wrong");

    let replaced = elsewhere.run_json(&["recover", "--new"]).unwrap();
    assert_ne!(replaced["recovery_phrase"].as_str().unwrap(), phrase);
    let third = User::new(&directory.path().join("third"), OLD).unwrap();
    fs::write(third.directory().join("phrase"), &phrase).unwrap();
    fails(&third, &recover("phrase"), 3, "no account for this recovery phrase");

    fails(&elsewhere, &["unregister"], 4, "not confirmed");
    assert_eq!(elsewhere.run_json(&["unregister", "--yes"]).unwrap()["removed_files"], 1);
    fails(&elsewhere, &["ls"], 3, "there is no account");
    fails(&third, &["login", &recovered], 4, "password is wrong");
    let homes = [anna.home(), elsewhere.home(), relay.data().to_owned()];
    assert!(relay.stop().unwrap().success());
    for home in homes {
        assert_eq!(search(&home, &[OLD, NEW, &phrase, "notes"]).unwrap(), []);
    }
}

#[test]
fn a_generated_password_opens_the_account_and_is_shown_once() {
    let directory = tempfile::tempdir().unwrap();
    let relay = RelayProcess::start(&directory.path().join("relay")).unwrap();
    let Registered { user, .. } = register(&relay, directory.path());
    let shown = user.run_json(&["passwd", "--generate"]).unwrap();
    let password = shown["password"].as_str().unwrap();
    assert_eq!(password.split(' ').count(), 7);
    let user = User::new(directory.path(), password).unwrap();
    assert!(user.run(&["ls"]).unwrap().status.success());
    assert_eq!(search(&user.home(), &[password]).unwrap(), []);
}

/// Killed at any moment, exactly one of the two passwords opens the account.
#[test]
fn a_change_that_is_killed_leaves_exactly_one_password() {
    const KILLS: u32 = 12;
    let directory = tempfile::tempdir().unwrap();
    let relay = RelayProcess::start(&directory.path().join("relay")).unwrap();
    let Registered { user, .. } = register(&relay, directory.path());
    let opens = |password: &str| {
        let user = User::new(directory.path(), password).unwrap();
        let finished = user.run(&["ls"]).unwrap();
        assert!(matches!(finished.status.code(), Some(0 | 4)), "{}", finished.stderr);
        finished.status.success()
    };
    let (mut current, mut other) = (OLD, NEW);
    let began = Instant::now();
    user.run_json(&["passwd", "--new-password-file", "new"]).unwrap();
    let whole = began.elapsed();
    std::mem::swap(&mut current, &mut other);
    let (mut changed, mut unchanged) = (0, 0);
    for kill in 0..KILLS {
        let user = User::new(directory.path(), current).unwrap();
        fs::write(directory.path().join("new"), other).unwrap();
        let mut child = user.command(&["passwd", "--new-password-file", "new"]).unwrap();
        let mut child = child.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        // Spread over its whole length, and a little beyond; the last ones mostly hit the transaction and what follows it.
        std::thread::sleep(whole.mul_f64(0.3 + f64::from(kill) / f64::from(KILLS)));
        let _ = child.kill();
        child.wait().unwrap();
        let is_changed = opens(other);
        assert_ne!(is_changed, opens(current), "exactly one, after {kill} kills");
        if is_changed {
            std::mem::swap(&mut current, &mut other);
            changed += 1;
        } else {
            unchanged += 1;
        }
    }
    eprintln!("{changed} changes were made, {unchanged} were not; one takes {whole:?}");
    assert!(began.elapsed() < Duration::from_secs(600));
    drop(relay);
}

#[test]
fn a_rekey_keeps_files_links_and_devices() {
    let directory = tempfile::tempdir().unwrap();
    let relay = RelayProcess::start(&directory.path().join("relay")).unwrap();
    let Registered { user: anna, code, phrase } = register(&relay, &directory.path().join("anna"));
    fs::write(anna.directory().join("notes"), "first").unwrap();
    let link = anna.run_json(&["put", "notes", "--link"]).unwrap()["link"].as_str().unwrap().to_owned();
    let second = User::new(&directory.path().join("second"), OLD).unwrap();
    let logged_in = second.run_json(&["login", &code]).unwrap();
    let compared = anna.run_json(&["login"]).unwrap();
    assert_eq!(logged_in["comparison"], compared["comparison"], "both see the same");
    assert!(second.run(&["ls"]).unwrap().stdout.contains("notes"));

    let rekeyed = anna.run_json(&["rekey"]).unwrap();
    assert_eq!(rekeyed["files"], 1);
    let renewed = rekeyed["recovery_phrase"].as_str().unwrap();
    assert_ne!(renewed, phrase);
    for (device, output) in [(&anna, "a"), (&second, "b")] {
        device.run_json(&["get", "notes", "-o", output]).unwrap();
        assert_eq!(fs::read_to_string(device.directory().join(output)).unwrap(), "first");
    }
    assert_eq!(second.run_json(&["login"]).unwrap()["keyring_version"], 2);
    let stranger = User::new(&directory.path().join("stranger"), OLD).unwrap();
    stranger.run_json(&["get", &link, "-o", "c"]).unwrap();
    second.run_json(&["unshare", "notes"]).unwrap();
    fails(&stranger, &["get", &link, "-o", "d"], 3, "nothing under this link");

    // Cut off anywhere, it is run again, and then all is there.
    let began = Instant::now();
    let last = anna.run_json(&["rekey", "--no-recovery"]).unwrap();
    let whole = began.elapsed();
    assert!(last.get("recovery_phrase").is_none());
    for part in [0.35, 0.5, 0.65, 0.8] {
        let mut child = anna.command(&["rekey", "--no-recovery"]).unwrap();
        let mut child = child.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(whole.mul_f64(part));
        let _ = child.kill();
        child.wait().unwrap();
        let listed = anna.run(&["ls"]).unwrap();
        assert!(matches!(listed.status.code(), Some(0 | 6)), "{}", listed.stderr);
        anna.run_json(&["rekey", "--no-recovery"]).unwrap();
        anna.run_json(&["get", "notes", "-o", &format!("after {part}")]).unwrap();
        assert_eq!(fs::read_to_string(anna.directory().join(format!("after {part}"))).unwrap(), "first");
    }
    let homes = [anna.home(), second.home(), relay.data().to_owned()];
    assert!(relay.stop().unwrap().success());
    for home in homes {
        assert_eq!(search(&home, &[OLD, renewed, "notes", &link]).unwrap(), []);
    }
}
