//! The text form of ids, tokens and links: Crockford base32, lower case, without padding.
//!
//! [`encode`] gives the one canonical form. [`decode`] accepts only that form and is used for what a program
//! wrote; [`decode_typed`] forgives what people do (upper case, `o` for `0`, `i` and `l` for `1`).

use data_encoding::{Encoding, Specification};
use std::sync::LazyLock;

const ALPHABET: &str = "0123456789abcdefghjkmnpqrstvwxyz";

/// The text is not Crockford base32 of a whole number of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not base32 text")]
pub struct NotBase32;

static CANONICAL: LazyLock<Option<Encoding>> = LazyLock::new(|| specification("", "").encoding().ok());
static TYPED: LazyLock<Option<Encoding>> = LazyLock::new(|| {
    specification("ABCDEFGHJKMNPQRSTVWXYZoOiIlL", "abcdefghjkmnpqrstvwxyz001111").encoding().ok()
});

fn specification(from: &str, to: &str) -> Specification {
    let mut specification = Specification::new();
    specification.symbols.push_str(ALPHABET);
    specification.translate.from.push_str(from);
    specification.translate.to.push_str(to);
    specification
}

/// The canonical text of `bytes`.
#[must_use]
pub fn encode(bytes: &[u8]) -> String {
    // The alphabet is a constant of 32 distinct symbols, for which `data_encoding` always gives an encoding.
    CANONICAL.as_ref().map_or_else(String::new, |encoding| encoding.encode(bytes))
}

/// Bytes of a canonical text.
///
/// # Errors
/// [`NotBase32`] on any other symbol, a length that no number of bytes has, or set trailing bits.
pub fn decode(text: &str) -> Result<Vec<u8>, NotBase32> {
    decode_with(&CANONICAL, text)
}

/// Bytes of a text that a person typed or pasted.
///
/// # Errors
/// As [`decode`], after the forgiven symbols were replaced.
pub fn decode_typed(text: &str) -> Result<Vec<u8>, NotBase32> {
    decode_with(&TYPED, text)
}

fn decode_with(encoding: &LazyLock<Option<Encoding>>, text: &str) -> Result<Vec<u8>, NotBase32> {
    encoding.as_ref().and_then(|encoding| encoding.decode(text.as_bytes()).ok()).ok_or(NotBase32)
}

/// Bytes of a canonical text of exactly `N` bytes.
pub(crate) fn decode_array<const N: usize>(text: &str) -> Result<[u8; N], NotBase32> {
    // Checked first, so that a long path costs no allocation.
    if text.len() != (N * 8).div_ceil(5) {
        return Err(NotBase32);
    }
    decode(text)?.try_into().map_err(|_| NotBase32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn canonical_text_round_trips() {
        for length in 0..70u8 {
            let bytes: Vec<u8> = (0..length).map(|i| i.wrapping_mul(37)).collect();
            assert_eq!(decode(&encode(&bytes)), Ok(bytes.clone()));
            assert_eq!(decode_typed(&encode(&bytes).to_uppercase()), Ok(bytes));
        }
    }

    #[test]
    fn known_text() {
        assert_eq!(encode(&[0xff, 0x00, 0xa5]), "zw0aa");
    }

    #[test]
    fn typing_is_forgiven_only_where_people_type() {
        assert_eq!(decode_typed("OO"), decode("00"));
        assert_eq!(decode("OO"), Err(NotBase32));
        assert_eq!(decode("AA"), Err(NotBase32));
    }

    #[test]
    fn bad_trailing_bits_and_lengths_are_refused() {
        assert_eq!(decode("zw0aa").map(|b| b.len()), Ok(3));
        assert_eq!(decode("zw0ab"), Err(NotBase32), "trailing bits are set");
        assert_eq!(decode("z"), Err(NotBase32), "no number of bytes has one symbol");
        assert_eq!(decode("u0"), Err(NotBase32), "u is not in the alphabet");
    }
}
