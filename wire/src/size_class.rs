//! Size classes: the only sizes that a sealed chunk or a sealed manifest may have.
//!
//! redb keeps a value in pages of powers of two; a value one byte over a page takes twice the room. So what is
//! *stored* fills a page, less the 28 bytes that redb needs beside it, and what crosses the network is smaller by what
//! the relay's own encryption at rest adds, and what a user's file may fill is smaller by what the seal adds.
//!
//! ```text
//! page 2^k = redb's header and key (28) ‖ stored value
//! stored   = nonce (24) ‖ sealed ‖ tag (16)          at rest, under the relay's key
//! sealed   = nonce (24) ‖ padded plaintext ‖ tag (16) a chunk, under the file's key
//! ```

/// Bytes of a page that redb keeps for itself with a key of 20 bytes.
const PAGE_OVERHEAD: usize = 28;
/// Bytes that encryption at rest adds: nonce and tag of XChaCha20-Poly1305.
pub const AT_REST_OVERHEAD: usize = 24 + 16;
/// Bytes that sealing a chunk adds: nonce and tag of XChaCha20-Poly1305.
pub const CHUNK_OVERHEAD: usize = 24 + 16;

/// One of the nine sizes, by its page: 4 KiB, 8 KiB, … 1 MiB.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct SizeClass {
    page_bits: u32,
}

impl SizeClass {
    /// The smallest class: a page of 4 KiB.
    pub const SMALLEST: Self = Self { page_bits: 12 };
    /// The class of every chunk of a blob that has more than one: a page of 1 MiB.
    pub const FULL: Self = Self { page_bits: 20 };

    /// All classes, the smallest first.
    pub fn all() -> impl Iterator<Item = Self> {
        (Self::SMALLEST.page_bits..=Self::FULL.page_bits).map(|page_bits| Self { page_bits })
    }

    /// Bytes of the page that it fills.
    #[must_use]
    pub const fn page(self) -> u64 {
        1 << self.page_bits
    }

    /// Bytes of the value as the relay stores it.
    #[must_use]
    pub const fn stored(self) -> usize {
        (1 << self.page_bits) - PAGE_OVERHEAD
    }

    /// Bytes that cross the network.
    #[must_use]
    pub const fn sealed(self) -> usize {
        self.stored() - AT_REST_OVERHEAD
    }

    /// Bytes of plaintext that a chunk of this class holds.
    #[must_use]
    pub const fn chunk_plaintext(self) -> usize {
        self.sealed() - CHUNK_OVERHEAD
    }

    /// The class whose sealed size is exactly `sealed` bytes.
    #[must_use]
    pub fn of_sealed(sealed: usize) -> Option<Self> {
        Self::all().find(|class| class.sealed() == sealed)
    }

    /// The smallest class whose sealed size is at least `sealed` bytes.
    #[must_use]
    pub fn fitting_sealed(sealed: usize) -> Option<Self> {
        Self::all().find(|class| class.sealed() >= sealed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_chunk_has_the_sizes_of_the_protocol_page() {
        assert_eq!(SizeClass::FULL.stored(), 1_048_548);
        assert_eq!(SizeClass::FULL.sealed(), 1_048_508);
        assert_eq!(SizeClass::FULL.chunk_plaintext(), 1_048_468);
        assert_eq!(SizeClass::SMALLEST.chunk_plaintext(), 3_988);
        assert_eq!(SizeClass::all().count(), 9);
    }

    #[test]
    fn only_exact_sizes_are_a_class() {
        for class in SizeClass::all() {
            assert_eq!(SizeClass::of_sealed(class.sealed()), Some(class));
            assert_eq!(SizeClass::of_sealed(class.sealed() + 1), None);
            assert_eq!(SizeClass::of_sealed(class.sealed() - 1), None);
            assert_eq!(SizeClass::fitting_sealed(class.sealed()), Some(class));
        }
        assert_eq!(SizeClass::fitting_sealed(0), Some(SizeClass::SMALLEST));
        assert_eq!(SizeClass::fitting_sealed(SizeClass::FULL.sealed() + 1), None);
    }
}
