//! A client of the relay: through Tor, with nothing but HTTP.

use super::network_file;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{Request, client::conn::http1};
use hyper_util::rt::TokioIo;
use nightdrop_onion_config::{Lane, Network, Role, Tor, TorError, TorLimits, TorSettings};
use nightdrop_wire::{
    ONION_PORT, codec, ids::AccountId, messages::account::RegisterStart, onion::OnionAddress, token::Token,
};
use std::path::Path;

/// The base point of ristretto255 (RFC 9496): a registration request as good as any.
const REGISTRATION_REQUEST: [u8; 32] = [
    0xe2, 0xf2, 0xae, 0x0a, 0x6a, 0xbc, 0x4e, 0x71, 0xa8, 0x84, 0xa9, 0x61, 0xc5, 0x00, 0x51, 0x5f, 0x58,
    0xe3, 0x0b, 0x6a, 0xa5, 0x82, 0xdd, 0x8d, 0xb6, 0xa6, 0x59, 0x45, 0xe0, 0x8d, 0x2d, 0x76,
];

/// Starts a client whose state lies in `directory`.
pub(crate) async fn bootstrap(directory: &Path) -> Tor {
    let settings = TorSettings {
        directory: directory.to_owned(),
        network: Network::load(Some(&network_file())).unwrap(),
        role: Role::Client,
        limits: TorLimits::default(),
    };
    Tor::bootstrap(settings, |_| {}).await.unwrap()
}

/// Begins a registration with this invitation, on a circuit of its own; the status of the answer. 200 means that the
/// relay's store holds the invitation, 404 that it does not.
pub(crate) async fn begin_registration(tor: &Tor, relay: &str, invitation: &str) -> Result<u16, TorError> {
    let relay: OnionAddress = relay.parse().unwrap();
    let message = RegisterStart {
        invitation: Token::from_text(invitation).unwrap(),
        account: AccountId::from_bytes([1; AccountId::LENGTH]),
        request: REGISTRATION_REQUEST,
    };
    let stream = tor.connect(&relay, ONION_PORT, &Lane::isolated()).await?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
    let driving = tokio::spawn(connection);
    let request = Request::post("/v1/register/1")
        .header(hyper::header::HOST, relay.as_str())
        .body(Full::new(Bytes::from(codec::encode(&message).unwrap())))
        .unwrap();
    let response = sender.send_request(request).await.unwrap();
    let status = response.status().as_u16();
    response.into_body().collect().await.unwrap();
    driving.abort();
    Ok(status)
}
