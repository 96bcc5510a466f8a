//! What goes over the agent's socket.
//!
//! ```text
//! caller   Request                       then, while a command runs: FromCaller …
//! agent    FromAgent::Accepted, then FromAgent::{Result, Message, Bar, WantInput, WantSecret} …, last FromAgent::Finished
//! ```
//! A caller that goes away without [`FromCaller::Interrupt`] (its terminal was closed, it was killed) leaves the command running: that is
//! how transfers go on. What the command prints then goes nowhere.

use super::{MemoryProtection, frame::SMALL_FRAME};
use crate::console::BarState;
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;
use zeroize::Zeroize;

/// Bytes that may be a secret: a link, a code, a line of a file. Erased when dropped; `Debug` shows nothing.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Piece(ByteBuf);

impl Piece {
    /// Bytes of results and input that travel in one frame.
    pub(super) const LONGEST: usize = SMALL_FRAME - 64;

    /// A copy of these bytes.
    #[must_use]
    pub fn new(bytes: &[u8]) -> Self {
        Self(ByteBuf::from(bytes))
    }

    /// The bytes.
    #[must_use]
    pub fn secret_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for Piece {
    fn drop(&mut self) {
        self.0.as_mut_slice().zeroize();
    }
}

impl std::fmt::Debug for Piece {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self(_) = self;
        f.write_str("Piece")
    }
}

/// What a caller wants.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Request {
    /// That the account is locked. Answered by the end of the connection, when it is.
    Lock,
    /// [`AgentStatus`].
    Status,
    /// That a command is run.
    Run(Invocation),
}

/// A command as it was typed.
#[derive(Debug, Serialize, Deserialize)]
pub struct Invocation {
    /// Of the caller's program. Another version may mean something else by the same words.
    pub version: String,
    /// The command line without the program's name.
    pub arguments: Vec<Piece>,
    /// Where it was typed, which is what relative paths are relative to.
    pub directory: Piece,
}

/// What a caller says while its command runs.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum FromCaller {
    /// What was asked for by [`FromAgent::WantInput`], where nothing is the end of standard input, or by [`FromAgent::WantSecret`].
    Input(Piece),
    /// The command is to end.
    Interrupt,
}

/// What the agent says.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum FromAgent {
    /// The command runs. From now on it is the agent's, whatever becomes of the caller.
    Accepted,
    /// The command was not begun: too many are running.
    Busy,
    /// The command was not begun: the account is being locked.
    Locked,
    /// The command was not begun: caller and agent are not of one version.
    OtherVersion,
    /// For standard output.
    Result(Piece),
    /// A line for standard error.
    Message(String),
    /// A progress bar.
    Bar {
        /// Which.
        number: u32,
        /// What it shows from now on.
        state: BarState,
    },
    /// The command reads standard input.
    WantInput,
    /// The command asks this at the caller's terminal, where the answer is not shown.
    WantSecret(String),
    /// The command ended, with this exit code.
    Finished(u8),
    /// The answer to [`Request::Status`].
    Status(AgentStatus),
}

/// How the agent is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentStatus {
    /// Its process id.
    pub process: u32,
    /// Of its program.
    pub version: String,
    /// Commands that run.
    pub commands: u32,
    /// Seconds until it locks itself if nothing is asked of it; `None` if it does not, or while a command runs.
    pub locks_in: Option<u64>,
    /// Uploads that the network cut off and that it goes on with by itself.
    pub goes_on_with: u32,
    /// How well Tor is connected.
    pub tor: TorStatus,
    /// Which of its memory cannot be written to swap.
    pub memory: MemoryProtection,
}

/// How well Tor is connected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TorStatus {
    /// From 0 to 100.
    pub percent: u8,
    /// What is in the way, and what to try; empty if nothing is.
    pub hint: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_nothing() {
        assert_eq!(format!("{:?}", Piece::new(b"secret")), "Piece");
    }

    #[test]
    fn a_full_piece_fits_its_frame() {
        let full = Piece::new(&[0xff; Piece::LONGEST]);
        assert!(
            nightdrop_wire::codec::encode(&FromAgent::Result(full.clone())).unwrap().len() <= SMALL_FRAME
        );
        assert!(nightdrop_wire::codec::encode(&FromCaller::Input(full)).unwrap().len() <= SMALL_FRAME);
    }
}
