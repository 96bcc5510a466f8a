//! SHA-256, for the three things that the store hashes: tokens, request bodies and chunks.

use nightdrop_wire::{
    messages::blob::ChunkHash,
    token::{Token, TokenHash},
};
use sha2::{Digest, Sha256};

/// SHA-256 of a request's body: whoever sends the same bytes again is answered alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BodyDigest(pub(crate) [u8; 32]);

impl BodyDigest {
    /// The digest of `body`.
    #[must_use]
    pub fn of(body: &[u8]) -> Self {
        Self(sha256(&[body]))
    }
}

/// What the store keeps of a token.
#[must_use]
pub fn token_hash(token: &Token) -> TokenHash {
    TokenHash::from_bytes(sha256(&[token.secret_bytes()]))
}

/// SHA-256 of a sealed chunk, as a manifest lists it.
pub(crate) fn chunk_hash(sealed: &[u8]) -> ChunkHash {
    sha256(&[sealed])
}

/// SHA-256 of all parts, one after the other.
pub(crate) fn sha256(parts: &[&[u8]]) -> [u8; 32] {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update(part);
    }
    hasher.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_hash() {
        // FIPS 180-4, the example "abc".
        assert_eq!(sha256(&[b"a", b"bc"])[..4], [0xba, 0x78, 0x16, 0xbf]);
        assert_eq!(BodyDigest::of(b"abc").0, sha256(&[b"abc"]));
    }

    #[test]
    fn a_token_is_kept_as_its_hash() {
        let token = Token::from_bytes([7; 32]);
        assert_eq!(token_hash(&token).as_bytes(), &sha256(&[&[7; 32]]));
    }
}
