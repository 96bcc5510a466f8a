//! Sessions: bearer tokens of the account plane, with a last day. An account has a bounded number; one more ends the
//! oldest, so that a lost device cannot keep the owner out.

use crate::{
    accounts::RecordVersion,
    day::Day,
    error::{Failure, StoreError},
    operation::Checked,
    room::Need,
    row::{self, Row},
    schema::{AccountSessionsRow, SessionRow},
    store::{Queued, Store},
    transaction::{Changes, Rows},
};
use nightdrop_wire::{
    ids::{AccountId, SessionId},
    messages::account::SessionFacts,
    token::TokenHash,
};
use std::ops::ControlFlow;

impl Store {
    /// Makes a session, for whoever has proved to be the account's owner.
    ///
    /// [`StoreError::Refused`] if there is no such account, [`StoreError::Conflict`] if its record is another by now or the token is
    /// in use.
    #[must_use]
    pub fn create_session(&self, new: NewSession) -> Queued<()> {
        let most = self.limits().sessions_per_account.max(1);
        self.queue_for(Need::Bounded, 0, move |rows| {
            let NewSession { account, session, began, expires, proved_by } = new;
            proved_by.require(rows, account)?;
            if rows.holds(&SessionRow::TABLE, session.as_bytes())? {
                return Err(StoreError::Conflict);
            }
            let Held { mut kept, mut ended, .. } = Held::of(rows, account)?.listed()?;
            kept.push(session);
            let superfluous = kept.len().saturating_sub(most);
            ended.extend(kept.drain(..superfluous));
            let list = AccountSessionsRow { sessions: kept };
            Ok(Checked::Scattered(ended.len(), move |changes: &Changes<'_>| {
                remove(changes, &ended)?;
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
            let Held { kept, mut ended, .. } = Held::of(rows, account)?.listed()?;
            let (over, sessions) = kept.into_iter().partition::<Vec<_>, _>(|session| ends(session));
            ended.extend(over);
            Ok(Checked::Scattered(ended.len(), move |changes: &Changes<'_>| {
                remove(changes, &ended)?;
                changes.put(account.as_bytes(), &AccountSessionsRow { sessions })
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

/// The sessions that an account has. Where its list is damaged, nothing says which of them it has in what order: then all
/// that name it as their owner have ended, and only have to be removed.
pub(crate) struct Held {
    /// Those of its list, oldest first.
    pub(crate) kept: Vec<TokenHash>,
    /// Those that have ended with a damaged list.
    pub(crate) ended: Vec<TokenHash>,
    /// Whether the list can be written. It cannot if its page is damaged.
    writable: bool,
}

impl Held {
    /// Those of an account.
    pub(crate) fn of(rows: &impl Rows, account: AccountId) -> Result<Self, StoreError> {
        match rows.row::<AccountSessionsRow>(account.as_bytes()) {
            Ok(list) => {
                Ok(Self { kept: list.unwrap_or_default().sessions, ended: Vec::new(), writable: true })
            }
            Err(StoreError::Damaged(table)) => {
                tracing::error!(table, "the list of an account's sessions is damaged: all of them end");
                let writable = rows.holds(&AccountSessionsRow::TABLE, account.as_bytes()).is_ok();
                Ok(Self { kept: Vec::new(), ended: of_owner(rows, account)?, writable })
            }
            Err(error) => Err(error),
        }
    }

    /// The same, for whoever writes another list: [`StoreError::Damaged`] if it cannot be written.
    fn listed(self) -> Result<Self, StoreError> {
        if self.writable { Ok(self) } else { Err(StoreError::Damaged(AccountSessionsRow::TABLE.name)) }
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.kept.len().saturating_add(self.ended.len())
    }

    /// Ends all of them.
    pub(crate) fn end_all(&self, changes: &Changes<'_>, account: AccountId) -> Result<(), Failure> {
        remove(changes, &self.kept)?;
        remove(changes, &self.ended)?;
        // Met by writing, a damaged page would end the store. What stands in it opens nothing any more.
        if self.writable { changes.remove(&AccountSessionsRow::TABLE, account.as_bytes()) } else { Ok(()) }
    }
}

/// All sessions that name an account as their owner. Looks at every session that there is.
fn of_owner(rows: &impl Rows, account: AccountId) -> Result<Vec<TokenHash>, StoreError> {
    let mut own = Vec::new();
    rows.each(&SessionRow::TABLE, [0; TokenHash::LENGTH]..=[0xff; TokenHash::LENGTH], |hash, bytes| {
        // A damaged one is refused to everyone.
        if row::decode::<SessionRow>(&hash, bytes).is_ok_and(|row| row.account == account) {
            own.push(TokenHash::from_bytes(hash));
        }
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(own)
}

fn remove(changes: &Changes<'_>, sessions: &[TokenHash]) -> Result<(), Failure> {
    sessions.iter().try_for_each(|session| changes.remove(&SessionRow::TABLE, session.as_bytes()))
}

/// The owner of a session that is good today.
pub(crate) fn owner(rows: &impl Rows, session: &TokenHash, today: Day) -> Result<AccountId, StoreError> {
    rows.guard::<SessionRow>(session.as_bytes())?
        .filter(|row| row.expires >= today)
        .map(|row| row.account)
        .ok_or(StoreError::Refused)
}
