//! Readers that do less than they must. Each is the whole protocol once more, written from `docs/protocol.md`, with every
//! check of its own and a list of those that it leaves out.
//!
//! With no check left out it finds what the client finds. With the right ones left out a lie fools it, which shows what
//! the lie would have done. So it tells two things that a test of the client alone cannot: that a lie is one, and which
//! checks stand against it.

mod account;
mod envelope;
mod file;
mod home;

pub use account::{NaiveAccount, log_in};
pub(super) use file::{Manifest, seal_ticket_committed_to};
pub use file::{NaiveFile, NaiveReader};
pub use home::{Entry, NaiveHome, NaiveListed, OpenHome, read_home};

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
    /// A log has no more entries, and its pages no fewer, than they may have.
    Bounds,
    /// The entries lead to the head that the relay claims.
    Head,
    /// The log leads past what the device remembers.
    Memory,
    /// The first entry makes the space.
    Beginning,
    /// The entry says that it belongs to this space and epoch.
    Space,
    /// The entry stands where it was written: after these entries and no others.
    Place,
    /// The entry is by the owner.
    Author,
    /// The entry is signed by its author.
    Signature,
    /// The operation does not contradict what the space holds.
    Sense,
}

/// Why a naive reader stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stopped {
    /// A check that it does make failed.
    By(Check),
    /// It could make no sense of what came.
    Unreadable,
    /// It did not stop, and had read more than any log has.
    Never,
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
