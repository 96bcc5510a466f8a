//! The whole system as its users run it: the built programs, a private Tor network, home directories.
//!
//! Demo and scenarios stand on this. Every wait is a polled condition with a long limit that ends at once when the process
//! behind it dies; every process that is started here ends with the value that started it.

mod killed;
mod peak_memory;
mod programs;
mod relay_process;
mod sample_file;
mod search;
mod user;
mod worker_process;

pub use killed::Killed;
pub use peak_memory::PeakMemory;
pub use programs::{NotBuilt, network_file, program};
pub use relay_process::{RelayProcess, invite};
pub use sample_file::{MARKER, make_sample};
pub use search::{Found, search};
pub use user::{Finished, User};
pub use worker_process::{SocketTransport, WorkerProcess};

/// What went wrong in the harness itself, or in a program that it ran.
#[derive(Debug, thiserror::Error)]
pub enum SystemError {
    /// A program is not built, or there is no network.
    #[error(transparent)]
    NotBuilt(#[from] NotBuilt),
    /// A file or a process could not be used.
    #[error("cannot {action}: {source}")]
    Io {
        /// What was tried.
        action: String,
        /// Why not.
        source: std::io::Error,
    },
    /// The relay ended or was not reachable in time.
    #[error("the relay {what}; its output:\n{output}")]
    Relay {
        /// What happened.
        what: String,
        /// Standard error of the relay.
        output: String,
    },
    /// A command ended otherwise than expected.
    #[error("`{command}` ended with {status}; standard error:\n{stderr}")]
    Command {
        /// What was typed.
        command: String,
        /// How it ended.
        status: std::process::ExitStatus,
        /// What it said.
        stderr: String,
    },
    /// A command printed something else than it should.
    #[error("`{command}` printed something unexpected:\n{stdout}")]
    Output {
        /// What was typed.
        command: String,
        /// What it printed.
        stdout: String,
    },
}

pub(crate) fn io(action: impl Into<String>) -> impl FnOnce(std::io::Error) -> SystemError {
    let action = action.into();
    move |source| SystemError::Io { action, source }
}
