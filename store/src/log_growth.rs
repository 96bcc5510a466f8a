//! Growth of a log: paid for more entries, before they are appended.

use crate::{
    credits::Payment,
    day::Day,
    digest::{BodyDigest, token_hash},
    error::StoreError,
    logs::appendable,
    operation::Checked,
    room::Need,
    schema::LogRow,
    store::{Queued, Store},
    transaction::{Changes, Rows},
};
use nightdrop_wire::{
    ids::SpaceId,
    messages::log::GrowLog,
    price,
    token::{Token, TokenHash},
};

impl Store {
    /// Lets a log hold entries of so many units in all, and spends what pays for them, in one transaction. The same body again is answered alike.
    ///
    /// [`StoreError::Refused`] without its append token, for no more than before or more than any log may take, or if the payment is none for that;
    /// [`StoreError::Conflict`] if another sum is paid than the writer saw. Nothing is then spent. There is room for it as long as there is for an append.
    #[must_use]
    pub fn grow_log(
        &self,
        space: SpaceId,
        append_token: &Token,
        message: &GrowLog,
        payment: Payment,
        body: BodyDigest,
        today: Day,
    ) -> Queued<()> {
        let (append_token, units) = (token_hash(append_token), (message.held, message.paid));
        self.queue_for(Need::Little, 0, move |rows| {
            let Some(row) = check(rows, space, &append_token, units, &payment, body, today)? else {
                return Ok(Checked::Already(()));
            };
            Ok(Checked::Scattered(payment.count(), move |changes: &Changes<'_>| {
                payment.spend(changes)?;
                changes.put(space.as_bytes(), &row)
            }))
        })
    }
}

/// The row of the log when it has grown so; `None` if this request has made it grow before.
pub(crate) fn check(
    rows: &impl Rows,
    space: SpaceId,
    append_token: &TokenHash,
    (held, paid): (u32, u32),
    payment: &Payment,
    body: BodyDigest,
    today: Day,
) -> Result<Option<LogRow>, StoreError> {
    let row = appendable(rows, space, append_token)?;
    if row.grown_by == Some(body.0) {
        return Ok(None);
    }
    if held >= paid || paid > price::LONGEST_LOG {
        return Err(StoreError::Refused);
    }
    // Before the payment: another device has paid meanwhile, and this one is to look.
    if held != row.paid {
        return Err(StoreError::Conflict);
    }
    payment.check_price(paid - held)?;
    payment.check_unspent(rows, today)?;
    let paid = held.saturating_add(payment.units());
    Ok(Some(LogRow { paid, grown_by: Some(body.0), ..row }))
}
