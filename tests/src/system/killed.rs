//! A command that is killed while it runs.

use super::{SystemError, User, io};
use std::{
    fs,
    process::{ExitStatus, Stdio},
    time::{Duration, Instant},
};

/// How often the command's traces are looked at.
const LOOK: Duration = Duration::from_millis(2);

/// A command that was killed, or was faster.
#[derive(Debug)]
pub struct Killed {
    /// How it ended: with a code if it was faster.
    pub status: ExitStatus,
    /// What it had printed.
    pub stdout: String,
    /// What it had said on standard error.
    pub stderr: String,
    /// How often it had written its device's memory.
    pub memory_writes: usize,
}

impl User {
    /// Runs a command and kills it as nothing can prevent when it has run for so long.
    ///
    /// # Errors
    /// [`SystemError`] if it cannot be started.
    pub fn run_and_kill(&self, arguments: &[&str], after: Duration) -> Result<Killed, SystemError> {
        self.run_and_kill_when(arguments, after, || false)
    }

    /// The same, or as soon as something is so: for moments that are too short to be hit by chance.
    ///
    /// # Errors
    /// As [`Self::run_and_kill`].
    pub fn run_and_kill_when(
        &self,
        arguments: &[&str],
        after: Duration,
        is_moment: impl Fn() -> bool,
    ) -> Result<Killed, SystemError> {
        let mut command = self.command(arguments)?;
        let memory = || fs::read(self.home().join("memory")).ok();
        let (mut seen, mut memory_writes) = (memory(), 0);
        let mut child =
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().map_err(io("run nightdrop"))?;
        let end = Instant::now() + after;
        let mut look = || {
            let there = memory();
            memory_writes += usize::from(there != seen);
            seen = there;
        };
        while child.try_wait().map_err(io("look at nightdrop"))?.is_none()
            && Instant::now() < end
            && !is_moment()
        {
            look();
            std::thread::sleep(LOOK.min(end.saturating_duration_since(Instant::now())));
        }
        child.kill().map_err(io("kill nightdrop"))?;
        // What it prints is short, so it never waits for a reader.
        let output = child.wait_with_output().map_err(io("wait for nightdrop"))?;
        look();
        Ok(Killed {
            status: output.status,
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
            memory_writes,
        })
    }
}
