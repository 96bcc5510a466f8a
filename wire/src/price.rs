//! What storing costs, in units of [`UNIT`] bytes: the pages that the store takes for it, rounded up.
//!
//! A blob pays for its chunks and its manifest when it is made; while it is open, for as many chunks as it may come to have. Its tickets and claims
//! are paid with it. A log pays for its entries, before they are appended.

use crate::{
    denomination::UNIT,
    limits::{ENTRY_SIZES, MAX_CHUNKS},
    size_class::SizeClass,
};

/// What a log costs in which there is little yet.
pub const LOG: u32 = 1;
/// Units that are paid for a log at most: 1 GiB, which is more than the longest takes.
pub const LONGEST_LOG: u32 = 16_384;
/// Bytes that a log's entry takes beside its own, in a page that is half full like itself: the seal at rest, the chain, its place, and its part of the
/// pages above. Measured: no size of an entry takes more.
const BESIDE_ENTRY: u64 = 160;
/// What stays paid when a blob is destroyed: for what is remembered of it, and so that making and destroying is not free.
pub const KEPT: u32 = 1;
/// Bytes of a manifest beside the hashes of its chunks, at most.
const MANIFEST_BESIDE_HASHES: usize = 512;

/// Bytes of pages that an entry of this length takes. Two of the longer ones do not fit a page, so each has one that is half empty.
#[must_use]
pub const fn of_entry(length: usize) -> u64 {
    (length as u64).saturating_mul(2).saturating_add(BESIDE_ENTRY)
}

/// Bytes that so many entries take, at least and at most.
#[must_use]
pub const fn bounds_of_entries(count: u64) -> (u64, u64) {
    let [shortest, .., longest] = ENTRY_SIZES;
    (count.saturating_mul(of_entry(shortest)), count.saturating_mul(of_entry(longest)))
}

/// What a log costs whose entries take so many bytes, in units.
#[must_use]
pub fn of_log(taken: u64) -> u32 {
    units_of_pages(taken).max(LOG)
}

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
    // Nothing is so long.
    u32::try_from(bytes.div_ceil(UNIT)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::MAX_LOG_ENTRIES;

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
    fn a_log_costs_what_its_entries_take_and_one_unit_at_least() {
        assert_eq!(ENTRY_SIZES.map(of_entry), [1_184, 2_208, 4_256, 8_352]);
        assert_eq!((of_log(0), of_log(UNIT), of_log(UNIT + 1), of_log(10 * UNIT)), (1, 1, 2, 10));
        assert_eq!(bounds_of_entries(100), (118_400, 835_200));
        assert_eq!(of_log(u64::MAX), u32::MAX);
        // 256 MiB of the longest, and as many entries as a log may have.
        assert!(of_log((2 << 28) + MAX_LOG_ENTRIES * BESIDE_ENTRY) < LONGEST_LOG);
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
