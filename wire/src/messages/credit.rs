//! Credits: what pays for a blob or a log. Drawn blindly on the account plane, spent on the data plane (RFC 9497, POPRF; crate `credit`).

use serde::{Deserialize, Serialize};
use serde_big_array::BigArray;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// Bytes of a blinded or evaluated group element, and of the issuing key.
pub const BLINDED: usize = 32;
/// Bytes of the proof that the pinned key was used.
pub const PROOF: usize = 64;
/// Bytes of a credit's mark.
pub const MARK: usize = 32;

/// One credit. It pays once, until its last day. Erased when dropped; `Debug` shows nothing.
///
/// ```text
/// expires (4, big-endian: the last day, in days since 1970-01-01 UTC) ‖ nonce (32) ‖ mark (32)
/// ```
#[derive(Clone, Zeroize, ZeroizeOnDrop, Serialize, Deserialize)]
pub struct Credit {
    #[serde(with = "postcard::fixint::be")]
    expires: u32,
    nonce: [u8; Self::NONCE],
    mark: [u8; MARK],
}

impl Credit {
    /// Length in bytes.
    pub const LENGTH: usize = 4 + Self::NONCE + MARK;
    /// Bytes of the nonce.
    pub const NONCE: usize = 32;

    /// A credit of these parts.
    #[must_use]
    pub const fn new(expires: u32, nonce: [u8; Self::NONCE], mark: [u8; MARK]) -> Self {
        Self { expires, nonce, mark }
    }

    /// The last day on which it pays, in days since 1970-01-01 (UTC).
    #[must_use]
    pub const fn expires(&self) -> u32 {
        self.expires
    }

    /// What its client drew at random; spending it shows it for the first time.
    #[must_use]
    pub const fn nonce(&self) -> &[u8; Self::NONCE] {
        &self.nonce
    }

    /// What the relay computes from the rest, and only the relay.
    #[must_use]
    pub const fn mark(&self) -> &[u8; MARK] {
        &self.mark
    }
}

impl std::fmt::Debug for Credit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { expires: _, nonce: _, mark: _ } = self;
        f.write_str("Credit")
    }
}

/// `POST /v1/credits`. The same body again on the same day draws nothing more.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct FetchCredits {
    /// Their last day, which is the client's to say and one of few that a relay takes.
    #[serde(with = "postcard::fixint::be")]
    pub expires: u32,
    /// Blinded elements: 1 to [`crate::limits::MAX_CREDITS_PER_REQUEST`].
    pub blinded: Vec<[u8; BLINDED]>,
}

/// Answer to [`FetchCredits`].
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Credits {
    /// Evaluated elements: as many as were asked for, or as many as the account may still draw today.
    pub evaluated: Vec<[u8; BLINDED]>,
    /// Shows that the relay's one issuing key was used for all of them.
    #[serde(with = "BigArray")]
    pub proof: [u8; PROOF],
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec;

    #[test]
    fn a_credit_has_one_length_and_shows_nothing() {
        let credit = Credit::new(0x0102_0304, [5; 32], [6; 32]);
        let bytes = codec::encode(&credit).unwrap_or_default();
        assert_eq!(bytes.len(), Credit::LENGTH);
        assert_eq!(bytes.get(..5), Some([1, 2, 3, 4, 5].as_slice()));
        assert_eq!(format!("{credit:?}"), "Credit");
    }
}
