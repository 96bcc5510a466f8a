//! The built programs through Tor: what the relay says of how long it keeps a file is told, and asked for again when it may have become longer.
//!
//! No clock can be moved here for a whole Tor network, so what changes is the operator's maximum age.

use super::today;
use nightdrop_tests::system::{RelayProcess, User, make_sample};
use nightdrop_wire::{date::Date, season};
use std::fs;

/// Days: with these, whatever day of the week it is, a new file is there tomorrow and ends within two weeks.
const MAX_AGE: u32 = 9;

struct Kept {
    until: String,
    is_extended: bool,
}

fn kept(user: &User) -> Kept {
    let info = user.run_json(&["info", "sample"]).unwrap();
    Kept {
        until: info["kept_until"].as_str().unwrap().to_owned(),
        is_extended: info["is_extended"].as_bool().unwrap(),
    }
}

fn warns(user: &User, words: &str) -> bool {
    let ended = user.run(&["ls"]).unwrap();
    assert!(ended.status.success(), "{ended:?}");
    ended.stderr.contains(words)
}

#[test]
fn a_maximum_age_is_told_and_when_it_is_lifted_the_next_command_has_the_file_kept_for_longer() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("relay");
    let relay = RelayProcess::start_with(&data, &["--max-age", &MAX_AGE.to_string()]).unwrap();
    let anna = User::new(&directory.path().join("anna"), "plum orbit velvet cactus tide").unwrap();
    let invite = relay.invite().unwrap();
    anna.run_json(&["register", relay.address(), "--invite", &invite]).unwrap();
    make_sample(&anna.directory().join("sample"), 100_000).unwrap();
    anna.run_json(&["put", "sample"]).unwrap();

    let with_maximum = kept(&anna);
    assert!(with_maximum.until < Date::of_day(today() + MAX_AGE).to_string(), "{}", with_maximum.until);
    assert!(!with_maximum.is_extended, "the relay was asked, and keeps it no longer");
    assert!(warns(&anna, "does not extend them"));

    assert!(relay.stop().unwrap().success());
    let relay = RelayProcess::start(&data).unwrap();
    let least = Date::of_day(today() + 2 * season::DAYS).to_string();
    // It is told what was known, and then asks.
    assert!(warns(&anna, "does not extend them"));
    let without = kept(&anna);
    assert!(without.until >= least && without.is_extended, "{} and not {least}", without.until);
    assert!(!warns(&anna, "keeps"));
    anna.run_json(&["get", "sample", "-o", "back"]).unwrap();
    let [back, sample] = ["back", "sample"].map(|name| fs::read(anna.directory().join(name)).unwrap());
    assert!(back == sample);
    drop(relay);
}
