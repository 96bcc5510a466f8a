//! Credits: drawn by an account against its quota, spent on the data plane. A credit has no row before it is spent, and the row that it then
//! gets does not say who drew it: the store could not know.

use crate::{
    day::Day,
    digest::{BodyDigest, sha256},
    error::{Failure, StoreError},
    object::ObjectName,
    operation::Checked,
    quotas,
    schema::{CreditQuotaRow, LastDraw, SpentCreditRow},
    sessions,
    store::{Queued, Store},
    transaction::{self, Changes, Rows},
};
use nightdrop_wire::{messages::credit::Credit, token::TokenHash};
use zeroize::Zeroizing;

/// What a credit pays with. Its maker has verified the credit's mark.
#[derive(Clone)]
pub struct Payment {
    nonce: Zeroizing<[u8; Credit::NONCE]>,
    expires: Day,
}

impl Payment {
    /// What `credit` pays with, of which the caller knows that the relay issued it.
    #[must_use]
    pub fn of_verified(credit: &Credit) -> Self {
        Self { nonce: Zeroizing::new(*credit.nonce()), expires: Day(credit.expires()) }
    }

    /// What a spent credit is known by: SHA-256 of the nonce.
    pub(crate) fn nullifier(&self) -> [u8; 32] {
        sha256(&[self.nonce.as_slice()])
    }

    /// What is kept with the thing that it paid for, by which whoever holds the credit may send that request again. Whoever has the store and not
    /// the credit cannot tell which spent credit it was: else the week of a credit would say when its payer drew, and so, with few who did, who.
    pub(crate) fn receipt(&self, paid_for: ObjectName) -> TokenHash {
        TokenHash::from_bytes(sha256(&[b"receipt", paid_for.bytes().as_slice(), self.nonce.as_slice()]))
    }

    /// [`StoreError::Refused`] unless it pays today: it was not spent, and its last day has not passed.
    pub(crate) fn check(&self, rows: &impl Rows, today: Day) -> Result<(), StoreError> {
        // Looked up whatever the day is. What is damaged was spent.
        let spent = rows.row::<SpentCreditRow>(&self.nullifier()).map_err(transaction::refuse_damage)?;
        if spent.is_some() || self.expires < today { Err(StoreError::Refused) } else { Ok(()) }
    }

    /// Spends it: it never pays again. It is remembered for longer than its last day.
    pub(crate) fn spend(&self, changes: &Changes<'_>) -> Result<(), Failure> {
        changes.put(&self.nullifier(), &SpentCreditRow { expires: self.expires })
    }
}

/// How often one draw is answered again: each time costs as much as making them.
const MOST_REPEATS: u8 = 16;

impl std::fmt::Debug for Payment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Payment")
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
            let drawn = before.as_ref().map_or(0, |before| before.drawn);
            let again = before.map(|before| before.last).filter(|last| last.request == request.0);
            let (count, repeats) = match &again {
                Some(last) => (last.count, last.repeats.saturating_add(1)),
                None => (wanted.min(most.saturating_sub(drawn)), 0),
            };
            if count == 0 || repeats > MOST_REPEATS {
                return Err(StoreError::QuotaReached);
            }
            let drawn = if again.is_some() { drawn } else { drawn.saturating_add(count) };
            let row =
                CreditQuotaRow { day: today, drawn, last: LastDraw { request: request.0, count, repeats } };
            Ok(Checked::Write(move |changes: &Changes<'_>| {
                changes.put(account.as_bytes(), &row)?;
                Ok(count)
            }))
        })
    }
}
