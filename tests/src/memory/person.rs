//! Somebody with an account: the client's own functions, with what its command line would remember.

use super::{MemoryRelay, MemoryTransport, address};
use nightdrop_client::{
    ClientError,
    account::{self, Prepared, Session},
    limits::ClientLimits,
    relay::RelayLane,
    transfer::{self, Source, TicketTerms},
};
use nightdrop_envelope::{
    account_code::AccountCode, link::FileLink, recovery::RecoveryPhrase, space::FileRecord,
};
use nightdrop_login::password::Password;
use nightdrop_wire::token::Token;
use std::{path::Path, sync::Arc, time::Duration};

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
        Ok(Self { transport: transport.clone(), code, recovery: recovery.unwrap(), memory })
    }

    /// Logs in.
    ///
    /// # Errors
    /// As [`account::log_in`].
    pub async fn log_in(&self) -> Result<Session<MemoryTransport>, ClientError> {
        account::log_in(&self.transport, &self.code, &Password::new(PASSWORD), &patient()).await
    }

    /// Credits, fetched in a session that ends with it.
    ///
    /// # Errors
    /// As [`Session::fetch_credits`].
    pub async fn credits(&self, count: u16) -> Result<Vec<Token>, ClientError> {
        let mut session = self.log_in().await?;
        let credits = session.fetch_credits(count).await?;
        session.end().await?;
        Ok(credits)
    }

    /// Stores the file at `path` and gives what its owner keeps, and a link to it.
    ///
    /// # Errors
    /// As [`transfer::upload`].
    pub async fn put(&self, path: &Path) -> Result<(FileRecord, FileLink), ClientError> {
        let credit = self.credits(1).await?.remove(0);
        self.put_with(credit, path, TicketTerms::default()).await
    }

    /// The same, paid by a credit and shared on these terms.
    ///
    /// # Errors
    /// As [`transfer::upload`].
    pub async fn put_with(
        &self,
        credit: Token,
        path: &Path,
        terms: TicketTerms,
    ) -> Result<(FileRecord, FileLink), ClientError> {
        let source = Source::open(path, None)?;
        let relay = address();
        let file =
            transfer::upload(&self.transport, &relay, source, credit, &patient(), Arc::new(())).await?;
        let mut lane = RelayLane::isolated(&self.transport, &relay, &patient());
        let ticket = transfer::make_ticket(&mut lane, &relay, &file, terms).await?;
        Ok((file, ticket.link(&relay)))
    }
}
