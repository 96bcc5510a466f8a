//! Every limit of the store in one structure.

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
    /// Credits that one account draws in a day.
    pub credits_per_day: u32,
    /// Entries of one log.
    pub log_entries: u32,
}

impl Default for StoreLimits {
    fn default() -> Self {
        Self {
            cache_bytes: 16 << 20,
            queue_operations: 64,
            batch_operations: 64,
            batch_bytes: 16 << 20,
            sessions_per_account: 32,
            credits_per_day: 1_000,
            log_entries: 1_000_000,
        }
    }
}
