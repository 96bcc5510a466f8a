//! What crosses the network between client and relay: ids, tokens, messages, endpoints and limits.
//!
//! `docs/protocol.md` is the same thing for people; `tests/tests/protocol_page.rs` compares the two.
//!
//! This crate does no IO, asks for no randomness or time, and holds no cryptography: it decodes what the other
//! side sent and says only that it is well formed. Whether it is *true* is decided by `envelope` (client) and
//! `store` (relay).
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

pub mod authorization;
pub mod codec;
pub mod contexts;
pub mod date;
pub mod denomination;
pub mod endpoint;
pub mod ids;
pub mod labels;
pub mod limits;
pub mod messages;
pub mod onion;
pub mod price;
pub mod quarter;
pub mod refusal;
pub mod season;
pub mod size_class;
pub mod text;
pub mod token;

/// Version of the protocol: the `v1` of every path, and part of the login context.
pub const PROTOCOL_VERSION: u16 = 1;

/// The port of the onion service. It exists inside Tor only; nothing listens on it anywhere else.
pub const ONION_PORT: u16 = 80;
