//! Whether an onion service and a client could work in the network: asked of the nodes, by plain HTTP.
//!
//! The evidence, from every node that a client may bootstrap from, since any one of them may be asked first:
//! it has a microdescriptor consensus which lists all nodes as guards and as directories of onion services and which
//! carries both shared random values, and it has every microdescriptor that the consensus names.

use std::io::{Read, Write};
use std::net::{SocketAddrV4, TcpStream};
use std::time::Duration;

use super::node::KeyedNode;

/// What an onion service and its clients need of every node.
const FLAGS: [&str; 7] = ["Fast", "Guard", "HSDir", "Running", "Stable", "V2Dir", "Valid"];
const CONSENSUS: &str = "/tor/status-vote/current/consensus-microdesc";
/// Loopback, a handful of nodes: more than this is not an answer.
const MAX_ANSWER: u64 = 4 << 20;
const HTTP_LIMIT: Duration = Duration::from_secs(5);

/// Why the network is not ready.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Lack {
    /// What comes with time.
    #[error("{0}")]
    Yet(String),
    /// The authorities have agreed on a consensus that lacks something, and vote again only when the network is long in use.
    #[error("{0}")]
    Voted(String),
}

/// `Ok` if this node has all that a client needs.
pub(crate) fn check(node: &KeyedNode, network: &[KeyedNode]) -> Result<(), Lack> {
    let name = &node.node.name;
    let digests = check_vote(node, network)?;
    let path = format!("/tor/micro/d/{}", digests.join("-"));
    let micro = get(node.node.dir_address, &path)
        .map_err(|error| Lack::Yet(format!("{name} gives no microdescriptors: {error}")))?;
    let found = micro.lines().filter(|line| line.starts_with("ntor-onion-key ")).count();
    if found < network.len() {
        return Err(Lack::Yet(format!("{name} has {found} of {} microdescriptors", network.len())));
    }
    Ok(())
}

/// The microdescriptor digests of all nodes, by the consensus that this node has.
pub(crate) fn check_vote(node: &KeyedNode, network: &[KeyedNode]) -> Result<Vec<String>, Lack> {
    let name = &node.node.name;
    let consensus = get(node.node.dir_address, CONSENSUS)
        .map_err(|error| Lack::Yet(format!("{name} gives no consensus: {error}")))?;
    read_consensus(&consensus, network).map_err(|lack| Lack::Voted(format!("the consensus of {name} {lack}")))
}

/// The microdescriptor digests of all nodes, or what the consensus does not say about them.
fn read_consensus(text: &str, network: &[KeyedNode]) -> Result<Vec<String>, String> {
    for value in ["shared-rand-previous-value ", "shared-rand-current-value "] {
        if !text.lines().any(|line| line.starts_with(value)) {
            return Err(format!("has no {}", value.trim_end()));
        }
    }
    let mut digests = Vec::new();
    for keyed in network {
        let name = &keyed.node.name;
        let entry = text
            .split("\nr ")
            .skip(1)
            .find(|entry| entry.split(' ').next() == Some(name))
            .ok_or_else(|| format!("does not list {name}"))?;
        let line = |key| entry.lines().find_map(|line| line.strip_prefix(key)).unwrap_or_default();
        let flags: Vec<_> = line("s ").split(' ').collect();
        if let Some(flag) = FLAGS.into_iter().find(|flag| !flags.contains(flag)) {
            return Err(format!("lists {name} without {flag}"));
        }
        digests.push(line("m ").to_owned());
    }
    Ok(digests)
}

/// The body of an HTTP answer with status 200.
fn get(address: SocketAddrV4, path: &str) -> Result<String, String> {
    let answer = exchange(address, path).map_err(|error| error.to_string())?;
    let (head, body) = answer.split_once("\r\n\r\n").ok_or("not HTTP")?;
    let status = head.lines().next().unwrap_or_default();
    match status.split(' ').nth(1) {
        Some("200") => Ok(body.to_owned()),
        _ => Err(status.to_owned()),
    }
}

fn exchange(address: SocketAddrV4, path: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&address.into(), HTTP_LIMIT)?;
    stream.set_read_timeout(Some(HTTP_LIMIT))?;
    stream.set_write_timeout(Some(HTTP_LIMIT))?;
    write!(stream, "GET {path} HTTP/1.0\r\n\r\n")?;
    let mut answer = String::new();
    stream.take(MAX_ANSWER).read_to_string(&mut answer)?;
    Ok(answer)
}
