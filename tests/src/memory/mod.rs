//! An honest relay in memory, a transport to it, and people who use it: the same code that runs over Tor, without Tor.
//!
//! What always holds: store, service and connections are the product's own, with its limits; what a client's bytes go
//! through on the way is a pipe. No socket is opened and no name is resolved.
#![allow(clippy::unwrap_used, reason = "what cannot be set up fails the test that wants it")]

mod device;
mod person;
mod purse;
mod relay;
mod transport;

pub use device::Device;
pub use person::{PASSWORD, Person, patient, quick};
pub use purse::{Drawing, Empty};
pub use relay::{MemoryRelay, address};
pub use transport::{Host, MemoryTransport};
