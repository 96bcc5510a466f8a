//! The byte form of control bodies: postcard, strict.
//!
//! [`decode`] accepts exactly one byte string per value. Whoever reads from the network caps the length of the body
//! before this is called; a length inside the body can claim no more than the body holds, because postcard hands out
//! bytes only as far as they are there.

use postcard::ser_flavors::{Flavor, Size};
use serde::{Serialize, de::DeserializeOwned};

/// The body is not the canonical form of what was expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("malformed body")]
pub struct Malformed;

/// The canonical bytes of `value`, in a buffer of exactly their size: it never grows, so that a secret leaves no copy behind.
///
/// # Errors
/// [`Malformed`] if a type has no postcard form; the messages of this crate all have one.
pub fn encode<T: Serialize>(value: &T) -> Result<Vec<u8>, Malformed> {
    let size = postcard::serialize_with_flavor(value, Size::default()).map_err(|_| Malformed)?;
    postcard::to_extend(value, Vec::with_capacity(size)).map_err(|_| Malformed)
}

/// Decodes the canonical bytes of a `T`.
///
/// # Errors
/// [`Malformed`] on truncation, trailing bytes, or a form that [`encode`] would not have written.
pub fn decode<T: Serialize + DeserializeOwned>(bytes: &[u8]) -> Result<T, Malformed> {
    let (value, rest) = postcard::take_from_bytes::<T>(bytes).map_err(|_| Malformed)?;
    if !rest.is_empty() {
        return Err(Malformed);
    }
    // Postcard reads over-long integers; that encoding again gives the same is what makes the form unique.
    match postcard::serialize_with_flavor(&value, Same { expected: bytes }) {
        Ok(true) => Ok(value),
        _ => Err(Malformed),
    }
}

/// Encodes to nowhere, and compares: what is decoded may be a secret, of which no second copy is needed.
struct Same<'a> {
    expected: &'a [u8],
}

impl Flavor for Same<'_> {
    type Output = bool;

    fn try_push(&mut self, byte: u8) -> postcard::Result<()> {
        self.try_extend(&[byte])
    }

    fn try_extend(&mut self, bytes: &[u8]) -> postcard::Result<()> {
        self.expected = self.expected.strip_prefix(bytes).ok_or(postcard::Error::SerializeBufferFull)?;
        Ok(())
    }

    fn finalize(self) -> postcard::Result<bool> {
        Ok(self.expected.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Sample {
        count: u32,
        #[serde(with = "serde_bytes")]
        body: Vec<u8>,
    }

    #[test]
    fn honest_bytes_pass() {
        let sample = Sample { count: 300, body: vec![1, 2, 3] };
        let bytes = encode(&sample).unwrap_or_default();
        assert_eq!(bytes, [0xac, 0x02, 3, 1, 2, 3]);
        assert_eq!(decode::<Sample>(&bytes), Ok(sample));
    }

    #[test]
    fn trailing_truncated_and_non_canonical_bytes_are_refused() {
        assert_eq!(decode::<Sample>(&[0xac, 0x02, 3, 1, 2, 3, 0]), Err(Malformed), "trailing byte");
        assert_eq!(decode::<Sample>(&[0xac, 0x02, 3, 1, 2]), Err(Malformed), "truncated");
        assert_eq!(decode::<Sample>(&[0x81, 0x00, 0]), Err(Malformed), "1 written with two bytes");
        assert_eq!(decode::<Sample>(&[]), Err(Malformed), "empty");
    }

    #[test]
    fn a_length_of_four_gibibytes_is_refused_without_allocating() {
        assert_eq!(decode::<Sample>(&[1, 0xff, 0xff, 0xff, 0xff, 0x0f, 1, 2]), Err(Malformed));
    }
}
