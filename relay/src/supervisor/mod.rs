//! The supervisor: starts the worker and the gateway, and keeps them running.
//!
//! What always holds:
//! - It holds the data directory's lock, so there is one relay per directory.
//! - It has no async runtime and touches neither the network nor the store. Children are started by exec from the main
//!   thread, whose death is what kills them (`lifeline`).
//! - It waits for nobody: neither for who reads its output nor for a child, and what a gateway that was taken over says
//!   takes bounded room.
//! - A child gets no variable of the surroundings but one that Arti needs in a user namespace, and no descriptor but the
//!   standard streams and, the worker, its listeners.
//! - A child that dies is started again after a growing pause; five deaths within a minute end the program.
//! - A signal ends the gateway first, so that no new request comes, and then the worker.

mod child;
mod happening;
mod outlet;
mod report;
mod restart;
mod sockets;
mod ward;

pub use child::Process;
pub use report::Style;

use crate::{data_directory::DataDirectory, error::RelayError, gateway::event::Event, settings::RelayLimits};
use child::Running;
use happening::Happenings;
use nightdrop_wire::onion::OnionAddress;
use report::Report;
use sockets::Listeners;
use std::{
    ffi::OsString,
    path::PathBuf,
    time::{Duration, Instant},
};
use ward::{Look, Ward};

/// What the supervisor is started with.
#[derive(Debug, Clone)]
pub struct SupervisorSettings {
    /// The data directory.
    pub data: PathBuf,
    /// Arguments that both children get after their subcommand.
    pub child_arguments: Vec<OsString>,
    /// Further arguments of the worker.
    pub worker_arguments: Vec<OsString>,
    /// How events are shown.
    pub style: Style,
    /// Limits.
    pub limits: RelayLimits,
}

/// Runs the relay until a signal asks it to end.
///
/// # Errors
/// [`RelayError`] if it cannot start or a child keeps ending; both children have ended then.
pub fn run(settings: SupervisorSettings) -> Result<(), RelayError> {
    let data = DataDirectory::prepare(&settings.data)?;
    let Some(_lock) = data.lock()? else {
        return Err(RelayError::AlreadyRunning { path: data.root().to_owned() });
    };
    let happenings = Happenings::listen()?;
    let mut supervisor = Supervisor {
        listeners: Listeners::bind(&data)?,
        report: Report::start(settings.style, settings.limits.output, &happenings)?,
        happenings,
        worker: Ward::new(Process::Worker, settings.limits.restart),
        gateway: Ward::new(Process::Gateway, settings.limits.restart),
        address: None,
        failure: None,
        worker_arguments: [settings.child_arguments.clone(), settings.worker_arguments].concat(),
        arguments: settings.child_arguments,
        limits: settings.limits,
    };
    let result = supervisor.watch();
    supervisor.stop();
    result
}

struct Supervisor {
    listeners: Listeners,
    happenings: Happenings,
    worker: Ward,
    gateway: Ward,
    /// Told to each worker as soon as both are there.
    address: Option<OnionAddress>,
    /// Why the gateway says that it ended.
    failure: Option<(String, String)>,
    report: Report,
    arguments: Vec<OsString>,
    worker_arguments: Vec<OsString>,
    limits: RelayLimits,
}

impl Supervisor {
    fn watch(&mut self) -> Result<(), RelayError> {
        loop {
            self.start_what_is_due()?;
            let next_start = [self.worker.due(), self.gateway.due()].into_iter().flatten().min();
            let news = self.happenings.next(next_start);
            if news.stop {
                return Ok(());
            }
            if let Some(error) = news.output_failed {
                return Err(RelayError::Output(error));
            }
            // What it said last may be why it ended.
            news.gateway.into_iter().for_each(|event| self.heard(event));
            if news.child_ended {
                self.look_after_children()?;
            }
        }
    }

    /// The worker first, so that the gateway finds somebody to talk to.
    fn start_what_is_due(&mut self) -> Result<(), RelayError> {
        let now = Instant::now();
        let is_due = |due: Option<Instant>| due.is_some_and(|at| at <= now);
        if is_due(self.worker.due()) {
            self.worker.started(Running::worker(&self.worker_arguments, &self.listeners)?);
            self.tell_address();
        }
        if is_due(self.gateway.due()) {
            self.gateway.started(Running::gateway(&self.arguments, &self.happenings)?);
        }
        Ok(())
    }

    fn look_after_children(&mut self) -> Result<(), RelayError> {
        if self.worker.look()? == Look::Died {
            self.report.restarting(Process::Worker);
        }
        match self.gateway.look() {
            Ok(Look::Quiet) => Ok(()),
            Ok(Look::Died) => {
                self.report.restarting(Process::Gateway);
                Ok(())
            }
            Err(RelayError::KeepsEnding { process, .. }) => {
                let (reason, advice) = self.failure.take().unzip();
                Err(RelayError::KeepsEnding { process, reason, advice })
            }
            Err(error) => Err(error),
        }
    }

    fn heard(&mut self, event: Event) {
        self.report.event(&event);
        match event {
            Event::Address { address } => {
                self.address = Some(address);
                self.tell_address();
            }
            Event::Failed { reason, advice } => self.failure = Some((reason, advice)),
            Event::Reachable { .. } => self.failure = None,
            Event::Bootstrap { .. } | Event::Blocked { .. } | Event::Unreachable {} => {}
        }
    }

    /// `{"address":"….onion"}`: the worker binds logins to it.
    fn tell_address(&mut self) {
        if let (Some(address), Some(worker)) = (&self.address, self.worker.running()) {
            // An address consists of letters, digits and a dot: nothing that JSON would have to escape.
            worker.tell(&format!("{{\"address\":\"{address}\"}}\n"));
        }
    }

    /// Ends both children: first by asking, then by force when the `Ward`s are dropped.
    fn stop(self) {
        let Self { happenings, worker, gateway, limits, .. } = self;
        end(gateway, limits.gateway_stop, &happenings);
        end(worker, limits.worker_stop, &happenings);
    }
}

fn end(mut ward: Ward, patience: Duration, happenings: &Happenings) {
    let Some(running) = ward.running() else { return };
    running.terminate();
    let deadline = Instant::now() + patience;
    while matches!(running.ended(), Ok(None)) && Instant::now() < deadline {
        // Any happening is a reason to look; only the time ends the waiting.
        let _woken = happenings.next(Some(deadline));
    }
}
