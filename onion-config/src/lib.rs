//! Tor for both programs: from settings to a bootstrapped Arti, an onion service, and streams.
//!
//! What always holds:
//! - This is the only crate that names Arti and the only one that builds its configuration.
//! - A stream goes to an onion address or nowhere: nothing here takes a host name or an IP address, and nothing
//!   resolves names.
//! - A private network *replaces* the public one. No configuration built here mixes the two, and each has state
//!   directories of its own, so that no remembered public relay is ever contacted from a private network.
//! - No onion address, relay or path is logged.
#![forbid(unsafe_code)]

mod circuit;
mod configuration;
mod directories;
mod error;
mod incoming;
mod lane;
mod network;
mod network_file;
mod progress;
mod service;
mod settings;
mod stream;
mod tls;
mod tor;

pub use circuit::Circuit;
pub use error::TorError;
pub use incoming::IncomingStream;
pub use lane::Lane;
pub use network::{Network, NetworkFileError, PrivateNetwork};
pub use progress::{Blockage, BlockageKind, Progress};
pub use service::{OnionService, Reachability};
pub use settings::{Role, TorLimits, TorSettings};
pub use stream::TorStream;
pub use tor::Tor;
