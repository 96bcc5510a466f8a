//! The client: everything between a person at a terminal and the relay.
//!
//! ```text
//! cli → account (session, unlocked keys) → transfer | space → envelope (seal/open) → wire → transport (Tor)
//! ```
//! What always holds:
//! - What the relay sends is decoded by `wire` and verified by `envelope` before this crate acts on it.
//! - The only transport of the product is Tor; nothing here opens a socket or resolves a name.
//! - The account plane and the data plane never share a circuit.
#![forbid(unsafe_code)]

pub mod account;
pub mod agent;
mod blocking;
mod checkpoint;
pub mod cli;
mod clock;
pub mod console;
pub mod counted_io;
mod duration;
mod error;
mod home;
mod lease;
pub mod limits;
mod list_room;
mod local_copy;
mod opening;
mod outgoing;
mod password_policy;
pub mod payment;
pub mod qr;
mod random;
pub mod relay;
mod relay_info;
pub mod renewal;
pub mod space;
mod spread;
pub mod transfer;
pub mod transport;
pub mod unlocked;
mod wallet;

pub use error::{ClientError, ExitCode, Explanation};
pub use home::{Home, HomeLock, PendingRegistration};
