//! What a login is bound to.

use nightdrop_wire::{PROTOCOL_VERSION, contexts, ids::AccountId, onion::OnionAddress};

/// Binds every login to the protocol version and to the relay's address, so that messages of one relay are worth
/// nothing at another, nor through another.
#[derive(Clone)]
pub struct LoginContext {
    bytes: Vec<u8>,
    relay: OnionAddress,
}

impl LoginContext {
    /// The context of logins at `relay`.
    #[must_use]
    pub fn new(relay: &OnionAddress) -> Self {
        let mut bytes = contexts::LOGIN.to_vec();
        bytes.extend_from_slice(&PROTOCOL_VERSION.to_be_bytes());
        bytes.extend_from_slice(relay.as_str().as_bytes());
        Self { bytes, relay: relay.clone() }
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The identities that OPAQUE authenticates: account id and relay address.
    pub(crate) fn identifiers<'a>(&'a self, account: &'a AccountId) -> opaque_ke::Identifiers<'a> {
        opaque_ke::Identifiers {
            client: Some(account.as_bytes()),
            server: Some(self.relay.as_str().as_bytes()),
        }
    }
}
