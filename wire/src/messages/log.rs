//! Logs: what the relay keeps of a space. It sees sealed entries, counts them and chains their hashes.

use crate::{ids::SpaceId, messages::credit::Credit, token::TokenHash};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

/// Where a log stands.
///
/// Before the first entry the hash is the space id; each entry makes it SHA-256(hash ‖ sealed entry).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogHead {
    /// Entries so far.
    pub count: u64,
    /// The chain over them.
    pub hash: [u8; 32],
}

impl LogHead {
    /// The head of a log without entries.
    #[must_use]
    pub const fn before_first(space: SpaceId) -> Self {
        Self { count: 0, hash: *space.as_bytes() }
    }
}

/// How much room a log has, and how much of it is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogRoom {
    /// Units that were paid for it in all.
    pub paid: u32,
    /// Bytes that its entries take, as [`crate::price::of_entry`] counts them.
    pub taken: u64,
}

/// `POST /v1/logs`: makes a log with its first entries. The same bytes may be sent again.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CreateLog {
    /// Its space.
    pub space: SpaceId,
    /// Pays for it, as for a blob.
    pub payment: Vec<Credit>,
    /// Units that are paid for: at least what the entries take, at most [`crate::price::LONGEST_LOG`].
    pub paid: u32,
    /// Who shows the token of this hash may read.
    pub read_token: TokenHash,
    /// Who shows the token of this hash may append.
    pub append_token: TokenHash,
    /// Sealed entries, 1 to [`crate::limits::MAX_ENTRIES`], each of one of [`crate::limits::ENTRY_SIZES`].
    pub entries: Vec<ByteBuf>,
}

/// `POST /v1/logs/{space}`: appends, if the log still stands at `expected`; otherwise a conflict. The same bytes may be
/// sent again: entries that stand right after `expected` already are not appended twice.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Append {
    /// Where the writer last saw the log.
    pub expected: LogHead,
    /// As in [`CreateLog`].
    pub entries: Vec<ByteBuf>,
}

/// `POST /v1/logs/{space}/grow`: pays for more, if as much is paid as the writer saw; otherwise a conflict. The same bytes may be sent again.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct GrowLog {
    /// Units that are paid for, as the writer saw it last.
    pub held: u32,
    /// Units that are paid for from then on, in all: more than that, at most [`crate::price::LONGEST_LOG`].
    pub paid: u32,
    /// Pays for what is missing.
    pub payment: Vec<Credit>,
}

/// Answer to `GET /v1/logs/{space}/{from}`: entries from number `from` on, as many as fit.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct LogPage {
    /// Where the log stands, all entries counted.
    pub head: LogHead,
    /// How much room it has, and how much its entries take up to that head.
    pub room: LogRoom,
    /// The entries of this page, at most [`crate::limits::MAX_ENTRIES`] and
    /// [`crate::limits::MAX_ENTRIES_BODY`] bytes in all.
    pub entries: Vec<ByteBuf>,
}
