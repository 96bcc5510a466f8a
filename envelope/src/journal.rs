//! What a device keeps of an unfinished upload, so that it can go on with it or drop it: sealed under the memory key, which outlives a rekey.
//!
//! ```text
//! head:   envelope of kind Journal:       length (4) ‖ postcard of JournalHead   ‖ zeros, 6144 bytes in all
//! record: envelope of kind JournalRecord: length (4) ‖ postcard of JournalRecord ‖ zeros,   96 bytes in all
//! ```
//! A record belongs to one blob and one position, so it opens in no other journal and in no other place. All records are of one length, so a torn
//! one is known by it, and none tells a chunk from an end.

use crate::{
    OpenError,
    capability::BlobCapabilities,
    chunk::ChunkNonce,
    context::Context,
    derive::derive,
    key::{FileKey, MemoryKey},
    manifest::ManifestHash,
    padded::{pad_message, unpad_message},
    seal::{Kind, open, seal},
    space::{FileRecord, SpacePath},
};
use nightdrop_wire::{
    ids::{AccountId, BlobId},
    labels,
    limits::ENVELOPE_OVERHEAD,
    messages::{blob::ChunkHash, credit::Credit},
    onion::OnionAddress,
    season, text,
    token::Token,
};
use rand::CryptoRng;
use serde::{Deserialize, Serialize};

/// A path of the longest length and the longest name fit, with all else.
const HEAD_PLAINTEXT: usize = 6_144;
const RECORD_PLAINTEXT: usize = 96;

/// Bytes of a sealed head.
pub const SEALED_HEAD: usize = HEAD_PLAINTEXT + ENVELOPE_OVERHEAD;
/// Bytes of a sealed record.
pub const SEALED_RECORD: usize = RECORD_PLAINTEXT + ENVELOPE_OVERHEAD;

/// What is settled before the first byte is sent. Field order is the byte order.
#[derive(Clone, Serialize, Deserialize)]
pub struct JournalHead {
    /// Version of the account's keyring. What began before a rekey is not gone on with: its keys may be known to others.
    pub keyring: u64,
    /// When it began: seconds since the epoch.
    pub began: u64,
    /// The blob.
    pub blob: BlobId,
    /// Reads it.
    pub read_token: Token,
    /// Adds chunks to it and destroys it.
    pub write_key: Token,
    /// A token in form only: 32 secret bytes that never cross the network.
    file_key: Token,
    /// What it is to be called among one's files.
    pub name: SpacePath,
    /// The blob that had this name when the upload began, and gives way to it; nothing else does. None if the name was free.
    pub replaces: Option<BlobId>,
    /// Where it comes from; a stream comes from nowhere.
    pub origin: Option<Origin>,
}

/// The file that is uploaded, as it was when its upload began.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// Its absolute path, as bytes.
    #[serde(with = "serde_bytes")]
    pub path: Vec<u8>,
    /// What changes when its content does.
    pub stamp: Stamp,
    /// SHA-256 of its content.
    pub content: [u8; 32],
}

/// What changes when a file's content does, unless somebody sets the clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamp {
    /// Bytes.
    pub size: u64,
    /// Modification time: seconds and nanoseconds since the epoch.
    pub modified: (i64, i64),
    /// Time of the last change of anything about it, likewise.
    pub changed: (i64, i64),
    /// Device and inode.
    pub inode: (u64, u64),
}

/// What is about to be sent. The order of the variants and of their fields is the byte order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum JournalRecord {
    /// A sealed chunk.
    Chunk {
        /// Which.
        index: u32,
        /// What it was sealed with: the same content gives the same hash again, and no other content does.
        nonce: ChunkNonce,
        /// SHA-256 of it.
        hash: ChunkHash,
    },
    /// The sealed manifest, which finishes the blob.
    Finish {
        /// SHA-256 of it.
        manifest: ManifestHash,
        /// SHA-256 of the content.
        content: [u8; 32],
        /// Bytes of the content.
        size: u64,
        /// Modification time, seconds since the epoch.
        modified: Option<i64>,
    },
    /// One of the credits that pay for the blob: shown again with it, or never.
    Paid(Credit),
}

impl JournalHead {
    /// The head of an upload that begins.
    #[must_use]
    pub fn new(
        (keyring, began): (u64, u64),
        capabilities: BlobCapabilities,
        key: &FileKey,
        (name, replaces): (SpacePath, Option<BlobId>),
        origin: Option<Origin>,
    ) -> Self {
        let BlobCapabilities { blob, read_token, write_key } = capabilities;
        let file_key = Token::from_bytes(*key.secret_bytes());
        Self { keyring, began, blob, read_token, write_key, file_key, name, replaces, origin }
    }

    /// The key that seals the file.
    #[must_use]
    pub fn file_key(&self) -> FileKey {
        FileKey::from_bytes(*self.file_key.secret_bytes())
    }

    /// Names and rights of the blob.
    #[must_use]
    pub fn capabilities(&self) -> BlobCapabilities {
        let Self { blob, read_token, write_key, .. } = self.clone();
        BlobCapabilities { blob, read_token, write_key }
    }

    /// What its owner keeps of the file, if this record's manifest is the one that finished it. What the relay said then of how long it keeps it is not known: so that is
    /// due, and the relay is asked.
    #[must_use]
    pub fn finished_by(&self, record: &JournalRecord, today: u32) -> Option<FileRecord> {
        let &JournalRecord::Finish { manifest, content, size, modified } = record else { return None };
        let (capabilities, until) = (self.capabilities(), today.saturating_add(season::DAYS - 1));
        Some(FileRecord::new(capabilities, &self.file_key(), manifest, size, modified, content, until))
    }
}

impl std::fmt::Debug for JournalHead {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("JournalHead")
    }
}

impl std::fmt::Debug for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { path: _, stamp: _, content: _ } = self;
        f.write_str("Origin")
    }
}

/// Seals the journals of one account on one device.
pub struct JournalKey {
    key: MemoryKey,
    relay: OnionAddress,
    account: AccountId,
}

impl JournalKey {
    /// That of an account at a relay.
    #[must_use]
    pub const fn new(key: MemoryKey, relay: OnionAddress, account: AccountId) -> Self {
        Self { key, relay, account }
    }

    /// What the journal of an upload from a path to a name is called: nobody without the key can tell it beforehand, or either of them by it.
    #[must_use]
    pub fn file_name(&self, path: &[u8], name: &SpacePath) -> String {
        let beside = [&(path.len() as u64).to_be_bytes(), path, name.as_str().as_bytes()].concat();
        text::encode(&derive::<16>(self.key.secret_bytes(), labels::JOURNAL_NAME, &beside))
    }

    /// Seals a head.
    ///
    /// # Errors
    /// [`OpenError::Inconsistent`] if its path is longer than any that can be opened.
    pub fn seal_head<R: CryptoRng + ?Sized>(
        &self,
        head: &JournalHead,
        rng: &mut R,
    ) -> Result<Vec<u8>, OpenError> {
        let plaintext = pad_message(head, HEAD_PLAINTEXT)?;
        seal(Kind::Journal, self.key.secret_bytes(), &self.head_context(), &plaintext, rng)
    }

    /// Opens what [`Self::seal_head`] made.
    ///
    /// # Errors
    /// [`OpenError`] for anything else.
    pub fn open_head(&self, sealed: &[u8]) -> Result<JournalHead, OpenError> {
        let plaintext = open(Kind::Journal, self.key.secret_bytes(), &self.head_context(), sealed)?;
        unpad_message(&plaintext, HEAD_PLAINTEXT)
    }

    /// Seals the record at a position of a blob's journal.
    ///
    /// # Errors
    /// As [`seal`].
    pub fn seal_record<R: CryptoRng + ?Sized>(
        &self,
        record: &JournalRecord,
        blob: BlobId,
        position: u64,
        rng: &mut R,
    ) -> Result<Vec<u8>, OpenError> {
        let plaintext = pad_message(record, RECORD_PLAINTEXT)?;
        let context = self.record_context(blob, position);
        seal(Kind::JournalRecord, self.key.secret_bytes(), &context, &plaintext, rng)
    }

    /// Opens what [`Self::seal_record`] made for the same blob and position.
    ///
    /// # Errors
    /// [`OpenError`] for anything else.
    pub fn open_record(
        &self,
        sealed: &[u8],
        blob: BlobId,
        position: u64,
    ) -> Result<JournalRecord, OpenError> {
        let context = self.record_context(blob, position);
        let plaintext = open(Kind::JournalRecord, self.key.secret_bytes(), &context, sealed)?;
        unpad_message(&plaintext, RECORD_PLAINTEXT)
    }

    fn head_context(&self) -> Context {
        Context::of(&[b"journal", self.relay.as_str().as_bytes(), self.account.as_bytes()])
    }

    fn record_context(&self, blob: BlobId, position: u64) -> Context {
        let (relay, position) = (self.relay.as_str().as_bytes(), position.to_be_bytes());
        Context::of(&[b"journal record", relay, self.account.as_bytes(), blob.as_bytes(), &position])
    }
}

impl std::fmt::Debug for JournalKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { key: _, relay: _, account: _ } = self;
        f.write_str("JournalKey")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nightdrop_wire::denomination::Denomination;

    fn key(first: u8) -> JournalKey {
        let relay = "2gzyxa5ihm7nsggfxnu52rck2vv4rvmdlkiu3zzui5du4xyclen53wid".parse().unwrap();
        JournalKey::new(MemoryKey::from_bytes([first; 32]), relay, AccountId::from_bytes([1; 10]))
    }

    fn head(path: Vec<u8>, name: &str) -> JournalHead {
        let far = (i64::MIN, i64::MAX);
        let stamp = Stamp { size: u64::MAX, modified: far, changed: far, inode: (u64::MAX, u64::MAX) };
        let name = (SpacePath::parse(name).unwrap(), Some(BlobId::from_bytes([0xff; 16])));
        let capabilities = BlobCapabilities::generate(&mut rand::rng());
        let origin = Some(Origin { path, stamp, content: [7; 32] });
        JournalHead::new((u64::MAX, u64::MAX), capabilities, &FileKey::from_bytes([9; 32]), name, origin)
    }

    #[test]
    fn the_longest_head_fits_and_opens_under_its_key_only() {
        let name = vec!["n".repeat(255); 4].join("/");
        let longest = head(vec![0xff; 4_096], &name);
        let sealed = key(2).seal_head(&longest, &mut rand::rng()).unwrap();
        assert_eq!(sealed.len(), SEALED_HEAD);
        let opened = key(2).open_head(&sealed).unwrap();
        assert_eq!((opened.blob, opened.name.as_str()), (longest.blob, name.as_str()));
        assert_eq!(opened.file_key().secret_bytes(), &[9; 32]);
        assert!(opened.origin == longest.origin);
        assert_eq!(key(3).open_head(&sealed).err(), Some(OpenError::WrongKey));
        assert!(key(2).seal_head(&head(vec![0; 6_000], "a"), &mut rand::rng()).is_err());
    }

    #[test]
    fn a_record_opens_in_its_place_only() {
        let (blob, other) = (BlobId::from_bytes([1; 16]), BlobId::from_bytes([2; 16]));
        for record in [
            JournalRecord::Chunk { index: u32::MAX, nonce: [1; 24], hash: [2; 32] },
            JournalRecord::Finish {
                manifest: [3; 32],
                content: [4; 32],
                size: u64::MAX,
                modified: Some(i64::MIN),
            },
            JournalRecord::Paid(Credit::new(Denomination::Large, u32::MAX, [5; 32], [6; 32])),
        ] {
            let sealed = key(2).seal_record(&record, blob, 7, &mut rand::rng()).unwrap();
            assert_eq!(sealed.len(), SEALED_RECORD);
            assert_eq!(key(2).open_record(&sealed, blob, 7), Ok(record.clone()));
            assert_eq!(key(2).open_record(&sealed, blob, 8), Err(OpenError::WrongKey));
            assert_eq!(key(2).open_record(&sealed, other, 7), Err(OpenError::WrongKey));
            assert_eq!(key(3).open_record(&sealed, blob, 7), Err(OpenError::WrongKey));
        }
    }

    #[test]
    fn names_tell_one_upload_from_another_and_nothing_more() {
        let name = |path: &[u8], name: &str| key(2).file_name(path, &SpacePath::parse(name).unwrap());
        assert_eq!(name(b"/a", "b"), name(b"/a", "b"));
        assert_ne!(name(b"/a", "b"), name(b"/a", "c"));
        assert_ne!(name(b"/ab", "c"), name(b"/a", "bc"));
        assert_ne!(name(b"/a", "b"), key(3).file_name(b"/a", &SpacePath::parse("b").unwrap()));
        assert_eq!(name(b"/a", "b").len(), 26);
    }

    #[test]
    fn debug_shows_nothing() {
        let head = head(b"/a".to_vec(), "b");
        assert_eq!(
            format!("{head:?} {:?} {:?}", head.origin.as_ref().unwrap(), key(2)),
            "JournalHead Origin JournalKey"
        );
    }
}
