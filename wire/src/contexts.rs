//! Every context in which something is signed or a login is bound, in one place.

/// OPAQUE context (RFC 9807, section 6.2): followed by the protocol version (u16, big-endian) and the relay's address.
pub const LOGIN: &[u8] = b"nightdrop/v1 login";
/// A space's id: SHA-256 over this, the owner's identity key and the random value of its first entry.
pub const SPACE: &[u8] = b"nightdrop/v1 space";
/// What the signature of a log entry covers begins with this.
pub const ENTRY: &[u8] = b"nightdrop/v1 entry";
