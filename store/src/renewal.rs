//! Renewing a blob: another read token and write key in place of those that somebody else may know. Its chunks and its manifest stay, and of
//! its tickets those that are named: the others may have been made by whoever knew the old key.

use crate::{
    blobs::owned,
    digest::token_hash,
    error::StoreError,
    operation::Checked,
    room::Need,
    schema::BlobRow,
    store::{Queued, Store, refused},
    tickets::{self, ROWS_OF_TICKET},
    transaction::Changes,
};
use nightdrop_wire::{ids::BlobId, limits::MAX_KEPT_TICKETS, messages::blob::RenewBlob, token::Token};

impl Store {
    /// Replaces a blob's read token and write key, and ends the tickets that are not named. The same again is answered alike, to whoever shows the
    /// write key that it got.
    ///
    /// [`StoreError::Refused`] without its write key or if too many tickets are named, [`StoreError::Conflict`] if the write key that it has
    /// is to stay.
    #[must_use]
    pub fn renew_blob(&self, id: BlobId, write_key: &Token, message: &RenewBlob) -> Queued<()> {
        if message.tickets.len() > MAX_KEPT_TICKETS {
            return refused(StoreError::Refused);
        }
        let (shown, RenewBlob { read_token, write_key, tickets }) = (token_hash(write_key), message.clone());
        self.queue_for(Need::Little, 0, move |rows| {
            // Also if its time has passed: what is refused here counts as taken by a thief, and the clock may be wrong for a while.
            let held = owned(rows, id, &shown)?;
            if held.write_key == write_key {
                let same = held.read_token == read_token;
                return if same { Ok(Checked::Already(())) } else { Err(StoreError::Conflict) };
            }
            let mut ended = tickets::of_blob(rows, id)?;
            ended.retain(|ticket| !tickets.contains(ticket));
            let row = BlobRow { read_token, write_key, ..held };
            Ok(Checked::Scattered(1 + ended.len() * ROWS_OF_TICKET, move |changes: &Changes<'_>| {
                tickets::remove_all(changes, id, &ended, &write_key)?;
                changes.put(id.as_bytes(), &row)
            }))
        })
    }
}
