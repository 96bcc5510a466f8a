//! The way into the Tor network: start, connect, serve.

use crate::{
    IncomingStream, Lane, OnionService, Progress, TorError, TorLimits, TorSettings, TorStream, configuration,
    directories::Directories, incoming::incoming, service::address_of, tls,
};
use arti_client::{HsId, KeystoreSelector, StreamPrefs, TorClient, config::BoolOrAuto};
use futures::{Stream, StreamExt};
use nightdrop_wire::onion::OnionAddress;
use std::{pin::pin, sync::Arc, time::Duration};
use tokio::time::{Instant, sleep_until, timeout};
use tor_rtcompat::tokio::TokioRustlsRuntime;

type Client = TorClient<TokioRustlsRuntime>;

/// A running Tor client, ready for traffic. Clones are the same client.
#[derive(Clone)]
pub struct Tor {
    client: Arc<Client>,
    limits: TorLimits,
}

impl Tor {
    /// Starts Tor and returns when it is ready for traffic; `on_progress` hears how far it is and what is in the way.
    ///
    /// Dropping the future ends the attempt, so that changed settings can be tried at once.
    ///
    /// # Errors
    /// [`TorError`]; [`TorError::NetworkDown`] when no progress was made for [`TorLimits::bootstrap_stall`].
    pub async fn bootstrap(
        settings: TorSettings,
        on_progress: impl FnMut(Progress) + Send,
    ) -> Result<Self, TorError> {
        tls::install_provider();
        let runtime = TokioRustlsRuntime::current().map_err(|_| TorError::NoRuntime)?;
        let directories = Directories::prepare(&settings.directory, &settings.network)?;
        let config = configuration::client(&settings, &directories)?;
        let client = TorClient::with_runtime(runtime)
            .config(config)
            .create_unbootstrapped_async()
            .await
            .map_err(|error| TorError::of(&error, None))?;
        watch_bootstrap(&client, settings.limits.bootstrap_stall, on_progress).await?;
        Ok(Self { client, limits: settings.limits })
    }

    /// The address that a service in this directory has or will have. Needs no network; makes the identity at the
    /// first call.
    ///
    /// # Errors
    /// [`TorError`] when the state directory cannot be used.
    pub fn service_address(settings: &TorSettings) -> Result<OnionAddress, TorError> {
        let directories = Directories::prepare(&settings.directory, &settings.network)?;
        let config = configuration::client(settings, &directories)?;
        let service = Client::create_onion_service(&config, configuration::service(&settings.limits)?)
            .map_err(|error| TorError::of(&error, None))?;
        let id = service
            .generate_identity_key(KeystoreSelector::Primary)
            .map_err(|error| TorError::UnsafeState(crate::error::chain(&error)))?;
        address_of(id)
    }

    /// Opens a stream to a relay. Streams of one lane may share a circuit, streams of two lanes never do.
    ///
    /// # Errors
    /// [`TorError`] tells a mistyped address, an unknown service, one that does not answer, and a dead network apart.
    pub async fn connect(&self, relay: &OnionAddress, port: u16, lane: &Lane) -> Result<TorStream, TorError> {
        // Only what is a service's identity goes on to Arti, so nothing can be taken for a host name and resolved.
        let _checksum_holds: HsId = relay.as_str().parse().map_err(|_| TorError::NotAnOnionAddress)?;
        let mut preferences = StreamPrefs::new();
        preferences.set_isolation(lane.0).connect_to_onion_services(BoolOrAuto::Explicit(true));
        // Boxed: Arti's futures are large, and callers keep many of them.
        let connecting = Box::pin(self.client.connect_with_prefs((relay.as_str(), port), &preferences));
        match timeout(self.limits.connect, connecting).await {
            Ok(Ok(stream)) => Ok(TorStream::outgoing(stream)),
            Ok(Err(error)) => Err(self.connect_error(&error)),
            Err(_elapsed) => match self.progress().blocked {
                None => Err(TorError::ServiceUnreachable),
                blocked => Err(TorError::NetworkDown { blocked }),
            },
        }
    }

    /// While Tor itself is well, a circuit that failed is no sign of a dead network, whatever the circuit's error is.
    fn connect_error(&self, error: &arti_client::Error) -> TorError {
        tracing::debug!("a connection failed: {}", crate::error::chain(error));
        let status = self.client.bootstrap_status();
        match TorError::of(error, Progress::of(&status).blocked) {
            TorError::NetworkDown { blocked: None } if status.ready_for_traffic() => {
                TorError::ServiceUnreachable
            }
            other => other,
        }
    }

    /// Publishes the onion service of this state directory and gives the streams that clients open on `port`.
    ///
    /// Launched is not yet reachable: ask [`Tor::probe`].
    ///
    /// # Errors
    /// [`TorError`]; a second launch from one state directory is [`TorError::StateInUse`].
    pub fn launch_service(
        &self,
        port: u16,
    ) -> Result<(OnionService, impl Stream<Item = IncomingStream> + Send + use<>), TorError> {
        let config = configuration::service(&self.limits)?;
        let launched =
            self.client.launch_onion_service(config).map_err(|error| TorError::of(&error, None))?;
        let (running, rendezvous) =
            launched.ok_or_else(|| TorError::Configuration("the onion service is disabled".to_owned()))?;
        let service = OnionService::new(running)?;
        Ok((service, incoming(rendezvous, port, &self.limits)))
    }

    /// Whether clients can reach `service`: connects to it as they do, by the published descriptor and on circuits of
    /// its own. The stream arrives among the service's incoming ones, which have to be served meanwhile.
    ///
    /// # Errors
    /// As [`Tor::connect`].
    pub async fn probe(&self, service: &OnionService, port: u16) -> Result<(), TorError> {
        self.connect(service.address(), port, &Lane::isolated()).await.map(drop)
    }

    /// How well Tor is connected at the moment.
    #[must_use]
    pub fn progress(&self) -> Progress {
        Progress::of(&self.client.bootstrap_status())
    }
}

impl std::fmt::Debug for Tor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tor").field("limits", &self.limits).finish_non_exhaustive()
    }
}

/// Drives the bootstrap and reports on it, until it is done, fails, or stands still for too long.
async fn watch_bootstrap(
    client: &Client,
    stall: Option<Duration>,
    mut on_progress: impl FnMut(Progress) + Send,
) -> Result<(), TorError> {
    let mut events = client.bootstrap_events();
    let mut bootstrapping = pin!(client.bootstrap());
    let mut last = Progress::of(&client.bootstrap_status());
    let mut furthest = last.fraction;
    let mut moved = Instant::now();
    on_progress(last.clone());
    loop {
        let give_up = async {
            match stall {
                Some(stall) => sleep_until(moved + stall).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            result = &mut bootstrapping => {
                return result.map_err(|error| TorError::of(&error, last.blocked.clone()));
            }
            Some(status) = events.next() => {
                last = Progress::of(&status);
                if last.fraction > furthest {
                    (furthest, moved) = (last.fraction, Instant::now());
                }
                on_progress(last.clone());
            }
            () = give_up => return Err(TorError::NetworkDown { blocked: last.blocked }),
        }
    }
}
