//! What the operator may know of the accounts: all of it counts or names, none of it opens anything.

use crate::{
    credits::period_of,
    day::Day,
    error::StoreError,
    quotas,
    row::{self, Row},
    schema::{AccountRow, AccountSessionsRow, CreditQuotaRow, SessionRow},
    store::Store,
    transaction::Rows,
};
use nightdrop_wire::{denomination::UNIT, ids::AccountId, messages::admin::AccountFacts};
use std::ops::ControlFlow;

/// Accounts of a list, and where the list goes on if there are more.
pub type AccountList = (Vec<AccountFacts>, Option<AccountId>);

impl Store {
    /// Up to `most` accounts that come after this one in the order of their ids.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub fn list_accounts(
        &self,
        after: Option<AccountId>,
        most: usize,
        today: Day,
    ) -> Result<AccountList, StoreError> {
        let snapshot = self.snapshot()?;
        let start = after.map_or([0; AccountId::LENGTH], |after| *after.as_bytes());
        let (mut found, mut more) = (Vec::new(), false);
        snapshot.each(&AccountRow::TABLE, start..=[0xff; AccountId::LENGTH], |id, bytes| {
            let account = AccountId::from_bytes(id);
            if after == Some(account) {
                return Ok(ControlFlow::Continue(()));
            }
            if found.len() >= most {
                more = true;
                return Ok(ControlFlow::Break(()));
            }
            let row = row::decode::<AccountRow>(&id, bytes);
            found.push((account, row.ok().map(|row| row.keyring_version)));
            Ok(ControlFlow::Continue(()))
        })?;
        let next = found.last().map(|(account, _)| *account).filter(|_| more);
        let facts = found.into_iter().map(|(account, version)| facts(&snapshot, account, version, today));
        Ok((facts.collect::<Result<_, _>>()?, next))
    }
}

fn facts(
    rows: &impl Rows,
    account: AccountId,
    keyring_version: Option<u64>,
    today: Day,
) -> Result<AccountFacts, StoreError> {
    let list = or_nothing(rows.row::<AccountSessionsRow>(account.as_bytes()))?.unwrap_or_default();
    let mut sessions = 0;
    for session in list.sessions {
        let row = or_nothing(rows.row::<SessionRow>(session.as_bytes()))?;
        sessions += u32::from(row.is_some_and(|row| row.expires >= today));
    }
    let drawn = or_nothing(rows.row::<CreditQuotaRow>(account.as_bytes()))?;
    Ok(AccountFacts {
        account,
        keyring_version,
        sessions,
        drawn: drawn
            .filter(|drawn| drawn.period == period_of(today))
            .map_or(0, |drawn| drawn.drawn.saturating_mul(UNIT)),
        quota: or_nothing(quotas::of(rows, account))?,
    })
}

/// A damaged row hides what it says, and nothing else of the list.
fn or_nothing<T>(read: Result<Option<T>, StoreError>) -> Result<Option<T>, StoreError> {
    match read {
        Err(StoreError::Damaged(_)) => Ok(None),
        read => read,
    }
}
