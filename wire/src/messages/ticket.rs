//! Tickets: how a blob is shared, and claims: each stands for one download through a ticket that gives a limited number of them.

use crate::{
    ids::{BlobId, TicketId},
    quarter::QuarterHour,
    token::TokenHash,
};
use serde::{Deserialize, Serialize};
use std::num::NonZeroU16;

/// `POST /v1/tickets`, shown the blob's write key. The same bytes may be sent again.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CreateTicket {
    /// Its id.
    pub ticket: TicketId,
    /// Who shows the token of this hash may read the blob.
    pub token: TokenHash,
    /// The finished blob that it opens.
    pub blob: BlobId,
    /// When it ends.
    pub limits: TicketLimits,
    /// File key, blob id and manifest hash, sealed under the ticket key;
    /// [`crate::limits::TICKET_ENVELOPE`] bytes.
    #[serde(with = "serde_bytes")]
    pub envelope: Vec<u8>,
}

/// What ends a ticket by itself. An honest relay keeps to it; nothing makes another one do so.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TicketLimits {
    /// From when on it is over.
    pub ends: Option<QuarterHour>,
    /// How many claims it gives, [`crate::limits::MAX_DOWNLOADS`] at most. Without a number it needs none.
    pub downloads: Option<NonZeroU16>,
}

impl TicketLimits {
    /// Whether it is not over by its time. How many of its downloads are left only the relay knows.
    #[must_use]
    pub fn may_live(&self, now: QuarterHour) -> bool {
        self.ends.is_none_or(|ends| ends > now)
    }
}

/// `POST /v1/tickets/{ticket}/claims`, shown the ticket. Answered by the ticket's envelope. The same bytes may be sent again, and
/// take no other download, as long as the claim lasts.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct TakeClaim {
    /// Who shows the token of this hash, beside the ticket, may read the blob.
    pub claim: TokenHash,
}
