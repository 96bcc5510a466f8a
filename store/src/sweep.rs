//! What is over by the day is cleared away: spent credits, sessions, invitations, claims and tickets of past days, draws of past periods, what nobody asked back in time, tickets whose
//! claims are used up, and blobs that were never finished or whose lease or age is over. Looking reads a snapshot; clearing is done in small operations that stand in the queue like any
//! other and look again, so that nobody waits for it and nothing is cleared that has changed meanwhile. On an almost
//! full disk they are made smaller.

use crate::{
    blobs::{self, ROWS_OF_BLOB},
    claims,
    credits::period_of,
    day::Day,
    error::{Failure, StoreError},
    lease::Moment,
    limits::StoreLimits,
    operation::Checked,
    room::Need,
    row::{self, FixedKey, Row},
    schema::{
        AccountSessionsRow, BlobRow, BlobState, ClaimRow, CreditQuotaRow, InvitationRow, RefundRow,
        SessionRow, SpentCreditRow, TicketRow,
    },
    store::{Queued, Store},
    tickets::{self, ROWS_OF_TICKET},
    transaction::{Changes, Rows},
};
use nightdrop_wire::ids::{BlobId, TicketId};
use std::ops::ControlFlow;

impl Store {
    /// Clears away what is over today, and tells how many rows that concerned. What is damaged stays.
    ///
    /// # Errors
    /// [`StoreError::Full`] if there is no room even for this, [`StoreError::Damaged`], [`StoreError::Database`]; what
    /// was cleared until then is.
    pub async fn sweep(&self, today: Day) -> Result<usize, StoreError> {
        let when = When { today, moment: self.on(today), limits: *self.limits() };
        Ok(self.sweep_table::<SpentCreditRow, 32>(when).await?
            + self.sweep_table::<CreditQuotaRow, 10>(when).await?
            + self.sweep_table::<AccountSessionsRow, 10>(when).await?
            + self.sweep_table::<InvitationRow, 32>(when).await?
            + self.sweep_table::<ClaimRow, 48>(when).await?
            // After their claims, so that those that are used up end with the last of them.
            + self.sweep_table::<TicketRow, 16>(when).await?
            + self.sweep_table::<RefundRow, 16>(when).await?
            + self.sweep_table::<BlobRow, 16>(when).await?)
    }

    async fn sweep_table<R: Passing<Key = [u8; N]>, const N: usize>(
        &self,
        when: When,
    ) -> Result<usize, StoreError>
    where
        [u8; N]: FixedKey,
    {
        let (mut from, mut cleared) = (Some([0; N]), 0);
        while let Some(first) = from {
            let (over, next) = self.look::<R, N>(first, when)?;
            from = next;
            if over.is_empty() {
                continue;
            }
            cleared += self.clear::<R, N>(over, when).await?;
        }
        Ok(cleared)
    }

    /// Clears these rows away, in one step or in as many as there is room for.
    async fn clear<R: Passing<Key = [u8; N]>, const N: usize>(
        &self,
        mut over: Vec<[u8; N]>,
        when: When,
    ) -> Result<usize, StoreError>
    where
        [u8; N]: FixedKey,
    {
        let (mut most, mut cleared) = (over.len(), 0);
        while !over.is_empty() {
            let step = over.split_off(over.len().saturating_sub(most));
            match self.clear_at_once::<R, N>(step.clone(), when).await {
                Ok(count) => cleared += count,
                Err(StoreError::Full) if most > 1 => {
                    over.extend(step);
                    most /= 2;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(cleared)
    }

    fn clear_at_once<R: Passing<Key = [u8; N]>, const N: usize>(
        &self,
        over: Vec<[u8; N]>,
        when: When,
    ) -> Queued<usize>
    where
        [u8; N]: FixedKey,
    {
        self.queue_for(Need::Least, 0, move |rows| {
            let clearings: Vec<_> = over.iter().filter_map(|key| clearing::<R, N>(rows, key, when)).collect();
            let changed = clearings.iter().map(|clearing| clearing.rows).sum();
            Ok(Checked::Scattered(changed, move |changes: &Changes<'_>| {
                let count = clearings.len();
                clearings.into_iter().try_for_each(|clearing| (clearing.clear)(changes))?;
                Ok(count)
            }))
        })
    }

    /// The next rows that are over, from a key on, and from where to look after them. Reads so few that it may be done
    /// between requests.
    fn look<R: Passing<Key = [u8; N]>, const N: usize>(
        &self,
        from: [u8; N],
        when: When,
    ) -> Result<Looked<N>, StoreError>
    where
        [u8; N]: FixedKey,
    {
        let snapshot = self.snapshot()?;
        let (mut over, mut next, mut read) = (Vec::new(), None, 0);
        snapshot.each(&R::TABLE, from..=[0xff; N], |key, bytes| {
            read += 1;
            let row = row::decode::<R>(&key, bytes).ok();
            if row.is_some_and(|row| matches!(row.clearing(&key, &snapshot, when), Ok(Some(_)))) {
                over.push(key);
            }
            if read < when.limits.sweep_rows.max(1) {
                return Ok(ControlFlow::Continue(()));
            }
            next = successor(key);
            Ok(ControlFlow::Break(()))
        })?;
        Ok((over, next))
    }
}

/// Keys of rows that are over, and from where to look after them.
type Looked<const N: usize> = (Vec<[u8; N]>, Option<[u8; N]>);

/// The key after this one.
fn successor<const N: usize>(mut key: [u8; N]) -> Option<[u8; N]> {
    for byte in key.iter_mut().rev() {
        *byte = byte.wrapping_add(1);
        if *byte != 0 {
            return Some(key);
        }
    }
    None
}

/// The day on which it is swept.
#[derive(Debug, Clone, Copy)]
struct When {
    today: Day,
    moment: Moment,
    limits: StoreLimits,
}

/// What clears a row.
struct Clearing {
    /// Rows that it changes.
    rows: usize,
    clear: Box<Clear>,
}

type Clear = dyn FnOnce(&Changes<'_>) -> Result<(), Failure>;

impl Clearing {
    fn new(rows: usize, clear: impl FnOnce(&Changes<'_>) -> Result<(), Failure> + 'static) -> Self {
        Self { rows, clear: Box::new(clear) }
    }
}

fn clearing<R: Passing<Key = [u8; N]>, const N: usize>(
    rows: &impl Rows,
    key: &[u8; N],
    when: When,
) -> Option<Clearing>
where
    [u8; N]: FixedKey,
{
    // What is damaged is not cleared, and does not keep others from being.
    rows.row::<R>(key).ok().flatten()?.clearing(key, rows, when).ok().flatten()
}

/// A row whose time passes.
trait Passing: Row + 'static {
    /// What clears it, if it is over.
    fn clearing(self, key: &Self::Key, rows: &impl Rows, when: When) -> Result<Option<Clearing>, StoreError>;
}

/// Removes the row itself, if it is over.
fn remove_if<R: Row + 'static>(over: bool, key: &R::Key) -> Result<Option<Clearing>, StoreError>
where
    R::Key: Copy,
{
    let key = *key;
    Ok(over.then(|| Clearing::new(1, move |changes| changes.remove(&R::TABLE, &key))))
}

impl Passing for SpentCreditRow {
    /// A day later than it stops to pay: what asks for the day and what sweeps may stand in the queue around midnight.
    fn clearing(self, key: &[u8; 32], _: &impl Rows, when: When) -> Result<Option<Clearing>, StoreError> {
        remove_if::<Self>(self.expires.plus(1) < when.today, key)
    }
}

impl Passing for CreditQuotaRow {
    fn clearing(self, key: &[u8; 10], _: &impl Rows, when: When) -> Result<Option<Clearing>, StoreError> {
        remove_if::<Self>(self.period < period_of(when.today), key)
    }
}

impl Passing for RefundRow {
    fn clearing(self, key: &[u8; 16], _: &impl Rows, when: When) -> Result<Option<Clearing>, StoreError> {
        remove_if::<Self>(self.expires < when.today, key)
    }
}

impl Passing for InvitationRow {
    fn clearing(self, key: &[u8; 32], _: &impl Rows, when: When) -> Result<Option<Clearing>, StoreError> {
        remove_if::<Self>(self.expires.plus(when.limits.invitation_memory_days) < when.today, key)
    }
}

impl Passing for AccountSessionsRow {
    /// The sessions of an account that are over, in its list as well.
    fn clearing(self, key: &[u8; 10], rows: &impl Rows, when: When) -> Result<Option<Clearing>, StoreError> {
        let (key, mut over, mut left) = (*key, Vec::new(), Vec::new());
        for session in self.sessions {
            let row = rows.row::<SessionRow>(session.as_bytes())?;
            let passed = row.is_none_or(|row| row.expires < when.today);
            if passed { &mut over } else { &mut left }.push(session);
        }
        if over.is_empty() {
            return Ok(None);
        }
        Ok(Some(Clearing::new(over.len().saturating_add(1), move |changes| {
            for session in over {
                changes.remove(&SessionRow::TABLE, session.as_bytes())?;
            }
            if left.is_empty() {
                return changes.remove(&Self::TABLE, &key);
            }
            changes.put(&key, &Self { sessions: left })
        })))
    }
}

impl Passing for ClaimRow {
    /// A claim whose days have passed, or whose ticket has ended.
    fn clearing(self, key: &[u8; 48], rows: &impl Rows, when: When) -> Result<Option<Clearing>, StoreError> {
        let has_ticket = rows.holds(&TicketRow::TABLE, claims::ticket_of(key).as_bytes())?;
        remove_if::<Self>(self.expires < when.today || !has_ticket, key)
    }
}

impl Passing for TicketRow {
    /// A ticket whose time, or whose blob's, has passed, or whose claims are all taken and cleared away. To its owner it ends as if the write key had
    /// ended it.
    fn clearing(self, key: &[u8; 16], rows: &impl Rows, when: When) -> Result<Option<Clearing>, StoreError> {
        let ticket = TicketId::from_bytes(*key);
        let Some(blob) = rows.row::<BlobRow>(self.blob.as_bytes())? else { return Ok(None) };
        let passed = self.ends.is_some_and(|ends| ends <= when.today.begins()) || !when.moment.has(&blob);
        if !passed && (self.left != Some(0) || claims::any(rows, ticket)?) {
            return Ok(None);
        }
        let end =
            move |changes: &Changes<'_>| tickets::remove_all(changes, self.blob, &[ticket], &blob.write_key);
        Ok(Some(Clearing::new(ROWS_OF_TICKET.saturating_add(1), end)))
    }
}

impl Passing for BlobRow {
    /// A blob that was not finished in time, or whose time has passed, ends. Its tickets were cleared before it, but for those that could not be.
    fn clearing(self, key: &[u8; 16], rows: &impl Rows, when: When) -> Result<Option<Clearing>, StoreError> {
        let unfinished = self.state == BlobState::Open;
        let forgotten = unfinished && self.created.plus(when.limits.unfinished_days) < when.today;
        if !forgotten && when.moment.has(&self) {
            return Ok(None);
        }
        let (blob, refund, write_key) = (BlobId::from_bytes(*key), when.moment.refund(&self), self.write_key);
        let tickets = tickets::of_blob(rows, blob)?;
        let changed = ROWS_OF_BLOB.saturating_add(tickets.len().saturating_mul(ROWS_OF_TICKET));
        Ok(Some(Clearing::new(changed, move |changes: &Changes<'_>| {
            blobs::end(changes, blob, &tickets, (&write_key, refund), when.today)
        })))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_follow_one_another() {
        assert_eq!(successor([0, 0]), Some([0, 1]));
        assert_eq!(successor([7, 0xff]), Some([8, 0]));
        assert_eq!(successor([0xff, 0xff]), None);
    }
}
