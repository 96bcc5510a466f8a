//! Key derivation: HKDF-SHA-256 (RFC 5869).

use hkdf::Hkdf;
use sha2::Sha256;

/// `N` bytes from a 32-byte secret (or the 64-byte export key) for one label and what is said beside it. No salt: every
/// input here is already uniform.
pub(crate) fn derive<const N: usize>(secret: &[u8], label: &[u8], beside: &[u8]) -> [u8; N] {
    expand(&Hkdf::<Sha256>::new(None, secret), &[label, beside])
}

/// `N` bytes from a secret and a salt that is secret, too, for one label.
pub(crate) fn derive_salted<const N: usize>(salt: &[u8], secret: &[u8], label: &[u8]) -> [u8; N] {
    expand(&Hkdf::<Sha256>::new(Some(salt), secret), &[label])
}

/// The Expand step. `N` is 16, 32 or 56 here; RFC 5869 allows up to 255 × 32.
pub(crate) fn expand<const N: usize>(prk: &Hkdf<Sha256>, info: &[&[u8]]) -> [u8; N] {
    const { assert!(N <= 255 * 32, "longer than HKDF-SHA-256 gives") };
    let mut output = [0; N];
    // Fails only on the length that is checked above.
    let _ = prk.expand_multi_info(info, &mut output);
    output
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 5869, test case 3 (SHA-256, zero-length salt and info), its first 32 bytes.
    #[test]
    fn rfc_5869_case_3() {
        let okm: [u8; 32] = derive(&[0x0b; 22], b"", b"");
        let expected = "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d";
        assert_eq!(okm.iter().map(|byte| format!("{byte:02x}")).collect::<String>(), expected);
    }

    #[test]
    fn label_and_what_is_beside_it_both_count() {
        let one: [u8; 32] = derive(&[1; 32], b"label", b"");
        assert_ne!(one, derive::<32>(&[1; 32], b"lab", b"x"));
        assert_ne!(one, derive::<32>(&[1; 32], b"label", b"x"));
        assert_ne!(one, derive::<32>(&[2; 32], b"label", b""));
    }
}
