//! What a process of the client is for the other processes of the machine.
#![allow(clippy::unwrap_used, missing_docs)]

use nightdrop_tests::system::program;
use nix::{
    fcntl::{FcntlArg, OFlag, fcntl},
    sys::signal::{Signal, kill},
    unistd::{Pid, geteuid},
};
use std::{
    fs,
    io::{Read, Write},
    os::{
        fd::OwnedFd,
        unix::{
            fs::{MetadataExt, chown},
            net::UnixStream,
            process::CommandExt,
        },
    },
    path::PathBuf,
    process::{Child, Command, ExitStatus, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

const PATIENCE: Duration = Duration::from_secs(60);
/// Longer than a process needs to where it waits, or to its end.
const SETTLED: Duration = Duration::from_millis(500);
const NOBODY: u32 = 65_534;

/// A process that ends with the test.
struct Process(Child);

impl Process {
    fn start(command: &mut Command) -> Self {
        Self(command.spawn().unwrap())
    }

    fn proc(&self, file: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/{file}", self.0.id()))
    }

    fn until(&mut self, what: &str, is_so: impl Fn(&Self) -> bool) {
        let end = Instant::now() + PATIENCE;
        while !is_so(self) {
            assert!(self.0.try_wait().unwrap().is_none(), "it ended before {what}");
            assert!(Instant::now() < end, "never {what}");
            sleep(Duration::from_millis(10));
        }
    }

    fn ends(&mut self) -> ExitStatus {
        let end = Instant::now() + PATIENCE;
        loop {
            match self.0.try_wait().unwrap() {
                Some(status) => return status,
                None => assert!(Instant::now() < end, "it does not end"),
            }
            sleep(Duration::from_millis(10));
        }
    }

    /// Whether it does not leave this signal to its default.
    fn catches(&self, signal: Signal) -> bool {
        let status = fs::read_to_string(self.proc("status")).unwrap_or_default();
        let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
        let caught = caught.and_then(|hex| u64::from_str_radix(hex.trim(), 16).ok()).unwrap_or(0);
        caught >> (signal as u64 - 1) & 1 == 1
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A pipe of the shell that `unlock` was typed in: whoever reads there would wait for its end until the account is locked.
#[test]
fn the_agent_holds_nothing_open_that_its_starter_held() {
    let directory = tempfile::tempdir().unwrap();
    let (mut reader, writer) = std::io::pipe().unwrap();
    let (starter, socket) = UnixStream::pair().unwrap();
    let mut command = Command::new("sh");
    command.args(["-c", r#"exec 9>&1 >/dev/null; echo held >&9; exec "$@""#, "sh"]);
    command.arg(program("nightdrop").unwrap()).arg("--home").arg(directory.path().join("home")).arg("agent");
    command.stdin(OwnedFd::from(socket)).stdout(writer).stderr(Stdio::null());
    let mut agent = Process::start(&mut command);
    // The command holds the ends that it gave away.
    drop(command);
    let mut said = String::new();
    reader.read_to_string(&mut said).unwrap();
    assert_eq!(said, "held\n");
    // A process that ends closes its pipes first.
    sleep(SETTLED);
    assert!(agent.0.try_wait().unwrap().is_none(), "it waits for the password, and the pipe has ended");
    drop(starter);
    assert_eq!(agent.ends().code(), Some(2), "without a password there is no agent");
}

/// Every command, and not the agent only: each of them holds passwords, phrases and keys.
#[test]
fn a_command_leaves_no_core_and_cannot_be_traced() {
    let directory = tempfile::tempdir().unwrap();
    let mut command = Command::new(program("nightdrop").unwrap());
    command.arg("--home").arg(directory.path().join("home")).args(["login", "-"]);
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    // To whom a process belongs that can be traced shows in `/proc`, but not to root, who can trace all of them.
    let shows = !geteuid().is_root() || there_are_others();
    if geteuid().is_root() && shows {
        chown(directory.path(), Some(NOBODY), Some(NOBODY)).unwrap();
        command.uid(NOBODY).gid(NOBODY);
    }
    let mut waiting = Process::start(&mut command);
    waiting.until("it left no core", |process| {
        let limits = fs::read_to_string(process.proc("limits")).unwrap_or_default();
        let core = limits.lines().find_map(|line| line.strip_prefix("Max core file size"));
        core.is_some_and(|core| core.split_whitespace().eq(["0", "0", "bytes"]))
    });
    if shows {
        waiting.until("it could not be traced", |process| {
            fs::metadata(process.proc("status")).is_ok_and(|file| file.uid() == 0)
        });
    }
    // Where it waits it does what it is for.
    waiting.0.stdin.take().unwrap().write_all(b"no code").unwrap();
    assert_eq!(waiting.ends().code(), Some(2));
}

/// Whether this is no user namespace of a single user.
fn there_are_others() -> bool {
    let map = fs::read_to_string("/proc/self/uid_map").unwrap();
    let users = map.lines().filter_map(|line| line.split_whitespace().last()?.parse::<u64>().ok());
    users.sum::<u64>() > u64::from(NOBODY)
}

/// `nightdrop ls 2>&1 | less`, and nobody goes on in `less`.
#[test]
fn ctrl_c_ends_a_command_whose_output_nobody_reads() {
    let directory = tempfile::tempdir().unwrap();
    let (mut reader, mut writer) = std::io::pipe().unwrap();
    fcntl(&writer, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).unwrap();
    while writer.write(&[0; 4096]).is_ok() {}
    fcntl(&writer, FcntlArg::F_SETFL(OFlag::empty())).unwrap();
    let mut command = Command::new(program("nightdrop").unwrap());
    command
        .arg("--home")
        .arg(directory.path().join("home"))
        .arg("status")
        .stdout(writer.try_clone().unwrap())
        .stderr(writer);
    let mut stuck = Process::start(&mut command);
    drop(command);
    stuck.until("it listened for Ctrl-C", |process| process.catches(Signal::SIGINT));
    sleep(SETTLED);
    assert!(stuck.0.try_wait().unwrap().is_none(), "it waits for a reader");
    kill(Pid::from_raw(i32::try_from(stuck.0.id()).unwrap()), Signal::SIGINT).unwrap();
    assert_eq!(stuck.ends().code(), Some(1));
    let mut unread = Vec::new();
    reader.read_to_end(&mut unread).unwrap();
    assert!(unread.iter().all(|byte| *byte == 0), "it never wrote");
}
