//! Every context in which something is signed or a login is bound, in one place.

/// OPAQUE context (RFC 9807, section 6.2): followed by the protocol version (u16, big-endian) and the relay's address.
pub const LOGIN: &[u8] = b"nightdrop/v1 login";
