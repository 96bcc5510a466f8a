//! Uploads without a list: what a command does from looking for what an earlier one left to the file's record.

use nightdrop_client::{
    ClientError,
    limits::ClientLimits,
    relay::RelayLane,
    transfer::{Begun, Content, Journals, Prepared, Progress, Stored, find},
    transport::Transport,
};
use nightdrop_envelope::space::{FileRecord, SpacePath};
use nightdrop_wire::{messages::credit::Credit, onion::OnionAddress};
use std::sync::Arc;

/// Stores a file or a stream, goes on if it was cut off, and forgets its journal, as if it were listed. The credit may not be needed.
///
/// # Errors
/// As the client's uploads.
pub async fn store<T: Transport>(
    way: (&T, &OnionAddress, &ClientLimits),
    journals: &Journals,
    content: impl Into<Content>,
    credit: Credit,
    progress: Arc<dyn Progress>,
) -> Result<FileRecord, ClientError> {
    store_unlisted(way, journals, content, credit, progress).await?.done()
}

/// The same, cut off before it is listed.
///
/// # Errors
/// As the client's uploads.
pub async fn store_unlisted<T: Transport>(
    way: (&T, &OnionAddress, &ClientLimits),
    journals: &Journals,
    content: impl Into<Content>,
    credit: Credit,
    progress: Arc<dyn Progress>,
) -> Result<Stored, ClientError> {
    let (transport, relay, limits) = way;
    let mut lane = RelayLane::isolated(transport, relay, limits);
    let name = SpacePath::parse("stored").map_err(|_| ClientError::BadPath("stored".to_owned()))?;
    let upload = match find(journals, content, name, false)? {
        Begun::New(new) => new.pay(credit),
        Begun::Earlier(earlier) => match earlier.go_on(&mut lane).await? {
            Prepared::Stored(stored) => return Ok(stored),
            Prepared::Upload(upload) => upload,
            Prepared::Unpaid(new) => new.pay(credit),
        },
    };
    upload.carry_out(&mut lane, way, progress).await
}
