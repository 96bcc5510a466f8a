//! Every limit and time-out of the client.

use std::time::Duration;

/// Limits and time-outs. The defaults fit slow lines: a chunk of 1 MiB passes at 4 KiB/s.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientLimits {
    /// How long the first attempt to connect may take; each further one of the same request may take so much longer. A service that was started
    /// again in the midst of an introduction never answers it, and Tor waits for minutes. Default: 30 seconds.
    pub connect: Duration,
    /// From sending a request to the last byte of its answer. Default: 5 minutes.
    pub request: Duration,
    /// How often one request is tried in all, over new connections. Default: 8.
    pub attempts: u32,
    /// Wait before the second attempt; doubles with each further one. Default: 1 second.
    pub first_retry: Duration,
    /// The longest wait between two attempts. Default: 30 seconds.
    pub longest_retry: Duration,
    /// Lanes that a transfer begins with. Default: 2.
    pub lanes: usize,
    /// Lanes that it has at most. Default: 8.
    pub most_lanes: usize,
    /// Streams over each lane, so that none idles for a round trip. Default: 2.
    pub streams_per_lane: usize,
    /// Chunks on their way at once at most: memory of client and relay grows with them, and so does what a break undoes. Default: 16.
    pub chunks_at_once: usize,
}

impl Default for ClientLimits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(30),
            request: Duration::from_secs(5 * 60),
            attempts: 8,
            first_retry: Duration::from_secs(1),
            longest_retry: Duration::from_secs(30),
            lanes: 2,
            most_lanes: 8,
            streams_per_lane: 2,
            chunks_at_once: 16,
        }
    }
}

impl ClientLimits {
    /// For one of several transfers side by side, which have a lane each: so many bytes are on their way as in one that is alone.
    #[must_use]
    pub fn one_of_several(&self) -> Self {
        Self { lanes: 1, most_lanes: 1, ..self.clone() }
    }

    /// How long to wait after `failed` failures in a row.
    #[must_use]
    pub fn retry_after(&self, failed: u32) -> Duration {
        let factor = 1_u32.checked_shl(failed.saturating_sub(1)).unwrap_or(u32::MAX);
        self.first_retry.saturating_mul(factor).min(self.longest_retry)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest() {
        let limits = ClientLimits::default();
        let waits: Vec<u64> = (1..=7).map(|failed| limits.retry_after(failed).as_secs()).collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 30, 30]);
        assert_eq!(limits.retry_after(u32::MAX), limits.longest_retry);
    }
}
