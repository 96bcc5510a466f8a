//! Chunks of a file, each sealed under its own key.
//!
//! ```text
//!  0           24                              24+n      40+n
//! ┌───────────┬───────────────────────────────┬─────────┐
//! │ nonce     │ ciphertext                    │ tag     │
//! │ 24, random│ n = the class's plaintext     │ 16      │
//! └───────────┴───────────────────────────────┴─────────┘
//! key = HKDF(file key, "nightdrop/v1 chunk key" ‖ index), tag also over blob id ‖ index (u32, big-endian)
//! ```
//! A chunk has no commitment of its own: its key hangs on the file key, whose manifest key the manifest's envelope commits
//! to, and its bytes hang on the manifest by their hash. The nonce is fresh for each sealing, so that a chunk sealed twice
//! never uses one nonce for two contents.
//!
//! Reading and sealing share one buffer: the file is read straight into [`ChunkBuffer`], which is encrypted in place and
//! becomes the request's body.

use crate::{
    OpenError,
    aead::{self, NONCE, TAG},
    derive::derive,
    key::{FileKey, random},
};
use nightdrop_wire::{ids::BlobId, labels, messages::blob::ChunkHash, size_class::SizeClass};
use rand::CryptoRng;
use sha2::{Digest, Sha256};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

/// What a chunk was sealed with: random, and no secret.
pub type ChunkNonce = [u8; NONCE];

/// Room for one chunk in the clear. Erased when dropped unless it was sealed.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct ChunkBuffer {
    bytes: Vec<u8>,
}

impl ChunkBuffer {
    /// All zeros, which is the padding.
    #[must_use]
    pub fn new(class: SizeClass) -> Self {
        Self { bytes: vec![0; class.sealed()] }
    }

    /// Where the file's bytes go, from the start; what is left as it was is padding.
    pub fn plaintext_mut(&mut self) -> &mut [u8] {
        let end = self.bytes.len().saturating_sub(TAG);
        self.bytes.get_mut(NONCE..end).unwrap_or_default()
    }

    /// Encrypts it in place as chunk `index` of `blob`.
    ///
    /// # Errors
    /// [`OpenError::Malformed`] never happens for a buffer of a size class.
    pub fn seal<R: CryptoRng + ?Sized>(
        self,
        key: &FileKey,
        blob: BlobId,
        index: u32,
        rng: &mut R,
    ) -> Result<SealedChunk, OpenError> {
        self.seal_with(random(rng), key, blob, index)
    }

    /// Whether its content is what was sealed with this nonce into a chunk of this hash. If it is not, two contents were sealed under one key and
    /// nonce: so what is sealed here is compared and erased, and never given out.
    #[must_use]
    pub fn was_sealed_as(
        self,
        (nonce, hash): (&ChunkNonce, &ChunkHash),
        key: &FileKey,
        blob: BlobId,
        index: u32,
    ) -> bool {
        let Ok(mut sealed) = self.seal_with(*nonce, key, blob, index) else { return false };
        sealed.bytes.zeroize();
        sealed.hash == *hash
    }

    fn seal_with(
        mut self,
        nonce: [u8; NONCE],
        key: &FileKey,
        blob: BlobId,
        index: u32,
    ) -> Result<SealedChunk, OpenError> {
        let tag =
            aead::encrypt(&chunk_key(key, index), &nonce, &associated(blob, index), self.plaintext_mut())
                .map_err(|_| OpenError::Malformed)?;
        let mut bytes = std::mem::take(&mut self.bytes);
        if let Some(slot) = bytes.first_chunk_mut() {
            *slot = nonce;
        }
        if let Some(slot) = bytes.last_chunk_mut() {
            *slot = tag;
        }
        let hash = Sha256::digest(&bytes).into();
        Ok(SealedChunk { bytes, hash })
    }
}

/// A chunk as it crosses the network.
pub struct SealedChunk {
    /// Nonce, ciphertext and tag.
    pub bytes: Vec<u8>,
    /// SHA-256 of the bytes.
    pub hash: ChunkHash,
}

impl SealedChunk {
    /// What it was sealed with.
    #[must_use]
    pub fn nonce(&self) -> ChunkNonce {
        self.bytes.first_chunk().copied().unwrap_or_default()
    }
}

/// A chunk that was found to be the one its manifest lists, and opened. Erased when dropped.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct VerifiedChunk {
    bytes: Vec<u8>,
    #[zeroize(skip)]
    offset: u64,
    #[zeroize(skip)]
    content: usize,
}

impl VerifiedChunk {
    /// Where its content belongs in the file.
    #[must_use]
    pub const fn offset(&self) -> u64 {
        self.offset
    }

    /// What it was sealed with, which tells it when its content is read again from a disk.
    #[must_use]
    pub fn nonce(&self) -> ChunkNonce {
        self.bytes.first_chunk().copied().unwrap_or_default()
    }

    /// The file's bytes in it.
    #[must_use]
    pub fn content(&self) -> &[u8] {
        self.bytes.get(NONCE..NONCE + self.content).unwrap_or_default()
    }
}

/// Where a chunk belongs and what it must be: from a verified manifest, never from the relay.
pub(crate) struct ExpectedChunk<'a> {
    pub(crate) key: &'a FileKey,
    pub(crate) blob: BlobId,
    pub(crate) index: u32,
    pub(crate) hash: &'a ChunkHash,
    pub(crate) class: SizeClass,
    pub(crate) offset: u64,
    pub(crate) content: usize,
}

impl ExpectedChunk<'_> {
    /// Whether this content, sealed with this nonce, is it: as good as fetching it once more. What is sealed here is compared and dropped.
    pub(crate) fn is(&self, content: &[u8], nonce: &ChunkNonce) -> bool {
        let mut buffer = ChunkBuffer::new(self.class);
        let Some(room) = buffer.plaintext_mut().get_mut(..content.len()) else { return false };
        room.copy_from_slice(content);
        content.len() == self.content
            && buffer.was_sealed_as((nonce, self.hash), self.key, self.blob, self.index)
    }

    /// Checks hash and length, then decrypts in place, then checks the padding.
    pub(crate) fn open(&self, sealed: Vec<u8>) -> Result<VerifiedChunk, OpenError> {
        // The hash first: what differs from it is the relay's doing, what is wrong behind it is the author's.
        if Sha256::digest(&sealed).as_slice() != self.hash {
            return Err(OpenError::WrongHash);
        }
        if sealed.len() != self.class.sealed() {
            return Err(OpenError::Malformed);
        }
        let nonce = *sealed.first_chunk::<NONCE>().ok_or(OpenError::Malformed)?;
        let tag = *sealed.last_chunk::<TAG>().ok_or(OpenError::Malformed)?;
        let mut opened = VerifiedChunk { bytes: sealed, offset: self.offset, content: self.content };
        let end = NONCE + self.class.chunk_plaintext();
        let body = opened.bytes.get_mut(NONCE..end).ok_or(OpenError::Malformed)?;
        aead::decrypt(
            &chunk_key(self.key, self.index),
            &nonce,
            &associated(self.blob, self.index),
            body,
            &tag,
        )
        .map_err(|_| OpenError::Altered)?;
        let padding = body.get(self.content..).ok_or(OpenError::Inconsistent)?;
        if padding.iter().any(|byte| *byte != 0) {
            return Err(OpenError::Inconsistent);
        }
        Ok(opened)
    }
}

fn chunk_key(key: &FileKey, index: u32) -> Zeroizing<[u8; 32]> {
    Zeroizing::new(derive(key.secret_bytes(), labels::CHUNK_KEY, &index.to_be_bytes()))
}

fn associated(blob: BlobId, index: u32) -> Vec<u8> {
    [blob.as_bytes().as_slice(), &index.to_be_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    const BLOB: BlobId = BlobId::from_bytes([7; 16]);
    static KEY: FileKey = FileKey::from_bytes([8; 32]);

    fn sealed(content: &[u8], index: u32) -> SealedChunk {
        let mut buffer = ChunkBuffer::new(SizeClass::SMALLEST);
        buffer.plaintext_mut()[..content.len()].copy_from_slice(content);
        buffer.seal(&KEY, BLOB, index, &mut rand::rng()).unwrap()
    }

    fn expected<'a>(hash: &'a ChunkHash, index: u32, content: usize) -> ExpectedChunk<'a> {
        let class = SizeClass::SMALLEST;
        ExpectedChunk { key: &KEY, blob: BLOB, index, hash, class, offset: 0, content }
    }

    #[test]
    fn opens_what_it_sealed_and_shows_the_content_only() {
        let chunk = sealed(b"content", 3);
        assert_eq!(chunk.bytes.len(), SizeClass::SMALLEST.sealed());
        let opened = expected(&chunk.hash, 3, 7).open(chunk.bytes.clone()).unwrap();
        assert_eq!(opened.content(), b"content");
    }

    #[test]
    fn m15_a_changed_byte_fails_the_hash_and_without_the_hash_the_tag() {
        let chunk = sealed(b"content", 3);
        for position in [0, 24, 30, chunk.bytes.len() - 1] {
            let mut bytes = chunk.bytes.clone();
            bytes[position] ^= 1;
            let by_hash = expected(&chunk.hash, 3, 7).open(bytes.clone());
            assert_eq!(by_hash.err(), Some(OpenError::WrongHash));
            let forged: ChunkHash = Sha256::digest(&bytes).into();
            assert_eq!(expected(&forged, 3, 7).open(bytes).err(), Some(OpenError::Altered));
        }
    }

    #[test]
    fn m16_to_m20_another_place_blob_or_length_is_refused() {
        let chunk = sealed(b"content", 3);
        let moved = expected(&chunk.hash, 4, 7).open(chunk.bytes.clone());
        assert_eq!(moved.err(), Some(OpenError::Altered));
        let mut elsewhere = expected(&chunk.hash, 3, 7);
        elsewhere.blob = BlobId::from_bytes([9; 16]);
        assert_eq!(elsewhere.open(chunk.bytes.clone()).err(), Some(OpenError::Altered));
        for length in [0, 39, chunk.bytes.len() - 1] {
            let cut = chunk.bytes[..length].to_vec();
            let forged: ChunkHash = Sha256::digest(&cut).into();
            let by_hash = expected(&chunk.hash, 3, 7).open(cut.clone());
            assert_eq!(by_hash.err(), Some(OpenError::WrongHash));
            assert_eq!(expected(&forged, 3, 7).open(cut).err(), Some(OpenError::Malformed));
        }
        let short = expected(&chunk.hash, 3, 6).open(chunk.bytes);
        assert_eq!(short.err(), Some(OpenError::Inconsistent), "content where padding should be");
    }

    #[test]
    fn what_was_sealed_is_known_by_its_nonce_and_anything_else_is_not() {
        let chunk = sealed(b"content", 3);
        let (nonce, hash) = (chunk.nonce(), chunk.hash);
        let is = |content: &[u8], nonce: &ChunkNonce, hash: &ChunkHash, blob, index| {
            let mut buffer = ChunkBuffer::new(SizeClass::SMALLEST);
            buffer.plaintext_mut()[..content.len()].copy_from_slice(content);
            buffer.was_sealed_as((nonce, hash), &KEY, blob, index)
        };
        assert!(is(b"content", &nonce, &hash, BLOB, 3));
        assert!(!is(b"contend", &nonce, &hash, BLOB, 3));
        assert!(!is(b"content", &[0; NONCE], &hash, BLOB, 3));
        assert!(!is(b"content", &nonce, &[0; 32], BLOB, 3));
        assert!(!is(b"content", &nonce, &hash, BLOB, 4));
        assert!(!is(b"content", &nonce, &hash, BlobId::from_bytes([9; 16]), 3));
    }

    #[test]
    fn sealing_twice_never_repeats_a_nonce() {
        let nonces: std::collections::HashSet<Vec<u8>> =
            (0..64).map(|_| sealed(b"same", 0).bytes[..NONCE].to_vec()).collect();
        assert_eq!(nonces.len(), 64);
    }
}
