//! The agent: one process that keeps the account open and Tor warm, and runs commands for whoever asks over a Unix socket.
//!
//! ```text
//! nightdrop ls ──arguments, directory──▶ socket (0600) ──▶ agent: the same command, with the account that is open
//!              ◀──results, messages, progress, exit code──
//! ```
//! What always holds:
//! - It exists exactly as long as the account is open: `unlock` starts it, and it ends when it locks. No key outlives it on disk.
//! - It serves its own user only: socket in a directory of mode 0700, and the kernel says who is at the other end, on both sides.
//! - One agent for one home directory: it holds a lock on `HOME/agent`, where the socket's place is written.
//! - Everything that comes over the socket is bounded: frames, arguments, callers, time.
//! - It knows no command. What it is asked for is run by an [`Execute`], which the command line gives it, and which goes on with uploads that the
//!   network cut off, too: that is no use of the account, and ends for whatever is typed.

mod call;
mod chores;
mod descriptors;
mod frame;
mod going_on;
mod idle;
mod launch;
mod limits;
mod message;
mod protection;
mod remote;
mod serve;
mod socket;

pub use call::{call, lock, status};
pub use descriptors::close_inherited;
pub use idle::{Clock, IdleLimit, since_boot};
pub use launch::{Launch, launch};
pub use limits::AgentLimits;
pub use message::{AgentStatus, Invocation, Piece, TorStatus};
pub use protection::{MemoryProtection, lock_all_memory, protect_process};
pub use serve::{Agent, Execute};
pub use socket::{Claim, Listening, connect};
