//! Processes of others: short ones that make keys, and the network's daemons.
//!
//! All of them die with the *thread* that started them, even by SIGKILL (`setpriv --pdeathsig`, kept across exec), and
//! a [`Daemon`] that is dropped is killed. So start them from a thread that lives as long as the network.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::error::{Error, Result};
use super::interrupt::Interrupt;

/// How often a process is looked at.
pub(crate) const TICK: Duration = Duration::from_millis(20);
/// How much of a log is quoted in an error.
const TAIL_LINES: usize = 12;

/// `program` as a command that is killed when we die.
pub(crate) fn bound_to_us(setpriv: &Path, program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(setpriv);
    command.args(["--pdeathsig", "KILL", "--"]).arg(program);
    command
}

/// A process that ends by itself, soon, and prints less than a pipe holds.
#[derive(Debug)]
pub(crate) struct Step {
    /// What it is for, in words: "making the keys of auth0".
    pub(crate) name: String,
    /// The program and its arguments.
    pub(crate) command: Command,
    /// What it is given on standard input.
    pub(crate) input: &'static str,
}

/// Runs the steps side by side until all of them have succeeded, or one has not.
pub(crate) fn run_all(steps: Vec<Step>, limit: Duration, interrupt: &Interrupt) -> Result<()> {
    let started = Instant::now();
    let mut running = steps.into_iter().map(RunningStep::start).collect::<Result<Vec<_>>>()?;
    while !running.is_empty() {
        interrupt.pause(TICK)?;
        let mut unfinished = Vec::new();
        for mut step in running {
            match step.child.try_wait().map_err(Error::io("wait for", &step.name))? {
                None => unfinished.push(step),
                Some(status) if status.success() => {}
                Some(status) => return Err(step.failed(status.to_string())),
            }
        }
        running = unfinished;
        if limit < started.elapsed()
            && let Some(step) = running.pop()
        {
            return Err(step.failed(format!("not done after {} s", limit.as_secs())));
        }
    }
    Ok(())
}

struct RunningStep {
    name: String,
    child: Child,
}

impl RunningStep {
    fn start(mut step: Step) -> Result<Self> {
        let mut child = step
            .command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(Error::io("start", step.command.get_program()))?;
        if let Some(mut stdin) = child.stdin.take() {
            // A program that has ended already is told of by its status, not by its closed input.
            let _ = stdin.write_all(step.input.as_bytes());
        }
        Ok(Self { name: step.name, child })
    }

    fn failed(mut self, how: String) -> Error {
        // Without this, what a step left running might keep the pipe open.
        let _ = self.child.kill();
        let mut said = Vec::new();
        if let Some(stdout) = self.child.stdout.as_mut() {
            let _ = stdout.read_to_end(&mut said);
        }
        if let Some(stderr) = self.child.stderr.as_mut() {
            let _ = stderr.read_to_end(&mut said);
        }
        Error::StepFailed { step: self.name.clone(), how, said: tail(&String::from_utf8_lossy(&said)) }
    }
}

impl Drop for RunningStep {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A process that runs until it is ended, with everything that it prints in one log.
#[derive(Debug)]
pub(crate) struct Daemon {
    name: String,
    log: PathBuf,
    child: Child,
    ended: Option<ExitStatus>,
}

impl Daemon {
    /// Starts it, with its output in `log`.
    pub(crate) fn start(name: &str, mut command: Command, log: &Path) -> Result<Self> {
        let output = File::create(log).map_err(Error::io("write", log))?;
        let errors = output.try_clone().map_err(Error::io("write", log))?;
        let child = command
            .stdin(Stdio::null())
            .stdout(output)
            .stderr(errors)
            .spawn()
            .map_err(Error::io("start", command.get_program()))?;
        Ok(Self { name: name.to_owned(), log: log.to_owned(), child, ended: None })
    }

    /// What it was started as.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Everything that it has printed.
    pub(crate) fn read_log(&self) -> Result<String> {
        let bytes = fs::read(&self.log).map_err(Error::io("read", &self.log))?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// An error that names its log, if it has ended. Nothing before this call reaps it.
    pub(crate) fn check_running(&mut self) -> Result<()> {
        if self.ended.is_none() {
            self.ended = self.child.try_wait().map_err(Error::io("wait for", &self.name))?;
        }
        match self.ended {
            None => Ok(()),
            Some(status) => Err(Error::NodeEnded {
                node: self.name.clone(),
                status,
                log: self.log.clone(),
                tail: self.read_log().map(|log| tail(&log)).unwrap_or_default(),
            }),
        }
    }

    fn signal(&mut self, signal: Signal) {
        // Only a process that is not reaped is sure to still own its id.
        if self.check_running().is_ok()
            && let Ok(pid) = i32::try_from(self.child.id())
        {
            let _ = kill(Pid::from_raw(pid), signal);
        }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if self.ended.is_none() {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

/// Asks all of them to end, and kills those which have not within `limit`.
pub(crate) fn end_all(mut daemons: Vec<Daemon>, limit: Duration) {
    for daemon in &mut daemons {
        daemon.signal(Signal::SIGTERM);
    }
    let started = Instant::now();
    while started.elapsed() < limit && daemons.iter_mut().any(|daemon| daemon.check_running().is_ok()) {
        std::thread::sleep(TICK);
    }
}

/// The last lines of `text`.
fn tail(text: &str) -> String {
    let lines: Vec<_> = text.lines().collect();
    let skipped = lines.len().saturating_sub(TAIL_LINES);
    lines.into_iter().skip(skipped).collect::<Vec<_>>().join("\n")
}
