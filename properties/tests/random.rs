//! Every property, with bytes at random. What fails is shrunk to the least bytes that fail, and kept in the corpus by hand.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use nightdrop_properties::{ALL, Property, named};
use proptest::{
    collection::vec,
    prelude::*,
    test_runner::{TestCaseError, TestRunner},
};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs a property on what a strategy gives; a panic of it fails the case, and shrinks.
fn runs(property: Property, cases: u32, strategy: impl Strategy<Value = Vec<u8>>) {
    if let Err(failure) = outcome(property, cases, strategy) {
        panic!("{}: {failure}", property.name);
    }
}

fn outcome(property: Property, cases: u32, strategy: impl Strategy<Value = Vec<u8>>) -> Result<(), String> {
    let config = ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() };
    let holds = |input: Vec<u8>| {
        let held = catch_unwind(AssertUnwindSafe(|| (property.holds)(&input)));
        held.map(|_| ())
            .map_err(|_| TestCaseError::fail(format!("it does not hold for {}", input.escape_ascii())))
    };
    TestRunner::new(config).run(&strategy, holds).map_err(|failure| failure.to_string())
}

/// What steps at random seldom come to: an account with a session and credits, a blob with a ticket, a log.
const BEGINNING: [[u8; 4]; 7] =
    [[0, 0, 0, 2], [1, 0, 0, 0], [3, 0, 0, 2], [5, 0, 0, 3], [8, 0, 0, 0], [18, 0, 0, 0], [22, 0, 1, 1]];

/// One test per property, each with its strategy.
macro_rules! random {
    ($($name:ident: $cases:literal of $strategy:expr;)*) => {
        $(#[test]
        fn $name() {
            runs(named(stringify!($name)).unwrap(), $cases, $strategy);
        })*

        #[test]
        fn every_property_is_tried() {
            let tried = [$(stringify!($name)),*];
            assert_eq!(tried.to_vec(), ALL.map(|property| property.name).to_vec());
        }
    };
}

random! {
    message: 4096 of vec(any::<u8>(), 0..400);
    request: 4096 of "[A-Za-z0-9]?(/v1)?/(blobs|logs|tickets|register|sessions)?(/[0-9a-z]{26})?(/[0-9]{0,6})?\n?(Bearer |Ticket )?[0-9a-z.]{0,60}"
        .prop_map(String::into_bytes);
    text: 4096 of any::<String>().prop_map(String::into_bytes);
    copied_text: 2048 of vec(any::<u8>(), 33..60);
    envelope: 2048 of vec(any::<u8>(), 0..200);
    chunk: 512 of vec(any::<u8>(), 0..300);
    manifest: 2048 of vec(any::<u8>(), 0..300);
    contents: 4096 of vec(any::<u8>(), 0..300);
    entries: 512 of vec(any::<u8>(), 0..600);
    name: 4096 of any::<String>().prop_map(String::into_bytes);
    layout: 2048 of (0_u32..64, any::<u64>()).prop_map(|(shift, bits)| (bits >> shift).to_be_bytes().to_vec());
    login: 1024 of vec(any::<u8>(), 0..300);
    relay: 96 of (0..=BEGINNING.len(), vec(any::<[u8; 4]>(), 0..160))
        .prop_map(|(begun, steps)| [&BEGINNING[..begun], &steps].concat().concat());
}

/// A property that does not hold is found, and shrunk to the least bytes for which it does not.
#[test]
fn a_planted_fault_is_found_and_shrunk() {
    fn planted(input: &[u8]) -> bool {
        assert!(input.iter().all(|byte| *byte < 200), "planted");
        true
    }
    let strategy = || vec(any::<u8>(), 0..100);
    let harmless = Property { name: "harmless", holds: |_| true };
    assert_eq!(outcome(harmless, 200, strategy()), Ok(()));
    let failure = outcome(Property { name: "planted", holds: planted }, 200, strategy()).unwrap_err();
    assert!(failure.contains("[\n    200,\n]"), "{failure}");
}
