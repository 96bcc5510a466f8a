//! What a command speaks to: standard output, standard error, progress bars and standard input, wherever they are.
//!
//! A command that runs in a process of its own speaks to the terminal of that process ([`crate::cli`]); one that the agent runs speaks
//! to the socket of whoever asked for it ([`crate::agent`]). The command is the same.

use serde::{Deserialize, Serialize};
use std::io;
use zeroize::Zeroizing;

/// Where a command's results, messages and progress go, and where its standard input comes from.
///
/// What blocks is called from threads that may block: a command has a thread of its own.
pub trait Console: Send + Sync + std::fmt::Debug {
    /// Writes to standard output, and returns when it is out of this process.
    ///
    /// # Errors
    /// When nobody reads there any more.
    fn result(&self, bytes: &[u8]) -> io::Result<()>;

    /// A whole line for standard error.
    fn message(&self, line: &str);

    /// What the bar with this number shows from now on. May be dropped, all but [`BarState::Done`].
    fn bar(&self, number: u32, state: BarState);

    /// Reads from standard input, at most what fits; nothing is its end.
    ///
    /// # Errors
    /// When it cannot be read, or whoever gave it is gone.
    fn read_input(&self, buffer: &mut [u8]) -> io::Result<usize>;

    /// Asks at the terminal, without showing what is typed, also when standard input is something else.
    ///
    /// # Errors
    /// When there is no terminal, or whoever gave it is gone.
    fn ask_secret(&self, question: &str) -> io::Result<Zeroizing<String>>;
}

/// What a progress bar shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum BarState {
    /// It is there, and is about this.
    Named(String),
    /// How far the way into the Tor network is, and what is in the way.
    Percent {
        /// From 0 to 100.
        percent: u8,
        /// For people; empty if nothing is in the way.
        hint: String,
    },
    /// Something of unknown length goes on.
    Waiting,
    /// A transfer.
    Bytes {
        /// Done, sealed.
        position: u64,
        /// In all, sealed; 0 if that is not known.
        length: u64,
        /// Over so many lanes; 0 before the first.
        lanes: u32,
    },
    /// It goes away.
    Done,
}
