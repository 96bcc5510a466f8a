//! What can go wrong with a private network, in words for the person at the terminal.
//!
//! Every text says what went wrong and, where there is something to do, what to do. Nothing here ends in a skipped
//! test: without `tor` there is no network, and that is an error.

use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::Duration;

/// The result of whatever builds, starts or ends a private network.
pub type Result<T> = std::result::Result<T, Error>;

/// Why there is no private network, or why the command did not run in it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A program that the network is made with is not installed.
    #[error("`{program}` was not found on PATH. Install it with: apt-get install {package}")]
    MissingProgram {
        /// What was looked for.
        program: &'static str,
        /// The Debian package that has it.
        package: &'static str,
    },
    /// `tor` is older than what the network's settings need.
    #[error(
        "`tor` is version {found}, but a private network needs at least {minimum} (tested with {tested}). \
         Install a newer one with: apt-get update && apt-get install tor"
    )]
    OldTor {
        /// What `tor --version` said.
        found: String,
        /// The oldest version accepted.
        minimum: &'static str,
        /// The version that the settings were measured with.
        tested: &'static str,
    },
    /// `tor --version` gave something else than a version.
    #[error(
        "`tor --version` did not tell a version, but: {said}. Install Debian's with: apt-get install tor"
    )]
    UnknownTor {
        /// What it gave instead.
        said: String,
    },
    /// The kernel, or what confines this process, does not let it have namespaces of its own.
    #[error(
        "namespaces are refused here ({said}). Run as root, allow user namespaces (sysctl kernel.unprivileged_userns_clone=1, \
         kernel.apparmor_restrict_unprivileged_userns=0), or use --no-namespace: the command then sees this \
         machine's real interfaces, and what it leaves running may outlive it"
    )]
    NamespacesRefused {
        /// What `unshare` said.
        said: String,
    },
    /// The directory holds something that no `tornet` put there.
    #[error("{} is not empty and was not made by tornet: name a new or an empty directory", dir.display())]
    ForeignDirectory {
        /// The directory.
        dir: PathBuf,
    },
    /// Another network lives in the directory.
    #[error("another tornet runs in {}: end it first, or name another directory", dir.display())]
    DirectoryInUse {
        /// The directory.
        dir: PathBuf,
    },
    /// Every block of loopback addresses has a listener already.
    #[error(
        "no free block of loopback addresses for the network: end the other private networks of this machine"
    )]
    NoAddresses,
    /// A path that cannot stand in a `torrc` or in TOML.
    #[error("the path {} is not UTF-8: name another directory", path.display())]
    PathNotText {
        /// The path.
        path: PathBuf,
    },
    /// A file, a directory or a process could not be worked with.
    #[error("could not {doing} {}: {source}", what.display())]
    Io {
        /// A verb: read, write, start.
        doing: &'static str,
        /// What it was done to.
        what: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A helper program ended with something else than success, or took too long.
    #[error("{step} failed ({how}): {said}")]
    StepFailed {
        /// What it was for.
        step: String,
        /// Its exit status, or how long it was waited for.
        how: String,
        /// The end of what it printed.
        said: String,
    },
    /// A helper program succeeded, but did not leave what it should have.
    #[error("{} has no {what}", file.display())]
    Malformed {
        /// The file.
        file: PathBuf,
        /// What was looked for in it.
        what: &'static str,
    },
    /// A `tor` of the network ended by itself.
    #[error("{node} ended by itself ({status}). Its log is {}; it ends with:\n{tail}", log.display())]
    NodeEnded {
        /// The node's name.
        node: String,
        /// How it ended.
        status: ExitStatus,
        /// Where it logged.
        log: PathBuf,
        /// The log's last lines.
        tail: String,
    },
    /// The network did not get ready in time.
    #[error("the network was not ready after {} s: {reason}. The logs are {}", waited.as_secs(), logs.display())]
    NotReady {
        /// How long it was waited for.
        waited: Duration,
        /// The condition that did not come true.
        reason: String,
        /// A pattern that names every log.
        logs: PathBuf,
    },
    /// The command could not be started.
    #[error("could not start the command `{command}`: {source}")]
    Command {
        /// Its first word.
        command: String,
        /// What the system said.
        source: io::Error,
    },
    /// A signal, or the end of the process that started this one.
    #[error("ended by signal {signal}")]
    Interrupted {
        /// Its number.
        signal: u8,
    },
}

impl Error {
    /// For `map_err`: an [`Error::Io`] about `what`.
    pub fn io(doing: &'static str, what: impl AsRef<Path>) -> impl FnOnce(io::Error) -> Self {
        let what = what.as_ref().to_owned();
        move |source| Self::Io { doing, what, source }
    }

    /// The exit code for a script: 125 for tornet's own failures, so that they do not look like the command's;
    /// 126 and 127 for a command that cannot be started, as in a shell; 128 + n for a signal.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Command { source, .. } if source.kind() == io::ErrorKind::NotFound => 127,
            Self::Command { .. } => 126,
            Self::Interrupted { signal } => signal.saturating_add(128),
            _ => 125,
        }
    }
}
