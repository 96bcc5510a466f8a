//! Edits, told by bytes: what somebody between writer and reader may do to what was sealed.

/// Bytes that tell one edit: what, where (big-endian), and a value.
const EDIT: usize = 4;

/// `good` after the edits that `edits` tells. An edit that changes nothing is one, too.
pub(crate) fn altered(good: &[u8], edits: &[u8]) -> Vec<u8> {
    let mut bytes = good.to_vec();
    for edit in edits.chunks_exact(EDIT) {
        let (place, value) = (usize::from(u16::from_be_bytes([edit[1], edit[2]])), edit[3]);
        let within = place % (bytes.len() + 1);
        match edit[0] % 6 {
            0 => bytes.truncate(within),
            1 => bytes.insert(within, value),
            2 => bytes.extend(std::iter::repeat_n(value, place % 64)),
            3 => bytes.rotate_left(within),
            4 if within < bytes.len() => drop(bytes.remove(within)),
            _ if within < bytes.len() => bytes[within] ^= value,
            _ => {}
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::altered;

    #[test]
    fn edits_do_what_they_say() {
        assert_eq!(altered(b"abc", &[]), b"abc");
        assert_eq!(altered(b"abc", &[0, 0, 2, 0]), b"ab");
        assert_eq!(altered(b"abc", &[1, 0, 1, b'x']), b"axbc");
        assert_eq!(altered(b"abc", &[2, 0, 2, b'x']), b"abcxx");
        assert_eq!(altered(b"abc", &[3, 0, 1, 0]), b"bca");
        assert_eq!(altered(b"abc", &[4, 0, 1, 0]), b"ac");
        assert_eq!(altered(b"abc", &[5, 0, 2, 1]), b"abb");
        assert_eq!(altered(b"abc", &[5, 0, 3, 1]), b"abc", "beyond the end");
        assert_eq!(altered(b"", &[4, 9, 9, 9, 5, 9, 9, 9, 0, 9, 9, 9]), b"");
    }
}
