//! XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha-03), in place.

use chacha20poly1305::{
    KeyInit, XChaCha20Poly1305,
    aead::{AeadInOut, inout::InOutBuf},
};

/// Bytes of a nonce.
pub(crate) const NONCE: usize = 24;
/// Bytes of a tag.
pub(crate) const TAG: usize = 16;

/// The tag does not fit: another key, nonce, associated data, or altered bytes.
#[derive(Debug)]
pub(crate) struct TagMismatch;

/// Encrypts `buffer` and gives its tag.
pub(crate) fn encrypt(
    key: &[u8; 32],
    nonce: &[u8; NONCE],
    associated: &[u8],
    buffer: &mut [u8],
) -> Result<[u8; TAG], TagMismatch> {
    XChaCha20Poly1305::new(key.into())
        .encrypt_inout_detached(nonce.into(), associated, InOutBuf::from(buffer))
        .map(Into::into)
        // Only lengths beyond 256 GiB fail.
        .map_err(|_| TagMismatch)
}

/// Decrypts `buffer` if the tag fits; otherwise leaves it encrypted.
pub(crate) fn decrypt(
    key: &[u8; 32],
    nonce: &[u8; NONCE],
    associated: &[u8],
    buffer: &mut [u8],
    tag: &[u8; TAG],
) -> Result<(), TagMismatch> {
    XChaCha20Poly1305::new(key.into())
        .decrypt_inout_detached(nonce.into(), associated, InOutBuf::from(buffer), tag.into())
        .map_err(|_| TagMismatch)
}
