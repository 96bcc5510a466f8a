//! The identity key: Ed25519 (RFC 8032), verified strictly, so that one message has one signature that counts.

use crate::OpenError;
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use zeroize::Zeroizing;

/// Bytes of a signature.
pub(crate) const SIGNATURE: usize = 64;

/// The public half: who somebody is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identity([u8; 32]);

impl Identity {
    /// The identity with these bytes; whether they are a key shows when a signature is verified.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Its bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Verifies a signature over `context ‖ message`.
    pub(crate) fn verify(
        &self,
        context: &[u8],
        message: &[u8],
        signature: &[u8; SIGNATURE],
    ) -> Result<(), OpenError> {
        let key = VerifyingKey::from_bytes(&self.0).map_err(|_| OpenError::Altered)?;
        let signed = Zeroizing::new([context, message].concat());
        key.verify_strict(&signed, &Signature::from_bytes(signature)).map_err(|_| OpenError::Altered)
    }
}

/// The secret half. Erased when dropped; `Debug` shows nothing.
#[derive(Clone)]
pub struct IdentityKey(SigningKey);

impl IdentityKey {
    /// The key of this seed.
    #[must_use]
    pub fn from_seed(seed: &Zeroizing<[u8; 32]>) -> Self {
        Self(SigningKey::from_bytes(seed))
    }

    /// The public half.
    #[must_use]
    pub fn identity(&self) -> Identity {
        Identity(self.0.verifying_key().to_bytes())
    }

    /// Signs `context ‖ message`. The contexts are in `nightdrop_wire::contexts`; none is the start of another.
    pub(crate) fn sign(&self, context: &[u8], message: &[u8]) -> [u8; SIGNATURE] {
        self.0.sign(&Zeroizing::new([context, message].concat())).to_bytes()
    }
}

impl std::fmt::Debug for IdentityKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self(_) = self;
        f.write_str("IdentityKey")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_counts_for_its_context_message_and_key_only() {
        let key = IdentityKey::from_seed(&Zeroizing::new([1; 32]));
        let signature = key.sign(b"context", b"message");
        assert!(key.identity().verify(b"context", b"message", &signature).is_ok());
        assert!(key.identity().verify(b"contexm", b"tessage", &signature).is_err());
        assert!(key.identity().verify(b"context", b"massage", &signature).is_err());
        let other = IdentityKey::from_seed(&Zeroizing::new([2; 32]));
        assert!(other.identity().verify(b"context", b"message", &signature).is_err());
        assert_eq!(format!("{key:?}"), "IdentityKey");
    }

    /// M05: a key of low order would accept one signature for many messages.
    #[test]
    fn m05_keys_of_low_order_verify_nothing() {
        let mut low_order = [0; 32];
        low_order[0] = 1;
        for bytes in [low_order, [0; 32]] {
            let mut signature = [0; 64];
            signature[..32].copy_from_slice(&bytes);
            assert!(Identity::from_bytes(bytes).verify(b"context", b"message", &signature).is_err());
        }
    }
}
