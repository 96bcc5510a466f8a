//! Invitations: each registers one account, once, until its last day.

use crate::{
    day::Day,
    error::StoreError,
    operation::Checked,
    schema::InvitationRow,
    store::{Queued, Store},
    transaction::{Changes, Rows},
};
use nightdrop_wire::token::TokenHash;

impl Store {
    /// Keeps a new invitation. [`StoreError::Conflict`] if this token was issued before.
    #[must_use]
    pub fn issue_invitation(&self, invitation: TokenHash, expires: Day) -> Queued<()> {
        self.queue(0, move |rows| {
            if rows.row::<InvitationRow>(invitation.as_bytes())?.is_some() {
                return Err(StoreError::Conflict);
            }
            let row = InvitationRow { expires, spent_by: None };
            Ok(Checked::Write(move |changes: &Changes<'_>| changes.put(invitation.as_bytes(), &row)))
        })
    }

    /// Whether an invitation registers an account today.
    ///
    /// # Errors
    /// [`StoreError::Refused`] if it is unknown, spent or past its last day.
    pub fn check_invitation(&self, invitation: &TokenHash, today: Day) -> Result<(), StoreError> {
        unspent(&self.snapshot()?, invitation, today).map(|_| ())
    }
}

/// The invitation, if it registers an account today.
pub(crate) fn unspent(
    rows: &impl Rows,
    invitation: &TokenHash,
    today: Day,
) -> Result<InvitationRow, StoreError> {
    rows.guard::<InvitationRow>(invitation.as_bytes())?
        .filter(|row| row.spent_by.is_none() && row.expires >= today)
        .ok_or(StoreError::Refused)
}
