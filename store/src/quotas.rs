//! Quotas: for how many bytes of stored room an account draws credits in a period, where the operator set that.

use crate::{
    error::StoreError,
    operation::Checked,
    room::Need,
    row::Row,
    schema::{AccountRow, QuotaRow},
    store::{Queued, Store},
    transaction::{Changes, Rows},
};
use nightdrop_wire::ids::AccountId;

impl Store {
    /// Sets for how many bytes an account draws credits in a period; `None` gives it what every account has. What it drew in this period counts against
    /// it.
    ///
    /// [`StoreError::Refused`] if there is no such account.
    #[must_use]
    pub fn set_quota(&self, account: AccountId, quota: Option<u64>) -> Queued<()> {
        self.queue_for(Need::Little, 0, move |rows| {
            if !rows.holds(&AccountRow::TABLE, account.as_bytes())? {
                return Err(StoreError::Refused);
            }
            Ok(Checked::Write(move |changes: &Changes<'_>| match quota {
                Some(bytes) => changes.put(account.as_bytes(), &QuotaRow { bytes }),
                None => changes.remove(&QuotaRow::TABLE, account.as_bytes()),
            }))
        })
    }
}

/// The quota that the operator set for an account.
pub(crate) fn of(rows: &impl Rows, account: AccountId) -> Result<Option<u64>, StoreError> {
    Ok(rows.row::<QuotaRow>(account.as_bytes())?.map(|row| row.bytes))
}
