//! How a file is cut: nothing is lost, padding is bounded, and the number of chunks shows a few leading bits of the size only.

use nightdrop_envelope::layout::Layout;
use nightdrop_wire::{limits::MAX_CHUNKS, size_class::SizeClass};

/// The first eight bytes are a size.
pub(crate) fn layout(input: &[u8]) -> bool {
    let Some((bytes, _)) = input.split_first_chunk() else { return false };
    let size = u64::from_be_bytes(*bytes);
    let layout = Layout::of_size(size);
    assert_eq!(layout.is_ok(), size <= Layout::MAX_SIZE);
    let Ok(layout) = layout else { return false };
    assert_eq!(layout.size(), size);
    assert!((1..=MAX_CHUNKS).contains(&layout.chunks()));
    let plaintext = layout.class().chunk_plaintext() as u64;
    assert!(size <= u64::from(layout.chunks()) * plaintext, "it does not fit");
    if layout.chunks() == 1 {
        let smaller = SizeClass::all().take_while(|class| *class < layout.class()).last();
        assert!(
            smaller.is_none_or(|class| (class.chunk_plaintext() as u64) < size),
            "a smaller class is enough"
        );
    } else {
        assert_eq!(layout.class(), SizeClass::FULL);
        padme(size.div_ceil(plaintext), u64::from(layout.chunks()));
    }
    let covered = (0..layout.chunks()).fold(0, |offset, index| {
        assert_eq!(layout.offset(index), u64::from(index) * plaintext);
        assert_eq!(layout.content(index) as u64, size.saturating_sub(layout.offset(index)).min(plaintext));
        offset + layout.content(index) as u64
    });
    assert_eq!(covered, size, "the chunks do not add up to the file");
    assert_eq!(layout.sealed_bytes(), u64::from(layout.chunks()) * layout.class().sealed() as u64);
    true
}

/// As the PURBs paper defines Padmé: with E = floor(log2 L) and S = floor(log2 E) + 1, the last E − S bits are zero, and it is the
/// least such number from L on.
fn padme(needed: u64, padded: u64) {
    let exponent = needed.ilog2();
    let free = exponent.saturating_sub(exponent.checked_ilog2().unwrap_or(0) + 1);
    assert_eq!(padded % (1 << free), 0, "{padded} shows more than it may");
    assert!(padded >= needed && padded - needed < 1 << free, "{needed} → {padded}");
    assert!((padded - needed) * 100 <= needed * 12, "{needed} → {padded}");
}
