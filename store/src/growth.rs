//! Growth of a blob that is not finished: paid for more chunks than it was made for, as what comes of a stream needs them.

use crate::{
    blobs::writable,
    credits::Payment,
    day::Day,
    digest::{BodyDigest, token_hash},
    error::StoreError,
    operation::Checked,
    schema::{BlobRow, BlobState},
    store::{Queued, Store, refused},
    transaction::Changes,
};
use nightdrop_wire::{ids::BlobId, limits::MAX_CHUNKS, messages::blob::GrowBlob, price, token::Token};

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
        let (write_key, chunks) = (token_hash(write_key), message.chunks);
        let Some(price) = price::of_open(chunks).filter(|_| chunks <= MAX_CHUNKS) else {
            return refused(StoreError::Refused);
        };
        self.queue(0, move |rows| {
            let row = writable(rows, id, &write_key)?;
            if row.grown_by == Some(body.0) {
                return Ok(Checked::Already(()));
            }
            payment.check_price(price.saturating_sub(row.paid))?;
            payment.check_unspent(rows, today)?;
            if row.state != BlobState::Open || row.chunks == 1 || chunks <= row.chunks {
                return Err(StoreError::Conflict);
            }
            let paid = row.paid.saturating_add(payment.units());
            let row = BlobRow { chunks, paid, grown_by: Some(body.0), ..row };
            Ok(Checked::Scattered(payment.count(), move |changes: &Changes<'_>| {
                payment.spend(changes)?;
                changes.put(id.as_bytes(), &row)
            }))
        })
    }
}
