//! Tickets: each reads one finished blob, without its read token. A blob's end ends all its tickets.

use crate::{
    at_rest_keys::{self, NewObject},
    blobs,
    digest::{BodyDigest, token_hash},
    ended,
    error::{Failure, StoreError},
    object::ObjectName,
    operation::Checked,
    room::Need,
    row::Row,
    schema::{BLOB_TICKETS, BlobState, ENDED, TicketRow},
    store::{Queued, Store, refused},
    transaction::{Changes, Rows},
};
use bytes::Bytes;
use nightdrop_wire::{
    ids::{BlobId, TicketId},
    limits::TICKET_ENVELOPE,
    messages::ticket::CreateTicket,
    token::{Token, TokenHash},
};
use rand::CryptoRng;
use std::ops::ControlFlow;

/// Rows that the end of a ticket changes: key, ticket and what remains of it. That of its blob stands beside others.
pub(crate) const ROWS_OF_TICKET: usize = 3;

impl Store {
    /// Makes a ticket. The same body again is answered alike.
    ///
    /// [`StoreError::Refused`] without the blob's write key or with an envelope of the wrong length,
    /// [`StoreError::Conflict`] if the blob is not finished or has as many tickets as it may have, or the ticket's id is
    /// taken or ended.
    #[must_use]
    pub fn create_ticket(
        &self,
        message: &CreateTicket,
        body: BodyDigest,
        write_key: &Token,
        rng: &mut dyn CryptoRng,
    ) -> Queued<()> {
        let (ticket, blob, token) = (message.ticket, message.blob, message.token);
        let envelope = match seal_envelope(message, rng) {
            Ok(envelope) => envelope,
            Err(error) => return refused(error),
        };
        let write_key = token_hash(write_key);
        let most = self.limits().tickets_per_blob;
        self.queue(envelope.stored.len(), move |rows| {
            let state = blobs::writable(rows, blob, &write_key)?.state;
            if let Some(held) = rows.row::<TicketRow>(ticket.as_bytes())? {
                let same = held.request == body.0;
                return if same { Ok(Checked::Already(())) } else { Err(StoreError::Conflict) };
            }
            let ended = rows.holds(&ENDED, &ObjectName::ticket(ticket).bytes())?;
            if ended || state == BlobState::Open || of_blob(rows, blob)?.len() >= most {
                return Err(StoreError::Conflict);
            }
            Ok(Checked::Write(move |changes: &Changes<'_>| {
                envelope.keep_key(changes)?;
                changes.put_bytes(&BLOB_TICKETS, &(*blob.as_bytes(), *ticket.as_bytes()), &[])?;
                let row = TicketRow { token, blob, request: body.0, envelope: envelope.stored };
                changes.put(ticket.as_bytes(), &row)
            }))
        })
    }

    /// A ticket's envelope.
    ///
    /// # Errors
    /// [`StoreError::Refused`] unless there is such a ticket and its token is shown; [`StoreError::Damaged`],
    /// [`StoreError::Database`].
    pub fn read_ticket(&self, ticket: TicketId, token: &Token) -> Result<Bytes, StoreError> {
        let snapshot = self.snapshot()?;
        let row = shown(&snapshot, ticket, token)?;
        at_rest_keys::open(&snapshot, TicketRow::TABLE.name, ObjectName::ticket(ticket), row.envelope)
    }

    /// Ends a ticket. Its id is never made again. The same again is answered alike.
    ///
    /// [`StoreError::Refused`] unless there is such a ticket and the write key of its blob is shown.
    #[must_use]
    pub fn end_ticket(&self, ticket: TicketId, write_key: &Token) -> Queued<()> {
        let write_key = token_hash(write_key);
        self.queue_for(Need::Least, 0, move |rows| {
            if ended::by(rows, ObjectName::ticket(ticket), &write_key)? {
                return Ok(Checked::Already(()));
            }
            let blob = rows.guard::<TicketRow>(ticket.as_bytes())?.ok_or(StoreError::Refused)?.blob;
            blobs::writable(rows, blob, &write_key)?;
            Ok(Checked::Scattered(ROWS_OF_TICKET, move |changes: &Changes<'_>| {
                remove_all(changes, blob, &[ticket], &write_key)
            }))
        })
    }
}

fn seal_envelope(message: &CreateTicket, rng: &mut dyn CryptoRng) -> Result<NewObject, StoreError> {
    if message.envelope.len() != TICKET_ENVELOPE {
        return Err(StoreError::Refused);
    }
    NewObject::seal(TicketRow::TABLE.name, ObjectName::ticket(message.ticket), &message.envelope, rng)
}

/// The ticket, to whoever shows its token.
pub(crate) fn shown(rows: &impl Rows, ticket: TicketId, token: &Token) -> Result<TicketRow, StoreError> {
    rows.guard::<TicketRow>(ticket.as_bytes())?
        .filter(|row| row.token == token_hash(token))
        .ok_or(StoreError::Refused)
}

/// All tickets of a blob.
pub(crate) fn of_blob(rows: &impl Rows, blob: BlobId) -> Result<Vec<TicketId>, StoreError> {
    let mut tickets = Vec::new();
    let range = (*blob.as_bytes(), [0; 16])..=(*blob.as_bytes(), [0xff; 16]);
    rows.each(&BLOB_TICKETS, range, |(_, ticket), _| {
        tickets.push(TicketId::from_bytes(ticket));
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(tickets)
}

/// Ends tickets of the blob with this write key.
pub(crate) fn remove_all(
    changes: &Changes<'_>,
    blob: BlobId,
    tickets: &[TicketId],
    write_key: &TokenHash,
) -> Result<(), Failure> {
    for ticket in tickets {
        at_rest_keys::erase(changes, ObjectName::ticket(*ticket))?;
        changes.remove(&TicketRow::TABLE, ticket.as_bytes())?;
        changes.remove(&BLOB_TICKETS, &(*blob.as_bytes(), *ticket.as_bytes()))?;
        ended::keep(changes, ObjectName::ticket(*ticket), write_key)?;
    }
    Ok(())
}
