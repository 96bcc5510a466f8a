//! Growth of a blob that is not finished: paid for more chunks than it was made for, as what comes of a stream needs them.

use crate::{
    blobs::writable,
    credits::Payment,
    day::Day,
    digest::{BodyDigest, token_hash},
    error::StoreError,
    lease::Moment,
    operation::Checked,
    schema::{BlobRow, BlobState},
    store::{Queued, Store},
    transaction::{Changes, Rows},
};
use nightdrop_wire::{
    ids::BlobId,
    limits::MAX_CHUNKS,
    messages::blob::GrowBlob,
    price,
    token::{Token, TokenHash},
};

impl Store {
    /// Lets an unfinished blob have more chunks, and spends what pays for them, in one transaction. The same body again is answered alike.
    ///
    /// [`StoreError::Refused`] without its write key, for more chunks than any blob has, or if the payment is none for what is missing;
    /// [`StoreError::Conflict`] if it is finished, may have as many chunks already, or may have but one: that one need not be of the full class. Nothing is
    /// then spent.
    #[must_use]
    pub fn grow_blob(
        &self,
        id: BlobId,
        write_key: &Token,
        message: &GrowBlob,
        payment: Payment,
        body: BodyDigest,
        today: Day,
    ) -> Queued<()> {
        let (write_key, chunks, moment) = (token_hash(write_key), message.chunks, self.on(today));
        self.queue(0, move |rows| {
            let Some(row) = check(rows, id, &write_key, chunks, &payment, body, moment)? else {
                return Ok(Checked::Already(()));
            };
            Ok(Checked::Scattered(payment.count(), move |changes: &Changes<'_>| {
                payment.spend(changes)?;
                changes.put(id.as_bytes(), &row)
            }))
        })
    }
}

/// The row of the blob when it has grown so; `None` if this request has made it grow before.
pub(crate) fn check(
    rows: &impl Rows,
    id: BlobId,
    write_key: &TokenHash,
    chunks: u32,
    payment: &Payment,
    body: BodyDigest,
    moment: Moment,
) -> Result<Option<BlobRow>, StoreError> {
    let price = price::of_open(chunks).filter(|_| chunks <= MAX_CHUNKS).ok_or(StoreError::Refused)?;
    let row = writable(rows, id, write_key, moment)?;
    if row.paid_by == Some(body.0) {
        return Ok(None);
    }
    payment.check_price(price.saturating_sub(row.paid))?;
    payment.check_unspent(rows, moment.today())?;
    if row.state != BlobState::Open || row.chunks == 1 || chunks <= row.chunks {
        return Err(StoreError::Conflict);
    }
    let paid = row.paid.saturating_add(payment.units());
    Ok(Some(BlobRow { chunks, paid, paid_by: Some(body.0), ..row }))
}
