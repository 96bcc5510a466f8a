//! Everything that Tor is started with.

use crate::Network;
use std::{path::PathBuf, time::Duration};

/// What a [`crate::Tor`] is started with.
#[derive(Debug, Clone)]
pub struct TorSettings {
    /// Where Arti keeps its state and cache. Made with mode 0700; client and relay never share one.
    pub directory: PathBuf,
    /// Which network.
    pub network: Network,
    /// What it is used for.
    pub role: Role,
    /// Limits and time-outs.
    pub limits: TorLimits,
}

/// What Tor is used for; decides how hard the path is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Connects to relays. Its circuits last minutes, for which Tor's default protection is meant.
    Client,
    /// Serves an onion address for months: full vanguards, because Arti's `auto` means the light ones even here.
    Relay,
}

/// Every limit and time-out of this crate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TorLimits {
    /// Bootstrapping fails when it made no progress for this long; `None` lets it try for ever. Measured from the
    /// last progress, because a slow line may need an hour and still get there. Default: 3 minutes.
    pub bootstrap_stall: Option<Duration>,
    /// Reaching a relay, from descriptor to stream, takes at most this long. Default: 2 minutes.
    pub connect: Duration,
    /// On a circuit that stands, the answer to a new stream takes at most this long. Default: 30 seconds.
    pub stream: Duration,
    /// A descriptor directory that had no descriptor is asked again after this long. Arti's quarter of an hour would
    /// keep a user waiting whose relay has just started. Default: 1 minute.
    pub descriptor_requery: Duration,
    /// Streams that one client circuit may hold open at once; beyond it the circuit is closed. Default: 64.
    pub streams_per_circuit: u32,
    /// Client circuits that are served at once; further ones wait. Default: 4096.
    pub service_circuits: usize,
    /// From a client's introduction to a circuit that stands, at most this long: a client chooses the node where it
    /// wants to be met, and that may be one that never answers. Default: 1 minute.
    pub rendezvous: Duration,
    /// A client's circuit on which no stream was open for this long is closed. Default: 2 minutes.
    pub circuit_unused: Duration,
}

impl Default for TorLimits {
    fn default() -> Self {
        Self {
            bootstrap_stall: Some(Duration::from_secs(3 * 60)),
            connect: Duration::from_secs(2 * 60),
            stream: Duration::from_secs(30),
            descriptor_requery: Duration::from_secs(60),
            streams_per_circuit: 64,
            service_circuits: 4096,
            rendezvous: Duration::from_secs(60),
            circuit_unused: Duration::from_secs(2 * 60),
        }
    }
}
