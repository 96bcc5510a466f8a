//! Claims: each stands for one download through a ticket that gives a limited number of them.
//!
//! A claim is taken before anything is read, and lasts for days, so that a download that broke goes on and counts once. Taking it again
//! takes nothing more. What always holds: a ticket has given as many claims as it counted, and never more than it gives; they are
//! counted and kept in one transaction. When a ticket has ended its claims open nothing, and the next sweep clears them away.

use crate::{
    at_rest_keys,
    day::Day,
    digest::token_hash,
    error::StoreError,
    lease::Moment,
    object::ObjectName,
    operation::Checked,
    room::{Need, scattered},
    row::Row,
    schema::{ClaimKey, ClaimRow, TicketRow},
    store::{Queued, Store, refused},
    tickets,
    transaction::{Changes, Rows},
};
use bytes::Bytes;
use nightdrop_wire::{
    ids::TicketId,
    limits::CLAIM_DAYS,
    quarter::QuarterHour,
    token::{Token, TokenHash},
};
use std::ops::ControlFlow;

impl Store {
    /// Takes a claim, and gives the ticket's envelope. The same claim again is answered alike.
    ///
    /// [`StoreError::Refused`] unless there is such a ticket, its token is shown, it counts downloads, and one is left or this claim was
    /// taken before and still lasts.
    #[must_use]
    pub fn take_claim(
        &self,
        ticket: TicketId,
        token: &Token,
        claim: TokenHash,
        now: QuarterHour,
    ) -> Queued<Bytes> {
        let (token, moment) = (token_hash(token), self.at(now));
        // Whoever is refused costs no turn of the writer, and waits no longer than for what is not there.
        if let Err(error) = self.snapshot().and_then(|rows| look(&rows, ticket, &token, &claim, moment)) {
            return refused(error);
        }
        // Reading goes on as long as anything does.
        self.queue_for(Need::Little, scattered(2), move |rows| {
            let (row, found) = look(rows, ticket, &token, &claim, moment)?;
            let envelope = row.envelope.clone();
            let envelope =
                at_rest_keys::open(rows, TicketRow::TABLE.name, ObjectName::ticket(ticket), envelope)?;
            let Found::Free { left } = found else { return Ok(Checked::Already(envelope)) };
            Ok(Checked::Write(move |changes: &Changes<'_>| {
                let expires = Day::at(now).plus(CLAIM_DAYS.saturating_sub(1));
                changes.put(&key(ticket, &claim), &ClaimRow { expires })?;
                changes.put(ticket.as_bytes(), &TicketRow { left: Some(left), ..row })?;
                Ok(envelope)
            }))
        })
    }
}

/// What there is for a claim.
enum Found {
    /// It was taken before.
    Taken,
    /// It can be taken; so many are left then.
    Free { left: u16 },
}

fn look(
    rows: &impl Rows,
    ticket: TicketId,
    token: &TokenHash,
    claim: &TokenHash,
    moment: Moment,
) -> Result<(TicketRow, Found), StoreError> {
    // First, and whatever the other look-up finds: so both are done for what is not there, too.
    let held = rows.guard::<ClaimRow>(&key(ticket, claim))?;
    let row = tickets::living(rows, ticket, token, moment)?;
    let left = row.left.ok_or(StoreError::Refused)?;
    let found = match held {
        Some(held) if held.expires >= moment.today() => Found::Taken,
        Some(_) => return Err(StoreError::Refused),
        None => Found::Free { left: left.checked_sub(1).ok_or(StoreError::Refused)? },
    };
    Ok((row, found))
}

/// The ticket, to whoever shows its token and a claim that was taken and lasts.
pub(crate) fn shown(
    rows: &impl Rows,
    ticket: TicketId,
    token: &Token,
    claim: &Token,
    moment: Moment,
) -> Result<TicketRow, StoreError> {
    match look(rows, ticket, &token_hash(token), &token_hash(claim), moment)? {
        (row, Found::Taken) => Ok(row),
        (_, Found::Free { .. }) => Err(StoreError::Refused),
    }
}

/// Whether a ticket has claims that are not cleared away.
pub(crate) fn any(rows: &impl Rows, ticket: TicketId) -> Result<bool, StoreError> {
    let mut any = false;
    rows.each(&ClaimRow::TABLE, of(ticket, [0; 32])..=of(ticket, [0xff; 32]), |_, _| {
        any = true;
        Ok(ControlFlow::Break(()))
    })?;
    Ok(any)
}

/// The ticket whose claim has this key.
pub(crate) fn ticket_of(key: &ClaimKey) -> TicketId {
    TicketId::from_bytes(std::array::from_fn(|at| key.get(at).copied().unwrap_or_default()))
}

fn key(ticket: TicketId, claim: &TokenHash) -> ClaimKey {
    of(ticket, *claim.as_bytes())
}

fn of(ticket: TicketId, claim: [u8; 32]) -> ClaimKey {
    let mut bytes = ticket.as_bytes().iter().chain(&claim).copied();
    std::array::from_fn(|_| bytes.next().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_ticket_and_claim() {
        let ticket = TicketId::from_bytes([7; 16]);
        let key = key(ticket, &TokenHash::from_bytes([9; 32]));
        assert_eq!((&key[..16], &key[16..]), ([7; 16].as_slice(), [9; 32].as_slice()));
        assert_eq!(ticket_of(&key), ticket);
    }
}
