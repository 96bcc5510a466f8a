//! Every limit and time-out of supervisor and gateway, with its default.

use nightdrop_onion_config::TorLimits;
use std::time::Duration;

/// Limits and time-outs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelayLimits {
    /// Those of Tor. A relay never gives up bootstrapping, because nobody waits in front of it.
    pub tor: TorLimits,
    /// Streams that are served at once, over all circuits. Each takes two copy buffers. Fewer than the worker takes
    /// connections, which go a moment later than a stream that gave its place away. Default: 1024.
    pub streams: usize,
    /// When no place is left, a circuit that holds more streams than this gives one away to a circuit that holds
    /// fewer; to one that holds none, a circuit that holds two or more does. Default: 4, twice what a client of ours
    /// opens by one circuit.
    pub streams_undisturbed: usize,
    /// When no place is left, a stream on which nothing moved for this long gives its place away. Default: 20 seconds.
    pub stream_quiet: Duration,
    /// The first byte of a stream comes within this time, or the stream is closed. Default: 30 seconds.
    pub first_byte: Duration,
    /// A stream on which nothing moved for this long is closed. Generous, because a client that waits for mail or
    /// sits on a line that breaks every few minutes is no fault. Default: 15 minutes.
    pub stream_idle: Duration,
    /// Bytes of one copy buffer. Default: 64 KiB.
    pub copy_buffer: usize,
    /// How long the last bytes to a client may take once the worker has said everything. Default: 1 minute.
    pub stream_drain: Duration,
    /// When the gateway asks whether the relay can be reached.
    pub probes: ProbeLimits,
    /// When a child process that died is started again.
    pub restart: RestartLimits,
    /// What the gateway gets to end by itself. Default: 3 seconds.
    pub gateway_stop: Duration,
    /// What the worker gets to end by itself. Default: 6 seconds; with the gateway's share it stays below the 10
    /// seconds after which service managers kill.
    pub worker_stop: Duration,
    /// How long an admin command waits for the worker's answer. Default: 30 seconds.
    pub admin_answer: Duration,
    /// How long whoever opens the store or Tor's state waits for a killed predecessor to let go of it. Default: 15 seconds.
    pub takeover: Duration,
    /// What becomes of output that nobody reads.
    pub output: OutputLimits,
}

/// What the supervisor does with lines that nobody reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutputLimits {
    /// So many wait; the oldest make room for further ones. Default: 64.
    pub lines: usize,
    /// At the end, what waits is written for at most this long. Default: 1 second.
    pub flush: Duration,
}

/// When the gateway connects to its own address to see whether clients can reach it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProbeLimits {
    /// Pause after a first failure; it doubles with each further one. Default: 1 second.
    pub first_retry: Duration,
    /// The pause grows no longer than this. Default: 30 seconds.
    pub longest_retry: Duration,
    /// Pause after a success: addresses have been seen to die after days. Default: 10 minutes.
    pub interval: Duration,
    /// So many failures in a row make a reachable relay an unreachable one. Default: 3.
    pub failures: u32,
}

/// When a child process that died is started again, and when no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RestartLimits {
    /// Pause before the first restart; it doubles with each further death. Default: 0.1 seconds.
    pub first_delay: Duration,
    /// The pause grows no longer than this. Default: 5 seconds.
    pub longest_delay: Duration,
    /// Deaths count for this long. Default: 1 minute.
    pub window: Duration,
    /// So many deaths within the window end the program. Default: 5.
    pub deaths: usize,
}

impl Default for RelayLimits {
    fn default() -> Self {
        Self {
            tor: TorLimits { bootstrap_stall: None, ..TorLimits::default() },
            streams: 1024,
            streams_undisturbed: 4,
            stream_quiet: Duration::from_secs(20),
            first_byte: Duration::from_secs(30),
            stream_idle: Duration::from_secs(15 * 60),
            copy_buffer: 64 * 1024,
            stream_drain: Duration::from_secs(60),
            probes: ProbeLimits::default(),
            restart: RestartLimits::default(),
            gateway_stop: Duration::from_secs(3),
            worker_stop: Duration::from_secs(6),
            admin_answer: Duration::from_secs(30),
            takeover: Duration::from_secs(15),
            output: OutputLimits::default(),
        }
    }
}

impl Default for OutputLimits {
    fn default() -> Self {
        Self { lines: 64, flush: Duration::from_secs(1) }
    }
}

impl Default for ProbeLimits {
    fn default() -> Self {
        Self {
            first_retry: Duration::from_secs(1),
            longest_retry: Duration::from_secs(30),
            interval: Duration::from_secs(10 * 60),
            failures: 3,
        }
    }
}

impl Default for RestartLimits {
    fn default() -> Self {
        Self {
            first_delay: Duration::from_millis(100),
            longest_delay: Duration::from_secs(5),
            window: Duration::from_secs(60),
            deaths: 5,
        }
    }
}
