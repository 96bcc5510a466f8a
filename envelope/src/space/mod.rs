//! Spaces: an append-only log of sealed, signed entries, and the state that replaying it gives.
//!
//! ```text
//! relay's log:   sealed entry 0 ‖ sealed entry 1 ‖ …        hash = space id, then SHA-256(hash ‖ sealed entry), …
//! inside each:   space, epoch, sequence, previous hash, hash of the state that the author saw,
//!                place of the last checkpoint, author, operation; signature
//! ```
//! What always holds:
//! - Replay is deterministic: the same log gives the same state on every device.
//! - The relay cannot add, alter, reorder or remove entries without an error. It can withhold the newest; a remembered
//!   head shows that.
//! - An entry that does not open, is not signed by the owner, or makes no sense stays in the chain, has no effect, and is
//!   reported.
//! - A space begins with the entry that makes its id. A log that begins otherwise is an error: it is not this space's.
//!
//! *Home* is the space of one member: its owner.

mod checkpoint;
mod copy;
mod entry;
mod keys;
mod lead;
mod lease;
mod operation;
mod path;
mod replay;
mod since_copy;
mod state;
mod trail;

pub use checkpoint::{VerifiedCheckpoint, newest_checkpoint};
pub use copy::{Copied, CopiedState};
pub use keys::HomeKeys;
pub use lead::Lead;
pub use lease::{Lease, LeaseNews, price_of};
pub use operation::{FileRecord, HeldCapabilities, Operation, TicketRecord};
pub use path::SpacePath;
pub use replay::{ChainError, Fault, Replay, Report, VerifiedLog};
pub use state::{Renewal, State};
