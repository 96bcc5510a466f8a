//! Making and ending what shares or holds a file at the relay.

use crate::{ClientError, random, relay::RelayLane, transport::Transport};
use bytes::Bytes;
use nightdrop_envelope::{
    capability::hash_token,
    space::{FileRecord, TicketRecord},
    ticket::TicketSecret,
};
use nightdrop_wire::{
    authorization::Authorization,
    endpoint::Endpoint,
    ids::{BlobId, TicketId},
    messages::ticket::CreateTicket,
    onion::OnionAddress,
    token::Token,
};

/// Makes a ticket of a stored file.
///
/// # Errors
/// [`ClientError::Withheld`] if the relay does not know the file.
pub async fn make_ticket<T: Transport>(
    lane: &mut RelayLane<T>,
    relay: &OnionAddress,
    file: &FileRecord,
) -> Result<TicketRecord, ClientError> {
    let mut rng = random::system();
    let secret = TicketSecret::generate(&mut rng);
    let (envelope, digest) = secret
        .seal(&file.file_key(), file.blob, &file.manifest, relay, &mut rng)
        .map_err(ClientError::Sealing)?;
    let token = hash_token(&secret.token());
    let create = CreateTicket { ticket: secret.id(), token, blob: file.blob, envelope };
    let authorization = Authorization::Bearer(file.write_key.clone());
    lane.tell(Endpoint::CreateTicket, Some(&authorization), &create).await.map_err(ClientError::listed)?;
    Ok(TicketRecord::new(&secret, digest))
}

/// Ends a ticket of a file. A repetition is answered alike.
///
/// # Errors
/// [`ClientError::Withheld`] if the relay denies that there was such a ticket: then it may still be good.
pub async fn end_ticket<T: Transport>(
    lane: &mut RelayLane<T>,
    ticket: TicketId,
    write_key: &Token,
) -> Result<(), ClientError> {
    delete(lane, Endpoint::EndTicket(ticket), write_key).await
}

/// Destroys a blob and its tickets. A repetition is answered alike.
///
/// # Errors
/// [`ClientError::Withheld`] if the relay denies that there was such a blob: then it may still be there.
pub async fn destroy<T: Transport>(
    lane: &mut RelayLane<T>,
    blob: BlobId,
    write_key: &Token,
) -> Result<(), ClientError> {
    delete(lane, Endpoint::DestroyBlob(blob), write_key).await
}

async fn delete<T: Transport>(
    lane: &mut RelayLane<T>,
    endpoint: Endpoint,
    write_key: &Token,
) -> Result<(), ClientError> {
    let authorization = Authorization::Bearer(write_key.clone());
    lane.exchange(endpoint, Some(&authorization), Bytes::new(), 0).await.map_err(ClientError::listed)?;
    Ok(())
}
