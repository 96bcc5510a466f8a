//! An open account: the session token and the unlocked keys.

use crate::{
    ClientError,
    blocking::blocking,
    clock, random,
    relay::{MAX_CONTROL_ANSWER, RelayLane, RequestError},
    transfer::Journals,
    transport::Transport,
};
use bytes::Bytes;
use nightdrop_credit::{Order, good_until};
use nightdrop_envelope::{
    account_code::AccountCode, device_memory::DeviceMemory, journal::JournalKey, key::MasterKey,
    keyring::Keyring, wallet::Wallet,
};
use nightdrop_wire::{
    authorization::Authorization,
    codec,
    denomination::Assortment,
    endpoint::Endpoint,
    ids::{AccountId, SessionId},
    messages::{
        account::{SessionFacts, Sessions},
        credit::{Credit, Credits},
        log::LogHead,
    },
    refusal::Refusal,
    token::Token,
};
use std::path::PathBuf;

/// An open account. Its lane carries the account plane only; what is done with credits goes over other circuits.
pub struct Session<T> {
    lane: RelayLane<T>,
    authorization: Authorization,
    id: SessionId,
    code: AccountCode,
    master: MasterKey,
    keyring: Keyring,
}

impl<T: Transport> Session<T> {
    /// Whose it is.
    pub(crate) const fn account(&self) -> AccountId {
        self.code.account()
    }

    pub(super) fn new(
        lane: RelayLane<T>,
        (token, id): (Token, SessionId),
        code: &AccountCode,
        master: MasterKey,
        keyring: Keyring,
    ) -> Self {
        Self { lane, authorization: Authorization::Bearer(token), id, code: code.clone(), master, keyring }
    }

    /// The account's code.
    #[must_use]
    pub const fn code(&self) -> &AccountCode {
        &self.code
    }

    /// Opens what this device sealed to remember, and refuses a keyring that is older. Of a home space that follows a rekey, the keyring says how
    /// far it was.
    ///
    /// # Errors
    /// [`ClientError::OlderKeyring`]; [`ClientError::DamagedMemory`] if it is not what was sealed.
    pub fn open_memory(&self, sealed: Option<&[u8]>) -> Result<DeviceMemory, ClientError> {
        let given = self.keyring.version();
        let least = DeviceMemory { keyring_version: given, home_head: self.keyring.home_head() };
        let Some(sealed) = sealed else { return Ok(least) };
        let key = self.keyring.memory_key();
        let memory = DeviceMemory::open(sealed, &key, self.code.relay(), self.code.account())
            .map_err(|_| ClientError::DamagedMemory)?;
        if given < memory.keyring_version {
            return Err(ClientError::OlderKeyring { seen: memory.keyring_version, given });
        }
        Ok(memory.newer(least))
    }

    /// Seals what this device is to remember: what it remembered, this keyring, and this head of the home space.
    ///
    /// # Errors
    /// [`ClientError::Sealing`].
    pub fn seal_memory(&self, kept: DeviceMemory, home_head: LogHead) -> Result<Vec<u8>, ClientError> {
        let seen = DeviceMemory { keyring_version: self.keyring.version(), home_head: Some(home_head) };
        kept.newer(seen)
            .seal(&self.keyring.memory_key(), self.code.relay(), self.code.account(), &mut random::system())
            .map_err(ClientError::Sealing)
    }

    /// The journals of this account in a directory.
    #[must_use]
    pub fn journals(&self, directory: PathBuf) -> Journals {
        let key = JournalKey::new(self.keyring.memory_key(), self.code.relay().clone(), self.code.account());
        Journals::new(directory, key, self.keyring.version())
    }

    /// The account's keys.
    #[must_use]
    pub const fn keyring(&self) -> &Keyring {
        &self.keyring
    }

    /// Draws credits. There may be fewer than were asked for, and at least one.
    ///
    /// # Errors
    /// [`ClientError::NoCredits`] when the relay gives no more in this period; [`ClientError::MarkedCredits`] if it does not prove that they are made
    /// with the key that this account pins.
    pub async fn fetch_credits(&mut self, assortment: Assortment) -> Result<Vec<Credit>, ClientError> {
        let order = Order::new(assortment, good_until(clock::today()), &mut random::for_login());
        let order = order.map_err(|_| ClientError::Stopped)?;
        let credits: Credits = self
            .lane
            .call(Endpoint::FetchCredits, Some(&self.authorization), order.request())
            .await
            .map_err(ClientError::credits)?;
        let pinned = *self.keyring.issuing_key();
        // Milliseconds for a whole batch.
        Ok(blocking(move || order.take(&credits, &pinned)).await??)
    }

    /// Opens the credits that this device holds. Those that it cannot open are lost, and others can be drawn.
    pub(crate) fn open_wallet(&self, sealed: Option<&[u8]>) -> Wallet {
        let open =
            |sealed| Wallet::open(sealed, &self.keyring.memory_key(), self.code.relay(), self.code.account());
        sealed.and_then(|sealed| open(sealed).ok()).unwrap_or_default()
    }

    /// Seals the credits that this device is to hold.
    ///
    /// # Errors
    /// [`ClientError::Sealing`] if they are more than [`Wallet::MOST`].
    pub(crate) fn seal_wallet(&self, wallet: &Wallet) -> Result<Vec<u8>, ClientError> {
        let key = self.keyring.memory_key();
        wallet
            .seal(&key, self.code.relay(), self.code.account(), &mut random::system())
            .map_err(ClientError::Sealing)
    }

    /// The account's sessions, oldest first.
    ///
    /// # Errors
    /// [`ClientError::SessionEnded`], or that the relay cannot be reached.
    pub async fn list(&mut self) -> Result<Vec<SessionFacts>, ClientError> {
        let answer = self
            .lane
            .exchange(Endpoint::ListSessions, Some(&self.authorization), Bytes::new(), MAX_CONTROL_ANSWER)
            .await
            .map_err(ClientError::session)?;
        let list: Sessions = codec::decode(&answer).map_err(|_| ClientError::NotARelay)?;
        Ok(list.sessions)
    }

    /// Ends one session of the account, or all of them.
    ///
    /// # Errors
    /// As [`Self::list`].
    pub async fn end_at_relay(&mut self, which: Option<SessionId>) -> Result<(), ClientError> {
        let endpoint = which.map_or(Endpoint::EndSessions, Endpoint::EndSession);
        let ended = self.lane.exchange(endpoint, Some(&self.authorization), Bytes::new(), 0).await;
        ended.map(|_empty| ()).map_err(ClientError::session)
    }

    /// Ends the session at the relay; one that the relay no longer knows has ended.
    ///
    /// # Errors
    /// [`ClientError`] when the relay cannot be reached; the session then ends by itself when it expires.
    pub async fn end(self) -> Result<(), ClientError> {
        let Self { lane, authorization, id, code, master, keyring } = self;
        // The keys need not wait for the relay.
        drop((code, master, keyring));
        let ended =
            lane.once().exchange(Endpoint::EndSession(id), Some(&authorization), Bytes::new(), 0).await;
        match ended {
            Ok(_) | Err(RequestError::Refused(Refusal::Refused)) => Ok(()),
            Err(error) => Err(ClientError::request(error)),
        }
    }
}

impl<T> std::fmt::Debug for Session<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { lane: _, authorization: _, id: _, code: _, master: _, keyring: _ } = self;
        f.write_str("Session")
    }
}
