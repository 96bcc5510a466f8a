//! Encryption at rest: every object is sealed under a random key of its own, so that erasing 32 bytes erases it from
//! every forgotten page of a copy-on-write file.
//!
//! ```text
//! stored = nonce (24, random) ‖ ciphertext ‖ tag (16)                  XChaCha20-Poly1305
//! bound  = length of the table's name (1) ‖ name ‖ object (17) ‖ index (4, big-endian)
//! ```
//! The tag is also the relay's own check of integrity: redb does not verify what it reads.

use crate::{error::StoreError, object::ObjectName};
use bytes::Bytes;
use chacha20poly1305::{KeyInit, Tag, XChaCha20Poly1305, XNonce, aead::AeadInOut, aead::inout::InOutBuf};
use rand::CryptoRng;
use zeroize::Zeroizing;

const NONCE: usize = 24;
const TAG: usize = 16;

/// The key of one object.
pub(crate) struct AtRestKey(Zeroizing<[u8; Self::LENGTH]>);

impl AtRestKey {
    /// Length in bytes.
    pub(crate) const LENGTH: usize = 32;

    /// A random key.
    pub(crate) fn generate(rng: &mut dyn CryptoRng) -> Self {
        let mut key = Self(Zeroizing::new([0; Self::LENGTH]));
        rng.fill_bytes(key.0.as_mut_slice());
        key
    }

    /// The key of these bytes.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(|bytes| Self(Zeroizing::new(bytes)))
    }

    /// Its bytes, to be stored.
    pub(crate) fn secret_bytes(&self) -> &[u8] {
        self.0.as_slice()
    }

    fn cipher(&self) -> Option<XChaCha20Poly1305> {
        XChaCha20Poly1305::new_from_slice(self.secret_bytes()).ok()
    }
}

impl std::fmt::Debug for AtRestKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self(_) = self;
        f.write_str("AtRestKey")
    }
}

/// Where an object's bytes stand; bound into the seal, so that nothing opens at another place.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    /// Name of the table.
    pub(crate) table: &'static str,
    /// The object.
    pub(crate) object: ObjectName,
    /// Which part of the object: a chunk's index, else 0.
    pub(crate) index: u32,
}

impl Place {
    fn associated_data(&self) -> Vec<u8> {
        // Names of tables are constants of a few letters, so that the length always fits.
        let length = u8::try_from(self.table.len()).unwrap_or(u8::MAX);
        [&[length], self.table.as_bytes(), &self.object.bytes(), &self.index.to_be_bytes()].concat()
    }
}

/// Seals `plaintext` for its place.
pub(crate) fn seal(
    key: &AtRestKey,
    place: &Place,
    plaintext: &[u8],
    rng: &mut dyn CryptoRng,
) -> Result<Vec<u8>, StoreError> {
    let mut body = plaintext.to_vec();
    let frame = seal_in_place(key, place, &mut body, rng)?;
    Ok(frame.around(&body).concat())
}

/// What stands around a sealed body.
pub(crate) struct Frame {
    nonce: XNonce,
    tag: Tag,
}

impl Frame {
    /// What is stored, in its order.
    pub(crate) fn around<'a>(&'a self, body: &'a [u8]) -> [&'a [u8]; 3] {
        [&self.nonce, body, &self.tag]
    }
}

/// Seals where the bytes lie, so that nothing large is copied.
pub(crate) fn seal_in_place(
    key: &AtRestKey,
    place: &Place,
    body: &mut [u8],
    rng: &mut dyn CryptoRng,
) -> Result<Frame, StoreError> {
    let mut nonce = XNonce::default();
    rng.fill_bytes(&mut nonce);
    // The cipher fails beyond 256 GiB only; every caller is capped far below.
    let tag = key
        .cipher()
        .and_then(|cipher| {
            cipher.encrypt_inout_detached(&nonce, &place.associated_data(), InOutBuf::from(body)).ok()
        })
        .ok_or(StoreError::Refused)?;
    Ok(Frame { nonce, tag })
}

/// Opens what [`seal`] made for the same place; [`StoreError::Damaged`] for anything else.
pub(crate) fn open(key: &AtRestKey, place: &Place, mut stored: Vec<u8>) -> Result<Bytes, StoreError> {
    let length = open_in_place(key, place, &mut stored).ok_or(StoreError::Damaged(place.table))?;
    Ok(Bytes::from(stored).slice(NONCE..NONCE + length))
}

/// Decrypts where the bytes lie and gives the plaintext's length.
fn open_in_place(key: &AtRestKey, place: &Place, stored: &mut [u8]) -> Option<usize> {
    let (nonce, rest) = stored.split_at_mut_checked(NONCE)?;
    let (body, tag) = rest.split_at_mut_checked(rest.len().checked_sub(TAG)?)?;
    let nonce = XNonce::try_from(&*nonce).ok()?;
    let tag = Tag::try_from(&*tag).ok()?;
    let length = body.len();
    let data = place.associated_data();
    key.cipher()?.decrypt_inout_detached(&nonce, &data, InOutBuf::from(body), &tag).ok()?;
    Some(length)
}

#[cfg(test)]
mod tests {
    use super::*;
    use nightdrop_wire::{ids::BlobId, size_class::AT_REST_OVERHEAD};

    fn place() -> Place {
        Place { table: "chunks", object: ObjectName::blob(BlobId::from_bytes([4; 16])), index: 3 }
    }

    #[test]
    fn what_was_sealed_opens_at_its_place_only() {
        let key = AtRestKey::generate(&mut rand::rng());
        let stored = seal(&key, &place(), b"payload", &mut rand::rng()).unwrap();
        assert_eq!(stored.len(), 7 + AT_REST_OVERHEAD);
        assert_eq!(open(&key, &place(), stored.clone()).unwrap(), b"payload".as_slice());

        let elsewhere = [
            Place { index: 2, ..place() },
            Place { table: "manifests", ..place() },
            Place { object: ObjectName::blob(BlobId::from_bytes([5; 16])), ..place() },
        ];
        for other in elsewhere {
            assert!(matches!(open(&key, &other, stored.clone()), Err(StoreError::Damaged(_))));
        }
        let other_key = AtRestKey::generate(&mut rand::rng());
        assert!(matches!(open(&other_key, &place(), stored), Err(StoreError::Damaged("chunks"))));
    }

    #[test]
    fn every_flipped_or_missing_byte_is_damage() {
        let key = AtRestKey::generate(&mut rand::rng());
        let stored = seal(&key, &place(), b"payload", &mut rand::rng()).unwrap();
        for at in 0..stored.len() {
            let mut flipped = stored.clone();
            flipped[at] ^= 1;
            assert!(open(&key, &place(), flipped).is_err(), "byte {at}");
            assert!(open(&key, &place(), stored[..at].to_vec()).is_err(), "cut at {at}");
        }
    }

    #[test]
    fn debug_shows_no_key() {
        assert_eq!(format!("{:?}", AtRestKey::generate(&mut rand::rng())), "AtRestKey");
    }
}
