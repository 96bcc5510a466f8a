//! Logging in without showing the password: OPAQUE (RFC 9807), the successor of the Secure Remote Password protocol.
//!
//! One suite, fixed here and never negotiated: ristretto255 with SHA-512 for the OPRF and the key exchange (3DH), and
//! Argon2id as key stretching. The relay never says how to hash, so it cannot ask for less.
//!
//! ```text
//! register   client  --  RegistrationRequest (32)      -->  relay
//!            client  <--  RegistrationResponse (64)    --   relay
//!            client  --  RegistrationUpload (192)      -->  relay   stored as the record
//! log in     client  --  KE1 (96)                      -->  relay
//!            client  <--  KE2 (320)                    --   relay   the client knows here whether the password is right
//!            client  --  KE3 (64)                      -->  relay   the relay knows here
//! ```
//!
//! [`work`] stands beside it: what whoever registers does where registration is open.
//!
//! This crate does no IO; randomness is a parameter. It must not know what an account holds.
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    forbid(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::unreachable,
        clippy::todo,
        clippy::unimplemented,
        clippy::indexing_slicing,
        clippy::string_slice,
        clippy::get_unwrap
    )
)]

pub mod client;
mod context;
mod key_stretching;
pub mod password;
pub mod server;
pub mod work;

pub use context::LoginContext;

/// The OPAQUE suite.
struct Suite;

impl opaque_ke::CipherSuite for Suite {
    type OprfCs = opaque_ke::Ristretto255;
    type KeyExchange = opaque_ke::TripleDh<opaque_ke::Ristretto255, sha2::Sha512>;
    type Ksf = key_stretching::Argon2id;
}

/// Why a step of registration or login did not succeed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LoginError {
    /// A message or stored value is not what the suite defines: bad length, invalid or identity group element.
    #[error("malformed login message")]
    Malformed,
    /// The other side did not prove what it had to: the password is wrong, or this is not the relay where the
    /// account was registered. OPAQUE gives the client no way to tell the two apart.
    #[error("wrong password, or not the relay of this account")]
    Refused,
    /// The other side sent our own message back.
    #[error("the relay reflected a login message")]
    Reflected,
    /// Argon2id could not run, for want of memory.
    #[error("not enough memory to compute the password hash")]
    OutOfMemory,
}

impl From<opaque_ke::errors::ProtocolError> for LoginError {
    fn from(error: opaque_ke::errors::ProtocolError) -> Self {
        use opaque_ke::errors::{InternalError, ProtocolError};
        match error {
            ProtocolError::InvalidLoginError => Self::Refused,
            ProtocolError::ReflectedValueError => Self::Reflected,
            ProtocolError::LibraryError(InternalError::KsfError) => Self::OutOfMemory,
            _ => Self::Malformed,
        }
    }
}
