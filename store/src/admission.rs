//! Whether somebody has a right, looked up ahead of what it is a right to: so that a relay takes no room for what it
//! would refuse. Every operation checks the same again when its turn comes.

use crate::{
    blobs, credits,
    day::Day,
    digest::token_hash,
    error::StoreError,
    logs,
    row::Row,
    schema::{BlobRow, LogRow},
    store::Store,
    transaction::{Rows, refuse_damage},
};
use nightdrop_wire::{
    ids::{BlobId, SpaceId},
    token::Token,
};

impl Store {
    /// Whether this is the blob's write key.
    ///
    /// # Errors
    /// [`StoreError::Refused`] if it is not; [`StoreError::Database`].
    pub fn admit_writer(&self, blob: BlobId, write_key: &Token) -> Result<(), StoreError> {
        blobs::writable(&self.snapshot()?, blob, &token_hash(write_key)).map(drop)
    }

    /// Whether this is the log's append token.
    ///
    /// # Errors
    /// [`StoreError::Refused`] if it is not; [`StoreError::Database`].
    pub fn admit_appender(&self, space: SpaceId, append_token: &Token) -> Result<(), StoreError> {
        logs::appendable(&self.snapshot()?, space, &token_hash(append_token)).map(drop)
    }

    /// Whether a credit pays for the making of a blob. It need not where the blob is there already: it was spent for that.
    ///
    /// # Errors
    /// [`StoreError::Refused`] if it does not; [`StoreError::Database`].
    pub fn admit_blob(&self, blob: BlobId, credit: &Token, today: Day) -> Result<(), StoreError> {
        self.admit_new::<BlobRow>(blob.as_bytes(), credit, today)
    }

    /// The same for a log.
    ///
    /// # Errors
    /// As [`Store::admit_blob`].
    pub fn admit_log(&self, space: SpaceId, credit: &Token, today: Day) -> Result<(), StoreError> {
        self.admit_new::<LogRow>(space.as_bytes(), credit, today)
    }

    fn admit_new<R: Row>(&self, id: &R::Key, credit: &Token, today: Day) -> Result<(), StoreError> {
        let snapshot = self.snapshot()?;
        match credits::check(&snapshot, &token_hash(credit), today) {
            Err(StoreError::Refused) if snapshot.holds(&R::TABLE, id).map_err(refuse_damage)? => Ok(()),
            checked => checked,
        }
    }
}
