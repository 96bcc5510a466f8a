//! How much of the file is in use: the pages of everything that is stored, counted with each change and kept with it.
//!
//! redb does not say how many of its pages are free, and counting them would read the whole file. This count leaves
//! out redb's inner pages, and it starts, in a file that has none, from all that the file takes: so it is never used to
//! promise room, only to use room again after ends ([`crate::room`]).

use crate::{
    error::StoreError,
    schema::{META, VOLUME},
    transaction::Rows,
};

/// Bytes that redb keeps of a page beside key and value.
const PAGE_OVERHEAD: usize = 8;
const PAGE: usize = 4096;

/// Bytes of pages that a stored value takes, with its key.
pub(crate) fn of(key: usize, value: usize) -> i64 {
    let bytes = key.saturating_add(value).saturating_add(PAGE_OVERHEAD);
    // Small ones share pages, which are about half full.
    let pages = if bytes < PAGE / 2 { bytes * 2 } else { bytes.next_power_of_two().max(PAGE) };
    i64::try_from(pages).unwrap_or(i64::MAX)
}

/// The count that is kept; `None` if there is none yet.
pub(crate) fn kept(rows: &impl Rows) -> Result<Option<u64>, StoreError> {
    let bytes = rows.value(&META, &VOLUME, |bytes| <[u8; 8]>::try_from(bytes).ok())?;
    Ok(bytes.flatten().map(u64::from_le_bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::common::{Fixture, TestBlob};
    use nightdrop_wire::size_class::SizeClass;

    #[test]
    fn a_chunk_counts_as_its_page_and_small_rows_as_twice_their_size() {
        for class in SizeClass::all() {
            assert_eq!(of(20, class.stored()), i64::try_from(class.stored() + 28).unwrap());
        }
        assert_eq!(of(16, 40), 128);
        assert_eq!(of(32, 4068), 8192, "one byte over a page takes two");
    }

    /// M42: what is stored of a file depends on nothing but its sealed sizes.
    #[test]
    fn m42_equal_sizes_take_equal_room() {
        let taken = |class: SizeClass, byte: u8| {
            let fixture = Fixture::new();
            let kept = || kept(&fixture.store().snapshot().unwrap()).unwrap().unwrap();
            let (mut blob, credit) = (TestBlob::new(1), fixture.credit());
            blob.chunks[0].fill(byte);
            // There is a count from the first write on.
            fixture.whole_blob();
            let before = kept();
            fixture.create(&blob.create_whole(credit, class)).unwrap();
            kept() - before
        };
        let classes: Vec<_> = SizeClass::all().take(4).collect();
        let sizes: Vec<_> = classes.iter().map(|class| taken(*class, 0)).collect();
        for (class, size) in classes.iter().zip(&sizes) {
            assert_eq!((taken(*class, 7), taken(*class, 0xff)), (*size, *size));
        }
        assert!(sizes.is_sorted_by(|one, next| one < next), "the probe sees classes: {sizes:?}");
    }
}
