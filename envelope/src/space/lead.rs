//! The way that led to where a log was begun to be read: at a copy, or at a checkpoint.
//!
//! What was seen elsewhere may lie before that. Whether it lies on the way is shown by the entries between, of which only the hashes are looked at: what they say is known.

use super::{
    ChainError,
    replay::{VerifiedLog, next_head},
};
use nightdrop_wire::messages::log::LogHead;

/// From a head that was seen to the first one that a log knows of, as far as it was read.
#[derive(Debug)]
pub struct Lead {
    hashes: Vec<[u8; 32]>,
    head: LogHead,
    /// Entries before the first head that the log knows of.
    until: u64,
}

impl Lead {
    /// The number of the entry that comes next; `None` when all were taken.
    #[must_use]
    pub fn next(&self) -> Option<u64> {
        (self.head.count < self.until).then_some(self.head.count)
    }

    /// Takes it.
    pub fn advance(&mut self, sealed: &[u8]) {
        self.hashes.push(self.head.hash);
        self.head = next_head(&self.head, sealed);
    }
}

impl VerifiedLog {
    /// What is to be read before [`Self::has_passed`] can tell; `None` if nothing is.
    #[must_use]
    pub fn lead_from(&self, seen: &LogHead) -> Option<Lead> {
        let until = self.replay.trail.from();
        (seen.count < until).then(|| Lead { hashes: Vec::new(), head: *seen, until })
    }

    /// Knows from now on where it came from.
    ///
    /// # Errors
    /// [`ChainError::Rollback`] if the entries led elsewhere: the relay has shown two histories.
    pub fn take_lead(&mut self, lead: Lead) -> Result<(), ChainError> {
        let Lead { hashes, head, until: _ } = lead;
        let given = self.replay.head.count;
        let seen = head.count.saturating_sub(hashes.len() as u64);
        if self.replay.trail.begins_at(&head) {
            self.replay.trail.lead_with(hashes);
            Ok(())
        } else {
            Err(ChainError::Rollback { seen, given })
        }
    }
}
