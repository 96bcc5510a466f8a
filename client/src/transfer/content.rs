//! What is uploaded: a file, whose length is known, or a stream, whose is not.

use super::{ChunkQueue, Source, Stream};
use crate::ClientError;
use nightdrop_envelope::{
    chunk::ChunkBuffer,
    journal::Origin,
    layout::Layout,
    manifest::{FileFacts, manifest_class},
};
use nightdrop_wire::{limits::MAX_CHUNKS, price};
use std::collections::BTreeSet;

/// Chunks that a stream pays for when it begins.
pub(super) const FIRST_CHUNKS: u32 = 16;

/// What is uploaded.
#[derive(Debug)]
pub enum Content {
    /// A file.
    File(FileContent),
    /// A stream.
    Stream(Stream),
}

/// A file, and how far it was given out.
#[derive(Debug)]
pub struct FileContent {
    source: Source,
    queue: ChunkQueue,
}

impl From<Source> for FileContent {
    fn from(source: Source) -> Self {
        let queue = ChunkQueue::new(source.layout().chunks());
        Self { source, queue }
    }
}

impl From<Source> for Content {
    fn from(source: Source) -> Self {
        Self::File(source.into())
    }
}

impl FileContent {
    pub(super) const fn source(&self) -> &Source {
        &self.source
    }

    /// What its blob costs, in units.
    pub(super) fn price(&self) -> Result<u32, ClientError> {
        price_of(Some(&self.source.layout()))
    }

    /// The same without the chunks that the relay holds.
    pub(super) fn without(self, held: BTreeSet<u32>) -> Self {
        let Self { source, queue: _ } = self;
        let queue = ChunkQueue::without(source.layout().chunks(), held);
        Self { source, queue }
    }
}

impl From<Stream> for Content {
    fn from(stream: Stream) -> Self {
        Self::Stream(stream)
    }
}

impl Content {
    /// Bytes of its sealed chunks; 0 if it is not known.
    pub(super) fn sealed_bytes(&self) -> u64 {
        match self {
            Self::File(file) => file.source.layout().sealed_bytes(),
            Self::Stream(_) => 0,
        }
    }

    /// Those of them that need not be sent, before any is.
    pub(super) fn held_bytes(&self) -> u64 {
        match self {
            Self::File(FileContent { source, queue }) => {
                let held = source.layout().chunks().saturating_sub(queue.left());
                u64::from(held) * source.layout().class().sealed() as u64
            }
            Self::Stream(_) => 0,
        }
    }

    /// Where a file comes from.
    pub(super) const fn origin(&self) -> Option<&Origin> {
        match self {
            Self::File(file) => Some(file.source.origin()),
            Self::Stream(_) => None,
        }
    }

    /// What its blob costs, in units; of a stream of many chunks, the first of them.
    pub(super) fn price(&self) -> Result<u32, ClientError> {
        match self {
            Self::File(file) => file.price(),
            Self::Stream(stream) => price_of(stream.layout_of_one().as_ref()),
        }
    }

    /// How many chunks are left to be sent at most, before any is.
    pub(super) fn chunks_to_send(&self) -> u32 {
        match self {
            Self::File(file) => file.queue.left(),
            Self::Stream(_) => MAX_CHUNKS,
        }
    }

    /// How many chunks there are at most.
    pub(super) const fn most_chunks(&self) -> u32 {
        match self {
            Self::File(file) => file.source.layout().chunks(),
            Self::Stream(_) => MAX_CHUNKS,
        }
    }

    /// The only chunk, if there is but one.
    pub(super) fn whole(&self) -> Result<Option<ChunkBuffer>, ClientError> {
        match self {
            Self::File(file) if file.source.layout().chunks() == 1 => file.source.read_chunk(0).map(Some),
            Self::File(_) => Ok(None),
            Self::Stream(stream) => stream.whole(),
        }
    }

    /// The next chunk and its index, padding included; each is given out once.
    pub(super) fn next_chunk(&self) -> Result<Option<(u32, ChunkBuffer)>, ClientError> {
        match self {
            Self::File(FileContent { source, queue }) => {
                let next = queue.take().map(|index| Ok((index, source.read_chunk(index)?)));
                next.transpose()
            }
            Self::Stream(stream) => stream.next_chunk(),
        }
    }

    /// A chunk that was given out; a stream has none to give again.
    pub(super) fn chunk_again(&self, index: u32) -> Result<ChunkBuffer, ClientError> {
        match self {
            Self::File(file) => file.source.read_chunk(index),
            Self::Stream(_) => Err(ClientError::NotResumable),
        }
    }

    /// Refuses a file that is no longer what it was when it was opened.
    pub(super) fn require_unchanged(&self) -> Result<(), ClientError> {
        match self {
            Self::File(file) => file.source.require_unchanged(),
            Self::Stream(_) => Ok(()),
        }
    }

    /// All chunks were given out: name, size and time, and SHA-256 of the content.
    ///
    /// # Errors
    /// [`ClientError::FileChanged`] if a file is no longer what it was when it was opened.
    pub(super) fn finish(&self) -> Result<(FileFacts, [u8; 32]), ClientError> {
        match self {
            Self::File(FileContent { source, .. }) => {
                self.require_unchanged()?;
                Ok((source.facts().clone(), *source.content()))
            }
            Self::Stream(stream) => Ok(stream.finish()),
        }
    }
}

/// What a blob of this layout costs, or of one that is not known yet.
fn price_of(layout: Option<&Layout>) -> Result<u32, ClientError> {
    let price = match layout {
        Some(layout) if layout.chunks() == 1 => {
            let manifest = manifest_class(layout).map_err(ClientError::Sealing)?;
            Some(price::of_whole(layout.class(), manifest))
        }
        Some(layout) => price::of_open(layout.chunks()),
        None => price::of_open(FIRST_CHUNKS),
    };
    // Nothing is without chunks.
    price.ok_or(ClientError::Stopped)
}
