//! Chunks: each of a size class, replaceable until the blob is finished. Their hashes stand in a table of their own.

use crate::{
    at_rest::{self, AtRestKey, Frame, Place},
    at_rest_keys, blobs,
    day::Day,
    digest::{chunk_hash, token_hash},
    error::{Failure, StoreError},
    lease::Moment,
    object::ObjectName,
    operation::Checked,
    row::Row,
    schema::{BlobRow, BlobState, CHUNKS, ChunkHashRow, ChunkKey},
    store::{Queued, Store, refused},
    transaction::{Changes, Rows},
};
use bytes::{Bytes, BytesMut};
use nightdrop_wire::{
    authorization::Authorization,
    ids::BlobId,
    limits::MAX_HELD_CHUNKS,
    messages::blob::{ChunkHash, HeldChunk, HeldChunks},
    quarter::QuarterHour,
    size_class::SizeClass,
    token::{Token, TokenHash},
};
use rand::CryptoRng;
use sha2::{Digest, Sha256};
use std::ops::{ControlFlow, RangeInclusive};

impl Store {
    /// Stores a sealed chunk, in place of whatever was there. It is sealed again where its bytes lie.
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
        sealed: BytesMut,
        today: Day,
        rng: &mut dyn CryptoRng,
    ) -> Queued<()> {
        let (write_key, length, moment) = (token_hash(write_key), sealed.len(), self.on(today));
        let chunk = match self.seal_chunk((id, n), &write_key, sealed, moment, rng) {
            Ok(chunk) => chunk,
            Err(error) => return refused(error),
        };
        self.queue(chunk.weight(), move |rows| {
            let row = blobs::writable(rows, id, &write_key, moment)?;
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
        let row = blobs::readable(&snapshot, id, shown, self.at(now))?;
        if n >= row.chunks {
            return Err(StoreError::Refused);
        }
        let key = at_rest_keys::read(&snapshot, ObjectName::blob(id))?;
        let stored = snapshot.copy(&CHUNKS, &(*id.as_bytes(), n))?.ok_or(StoreError::Damaged(CHUNKS.name))?;
        at_rest::open(&key, &place(id, n), stored)
    }

    /// The chunks that an unfinished blob holds, from number `from` on, as many as a page takes.
    ///
    /// # Errors
    /// [`StoreError::Refused`] unless the blob is there, unfinished, and its write key is shown; [`StoreError::Damaged`],
    /// [`StoreError::Database`].
    pub fn held_chunks(
        &self,
        id: BlobId,
        write_key: &Token,
        from: u32,
        today: Day,
    ) -> Result<HeldChunks, StoreError> {
        let snapshot = self.snapshot()?;
        let row = blobs::writable(&snapshot, id, &token_hash(write_key), self.on(today))?;
        if row.state != BlobState::Open {
            return Err(StoreError::Refused);
        }
        let mut chunks = Vec::new();
        snapshot.each(&ChunkHashRow::TABLE, self::from(id, from), |key, bytes| {
            let ChunkHashRow(hash) = crate::row::decode(&key, bytes)?;
            chunks.push(HeldChunk { index: key.1, hash });
            Ok(if chunks.len() < MAX_HELD_CHUNKS {
                ControlFlow::Continue(())
            } else {
                ControlFlow::Break(())
            })
        })?;
        Ok(HeldChunks { chunks })
    }

    /// Checks as far as it can be seen before the operation's turn, so that nothing is sealed for whoever has no right.
    fn seal_chunk(
        &self,
        (id, n): (BlobId, u32),
        write_key: &TokenHash,
        sealed: BytesMut,
        moment: Moment,
        rng: &mut dyn CryptoRng,
    ) -> Result<SealedChunk, StoreError> {
        SizeClass::of_sealed(sealed.len()).ok_or(StoreError::Refused)?;
        let snapshot = self.snapshot()?;
        let row = blobs::writable(&snapshot, id, write_key, moment)?;
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

/// The class of a blob's only chunk.
pub(crate) fn class_of_only(rows: &impl Rows, id: BlobId) -> Result<SizeClass, StoreError> {
    let stored = rows.value(&CHUNKS, &(*id.as_bytes(), 0), <[u8]>::len)?;
    let class = |stored| SizeClass::all().find(|class| class.stored() == stored);
    stored.and_then(class).ok_or(StoreError::Damaged(CHUNKS.name))
}

/// The places of a blob's chunks from number `n` on.
pub(crate) fn from(id: BlobId, n: u32) -> RangeInclusive<ChunkKey> {
    (*id.as_bytes(), n)..=(*id.as_bytes(), u32::MAX)
}

/// A chunk, sealed at rest for its place.
pub(crate) struct SealedChunk {
    key: ChunkKey,
    frame: Frame,
    body: BytesMut,
    hash: ChunkHash,
}

impl SealedChunk {
    /// Seals chunk `n` of a blob under the blob's key.
    pub(crate) fn seal(
        id: BlobId,
        n: u32,
        key: &AtRestKey,
        mut body: BytesMut,
        rng: &mut dyn CryptoRng,
    ) -> Result<Self, StoreError> {
        let hash = chunk_hash(&body);
        let frame = at_rest::seal_in_place(key, &place(id, n), &mut body, rng)?;
        Ok(Self { key: (*id.as_bytes(), n), frame, body, hash })
    }

    /// Bytes that it adds to a batch.
    pub(crate) fn weight(&self) -> usize {
        self.stored().iter().map(|part| part.len()).sum()
    }

    /// Stores chunk and hash.
    pub(crate) fn write(self, changes: &Changes<'_>) -> Result<(), Failure> {
        changes.put_parts(&CHUNKS, &self.key, self.stored())?;
        changes.put(&self.key, &ChunkHashRow(self.hash))
    }

    fn stored(&self) -> [&[u8]; 3] {
        self.frame.around(&self.body)
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
