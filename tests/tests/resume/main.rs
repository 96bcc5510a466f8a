//! Transfers go on where they were cut off: whatever cut them, whatever the disk lost, and whatever the relay says of what it holds.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::print_stderr, missing_docs)]

mod batches;
mod commands;
mod cut;
mod desk;
mod downloads;
mod everything_killed;
mod killed;
mod of_several;
mod refused;
mod replacing;
mod uploads;
