//! A private Tor network on loopback, made from Debian's `tor`: three authorities and some relays.
//!
//! [`Builder`] → [`Prepared`] (keys on disk) → [`Network`] (running) → ready. Always so: every
//! address is within 127.0.0.0/8, each network has fresh keys, every process dies with the one that started it, and
//! `network.toml` exists only while the network was seen ready. All logs stay in the directory.
//!
//! ```text
//! DIR/network.toml   what clients and services are told, Arti's keys
//! DIR/lock           held by the tornet that lives here; marks the directory as one that it may clear
//! DIR/<node>/torrc, tor.log, data/, pid; and revive, if the node is to be started again when it is killed
//! ```

mod delay;
pub mod error;
pub mod interrupt;
mod keys;
pub mod namespace;
mod network_file;
mod node;
mod process;
mod programs;
mod ready;
mod shared_random;
pub mod supervise;

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

pub use error::{Error, Result};
pub use interrupt::Interrupt;
pub use node::MAX_RELAYS;

use delay::SlowLine;
use node::{FIRST_VOTING_INTERVALS, HeldAddresses, KeyedNode, Node, PERIOD_SECONDS, Role};
use process::{Daemon, bound_to_us, end_all};
use programs::TorPrograms;
use ready::Lack;

/// The relays that functional tests need beside the authorities.
pub const DEFAULT_RELAYS: u8 = 2;
/// After each start. Some ten times what it takes; a slow machine shall not fail, a hanging one shall.
const READY_LIMIT: Duration = Duration::from_secs(120);
const READY_INTERVAL: Duration = Duration::from_millis(100);
/// Milliseconds: twice what the first full consensus takes.
const CHANGE_MARGIN: u64 = 30_000;
/// How long the nodes may take to end by themselves.
const END_LIMIT: Duration = Duration::from_millis(1500);

/// An error if a program that every network needs is missing or too old.
pub fn check_programs() -> Result<()> {
    TorPrograms::find().map(drop)
}

/// What the network shall be.
#[derive(Debug)]
pub struct Builder {
    dir: PathBuf,
    relays: u8,
    delay: Option<Duration>,
}

impl Builder {
    /// A network in `dir`, which shall be new, empty, or left by an earlier network.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self { dir: dir.into(), relays: DEFAULT_RELAYS, delay: None }
    }

    /// With this many relays beside the three authorities; [`MAX_RELAYS`] at most.
    #[must_use]
    pub fn relays(mut self, relays: u8) -> Self {
        self.relays = relays;
        self
    }

    /// With this much time between any two nodes, and between a node and its clients, each way.
    #[must_use]
    pub fn delay(mut self, delay: Duration) -> Self {
        self.delay = Some(delay);
        self
    }

    /// Makes everything that the nodes need on disk.
    pub fn prepare(self, interrupt: &Interrupt) -> Result<Prepared> {
        let programs = TorPrograms::find()?;
        let (dir, lock) = claim(&self.dir)?;
        let (nodes, held) = node::plan(&dir, self.relays, self.delay.is_some())?;
        let nodes = keys::make(&programs, nodes, interrupt)?;
        Ok(Prepared { dir, _lock: lock, _held: held, programs, nodes, delay: self.delay })
    }
}

/// A network of which nothing runs yet.
#[derive(Debug)]
pub struct Prepared {
    dir: PathBuf,
    _lock: File,
    _held: HeldAddresses,
    programs: TorPrograms,
    nodes: Vec<KeyedNode>,
    delay: Option<Duration>,
}

impl Prepared {
    /// Starts all nodes.
    pub fn start(self, interrupt: &Interrupt) -> Result<Network> {
        let mut lines = Vec::new();
        for KeyedNode { node, .. } in &self.nodes {
            if let (Some(behind), Some(delay)) = (node.behind, self.delay) {
                lines.push(SlowLine::start(node.or_address, behind, delay)?);
            }
        }
        let (first_voting_interval, longer_intervals) = FIRST_VOTING_INTERVALS;
        let daemons = self.start_nodes(first_voting_interval, interrupt)?;
        Ok(Network {
            file: self.dir.join("network.toml"),
            prepared: self,
            daemons,
            longer_intervals: longer_intervals.iter(),
            _lines: lines,
        })
    }

    /// Starts all nodes at once, just after a boundary of the first voting interval (in seconds): started within one, they
    /// would miss its vote.
    fn start_nodes(&self, first_voting_interval: u32, interrupt: &Interrupt) -> Result<Vec<Daemon>> {
        for keyed in &self.nodes {
            let path = keyed.node.torrc();
            fs::write(&path, keyed.torrc_text(&self.nodes, first_voting_interval)?)
                .map_err(Error::io("write", &path))?;
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
        let wait = until_start(u64::try_from(now).unwrap_or_default(), first_voting_interval);
        interrupt.pause(Duration::from_millis(wait))?;
        // Now and not earlier: the state says until when it is valid.
        shared_random::write(&self.nodes, &self.programs.version)?;
        self.nodes.iter().map(|keyed| start_node(&self.programs, &keyed.node)).collect()
    }
}

fn start_node(programs: &TorPrograms, node: &Node) -> Result<Daemon> {
    let mut command = bound_to_us(&programs.setpriv, &programs.tor);
    command.arg("-f").arg(node.torrc()).arg("--defaults-torrc").arg(node.dir.join("none"));
    Daemon::start(&node.name, command, &node.log())
}

/// A running network; dropping it kills it.
#[derive(Debug)]
pub struct Network {
    daemons: Vec<Daemon>,
    _lines: Vec<SlowLine>,
    file: PathBuf,
    /// Seconds: how long a next first vote is waited for if this one came too early.
    longer_intervals: std::slice::Iter<'static, u32>,
    /// Dropped last: the directory and the addresses are its own until no node runs any more.
    prepared: Prepared,
}

impl Network {
    /// Waits until an onion service could be published and fetched, then writes [`Network::file`].
    ///
    /// Where the machine is slow, a node can miss the first vote, and the next one is minutes away: the nodes are started
    /// again then, with more time before the vote. `say` is told.
    pub fn wait_ready(&mut self, interrupt: &Interrupt, say: &dyn Fn(&str)) -> Result<()> {
        let mut started = Instant::now();
        loop {
            for daemon in &mut self.daemons {
                daemon.check_running()?;
            }
            let Err(lack) = self.check_ready() else { break };
            if let Lack::Voted(reason) = &lack
                && let Some(interval) = self.longer_intervals.next()
            {
                say(&format!("{reason}: the vote came too early, starting again with {interval} s for it"));
                self.start_again(*interval, interrupt)?;
                started = Instant::now();
            } else if READY_LIMIT < started.elapsed() {
                let reason = lack.to_string();
                return Err(Error::NotReady { waited: READY_LIMIT, reason, logs: self.logs() });
            }
            interrupt.pause(READY_INTERVAL)?;
        }
        network_file::write(&self.file, &self.prepared.nodes)
    }

    fn start_again(&mut self, first_voting_interval: u32, interrupt: &Interrupt) -> Result<()> {
        end_all(std::mem::take(&mut self.daemons), END_LIMIT);
        for keyed in &self.prepared.nodes {
            keyed.node.forget_all_but_keys()?;
        }
        self.daemons = self.prepared.start_nodes(first_voting_interval, interrupt)?;
        Ok(())
    }

    fn check_ready(&self) -> std::result::Result<(), Lack> {
        let nodes = &self.prepared.nodes;
        // First, because without its consensus nothing else will ever be there.
        let authorities = nodes.iter().filter(|keyed| keyed.node.role == Role::Authority);
        for authority in authorities {
            ready::check_vote(authority, nodes)?;
        }
        for (daemon, keyed) in self.daemons.iter().zip(nodes) {
            let log = daemon.read_log().map_err(|error| Lack::Yet(error.to_string()))?;
            if !log.contains("Bootstrapped 100%") {
                return Err(Lack::Yet(format!("{} has not bootstrapped", keyed.node.name)));
            }
        }
        nodes.iter().try_for_each(|keyed| ready::check(keyed, nodes))
    }

    /// The absolute path of `network.toml`.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// A pattern that names every node's log.
    pub fn logs(&self) -> PathBuf {
        self.prepared.dir.join("*/tor.log")
    }

    /// The nodes that have ended since the last call and stay so. Those that were killed to see what becomes of others
    /// (`DIR/<node>/revive` exists) are started again, with their keys.
    pub fn take_ended(&mut self) -> Vec<Error> {
        let mut ended = Vec::new();
        let Prepared { programs, nodes, .. } = &self.prepared;
        self.daemons.retain_mut(|daemon| {
            let Err(error) = daemon.check_running() else { return true };
            let node = nodes.iter().map(|keyed| &keyed.node).find(|node| node.name == daemon.name());
            match node.filter(|node| node.revive().exists()).map(|node| start_node(programs, node)) {
                Some(Ok(again)) => {
                    *daemon = again;
                    true
                }
                Some(Err(again)) => {
                    ended.push(again);
                    false
                }
                None => {
                    ended.push(error);
                    false
                }
            }
        });
        ended
    }

    /// The process ids of the nodes.
    pub fn pids(&self) -> Vec<u32> {
        self.daemons.iter().map(Daemon::pid).collect()
    }

    /// Ends it. The logs stay; `network.toml` goes, since there is no such network any more.
    pub fn end(self) {
        // It may have been removed already, or with the whole directory.
        let _ = fs::remove_file(&self.file);
        end_all(self.daemons, END_LIMIT);
    }
}

/// Takes possession of the directory and clears what an earlier network left in it.
fn claim(dir: &Path) -> Result<(PathBuf, File)> {
    fs::create_dir_all(dir).map_err(Error::io("create", dir))?;
    let dir = dir.canonicalize().map_err(Error::io("find", dir))?;
    let marker = dir.join("lock");
    let entries = fs::read_dir(&dir).and_then(Iterator::collect::<std::io::Result<Vec<_>>>);
    let entries = entries.map_err(Error::io("read", &dir))?;
    if !entries.is_empty() && !marker.exists() {
        return Err(Error::ForeignDirectory { dir });
    }
    let lock = File::create(&marker).map_err(Error::io("create", &marker))?;
    if lock.try_lock().is_err() {
        return Err(Error::DirectoryInUse { dir });
    }
    for entry in entries {
        let path = entry.path();
        let removed = if path.join("torrc").exists() || path.join("data").exists() {
            fs::remove_dir_all(&path)
        } else if entry.file_name() == "network.toml" {
            fs::remove_file(&path)
        } else {
            Ok(())
        };
        removed.map_err(Error::io("remove", &path))?;
    }
    Ok((dir, lock))
}

/// From `now` (milliseconds since 1970) to the next vote if one is taken every so many seconds, but not to one shortly before the
/// shared random values change: the network would begin with the change, and nobody has taken part in a run yet.
fn until_start(now: u64, voting_interval: u32) -> u64 {
    let interval = u64::from(voting_interval) * 1000;
    let run = u64::from(PERIOD_SECONDS) * 1000;
    let vote = (now / interval + 1) * interval;
    let change = vote.next_multiple_of(run);
    let start = if change - vote < CHANGE_MARGIN + interval { change } else { vote };
    start - now
}

#[cfg(test)]
mod tests {
    use super::until_start;

    #[test]
    fn the_start_is_the_next_vote_that_no_change_follows_soon() {
        assert_eq!(until_start(1, 6), 5_999);
        assert_eq!(until_start(1, 24), 23_999);
        assert_eq!(until_start(6_000, 6), 6_000);
        assert_eq!(until_start(7_200_000 - 46_000, 6), 4_000);
        assert_eq!(until_start(7_200_000 - 20_000, 6), 20_000);
        assert_eq!(until_start(7_200_000 - 50_000, 24), 50_000);
        assert_eq!(until_start(7_200_000 - 5_000, 6), 5_000);
        assert_eq!(until_start(7_200_000, 6), 6_000);
    }
}
