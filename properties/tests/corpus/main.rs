//! Every input that is kept is tried on every run. `good_…` was made by an honest program and is accepted; what has another name was
//! found by a fuzzer, or broke something once.
//!
//! `NIGHTDROP_WRITE_CORPUS=1` writes the good ones anew after a change of format.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod good;

use nightdrop_properties::{ALL, Property, named};
use std::{
    fs,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
};

/// What all corpora may take in the repository.
const MOST_BYTES: usize = 1_000_000;

fn corpus_of(property: &Property) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus").join(property.name)
}

fn inputs(directory: &Path) -> Vec<(String, Vec<u8>)> {
    let entries = fs::read_dir(directory).unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
    let paths = entries.map(|entry| entry.unwrap().path());
    let mut inputs: Vec<_> = paths
        .map(|path| (path.file_name().unwrap().to_str().unwrap().to_owned(), fs::read(&path).unwrap()))
        .collect();
    inputs.sort();
    inputs
}

/// The names of those inputs for which a property does not hold.
fn broken(property: &Property, inputs: &[(String, Vec<u8>)]) -> Vec<String> {
    let holds = |input: &[u8]| {
        let accepted = catch_unwind(AssertUnwindSafe(|| (property.holds)(input)));
        accepted.map_err(|_| "does not hold")
    };
    let wrong = |(name, input): &(String, Vec<u8>)| match holds(input) {
        Ok(accepted) if accepted || !name.starts_with("good_") => None,
        Ok(_) => Some(format!("{name} is not accepted")),
        Err(why) => Some(format!("{name} {why}")),
    };
    inputs.iter().filter_map(wrong).collect()
}

#[test]
fn every_kept_input_is_tried() {
    let mut bytes = 0;
    for property in ALL {
        let directory = corpus_of(&property);
        if std::env::var_os("NIGHTDROP_WRITE_CORPUS").is_some() {
            write_good(&directory, property.name);
        }
        let inputs = inputs(&directory);
        let good = inputs.iter().filter(|(name, _)| name.starts_with("good_")).count();
        assert!(good > 0, "{} has no good input: its test would show nothing", property.name);
        assert_eq!(broken(&property, &inputs), Vec::<String>::new(), "{}", property.name);
        bytes += inputs.iter().map(|(_, input)| input.len()).sum::<usize>();
    }
    assert!(bytes <= MOST_BYTES, "{bytes} bytes: minimise what fuzzers found");
}

fn write_good(directory: &Path, property: &str) {
    fs::create_dir_all(directory).unwrap();
    for (name, input) in inputs(directory) {
        if name.starts_with("good_") {
            fs::remove_file(directory.join(&name)).unwrap_or_else(|error| panic!("{}: {error}", input.len()));
        }
    }
    for (name, input) in good::inputs(property) {
        fs::write(directory.join(format!("good_{name}")), input).unwrap();
    }
}

/// The replay shows what it is there for: a property that does not hold, and a good input that is no longer accepted.
#[test]
fn a_planted_crash_is_seen() {
    let kept = |name: &str, input: &[u8]| (name.to_owned(), input.to_vec());
    let inputs = [kept("good_one", b"good"), kept("found", b"bad"), kept("good_other", b"bad")];
    let harmless = Property { name: "harmless", holds: |_| true };
    assert_eq!(broken(&harmless, &inputs), Vec::<String>::new());
    let picky = Property { name: "picky", holds: |input| input == b"good" };
    assert_eq!(broken(&picky, &inputs), ["good_other is not accepted"]);
    let crashing = |input: &[u8]| {
        assert_ne!(input, b"bad");
        true
    };
    let crashing = Property { name: "crashing", holds: crashing };
    assert_eq!(broken(&crashing, &inputs), ["found does not hold", "good_other does not hold"]);
}

#[test]
fn every_property_has_a_fuzz_target_and_no_other_has() {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz");
    let manifest = fs::read_to_string(fuzz.join("Cargo.toml")).unwrap();
    let names = manifest.split("[[bin]]").skip(1);
    let mut targets: Vec<&str> = names.map(|target| target.split('"').nth(1).unwrap()).collect();
    let listed: Vec<&str> = ALL.iter().map(|property| property.name).collect();
    assert_eq!(targets, listed);
    for name in &targets {
        let source = fs::read_to_string(fuzz.join(format!("targets/{name}.rs"))).unwrap();
        assert!(source.contains(&format!("nightdrop_fuzz::fuzz!(\"{name}\");")), "{name}");
        assert!(named(name).is_some());
    }
    let mut corpora: Vec<String> = fs::read_dir(fuzz.join("corpus"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    corpora.sort();
    targets.sort_unstable();
    assert_eq!(corpora, targets);
}
