//! What a relay says of itself, to anybody.

use crate::{
    ClientError,
    limits::ClientLimits,
    relay::{RelayLane, RequestError},
    transport::Transport,
};
use bytes::Bytes;
use nightdrop_credit::{CreditError, is_key};
use nightdrop_wire::{
    PROTOCOL_VERSION, codec,
    endpoint::Endpoint,
    messages::{credit::BLINDED, relay::RelayInfo},
    onion::OnionAddress,
};

/// Bytes of it at most.
const LONGEST: usize = 256;

/// Asks over a lane of its own, and without a name.
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
    let is_ours = info.version == PROTOCOL_VERSION && is_key(&info.issuing_key);
    if is_ours { Ok(info) } else { Err(ClientError::NotARelay) }
}

/// The relay's issuing key, for an account to be: asked twice, each time over a lane of its own, so that a relay that gives each who asks another
/// key is found out. One that tells by the time who asks is not: see [`check_issuing_key`].
///
/// # Errors
/// As [`ask_relay`]; [`ClientError::MarkedCredits`] if the two differ.
pub(crate) async fn issuing_key<T: Transport>(
    transport: &T,
    relay: &OnionAddress,
    limits: &ClientLimits,
) -> Result<[u8; BLINDED], ClientError> {
    let key = ask_relay(transport, relay, limits).await?.issuing_key;
    check_issuing_key(transport, relay, &key, limits).await?;
    Ok(key)
}

/// Asks whether the relay tells everybody the key that this account pins. To be done at times that have nothing to do with the account's own
/// requests: then the relay does not know for whom it answers.
///
/// # Errors
/// [`ClientError::MarkedCredits`] if it is another one; as [`ask_relay`].
pub(crate) async fn check_issuing_key<T: Transport>(
    transport: &T,
    relay: &OnionAddress,
    pinned: &[u8; BLINDED],
    limits: &ClientLimits,
) -> Result<(), ClientError> {
    let given = ask_relay(transport, relay, limits).await?.issuing_key;
    if given == *pinned { Ok(()) } else { Err(ClientError::MarkedCredits(CreditError::Unproven)) }
}
