//! Tickets: how a blob is shared.

use crate::{
    ids::{BlobId, TicketId},
    token::TokenHash,
};
use serde::{Deserialize, Serialize};

/// `POST /v1/tickets`, shown the blob's write key. The same bytes may be sent again.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CreateTicket {
    /// Its id.
    pub ticket: TicketId,
    /// Who shows the token of this hash may read the blob.
    pub token: TokenHash,
    /// The finished blob that it opens.
    pub blob: BlobId,
    /// File key, blob id and manifest hash, sealed under the ticket key;
    /// [`crate::limits::TICKET_ENVELOPE`] bytes.
    #[serde(with = "serde_bytes")]
    pub envelope: Vec<u8>,
}
