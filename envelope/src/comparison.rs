//! A short code by which two devices of one account are compared, by their owner: a new device cannot tell by itself whether the relay gives
//! it an older state.
//!
//! ```text
//! code = SHA-256("nightdrop/v1 comparison" ‖ keyring version (u64, big-endian) ‖ state hash)[..10], as 4 groups of 4 symbols
//! ```
//! The state hash runs over what the owner signed and nothing else, so a relay can only choose among states that there were.

use nightdrop_wire::{contexts, text};
use sha2::{Digest, Sha256};

/// The code of a keyring version and the state that a home space comes to.
#[must_use]
pub fn comparison_code(keyring_version: u64, state_hash: &[u8; 32]) -> String {
    let digest = Sha256::new()
        .chain_update(contexts::COMPARISON)
        .chain_update(keyring_version.to_be_bytes())
        .chain_update(state_hash)
        .finalize();
    let code = text::encode(digest.first_chunk::<10>().map_or(&[], |start| start.as_slice()));
    let groups: Vec<&str> = (0..code.len()).step_by(4).filter_map(|at| code.get(at..at + 4)).collect();
    groups.join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_counts() {
        let code = comparison_code(1, &[7; 32]);
        assert_eq!((code.len(), code.matches('-').count()), (19, 3));
        assert_eq!(code, comparison_code(1, &[7; 32]));
        assert_ne!(code, comparison_code(2, &[7; 32]));
        assert_ne!(code, comparison_code(1, &[8; 32]));
    }
}
