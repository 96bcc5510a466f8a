//! Sessions: bearer tokens of the account plane, with a last day. An account has a bounded number; one more ends the
//! oldest, so that a lost device cannot keep the owner out.

use crate::{
    accounts::RecordVersion,
    day::Day,
    error::{Failure, StoreError},
    operation::Checked,
    room::Need,
    row::Row,
    schema::{AccountSessionsRow, SessionRow},
    store::{Queued, Store},
    transaction::{Changes, Rows},
};
use nightdrop_wire::{
    ids::{AccountId, SessionId},
    messages::account::SessionFacts,
    token::TokenHash,
};

impl Store {
    /// Makes a session, for whoever has proved to be the account's owner.
    ///
    /// [`StoreError::Refused`] if there is no such account, [`StoreError::Conflict`] if its record is another by now or the token is
    /// in use.
    #[must_use]
    pub fn create_session(&self, new: NewSession) -> Queued<()> {
        let most = self.limits().sessions_per_account.max(1);
        self.queue_for(Need::Little, 0, move |rows| {
            let NewSession { account, session, began, expires, proved_by } = new;
            proved_by.require(rows, account)?;
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
                changes.put(session.as_bytes(), &SessionRow { account, began, expires })
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

    /// The sessions of whoever shows one of them, oldest first.
    ///
    /// # Errors
    /// [`StoreError::Refused`] if the one shown is not good today.
    pub fn list_sessions(&self, shown: &TokenHash, today: Day) -> Result<Vec<SessionFacts>, StoreError> {
        let snapshot = self.snapshot()?;
        let account = owner(&snapshot, shown, today)?;
        let list = snapshot.row::<AccountSessionsRow>(account.as_bytes())?.unwrap_or_default();
        let mut sessions = Vec::with_capacity(list.sessions.len());
        for session in list.sessions {
            let Some(row) = snapshot.row::<SessionRow>(session.as_bytes())? else { continue };
            if row.expires >= today {
                sessions.push(SessionFacts {
                    id: session_id(&session),
                    began: row.began.0,
                    expires: row.expires.0,
                    asking: session == *shown,
                });
            }
        }
        Ok(sessions)
    }

    /// Ends one session of whoever shows one. Whether there is such a session makes no difference: it is over.
    ///
    /// [`StoreError::Refused`] if the one shown is not good today.
    #[must_use]
    pub fn end_session(&self, shown: TokenHash, today: Day, ended: SessionId) -> Queued<()> {
        self.end_sessions_that(shown, today, move |session| session_id(session) == ended)
    }

    /// Ends all sessions of whoever shows one.
    ///
    /// [`StoreError::Refused`] if the one shown is not good today.
    #[must_use]
    pub fn end_sessions(&self, shown: TokenHash, today: Day) -> Queued<()> {
        self.end_sessions_that(shown, today, |_| true)
    }

    fn end_sessions_that(
        &self,
        shown: TokenHash,
        today: Day,
        ends: impl Fn(&TokenHash) -> bool + Send + 'static,
    ) -> Queued<()> {
        self.queue_for(Need::Least, 0, move |rows| {
            let account = owner(rows, &shown, today)?;
            let mut list = rows.row::<AccountSessionsRow>(account.as_bytes())?.unwrap_or_default();
            let (ended, kept) = list.sessions.into_iter().partition::<Vec<_>, _>(|session| ends(session));
            list.sessions = kept;
            Ok(Checked::Write(move |changes: &Changes<'_>| -> Result<(), Failure> {
                for session in ended {
                    changes.remove(&SessionRow::TABLE, session.as_bytes())?;
                }
                changes.put(account.as_bytes(), &list)
            }))
        })
    }
}

/// A session to be made.
#[derive(Debug, Clone, Copy)]
pub struct NewSession {
    /// Whose.
    pub account: AccountId,
    /// Hash of its token.
    pub session: TokenHash,
    /// Today.
    pub began: Day,
    /// Its last day.
    pub expires: Day,
    /// The record by which the owner proved to be it.
    pub proved_by: RecordVersion,
}

/// What names a session in a list: the first half of its token's hash.
#[must_use]
pub fn session_id(session: &TokenHash) -> SessionId {
    let mut id = [0; SessionId::LENGTH];
    for (place, byte) in id.iter_mut().zip(session.as_bytes()) {
        *place = *byte;
    }
    SessionId::from_bytes(id)
}

/// The owner of a session that is good today.
pub(crate) fn owner(rows: &impl Rows, session: &TokenHash, today: Day) -> Result<AccountId, StoreError> {
    rows.guard::<SessionRow>(session.as_bytes())?
        .filter(|row| row.expires >= today)
        .map(|row| row.account)
        .ok_or(StoreError::Refused)
}
