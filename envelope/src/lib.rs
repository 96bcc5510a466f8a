//! All end-to-end cryptography of Nightdrop. Only the client links this crate; the relay must never.
//!
//! What the relay sends is an enemy's data: every `open` here either returns something that was checked, in a type that
//! says so ([`manifest::VerifiedManifest`], [`chunk::VerifiedChunk`]), or an error. There is no way around: the client
//! cannot take its next step without such a value.
//!
//! No IO, no async; randomness is a parameter. The construction of envelopes is in [`seal`], that of chunks in
//! [`chunk`]; all labels of key derivations are in `nightdrop_wire::labels`.
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

pub mod account_code;
mod aead;
pub mod capability;
mod checksum;
pub mod chunk;
pub mod comparison;
pub mod context;
mod derive;
pub mod device_memory;
mod error;
pub mod file_name;
pub mod identity;
pub mod journal;
pub mod key;
pub mod keyring;
pub mod layout;
pub mod link;
pub mod manifest;
pub mod master_key;
mod padded;
pub mod passphrase;
pub mod recovery;
pub mod seal;
pub mod space;
pub mod ticket;
pub mod wallet;

pub use error::OpenError;
