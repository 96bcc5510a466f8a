//! Leases: a blob lasts until the end of the second season after the one in which it was last paid, and, where the operator set a maximum age, no longer
//! than that from its making. Then it ends like anything that is over: it is refused from the next day on, whether or not a sweep came by.
//!
//! ```text
//! last day = min(end of the lease, first day of the week in which it was made + maximum age − 1)
//! ```
//! A finished blob's row says the week and not the day, and the lease says less: the maximum age is counted from the beginning of the week, so that nothing
//! lasts for longer than the operator wants.

use crate::{
    blobs::owned,
    credits::Payment,
    day::Day,
    digest::{BodyDigest, token_hash},
    error::StoreError,
    operation::Checked,
    refunds,
    room::Need,
    schema::{BlobRow, BlobState},
    store::{Queued, Store},
    transaction::{Changes, Rows},
};
use nightdrop_wire::{
    ids::BlobId,
    quarter::QuarterHour,
    season,
    token::{Token, TokenHash},
};

/// Days after its end on which a blob that is still there can be had again. By a clock that is farther ahead nobody is to pay: it is wrong.
const LATE: u32 = 14;

/// A point in time, and what says which blobs are over then.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment {
    /// The point in time.
    pub(crate) now: QuarterHour,
    max_age_days: u32,
}

impl Moment {
    /// Its day.
    pub(crate) const fn today(self) -> Day {
        Day::at(self.now)
    }

    /// The last day on which a blob is there.
    pub(crate) fn last_day(self, blob: &BlobRow) -> Day {
        let oldest = blob.created.week().plus(self.max_age_days.saturating_sub(1));
        blob.until.min(oldest)
    }

    /// Whether a blob is there still.
    pub(crate) fn has(self, blob: &BlobRow) -> bool {
        self.last_day(blob) >= self.today()
    }

    /// What a blob gives back if it is destroyed.
    pub(crate) fn refund(self, blob: &BlobRow) -> u32 {
        let seasons = match blob.state {
            BlobState::Open => season::OF_LEASE,
            BlobState::Finished { .. } => season::left(self.today().0, blob.until.0),
        };
        if self.has(blob) { refunds::of_paid(blob.paid, seasons) } else { 0 }
    }
}

/// The lease of a blob that is paid on this day.
pub(crate) const fn paid_on(today: Day) -> Day {
    Day(season::end_of_lease(today.0))
}

impl Store {
    /// A point in time as this store sees it.
    pub(crate) fn at(&self, now: QuarterHour) -> Moment {
        Moment { now, max_age_days: self.limits().max_age_days }
    }

    /// A day as this store sees it.
    pub(crate) fn on(&self, today: Day) -> Moment {
        self.at(today.begins())
    }

    /// Pays for a finished blob anew, also for one that passed within two weeks and was not cleared away: its lease is then as long as one that begins today. Gives its last day. The same body again is answered alike; if it would
    /// not last longer, nothing is spent, and it gives the day that holds.
    ///
    /// [`StoreError::Refused`] without its write key, or if the payment is none for what it costs; [`StoreError::Conflict`] if it is not finished, or if no
    /// credit is shown and it would last longer for some: so whoever asks first shows none for nothing. Nothing is then spent.
    #[must_use]
    pub fn extend_lease(
        &self,
        id: BlobId,
        write_key: &Token,
        payment: Payment,
        body: BodyDigest,
        today: Day,
    ) -> Queued<Day> {
        let (write_key, moment) = (token_hash(write_key), self.on(today));
        // It takes no room but for the spent credits, and these are few beside what they pay for.
        self.queue_for(Need::Bounded, 0, move |rows| {
            match check(rows, id, &write_key, &payment, body, moment)? {
                Extension::Holds(until) => Ok(Checked::Already(until)),
                Extension::Extends(row) => {
                    Ok(Checked::Scattered(payment.count(), move |changes: &Changes<'_>| {
                        payment.spend(changes)?;
                        changes.put(id.as_bytes(), &*row)?;
                        Ok(moment.last_day(&row))
                    }))
                }
            }
        })
    }
}

/// What comes of paying for a blob anew.
pub(crate) enum Extension {
    /// Nothing: it lasts until this day, and would not last longer.
    Holds(Day),
    /// This row.
    Extends(Box<BlobRow>),
}

/// What comes of paying for a blob anew. What holds comes before the payment: whoever lost an answer is told it for nothing.
pub(crate) fn check(
    rows: &impl Rows,
    id: BlobId,
    write_key: &TokenHash,
    payment: &Payment,
    body: BodyDigest,
    moment: Moment,
) -> Result<Extension, StoreError> {
    let row = owned(rows, id, write_key)?;
    let has_passed = !moment.has(&row);
    let BlobState::Finished { price, .. } = row.state else {
        return Err(if has_passed { StoreError::Refused } else { StoreError::Conflict });
    };
    let held = moment.last_day(&row);
    let again = row.paid_by == Some(body.0);
    let longer = BlobRow {
        until: paid_on(moment.today()).max(row.until),
        paid: payment.units(),
        paid_by: Some(body.0),
        ..row
    };
    // What has just passed and was not cleared away yet can be had again for its price: the relay may have been off on its last days.
    let is_too_late = held.plus(LATE) < moment.today();
    if has_passed && (again || is_too_late || !moment.has(&longer)) {
        return Err(StoreError::Refused);
    }
    if again || moment.last_day(&longer) <= held {
        return Ok(Extension::Holds(held));
    }
    if payment.count() == 0 {
        return Err(StoreError::Conflict);
    }
    payment.check_price(price)?;
    payment.check_unspent(rows, moment.today())?;
    Ok(Extension::Extends(Box::new(longer)))
}
