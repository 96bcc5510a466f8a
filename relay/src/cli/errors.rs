//! Every error as the operator sees it: what went wrong, what it means for the data, what to do next, and the exit
//! code. This is the one place that says so.

use crate::{error::RelayError, supervisor::Process, worker::WorkerExit};
use nightdrop_onion_config::TorError;
use nightdrop_store::OpenError;
use nightdrop_wire::refusal::Refusal;
use std::{error::Error, io::Write, process::ExitCode};

/// An error in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// What went wrong.
    pub message: String,
    /// What it means for the data.
    pub consequence: &'static str,
    /// What to do next.
    pub next_step: String,
    /// What scripts see.
    pub exit: Exit,
}

/// The exit codes; 0 is success, and 2, wrong usage, is mostly given by the argument parser.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// It failed.
    Failed = 1,
    /// It was called in a way that cannot work.
    Usage = 2,
    /// What was named is not there.
    NotFound = 3,
    /// Refused, or somebody else is at it.
    Refused = 4,
    /// The network.
    Network = 5,
}

const UNTOUCHED: &str = "Stored data was not touched.";
const NOT_STARTED: &str = "The relay was not started; stored data was not touched.";
const SAFE_ON_DISK: &str = "What was acknowledged to clients is on disk, and nothing was written over.";
const NOT_KNOWN: &str = "It is not known whether the command was carried out: an invitation that was issued and not shown ends by itself.";
const NOT_DONE: &str = "Nothing was changed.";
const SAFE_IN_WORKER: &str = "Stored data is not affected: the gateway holds none.";

/// The table.
#[must_use]
pub fn explain(error: &RelayError) -> Explanation {
    use Exit::{Failed, Network, NotFound, Refused, Usage};
    let (consequence, next_step, exit): (&'static str, &str, Exit) = match error {
        RelayError::NoDefaultDirectory => {
            (NOT_STARTED, "Say where the data is to be kept: --data DIR.", Usage)
        }
        RelayError::NoDataDirectory { .. } => (
            UNTOUCHED,
            "Check --data, or start the relay there first: nightdrop-relay run --data DIR.",
            NotFound,
        ),
        RelayError::DataDirectory { .. } => {
            (NOT_STARTED, "Check the path, who owns it, and the free space.", Failed)
        }
        RelayError::SocketPathTooLong { .. } => (NOT_STARTED, "Choose a shorter path for --data.", Usage),
        RelayError::AlreadyRunning { .. } => (
            "The running relay goes on undisturbed.",
            "Use the one that runs, end it first, or give this one another --data DIR.",
            Refused,
        ),
        RelayError::Socket { .. } => {
            (NOT_STARTED, "Check who owns the run directory, and the free space.", Failed)
        }
        RelayError::Start { .. } => (
            "What was stored before is safe.",
            "Check limits on processes and memory, then start the relay again.",
            Failed,
        ),
        RelayError::KeepsEnding { process: Process::Gateway, advice: Some(advice), .. } => {
            (SAFE_IN_WORKER, advice.as_str(), Failed)
        }
        RelayError::KeepsEnding { process: Process::Gateway, advice: None, .. } => {
            (SAFE_IN_WORKER, "Start it with -v and look at what the gateway says.", Failed)
        }
        RelayError::KeepsEnding { process: Process::Worker, .. } => (
            "What was acknowledged to clients is on disk. The relay does not serve.",
            "Look at what the worker said above; check the free space and the disk.",
            Failed,
        ),
        RelayError::WorkerCannotWork { exit: WorkerExit::OtherAddress } => (
            UNTOUCHED,
            "Restore the Tor identity that belongs to it (DIR/tor), use the network it was made on, or another --data DIR.",
            Failed,
        ),
        RelayError::WorkerCannotWork { exit: WorkerExit::StoreInUse } => {
            (UNTOUCHED, "End the other process, or use another --data DIR.", Refused)
        }
        RelayError::WorkerCannotWork { exit: WorkerExit::DiskFull }
        | RelayError::Store(OpenError::NoSpace { .. }) => {
            (SAFE_ON_DISK, "Make room on the disk of the data directory, then start the relay again.", Failed)
        }
        RelayError::WorkerCannotWork { exit: WorkerExit::DiskFailed }
        | RelayError::Store(OpenError::Disk { .. }) => (
            SAFE_ON_DISK,
            "Check the disk, its cables and its file system; copy DIR/store elsewhere before anything is repaired.",
            Failed,
        ),
        RelayError::WorkerCannotWork { .. } => (
            "What was acknowledged to clients was on disk. Nothing is repaired or deleted by itself.",
            "Look at what the worker said above; install the current version, or restore a backup.",
            Failed,
        ),
        RelayError::Store(OpenError::InUse) => (UNTOUCHED, "End the process that holds the store.", Refused),
        RelayError::Store(_) => {
            (UNTOUCHED, "Check the store directory, the free space and this program's version.", Failed)
        }
        RelayError::NoSuchInvitation { .. } => {
            (NOT_DONE, "`nightdrop-relay invite ls` shows the invitations that there are.", NotFound)
        }
        RelayError::InvitationSpent { .. } => (
            NOT_DONE,
            "It registers nobody any more. The account that it registered is not known; `nightdrop-relay account ls` shows all.",
            Refused,
        ),
        RelayError::NoSuchAccount { .. } => {
            (NOT_DONE, "`nightdrop-relay account ls` shows the accounts that there are.", NotFound)
        }
        RelayError::NotConfirmed => {
            (NOT_DONE, "Type `yes` when asked, or give -y where there is no terminal.", Refused)
        }
        RelayError::NoSupervisor => (UNTOUCHED, "Use nightdrop-relay run.", Usage),
        RelayError::System { .. } => {
            (NOT_STARTED, "Check limits on processes, memory and open files, then try again.", Failed)
        }
        RelayError::NetworkFile(_) => {
            (NOT_STARTED, "Correct the file, or leave --network out to use the public Tor network.", Usage)
        }
        RelayError::Tor(error) => (SAFE_IN_WORKER, error.advice(), tor_exit(error)),
        RelayError::ServiceEnded => (SAFE_IN_WORKER, "It is started again by itself.", Network),
        RelayError::AdminUnreachable => (
            NOT_KNOWN,
            "The relay may be starting or ending: look with `invite ls` or `account ls` in a few seconds.",
            Failed,
        ),
        RelayError::OperatorRefused(Refusal::Full) => {
            (NOT_DONE, "The relay's storage is full: make room, then try again.", Refused)
        }
        RelayError::OperatorRefused(_) => {
            (NOT_DONE, "Look at what the relay says with -v; check the free space and the disk.", Failed)
        }
        RelayError::AdminMalformed => {
            (NOT_KNOWN, "Command and running relay may differ in version: restart the relay.", Failed)
        }
        RelayError::Output(_) => ("Stored data was not touched.", "Keep standard output open.", Failed),
    };
    Explanation { message: with_causes(error), consequence, next_step: next_step.to_owned(), exit }
}

/// Says it on standard error.
pub(super) fn report(error: &RelayError) -> ExitCode {
    let Explanation { message, consequence, next_step, exit } = explain(error);
    let text = format!("nightdrop-relay: {message}\n{consequence}\n{next_step}\n");
    // Without a standard error there is still the exit code.
    let _closed = std::io::stderr().write_all(text.as_bytes());
    ExitCode::from(exit as u8)
}

fn tor_exit(error: &TorError) -> Exit {
    match error {
        TorError::NetworkDown { .. } | TorError::Obsolete => Exit::Network,
        TorError::StateInUse => Exit::Refused,
        TorError::NetworkFile(_) | TorError::Configuration(_) => Exit::Usage,
        _ => Exit::Failed,
    }
}

fn with_causes(error: &RelayError) -> String {
    let mut message = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        message = format!("{message}: {cause}");
        next = cause.source();
    }
    message
}

#[cfg(test)]
mod tests {
    use super::*;
    use nightdrop_wire::ids::{AccountId, InvitationId};
    use std::{io, path::PathBuf};

    #[test]
    fn an_error_says_what_happened_what_it_means_and_what_to_do() {
        let error = RelayError::DataDirectory {
            path: PathBuf::from("/data"),
            source: io::Error::from(io::ErrorKind::PermissionDenied),
        };
        let explanation = explain(&error);
        assert_eq!(explanation.message, "cannot use /data: permission denied");
        assert_eq!(explanation.consequence, NOT_STARTED);
        assert!(explanation.next_step.contains("who owns it"));
        assert_eq!(explanation.exit, Exit::Failed);
    }

    #[test]
    fn a_gateway_that_keeps_ending_passes_its_reason_and_advice_on() {
        let explanation = explain(&RelayError::KeepsEnding {
            process: Process::Gateway,
            reason: Some("the clock is wrong".to_owned()),
            advice: Some("Set the clock.".to_owned()),
        });
        assert_eq!(explanation.message, "the gateway keeps ending: the clock is wrong");
        assert_eq!(explanation.next_step, "Set the clock.");
    }

    #[test]
    fn scripts_can_tell_errors_apart() {
        for (error, code) in [
            (RelayError::AlreadyRunning { path: PathBuf::new() }, 4),
            (RelayError::NoDataDirectory { path: PathBuf::new() }, 3),
            (RelayError::NoDefaultDirectory, 2),
            (RelayError::AdminUnreachable, 1),
            (RelayError::NoSuchInvitation { id: InvitationId::from_bytes([1; 5]) }, 3),
            (RelayError::InvitationSpent { id: InvitationId::from_bytes([1; 5]) }, 4),
            (RelayError::NoSuchAccount { account: AccountId::from_bytes([1; 10]) }, 3),
            (RelayError::NotConfirmed, 4),
            (RelayError::OperatorRefused(Refusal::Full), 4),
            (RelayError::OperatorRefused(Refusal::Busy), 1),
            (RelayError::Tor(TorError::NetworkDown { blocked: None }), 5),
        ] {
            assert_eq!(explain(&error).exit as u8, code, "{error}");
        }
    }
}
