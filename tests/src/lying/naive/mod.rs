//! Readers that do less than they must. Each is the whole protocol once more, written from `docs/protocol.md`, with every
//! check of its own and a list of those that it leaves out.
//!
//! With no check left out it finds what the client finds. With the right ones left out a lie fools it, which shows what
//! the lie would have done. So it tells two things that a test of the client alone cannot: that a lie is one, and which
//! checks stand against it.

mod account;
mod envelope;
mod file;

pub use account::{NaiveAccount, log_in};
pub(super) use file::{Manifest, seal_ticket_committed_to};
pub use file::{NaiveFile, NaiveReader};

/// A check that a reader may leave out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Check {
    /// The ticket's envelope is the one that the link binds.
    TicketDigest,
    /// The manifest is the one that the ticket binds.
    ManifestHash,
    /// The chunk is the one that the manifest lists.
    ChunkHash,
    /// The chunk has the length of its class.
    Length,
    /// The envelope is of the suite and kind that was asked for.
    Kind,
    /// The envelope is committed to the key.
    Commitment,
    /// The tag fits.
    Tag,
    /// The padding is zeros.
    Padding,
    /// Whatever was listed is there.
    Presence,
}

/// Why a naive reader stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stopped {
    /// A check that it does make failed.
    By(Check),
    /// It could make no sense of what came.
    Unreadable,
}

/// The checks that are left out.
#[derive(Debug, Clone, Copy)]
struct Without<'a>(&'a [Check]);

impl Without<'_> {
    /// Stops unless the check passes or is left out.
    fn check(self, check: Check, passes: bool) -> Result<(), Stopped> {
        if passes || self.0.contains(&check) { Ok(()) } else { Err(Stopped::By(check)) }
    }
}
