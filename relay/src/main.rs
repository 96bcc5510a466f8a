//! `nightdrop-relay`: see `nightdrop-relay --help`.
#![forbid(unsafe_code)]

use clap::Parser;
use nightdrop_relay::cli::{self, Arguments};
use std::process::ExitCode;

fn main() -> ExitCode {
    cli::run(Arguments::parse())
}
