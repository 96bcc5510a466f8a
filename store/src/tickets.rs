//! Tickets: each reads one finished blob, without its read token. A blob's end ends all its tickets; time, or their claims
//! (`claims`), may end them before.

use crate::{
    at_rest_keys::{self, NewObject},
    blobs,
    day::Day,
    digest::{BodyDigest, token_hash},
    ended,
    error::{Failure, StoreError},
    lease::Moment,
    limits::StoreLimits,
    object::ObjectName,
    operation::Checked,
    room::Need,
    row::{self, Row},
    schema::{BlobRow, BlobState, BlobTicketKey, BlobTicketRow, ENDED, TicketRow},
    store::{Queued, Store, refused},
    transaction::{Changes, Rows},
};
use bytes::Bytes;
use nightdrop_wire::{
    ids::{BlobId, TicketId},
    limits::{MAX_DOWNLOADS, TICKET_ENVELOPE},
    messages::ticket::{CreateTicket, TicketLimits},
    quarter::QuarterHour,
    token::{Token, TokenHash},
};
use rand::CryptoRng;
use std::{
    num::NonZeroU16,
    ops::{ControlFlow, RangeInclusive},
};

/// Rows that the end of a ticket changes: key, ticket and what remains of it. That of its blob stands beside others.
pub(crate) const ROWS_OF_TICKET: usize = 3;

impl Store {
    /// Makes a ticket. The same body again is answered alike.
    ///
    /// [`StoreError::Refused`] without the blob's write key, with an envelope of the wrong length or with more downloads than a ticket
    /// may give; [`StoreError::Conflict`] if the blob is not finished or its tickets are, or give, as many as they may, or the
    /// ticket's id is taken or ended.
    #[must_use]
    pub fn create_ticket(
        &self,
        message: &CreateTicket,
        body: BodyDigest,
        write_key: &Token,
        today: Day,
        rng: &mut dyn CryptoRng,
    ) -> Queued<()> {
        let (ticket, blob, token) = (message.ticket, message.blob, message.token);
        let TicketLimits { ends, downloads } = message.limits;
        let left = downloads.map(NonZeroU16::get);
        if left > Some(MAX_DOWNLOADS) {
            return refused(StoreError::Refused);
        }
        let envelope = match seal_envelope(message, rng) {
            Ok(envelope) => envelope,
            Err(error) => return refused(error),
        };
        let write_key = token_hash(write_key);
        let (limits, moment) = (*self.limits(), self.on(today));
        self.queue(envelope.stored.len(), move |rows| {
            let state = blobs::writable(rows, blob, &write_key, moment)?.state;
            if let Some(held) = rows.row::<TicketRow>(ticket.as_bytes())? {
                let same = held.request == body.0;
                return if same { Ok(Checked::Already(())) } else { Err(StoreError::Conflict) };
            }
            let ended = rows.holds(&ENDED, &ObjectName::ticket(ticket).bytes())?;
            let downloads = left.unwrap_or_default();
            if ended || state == BlobState::Open || !fits(rows, blob, downloads, &limits)? {
                return Err(StoreError::Conflict);
            }
            Ok(Checked::Write(move |changes: &Changes<'_>| {
                envelope.keep_key(changes)?;
                changes.put(&(*blob.as_bytes(), *ticket.as_bytes()), &BlobTicketRow { downloads })?;
                let row = TicketRow { token, blob, request: body.0, ends, left, envelope: envelope.stored };
                changes.put(ticket.as_bytes(), &row)
            }))
        })
    }

    /// The envelope of a ticket that needs no claim.
    ///
    /// # Errors
    /// [`StoreError::Refused`] unless there is such a ticket and its token is shown; [`StoreError::Damaged`],
    /// [`StoreError::Database`].
    pub fn read_ticket(
        &self,
        ticket: TicketId,
        token: &Token,
        now: QuarterHour,
    ) -> Result<Bytes, StoreError> {
        let snapshot = self.snapshot()?;
        let row = shown(&snapshot, ticket, token, self.at(now))?;
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
            blobs::owned(rows, blob, &write_key)?;
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

/// The ticket, to whoever shows its token, if it needs no claim.
pub(crate) fn shown(
    rows: &impl Rows,
    ticket: TicketId,
    token: &Token,
    moment: Moment,
) -> Result<TicketRow, StoreError> {
    let row = living(rows, ticket, &token_hash(token), moment)?;
    if row.left.is_none() { Ok(row) } else { Err(StoreError::Refused) }
}

/// The ticket with this token, if neither it nor its blob is over.
pub(crate) fn living(
    rows: &impl Rows,
    ticket: TicketId,
    token: &TokenHash,
    moment: Moment,
) -> Result<TicketRow, StoreError> {
    let row = rows.guard::<TicketRow>(ticket.as_bytes())?;
    // Some blob is looked up for what is not there, too.
    let blob = row.as_ref().map_or(BlobId::from_bytes(*ticket.as_bytes()), |row| row.blob);
    let has_blob = rows.guard::<BlobRow>(blob.as_bytes())?.is_some_and(|blob| moment.has(&blob));
    let row = row.ok_or(StoreError::Refused)?;
    let is_over = row.ends.is_some_and(|ends| ends <= moment.now) || !has_blob;
    if row.token == *token && !is_over { Ok(row) } else { Err(StoreError::Refused) }
}

/// Whether a blob may have one ticket more that gives so many claims.
fn fits(rows: &impl Rows, blob: BlobId, downloads: u16, limits: &StoreLimits) -> Result<bool, StoreError> {
    let (mut tickets, mut claims) = (1_usize, u32::from(downloads));
    rows.each(&BlobTicketRow::TABLE, all_of(blob), |key, bytes| {
        tickets = tickets.saturating_add(1);
        claims = claims.saturating_add(row::decode::<BlobTicketRow>(&key, bytes)?.downloads.into());
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(tickets <= limits.tickets_per_blob && claims <= limits.claims_per_blob)
}

fn all_of(blob: BlobId) -> RangeInclusive<BlobTicketKey> {
    (*blob.as_bytes(), [0; 16])..=(*blob.as_bytes(), [0xff; 16])
}

/// All tickets of a blob.
pub(crate) fn of_blob(rows: &impl Rows, blob: BlobId) -> Result<Vec<TicketId>, StoreError> {
    let mut tickets = Vec::new();
    rows.each(&BlobTicketRow::TABLE, all_of(blob), |(_, ticket), _| {
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
        changes.remove(&BlobTicketRow::TABLE, &(*blob.as_bytes(), *ticket.as_bytes()))?;
        ended::keep(changes, ObjectName::ticket(*ticket), write_key)?;
    }
    Ok(())
}
