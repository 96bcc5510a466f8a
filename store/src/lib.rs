//! The relay's storage: one redb database, in which every object is sealed under a key of its own.
//!
//! Invariants:
//! - A write is answered only after the commit that holds it succeeded ([`Queued`]); after a failed commit the store
//!   accepts no write any more and [`Store::failed`] tells its owner to exit.
//! - An operation checks everything before it writes anything, so that a refused one leaves nothing behind.
//! - Tokens are kept as hashes only, and compared in constant time.
//! - An id that ended is never made again.
//! - What grows is refused while the disk still has room for what makes room ([`StoreError::Full`], `room`).
//! - No byte of the file is trusted: rows carry a checksum, objects a tag, and damage is an error of that one object
//!   ([`StoreError::Damaged`]).
//!
//! This is the only crate that names redb. It asks for no time and no randomness: both are parameters.
#![forbid(unsafe_code)]
#![deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

// What the tests share names the store as any of its users does.
#[cfg(test)]
extern crate self as nightdrop_store;

mod account_changes;
mod account_list;
mod accounts;
mod admission;
mod at_rest;
mod at_rest_keys;
mod beforehand;
mod blobs;
#[cfg(test)]
mod cap;
mod chunks;
mod claims;
mod clock;
#[cfg(test)]
#[path = "../tests/common/mod.rs"]
mod common;
#[cfg(test)]
mod crashes;
mod credits;
mod database;
mod day;
mod digest;
mod ended;
#[cfg(test)]
mod ends;
mod error;
#[cfg(test)]
mod faults;
mod growth;
mod guesses;
mod identity;
mod invitations;
mod lease;
mod limits;
mod log_growth;
mod logs;
mod object;
mod open;
mod operation;
mod quotas;
mod recoveries;
mod refunds;
mod removal;
mod renewal;
mod room;
mod row;
mod schema;
mod sessions;
#[cfg(test)]
mod small_disk;
mod store;
mod sweep;
mod tickets;
mod transaction;
mod volume;
mod writer;

pub use account_changes::AccountChange;
pub use account_list::AccountList;
pub use accounts::{AccountEnvelopes, LoginRecord, RecordVersion, Registration};
pub use beforehand::Beforehand;
pub use clock::Trust;
pub use credits::Payment;
pub use day::Day;
pub use digest::{BodyDigest, token_hash};
pub use error::{Failure, OpenError, StoreError};
pub use guesses::{Guesses, Minute, TooManyGuesses};
pub use identity::RelayIdentity;
pub use invitations::InvitationList;
pub use limits::{GuessLimits, StoreLimits};
pub use recoveries::FoundRecovery;
pub use room::{AskRoom, Room};
pub use sessions::{NewSession, session_id};
pub use store::{Queued, Store};
