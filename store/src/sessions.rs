//! Sessions: bearer tokens of the account plane, with a last day. An account has a bounded number; one more ends the
//! oldest, so that a lost device cannot keep the owner out.

use crate::{
    day::Day,
    error::{Failure, StoreError},
    operation::Checked,
    room::Need,
    row::Row,
    schema::{AccountRow, AccountSessionsRow, SessionRow},
    store::{Queued, Store},
    transaction::{Changes, Rows},
};
use nightdrop_wire::{ids::AccountId, token::TokenHash};

impl Store {
    /// Makes a session. Only for whoever has proved to be the account's owner.
    ///
    /// [`StoreError::Refused`] if there is no such account, [`StoreError::Conflict`] if the token is in use.
    #[must_use]
    pub fn create_session(&self, account: AccountId, session: TokenHash, expires: Day) -> Queued<()> {
        let most = self.limits().sessions_per_account.max(1);
        self.queue_for(Need::Little, 0, move |rows| {
            if !rows.holds(&AccountRow::TABLE, account.as_bytes())? {
                return Err(StoreError::Refused);
            }
            if rows.holds(&SessionRow::TABLE, session.as_bytes())? {
                return Err(StoreError::Conflict);
            }
            let mut list = rows.row::<AccountSessionsRow>(account.as_bytes())?.unwrap_or_default();
            list.sessions.push(session);
            let superfluous = list.sessions.len().saturating_sub(most);
            let ended: Vec<_> = list.sessions.drain(..superfluous).collect();
            Ok(Checked::Write(move |changes: &Changes<'_>| {
                for session in ended {
                    changes.remove(&SessionRow::TABLE, session.as_bytes())?;
                }
                changes.put(account.as_bytes(), &list)?;
                changes.put(session.as_bytes(), &SessionRow { account, expires })
            }))
        })
    }

    /// Whose session this is.
    ///
    /// # Errors
    /// [`StoreError::Refused`] if there is no such session or its last day is over.
    pub fn authenticate(&self, session: &TokenHash, today: Day) -> Result<AccountId, StoreError> {
        owner(&self.snapshot()?, session, today)
    }

    /// Ends a session.
    ///
    /// [`StoreError::Refused`] if there is no such session or its last day is over.
    #[must_use]
    pub fn end_session(&self, session: TokenHash, today: Day) -> Queued<()> {
        self.queue_for(Need::Least, 0, move |rows| {
            let account = owner(rows, &session, today)?;
            let mut list = rows.row::<AccountSessionsRow>(account.as_bytes())?.unwrap_or_default();
            list.sessions.retain(|other| *other != session);
            Ok(Checked::Write(move |changes: &Changes<'_>| -> Result<(), Failure> {
                changes.remove(&SessionRow::TABLE, session.as_bytes())?;
                changes.put(account.as_bytes(), &list)
            }))
        })
    }
}

/// The owner of a session that is good today.
pub(crate) fn owner(rows: &impl Rows, session: &TokenHash, today: Day) -> Result<AccountId, StoreError> {
    rows.guard::<SessionRow>(session.as_bytes())?
        .filter(|row| row.expires >= today)
        .map(|row| row.account)
        .ok_or(StoreError::Refused)
}
