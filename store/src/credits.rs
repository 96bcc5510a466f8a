//! Credits: drawn by an account against its quota, spent on the data plane. A credit has no row before it is spent, and the row that it then
//! gets does not say who drew it: the store could not know.

use crate::{
    day::Day,
    digest::{BodyDigest, sha256},
    error::{Failure, StoreError},
    operation::Checked,
    quotas,
    schema::{CreditQuotaRow, LastDraw, SpentCreditRow},
    sessions,
    store::{Queued, Store},
    transaction::{self, Changes, Rows},
};
use nightdrop_wire::{messages::credit::Credit, token::TokenHash};

/// What a credit pays with. Its maker has verified the credit's mark.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Payment {
    /// SHA-256 of the nonce: what a spent credit is known by.
    pub(crate) nullifier: TokenHash,
    expires: Day,
}

impl Payment {
    /// What `credit` pays with, of which the caller knows that the relay issued it.
    #[must_use]
    pub fn of_verified(credit: &Credit) -> Self {
        let nullifier = TokenHash::from_bytes(sha256(&[credit.nonce()]));
        Self { nullifier, expires: Day(credit.expires()) }
    }

    /// [`StoreError::Refused`] unless it pays today: it was not spent, and its last day has not passed.
    pub(crate) fn check(&self, rows: &impl Rows, today: Day) -> Result<(), StoreError> {
        // Looked up whatever the day is. What is damaged was spent.
        let spent =
            rows.row::<SpentCreditRow>(self.nullifier.as_bytes()).map_err(transaction::refuse_damage)?;
        if spent.is_some() || self.expires < today { Err(StoreError::Refused) } else { Ok(()) }
    }

    /// Spends it: it never pays again. It is remembered until its last day has passed.
    pub(crate) fn spend(&self, changes: &Changes<'_>) -> Result<(), Failure> {
        changes.put(self.nullifier.as_bytes(), &SpentCreditRow { expires: self.expires })
    }
}

impl Store {
    /// Counts credits against the day's quota of the session's account, and tells how many it may have of the `wanted` ones: all, or what is left.
    /// The same request again on the same day is answered alike and counts once.
    ///
    /// [`StoreError::Refused`] without a good session, [`StoreError::QuotaReached`] if nothing is left today.
    #[must_use]
    pub fn draw_credits(
        &self,
        session: TokenHash,
        wanted: u32,
        request: BodyDigest,
        today: Day,
    ) -> Queued<u32> {
        let usual = self.limits().credits_per_day;
        self.queue(0, move |rows| {
            let account = sessions::owner(rows, &session, today)?;
            let most = quotas::of(rows, account)?.unwrap_or(usual);
            let before = rows.row::<CreditQuotaRow>(account.as_bytes())?.filter(|before| before.day == today);
            if let Some(CreditQuotaRow { last, .. }) = &before
                && last.request == request.0
            {
                return Ok(Checked::Already(last.count));
            }
            let drawn = before.map_or(0, |before| before.drawn);
            let count = wanted.min(most.saturating_sub(drawn));
            if count == 0 {
                return Err(StoreError::QuotaReached);
            }
            let last = LastDraw { request: request.0, count };
            let row = CreditQuotaRow { day: today, drawn: drawn.saturating_add(count), last };
            Ok(Checked::Write(move |changes: &Changes<'_>| {
                changes.put(account.as_bytes(), &row)?;
                Ok(count)
            }))
        })
    }
}
