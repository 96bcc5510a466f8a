//! What a journal's bytes say: every prefix of them is an earlier state, and anything else is damage.

use nightdrop_envelope::{
    chunk::ChunkNonce,
    journal::{JournalHead, JournalKey, JournalRecord, SEALED_HEAD, SEALED_RECORD},
    layout::Layout,
};
use nightdrop_wire::{
    limits::MAX_CHUNKS,
    messages::{blob::ChunkHash, credit::Credit},
};
use std::collections::BTreeMap;

/// Records that a journal may have when it is gone on with: each chunk is sealed about once, and some again in each run.
const MOST_PER_CHUNK: u64 = 4;
const MOST_BESIDE: u64 = 1_024;
/// Nothing longer is read: one more run than that.
pub(super) const LONGEST: u64 =
    SEALED_HEAD as u64 + ((MOST_PER_CHUNK + 1) * MAX_CHUNKS as u64 + 2 * MOST_BESIDE) * SEALED_RECORD as u64;

/// What records say.
#[derive(Debug, Default)]
pub(in crate::transfer) struct Kept {
    /// What each chunk was sealed as, once for each time.
    pub(in crate::transfer) chunks: BTreeMap<u32, Vec<(ChunkNonce, ChunkHash)>>,
    /// Every end that was sent, or about to be.
    pub(in crate::transfer) ends: Vec<JournalRecord>,
    /// What pays for the blob.
    pub(in crate::transfer) payment: Vec<Credit>,
    /// Whether all that stands there could be read, and is not too much.
    pub(in crate::transfer) is_sound: bool,
    pub(super) records: u64,
}

/// What bytes are as a journal.
pub(super) enum Parsed {
    /// Not even a head: nothing was ever sent.
    Nothing,
    Damaged,
    Journal(Box<JournalHead>, Kept),
}

impl Parsed {
    /// Reads a journal as far as it goes.
    pub(super) fn of(bytes: &[u8], key: &JournalKey) -> Self {
        let Some((head, records)) = bytes.split_at_checked(SEALED_HEAD) else { return Self::Nothing };
        let Ok(head) = key.open_head(head) else { return Self::Damaged };
        let mut kept = Kept { is_sound: true, ..Kept::default() };
        let mut rest = records;
        while let Some((sealed, more)) = rest.split_at_checked(SEALED_RECORD) {
            match key.open_record(sealed, head.blob, kept.records) {
                Ok(JournalRecord::Chunk { index, nonce, hash }) => {
                    kept.chunks.entry(index).or_default().push((nonce, hash));
                }
                Ok(end @ JournalRecord::Finish { .. }) => kept.ends.push(end),
                Ok(JournalRecord::Paid(credit)) => kept.payment.push(credit),
                Err(_) => {
                    // A disk that lost what was written last may give zeros in its place.
                    kept.is_sound = rest.iter().all(|byte| *byte == 0);
                    break;
                }
            }
            kept.records += 1;
            rest = more;
        }
        kept.is_sound &= kept.records <= most_records(&head);
        Self::Journal(Box::new(head), kept)
    }
}

pub(super) fn most_records(head: &JournalHead) -> u64 {
    let layout = head.origin.as_ref().and_then(|origin| Layout::of_size(origin.stamp.size).ok());
    MOST_PER_CHUNK * layout.map_or(0, |layout| u64::from(layout.chunks())) + MOST_BESIDE
}
