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
use nightdrop_wire::{
    denomination::{Assortment, UNIT},
    limits::{MAX_CREDITS_PER_PAYMENT, PERIOD_DAYS},
    messages::credit::Credit,
    token::TokenHash,
};
use zeroize::Zeroizing;

/// What a list of credits pays with. Its maker has verified the mark of each.
#[derive(Clone)]
pub struct Payment(Vec<Shown>);

/// A credit that is shown.
#[derive(Clone)]
struct Shown {
    nonce: Zeroizing<[u8; Credit::NONCE]>,
    units: u32,
    expires: Day,
}

impl Payment {
    /// What these credits pay with, of which the caller knows that the relay issued them.
    #[must_use]
    pub fn of_verified(credits: &[Credit]) -> Self {
        Self::unverified(credits)
    }

    /// What they would pay with, to look at and never to spend.
    pub(crate) fn unverified(credits: &[Credit]) -> Self {
        let shown = |credit: &Credit| Shown {
            nonce: Zeroizing::new(*credit.nonce()),
            units: credit.denomination().units(),
            expires: Day(credit.expires()),
        };
        Self(credits.iter().map(shown).collect())
    }

    /// What is kept with the thing that it paid for, by which whoever holds its first credit may send that request again. Whoever has the store and
    /// not the credit cannot tell which spent credit it was: else the season of a credit would say when its payer drew, and so, with few who did,
    /// who.
    pub(crate) fn receipt(&self, paid_for: ObjectName) -> TokenHash {
        let nonce = self.0.first().map_or([].as_slice(), |shown| shown.nonce.as_slice());
        TokenHash::from_bytes(sha256(&[b"receipt", paid_for.bytes().as_slice(), nonce]))
    }

    /// What it is worth, in units. As many as a request has room for are far from an overflow.
    pub(crate) fn units(&self) -> u32 {
        self.0.iter().fold(0, |sum, shown| sum.saturating_add(shown.units))
    }

    /// How many credits it is of.
    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }

    /// [`StoreError::Refused`] unless it covers the price, none of its credits could be left out, none stands in it twice, and they are not too many.
    pub(crate) fn check_price(&self, price: u32) -> Result<(), StoreError> {
        let mut nonces: Vec<&[u8]> = self.0.iter().map(|shown| shown.nonce.as_slice()).collect();
        nonces.sort_unstable();
        nonces.dedup();
        let smallest = self.0.iter().map(|shown| shown.units).min().unwrap_or(0);
        let covers = self.units() >= price && (self.0.is_empty() || self.units() - smallest < price);
        let well_formed = self.0.len() <= MAX_CREDITS_PER_PAYMENT && nonces.len() == self.0.len();
        if covers && well_formed { Ok(()) } else { Err(StoreError::Refused) }
    }

    /// [`StoreError::Refused`] unless all of it pays today: nothing of it was spent, and no last day has passed.
    pub(crate) fn check_unspent(&self, rows: &impl Rows, today: Day) -> Result<(), StoreError> {
        let mut pays = true;
        for shown in &self.0 {
            // Looked up whatever the day is, and whatever those before are. What is damaged was spent.
            let spent = rows.row::<SpentCreditRow>(&shown.nullifier()).map_err(transaction::refuse_damage)?;
            pays &= spent.is_none() && shown.expires >= today;
        }
        if pays { Ok(()) } else { Err(StoreError::Refused) }
    }

    /// Spends all of it: none of its credits ever pays again. They are remembered for longer than their last day.
    pub(crate) fn spend(&self, changes: &Changes<'_>) -> Result<(), Failure> {
        let spend =
            |shown: &Shown| changes.put(&shown.nullifier(), &SpentCreditRow { expires: shown.expires });
        self.0.iter().try_for_each(spend)
    }
}

impl Shown {
    /// What a spent credit is known by: SHA-256 of the nonce.
    fn nullifier(&self) -> [u8; 32] {
        sha256(&[self.nonce.as_slice()])
    }
}

/// How often one draw is answered again: each time costs as much as making them.
pub(crate) const MOST_REPEATS: u8 = 16;

impl std::fmt::Debug for Payment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Payment")
    }
}

impl Store {
    /// Counts credits against the quota that the session's account has for this period, and tells how many it may have of the `wanted` ones: all,
    /// or those that what is left is enough for. The same request again in the same period is answered alike and counts once.
    ///
    /// [`StoreError::Refused`] without a good session, [`StoreError::QuotaReached`] if nothing is left in this period.
    #[must_use]
    pub fn draw_credits(
        &self,
        session: TokenHash,
        wanted: Assortment,
        request: BodyDigest,
        today: Day,
    ) -> Queued<Assortment> {
        let usual = self.limits().quota_bytes;
        self.queue(0, move |rows| {
            let account = sessions::owner(rows, &session, today)?;
            let most = quotas::of(rows, account)?.unwrap_or(usual) / UNIT;
            let period = period_of(today);
            let before = rows.row::<CreditQuotaRow>(account.as_bytes())?;
            let before = before.filter(|before| before.period == period);
            let drawn = before.as_ref().map_or(0, |before| before.drawn);
            let again = before.map(|before| before.last).filter(|last| last.request == request.0);
            let (given, repeats) = match &again {
                Some(last) => (Assortment(last.given), last.repeats.saturating_add(1)),
                None => (wanted.within(most.saturating_sub(drawn)), 0),
            };
            if given.count() == 0 || repeats > MOST_REPEATS {
                return Err(StoreError::QuotaReached);
            }
            let drawn = if again.is_some() { drawn } else { drawn.saturating_add(given.units()) };
            let last = LastDraw { request: request.0, given: given.0, repeats };
            let row = CreditQuotaRow { period, drawn, last };
            Ok(Checked::Write(move |changes: &Changes<'_>| {
                changes.put(account.as_bytes(), &row)?;
                Ok(given)
            }))
        })
    }
}

/// The period that a day is in: the same for all accounts.
pub(crate) const fn period_of(day: Day) -> u32 {
    day.0 / PERIOD_DAYS
}
