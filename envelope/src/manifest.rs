//! The manifest: what a blob is, and the hash of every sealed chunk. Stored as the blob's head.
//!
//! ```text
//! plaintext: version (1) ‖ length (4) ‖ postcard of Contents ‖ zeros up to a size class
//! sealed as an envelope under the manifest key (from the file key), for this blob id
//! ```
//! Whoever names a file to others binds the SHA-256 of the sealed manifest, so a reader who holds the file key cannot,
//! even together with the relay, put other content in its place.

use crate::{
    OpenError,
    chunk::{ChunkNonce, ExpectedChunk, VerifiedChunk},
    context::Context,
    derive::derive,
    file_name::{self, FileName},
    key::{FileKey, ManifestKey},
    layout::Layout,
    padded::{self, pad, unpad},
    seal::{Kind, open, seal},
};
use nightdrop_wire::{
    codec, ids::BlobId, labels, limits::ENVELOPE_OVERHEAD, messages::blob::ChunkHash, size_class::SizeClass,
    text,
};
use rand::CryptoRng;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

const VERSION: u8 = 1;

/// SHA-256 of a sealed manifest: what a ticket binds.
pub type ManifestHash = [u8; 32];

/// What the author says of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileFacts {
    /// Its name.
    pub name: FileName,
    /// Bytes.
    pub size: u64,
    /// Modification time, seconds since the epoch.
    pub modified: Option<i64>,
}

/// Field order is the byte order.
#[derive(Serialize, Deserialize)]
struct Contents {
    name: String,
    size: u64,
    modified: Option<i64>,
    /// The chunks' hashes, one after the other.
    #[serde(with = "serde_bytes")]
    hashes: Vec<u8>,
}

/// A sealed manifest, ready to be stored.
pub struct SealedManifest {
    /// The envelope.
    pub bytes: Vec<u8>,
    /// SHA-256 of the envelope.
    pub hash: ManifestHash,
    /// SHA-256 over the chunks' hashes: what the relay compares with what it holds.
    pub chunks_digest: [u8; 32],
}

/// Seals the manifest of a file whose chunks have these hashes.
///
/// # Errors
/// [`OpenError::Inconsistent`] unless there is one hash for each chunk of the file's layout.
pub fn seal_manifest<R: CryptoRng + ?Sized>(
    facts: &FileFacts,
    hashes: &[ChunkHash],
    key: &FileKey,
    blob: BlobId,
    rng: &mut R,
) -> Result<SealedManifest, OpenError> {
    if Layout::of_size(facts.size)?.chunks() as usize != hashes.len() {
        return Err(OpenError::Inconsistent);
    }
    let hashes = hashes.concat();
    let chunks_digest = Sha256::digest(&hashes).into();
    let contents =
        Contents { name: facts.name.as_str().to_owned(), size: facts.size, modified: facts.modified, hashes };
    let body = Zeroizing::new(codec::encode(&contents).map_err(|_| OpenError::Malformed)?);
    let class = class_for(contents.hashes.len())?;
    let mut plaintext = Zeroizing::new(Vec::with_capacity(class.sealed()));
    plaintext.push(VERSION);
    plaintext.extend_from_slice(&pad(&body, class.sealed() - ENVELOPE_OVERHEAD - 1)?);
    let bytes = seal(Kind::Manifest, manifest_key(key).secret_bytes(), &context(blob), &plaintext, rng)?;
    let hash = Sha256::digest(&bytes).into();
    Ok(SealedManifest { bytes, hash, chunks_digest })
}

/// The size class of the manifest of a file with this layout, which no name changes.
///
/// # Errors
/// [`OpenError::Inconsistent`] for a layout of more chunks than a file can have.
pub fn manifest_class(layout: &Layout) -> Result<SizeClass, OpenError> {
    class_for(layout.chunks() as usize * size_of::<ChunkHash>())
}

/// The size class of a manifest: from the number of chunks alone, with room for the longest name and the largest numbers, so that its
/// size says nothing of either.
fn class_for(hashes: usize) -> Result<SizeClass, OpenError> {
    const LENGTHS_AND_NUMBERS: usize = 2 + 10 + 1 + 10 + 5;
    let body = file_name::MAX_BYTES + LENGTHS_AND_NUMBERS + hashes;
    SizeClass::fitting_sealed(1 + padded::OVERHEAD + body + ENVELOPE_OVERHEAD).ok_or(OpenError::Inconsistent)
}

/// A manifest that was found to be the one its author bound. The only way to open chunks.
#[derive(Debug)]
pub struct VerifiedManifest {
    key: FileKey,
    blob: BlobId,
    facts: FileFacts,
    layout: Layout,
    hashes: Vec<u8>,
    /// What counts as this file.
    hash: ManifestHash,
}

impl VerifiedManifest {
    /// Opens what the relay returned as the head of `blob`.
    ///
    /// # Errors
    /// [`OpenError`] unless it is the manifest with this hash, opens with this key for this blob, and its contents
    /// agree with each other.
    pub fn open(
        sealed: &[u8],
        expected: &ManifestHash,
        key: FileKey,
        blob: BlobId,
    ) -> Result<Self, OpenError> {
        if Sha256::digest(sealed).as_slice() != expected {
            return Err(OpenError::WrongHash);
        }
        let plaintext = open(Kind::Manifest, manifest_key(&key).secret_bytes(), &context(blob), sealed)?;
        let (&version, padded) = plaintext.split_first().ok_or(OpenError::Malformed)?;
        if version != VERSION {
            return Err(OpenError::UnknownSuite);
        }
        let contents: Contents = codec::decode(unpad(padded)?).map_err(|_| OpenError::Malformed)?;
        let layout = Layout::of_size(contents.size)?;
        if contents.hashes.len() != layout.chunks() as usize * size_of::<ChunkHash>() {
            return Err(OpenError::Inconsistent);
        }
        let facts = FileFacts {
            name: FileName::parse(&contents.name)?,
            size: contents.size,
            modified: contents.modified,
        };
        Ok(Self { key, blob, facts, layout, hashes: contents.hashes, hash: *expected })
    }

    /// What the author says of the file.
    #[must_use]
    pub const fn facts(&self) -> &FileFacts {
        &self.facts
    }

    /// How it is cut.
    #[must_use]
    pub const fn layout(&self) -> &Layout {
        &self.layout
    }

    /// The blob that it is the head of.
    #[must_use]
    pub const fn blob(&self) -> BlobId {
        self.blob
    }

    /// What a file that is not whole yet is called at a place with this name: nobody without the file's key can tell it beforehand.
    #[must_use]
    pub fn resume_name(&self, place: &str) -> String {
        let beside = [self.hash.as_slice(), place.as_bytes()].concat();
        text::encode(&derive::<10>(self.key.secret_bytes(), labels::RESUME_NAME, &beside))
    }

    /// Whether content that was read from a disk is that of chunk `index`, which was sealed with this nonce.
    #[must_use]
    pub fn holds(&self, index: u32, content: &[u8], nonce: &ChunkNonce) -> bool {
        self.expected(index).is_ok_and(|expected| expected.is(content, nonce))
    }

    /// Opens what the relay returned as chunk `index`.
    ///
    /// # Errors
    /// [`OpenError`] unless it is exactly the chunk that the manifest lists there.
    pub fn open_chunk(&self, index: u32, sealed: Vec<u8>) -> Result<VerifiedChunk, OpenError> {
        self.expected(index)?.open(sealed)
    }

    fn expected(&self, index: u32) -> Result<ExpectedChunk<'_>, OpenError> {
        let hash = self.hashes.chunks_exact(32).nth(index as usize).ok_or(OpenError::Inconsistent)?;
        let hash = hash.try_into().map_err(|_| OpenError::Inconsistent)?;
        Ok(ExpectedChunk {
            key: &self.key,
            blob: self.blob,
            index,
            hash,
            class: self.layout.class(),
            offset: self.layout.offset(index),
            content: self.layout.content(index),
        })
    }
}

fn manifest_key(key: &FileKey) -> ManifestKey {
    ManifestKey::from_bytes(derive(key.secret_bytes(), labels::MANIFEST_KEY, b""))
}

fn context(blob: BlobId) -> Context {
    Context::of(&[b"manifest", blob.as_bytes()])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chunk::{ChunkBuffer, SealedChunk};

    const BLOB: BlobId = BlobId::from_bytes([7; 16]);

    fn key() -> FileKey {
        FileKey::from_bytes([8; 32])
    }

    fn facts(size: u64) -> FileFacts {
        FileFacts { name: FileName::parse("notes.txt").unwrap(), size, modified: Some(1_700_000_000) }
    }

    fn stored(size: u64) -> (Vec<SealedChunk>, SealedManifest) {
        let layout = Layout::of_size(size).unwrap();
        let chunks: Vec<SealedChunk> = (0..layout.chunks())
            .map(|index| {
                let mut buffer = ChunkBuffer::new(layout.class());
                let filler = u8::try_from(index).unwrap() + 1;
                buffer.plaintext_mut()[..layout.content(index)].fill(filler);
                buffer.seal(&key(), BLOB, index, &mut rand::rng()).unwrap()
            })
            .collect();
        let hashes: Vec<ChunkHash> = chunks.iter().map(|chunk| chunk.hash).collect();
        let manifest = seal_manifest(&facts(size), &hashes, &key(), BLOB, &mut rand::rng()).unwrap();
        (chunks, manifest)
    }

    #[test]
    fn a_file_comes_back_chunk_by_chunk() {
        let (chunks, manifest) = stored(3_000_000);
        let class = manifest_class(&Layout::of_size(3_000_000).unwrap()).unwrap();
        assert_eq!(SizeClass::of_sealed(manifest.bytes.len()), Some(class));
        let opened = VerifiedManifest::open(&manifest.bytes, &manifest.hash, key(), BLOB).unwrap();
        assert_eq!(opened.facts(), &facts(3_000_000));
        let mut total = 0;
        for (index, chunk) in chunks.into_iter().enumerate() {
            let index = u32::try_from(index).unwrap();
            let opened = opened.open_chunk(index, chunk.bytes).unwrap();
            assert_eq!(opened.offset(), total);
            assert!(opened.content().iter().all(|byte| u32::from(*byte) == index + 1));
            total += opened.content().len() as u64;
        }
        assert_eq!(total, 3_000_000);
    }

    #[test]
    fn m16_to_m18_chunks_in_another_order_or_beyond_the_end_are_refused() {
        let (chunks, manifest) = stored(3_000_000);
        let opened = VerifiedManifest::open(&manifest.bytes, &manifest.hash, key(), BLOB).unwrap();
        let first = chunks[0].bytes.clone();
        assert!(opened.open_chunk(0, first.clone()).is_ok());
        assert_eq!(opened.open_chunk(1, first.clone()).err(), Some(OpenError::WrongHash));
        assert_eq!(opened.open_chunk(3, first).err(), Some(OpenError::Inconsistent));
    }

    #[test]
    fn m21_m46_a_reader_with_the_file_key_cannot_replace_the_manifest() {
        let (_, manifest) = stored(100);
        let (_, forged) = stored(101);
        let naive = VerifiedManifest::open(&forged.bytes, &forged.hash, key(), BLOB);
        assert!(naive.is_ok(), "without the bound hash the lie is believed");
        let bound = VerifiedManifest::open(&forged.bytes, &manifest.hash, key(), BLOB);
        assert_eq!(bound.err(), Some(OpenError::WrongHash));
    }

    #[test]
    fn m19_a_manifest_of_another_blob_or_key_is_refused() {
        let (_, manifest) = stored(100);
        let other = BlobId::from_bytes([9; 16]);
        assert!(VerifiedManifest::open(&manifest.bytes, &manifest.hash, key(), BLOB).is_ok());
        let moved = VerifiedManifest::open(&manifest.bytes, &manifest.hash, key(), other);
        assert_eq!(moved.err(), Some(OpenError::WrongKey));
        let stranger = FileKey::from_bytes([1; 32]);
        let stolen = VerifiedManifest::open(&manifest.bytes, &manifest.hash, stranger, BLOB);
        assert_eq!(stolen.err(), Some(OpenError::WrongKey));
    }

    #[test]
    fn m25_contents_that_contradict_each_other_are_refused() {
        let lie = |name: &str, size: u64, hashes: usize| {
            let contents =
                Contents { name: name.to_owned(), size, modified: None, hashes: vec![0; hashes * 32] };
            let body = codec::encode(&contents).unwrap();
            let padded = pad(&body, SizeClass::SMALLEST.sealed() - ENVELOPE_OVERHEAD - 1).unwrap();
            let plaintext = [&[VERSION], padded.as_slice()].concat();
            let sealed = seal(
                Kind::Manifest,
                manifest_key(&key()).secret_bytes(),
                &context(BLOB),
                &plaintext,
                &mut rand::rng(),
            )
            .unwrap();
            let hash = Sha256::digest(&sealed).into();
            VerifiedManifest::open(&sealed, &hash, key(), BLOB).map(|_| ())
        };
        assert_eq!(lie("ok", 10, 1), Ok(()));
        assert_eq!(lie("ok", 10, 2), Err(OpenError::Inconsistent));
        assert_eq!(lie("ok", 10, 0), Err(OpenError::Inconsistent));
        assert_eq!(lie("ok", 1 << 63, 1), Err(OpenError::Inconsistent));
        assert_eq!(lie("../up", 10, 1), Err(OpenError::Inconsistent));
        assert_eq!(
            seal_manifest(&facts(10), &[], &key(), BLOB, &mut rand::rng()).err(),
            Some(OpenError::Inconsistent)
        );
    }

    #[test]
    fn m42_files_of_one_layout_have_manifests_of_one_size() {
        for chunks in [1_u64, 2, 3, 116, 120, 124, 240, 248, 1_024] {
            let size = (chunks - 1) * 1_048_468 + 1;
            let Ok(layout) = Layout::of_size(size) else { continue };
            let hashes = vec![[0; 32]; layout.chunks() as usize];
            let sizes = ["x".to_owned(), "x".repeat(255)].map(|name| {
                let name = FileName::parse(&name).unwrap();
                let modified = if name.as_str().len() == 1 { None } else { Some(i64::MAX) };
                let facts = FileFacts { name, size, modified };
                seal_manifest(&facts, &hashes, &key(), BLOB, &mut rand::rng()).unwrap().bytes.len()
            });
            assert_eq!(sizes[0], sizes[1], "{chunks} chunks");
        }
    }

    #[test]
    fn the_class_has_room_for_the_longest_facts_and_no_more() {
        let longest = |hashes: usize| {
            let name = "x".repeat(file_name::MAX_BYTES);
            let contents =
                Contents { name, size: u64::MAX, modified: Some(i64::MIN), hashes: vec![0; hashes] };
            codec::encode(&contents).unwrap().len() + 1 + padded::OVERHEAD + ENVELOPE_OVERHEAD
        };
        // Name, its length, size, time: 278. The length of the hashes has room for 5 bytes.
        for (class, next) in SizeClass::all().zip(SizeClass::all().skip(1)) {
            let most = class.sealed() - ENVELOPE_OVERHEAD - 1 - padded::OVERHEAD - 278 - 5;
            assert_eq!(class_for(most), Ok(class));
            assert_eq!(class_for(most + 1), Ok(next));
            assert!(longest(most) <= class.sealed());
        }
        assert_eq!(class_for(SizeClass::FULL.sealed()), Err(OpenError::Inconsistent));
    }

    #[test]
    fn the_largest_file_has_a_manifest_that_fits() {
        let layout = Layout::of_size(Layout::MAX_SIZE).unwrap();
        let hashes = vec![[0; 32]; layout.chunks() as usize];
        let facts = FileFacts { name: FileName::parse(&"x".repeat(255)).unwrap(), ..facts(Layout::MAX_SIZE) };
        assert!(seal_manifest(&facts, &hashes, &key(), BLOB, &mut rand::rng()).is_ok());
    }
}
