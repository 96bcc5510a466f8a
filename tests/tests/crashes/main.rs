//! C01 and R16: whatever is killed or ends by itself, at whatever moment, what was acknowledged is there afterwards, unaltered,
//! and nobody has to mend anything by hand.
//!
//! ```text
//! worker         200 kills over its socket, while two clients upload and write to their logs
//! client         60 kills of `put`, `mv`, `rm`, `share` through Tor; 12 of `register`
//! gateway        20 kills through Tor, while a client works
//! supervisor     10 kills, likewise; each ends gateway and worker, too
//! gateway_exits  the gateway ends by itself
//! ```
//! Moments are drawn from a seed that each test prints; `NIGHTDROP_TEST_SEED` repeats one.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, clippy::print_stdout, missing_docs)]

mod client;
mod gateway_exits;
mod ledger;
mod relay;
mod worker;

use nightdrop_tests::system::{RelayProcess, User};
use rand::{SeedableRng, rngs::StdRng};
use std::path::Path;

const PASSWORD: &str = "plum orbit velvet cactus tide";

/// The source of random moments.
fn moments() -> StdRng {
    let given = std::env::var("NIGHTDROP_TEST_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = given.unwrap_or_else(rand::random::<u64>);
    println!("seed {seed}");
    StdRng::seed_from_u64(seed)
}

fn registered(relay: &RelayProcess, directory: &Path) -> User {
    let user = User::new(directory, PASSWORD).unwrap();
    let invite = relay.invite().unwrap();
    user.run_json(&["register", relay.address(), "--invite", &invite]).unwrap();
    user
}
