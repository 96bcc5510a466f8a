//! One child process: this same program, started by exec, with nothing inherited but what it is given.

use super::{
    happening::{Happenings, read_events},
    sockets::{LISTEN_FDS, Listeners},
};
use crate::error::RelayError;
use command_fds::CommandFdExt;
use nix::{
    fcntl::{FcntlArg, OFlag, fcntl},
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde::Serialize;
use std::{
    ffi::OsString,
    io::{self, Write},
    os::unix::process::CommandExt,
    process::{Child, ChildStdin, Command, ExitStatus, Stdio},
};

/// Which child.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Process {
    /// Holds the data.
    Worker,
    /// Speaks Tor.
    Gateway,
}

impl std::fmt::Display for Process {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.subcommand())
    }
}

impl Process {
    /// The hidden subcommand that becomes it.
    const fn subcommand(self) -> &'static str {
        match self {
            Self::Worker => "worker",
            Self::Gateway => "gateway",
        }
    }
}

/// A child that was started. Dropping it kills it.
#[derive(Debug)]
pub(crate) struct Running {
    process: Process,
    child: Child,
    /// The worker's control lines; its end tells the worker that the supervisor is gone.
    control: Option<ChildStdin>,
}

impl Running {
    /// Starts the worker, which inherits the listeners.
    pub(crate) fn worker(arguments: &[OsString], listeners: &Listeners) -> Result<Self, RelayError> {
        let failed = |source| RelayError::Start { process: Process::Worker, source };
        let mut command = command(Process::Worker, arguments);
        command
            .env(LISTEN_FDS, Listeners::COUNT.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .fd_mappings(listeners.for_worker().map_err(failed)?)
            .map_err(|collision| failed(io::Error::other(collision)))?;
        let mut child = command.spawn().map_err(failed)?;
        let control = child.stdin.take();
        if let Some(control) = &control {
            // A worker that does not read must not hold its supervisor up.
            let nonblocking = FcntlArg::F_SETFL(OFlag::O_NONBLOCK);
            fcntl(control, nonblocking).map_err(|errno| failed(errno.into()))?;
        }
        Ok(Self { process: Process::Worker, child, control })
    }

    /// Starts the gateway, whose events become happenings.
    pub(crate) fn gateway(arguments: &[OsString], happenings: &Happenings) -> Result<Self, RelayError> {
        let failed = |source| RelayError::Start { process: Process::Gateway, source };
        let mut command = command(Process::Gateway, arguments);
        if let Some(value) = std::env::var_os(NO_PERMISSION_CHECKS) {
            command.env(NO_PERMISSION_CHECKS, value);
        }
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().map_err(failed)?;
        if let Some(output) = child.stdout.take() {
            read_events(output, happenings).map_err(failed)?;
        }
        Ok(Self { process: Process::Gateway, child, control: None })
    }

    /// How it ended, if it has.
    pub(crate) fn ended(&mut self) -> Result<Option<ExitStatus>, RelayError> {
        self.child.try_wait().map_err(|source| RelayError::System { what: "news of a child process", source })
    }

    /// Writes a control line, without ever waiting. If the worker is gone, its successor gets the line.
    pub(crate) fn tell(&mut self, line: &str) {
        if let Some(control) = &mut self.control {
            let _gone = control.write_all(line.as_bytes());
        }
    }

    /// Asks it to end.
    pub(crate) fn terminate(&self) {
        // The child has not been waited for, so its number cannot belong to anybody else.
        if let Ok(pid) = i32::try_from(self.child.id()) {
            let _ended_meanwhile = kill(Pid::from_raw(pid), Signal::SIGTERM);
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            tracing::warn!("the {} did not end by itself and is killed", self.process);
        }
        let _ended_already = self.child.kill();
        let _status = self.child.wait();
    }
}

/// Has Arti accept directories whose parents belong to others, as in a user namespace. The one variable of the
/// surroundings that a child gets.
const NO_PERMISSION_CHECKS: &str = "FS_MISTRUST_DISABLE_PERMISSIONS_CHECKS";

/// This program's own file, even if an upgrade has replaced or removed its path meanwhile; with no variable at all. All that
/// a child has to know it is told by arguments.
fn command(process: Process, arguments: &[OsString]) -> Command {
    let mut command = Command::new("/proc/self/exe");
    command
        .arg0("nightdrop-relay")
        .arg(process.subcommand())
        .arg("--supervisor")
        .arg(std::process::id().to_string())
        .args(arguments)
        .env_clear();
    command
}
