//! The command that runs in the network, and the two processes around it.
//!
//! [`in_namespaces`] is the outer `tornet`: it only hands signals inwards and the exit status outwards.
//! [`run_command`] is the inner one, or the only one with `--no-namespace`: it runs the command, reaps what the
//! command leaves behind, and asks it to end when asked itself; then it does not wait for long.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::Write;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus};
use std::time::{Duration, Instant};

use nix::sys::prctl::set_child_subreaper;
use nix::sys::signal::{Signal, kill};
use nix::sys::stat::Mode;
use nix::sys::wait::{Id, WaitPidFlag, waitid, waitpid};
use nix::unistd::{Pid, mkfifo};

use super::error::{Error, Result};
use super::interrupt::Interrupt;
use super::process::{TICK, bound_to_us};
use super::programs::find;
use super::{Network, namespace::Namespaces};

/// Where a command finds the network's description.
pub const NETWORK_VARIABLE: &str = "NIGHTDROP_TEST_NETWORK";
/// How long an asked command may take to end. With the nodes' own time this stays below five seconds.
const COMMAND_LIMIT: Duration = Duration::from_secs(2);
/// How long the inner process may take altogether.
const INNER_LIMIT: Duration = Duration::from_millis(4500);

/// Runs this program once more, in namespaces of its own, and returns its exit code. `lifeline` gets a name that
/// nothing has; `arguments` tell the inner process of it.
pub fn in_namespaces(
    namespaces: &Namespaces,
    lifeline: &Path,
    arguments: &[OsString],
    interrupt: &Interrupt,
) -> Result<u8> {
    mkfifo(lifeline, Mode::S_IRUSR | Mode::S_IWUSR)
        .map_err(|errno| Error::io("create", lifeline)(errno.into()))?;
    // Open for reading, too: so it opens without waiting for the other end, and writing to it never fails.
    let mut inner_end =
        File::options().read(true).write(true).open(lifeline).map_err(Error::io("open", lifeline))?;
    let own = std::env::current_exe().map_err(Error::io("find", "this program"))?;
    let mut command = namespaces.command(own);
    let child = command.args(arguments).spawn().map_err(Error::io("start", command.get_program()))?;
    let status = wait_for(
        child,
        INNER_LIMIT,
        interrupt,
        |_, signal| {
            let _ = inner_end.write_all(&[signal]);
        },
        || {},
    );
    // The inner process has removed it, unless it never came that far.
    let _ = fs::remove_file(lifeline);
    Ok(exit_code(status?))
}

/// Runs the command beside the network and returns its exit code.
pub fn run_command(
    command: &[OsString],
    network: &mut Network,
    inside: bool,
    interrupt: &Interrupt,
    say: &dyn Fn(&str),
) -> Result<u8> {
    let Some((program, arguments)) = command.split_first() else { return Ok(0) };
    let mut process = if inside {
        Command::new(program)
    } else {
        // No namespace ends what it starts: it gets us as its reaper, and dies with us.
        set_child_subreaper(true).map_err(|errno| Error::io("adopt", "orphans")(errno.into()))?;
        bound_to_us(&find("setpriv", "util-linux")?, program)
    };
    let child = process
        .args(arguments)
        .env(NETWORK_VARIABLE, network.file())
        .spawn()
        .map_err(|source| Error::Command { command: program.to_string_lossy().into_owned(), source })?;
    let id = child.id();
    let status = wait_for(
        child,
        COMMAND_LIMIT,
        interrupt,
        |child, signal| send(child.id(), signal),
        || {
            for ended in network.take_ended() {
                say(&ended.to_string());
            }
            let mut ours = network.pids();
            ours.push(id);
            reap_others(&ours);
        },
    )?;
    Ok(exit_code(status))
}

/// Kills whatever descendants are left, when no namespace does it. To be called last: it reaps every child.
pub fn kill_orphans() {
    // Each round kills a generation; orphans of the killed become our children in the next.
    while let Ok(status) = waitid(Id::All, WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT)
    {
        match status.pid() {
            Some(ended) => {
                let _ = waitpid(ended, None);
            }
            None => {
                for child in children() {
                    let _ = kill(child, Signal::SIGKILL);
                }
                std::thread::sleep(TICK);
            }
        }
    }
}

/// Waits for the child. When interrupted, it is asked to end, once; past the limit it is killed.
fn wait_for(
    mut child: Child,
    limit: Duration,
    interrupt: &Interrupt,
    mut ask: impl FnMut(&Child, u8),
    mut meanwhile: impl FnMut(),
) -> Result<ExitStatus> {
    let mut asked: Option<Instant> = None;
    loop {
        if let Some(status) = child.try_wait().map_err(Error::io("wait for", "the command"))? {
            return Ok(status);
        }
        meanwhile();
        match (interrupt.wait(TICK), asked) {
            (Some(signal), None) => {
                ask(&child, signal);
                asked = Some(Instant::now());
            }
            (_, Some(since)) if limit < since.elapsed() => {
                child.kill().map_err(Error::io("kill", "the command"))?;
            }
            _ => {}
        }
    }
}

fn send(pid: u32, signal: u8) {
    if let (Ok(pid), Ok(signal)) = (i32::try_from(pid), Signal::try_from(i32::from(signal))) {
        let _ = kill(Pid::from_raw(pid), signal);
    }
}

/// Reaps the ended processes that nobody else here waits for: as a namespace's first process we inherit all orphans,
/// and one that is not reaped looks alive to whoever waits for its end.
fn reap_others(ours: &[u32]) {
    let peek = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
    while let Ok(status) = waitid(Id::All, peek) {
        match status.pid() {
            Some(pid) if !ours.iter().any(|our| i32::try_from(*our) == Ok(pid.as_raw())) => {
                let _ = waitpid(pid, None);
            }
            _ => return,
        }
    }
}

fn children() -> Vec<Pid> {
    let Ok(processes) = fs::read_dir("/proc") else { return Vec::new() };
    let own = Pid::this();
    processes
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .map(Pid::from_raw)
        .filter(|pid| parent(*pid) == Some(own))
        .collect()
}

/// The fourth word of `/proc/PID/stat`; the second one, in parentheses, may hold anything.
fn parent(pid: Pid) -> Option<Pid> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, after_name) = stat.rsplit_once(") ")?;
    after_name.split(' ').nth(1)?.parse().ok().map(Pid::from_raw)
}

/// The exit status as a shell tells it: death by a signal is 128 and its number.
fn exit_code(status: ExitStatus) -> u8 {
    let code = status.code().or_else(|| status.signal().map(|signal| signal.saturating_add(128)));
    code.and_then(|code| u8::try_from(code).ok()).unwrap_or(u8::MAX)
}
