//! What can ask a network to end while something is being waited for.
//!
//! Until it is asked to end, nothing in the main thread sleeps in any other way than through [`Interrupt`], so a signal
//! ends every wait at once. Three things interrupt: a signal to this process, the end of the process that started it, and the end of
//! its *lifeline*: a named pipe that the outer `tornet` holds open for writing. Through a PID namespace neither
//! signals nor `getppid` reach; the lifeline does, and it also closes when the outer one is killed with SIGKILL.

use std::fs::{self, File};
use std::io::{ErrorKind, Read};
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

use nix::fcntl::OFlag;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::unistd::{Pid, getppid};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use super::error::{Error, Result};

/// How often the parent process is looked at.
const PARENT_INTERVAL: Duration = Duration::from_millis(200);

/// A place to wait that ends early when this process shall end.
#[derive(Debug)]
pub struct Interrupt {
    requests: Receiver<u8>,
    /// Kept so that the channel never looks closed.
    sender: Sender<u8>,
    parent: Option<Pid>,
}

impl Interrupt {
    /// Waits that nothing interrupts: for a network inside a test's own process.
    pub fn never() -> Self {
        let (sender, requests) = mpsc::channel();
        Self { requests, sender, parent: None }
    }

    /// Waits that SIGTERM, SIGINT and SIGHUP interrupt. To be called once in a process.
    pub fn signals() -> Result<Self> {
        let this = Self::never();
        let sender = this.sender.clone();
        let mut signals =
            Signals::new([SIGTERM, SIGINT, SIGHUP]).map_err(Error::io("listen to", "signals"))?;
        thread::spawn(move || {
            for signal in signals.forever() {
                // A closed channel means that nobody waits any more.
                let _ = sender.send(u8::try_from(signal).unwrap_or_default());
            }
        });
        Ok(this)
    }

    /// Waits that also the end of the parent process interrupts, as SIGTERM would.
    #[must_use]
    pub fn and_parent(mut self) -> Self {
        self.parent = Some(getppid());
        self
    }

    /// Waits that also the lifeline at `path` interrupts: each byte in it is a signal's number. When it closes, this
    /// process exits at once: whoever could have asked for the network is gone. The name is removed.
    pub fn and_lifeline(self, path: &Path) -> Result<Self> {
        let lifeline = File::options()
            .read(true)
            .custom_flags(OFlag::O_NONBLOCK.bits())
            .open(path)
            .map_err(Error::io("open", path))?;
        fs::remove_file(path).map_err(Error::io("remove", path))?;
        let sender = self.sender.clone();
        thread::spawn(move || {
            follow(lifeline, &sender);
            process::exit(137);
        });
        Ok(self)
    }

    /// Waits for `time`, or less: then it returns the signal to end by.
    pub fn wait(&self, time: Duration) -> Option<u8> {
        let end = Instant::now() + time;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            match self.requests.recv_timeout(left.min(PARENT_INTERVAL)) {
                Ok(signal) => return Some(signal),
                Err(RecvTimeoutError::Disconnected) => thread::sleep(left),
                Err(RecvTimeoutError::Timeout) => {}
            }
            if self.parent.is_some_and(|parent| parent != getppid()) {
                return u8::try_from(SIGTERM).ok();
            }
            if end <= Instant::now() {
                return None;
            }
        }
    }

    /// Waits for `time`; being interrupted is an error.
    pub fn pause(&self, time: Duration) -> Result<()> {
        match self.wait(time) {
            Some(signal) => Err(Error::Interrupted { signal }),
            None => Ok(()),
        }
    }
}

/// Hands on every byte of the lifeline, until it closes.
fn follow(mut lifeline: File, sender: &Sender<u8>) {
    let mut byte = [0];
    loop {
        match lifeline.read(&mut byte) {
            Ok(0) => return,
            Ok(_) => {
                let [signal] = byte;
                let _ = sender.send(signal);
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                let mut waited = [PollFd::new(lifeline.as_fd(), PollFlags::POLLIN)];
                let _ = poll(&mut waited, PollTimeout::NONE);
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) => return,
        }
    }
}
