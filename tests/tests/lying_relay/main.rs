//! A relay that lies in one way at a time: what the client does, and what a reader would have taken for the truth that
//! lacks the check.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, missing_docs)]

mod access;
mod accounts;
mod appends;
mod attack;
mod blobs;
mod canaries;
mod checkpoints;
mod claims;
mod collusion;
mod copies;
mod credits;
mod denied;
mod growth;
mod heads;
mod histories;
mod homes;
mod http;
mod keys;
mod lines;
mod logins;
mod one_device;
mod padding;
mod paging;
mod payments;
mod recovery;
mod strays;
mod tickets;
mod uploads;
