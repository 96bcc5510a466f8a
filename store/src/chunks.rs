//! Chunks: each of a size class, replaceable until the blob is finished. Their hashes stand in a table of their own.

use crate::{
    at_rest::{self, AtRestKey, Place},
    at_rest_keys, blobs,
    digest::{chunk_hash, token_hash},
    error::{Failure, StoreError},
    object::ObjectName,
    operation::Checked,
    row::Row,
    schema::{BlobRow, BlobState, CHUNKS, ChunkHashRow, ChunkKey},
    store::{Queued, Store, refused},
    transaction::{Changes, Rows},
};
use bytes::Bytes;
use nightdrop_wire::{
    authorization::Authorization,
    ids::BlobId,
    messages::blob::ChunkHash,
    quarter::QuarterHour,
    size_class::SizeClass,
    token::{Token, TokenHash},
};
use rand::CryptoRng;
use sha2::{Digest, Sha256};
use std::ops::{ControlFlow, RangeInclusive};

impl Store {
    /// Stores a sealed chunk, in place of whatever was there.
    ///
    /// [`StoreError::Refused`] without the blob's write key or if its size is that of no class;
    /// [`StoreError::Conflict`] beyond the blob's count, with another class than the full one in a blob of several
    /// chunks, or if the blob is finished and holds another chunk there (the same chunk is answered alike).
    #[must_use]
    pub fn put_chunk(
        &self,
        id: BlobId,
        n: u32,
        write_key: &Token,
        sealed: &[u8],
        rng: &mut dyn CryptoRng,
    ) -> Queued<()> {
        let write_key = token_hash(write_key);
        let chunk = match self.seal_chunk(id, n, &write_key, sealed, rng) {
            Ok(chunk) => chunk,
            Err(error) => return refused(error),
        };
        let length = sealed.len();
        self.queue(chunk.weight(), move |rows| {
            let row = blobs::writable(rows, id, &write_key)?;
            check_place(&row, n, length)?;
            if row.state == BlobState::Open {
                return Ok(Checked::Write(move |changes: &Changes<'_>| chunk.write(changes)));
            }
            let held = rows.row::<ChunkHashRow>(&(*id.as_bytes(), n))?;
            let same = held.is_some_and(|held| held.0 == chunk.hash);
            if same { Ok(Checked::Already(())) } else { Err(StoreError::Conflict) }
        })
    }

    /// A sealed chunk of a finished blob.
    ///
    /// # Errors
    /// [`StoreError::Refused`] unless the blob is finished, has such a chunk, and its read token or one of its tickets
    /// is shown; [`StoreError::Damaged`], [`StoreError::Database`].
    pub fn read_chunk(
        &self,
        id: BlobId,
        n: u32,
        shown: &Authorization,
        now: QuarterHour,
    ) -> Result<Bytes, StoreError> {
        let snapshot = self.snapshot()?;
        let row = blobs::readable(&snapshot, id, shown, now)?;
        if n >= row.chunks {
            return Err(StoreError::Refused);
        }
        let key = at_rest_keys::read(&snapshot, ObjectName::blob(id))?;
        let stored = snapshot.copy(&CHUNKS, &(*id.as_bytes(), n))?.ok_or(StoreError::Damaged(CHUNKS.name))?;
        at_rest::open(&key, &place(id, n), stored)
    }

    /// Checks as far as it can be seen before the operation's turn, so that nothing is sealed for whoever has no right.
    fn seal_chunk(
        &self,
        id: BlobId,
        n: u32,
        write_key: &TokenHash,
        sealed: &[u8],
        rng: &mut dyn CryptoRng,
    ) -> Result<SealedChunk, StoreError> {
        SizeClass::of_sealed(sealed.len()).ok_or(StoreError::Refused)?;
        let snapshot = self.snapshot()?;
        let row = blobs::writable(&snapshot, id, write_key)?;
        check_place(&row, n, sealed.len())?;
        let key = at_rest_keys::read(&snapshot, ObjectName::blob(id))?;
        SealedChunk::seal(id, n, &key, sealed, rng)
    }
}

/// Whether the blob has a place `n` for a chunk of this length.
fn check_place(row: &BlobRow, n: u32, length: usize) -> Result<(), StoreError> {
    let fits = row.chunks == 1 || length == SizeClass::FULL.sealed();
    if n < row.chunks && fits { Ok(()) } else { Err(StoreError::Conflict) }
}

fn place(id: BlobId, n: u32) -> Place {
    Place { table: CHUNKS.name, object: ObjectName::blob(id), index: n }
}

/// The places of a blob's chunks from number `n` on.
pub(crate) fn from(id: BlobId, n: u32) -> RangeInclusive<ChunkKey> {
    (*id.as_bytes(), n)..=(*id.as_bytes(), u32::MAX)
}

/// A chunk, sealed at rest for its place.
pub(crate) struct SealedChunk {
    key: ChunkKey,
    stored: Vec<u8>,
    hash: ChunkHash,
}

impl SealedChunk {
    /// Seals chunk `n` of a blob under the blob's key.
    pub(crate) fn seal(
        id: BlobId,
        n: u32,
        key: &AtRestKey,
        sealed: &[u8],
        rng: &mut dyn CryptoRng,
    ) -> Result<Self, StoreError> {
        let stored = at_rest::seal(key, &place(id, n), sealed, rng)?;
        Ok(Self { key: (*id.as_bytes(), n), stored, hash: chunk_hash(sealed) })
    }

    /// Bytes that it adds to a batch.
    pub(crate) fn weight(&self) -> usize {
        self.stored.len()
    }

    /// Stores chunk and hash.
    pub(crate) fn write(self, changes: &Changes<'_>) -> Result<(), Failure> {
        changes.put_bytes(&CHUNKS, &self.key, &self.stored)?;
        changes.put(&self.key, &ChunkHashRow(self.hash))
    }
}

/// SHA-256 over the hashes of all chunks that are held, and how many there are; `None` unless they are the first ones, and at least one.
pub(crate) fn digest_of_all(rows: &impl Rows, id: BlobId) -> Result<Option<([u8; 32], u32)>, StoreError> {
    let mut hasher = Sha256::new();
    let (mut held, mut in_order) = (0, true);
    rows.each(&ChunkHashRow::TABLE, from(id, 0), |key, bytes| {
        let ChunkHashRow(hash) = crate::row::decode(&key, bytes)?;
        in_order &= key.1 == held;
        held += 1;
        hasher.update(hash);
        Ok(ControlFlow::Continue(()))
    })?;
    Ok((in_order && held > 0).then(|| (hasher.finalize().into(), held)))
}
