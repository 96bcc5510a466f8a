//! What is uploaded: a file, whose length is known, or a stream, whose is not.

use super::{ChunkQueue, Source, Stream};
use crate::ClientError;
use nightdrop_envelope::{chunk::ChunkBuffer, manifest::FileFacts};
use nightdrop_wire::limits::MAX_CHUNKS;

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

impl From<Source> for Content {
    fn from(source: Source) -> Self {
        let queue = ChunkQueue::new(source.layout().chunks());
        Self::File(FileContent { source, queue })
    }
}

impl From<Stream> for Content {
    fn from(stream: Stream) -> Self {
        Self::Stream(stream)
    }
}

impl Content {
    /// Bytes that will cross the network, if it is known.
    pub(super) fn sealed_bytes(&self) -> Option<u64> {
        match self {
            Self::File(file) => Some(file.source.layout().sealed_bytes()),
            Self::Stream(_) => None,
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

    /// All chunks were given out: name, size and time, and SHA-256 of the content.
    ///
    /// # Errors
    /// [`ClientError::FileChanged`] if a file is no longer what it was when it was opened.
    pub(super) fn finish(&self) -> Result<(FileFacts, [u8; 32]), ClientError> {
        match self {
            Self::File(FileContent { source, .. }) => {
                source.require_unchanged()?;
                Ok((source.facts().clone(), *source.content()))
            }
            Self::Stream(stream) => Ok(stream.finish()),
        }
    }
}
