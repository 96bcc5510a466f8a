//! What a relay says of itself, to anybody.

use crate::{
    ClientError,
    limits::ClientLimits,
    relay::{RelayLane, RequestError},
    transport::Transport,
};
use bytes::Bytes;
use nightdrop_wire::{
    PROTOCOL_VERSION, codec, endpoint::Endpoint, messages::relay::RelayInfo, onion::OnionAddress,
};

/// Bytes of it at most.
const LONGEST: usize = 256;

/// Asks over a lane of its own, so that the relay does not know for whom it answers: it cannot give one account another issuing key than all.
///
/// # Errors
/// [`ClientError::NotARelay`] for anything else than that, or another version of the protocol.
pub(crate) async fn ask_relay<T: Transport>(
    transport: &T,
    relay: &OnionAddress,
    limits: &ClientLimits,
) -> Result<RelayInfo, ClientError> {
    let mut lane = RelayLane::isolated(transport, relay, limits);
    let answer = lane.exchange(Endpoint::RelayInfo, None, Bytes::new(), LONGEST).await;
    let info: RelayInfo = answer
        .and_then(|bytes| codec::decode(&bytes).map_err(RequestError::from))
        .map_err(ClientError::request)?;
    if info.version == PROTOCOL_VERSION { Ok(info) } else { Err(ClientError::NotARelay) }
}
