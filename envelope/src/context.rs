//! What a sealed thing is and where it belongs. Goes into every key derivation and every tag, so that nothing sealed
//! for one place opens in another.

use sha2::{Digest, Sha256};

/// SHA-256 over the parts, each preceded by its length (u64, big-endian), so that no two lists of parts give the same
/// input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Context([u8; 32]);

impl Context {
    /// The context of these parts.
    #[must_use]
    pub fn of(parts: &[&[u8]]) -> Self {
        let mut hash = Sha256::new();
        for part in parts {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        Self(hash.finalize().into())
    }

    pub(crate) const fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moving_a_byte_from_one_part_to_the_next_changes_the_context() {
        assert_ne!(Context::of(&[b"ab", b"c"]), Context::of(&[b"a", b"bc"]));
        assert_ne!(Context::of(&[b"ab", b""]), Context::of(&[b"ab"]));
        assert_eq!(Context::of(&[b"ab", b"c"]), Context::of(&[b"ab", b"c"]));
    }
}
