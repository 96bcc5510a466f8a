//! Somebody with an account: the client's own functions, with what its command line would remember.

use super::{MemoryRelay, MemoryTransport, address};
use crate::uploads;
use nightdrop_client::{
    ClientError,
    account::{self, Prepared, Session},
    limits::ClientLimits,
    relay::RelayLane,
    transfer::{self, Content, Journals, Source, TicketTerms},
};
use nightdrop_envelope::{
    account_code::AccountCode, journal::JournalKey, key::MemoryKey, link::FileLink, recovery::RecoveryPhrase,
    space::FileRecord,
};
use nightdrop_login::password::Password;
use nightdrop_wire::{
    denomination::{Assortment, Denomination},
    messages::credit::Credit,
};
use std::{path::Path, sync::Arc, time::Duration};
use tempfile::TempDir;

/// What people here log in with.
pub const PASSWORD: &str = "plum orbit velvet cactus tide";

/// Limits for a relay that answers: nothing is waited for, and a busy machine has time.
#[must_use]
pub fn patient() -> ClientLimits {
    ClientLimits {
        connect: Duration::from_secs(30),
        request: Duration::from_secs(30),
        attempts: 2,
        first_retry: Duration::from_millis(5),
        longest_retry: Duration::from_millis(10),
        lanes: 2,
        most_lanes: 4,
        streams_per_lane: 2,
        chunks_at_once: 8,
    }
}

/// Limits for a relay that never answers.
#[must_use]
pub fn quick() -> ClientLimits {
    ClientLimits { request: Duration::from_millis(400), ..patient() }
}

/// A person with an account at the relay in memory.
#[derive(Debug)]
pub struct Person {
    /// How this person reaches the relay.
    pub transport: MemoryTransport,
    /// The account.
    pub code: AccountCode,
    /// Written down at registration.
    pub recovery: RecoveryPhrase,
    /// What the device remembers, sealed.
    pub memory: Vec<u8>,
    /// Where the device keeps what is not done.
    pub directory: Arc<TempDir>,
}

impl Person {
    /// Registers over `transport` with an invitation of `relay`.
    ///
    /// # Errors
    /// As [`account::prepare`] and [`account::commit`].
    pub async fn register(transport: &MemoryTransport, relay: &MemoryRelay) -> Result<Self, ClientError> {
        let invitation = relay.invitation().await;
        let (password, limits, relay) = (Password::new(PASSWORD), patient(), address());
        let prepared = account::prepare(transport, &relay, invitation, password, true, &limits).await?;
        let Prepared { code, recovery, request, memory } = prepared;
        account::commit(transport, &relay, &request, &limits).await?;
        let directory = Arc::new(tempfile::tempdir().unwrap());
        Ok(Self { transport: transport.clone(), code, recovery: recovery.unwrap(), memory, directory })
    }

    /// Logs in.
    ///
    /// # Errors
    /// As [`account::log_in`].
    pub async fn log_in(&self) -> Result<Session<MemoryTransport>, ClientError> {
        account::log_in(&self.transport, &self.code, &Password::new(PASSWORD), &patient()).await
    }

    /// Credits, fetched in a session that ends with it, each worth more than any file here costs.
    ///
    /// # Errors
    /// As [`Session::fetch_credits`].
    pub async fn credits(&self, count: u16) -> Result<Vec<Credit>, ClientError> {
        let mut session = self.log_in().await?;
        let credits = session.fetch_credits(Assortment::only(Denomination::Largest, count)).await?;
        session.end().await?;
        Ok(credits)
    }

    /// Stores a file or a stream, with a credit of its own, and gives what its owner keeps.
    ///
    /// # Errors
    /// As [`uploads::store`].
    pub async fn store(&self, content: impl Into<Content>) -> Result<FileRecord, ClientError> {
        let credit = self.credits(1).await?.remove(0);
        self.store_with(credit, content).await
    }

    async fn store_with(
        &self,
        credit: Credit,
        content: impl Into<Content>,
    ) -> Result<FileRecord, ClientError> {
        let (relay, limits) = (address(), patient());
        let way = (&self.transport, &relay, &limits);
        uploads::store(way, &self.journals(), content, credit, Arc::new(())).await
    }

    /// The journals of this person's device.
    #[must_use]
    pub fn journals(&self) -> Journals {
        let key = JournalKey::new(MemoryKey::from_bytes([0x5e; 32]), address(), self.code.account());
        Journals::new(self.directory.path().join("transfers"), key, 1)
    }

    /// Stores the file at `path` and gives what its owner keeps, and a link to it.
    ///
    /// # Errors
    /// As [`Self::store`].
    pub async fn put(&self, path: &Path) -> Result<(FileRecord, FileLink), ClientError> {
        let credit = self.credits(1).await?.remove(0);
        self.put_with(credit, path, TicketTerms::default()).await
    }

    /// The same, paid by a credit and shared on these terms.
    ///
    /// # Errors
    /// As [`uploads::store`].
    pub async fn put_with(
        &self,
        credit: Credit,
        path: &Path,
        terms: TicketTerms,
    ) -> Result<(FileRecord, FileLink), ClientError> {
        let relay = address();
        let file = self.store_with(credit, Source::open(path, None)?).await?;
        let mut lane = RelayLane::isolated(&self.transport, &relay, &patient());
        let ticket = transfer::make_ticket(&mut lane, &relay, &file, terms).await?;
        Ok((file, ticket.link(&relay)))
    }
}
