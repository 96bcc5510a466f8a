//! Whether somebody has a right, looked up ahead of what it is a right to: so that a relay takes no room for what it
//! would refuse. Every operation checks the same again when its turn comes.

use crate::{
    blobs,
    credits::Payment,
    day::Day,
    digest::token_hash,
    error::StoreError,
    logs,
    object::ObjectName,
    row::Row,
    schema::{BlobRow, LogRow},
    store::Store,
    transaction::Rows,
};
use nightdrop_wire::{
    authorization::Authorization,
    ids::{BlobId, SpaceId},
    quarter::QuarterHour,
    token::Token,
};

impl Store {
    /// Whether this is the blob's write key.
    ///
    /// # Errors
    /// [`StoreError::Refused`] if it is not; [`StoreError::Database`].
    pub fn admit_writer(&self, blob: BlobId, write_key: &Token, today: Day) -> Result<(), StoreError> {
        blobs::writable(&self.snapshot()?, blob, &token_hash(write_key), self.on(today)).map(drop)
    }

    /// Whether this opens the blob for reading.
    ///
    /// # Errors
    /// [`StoreError::Refused`] if it does not; [`StoreError::Database`].
    pub fn admit_reader(
        &self,
        blob: BlobId,
        shown: &Authorization,
        now: QuarterHour,
    ) -> Result<(), StoreError> {
        blobs::readable(&self.snapshot()?, blob, shown, self.at(now)).map(drop)
    }

    /// Whether this is the log's read token.
    ///
    /// # Errors
    /// [`StoreError::Refused`] if it is not; [`StoreError::Database`].
    pub fn admit_log_reader(&self, space: SpaceId, read_token: &Token) -> Result<(), StoreError> {
        logs::readable(&self.snapshot()?, space, read_token).map(drop)
    }

    /// Whether this is the log's append token.
    ///
    /// # Errors
    /// [`StoreError::Refused`] if it is not; [`StoreError::Database`].
    pub fn admit_appender(&self, space: SpaceId, append_token: &Token) -> Result<(), StoreError> {
        logs::appendable(&self.snapshot()?, space, &token_hash(append_token)).map(drop)
    }

    /// Whether the first credit of a payment pays, or was the first that paid for this blob: then the request may be sent again. Whoever does not hold
    /// the credit learns nothing of the blob.
    ///
    /// # Errors
    /// [`StoreError::Refused`] if it does neither; [`StoreError::Database`].
    pub fn admit_blob(&self, blob: BlobId, payment: &Payment, today: Day) -> Result<(), StoreError> {
        let receipt = payment.receipt(ObjectName::blob(blob));
        let moment = self.on(today);
        let was_paid = |row: BlobRow| row.receipt == receipt && moment.has(&row);
        self.admit_new(blob.as_bytes(), payment, today, was_paid)
    }

    /// The same for a log.
    ///
    /// # Errors
    /// As [`Store::admit_blob`].
    pub fn admit_log(&self, space: SpaceId, payment: &Payment, today: Day) -> Result<(), StoreError> {
        let receipt = payment.receipt(ObjectName::log(space));
        self.admit_new(space.as_bytes(), payment, today, |row: LogRow| row.receipt == receipt)
    }

    fn admit_new<R: Row>(
        &self,
        id: &R::Key,
        payment: &Payment,
        today: Day,
        was_paid: impl FnOnce(R) -> bool,
    ) -> Result<(), StoreError> {
        let snapshot = self.snapshot()?;
        // Both are looked up whatever the other says, so that time does not tell whether the id is taken.
        let pays = payment.check_unspent(&snapshot, today);
        let paid = snapshot.guard::<R>(id).map(|row| row.is_some_and(was_paid));
        match pays {
            Err(StoreError::Refused) if paid? => Ok(()),
            pays => pays,
        }
    }
}
