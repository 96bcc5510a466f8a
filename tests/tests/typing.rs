//! What is typed wrong is told before anything is sent: the built client, and a network of which every address is a listener of the
//! test's.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, missing_docs)]

use nightdrop_envelope::account_code::AccountCode;
use nightdrop_tests::system::program;
use std::{
    fs,
    net::TcpListener,
    path::Path,
    process::{Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

const PATIENCE: Duration = Duration::from_secs(120);
const RELAY: &str = "2gzyxa5ihm7nsggfxnu52rck2vv4rvmdlkiu3zzui5du4xyclen53wid";

/// A network file whose every address is the listener's.
fn network(listener: &TcpListener) -> String {
    let address = listener.local_addr().unwrap();
    format!(
        "[tor_network]\n\
         fallback_caches = [{{ rsa_identity = \"0BAC39417268B96B9F514EF763FA6FBA1A788956\", \
         ed_identity = \"dGhpcyBpcyBpbmNyZWRpYmx5IHNpbGx5ISEhISEhISA\", orports = [\"{address}\"] }}]\n\
         [tor_network.authorities]\n\
         v3idents = [\"27102BC123E7AF1D4741AE047E160C91ADC76B22\"]\n\
         uploads = [[\"{address}\"]]\ndownloads = [[\"{address}\"]]\nvotes = [[\"{address}\"]]\n\
         [address_filter]\nallow_local_addrs = true\n"
    )
}

fn login(directory: &Path, code: &str) -> Command {
    let mut command = Command::new(program("nightdrop").unwrap());
    for (option, name) in [("--home", "home"), ("--network", "network.toml"), ("--password-file", "password")]
    {
        command.arg(option).arg(directory.join(name));
    }
    command.args(["login", code]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    command
}

/// How many connections were waiting.
fn connections(listener: &TcpListener) -> usize {
    std::iter::from_fn(|| listener.accept().ok()).count()
}

/// The code with one mistake, of every kind, all along it.
fn mistyped(code: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    for position in (0..code.len()).step_by(9) {
        let mut other = code.to_owned();
        let symbol = if &code[position..=position] == "7" { "8" } else { "7" };
        other.replace_range(position..=position, symbol);
        wrong.push(other);
        let mut missing = code.to_owned();
        missing.remove(position);
        wrong.push(missing);
        let (first, second) = (code.as_bytes()[position], code.as_bytes()[position + 1]);
        if first != second {
            let mut swapped = code.as_bytes().to_vec();
            swapped.swap(position, position + 1);
            wrong.push(String::from_utf8(swapped).unwrap());
        }
    }
    wrong
}

#[test]
fn an_account_code_with_one_mistake_is_told_before_anything_is_sent() {
    let directory = tempfile::tempdir().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    fs::write(directory.path().join("network.toml"), network(&listener)).unwrap();
    fs::write(directory.path().join("password"), "plum orbit velvet cactus tide\n").unwrap();
    let code = AccountCode::generate(RELAY.parse().unwrap(), &mut rand::rng()).secret_text();

    // With the right code the client sets out, so a connection would be seen.
    let mut right = login(directory.path(), &code).stderr(Stdio::null()).spawn().unwrap();
    let until = Instant::now() + PATIENCE;
    while connections(&listener) == 0 {
        assert!(right.try_wait().unwrap().is_none(), "it ended without a connection");
        assert!(Instant::now() < until, "it never connected");
        sleep(Duration::from_millis(20));
    }
    right.kill().unwrap();
    right.wait().unwrap();
    connections(&listener);

    let wrong = mistyped(&code);
    assert!(wrong.len() > 30, "{}", wrong.len());
    for wrong in wrong {
        let output = login(directory.path(), &wrong).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{wrong}: {said}");
        assert!(said.contains("not an account code") && said.contains("Nothing was sent"), "{wrong}: {said}");
        assert_eq!(connections(&listener), 0, "{wrong}");
    }
}
