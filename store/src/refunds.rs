//! What a blob that was destroyed gives back: fresh credits for the part of its lease that is left, but for [`price::KEPT`], to whoever shows the write key that it had.
//!
//! The relay issues them blindly and on the data plane, so it learns no account. One order is answered, and that one again after a lost answer: the row
//! remembers its digest until it is swept, and the id is never made again.

use crate::{
    credits::MOST_REPEATS,
    day::Day,
    digest::{BodyDigest, token_hash},
    ended,
    error::{Failure, StoreError},
    object::ObjectName,
    operation::Checked,
    room::Need,
    schema::{GivenRefund, RefundRow},
    store::{Queued, Store},
    transaction::{Changes, Rows},
};
use nightdrop_wire::{
    denomination::Assortment, ids::BlobId, limits::REFUND_DAYS, price, season, token::Token,
};

impl Store {
    /// Gives back what was paid for a blob that ended: whether these credits may be issued for this order. The same order again is answered alike.
    ///
    /// [`StoreError::Refused`] without the write key that it had when it ended; [`StoreError::Conflict`] for more than it gives back, after another order, or
    /// when it is too late.
    #[must_use]
    pub fn refund(
        &self,
        id: BlobId,
        write_key: &Token,
        wanted: Assortment,
        order: BodyDigest,
        today: Day,
    ) -> Queued<()> {
        let write_key = token_hash(write_key);
        // Its row stands already, and those who make room are not to lose by it.
        self.queue_for(Need::Least, 0, move |rows| {
            if !ended::by(rows, ObjectName::blob(id), &write_key)? {
                return Err(StoreError::Refused);
            }
            let row = owed(rows, id, today)?.ok_or(StoreError::Conflict)?;
            let repeats = match row.given {
                None => 0,
                Some(given) if given.order == order.0 && given.repeats < MOST_REPEATS => {
                    given.repeats.saturating_add(1)
                }
                Some(_) => return Err(StoreError::Conflict),
            };
            if wanted.units() > u64::from(row.units) {
                return Err(StoreError::Conflict);
            }
            let row = RefundRow { given: Some(GivenRefund { order: order.0, repeats }), ..row };
            Ok(Checked::Write(move |changes: &Changes<'_>| changes.put(id.as_bytes(), &row)))
        })
    }
}

/// What a blob gives back for which so much was paid, and of whose lease so many whole seasons are left: that share, but for what is kept.
pub(crate) fn of_paid(paid: u32, seasons: u32) -> u32 {
    let share = u64::from(paid) * u64::from(seasons.min(season::OF_LEASE)) / u64::from(season::OF_LEASE);
    u32::try_from(share).unwrap_or(paid).saturating_sub(price::KEPT)
}

/// What a blob that ended still gives back.
pub(crate) fn left(rows: &impl Rows, id: BlobId, today: Day) -> Result<u32, StoreError> {
    Ok(owed(rows, id, today)?.filter(|row| row.given.is_none()).map_or(0, |row| row.units))
}

/// Keeps what a blob gives back that ends now.
pub(crate) fn keep(changes: &Changes<'_>, id: BlobId, units: u32, today: Day) -> Result<(), Failure> {
    if units == 0 {
        return Ok(());
    }
    let expires = today.plus(REFUND_DAYS);
    changes.put(id.as_bytes(), &RefundRow { units, expires, given: None })
}

/// A damaged row gives nothing back.
fn owed(rows: &impl Rows, id: BlobId, today: Day) -> Result<Option<RefundRow>, StoreError> {
    match rows.row::<RefundRow>(id.as_bytes()) {
        Err(StoreError::Damaged(_)) => Ok(None),
        row => Ok(row?.filter(|row| row.expires >= today)),
    }
}
