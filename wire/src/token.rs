//! Tokens: bearer secrets of 32 bytes. Who shows one has the right that goes with it.
//!
//! The relay keeps only [`TokenHash`]es (SHA-256, computed outside this crate) and compares them in constant time.

use crate::text::{self, NotBase32};
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

/// A bearer secret. Erased when dropped; `Debug` shows nothing.
#[derive(Clone, Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
pub struct Token([u8; Token::LENGTH]);

impl Token {
    /// Length in bytes.
    pub const LENGTH: usize = 32;

    /// The token of these bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; Self::LENGTH]) -> Self {
        Self(bytes)
    }

    /// Its bytes, to hash or derive from.
    #[must_use]
    pub const fn secret_bytes(&self) -> &[u8; Self::LENGTH] {
        &self.0
    }

    /// Its text form, for a header or for the person who is to have it.
    #[must_use]
    pub fn secret_text(&self) -> Zeroizing<String> {
        Zeroizing::new(text::encode(&self.0))
    }

    /// Parses the canonical text form.
    ///
    /// # Errors
    /// [`NotBase32`] unless the text is the canonical form of exactly 32 bytes.
    pub fn from_text(text: &str) -> Result<Self, NotBase32> {
        text::decode_array(text).map(Self)
    }

    /// Parses a text that a person typed or pasted: white space around it and upper case are forgiven.
    ///
    /// # Errors
    /// [`NotBase32`] unless the text holds exactly 32 bytes.
    pub fn from_typed_text(text: &str) -> Result<Self, NotBase32> {
        let bytes = Zeroizing::new(text::decode_typed(text.trim())?);
        bytes.as_slice().try_into().map(Self).map_err(|_| NotBase32)
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self(_) = self;
        f.write_str("Token")
    }
}

/// SHA-256 of a [`Token`]. Equality takes the same time whatever the bytes are.
#[derive(Clone, Copy, Serialize, Deserialize)]
pub struct TokenHash([u8; TokenHash::LENGTH]);

impl TokenHash {
    /// Length in bytes.
    pub const LENGTH: usize = 32;

    /// The hash with these bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; Self::LENGTH]) -> Self {
        Self(bytes)
    }

    /// Its bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; Self::LENGTH] {
        &self.0
    }
}

impl PartialEq for TokenHash {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for TokenHash {}

impl std::fmt::Debug for TokenHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TokenHash")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_nothing() {
        assert_eq!(format!("{:?}", Token::from_bytes([7; 32])), "Token");
        assert_eq!(format!("{:?}", TokenHash::from_bytes([7; 32])), "TokenHash");
    }

    #[test]
    fn text_round_trips() -> Result<(), NotBase32> {
        let token = Token::from_bytes([0x5c; 32]);
        assert_eq!(Token::from_text(&token.secret_text())?.secret_bytes(), token.secret_bytes());
        let typed = format!("  {}\n", token.secret_text().to_uppercase());
        assert_eq!(Token::from_typed_text(&typed)?.secret_bytes(), token.secret_bytes());
        assert!(Token::from_text(&typed).is_err());
        Ok(())
    }

    #[test]
    fn hashes_differ_in_any_byte() {
        let hash = TokenHash::from_bytes([1; 32]);
        assert_eq!(hash, TokenHash::from_bytes([1; 32]));
        for position in 0..32 {
            let mut bytes = [1; 32];
            if let Some(byte) = bytes.get_mut(position) {
                *byte = 2;
            }
            assert_ne!(hash, TokenHash::from_bytes(bytes));
        }
    }
}
