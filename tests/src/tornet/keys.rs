//! The nodes' keys, made by `tor-gencert` (an authority's vote identity) and by each `tor` itself, all side by side.
//!
//! They are as short-lived as the network, and nothing outside it accepts them; so the passphrase under which
//! `tor-gencert` insists to store an identity is a constant.

use std::fs;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::time::Duration;

use super::error::{Error, Result};
use super::interrupt::Interrupt;
use super::node::{KeyedNode, Node, Role};
use super::process::{Step, bound_to_us, run_all};
use super::programs::TorPrograms;

const PASSPHRASE: &str = "nothing here is secret\n";
/// RSA keys of 3,072 bits have no upper bound for their making; ten times the slowest one seen.
const LIMIT: Duration = Duration::from_secs(60);

/// Makes the directories and all keys of the nodes.
pub(crate) fn make(
    programs: &TorPrograms,
    nodes: Vec<Node>,
    interrupt: &Interrupt,
) -> Result<Vec<KeyedNode>> {
    let mut steps = Vec::new();
    for node in &nodes {
        let keys = node.data_dir().join("keys");
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&keys)
            .map_err(Error::io("create", &keys))?;
        if node.role == Role::Authority {
            steps.push(vote_identity(programs, node, &keys));
        }
    }
    // The long ones first: with few processors the short ones then fill the gaps.
    steps.extend(nodes.iter().map(|node| identities(programs, node)));
    run_all(steps, LIMIT, interrupt)?;
    nodes.into_iter().map(read).collect()
}

fn vote_identity(programs: &TorPrograms, node: &Node, keys: &Path) -> Step {
    let mut command = bound_to_us(&programs.setpriv, &programs.gencert);
    command.args([
        "--create-identity-key",
        "--passphrase-fd",
        "0",
        "-m",
        "12",
        "-a",
        &node.dir_address.to_string(),
    ]);
    command.arg("-i").arg(keys.join("authority_identity_key"));
    command.arg("-s").arg(keys.join("authority_signing_key"));
    command.arg("-c").arg(keys.join("authority_certificate"));
    Step { name: format!("making the vote identity of {}", node.name), command, input: PASSPHRASE }
}

fn identities(programs: &TorPrograms, node: &Node) -> Step {
    let mut command = bound_to_us(&programs.setpriv, &programs.tor);
    let no_file = node.dir.join("none");
    // Neither this machine's own torrc nor its defaults may take part.
    command.arg("--ignore-missing-torrc").arg("-f").arg(&no_file).arg("--defaults-torrc").arg(&no_file);
    command.arg("--DataDirectory").arg(node.data_dir());
    command.args(["--Nickname", &node.name]);
    command.args(["--ORPort", &node.or_address.to_string(), "--Address", &node.or_address.ip().to_string()]);
    command.args(["--SocksPort", "0", "--TestingTorNetwork", "1"]);
    // A testing network must name an authority; the keys do not depend on which one.
    let zeros = "0".repeat(40);
    command.args(["--DirAuthority", &format!("none orport=1 v3ident={zeros} 127.0.0.1:1 {zeros}")]);
    command.arg("--list-fingerprint");
    Step { name: format!("making the identities of {}", node.name), command, input: "" }
}

fn read(node: Node) -> Result<KeyedNode> {
    let data = node.data_dir();
    let rsa_identity = word_after(&data.join("fingerprint"), &node.name)?;
    let ed_identity = word_after(&data.join("fingerprint-ed25519"), &node.name)?;
    let v3ident = match node.role {
        Role::Authority => Some(word_after(&data.join("keys/authority_certificate"), "fingerprint")?),
        Role::Relay => None,
    };
    Ok(KeyedNode { node, rsa_identity, ed_identity, v3ident })
}

/// The second word of the line that starts with the word `key`.
fn word_after(file: &Path, key: &str) -> Result<String> {
    let text = fs::read_to_string(file).map_err(Error::io("read", file))?;
    text.lines()
        .filter_map(|line| line.split_once(' '))
        .find(|(first, _)| *first == key)
        .map(|(_, value)| value.trim().to_owned())
        .ok_or_else(|| Error::Malformed { file: file.to_owned(), what: "fingerprint" })
}
