//! The relay: an onion service that stores only sealed envelopes.
//!
//! ```text
//! supervisor ─┬─ starts → gateway: speaks Tor, holds no data
//!             └─ starts → worker:  holds the data, has no network
//! client ⇄ Tor ⇄ gateway ⇄ DIR/run/worker.sock ⇄ worker
//! ```
//! One program, three processes: what parses requests cannot reveal where the machine is, and what speaks to the
//! world holds nothing.
#![forbid(unsafe_code)]

pub mod cli;
pub mod data_directory;
pub mod descriptors;
pub mod error;
pub mod gateway;
pub mod lifeline;
pub mod settings;
pub mod supervisor;
mod takeover;
pub mod worker;
