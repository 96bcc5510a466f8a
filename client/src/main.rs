//! `nightdrop`, the client.
#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    nightdrop_client::cli::main()
}
