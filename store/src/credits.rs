//! Credits: drawn by an account, spent on the data plane. A credit's row does not say who drew it.

use crate::{
    day::Day,
    error::StoreError,
    operation::Checked,
    quotas,
    room::scattered,
    schema::{CreditQuotaRow, CreditRow},
    sessions,
    store::{Queued, Store},
    transaction::{Changes, Rows},
};
use nightdrop_wire::token::TokenHash;

impl Store {
    /// Keeps new credits against the day's quota of the session's account.
    ///
    /// [`StoreError::Refused`] without a good session, [`StoreError::QuotaReached`] if they are more than the account
    /// may still draw today: then none is kept.
    #[must_use]
    pub fn issue_credits(
        &self,
        session: TokenHash,
        credits: Vec<TokenHash>,
        today: Day,
        expires: Day,
    ) -> Queued<()> {
        let usual = self.limits().credits_per_day;
        self.queue(scattered(credits.len()), move |rows| {
            let account = sessions::owner(rows, &session, today)?;
            let most = quotas::of(rows, account)?.unwrap_or(usual);
            let before = rows.row::<CreditQuotaRow>(account.as_bytes())?;
            let drawn_before = before.filter(|before| before.day == today).map_or(0, |before| before.drawn);
            let drawn = u32::try_from(credits.len())
                .ok()
                .and_then(|count| drawn_before.checked_add(count))
                .filter(|drawn| *drawn <= most)
                .ok_or(StoreError::QuotaReached)?;
            Ok(Checked::Write(move |changes: &Changes<'_>| {
                for credit in credits {
                    changes.put(credit.as_bytes(), &CreditRow { expires })?;
                }
                changes.put(account.as_bytes(), &CreditQuotaRow { day: today, drawn })
            }))
        })
    }
}

/// Whether a credit pays today.
pub(crate) fn check(rows: &impl Rows, credit: &TokenHash, today: Day) -> Result<(), StoreError> {
    let row = rows.guard::<CreditRow>(credit.as_bytes())?;
    row.filter(|row| row.expires >= today).map(|_| ()).ok_or(StoreError::Refused)
}
