//! Limits that are part of the protocol: the same on both sides, applied before anything is allocated.

use crate::size_class::SizeClass;

/// Chunks of one blob, padding included. Bounds the manifest: 32 bytes per chunk in one sealed head.
pub const MAX_CHUNKS: u32 = 16_384;
/// Credits of one order at most.
pub const MAX_CREDITS_PER_ORDER: usize = 128;
/// Credits of one payment at most: enough for whatever a blob can cost, paid with as few as possible, and their number takes one byte.
pub const MAX_CREDITS_PER_PAYMENT: usize = 112;
/// Days for which what a destroyed blob gives back can be asked for.
pub const REFUND_DAYS: u32 = 14;
/// Days of a period: what an account may draw is counted anew in each, for all accounts on the same day.
pub const PERIOD_DAYS: u32 = 182;
/// Bytes of a sealed master key: the envelope's overhead and 32 bytes.
pub const MASTER_KEY_ENVELOPE: usize = ENVELOPE_OVERHEAD + 32;
/// Bytes of a sealed keyring at most.
pub const MAX_KEYRING_ENVELOPE: usize = 4_096;
/// Bytes of a ticket's envelope.
pub const TICKET_ENVELOPE: usize = ENVELOPE_OVERHEAD + 32 + 16 + 32;
/// Bytes that an envelope adds to what it seals: suite, kind, salt, commitment and tag.
pub const ENVELOPE_OVERHEAD: usize = 2 + 1 + 32 + 32 + 16;
/// Bytes of a control body (postcard) that carries no chunk and no manifest.
pub const MAX_SMALL_BODY: usize = 8 * 1024;
/// Bytes of a sealed manifest at most; every manifest has the size of a class.
pub const MAX_MANIFEST: usize = SizeClass::FULL.sealed();
/// Bytes of a control body that carries one chunk and its manifest.
pub const MAX_LARGE_BODY: usize = 2 * SizeClass::FULL.sealed() + MAX_SMALL_BODY;
/// Tickets that a renewal of their blob may keep, so that naming them fits a control body.
pub const MAX_KEPT_TICKETS: usize = 480;
/// Downloads that one ticket gives at most, where their number is limited.
pub const MAX_DOWNLOADS: u16 = 1_000;
/// Days for which a claim lasts, the one on which it was taken included; the end of its ticket ends it, too.
pub const CLAIM_DAYS: u32 = 7;
/// Entries of one log at most.
pub const MAX_LOG_ENTRIES: u64 = 262_144;
/// Entries of one append, and of one page of a log, at most.
pub const MAX_ENTRIES: usize = 256;
/// The only sizes that a sealed entry may have, so that its length tells little of what it says.
pub const ENTRY_SIZES: [usize; 4] = [512, 1024, 2048, 4096];
/// Bytes of an append, and of one page of a log, at most.
pub const MAX_ENTRIES_BODY: usize = MAX_ENTRIES * 1024 + MAX_SMALL_BODY;
/// Chunks of one page of what an unfinished blob holds, at most.
pub const MAX_HELD_CHUNKS: usize = 1_024;
/// Bytes of such a page at most: a count, and for each chunk index and hash.
pub const MAX_HELD_BODY: usize = 2 + MAX_HELD_CHUNKS * (2 + 32);
/// Bytes of a challenge: a second and the relay's mark.
pub const WORK_CHALLENGE: usize = 8 + 32;
/// Parts of the work that earns an invitation.
pub const WORK_PARTS: usize = 16;
/// Bytes of the work: a number for each part.
pub const WORK_SOLUTION: usize = WORK_PARTS * 8;
/// Leading zero bits of each part that a client works for at most: some minutes of one core.
pub const MAX_WORK: u8 = 28;
