//! Uploads without a list: what a command does from looking for what an earlier one left to the file's record.

use nightdrop_client::{
    ClientError,
    limits::ClientLimits,
    payment::Payment,
    relay::RelayLane,
    transfer::{Begun, Content, Journals, Prepared, Progress, Stored, find},
    transport::Transport,
};
use nightdrop_envelope::{
    layout::Layout,
    space::{FileRecord, SpacePath},
};
use nightdrop_wire::{
    denomination::{Assortment, Denomination},
    onion::OnionAddress,
    price,
};
use std::{fs, io, path::Path, sync::Arc};

/// What is drawn to pay for one thing: it is worth more than most files here cost.
pub const ONE: Assortment = Assortment([0, 0, 1, 0]);

/// What is drawn to pay for the file at a path, exactly or not.
///
/// # Errors
/// As reading its length.
pub fn enough_for(path: &Path) -> io::Result<Assortment> {
    let layout = Layout::of_size(fs::metadata(path)?.len()).map_err(io::Error::other)?;
    let price = price::of_open(layout.chunks()).unwrap_or_default();
    let count = price.div_ceil(Denomination::Largest.units());
    Ok(Assortment::only(Denomination::Largest, u16::try_from(count).unwrap_or(u16::MAX)))
}

/// Stores a file or a stream, goes on if it was cut off, and forgets its journal, as if it were listed. The payment may not be needed.
///
/// # Errors
/// As the client's uploads.
pub async fn store<T: Transport>(
    way: (&T, &OnionAddress, &ClientLimits),
    journals: &Journals,
    content: impl Into<Content>,
    payment: impl Into<Payment>,
    progress: Arc<dyn Progress>,
) -> Result<FileRecord, ClientError> {
    store_unlisted(way, journals, content, payment, progress).await?.done()
}

/// The same, cut off before it is listed.
///
/// # Errors
/// As the client's uploads.
pub async fn store_unlisted<T: Transport>(
    way: (&T, &OnionAddress, &ClientLimits),
    journals: &Journals,
    content: impl Into<Content>,
    payment: impl Into<Payment>,
    progress: Arc<dyn Progress>,
) -> Result<Stored, ClientError> {
    let (transport, relay, limits) = way;
    let mut lane = RelayLane::isolated(transport, relay, limits);
    let name = SpacePath::parse("stored").map_err(|_| ClientError::BadPath("stored".to_owned()))?;
    let upload = match find(journals, content, name, None)? {
        Begun::New(new) => new.pay(payment.into()),
        Begun::Earlier(earlier) => match earlier.go_on(&mut lane).await? {
            Prepared::Stored(stored) => return Ok(stored),
            Prepared::Upload(upload) => upload,
            Prepared::Unpaid(new) => new.pay(payment.into()),
        },
    };
    upload.carry_out(&mut lane, way, progress).await
}
