//! Content of unknown length that is uploaded as it comes.
//!
//! Two chunks are read ahead, so that it is known in time when there is only one: that is stored as a small file is. Nothing tells a stream
//! from a file of the same size but the number of chunks that its blob may have until it is finished.

use crate::ClientError;
use nightdrop_envelope::{chunk::ChunkBuffer, file_name::FileName, layout::Layout, manifest::FileFacts};
use nightdrop_wire::size_class::SizeClass;
use sha2::{Digest, Sha256};
use std::{
    collections::VecDeque,
    io::{self, ErrorKind, Read},
    sync::{Mutex, MutexGuard, PoisonError},
};

const AHEAD: usize = 2;

/// A stream on its way.
pub struct Stream {
    name: FileName,
    reading: Mutex<Reading>,
}

struct Reading {
    reader: Box<dyn Read + Send>,
    hash: Sha256,
    size: u64,
    ahead: VecDeque<ChunkBuffer>,
    ended: bool,
    given: u32,
}

impl Stream {
    /// Reads the first chunks of what is to be stored as `name`.
    ///
    /// # Errors
    /// [`ClientError::Input`].
    pub fn begin(reader: impl Read + Send + 'static, name: FileName) -> Result<Self, ClientError> {
        let mut reading = Reading {
            reader: Box::new(reader),
            hash: Sha256::new(),
            size: 0,
            // Also an empty stream has a chunk.
            ahead: VecDeque::new(),
            ended: false,
            given: 0,
        };
        reading.fill().map_err(ClientError::Input)?;
        Ok(Self { name, reading: Mutex::new(reading) })
    }

    /// The layout, if there is but one chunk, which is known before any is given out.
    pub(super) fn layout_of_one(&self) -> Option<Layout> {
        let reading = self.reading();
        let is_one = reading.ended && reading.ahead.len() <= 1 && reading.given == 0;
        if is_one { Layout::of_size(reading.size).ok() } else { None }
    }

    /// The only chunk, in its size class, if there is but one.
    pub(super) fn whole(&self) -> Result<Option<ChunkBuffer>, ClientError> {
        let Some(layout) = self.layout_of_one() else { return Ok(None) };
        let mut reading = self.reading();
        let mut only = reading.ahead.pop_front().unwrap_or_else(|| ChunkBuffer::new(SizeClass::FULL));
        let mut chunk = ChunkBuffer::new(layout.class());
        for (to, from) in chunk.plaintext_mut().iter_mut().zip(only.plaintext_mut().iter()) {
            *to = *from;
        }
        Ok(Some(chunk))
    }

    /// The next chunk and its index; after the last one those that are all padding.
    pub(super) fn next_chunk(&self) -> Result<Option<(u32, ChunkBuffer)>, ClientError> {
        let mut reading = self.reading();
        let too_large = || ClientError::TooLarge { path: self.name.as_str().into() };
        let index = reading.given;
        let chunk = match reading.ahead.pop_front() {
            Some(chunk) => {
                reading.fill().map_err(ClientError::Input)?;
                chunk
            }
            None => {
                let chunks = Layout::of_size(reading.size).map_err(|_| too_large())?.chunks();
                if index >= chunks {
                    return Ok(None);
                }
                ChunkBuffer::new(SizeClass::FULL)
            }
        };
        // Ends what has no end, too.
        if reading.size > Layout::MAX_SIZE {
            return Err(too_large());
        }
        reading.given += 1;
        Ok(Some((index, chunk)))
    }

    /// What is known at the end: name and size, and SHA-256 of the content.
    pub(super) fn finish(&self) -> (FileFacts, [u8; 32]) {
        let reading = self.reading();
        let facts = FileFacts { name: self.name.clone(), size: reading.size, modified: None };
        (facts, reading.hash.clone().finalize().into())
    }

    fn reading(&self) -> MutexGuard<'_, Reading> {
        // After an error nothing is read any more.
        self.reading.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Reading {
    fn fill(&mut self) -> io::Result<()> {
        while self.ahead.len() < AHEAD && !self.ended {
            let mut chunk = ChunkBuffer::new(SizeClass::FULL);
            let room = chunk.plaintext_mut();
            let length = read_full(&mut self.reader, room)?;
            self.ended = length < room.len();
            self.hash.update(room.get(..length).unwrap_or_default());
            self.size += length as u64;
            if length > 0 {
                self.ahead.push_back(chunk);
            }
        }
        Ok(())
    }
}

/// As much as there is, or as fits.
fn read_full(reader: &mut dyn Read, room: &mut [u8]) -> io::Result<usize> {
    let mut length = 0;
    while let Some(rest) = room.get_mut(length..).filter(|rest| !rest.is_empty()) {
        match reader.read(rest) {
            Ok(0) => break,
            Ok(read) => length += read,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(length)
}

impl std::fmt::Debug for Stream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { name: _, reading: _ } = self;
        f.write_str("Stream")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FULL: usize = SizeClass::FULL.chunk_plaintext();

    fn stream(length: usize) -> Stream {
        let name = FileName::parse("stream").unwrap();
        // In pieces of odd lengths, as a pipe gives them.
        let reader = io::repeat(7).take(1000).chain(io::repeat(7).take(length.saturating_sub(1000) as u64));
        let reader: Box<dyn Read + Send> =
            if length < 1000 { Box::new(io::repeat(7).take(length as u64)) } else { Box::new(reader) };
        Stream::begin(reader, name).unwrap()
    }

    #[test]
    fn what_fits_a_chunk_is_cut_as_a_file_of_its_size() {
        for length in [0, 1, 3_988, 3_989, FULL - 1, FULL] {
            let stream = stream(length);
            let mut only = stream.whole().unwrap().unwrap();
            let class = Layout::of_size(length as u64).unwrap().class();
            let plaintext = only.plaintext_mut();
            assert_eq!(plaintext.len(), class.chunk_plaintext());
            assert!(plaintext[..length].iter().all(|byte| *byte == 7));
            assert!(plaintext[length..].iter().all(|byte| *byte == 0));
            assert_eq!(stream.finish().0.size, length as u64);
        }
    }

    #[test]
    fn longer_ones_are_padded_as_files_are() {
        for length in [FULL + 1, 2 * FULL, 17 * FULL + 5] {
            let stream = stream(length);
            assert!(stream.whole().unwrap().is_none());
            let (mut content, mut chunks) = (0, 0);
            while let Some((index, mut chunk)) = stream.next_chunk().unwrap() {
                assert_eq!(index, chunks);
                chunks += 1;
                content += chunk.plaintext_mut().iter().filter(|byte| **byte == 7).count();
            }
            let layout = Layout::of_size(length as u64).unwrap();
            assert_eq!((content, chunks), (length, layout.chunks()));
            let (facts, hash) = stream.finish();
            assert_eq!(facts.size, length as u64);
            assert_eq!(hash, <[u8; 32]>::from(Sha256::digest(vec![7; length])));
        }
    }
}
