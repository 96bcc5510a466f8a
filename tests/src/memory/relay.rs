//! The honest relay: a real store in a directory of its own, the real service, the real HTTP connections.

use super::Host;
use nightdrop_login::server::{Record, ServerSetup};
use nightdrop_relay::worker::{
    Connections, Environment, HttpLimits, Plane, Service, ServiceLimits, issue_invitations,
};
use nightdrop_store::{Day, GuessLimits, Minute, Store, StoreLimits};
use nightdrop_wire::{ids::AccountId, onion::OnionAddress, token::Token};
use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::SystemTime,
};
use tempfile::TempDir;
use tokio::io::DuplexStream;

/// Where the relay in memory is reached.
const ADDRESS: &str = "2gzyxa5ihm7nsggfxnu52rck2vv4rvmdlkiu3zzui5du4xyclen53wid.onion";
/// Days that an invitation is good for.
const INVITATION_DAYS: u16 = 7;

/// The address of the relay in memory.
#[must_use]
pub fn address() -> OnionAddress {
    ADDRESS.parse().unwrap()
}

/// An honest relay. Clones are the same relay; the last one to go removes its directory.
#[derive(Debug, Clone)]
pub struct MemoryRelay {
    connections: Connections,
    store: Store,
    environment: Environment,
    directory: Arc<TempDir>,
    /// Days by which its clocks are ahead.
    ahead: Arc<AtomicU32>,
}

impl MemoryRelay {
    /// A relay with an empty store, reached at [`address`].
    pub async fn start() -> Self {
        Self::with_limits(ServiceLimits::default()).await
    }

    /// A relay with an empty store and these limits, reached at [`address`].
    pub async fn with_limits(limits: ServiceLimits) -> Self {
        let directory = tempfile::tempdir().unwrap();
        // Lies leave logins unfinished by the dozen, and it is not the back-off after them that is on trial.
        let guesses = GuessLimits { free: u32::MAX, ..GuessLimits::default() };
        let store_limits = StoreLimits { guesses, ..StoreLimits::default() };
        let store = Store::open(&directory.path().join("store"), store_limits).unwrap();
        let ahead = Arc::new(AtomicU32::new(0));
        let environment = environment(&ahead);
        let service = Service::start(store.clone(), environment.clone(), limits).await.unwrap();
        service.set_address(address()).await.unwrap();
        let connections = Connections::new(service, HttpLimits::default());
        Self { connections, store, environment, directory: Arc::new(directory), ahead }
    }

    /// Sets its clocks ahead by so many days.
    pub fn set_ahead(&self, days: u32) {
        self.ahead.store(days, Ordering::Relaxed);
    }

    /// Clears away what is over by its clock.
    pub async fn sweep(&self) {
        self.store.sweep((self.environment.today)()).await.unwrap();
    }

    /// A fresh invitation.
    pub async fn invitation(&self) -> Token {
        issue_invitations(&self.store, &self.environment, INVITATION_DAYS, 1).await.unwrap().remove(0)
    }

    /// The operator gives an account another quota.
    pub async fn set_quota(&self, account: AccountId, bytes: u64) {
        self.store.set_quota(account, Some(bytes)).await.unwrap();
    }

    /// What a thief of the relay's disk has for logins to an account: the relay's login secrets and the record.
    #[must_use]
    pub fn stolen(&self, account: AccountId) -> (ServerSetup, Record) {
        let setup = self.store.identity().unwrap().unwrap().server_setup;
        let record = self.store.login_record(account).unwrap();
        (ServerSetup::from_bytes(&setup).unwrap(), Record::from_bytes(record.record.as_slice()).unwrap())
    }

    /// Everything that the relay keeps on disk lies below.
    #[must_use]
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }
}

/// The system's, but for days that the clocks are ahead.
fn environment(ahead: &Arc<AtomicU32>) -> Environment {
    let (days, minutes) = (Arc::clone(ahead), Arc::clone(ahead));
    Environment {
        today: Arc::new(move || Day::of(SystemTime::now()).plus(days.load(Ordering::Relaxed))),
        minute: Arc::new(move || {
            let ahead = u64::from(minutes.load(Ordering::Relaxed)) * 24 * 60;
            Minute(Minute::of(SystemTime::now()).0 + ahead)
        }),
        ..Environment::system()
    }
}

impl Host for MemoryRelay {
    fn accept(&self, stream: DuplexStream) {
        let connections = self.connections.clone();
        tokio::spawn(async move {
            connections.serve(stream, Plane::Public, std::future::pending()).await;
        });
    }
}
