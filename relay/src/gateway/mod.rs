//! The gateway: the process that speaks Tor and holds no data.
//!
//! It passes each client's stream to the worker, byte by byte: it has no store, parses no request, and never learns
//! what a stream is about. It writes [`event::Event`]s to standard output and nothing else; no address of anybody is
//! logged. If Arti ends the process, the supervisor starts it again and no data is concerned.

mod activity;
mod copy;
pub mod event;
mod places;
mod reachability;
mod streams;

use crate::{
    data_directory::{DataDirectory, TorLock},
    error::RelayError,
    settings::RelayLimits,
    takeover::take_over,
};
use event::Event;
use nightdrop_onion_config::{Progress, Tor, TorError, TorSettings};
use nightdrop_wire::ONION_PORT;
use std::{io::Write, time::Duration};
use tokio::signal::unix::{SignalKind, signal};

/// What the gateway is started with.
#[derive(Debug, Clone)]
pub struct GatewaySettings {
    /// Where and how to start Tor.
    pub tor: TorSettings,
    /// Where the worker's socket is, and the lock of Tor's state.
    pub data: DataDirectory,
    /// Limits.
    pub limits: RelayLimits,
}

/// Serves until a signal asks it to end.
///
/// # Errors
/// [`RelayError`] if Tor cannot be used; it has been told to the supervisor as [`Event::Failed`].
pub fn run(settings: GatewaySettings) -> Result<(), RelayError> {
    let result = lock_tor(&settings.data, settings.limits.takeover).and_then(|_lock| run_alone(settings));
    if let Err(error) = &result {
        let explanation = crate::cli::errors::explain(error);
        emit(&Event::Failed { reason: explanation.message, advice: explanation.next_step });
    }
    result
}

/// Of a gateway that was killed, the state may still be in use.
fn lock_tor(data: &DataDirectory, patience: Duration) -> Result<TorLock, RelayError> {
    let in_use = || RelayError::Tor(TorError::StateInUse);
    let is_held = |error: &RelayError| matches!(error, RelayError::Tor(TorError::StateInUse));
    take_over(patience, is_held, || data.lock_tor()?.ok_or_else(in_use))
}

fn run_alone(settings: GatewaySettings) -> Result<(), RelayError> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|source| RelayError::System { what: "an async runtime", source })?;
    let result = runtime.block_on(until_terminated(serve(settings, emit)));
    // Circuits need no farewell; Tor's own tasks would wait for theirs.
    runtime.shutdown_timeout(Duration::from_millis(100));
    result
}

async fn until_terminated(serving: impl Future<Output = Result<(), RelayError>>) -> Result<(), RelayError> {
    let refused = |source| RelayError::System { what: "signals", source };
    let mut terminate = signal(SignalKind::terminate()).map_err(refused)?;
    // A terminal's ^C reaches the whole group; the supervisor decides when its children end.
    let _interrupt = signal(SignalKind::interrupt()).map_err(refused)?;
    tokio::select! {
        result = serving => result,
        _ = terminate.recv() => Ok(()),
    }
}

/// Serves for as long as Tor does, and says how it stands. Whoever calls it is the only one on this state of Tor.
///
/// # Errors
/// [`RelayError`] if Tor cannot be used or the onion service ends.
pub async fn serve(settings: GatewaySettings, say: impl Fn(&Event) + Send + Sync) -> Result<(), RelayError> {
    let GatewaySettings { tor, data, limits } = settings;
    say(&Event::Address { address: Tor::service_address(&tor)? });
    let mut reported = None;
    let tor = Tor::bootstrap(tor, |progress| report_progress(&mut reported, progress, &say)).await?;
    let (service, incoming) = tor.launch_service(ONION_PORT)?;
    tokio::select! {
        () = reachability::watch(&tor, &service, limits.probes, &say) => {}
        () = streams::carry_all(incoming, data.worker_socket(), &limits) => {}
    }
    Err(RelayError::ServiceEnded)
}

fn report_progress(reported: &mut Option<(u8, bool)>, progress: Progress, say: impl Fn(&Event)) {
    let state = (progress.percent(), progress.blocked.is_some());
    if reported.replace(state) == Some(state) {
        return;
    }
    say(&match progress.blocked {
        None => Event::Bootstrap { percent: state.0 },
        Some(blocked) => {
            Event::Blocked { reason: blocked.reason().to_owned(), advice: blocked.advice().to_owned() }
        }
    });
}

/// A line to the supervisor. If it is gone, so are we in a moment; there is nobody to tell.
fn emit(event: &Event) {
    if let Ok(line) = event.to_line() {
        let mut stdout = std::io::stdout().lock();
        let _gone = stdout.write_all(line.as_bytes()).and_then(|()| stdout.flush());
    }
}
