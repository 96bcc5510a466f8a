//! What storing costs, in units of [`UNIT`] bytes: the pages that the store takes for it, rounded up.
//!
//! A blob pays for its chunks and its manifest when it is made; while it is open, for as many chunks as it may come to have. Its tickets and claims
//! are paid with it. A log costs one unit, however long it grows.

use crate::{denomination::UNIT, limits::MAX_CHUNKS, size_class::SizeClass};

/// What a log costs.
pub const LOG: u32 = 1;
/// What stays paid when a blob is destroyed: for what is remembered of it, and so that making and destroying is not free.
pub const KEPT: u32 = 1;
/// Bytes of a manifest beside the hashes of its chunks, at most.
const MANIFEST_BESIDE_HASHES: usize = 512;

/// What a blob costs that is stored whole.
#[must_use]
pub fn of_whole(chunk: SizeClass, manifest: SizeClass) -> u32 {
    units(1, chunk, manifest)
}

/// What a blob costs that may have so many chunks; at most [`MAX_CHUNKS`] are counted. `None` for no chunks.
#[must_use]
pub fn of_open(chunks: u32) -> Option<u32> {
    let chunks = chunks.min(MAX_CHUNKS);
    (chunks > 0).then(|| units(chunks, SizeClass::FULL, manifest_class(chunks)))
}

/// What a blob takes that has so many full chunks, and a manifest of this class.
#[must_use]
pub fn of_finished(chunks: u32, manifest: SizeClass) -> u32 {
    units(chunks, SizeClass::FULL, manifest)
}

/// How many chunks a blob may have that so much was paid for.
#[must_use]
pub fn chunks_for(paid: u32) -> u32 {
    // A manifest takes less than the first chunk that has to be given up for it.
    let most = (paid / units_of_pages(SizeClass::FULL.page())).min(MAX_CHUNKS);
    let fits = |chunks: &u32| of_open(*chunks).is_some_and(|price| price <= paid);
    [most, most.saturating_sub(1)].into_iter().find(fits).unwrap_or(0)
}

/// The largest class of a manifest that so many chunks pay for.
fn manifest_class(chunks: u32) -> SizeClass {
    let hashes = usize::try_from(chunks).unwrap_or(usize::MAX).saturating_mul(32);
    SizeClass::fitting_sealed(hashes.saturating_add(MANIFEST_BESIDE_HASHES)).unwrap_or(SizeClass::FULL)
}

fn units(chunks: u32, chunk: SizeClass, manifest: SizeClass) -> u32 {
    units_of_pages(u64::from(chunks) * chunk.page() + manifest.page())
}

fn units_of_pages(bytes: u64) -> u32 {
    // No blob is so long.
    u32::try_from(bytes.div_ceil(UNIT)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_blob_costs_the_pages_that_it_takes() {
        let small = SizeClass::SMALLEST;
        assert_eq!(of_whole(small, small), 1);
        let largest_for_one = SizeClass::all().filter(|class| of_whole(*class, small) == 1).max();
        assert_eq!(largest_for_one.map(SizeClass::page), Some(32 * 1024));
        assert_eq!(of_whole(SizeClass::FULL, small), 17);
        assert_eq!(of_open(0), None);
        assert_eq!(of_open(1), Some(17));
        assert_eq!(of_open(16), Some(257));
        assert_eq!(of_open(MAX_CHUNKS), Some(16 * MAX_CHUNKS + 16));
        assert_eq!(of_open(u32::MAX), of_open(MAX_CHUNKS));
        assert_eq!(of_finished(16, small), 257);
    }

    #[test]
    fn what_was_paid_is_enough_for_as_many_chunks_and_not_one_more() {
        for chunks in (1..2_000).chain(MAX_CHUNKS - 5..=MAX_CHUNKS) {
            let price = of_open(chunks).unwrap();
            assert_eq!(chunks_for(price), chunks);
            assert_eq!(chunks_for(price - 1), chunks - 1);
        }
        assert_eq!((chunks_for(0), chunks_for(16), chunks_for(u32::MAX)), (0, 0, MAX_CHUNKS));
    }
}
