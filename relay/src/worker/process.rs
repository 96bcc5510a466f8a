//! The worker as a process: what it inherits, how it starts, how it ends.
//!
//! It is started by the supervisor by exec, with two listeners (`LISTEN_FDS`): 0 the gateway's, 1 the operator's.
//! It ends with its supervisor, however that dies: by the signal that `lifeline` asks for before this is called, and by
//! the end of its standard input.

use super::{
    control::{NotControl, next_line},
    environment::Environment,
    exit::WorkerExit,
    limits::{HttpLimits, ServiceLimits},
    server::{ServeError, serve},
    service::{Service, ServiceError},
    upkeep::upkeep,
};
use crate::takeover::take_over;
use listenfd::ListenFd;
use nightdrop_store::{OpenError, Store, StoreError, StoreLimits};
use nightdrop_wire::onion::OnionAddress;
use std::{io, os::unix::net::UnixListener, path::Path, time::Duration};
use tokio::{
    runtime::{Builder, Runtime},
    signal::unix::{SignalKind, signal},
    sync::mpsc,
};

/// Directory of the store inside the relay's data directory.
const STORE_DIRECTORY: &str = "store";
/// Control lines that wait at most.
const CONTROL_LINES: usize = 4;

type ControlResult = Result<OnionAddress, NotControl>;

/// Runs the worker on `data`/store until it ends, and logs why. A predecessor that was killed may hold the store for a
/// moment; it is waited for, for as long as `takeover`.
#[must_use]
pub fn run(
    data: &Path,
    http: HttpLimits,
    service: ServiceLimits,
    store: StoreLimits,
    takeover: Duration,
) -> WorkerExit {
    match start(data, http, service, store, takeover) {
        Ok(exit) | Err(exit) => exit,
    }
}

fn start(
    data: &Path,
    http: HttpLimits,
    service: ServiceLimits,
    store: StoreLimits,
    takeover: Duration,
) -> Result<WorkerExit, WorkerExit> {
    let (listener, admin) = inherited_listeners().map_err(|error| {
        tracing::error!(%error, "no listeners were inherited: this command is for the relay's own use");
        WorkerExit::NotSupervised
    })?;
    let directory = data.join(STORE_DIRECTORY);
    let is_held = |error: &OpenError| matches!(error, OpenError::InUse);
    let store = take_over(takeover, is_held, || Store::open(&directory, store)).map_err(|error| {
        tracing::error!(error = &error as &dyn std::error::Error, "cannot open the store");
        exit_of_open(&error)
    })?;
    let runtime = runtime().map_err(|error| {
        tracing::error!(%error, "cannot start the worker's threads");
        WorkerExit::Failed
    })?;
    Ok(runtime.block_on(work(listener, admin, store, http, service)))
}

fn inherited_listeners() -> io::Result<(UnixListener, UnixListener)> {
    let mut inherited = ListenFd::from_env();
    let mut take = |index| {
        let listener = inherited.take_unix_listener(index)?;
        let listener = listener.ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "no listener"))?;
        listener.set_nonblocking(true)?;
        Ok::<_, io::Error>(listener)
    };
    Ok((take(0)?, take(1)?))
}

fn exit_of_open(error: &OpenError) -> WorkerExit {
    match error {
        OpenError::InUse => WorkerExit::StoreInUse,
        OpenError::NewerSchema { .. } | OpenError::NotAStore { .. } | OpenError::Database { .. } => {
            WorkerExit::StoreUnusable
        }
        OpenError::NoSpace { .. } => WorkerExit::DiskFull,
        OpenError::Disk { .. } => WorkerExit::DiskFailed,
        OpenError::Files { .. } | OpenError::Thread(_) => WorkerExit::Failed,
    }
}

fn runtime() -> io::Result<Runtime> {
    Builder::new_multi_thread().thread_name("worker").enable_all().build()
}

async fn work(
    listener: UnixListener,
    admin: UnixListener,
    store: Store,
    http: HttpLimits,
    limits: ServiceLimits,
) -> WorkerExit {
    let service = match Service::start(store, Environment::system(), limits).await {
        Ok(service) => service,
        Err(error) => {
            tracing::error!(error = &error as &dyn std::error::Error, "cannot start the service");
            return exit_of_service(&error);
        }
    };
    match serve_until_told(listener, admin, service, http).await {
        Ok(exit) => exit,
        Err(error) => {
            tracing::error!(%error, "cannot use what was inherited");
            WorkerExit::NotSupervised
        }
    }
}

fn exit_of_service(error: &ServiceError) -> WorkerExit {
    match error {
        ServiceError::Setup(_) | ServiceError::Store(StoreError::Damaged(_)) => WorkerExit::StoreUnusable,
        ServiceError::Store(StoreError::Full) => WorkerExit::DiskFull,
        ServiceError::Store(_) => WorkerExit::Failed,
    }
}

async fn serve_until_told(
    listener: UnixListener,
    admin: UnixListener,
    service: Service,
    http: HttpLimits,
) -> io::Result<WorkerExit> {
    let listener = tokio::net::UnixListener::from_std(listener)?;
    let admin = tokio::net::UnixListener::from_std(admin)?;
    let mut terminate = signal(SignalKind::terminate())?;
    // A terminal sends this to all processes of the relay; the supervisor decides what it means.
    let _interrupt = signal(SignalKind::interrupt())?;
    let control = read_control()?;
    let mut exit = WorkerExit::Done;
    let told = service.clone();
    let shutdown = async {
        exit = tokio::select! {
            exit = obey(control, &told) => exit,
            _ = terminate.recv() => WorkerExit::Done,
        };
    };
    let upkeep = tokio::spawn(upkeep(service.clone()));
    let served = serve(listener, admin, service, http, shutdown).await;
    upkeep.abort();
    match served {
        Ok(()) => Ok(exit),
        Err(error @ ServeError::StoreFailed) => {
            tracing::error!(%error, "the worker ends");
            Ok(WorkerExit::StoreFailed)
        }
    }
}

/// Does what the supervisor says until it has nothing more to say.
async fn obey(mut control: mpsc::Receiver<ControlResult>, service: &Service) -> WorkerExit {
    while let Some(line) = control.recv().await {
        let Ok(address) = line else {
            tracing::error!("the supervisor's line is not understood");
            return WorkerExit::NotSupervised;
        };
        match service.set_address(address).await {
            Ok(()) => {}
            Err(error @ StoreError::OtherAddress) => {
                tracing::error!(%error, "the worker ends");
                return WorkerExit::OtherAddress;
            }
            Err(error) => {
                tracing::error!(%error, "the relay's address could not be kept");
                return WorkerExit::Failed;
            }
        }
    }
    WorkerExit::Done
}

/// Reads control lines on a thread of its own, which ends with the process: standard input cannot be waited for
/// otherwise without holding the runtime up at its end.
fn read_control() -> io::Result<mpsc::Receiver<ControlResult>> {
    let (sender, control) = mpsc::channel(CONTROL_LINES);
    std::thread::Builder::new().name("control".to_owned()).spawn(move || {
        let mut input = io::stdin().lock();
        while let Some(line) = next_line(&mut input) {
            let understood = line.is_ok();
            let gone = sender.blocking_send(line.map(|line| line.address)).is_err();
            if gone || !understood {
                return;
            }
        }
    })?;
    Ok(control)
}
