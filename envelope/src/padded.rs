//! Padding of what an envelope holds, so that its length says nothing.
//!
//! ```text
//! length (u32, big-endian) ‖ body ‖ zeros up to the wanted length
//! ```

use crate::OpenError;
use nightdrop_wire::codec;
use serde::{Serialize, de::DeserializeOwned};
use zeroize::Zeroizing;

const LENGTH: usize = 4;

/// Bytes that [`pad`] needs beside the body.
pub(crate) const OVERHEAD: usize = LENGTH;

/// `body`, padded to `to` bytes.
pub(crate) fn pad(body: &[u8], to: usize) -> Result<Zeroizing<Vec<u8>>, OpenError> {
    let length = u32::try_from(body.len()).map_err(|_| OpenError::Inconsistent)?;
    if body.len().checked_add(LENGTH).is_none_or(|needed| needed > to) {
        return Err(OpenError::Inconsistent);
    }
    let mut padded = Zeroizing::new(Vec::with_capacity(to));
    padded.extend_from_slice(&length.to_be_bytes());
    padded.extend_from_slice(body);
    padded.resize(to, 0);
    Ok(padded)
}

/// The body again; the padding must be zeros, so that there is one form only.
pub(crate) fn unpad(padded: &[u8]) -> Result<&[u8], OpenError> {
    let (length, rest) = padded.split_first_chunk::<LENGTH>().ok_or(OpenError::Malformed)?;
    let length = usize::try_from(u32::from_be_bytes(*length)).map_err(|_| OpenError::Malformed)?;
    let (body, padding) = rest.split_at_checked(length).ok_or(OpenError::Malformed)?;
    if padding.iter().any(|byte| *byte != 0) {
        return Err(OpenError::Malformed);
    }
    Ok(body)
}

/// A message, padded to `to` bytes.
pub(crate) fn pad_message<M: Serialize>(message: &M, to: usize) -> Result<Zeroizing<Vec<u8>>, OpenError> {
    let body = Zeroizing::new(codec::encode(message).map_err(|_| OpenError::Malformed)?);
    pad(&body, to)
}

/// The message again, of what must be `length` bytes long.
pub(crate) fn unpad_message<M: Serialize + DeserializeOwned>(
    padded: &[u8],
    length: usize,
) -> Result<M, OpenError> {
    if padded.len() != length {
        return Err(OpenError::Malformed);
    }
    codec::decode(unpad(padded)?).map_err(|_| OpenError::Malformed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trips_and_refuses_other_forms() {
        let padded = pad(b"body", 20).unwrap();
        assert_eq!(padded.len(), 20);
        assert_eq!(unpad(&padded), Ok(&b"body"[..]));
        assert!(pad(b"body", 8).is_ok());
        assert_eq!(pad(b"body", 7).err(), Some(OpenError::Inconsistent));
        let mut dirty = padded;
        dirty[19] = 1;
        assert_eq!(unpad(&dirty), Err(OpenError::Malformed));
        assert_eq!(unpad(&[0xff; 20]), Err(OpenError::Malformed));
        assert_eq!(unpad(&[0; 3]), Err(OpenError::Malformed));
    }
}
