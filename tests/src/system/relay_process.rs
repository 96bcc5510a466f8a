//! A running `nightdrop-relay run`.

use super::{SystemError, io, network_file, program};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use std::{
    fs::File,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::mpsc::{Receiver, RecvTimeoutError, channel},
    time::{Duration, Instant},
};

/// How long an onion service may take to become reachable in a private network on a busy machine.
const REACHABLE_WITHIN: Duration = Duration::from_secs(180);
/// How long the relay may take to end; it promises 10 seconds.
const ENDS_WITHIN: Duration = Duration::from_secs(15);

/// A relay with its supervisor, gateway and worker. Dropped, it is ended.
#[derive(Debug)]
pub struct RelayProcess {
    child: Child,
    data: PathBuf,
    address: String,
    lines: Receiver<String>,
}

impl RelayProcess {
    /// Starts a relay on `data` and waits until it says that it is reachable.
    ///
    /// # Errors
    /// [`SystemError::Relay`] with its output if it ends or does not become reachable.
    pub fn start(data: &Path) -> Result<Self, SystemError> {
        Self::start_with(data, &[])
    }

    /// The same, with what its operator says besides.
    ///
    /// # Errors
    /// As [`RelayProcess::start`].
    pub fn start_with(data: &Path, options: &[&str]) -> Result<Self, SystemError> {
        std::fs::create_dir_all(data).map_err(io("make the relay's directory"))?;
        let log = data.with_extension("log");
        let stderr = File::create(&log).map_err(io("make the relay's log"))?;
        let mut child = Command::new(program("nightdrop-relay")?)
            .args(["run", "--json", "--data"])
            .arg(data)
            .arg("--network")
            .arg(network_file()?)
            .args(options)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(stderr)
            .spawn()
            .map_err(io("start nightdrop-relay"))?;
        let lines = lines_of(&mut child);
        let mut relay = Self { child, data: data.to_owned(), address: String::new(), lines };
        relay.address = relay.wait_for_event("reachable", REACHABLE_WITHIN)?;
        Ok(relay)
    }

    /// Waits for an event on standard output; gives its address.
    ///
    /// # Errors
    /// [`SystemError::Relay`] if the relay ends first, or it takes longer than `limit`.
    pub fn wait_for_event(&mut self, event: &str, limit: Duration) -> Result<String, SystemError> {
        let end = Instant::now() + limit;
        loop {
            match self.lines.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(line) => {
                    let value: serde_json::Value = serde_json::from_str(&line).unwrap_or_default();
                    if value.get("event").and_then(|event| event.as_str()) == Some(event) {
                        let address = value.get("address").and_then(|address| address.as_str());
                        return Ok(address.unwrap_or_default().to_owned());
                    }
                }
                Err(RecvTimeoutError::Timeout) => return Err(self.error(format!("did not say {event}"))),
                Err(RecvTimeoutError::Disconnected) => return Err(self.error("ended".to_owned())),
            }
        }
    }

    /// Its onion address.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Its data directory.
    #[must_use]
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// Process id of the supervisor.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// That it has not ended: to be asked where something is waited for that it would do.
    ///
    /// # Errors
    /// [`SystemError::Relay`] with its output if it has.
    pub fn expect_running(&self) -> Result<(), SystemError> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap_or_default();
        let runs = |line: &str| line.starts_with("State:") && !line.contains('Z');
        if status.lines().any(runs) { Ok(()) } else { Err(self.error("ended".to_owned())) }
    }

    /// Has the running relay issue an invitation.
    ///
    /// # Errors
    /// [`SystemError`] if the command fails or prints none.
    pub fn invite(&self) -> Result<String, SystemError> {
        invite(&self.data)
    }

    /// Ends it as an operator would, and gives how it ended.
    ///
    /// # Errors
    /// [`SystemError::Relay`] if it is still there after [`ENDS_WITHIN`].
    pub fn stop(mut self) -> Result<ExitStatus, SystemError> {
        self.signal(Signal::SIGTERM);
        let end = Instant::now() + ENDS_WITHIN;
        while Instant::now() < end {
            if let Some(status) = self.child.try_wait().map_err(io("wait for the relay"))? {
                return Ok(status);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Err(self.error("did not end in time".to_owned()))
    }

    /// Kills the supervisor as nothing can prevent, and starts another on the same data at once.
    ///
    /// # Errors
    /// As [`RelayProcess::start`].
    pub fn kill_and_restart(self) -> Result<Self, SystemError> {
        let data = self.data.clone();
        drop(self);
        Self::start(&data)
    }

    /// Kills the gateway as nothing can prevent.
    ///
    /// # Errors
    /// [`SystemError`] if there is none.
    pub fn kill_gateway(&self) -> Result<(), SystemError> {
        self.signal_gateway(Signal::SIGKILL)
    }

    /// Has the gateway end itself, without a word to its supervisor.
    ///
    /// # Errors
    /// [`SystemError`] if there is none.
    pub fn ask_gateway_to_leave(&self) -> Result<(), SystemError> {
        self.signal_gateway(Signal::SIGTERM)
    }

    fn signal_gateway(&self, signal: Signal) -> Result<(), SystemError> {
        let gateway = self.child("gateway")?;
        kill(Pid::from_raw(gateway), signal).map_err(|errno| io("send a signal to the gateway")(errno.into()))
    }

    /// Process id of the child that runs this hidden subcommand.
    ///
    /// # Errors
    /// [`SystemError`] if there is none at the moment.
    pub fn child(&self, subcommand: &str) -> Result<i32, SystemError> {
        let listed = std::fs::read_dir("/proc").map_err(io("list processes"))?;
        let mut ids = listed.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<i32>().ok());
        let parent = format!("PPid:\t{}", self.child.id());
        let is_it = |id: &i32| {
            let read = |file| std::fs::read_to_string(format!("/proc/{id}/{file}")).unwrap_or_default();
            read("cmdline").split('\0').nth(1) == Some(subcommand)
                && read("status").lines().any(|line| line == parent)
        };
        ids.find(is_it).ok_or_else(|| self.error(format!("has no {subcommand}")))
    }

    fn signal(&self, signal: Signal) {
        if let Ok(id) = i32::try_from(self.child.id()) {
            // It may be gone already, which is as good.
            let _ = kill(Pid::from_raw(id), signal);
        }
    }

    fn error(&self, what: String) -> SystemError {
        let output = std::fs::read_to_string(self.data.with_extension("log")).unwrap_or_default();
        SystemError::Relay { what, output }
    }
}

impl Drop for RelayProcess {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            // Gateway and worker end with the supervisor.
            self.signal(Signal::SIGKILL);
            let _ = self.child.wait();
        }
    }
}

/// Has a relay issue an invitation: the one that runs on `data`, or none.
///
/// # Errors
/// [`SystemError`] if the command fails or prints none.
pub fn invite(data: &Path) -> Result<String, SystemError> {
    let output = Command::new(program("nightdrop-relay")?)
        .arg("--data")
        .arg(data)
        .args(["invite", "new", "--json"])
        .stdin(Stdio::null())
        .output()
        .map_err(io("run nightdrop-relay invite new"))?;
    let command = "nightdrop-relay invite new --json".to_owned();
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    if !output.status.success() {
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        return Err(SystemError::Command { command, status: output.status, stderr });
    }
    let value: serde_json::Value = serde_json::from_str(&stdout).unwrap_or_default();
    let invite = value.get("invite").and_then(|invite| invite.as_str()).map(str::to_owned);
    invite.ok_or(SystemError::Output { command, stdout })
}

/// The lines of a child's standard output, as they come; the channel closes when the child does.
fn lines_of(child: &mut Child) -> Receiver<String> {
    let (sender, receiver) = channel();
    if let Some(stdout) = child.stdout.take() {
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
    }
    receiver
}
