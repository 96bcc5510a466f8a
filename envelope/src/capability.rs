//! Capabilities of the data plane: random tokens, and the hashes of them that the relay gets to keep.

use crate::key::random;
use nightdrop_wire::{
    ids::BlobId,
    token::{Token, TokenHash},
};
use rand::CryptoRng;
use sha2::{Digest, Sha256};

/// What the relay keeps of a token.
#[must_use]
pub fn hash_token(token: &Token) -> TokenHash {
    TokenHash::from_bytes(Sha256::digest(token.secret_bytes()).into())
}

/// The random names and rights of a new blob. Nothing in them comes from the file or the account.
#[derive(Debug, Clone)]
pub struct BlobCapabilities {
    /// Its id.
    pub blob: BlobId,
    /// Reads.
    pub read_token: Token,
    /// Adds chunks, makes tickets, destroys.
    pub write_key: Token,
}

impl BlobCapabilities {
    /// New ones.
    pub fn generate<R: CryptoRng + ?Sized>(rng: &mut R) -> Self {
        Self {
            blob: BlobId::from_bytes(random(rng)),
            read_token: Token::from_bytes(random(rng)),
            write_key: Token::from_bytes(random(rng)),
        }
    }
}
