//! An open account: the session token and the unlocked keys.

use crate::{ClientError, relay::RelayLane, transport::Transport};
use bytes::Bytes;
use nightdrop_envelope::keyring::Keyring;
use nightdrop_wire::{
    authorization::Authorization,
    endpoint::Endpoint,
    messages::credit::{Credits, FetchCredits},
    token::Token,
};

/// An open account. Its lane carries the account plane only; what is done with credits goes over other circuits.
pub struct Session<T> {
    lane: RelayLane<T>,
    authorization: Authorization,
    keyring: Keyring,
}

impl<T: Transport> Session<T> {
    pub(super) fn new(lane: RelayLane<T>, token: Token, keyring: Keyring) -> Self {
        Self { lane, authorization: Authorization::Bearer(token), keyring }
    }

    /// The account's keys.
    #[must_use]
    pub const fn keyring(&self) -> &Keyring {
        &self.keyring
    }

    /// Fetches credits; each pays for one blob.
    ///
    /// # Errors
    /// [`ClientError::NoCredits`] when the relay gives no more today.
    pub async fn fetch_credits(&mut self, count: u16) -> Result<Vec<Token>, ClientError> {
        let request = FetchCredits { count };
        let credits: Credits = self
            .lane
            .call(Endpoint::FetchCredits, Some(&self.authorization), &request)
            .await
            .map_err(ClientError::credits)?;
        if credits.tokens.len() == usize::from(count) {
            Ok(credits.tokens)
        } else {
            Err(ClientError::NotARelay)
        }
    }

    /// Ends the session at the relay.
    ///
    /// # Errors
    /// [`ClientError`] when the relay cannot be reached; the session then ends by itself when it expires.
    pub async fn end(mut self) -> Result<(), ClientError> {
        self.lane
            .exchange(Endpoint::EndSession, Some(&self.authorization), Bytes::new(), 0)
            .await
            .map_err(ClientError::request)?;
        Ok(())
    }
}

impl<T> std::fmt::Debug for Session<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { lane: _, authorization: _, keyring: _ } = self;
        f.write_str("Session")
    }
}
