//! Renewing a blob: another read token and write key in place of those that somebody else may know. Its chunks, its manifest and its
//! tickets stay.

use crate::{
    blobs::writable,
    digest::token_hash,
    error::StoreError,
    operation::Checked,
    room::Need,
    schema::BlobRow,
    store::{Queued, Store},
    transaction::Changes,
};
use nightdrop_wire::{ids::BlobId, messages::blob::RenewBlob, token::Token};

impl Store {
    /// Replaces a blob's read token and write key. The same again is answered alike, to whoever shows the write key that it got.
    ///
    /// [`StoreError::Refused`] without its write key, [`StoreError::Conflict`] if the write key that it has is to stay.
    #[must_use]
    pub fn renew_blob(&self, id: BlobId, write_key: &Token, message: &RenewBlob) -> Queued<()> {
        let (shown, RenewBlob { read_token, write_key }) = (token_hash(write_key), message.clone());
        self.queue_for(Need::Little, 0, move |rows| {
            let held = writable(rows, id, &shown)?;
            if held.write_key == write_key {
                let same = held.read_token == read_token;
                return if same { Ok(Checked::Already(())) } else { Err(StoreError::Conflict) };
            }
            let row = BlobRow { read_token, write_key, ..held };
            Ok(Checked::Write(move |changes: &Changes<'_>| changes.put(id.as_bytes(), &row)))
        })
    }
}
