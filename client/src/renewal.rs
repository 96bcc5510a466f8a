//! Giving carried blobs their new capabilities at the relay, after a [rekey](crate::account::Rekeying).
//!
//! Each blob is one request, which may be repeated: the relay is shown what the blob has, and if that is refused, what it may have got
//! from a request whose answer was lost. What is confirmed is written to the home space in batches, so a run that is cut off
//! is gone on with by the next command.

use crate::{
    ClientError,
    limits::ClientLimits,
    payment::Purse,
    relay::{RelayLane, RequestError},
    space::HomeSpace,
    spread::{Spread, spread},
    transfer::Progress,
    transport::Transport,
};
use nightdrop_envelope::{
    capability::hash_token,
    space::{Operation, Renewal, State, TicketRecord},
};
use nightdrop_wire::{
    authorization::Authorization,
    endpoint::Endpoint,
    ids::{BlobId, TicketId},
    messages::blob::RenewBlob,
    onion::OnionAddress,
    refusal::Refusal,
};
use std::collections::{BTreeMap, VecDeque};

/// Blobs between two appends to the home space.
const BATCH: usize = 128;

/// Renews all that is still to be renewed, and gives the blobs that turned out to be lost, because the relay takes neither key for them: whoever had the old keys destroyed
/// them or took them over, or the relay lies.
///
/// # Errors
/// [`ClientError`]; what was confirmed until then is kept.
pub async fn renew_carried<T: Transport>(
    transport: &T,
    relay: &OnionAddress,
    space: &mut HomeSpace<T>,
    purse: &impl Purse,
    limits: &ClientLimits,
    progress: &dyn Progress,
) -> Result<Vec<BlobId>, ClientError> {
    let mut waiting = waiting(space.state());
    progress.begin(waiting.len() as u64);
    let lanes = limits.lanes.clamp(1, waiting.len().max(1));
    let mut lanes: Vec<_> = (0..lanes).map(|_| RelayLane::isolated(transport, relay, limits)).collect();
    let mut lost = Vec::new();
    while !waiting.is_empty() {
        let batch: Vec<_> = waiting.drain(..BATCH.min(waiting.len())).collect();
        let count = batch.len() as u64;
        let Spread { done, lanes: free, error } =
            spread(lanes, batch, |lane, waiting| Box::pin(renew(lane, waiting))).await;
        lanes = free;
        let of = |was_renewed| done.iter().filter(move |one| one.1 == was_renewed).map(|one| one.0);
        let (renewed, denied) = (of(true).collect::<Vec<_>>(), of(false).collect::<Vec<_>>());
        note(space, purse, &renewed, |blobs| Operation::Renewed { blobs }).await?;
        note(space, purse, &denied, |blobs| Operation::Lost { blobs }).await?;
        // Another device may have replaced them, or destroyed their files, meanwhile.
        lost.extend(denied.into_iter().filter(|blob| space.state().is_lost(*blob)));
        if let Some(error) = error {
            return Err(error);
        }
        progress.advance(count);
    }
    Ok(lost)
}

/// A blob to be renewed, and the request that does it.
struct Waiting {
    blob: BlobId,
    renewal: Renewal,
    message: RenewBlob,
}

fn waiting(state: &State) -> VecDeque<Waiting> {
    let mut tickets: BTreeMap<BlobId, Vec<TicketId>> = state
        .files()
        .map(|(_, file)| (file.blob, file.tickets.iter().map(TicketRecord::id).collect()))
        .collect();
    let waiting = state.renewing().map(|(blob, renewal)| {
        let message = RenewBlob {
            read_token: hash_token(&renewal.next.read_token),
            write_key: hash_token(&renewal.next.write_key),
            tickets: tickets.remove(&blob).unwrap_or_default(),
        };
        Waiting { blob, renewal: renewal.clone(), message }
    });
    waiting.collect()
}

/// Another device may have noted some of them meanwhile.
async fn note<T: Transport>(
    space: &mut HomeSpace<T>,
    purse: &impl Purse,
    ended: &[BlobId],
    operation: impl Fn(Vec<BlobId>) -> Operation,
) -> Result<(), ClientError> {
    let decide = |state: &State| {
        let still: Vec<BlobId> = ended.iter().copied().filter(|blob| state.is_renewing(*blob)).collect();
        if state.closed_for().is_some() || still.is_empty() {
            Ok(Vec::new())
        } else {
            Ok(vec![operation(still)])
        }
    };
    space.append(purse, decide).await
}

/// Whether the relay took one of the two keys.
async fn renew<T: Transport>(
    lane: &mut RelayLane<T>,
    waiting: Waiting,
) -> Result<(BlobId, bool), ClientError> {
    let Waiting { blob, renewal: Renewal { held, next }, message } = waiting;
    for shown in [&held.write_key, &next.write_key] {
        let authorization = Authorization::Bearer(shown.clone());
        match lane.tell(Endpoint::RenewBlob(blob), Some(&authorization), &message).await {
            Ok(()) => return Ok((blob, true)),
            Err(RequestError::Refused(Refusal::Refused)) => {}
            Err(error) => return Err(ClientError::listed(error)),
        }
    }
    Ok((blob, false))
}
