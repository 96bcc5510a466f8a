//! Every limit of the store in one structure.

use std::time::Duration;

/// Limits of the store. The defaults are those of a running relay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoreLimits {
    /// Bytes of redb's page cache. More is slower here: pages are read once.
    pub cache_bytes: usize,
    /// Operations that wait for the writer at most; whoever comes later waits for a place.
    pub queue_operations: usize,
    /// Operations of one commit at most.
    pub batch_operations: usize,
    /// Bytes of one commit at most (one operation may exceed it alone).
    pub batch_bytes: usize,
    /// Sessions of one account; one more ends the oldest.
    pub sessions_per_account: usize,
    /// Bytes of stored room for which one account draws credits in a period.
    pub quota_bytes: u64,
    /// Entries of one log.
    pub log_entries: u32,
    /// Bytes of the entries of one log, as they are stored; the pages for them take up to about twice as many.
    pub log_bytes: u64,
    /// Tickets of one blob at a time.
    pub tickets_per_blob: usize,
    /// Claims that the tickets of one blob give at a time. Tickets and claims are paid with their blob, whatever it costs: together they may take more room than
    /// the smallest blobs are paid for.
    pub claims_per_blob: u32,
    /// Bytes that the store holds at most, as `volume` counts them; logs and claims may go on for a sixteenth beyond (or beyond what it held
    /// when it was opened), sessions and longer leases always.
    pub max_bytes: u64,
    /// Free bytes of the disk that are left to others, and to what makes room.
    pub reserve_bytes: u64,
    /// Chunks of what ended that one commit removes; so long the writes of others may wait for it.
    pub removal_chunks: usize,
    /// How long the removal waits after a step that did not succeed; twice as long after each further one …
    pub removal_pause: Duration,
    /// … up to this.
    pub longest_removal_pause: Duration,
    /// Days for which a blob lasts at most, counted from the first day of the week in which it was made, however its lease stands.
    pub max_age_days: u32,
    /// Days after which a blob that is not finished ends.
    pub unfinished_days: u32,
    /// Days for which an invitation is known beyond its last, so that a lost answer can be had again.
    pub invitation_memory_days: u32,
    /// Expired rows that one commit clears, and rows that one look for them reads.
    pub sweep_rows: usize,
    /// How often is looked whether a day has begun that needs a sweep.
    pub sweep_pause: Duration,
    /// What slows down whoever guesses passwords.
    pub guesses: GuessLimits,
}

/// How long an account has to wait after logins that were begun and not finished.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GuessLimits {
    /// Failures in a row that cost nothing. The next login waits a minute, each further one twice as long.
    pub free: u32,
    /// The longest wait, in minutes.
    pub longest_minutes: u64,
    /// After so many minutes without a failure, those before are forgotten.
    pub forget_minutes: u64,
}

impl Default for GuessLimits {
    fn default() -> Self {
        Self { free: 5, longest_minutes: 15, forget_minutes: 24 * 60 }
    }
}

impl GuessLimits {
    /// Minutes from the last of so many failures to the next login.
    pub(crate) fn delay_minutes(&self, failures: u32) -> u64 {
        let Some(doublings) = failures.checked_sub(self.free) else { return 0 };
        1_u64.checked_shl(doublings).unwrap_or(u64::MAX).min(self.longest_minutes)
    }
}

impl Default for StoreLimits {
    fn default() -> Self {
        Self {
            cache_bytes: 16 << 20,
            queue_operations: 64,
            batch_operations: 64,
            batch_bytes: 16 << 20,
            sessions_per_account: 32,
            quota_bytes: 32 << 30,
            log_entries: 262_144,
            log_bytes: 256 << 20,
            tickets_per_blob: 1_024,
            claims_per_blob: 4_096,
            max_bytes: u64::MAX,
            reserve_bytes: 128 << 20,
            removal_chunks: 16,
            removal_pause: Duration::from_millis(100),
            longest_removal_pause: Duration::from_secs(30),
            max_age_days: u32::MAX,
            unfinished_days: 14,
            invitation_memory_days: 30,
            sweep_rows: 512,
            sweep_pause: Duration::from_secs(10 * 60),
            guesses: GuessLimits::default(),
        }
    }
}
