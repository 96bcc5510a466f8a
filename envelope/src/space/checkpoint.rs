//! Checkpoints: what all entries before one add up to, for a device that has verified nothing yet.
//!
//! ```text
//! content    = postcard of head, reports, state (as in a copy): before the checkpoint's own entry
//! blob       = a file with this content, sealed as any file is; its capabilities stand in the entry only
//! entry      = Checkpoint { file }, whose signature covers its place, the chain and the state before it, and the manifest's hash
//! each later entry says, signed, where the last checkpoint is
//! ```
//! So a new device needs the last entry of the owner's, the entry that it names, that blob, and the entries from there on. Each of them is the owner's
//! word: nothing but the entries before the checkpoint goes unread, and those the owner's devices have verified. What strays were reported before it is part
//! of the content.
//!
//! A device that replays what a checkpoint says it adds up to compares the two, and reports a difference.

use super::{
    CopiedState, HomeKeys, Operation, Replay, State, VerifiedLog,
    copy::{Copied, Whole},
    entry::open_entry,
    replay::{ChainError, Reports},
};
use crate::{OpenError, space::FileRecord};
use nightdrop_wire::{codec, messages::log::LogHead};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

/// Entries after which another checkpoint is worth its upload, whatever the state holds.
const LEAST: u64 = 512;
/// Of the files that the state holds, that part.
const FRACTION: u64 = 16;

/// Where the last checkpoint is, in the words of the newest of these entries that is the owner's.
#[must_use]
pub fn newest_checkpoint(keys: &HomeKeys, entries: &[impl AsRef<[u8]>]) -> Option<u64> {
    let newest = entries.iter().rev().find_map(|sealed| open_entry(keys, sealed.as_ref()).ok())?;
    match newest.operation {
        Operation::Checkpoint { .. } => Some(newest.head.count),
        _ => newest.checkpoint,
    }
}

/// A checkpoint's entry, signed by the owner for this place.
#[derive(Debug)]
pub struct VerifiedCheckpoint {
    head: LogHead,
    seen: [u8; 32],
    file: Box<FileRecord>,
    /// SHA-256 of the sealed entry.
    entry: [u8; 32],
}

impl VerifiedCheckpoint {
    /// Opens the entry that stands where the owner says that the checkpoint is.
    ///
    /// # Errors
    /// [`ChainError::Displaced`] if it is not one, or the owner wrote it elsewhere.
    pub fn open(keys: &HomeKeys, sealed: &[u8], place: u64) -> Result<Self, ChainError> {
        match open_entry(keys, sealed) {
            Ok(entry) if entry.head.count == place => match entry.operation {
                Operation::Checkpoint { file } => {
                    Ok(Self { head: entry.head, seen: entry.seen, file, entry: digest(sealed) })
                }
                _ => Err(ChainError::Displaced(place)),
            },
            _ => Err(ChainError::Displaced(place)),
        }
    }

    /// The blob with its content.
    #[must_use]
    pub const fn file(&self) -> &FileRecord {
        &self.file
    }

    /// Goes on from it, with the content of its blob, on a device that remembers having seen `remembered`. Its own entry must come next: one that never was in
    /// the log is none.
    ///
    /// # Errors
    /// [`OpenError`] if that is not its content, or contradicts what is remembered.
    pub fn replay(
        &self,
        keys: HomeKeys,
        content: &[u8],
        remembered: Option<LogHead>,
    ) -> Result<Replay, OpenError> {
        if digest(content) != self.file.content {
            return Err(OpenError::Altered);
        }
        let Whole { head, reports, state } = codec::decode(content).map_err(|_| OpenError::Malformed)?;
        if head != self.head || *state.hash() != self.seen {
            return Err(OpenError::Inconsistent);
        }
        let copy = CopiedState::of(Copied { head, changes: 0 }, reports, state);
        let replay = copy.replay(keys, remembered).ok_or(OpenError::Inconsistent)?;
        Ok(Replay { must_come: Some(self.entry), ..replay })
    }
}

impl VerifiedLog {
    /// What a checkpoint that is the next entry says.
    ///
    /// # Errors
    /// As [`codec::encode`].
    pub fn checkpoint(&self) -> Result<Zeroizing<Vec<u8>>, OpenError> {
        let Replay { head, reports, state, .. } = &self.replay;
        content(head, reports, state)
    }

    /// Whether so much came since the last checkpoint that another is worth its upload.
    #[must_use]
    pub fn wants_checkpoint(&self) -> bool {
        let Replay { head, state, .. } = &self.replay;
        let since = head.count.saturating_sub(state.checkpoint().map_or(0, |(place, _)| place));
        since >= LEAST.max(state.count() as u64 / FRACTION) && state.closed_for().is_none()
    }
}

/// Whether a checkpoint says what the entries before it add up to.
pub(super) fn says(file: &FileRecord, head: &LogHead, reports: &Reports, state: &State) -> bool {
    content(head, reports, state).is_ok_and(|content| digest(&content) == file.content)
}

fn content(head: &LogHead, reports: &Reports, state: &State) -> Result<Zeroizing<Vec<u8>>, OpenError> {
    let whole = Whole { head: *head, reports: reports.clone(), state: state.clone() };
    codec::encode(&whole).map(Zeroizing::new).map_err(|_| OpenError::Malformed)
}

pub(super) fn digest(content: &[u8]) -> [u8; 32] {
    Sha256::digest(content).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{capability::BlobCapabilities, key::FileKey, keyring::Keyring};

    /// By a device that is faulty: the hash in its entry is right.
    #[test]
    fn m50_a_content_of_another_head_or_state_than_the_entry_was_written_upon_is_none() {
        let keys = Keyring::generate([6; 32], 1, &mut rand::rng()).home_keys();
        let (head, state) = (LogHead { count: 3, hash: [3; 32] }, State::new(keys.space()));
        let seen = *state.hash();
        let replays = |head: LogHead, seen: [u8; 32], content_of: &LogHead| {
            let content = content(content_of, &Reports::default(), &state).unwrap();
            let capabilities = BlobCapabilities::generate(&mut rand::rng());
            let hash = digest(&content);
            let file =
                FileRecord::new(capabilities, &FileKey::from_bytes([1; 32]), [2; 32], 1, None, hash, 9);
            let checkpoint = VerifiedCheckpoint { head, seen, file: Box::new(file), entry: [4; 32] };
            checkpoint.replay(keys.clone(), &content, None).map(drop)
        };
        assert_eq!(replays(head, seen, &head), Ok(()));
        let other = LogHead { hash: [9; 32], ..head };
        assert_eq!(replays(head, seen, &other), Err(OpenError::Inconsistent));
        assert_eq!(replays(head, [9; 32], &head), Err(OpenError::Inconsistent));
    }
}
