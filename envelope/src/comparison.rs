//! A short code by which two devices of one account are compared, by their owner: a new device cannot tell by itself whether the relay gives
//! it an older state.
//!
//! ```text
//! code = SHA-256("nightdrop/v1 comparison" ‖ keyring version (u64, big-endian) ‖ entries (u64, big-endian) ‖ head)[..5], as 4 + 4 symbols
//! ```
//! 40 bits suffice: a relay cannot make states, it can only choose among those that there were.

use nightdrop_wire::{contexts, messages::log::LogHead, text};
use sha2::{Digest, Sha256};

/// The code of a keyring version and a head of the home space.
#[must_use]
pub fn comparison_code(keyring_version: u64, head: &LogHead) -> String {
    let digest = Sha256::new()
        .chain_update(contexts::COMPARISON)
        .chain_update(keyring_version.to_be_bytes())
        .chain_update(head.count.to_be_bytes())
        .chain_update(head.hash)
        .finalize();
    let mut code = text::encode(digest.first_chunk::<5>().map_or(&[], |start| start.as_slice()));
    code.insert(code.len() / 2, '-');
    code
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_counts() {
        let head = LogHead { count: 3, hash: [7; 32] };
        let code = comparison_code(1, &head);
        assert_eq!((code.len(), code.find('-')), (9, Some(4)));
        assert_eq!(code, comparison_code(1, &head));
        assert_ne!(code, comparison_code(2, &head));
        assert_ne!(code, comparison_code(1, &LogHead { count: 4, ..head }));
        assert_ne!(code, comparison_code(1, &LogHead { hash: [8; 32], ..head }));
    }
}
