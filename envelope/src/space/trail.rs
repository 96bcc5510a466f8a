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

    fn hash_at(&self, count: u64) -> Option<&[u8; 32]> {
        let place = count.checked_sub(self.from)?;
        self.hashes.get(usize::try_from(place).ok()?)
    }

    /// Entries before its first head.
    pub(super) const fn from(&self) -> u64 {
        self.from
    }

    /// Whether that is this one.
    pub(super) fn begins_at(&self, head: &LogHead) -> bool {
        head.count == self.from && self.hashes.first() == Some(&head.hash)
    }

    /// These heads led to it.
    pub(super) fn lead_with(&mut self, mut hashes: Vec<[u8; 32]>) {
        self.from = self.from.saturating_sub(hashes.len() as u64);
        hashes.append(&mut self.hashes);
        self.hashes = hashes;
    }

    /// Whether the log went through `seen`: not if that lies ahead, or before the first head.
    ///
    /// # Errors
    /// [`ChainError::Rollback`] if it went another way.
    pub(super) fn require(&self, seen: &LogHead, now: &LogHead) -> Result<bool, ChainError> {
        match self.hash_at(seen.count) {
            None => Ok(false),
            Some(hash) if *hash == seen.hash => Ok(true),
            Some(_) => Err(ChainError::Rollback { seen: seen.count, given: now.count }),
        }
    }
}
