//! `nightdrop-relay run` as a child process, its output, and the processes that it starts.

use super::network_file;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::Value;
use std::{
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::mpsc::{Receiver, RecvTimeoutError, channel},
    time::{Duration, Instant},
};

/// Far longer than anything takes: a slow machine must not fail a test.
pub(crate) const PATIENCE: Duration = Duration::from_secs(90);

const PROGRAM: &str = env!("CARGO_BIN_EXE_nightdrop-relay");

/// A running relay. Dropping it kills its supervisor, and with it everything.
pub(crate) struct Relay {
    supervisor: Child,
    lines: Receiver<String>,
    data: PathBuf,
}

impl Relay {
    /// Starts one with `--json`.
    pub(crate) fn start(data: &Path) -> Self {
        Self::start_with(data, &["--json"])
    }

    /// Starts one with these options.
    pub(crate) fn start_with(data: &Path, options: &[&str]) -> Self {
        Self::start_command(data, Self::run(data, options).stdout(Stdio::piped()))
    }

    /// The command that starts one.
    pub(crate) fn run(data: &Path, options: &[&str]) -> Command {
        let mut command = Command::new(PROGRAM);
        command.arg("run").args(options).arg("--data").arg(data).arg("--network").arg(network_file());
        command.stdin(Stdio::null());
        command
    }

    /// Starts what [`Relay::run`] gave, as the test has changed it; its lines are heard if its output is piped.
    pub(crate) fn start_command(data: &Path, command: &mut Command) -> Self {
        let mut supervisor = command.spawn().unwrap();
        let (sender, lines) = channel();
        if let Some(output) = supervisor.stdout.take() {
            std::thread::spawn(move || {
                for line in BufReader::new(output).lines().map_while(Result::ok) {
                    if sender.send(line).is_err() {
                        break;
                    }
                }
            });
        }
        Self { supervisor, lines, data: data.to_owned() }
    }

    /// Waits for an event of this kind and passes over others.
    pub(crate) fn event(&mut self, kind: &str) -> Value {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let line =
                self.line(deadline).unwrap_or_else(|| panic!("no event `{kind}` before the relay ended"));
            let event: Value = serde_json::from_str(&line).unwrap();
            if event["event"] == kind {
                return event;
            }
        }
    }

    /// Waits until it is reachable; its address.
    pub(crate) fn reachable(&mut self) -> String {
        self.event("reachable")["address"].as_str().unwrap().to_owned()
    }

    /// The next line of output; `None` when there are no more.
    pub(crate) fn line(&mut self, deadline: Instant) -> Option<String> {
        match self.lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(line) => Some(line),
            Err(RecvTimeoutError::Disconnected) => None,
            Err(RecvTimeoutError::Timeout) => panic!("nothing was printed for {PATIENCE:?}"),
        }
    }

    /// The supervisor's process.
    pub(crate) fn supervisor(&self) -> Pid {
        Pid::from_raw(self.supervisor.id().try_into().unwrap())
    }

    /// The child that runs this hidden subcommand.
    pub(crate) fn child(&self, subcommand: &str) -> Pid {
        let until = Instant::now() + PATIENCE;
        loop {
            let found = children_of(self.supervisor())
                .into_iter()
                .find(|child| command_line(*child).get(1).is_some_and(|word| word == subcommand));
            match found {
                Some(child) => return child,
                None => assert!(Instant::now() < until, "there is no {subcommand}"),
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// All of its processes.
    pub(crate) fn processes(&self) -> Vec<Pid> {
        vec![self.supervisor(), self.child("worker"), self.child("gateway")]
    }

    /// Sends a signal to the supervisor.
    pub(crate) fn signal(&self, signal: Signal) {
        kill(self.supervisor(), signal).unwrap();
    }

    /// Waits for its end.
    pub(crate) fn ended(&mut self) -> ExitStatus {
        let until = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.supervisor.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < until, "the relay does not end");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Runs another command on the same data directory; its standard output.
    pub(crate) fn command(&self, arguments: &[&str]) -> String {
        command_on(&self.data, arguments)
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        let _ended_already = self.supervisor.kill();
        let _status = self.supervisor.wait();
    }
}

/// Runs a command on a data directory; its standard output.
pub(crate) fn command_on(data: &Path, arguments: &[&str]) -> String {
    let output = Command::new(PROGRAM).arg("--data").arg(data).args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Waits until none of these processes is left.
pub(crate) fn wait_until_gone(processes: &[Pid]) {
    let until = Instant::now() + PATIENCE;
    while let Some(left) = processes.iter().find(|pid| is_alive(**pid)) {
        assert!(Instant::now() < until, "still there: {:?}", command_line(*left));
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Whether a process runs; one that is dead and not yet collected does not.
pub(crate) fn is_alive(pid: Pid) -> bool {
    stat(pid).is_some_and(|(state, _)| state != "Z")
}

fn children_of(parent: Pid) -> Vec<Pid> {
    std::fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok().map(Pid::from_raw))
        .filter(|pid| stat(*pid).is_some_and(|(state, of)| of == parent && state != "Z"))
        .collect()
}

fn command_line(pid: Pid) -> Vec<String> {
    let bytes = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    bytes.split(|byte| *byte == 0).map(|word| String::from_utf8_lossy(word).into_owned()).collect()
}

/// State and parent. The name before them is in parentheses and may hold anything.
fn stat(pid: Pid) -> Option<(String, Pid)> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut fields = stat.rsplit_once(") ")?.1.split(' ');
    Some((fields.next()?.to_owned(), Pid::from_raw(fields.next()?.parse().ok()?)))
}
