//! How a file of a given size is cut: into how many chunks of which size, padding included.
//!
//! A file that fits one chunk takes the smallest size class that holds it. A longer one takes full chunks, whose number
//! is padded by Padmé (Nikitin et al., "Reducing Metadata Leakage from Encrypted Files and Communication with PURBs",
//! 2019): at most 12 % more, and only the size's few leading bits show.

use crate::OpenError;
use nightdrop_wire::{limits::MAX_CHUNKS, size_class::SizeClass};

/// The cut of one file. Two files with the same layout cannot be told apart by their sizes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    size: u64,
    class: SizeClass,
    chunks: u32,
}

impl Layout {
    /// The layout of a file of `size` bytes.
    ///
    /// # Errors
    /// [`OpenError::Inconsistent`] if that is more than [`Self::MAX_SIZE`].
    pub fn of_size(size: u64) -> Result<Self, OpenError> {
        let full = plaintext(SizeClass::FULL);
        if size <= full {
            let class = SizeClass::all().find(|class| size <= plaintext(*class)).unwrap_or(SizeClass::FULL);
            return Ok(Self { size, class, chunks: 1 });
        }
        let padded = padme(size.div_ceil(full));
        let chunks = u32::try_from(padded).map_err(|_| OpenError::Inconsistent)?;
        if chunks > MAX_CHUNKS {
            return Err(OpenError::Inconsistent);
        }
        Ok(Self { size, class: SizeClass::FULL, chunks })
    }

    /// Bytes of the largest file.
    pub const MAX_SIZE: u64 = MAX_CHUNKS as u64 * SizeClass::FULL.chunk_plaintext() as u64;

    /// Bytes of the file.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Size class of its chunks.
    #[must_use]
    pub const fn class(&self) -> SizeClass {
        self.class
    }

    /// Chunks, padding included.
    #[must_use]
    pub const fn chunks(&self) -> u32 {
        self.chunks
    }

    /// Where chunk `index` begins in the file. Beyond the file's end for chunks that are all padding.
    #[must_use]
    pub fn offset(&self, index: u32) -> u64 {
        u64::from(index) * plaintext(self.class)
    }

    /// Bytes of the file that chunk `index` holds; the rest of it is padding.
    #[must_use]
    pub fn content(&self, index: u32) -> usize {
        let left = self.size.saturating_sub(self.offset(index));
        usize::try_from(left).unwrap_or(usize::MAX).min(self.class.chunk_plaintext())
    }

    /// Bytes that cross the network for its chunks.
    #[must_use]
    pub fn sealed_bytes(&self) -> u64 {
        u64::from(self.chunks) * self.class.sealed() as u64
    }
}

fn plaintext(class: SizeClass) -> u64 {
    class.chunk_plaintext() as u64
}

/// `count` rounded up so that only about as many leading bits as the length of its length may be set.
pub(crate) fn padme(count: u64) -> u64 {
    if count < 2 {
        return count;
    }
    let exponent = count.ilog2();
    let significant = exponent.ilog2() + 1;
    let mask = (1_u64 << exponent.saturating_sub(significant)) - 1;
    count.saturating_add(mask) & !mask
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_file_takes_the_smallest_class_that_holds_it() {
        assert_eq!(Layout::of_size(0).unwrap().class(), SizeClass::SMALLEST);
        for class in SizeClass::all() {
            let fits = Layout::of_size(plaintext(class)).unwrap();
            assert_eq!((fits.class(), fits.chunks()), (class, 1));
        }
        let over = Layout::of_size(plaintext(SizeClass::SMALLEST) + 1).unwrap();
        assert_eq!(over.class().stored(), 8192 - 28);
        let two = Layout::of_size(plaintext(SizeClass::FULL) + 1).unwrap();
        assert_eq!((two.class(), two.chunks()), (SizeClass::FULL, 2));
    }

    #[test]
    fn sixty_four_mebibytes_are_65_chunks_padded_to_72() {
        let layout = Layout::of_size(64 << 20).unwrap();
        assert_eq!(layout.chunks(), 72);
        assert_eq!(layout.content(63), 1_048_468);
        assert_eq!(layout.content(64), (64 << 20) - 64 * 1_048_468);
        assert_eq!(layout.content(65), 0);
    }

    #[test]
    fn padding_is_monotone_bounded_and_idempotent() {
        let mut last = 0;
        for count in 1..=20_000 {
            let padded = padme(count);
            assert!(padded >= count && padded >= last);
            assert!(padded * 100 <= count * 112, "{count} -> {padded}");
            assert_eq!(padme(padded), padded);
            last = padded;
        }
    }

    #[test]
    fn what_is_stored_is_all_chunks_at_their_sealed_size() {
        for (size, sealed) in [(0, 4_028), (1_048_468, 1_048_508), (64 << 20, 72 * 1_048_508)] {
            let layout = Layout::of_size(size).unwrap();
            assert_eq!((layout.size(), layout.sealed_bytes()), (size, sealed));
        }
    }

    #[test]
    fn contents_of_all_chunks_add_up_to_the_file() {
        for size in [0, 1, 3_988, 3_989, 1_048_468, 1_048_469, 5_000_000, 100 << 20] {
            let layout = Layout::of_size(size).unwrap();
            let total: u64 = (0..layout.chunks()).map(|n| layout.content(n) as u64).sum();
            assert_eq!(total, size);
        }
    }

    #[test]
    fn m25_absurd_sizes_are_refused() {
        assert!(Layout::of_size(Layout::MAX_SIZE).is_ok());
        for size in [Layout::MAX_SIZE + 1, 1 << 63, u64::MAX] {
            assert_eq!(Layout::of_size(size).err(), Some(OpenError::Inconsistent));
        }
    }
}
