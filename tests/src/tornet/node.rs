//! One `tor` of the network: its name, addresses, files and `torrc`.
//!
//! Every address is loopback, and each node has a /16 of its own (127.B.0.1), so that no path rule of any client
//! has to be relaxed. All settings that make a handful of `tor`s a network within seconds stand in this file.

use std::fmt::Write;
use std::fs;
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener};
use std::path::{Path, PathBuf};
use std::process;

use super::error::{Error, Result};

/// Three, the least that can hold a vote which survives one of them.
pub(crate) const AUTHORITIES: u8 = 3;
/// The most relays: so that blocks of addresses stay within 127.10–127.250.
pub const MAX_RELAYS: u8 = 60;

/// The time between votes once the network runs. 20 s make memory grow past 1 GB within a quarter of an hour.
pub(crate) const VOTING_INTERVAL_SECONDS: u32 = 300;
/// Seconds between the first votes, and what it is made where that was too short for all nodes to be heard: each divides half an
/// hour. The start waits for a boundary of it, and votes are cast four seconds before the next.
pub(crate) const FIRST_VOTING_INTERVALS: (u32, &[u32]) = (6, &[12, 24]);
/// Both a run of the shared random protocol and a time period of onion services: 24 voting intervals.
pub(crate) const PERIOD_SECONDS: u32 = 24 * VOTING_INTERVAL_SECONDS;

const FIRST_BLOCK: u8 = 10;
const LAST_BLOCK: u8 = 250;
/// Of each address of a network: nobody is ever answered there.
const HOLDING_PORT: u16 = 4000;

/// What a node does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// Votes on who is in the network; relays, too.
    Authority,
    /// Relays only.
    Relay,
}

/// Where a node is and where it keeps its files. Nothing of it exists on disk yet.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    /// Its nickname, and the name of its directory.
    pub(crate) name: String,
    /// What it does.
    pub(crate) role: Role,
    /// Where others reach it.
    pub(crate) or_address: SocketAddrV4,
    /// Where it listens, if something stands between the two: the far end of a slow line.
    pub(crate) behind: Option<SocketAddrV4>,
    /// Where it serves directory documents by plain HTTP.
    pub(crate) dir_address: SocketAddrV4,
    /// Holds all of its files.
    pub(crate) dir: PathBuf,
}

/// A node whose keys have been made.
#[derive(Debug, Clone)]
pub(crate) struct KeyedNode {
    /// The node.
    pub(crate) node: Node,
    /// The fingerprint of its RSA identity: 40 hexadecimal digits.
    pub(crate) rsa_identity: String,
    /// Its Ed25519 identity: base64 without padding.
    pub(crate) ed_identity: String,
    /// An authority's vote identity: 40 hexadecimal digits.
    pub(crate) v3ident: Option<String>,
}

/// Holds the addresses of a network for it, also while none of its nodes listens: networks that start side by side would choose
/// the same ones.
#[derive(Debug)]
pub(crate) struct HeldAddresses(#[expect(dead_code, reason = "held, not used")] Vec<TcpListener>);

/// Names the nodes and gives them addresses on which nobody listens yet: the authorities first.
pub(crate) fn plan(dir: &Path, relays: u8, slow: bool) -> Result<(Vec<Node>, HeldAddresses)> {
    let count = AUTHORITIES.saturating_add(relays.min(MAX_RELAYS));
    let mut block = FIRST_BLOCK;
    while block <= LAST_BLOCK - count {
        let nodes: Vec<_> = (0..count).map(|index| Node::new(dir, index, block + index, slow)).collect();
        let held: Option<Vec<_>> = nodes.iter().map(Node::hold).collect();
        if let Some(held) = held
            && nodes.iter().all(Node::is_free)
        {
            return Ok((nodes, HeldAddresses(held)));
        }
        block += count;
    }
    Err(Error::NoAddresses)
}

impl Node {
    fn new(dir: &Path, index: u8, block: u8, slow: bool) -> Self {
        let (role, name) = match index.checked_sub(AUTHORITIES) {
            None => (Role::Authority, format!("auth{index}")),
            Some(relay) => (Role::Relay, format!("relay{relay}")),
        };
        let at = |port: u16| SocketAddrV4::new(Ipv4Addr::new(127, block, 0, 1), port + u16::from(index));
        Self {
            dir: dir.join(&name),
            name,
            role,
            or_address: at(5000),
            behind: slow.then(|| at(15000)),
            dir_address: at(7000),
        }
    }

    /// A listener that whoever plans a network with this node's addresses needs; `None` if another has it.
    fn hold(&self) -> Option<TcpListener> {
        TcpListener::bind((*self.or_address.ip(), HOLDING_PORT)).ok()
    }

    fn is_free(&self) -> bool {
        [Some(self.or_address), self.behind, Some(self.dir_address)]
            .into_iter()
            .flatten()
            .all(|address| TcpListener::bind(address).is_ok())
    }

    /// Where `tor` keeps its state.
    pub(crate) fn data_dir(&self) -> PathBuf {
        self.dir.join("data")
    }

    /// Everything that it prints.
    pub(crate) fn log(&self) -> PathBuf {
        self.dir.join("tor.log")
    }

    /// Holds its process id while it runs.
    pub(crate) fn pid_file(&self) -> PathBuf {
        self.dir.join("pid")
    }

    /// If there is such a file, the node is killed on purpose, and is to be started again with its keys.
    pub(crate) fn revive(&self) -> PathBuf {
        self.dir.join("revive")
    }

    /// Makes it one that has never run, with the same keys. It must not run.
    pub(crate) fn forget_all_but_keys(&self) -> Result<()> {
        let data_dir = self.data_dir();
        let entries = fs::read_dir(&data_dir).and_then(Iterator::collect::<std::io::Result<Vec<_>>>);
        for entry in entries.map_err(Error::io("read", &data_dir))? {
            let path = entry.path();
            let removed = match entry.file_type() {
                _ if entry.file_name() == "keys" => Ok(()),
                Ok(kind) if kind.is_dir() => fs::remove_dir_all(&path),
                _ => fs::remove_file(&path),
            };
            removed.map_err(Error::io("remove", &path))?;
        }
        Ok(())
    }

    /// Its configuration.
    pub(crate) fn torrc(&self) -> PathBuf {
        self.dir.join("torrc")
    }
}

impl KeyedNode {
    /// The text of its `torrc` in a network of these nodes, with so many seconds between the first votes.
    pub(crate) fn torrc_text(&self, network: &[Self], first_voting_interval: u32) -> Result<String> {
        let mut text = common(&self.node)?;
        for authority in network {
            if let Some(v3ident) = &authority.v3ident {
                let Node { name, or_address, dir_address, .. } = &authority.node;
                // Writing to a String cannot fail.
                let _ = writeln!(
                    text,
                    "DirAuthority {name} orport={} no-v2 v3ident={v3ident} {dir_address} {}",
                    or_address.port(),
                    authority.rsa_identity
                );
            }
        }
        if self.node.role == Role::Authority {
            text.push_str(&authority(first_voting_interval));
        }
        Ok(text)
    }
}

/// What every node has.
fn common(node: &Node) -> Result<String> {
    let data_dir = node.data_dir();
    let data_dir = quoted(&data_dir)?;
    let pid_file = node.pid_file();
    let pid_file = quoted(&pid_file)?;
    let Node { name, or_address, dir_address, .. } = node;
    let address = or_address.ip();
    let or_port = match node.behind {
        None => format!("ORPort {or_address} IPv4Only"),
        Some(behind) => {
            format!("ORPort {or_address} IPv4Only NoListen\nORPort {behind} IPv4Only NoAdvertise")
        }
    };
    let owner = process::id();
    Ok(format!(
        "Nickname {name}\n\
         ContactInfo tornet@localhost\n\
         DataDirectory {data_dir}\n\
         PidFile {pid_file}\n\
         Log notice stdout\n\
         SafeLogging 0\n\
         Address {address}\n\
         OutboundBindAddress {address}\n\
         {or_port}\n\
         DirPort {dir_address}\n\
         SocksPort 0\n\
         RunAsDaemon 0\n\
         # Ends by itself when tornet is gone.\n\
         __OwningControllerProcess {owner}\n\
         ShutdownWaitLength 0\n\
         NumCPUs 1\n\
         DisableOOSCheck 1\n\
         TestingTorNetwork 1\n\
         AssumeReachable 1\n\
         PathsNeededToBuildCircuits 0.25\n\
         EnforceDistinctSubnets 0\n\
         ClientUseIPv6 0\n\
         ExitRelay 0\n\
         ExitPolicy reject *:*\n\
         PublishServerDescriptor v3\n\
         # KIST asks the kernel about sockets on a timer: milliseconds per hop that loopback does not need.\n\
         Schedulers Vanilla\n"
    ))
}

/// What an authority has besides.
fn authority(first_voting_interval: u32) -> String {
    let hsdir_interval = PERIOD_SECONDS / 60;
    format!(
        "AuthoritativeDirectory 1\n\
         V3AuthoritativeDirectory 1\n\
         TestingV3AuthInitialVotingInterval {first_voting_interval}\n\
         TestingV3AuthInitialVoteDelay 2\n\
         TestingV3AuthInitialDistDelay 2\n\
         V3AuthVotingInterval {VOTING_INTERVAL_SECONDS}\n\
         V3AuthVoteDelay 2\n\
         V3AuthDistDelay 2\n\
         V3AuthNIntervalsValid 3\n\
         TestingDirAuthVoteExit *\n\
         TestingDirAuthVoteGuard *\n\
         TestingDirAuthVoteHSDir *\n\
         TestingMinExitFlagThreshold 0\n\
         TestingMinFastFlagThreshold 0\n\
         # All nodes are fast, also the one that had the least to do when the first consensus was made.\n\
         AuthDirFastGuarantee 1 byte\n\
         MinUptimeHidServDirectoryV2 0\n\
         AuthDirTestReachability 0\n\
         AuthDirHasIPv6Connectivity 0\n\
         # Without cbtdisabled a descriptor download can time out: a new network has no circuit times to learn from.\n\
         ConsensusParams hsdir_interval={hsdir_interval} cbtdisabled=1 guard-min-filtered-sample-size=3\n"
    )
}

/// A path as `tor` reads it from a `torrc`, spaces and all.
fn quoted(path: &Path) -> Result<String> {
    let text = path.to_str().ok_or_else(|| Error::PathNotText { path: path.to_owned() })?;
    Ok(format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"")))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{AUTHORITIES, Role, plan, quoted};

    #[test]
    fn two_networks_that_are_planned_before_either_runs_share_no_address() {
        let (first, _held) = plan(Path::new("/x"), 2, false).expect("free addresses");
        let (second, _held) = plan(Path::new("/y"), 3, false).expect("free addresses");
        let is_of_first =
            |node: &super::Node| first.iter().any(|other| other.or_address.ip() == node.or_address.ip());
        assert!(!second.iter().any(is_of_first), "{second:?}");
    }

    #[test]
    fn every_node_has_a_net_of_its_own_within_loopback() {
        let (nodes, _held) = plan(Path::new("/x"), 4, true).expect("free addresses");
        let nets: std::collections::BTreeSet<_> =
            nodes.iter().map(|node| node.or_address.ip().octets()[1]).collect();
        assert_eq!(nets.len(), nodes.len());
        assert!(
            nodes
                .iter()
                .all(|node| node.or_address.ip().is_loopback() && node.dir_address.ip().is_loopback())
        );
        assert_eq!(
            nodes.iter().filter(|node| node.role == Role::Authority).count(),
            usize::from(AUTHORITIES)
        );
        assert_eq!(nodes.len(), 7);
    }

    #[test]
    fn a_path_with_spaces_and_quotes_is_one_value() {
        assert_eq!(quoted(Path::new(r#"/a b/"c"\d"#)).expect("text"), r#""/a b/\"c\"\\d""#);
    }
}
