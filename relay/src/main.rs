//! `nightdrop-relay`: see `nightdrop-relay --help`.
#![forbid(unsafe_code)]

use clap::Parser;
use nightdrop_relay::cli::{self, Arguments};
use std::process::ExitCode;
use tikv_jemallocator::Jemalloc;

/// Chunks are a megabyte each. The system's allocator maps, clears and unmaps the memory of each one; this one keeps it for the next, and
/// gives it back some seconds later (docs/performance.md).
#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

fn main() -> ExitCode {
    cli::run(Arguments::parse())
}
