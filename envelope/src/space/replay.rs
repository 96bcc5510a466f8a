//! From the sealed entries that the relay gives to a state that can be believed.

use super::{
    HomeKeys, Operation, State, checkpoint,
    entry::{open_entry, seal_entry},
    keys::space_id,
    since_copy::SinceCopy,
    trail::Trail,
};
use crate::{OpenError, identity::Identity};
use nightdrop_wire::messages::log::LogHead;
use rand::CryptoRng;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// What is wrong with an entry. It stays in the chain, and has no effect unless it says so here. The order of the variants is the byte order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
pub enum Fault {
    /// Not sealed with the key of this space, or not an entry.
    #[error("does not open")]
    DoesNotOpen,
    /// Signed by somebody else.
    #[error("is not by the owner")]
    NotTheOwner,
    /// Not signed by whom it names.
    #[error("has a wrong signature")]
    BadSignature,
    /// Contradicts what the space holds.
    #[error("makes no sense")]
    WithoutSense,
    /// Was written upon another state than replaying gives, by a newer program or a faulty one. It has its effect.
    #[error("was written upon another state")]
    OtherState,
    /// A checkpoint of something else than replaying gives, by a newer program or a faulty one. It has its effect.
    #[error("is a checkpoint of another state")]
    OtherCheckpoint,
}

/// An entry that is not as an honest device writes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Which.
    pub sequence: u64,
    /// Why.
    pub fault: Fault,
}

/// What the relay gave is not the log that the owner's devices wrote.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ChainError {
    /// One of the owner's entries is not where it was written: entries were dropped, repeated or reordered.
    #[error("entry {0} is not where it was written")]
    Displaced(u64),
    /// The first entry does not make this space.
    #[error("the first entry does not make this space")]
    NoBeginning,
    /// The entries do not lead to the head that the relay claims.
    #[error("the entries do not lead to the head that the relay claims")]
    WrongHead,
    /// Older than, or different from, what this device saw before.
    #[error(
        "an older or different history than this device has seen: {seen} entries then, {given} entries now"
    )]
    Rollback {
        /// Entries that the device remembers.
        seen: u64,
        /// Entries that the relay gives.
        given: u64,
    },
}

/// A replay on its way. What it adds up to can be seen only when it is finished.
#[derive(Debug, Clone)]
pub struct Replay {
    pub(super) keys: HomeKeys,
    pub(super) head: LogHead,
    /// Where it stood before the entries that the relay gives.
    pub(super) began: LogHead,
    /// From what this device remembers, or keeps a copy of, on.
    pub(super) trail: Trail,
    pub(super) state: State,
    pub(super) reports: Reports,
    /// What this device remembers, which the log must lead to or past.
    pub(super) remembered: Option<LogHead>,
    pub(super) since: SinceCopy,
    /// SHA-256 of the sealed entry that must come next: the one of the checkpoint that this began at, which may never have been in the log.
    pub(super) must_come: Option<[u8; 32]>,
}

/// Entries without effect: all are counted, the first few are kept, so that a relay cannot fill memory with them.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Reports {
    first: Vec<Report>,
    count: u64,
}

impl Reports {
    const KEPT: usize = 8;

    fn add(&mut self, report: Report) {
        self.count = self.count.saturating_add(1);
        if self.first.len() < Self::KEPT {
            self.first.push(report);
        }
    }
}

impl Replay {
    /// Before the first entry, on a device that remembers having seen `remembered`.
    #[must_use]
    pub fn new(keys: HomeKeys, remembered: Option<LogHead>) -> Self {
        let space = keys.space();
        let head = LogHead::before_first(space);
        let mut trail = Trail::beginning_with(remembered.map_or(0, |seen| seen.count));
        trail.reach(&head);
        let (state, reports, since) =
            (State::new(space), Reports::default(), SinceCopy::beginning_with(head.count));
        Self { keys, head, began: head, trail, state, reports, remembered, since, must_come: None }
    }

    /// The keys of the space.
    #[must_use]
    pub const fn keys(&self) -> &HomeKeys {
        &self.keys
    }

    /// What the log must lead to or past.
    #[must_use]
    pub const fn remembered(&self) -> Option<&LogHead> {
        self.remembered.as_ref()
    }

    /// Where the entries taken so far lead.
    #[must_use]
    pub const fn head(&self) -> &LogHead {
        &self.head
    }

    /// Takes the next sealed entry.
    ///
    /// # Errors
    /// [`ChainError`] if the first entry does not make this space, one of the owner's entries is not where it was written, or the
    /// log leaves what this device remembers.
    pub fn advance(&mut self, sealed: &[u8]) -> Result<(), ChainError> {
        let sequence = self.head.count;
        if self.must_come.take().is_some_and(|expected| checkpoint::digest(sealed) != expected) {
            return Err(ChainError::Displaced(sequence));
        }
        match open_entry(&self.keys, sealed) {
            Err(fault) => self.reports.add(Report { sequence, fault }),
            Ok(entry) if entry.head != self.head => return Err(ChainError::Displaced(sequence)),
            Ok(entry) => {
                let operation = entry.operation;
                let is_right = match &operation {
                    // In a closed space nothing comes of it, whoever wrote it.
                    Operation::Checkpoint { file } if self.state.closed_for().is_none() => {
                        checkpoint::says(file, &self.head, &self.reports, &self.state)
                    }
                    _ => true,
                };
                let last = self.state.checkpoint().map(|(place, _)| place);
                if entry.seen != *self.state.hash() || entry.checkpoint != last {
                    self.reports.add(Report { sequence, fault: Fault::OtherState });
                }
                if !is_right {
                    self.reports.add(Report { sequence, fault: Fault::OtherCheckpoint });
                }
                if self.makes_this_space(&operation) && self.state.apply(sequence, operation.clone()).is_ok()
                {
                    self.since.add(sequence, operation, &self.state);
                } else {
                    self.reports.add(Report { sequence, fault: Fault::WithoutSense });
                }
            }
        }
        // The id of the space depends on its first entry, so this one is no stray that somebody added.
        if !self.state.is_created() {
            return Err(ChainError::NoBeginning);
        }
        self.head = next_head(&self.head, sealed);
        self.trail.reach(&self.head);
        match self.remembered {
            Some(seen) if seen.count == self.head.count && seen.hash != self.head.hash => {
                Err(ChainError::Rollback { seen: seen.count, given: self.head.count })
            }
            _ => Ok(()),
        }
    }

    /// All entries that the relay gave are taken; it claims that the log stands at `claimed`.
    ///
    /// # Errors
    /// [`ChainError`] if the entries lead elsewhere, or to less than this device has seen.
    pub fn finish(self, claimed: &LogHead) -> Result<VerifiedLog, ChainError> {
        let rollback = |seen: u64| Err(ChainError::Rollback { seen, given: claimed.count });
        match self.remembered {
            _ if self.must_come.is_some() => rollback(self.head.count.saturating_add(1)),
            _ if self.head != *claimed && self.head == self.began && claimed.count <= self.head.count => {
                rollback(self.head.count)
            }
            _ if self.head != *claimed => Err(ChainError::WrongHead),
            Some(seen) if seen.count > self.head.count => rollback(seen.count),
            _ => Ok(VerifiedLog { replay: self }),
        }
    }

    fn makes_this_space(&self, operation: &Operation) -> bool {
        match operation {
            Operation::Create { owner, random } => {
                space_id(&Identity::from_bytes(*owner), random) == self.keys.space()
            }
            _ => true,
        }
    }
}

/// A log that leads to the head that was claimed, and past what this device remembers. The only way to a state, and to further
/// entries.
#[derive(Debug, Clone)]
pub struct VerifiedLog {
    pub(super) replay: Replay,
}

impl VerifiedLog {
    /// The log of a space that was never written.
    #[must_use]
    pub fn empty(keys: HomeKeys) -> Self {
        Self { replay: Replay::new(keys, None) }
    }

    /// Goes on from here: what is read next leads past this, because it adds to it.
    #[must_use]
    pub fn resume(self) -> Replay {
        Replay { began: self.replay.head, ..self.replay }
    }

    /// Goes on from here, on a device that has seen `seen` meanwhile: what is read next must lead to it or past it.
    #[must_use]
    pub fn resume_towards(self, seen: LogHead) -> Replay {
        Replay { remembered: Some(seen), ..self.resume() }
    }

    /// Where it stands.
    #[must_use]
    pub const fn head(&self) -> &LogHead {
        &self.replay.head
    }

    /// Whether it went through what this device has seen otherwise; if not, only reading on towards it, or what led to it ([`Self::lead_from`]), shows whether that is on
    /// the way.
    ///
    /// # Errors
    /// [`ChainError::Rollback`] if it leads elsewhere: the relay has shown two histories.
    pub fn has_passed(&self, seen: &LogHead) -> Result<bool, ChainError> {
        self.replay.trail.require(seen, &self.replay.head)
    }

    /// What the entries add up to.
    #[must_use]
    pub const fn state(&self) -> &State {
        &self.replay.state
    }

    /// The first entries that are not as an honest device writes them, and how many there are in all.
    #[must_use]
    pub fn reports(&self) -> (&[Report], u64) {
        (&self.replay.reports.first, self.replay.reports.count)
    }

    /// Hash of that: it runs over what the owner signed, and nothing else.
    #[must_use]
    pub const fn state_hash(&self) -> &[u8; 32] {
        self.replay.state.hash()
    }

    /// The keys of the space.
    #[must_use]
    pub const fn keys(&self) -> &HomeKeys {
        &self.replay.keys
    }

    /// The operation that opens a new space.
    #[must_use]
    pub fn create(&self) -> Operation {
        let keys = &self.replay.keys;
        Operation::Create { owner: *keys.owner().as_bytes(), random: keys.random }
    }

    /// Seals operations as the entries that follow. What it costs depends on them only, not on what the space holds.
    ///
    /// The state stays as it is until [`Self::take`].
    ///
    /// # Errors
    /// [`OpenError::Inconsistent`] if one of them would have no effect, is a checkpoint of something else, or is too large for an entry.
    pub fn seal_next<R: CryptoRng + ?Sized>(
        &self,
        operations: Vec<Operation>,
        rng: &mut R,
    ) -> Result<Vec<Vec<u8>>, OpenError> {
        if !operations.iter().all(|operation| self.replay.makes_this_space(operation)) {
            return Err(OpenError::Inconsistent);
        }
        let Replay { keys, head, state, reports, .. } = &self.replay;
        let (mut head, mut draft) = (*head, state.clone());
        let mut entries = Vec::with_capacity(operations.len());
        for operation in operations {
            if let Operation::Checkpoint { file } = &operation
                && !checkpoint::says(file, &head, reports, &draft)
            {
                return Err(OpenError::Inconsistent);
            }
            let sealed = seal_entry(keys, &head, &draft, operation.clone(), rng)?;
            draft.apply(head.count, operation).map_err(|_| OpenError::Inconsistent)?;
            head = next_head(&head, &sealed);
            entries.push(sealed);
        }
        Ok(entries)
    }

    /// Where the log will stand after these entries.
    #[must_use]
    pub fn head_after(&self, entries: &[Vec<u8>]) -> LogHead {
        entries.iter().fold(self.replay.head, |head, sealed| next_head(&head, sealed))
    }

    /// Takes entries of one's own that the relay has acknowledged.
    ///
    /// # Errors
    /// [`ChainError`] if they do not follow.
    pub fn take(&mut self, entries: &[Vec<u8>]) -> Result<(), ChainError> {
        entries.iter().try_for_each(|entry| self.replay.advance(entry))
    }
}

pub(super) fn next_head(head: &LogHead, sealed: &[u8]) -> LogHead {
    let mut hash = Sha256::new();
    hash.update(head.hash);
    hash.update(sealed);
    LogHead { count: head.count.saturating_add(1), hash: hash.finalize().into() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keyring::Keyring;

    /// The signature is the owner's, and what is signed is the beginning of another space.
    #[test]
    fn m34_the_first_entry_of_another_space_makes_no_log_of_this_one() {
        let [keys, other] = [0, 1].map(|_| Keyring::generate([6; 32], 1, &mut rand::rng()).home_keys());
        let head = LogHead::before_first(keys.space());
        let begins_with = |create: Operation| {
            let state = State::new(keys.space());
            let entry = seal_entry(&keys, &head, &state, create, &mut rand::rng()).unwrap();
            let mut replay = Replay::new(keys.clone(), None);
            replay.advance(&entry).map(|()| (replay.head().count, replay.reports.count))
        };
        assert_eq!(begins_with(VerifiedLog::empty(keys.clone()).create()), Ok((1, 0)));
        let foreign = VerifiedLog::empty(other).create();
        assert_eq!(begins_with(foreign.clone()), Err(ChainError::NoBeginning));
        let honest = VerifiedLog::empty(keys.clone());
        assert_eq!(honest.seal_next(vec![foreign], &mut rand::rng()), Err(OpenError::Inconsistent));
    }
}
