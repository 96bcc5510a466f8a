//! Every context in which something is signed, authenticated or hashed, or a login is bound, in one place.

/// OPAQUE context (RFC 9807, section 6.2): followed by the protocol version (u16, big-endian) and the relay's address.
pub const LOGIN: &[u8] = b"nightdrop/v1 login";
/// A space's id: SHA-256 over this, the owner's identity key and the random value of its first entry.
pub const SPACE: &[u8] = b"nightdrop/v1 space";
/// What the signature of a log entry covers begins with this.
pub const ENTRY: &[u8] = b"nightdrop/v1 entry";
/// What a relay's mark on a challenge covers begins with this.
pub const WORK_CHALLENGE: &[u8] = b"nightdrop/v1 work challenge";
/// What an earned invitation follows from begins with this.
pub const WORK_INVITATION: &[u8] = b"nightdrop/v1 work invitation";
/// What work is done on begins with this.
pub const WORK_PUZZLE: &[u8] = b"nightdrop/v1 work puzzle";
/// The short code by which devices are compared: SHA-256 over this, the keyring's version and the head of the home space.
pub const COMPARISON: &[u8] = b"nightdrop/v1 comparison";

/// All of the above.
pub const ALL: &[&[u8]] = &[LOGIN, SPACE, ENTRY, WORK_CHALLENGE, WORK_INVITATION, WORK_PUZZLE, COMPARISON];

#[cfg(test)]
mod tests {
    use super::ALL;

    /// A context that is the start of another would let one signature stand for the other.
    #[test]
    fn no_context_is_the_start_of_another() {
        for (i, a) in ALL.iter().enumerate() {
            for (j, b) in ALL.iter().enumerate() {
                assert!(i == j || !b.starts_with(a), "{} / {}", a.escape_ascii(), b.escape_ascii());
            }
        }
    }
}
