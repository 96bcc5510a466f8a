//! The real program on a private Tor network, for the tests beside this directory.

pub(crate) mod client;
pub(crate) mod outside;
pub(crate) mod relay;
pub(crate) mod surroundings;

use std::path::PathBuf;

/// The private network's file. A test without a network fails: skipping it would look like passing.
pub(crate) fn network_file() -> PathBuf {
    std::env::var_os("NIGHTDROP_TEST_NETWORK").map(PathBuf::from).expect(
        "these tests need a private Tor network: run them as `tornet DIR -- cargo nextest run -p nightdrop-relay`",
    )
}
