//! A child that is kept running: started, missed, started again.

use super::{
    child::{Process, Running},
    restart::{RestartPolicy, Verdict},
};
use crate::{error::RelayError, settings::RestartLimits, worker::WorkerExit};
use std::{process::ExitStatus, time::Instant};

/// A child and when it is to be started.
#[derive(Debug)]
pub(crate) struct Ward {
    process: Process,
    policy: RestartPolicy,
    state: State,
}

#[derive(Debug)]
enum State {
    Due(Instant),
    Running(Running),
}

/// What a look at the child found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Look {
    /// Nothing to do.
    Quiet,
    /// It died and will be started again.
    Died,
}

impl Ward {
    /// To be started at once.
    pub(crate) fn new(process: Process, limits: RestartLimits) -> Self {
        Self { process, policy: RestartPolicy::new(limits), state: State::Due(Instant::now()) }
    }

    /// When it has to be started; `None` while it runs.
    pub(crate) const fn due(&self) -> Option<Instant> {
        match self.state {
            State::Due(at) => Some(at),
            State::Running(_) => None,
        }
    }

    /// The child, while it runs.
    pub(crate) const fn running(&mut self) -> Option<&mut Running> {
        match &mut self.state {
            State::Due(_) => None,
            State::Running(running) => Some(running),
        }
    }

    /// It was started.
    pub(crate) fn started(&mut self, running: Running) {
        self.state = State::Running(running);
    }

    /// Looks whether it died.
    ///
    /// # Errors
    /// [`RelayError::KeepsEnding`] if it died too often, [`RelayError::WorkerCannotWork`] if it says itself that
    /// starting it again does not help.
    pub(crate) fn look(&mut self) -> Result<Look, RelayError> {
        let Some(running) = self.running() else { return Ok(Look::Quiet) };
        let Some(status) = running.ended()? else { return Ok(Look::Quiet) };
        tracing::warn!("the {} ended: {status}", self.process);
        if let Some(exit) = hopeless(self.process, status) {
            return Err(RelayError::WorkerCannotWork { exit });
        }
        let now = Instant::now();
        match self.policy.died(now) {
            Verdict::RestartAfter(pause) => {
                self.state = State::Due(now + pause);
                Ok(Look::Died)
            }
            Verdict::GiveUp => {
                Err(RelayError::KeepsEnding { process: self.process, reason: None, advice: None })
            }
        }
    }
}

/// The worker's own word that it would end again.
fn hopeless(process: Process, status: ExitStatus) -> Option<WorkerExit> {
    let code = u8::try_from(status.code()?).ok()?;
    // Told by nobody of us to end, but orderly: somebody sent it a signal, and it may well start again.
    let exit = WorkerExit::from_code(code).filter(|exit| *exit != WorkerExit::Done)?;
    (process == Process::Worker && !exit.restart_may_help()).then_some(exit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::process::ExitStatusExt;

    fn exited(code: u8) -> ExitStatus {
        ExitStatus::from_raw(i32::from(code) << 8)
    }

    #[test]
    fn a_worker_is_given_up_only_when_it_says_so_itself() {
        let worker = |status| hopeless(Process::Worker, status);
        for exit in [WorkerExit::StoreUnusable, WorkerExit::OtherAddress, WorkerExit::StoreInUse] {
            assert_eq!(worker(exited(exit.code())), Some(exit));
        }
        for exit in [WorkerExit::Done, WorkerExit::Failed, WorkerExit::StoreFailed] {
            assert_eq!(worker(exited(exit.code())), None, "{exit:?}");
        }
        assert_eq!(worker(ExitStatus::from_raw(9)), None, "killed");
        assert_eq!(hopeless(Process::Gateway, exited(WorkerExit::StoreUnusable.code())), None);
    }
}
