//! The password and the account key, as OPAQUE gets them.

use crate::key_stretching;
use hmac::{Hmac, Mac};
use nightdrop_wire::labels;
use sha2::Sha256;
use unicode_normalization::UnicodeNormalization;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

/// What the user types. Erased when dropped; `Debug` shows nothing.
///
/// Kept in Unicode normalization form C (as RFC 8265 asks for), so that the same password typed on another system is
/// the same bytes.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct Password(String);

impl Password {
    /// The password of this text.
    #[must_use]
    pub fn new(text: &str) -> Self {
        // Room for every form at once, so that growing leaves no copy behind.
        let mut normalized = String::with_capacity(text.len() * 4);
        normalized.extend(text.nfc());
        Self(normalized)
    }

    /// The text, for an estimate of its strength.
    #[must_use]
    pub fn secret_text(&self) -> &str {
        &self.0
    }

    /// The password of a link, which no relay stretches with: Argon2id with the parameters of the login, and a salt from the link.
    ///
    /// # Errors
    /// [`crate::LoginError::OutOfMemory`].
    pub fn stretched(&self, salt: &[u8; 32]) -> Result<Zeroizing<[u8; 32]>, crate::LoginError> {
        let mut output = Zeroizing::new([0; 32]);
        key_stretching::stretch(self.0.as_bytes(), salt, output.as_mut())
            .map_err(|_| crate::LoginError::OutOfMemory)?;
        Ok(output)
    }

    /// The bytes that go into the OPRF: HMAC-SHA-256 under the account key. Whoever holds the relay's OPRF seed and the
    /// record can still not try passwords without the account key, which never leaves the user's devices.
    pub(crate) fn mixed_with(
        &self,
        account_key: &AccountKey,
    ) -> Result<Zeroizing<[u8; 32]>, crate::LoginError> {
        let mut mac =
            Hmac::<Sha256>::new_from_slice(&account_key.0).map_err(|_| crate::LoginError::Malformed)?;
        mac.update(labels::OPAQUE_PASSWORD);
        mac.update(self.0.as_bytes());
        Ok(Zeroizing::new(mac.finalize().into_bytes().into()))
    }
}

impl std::fmt::Debug for Password {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self(_) = self;
        f.write_str("Password")
    }
}

/// 128 random bits of the account code. Erased when dropped; `Debug` shows nothing.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct AccountKey([u8; AccountKey::LENGTH]);

impl AccountKey {
    /// Length in bytes.
    pub const LENGTH: usize = 16;

    /// The key with these bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; Self::LENGTH]) -> Self {
        Self(bytes)
    }
}

impl std::fmt::Debug for AccountKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self(_) = self;
        f.write_str("AccountKey")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_nothing() {
        assert_eq!(format!("{:?}", Password::new("hunter2")), "Password");
        assert_eq!(format!("{:?}", AccountKey::from_bytes([1; 16])), "AccountKey");
    }

    #[test]
    fn both_ways_to_write_an_accent_are_one_password() {
        let key = AccountKey::from_bytes([1; 16]);
        let composed = Password::new("caf\u{e9}").mixed_with(&key).unwrap();
        let decomposed = Password::new("cafe\u{301}").mixed_with(&key).unwrap();
        assert_eq!(composed, decomposed);
        assert_ne!(composed, Password::new("cafe").mixed_with(&key).unwrap());
    }

    #[test]
    fn another_account_key_gives_another_password() {
        let password = Password::new("the same");
        let one = password.mixed_with(&AccountKey::from_bytes([1; 16])).unwrap();
        let other = password.mixed_with(&AccountKey::from_bytes([2; 16])).unwrap();
        assert_ne!(one, other);
    }

    /// Computed by another implementation of RFC 9106 (version 0x13): Argon2id, 64 MiB, 3 passes, 4 lanes, 32 bytes.
    #[test]
    fn a_links_password_is_stretched_as_rfc_9106_says() {
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let stretched = Password::new("caf\u{e9}").stretched(&[0x11; 32]).unwrap();
        assert_eq!(
            hex(stretched.as_ref()),
            "b9e23c78f448e229c6b060b31b29c653769c94025e1a075ea0301a9a1d53b3e9"
        );
        let decomposed = Password::new("cafe\u{301}").stretched(&[0x11; 32]).unwrap();
        assert_eq!(stretched, decomposed);
        assert_ne!(stretched, Password::new("caf\u{e9}").stretched(&[0x12; 32]).unwrap());
    }
}
