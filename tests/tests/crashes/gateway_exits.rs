//! R16: the gateway ends by itself, as when Arti calls `process::exit` on a consensus that makes it obsolete.
//!
//! What is simulated: no such consensus is made, because it takes the signatures of authorities whose protocol lists are fixed
//! in the `tor` program. Instead the gateway is brought to end itself in two other ways: in the midst of its work, by the signal
//! on which it leaves (exit code 0, the supervisor not asked); and for a reason of Arti's own, a damaged identity key, on which
//! Arti refuses to start (exit code 1). To the supervisor, an exit with any code is what `process::exit` looks like.

use super::registered;
use nightdrop_tests::system::{RelayProcess, make_sample};
use std::{
    fs,
    path::Path,
    process::{Child, Stdio},
    time::Duration,
};

const LIMIT: Duration = Duration::from_secs(180);

fn identity(data: &Path) -> std::path::PathBuf {
    data.join("tor/private/state/keystore/hss/nightdrop/ks_hs_id.ed25519_expanded_private")
}

/// A process that does not outlive the test.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        // It has ended already, unless the test failed.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn r16_a_gateway_that_ends_by_itself_is_started_again_and_the_data_is_intact() {
    let directory = tempfile::tempdir().unwrap();
    let mut relay = RelayProcess::start(&directory.path().join("relay")).unwrap();
    let address = relay.address().to_owned();
    let anna = registered(&relay, &directory.path().join("anna"));
    make_sample(&anna.directory().join("first"), 2_500_000).unwrap();
    make_sample(&anna.directory().join("second"), 12_000_000).unwrap();
    anna.run_json(&["put", "first"]).unwrap();

    // In the midst of an upload.
    let (worker, gateway) = (relay.child("worker").unwrap(), relay.child("gateway").unwrap());
    let mut put = anna.command(&["put", "second"]).unwrap();
    let mut put = Ended(put.stdout(Stdio::null()).spawn().unwrap());
    relay.ask_gateway_to_leave().unwrap();
    relay.wait_for_event("restarting", LIMIT).unwrap();
    assert_eq!(relay.wait_for_event("reachable", LIMIT).unwrap(), address);
    assert_ne!(relay.child("gateway").unwrap(), gateway);
    assert_eq!(relay.child("worker").unwrap(), worker, "the worker had nothing to do with it");
    let stored = put.0.wait().unwrap().success();

    // For a reason of Arti's own, until that is mended. It must not make itself a new identity meanwhile.
    let key = fs::read(identity(relay.data())).unwrap();
    fs::write(identity(relay.data()), "no key").unwrap();
    relay.ask_gateway_to_leave().unwrap();
    relay.wait_for_event("failed", LIMIT).unwrap();
    fs::write(identity(relay.data()), &key).unwrap();
    assert_eq!(relay.wait_for_event("reachable", LIMIT).unwrap(), address);
    assert_eq!(relay.child("worker").unwrap(), worker, "the worker had nothing to do with it");

    println!("the upload under way {}", if stored { "went through" } else { "was given up" });
    let names: &[&str] = if stored { &["first", "second"] } else { &["first"] };
    for name in names {
        anna.run_json(&["get", name, "-o", "back"]).unwrap();
        let content = fs::read(anna.directory().join(name)).unwrap();
        assert!(fs::read(anna.directory().join("back")).unwrap() == content, "{name} is as it was stored");
        fs::remove_file(anna.directory().join("back")).unwrap();
    }
    if !stored {
        anna.run_json(&["put", "second"]).unwrap();
    }
    assert!(relay.stop().unwrap().success());
}
