//! A relay that lies in one way at a time: what the client does, and what a reader would have taken for the truth that
//! lacks the check.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, missing_docs)]

mod accounts;
mod attack;
mod blobs;
mod canaries;
mod collusion;
mod heads;
mod http;
mod keys;
mod lines;
mod logins;
mod tickets;
mod uploads;
