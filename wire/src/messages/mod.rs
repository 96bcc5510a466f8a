//! The control bodies of requests and answers, one file per subject. Byte form: [`crate::codec`].
//!
//! Field order is the byte order; changing it changes the protocol.

pub mod account;
pub mod admin;
pub mod blob;
pub mod credit;
pub mod log;
pub mod relay;
pub mod ticket;
