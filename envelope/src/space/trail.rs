//! Where a log went through on its way to where it stands.
//!
//! Two commands of one device can be shown two histories at once. Neither is wrong by itself; that they differ is seen only when
//! what one of them saw is looked for on the other one's way.

use super::ChainError;
use nightdrop_wire::messages::log::LogHead;

/// The hashes of all heads from one on: 32 bytes for each entry.
#[derive(Debug, Clone)]
pub(super) struct Trail {
    /// Entries before the first of them.
    from: u64,
    hashes: Vec<[u8; 32]>,
}

impl Trail {
    /// Nothing yet; heads of fewer entries than `from` are not kept.
    pub(super) const fn beginning_with(from: u64) -> Self {
        Self { from, hashes: Vec::new() }
    }

    /// The log stands here, one entry further than before.
    pub(super) fn reach(&mut self, head: &LogHead) {
        if head.count >= self.from {
            self.hashes.push(head.hash);
        }
    }

    /// Whether the log is as far as `seen`, whatever way it went.
    ///
    /// # Errors
    /// [`ChainError::Rollback`] if it went another way. What lies before the first head is taken on trust.
    pub(super) fn require(&self, seen: &LogHead, now: &LogHead) -> Result<bool, ChainError> {
        let Some(place) = seen.count.checked_sub(self.from) else { return Ok(true) };
        let known = usize::try_from(place).ok().and_then(|place| self.hashes.get(place));
        match known {
            None => Ok(false),
            Some(hash) if *hash == seen.hash => Ok(true),
            Some(_) => Err(ChainError::Rollback { seen: seen.count, given: now.count }),
        }
    }
}
