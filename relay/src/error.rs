//! What can go wrong in the relay. What each means for the data and what to do is said in `cli::errors`, in one table.

use crate::{supervisor::Process, worker::WorkerExit};
use nightdrop_onion_config::{NetworkFileError, TorError};
use nightdrop_store::OpenError;
use nightdrop_wire::{
    ids::{AccountId, InvitationId},
    refusal::Refusal,
};
use std::{io, path::PathBuf};

/// An error of this program.
#[derive(Debug, thiserror::Error)]
pub enum RelayError {
    /// Neither `--data` nor a home directory is there.
    #[error("there is no default data directory, because neither HOME nor XDG_DATA_HOME is set")]
    NoDefaultDirectory,
    /// No relay has run in this directory.
    #[error("there is no relay in {}", path.display())]
    NoDataDirectory {
        /// The directory.
        path: PathBuf,
    },
    /// A part of the data directory cannot be made or used.
    #[error("cannot use {}", path.display())]
    DataDirectory {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The data directory's path is too long for the sockets inside it.
    #[error("the path {} is {excess} bytes too long for a socket", path.display())]
    SocketPathTooLong {
        /// The socket's path.
        path: PathBuf,
        /// By how much.
        excess: usize,
    },
    /// Another relay runs in this data directory.
    #[error("a relay is already running in {}", path.display())]
    AlreadyRunning {
        /// The directory.
        path: PathBuf,
    },
    /// A socket of the supervisor cannot be made.
    #[error("cannot make the socket {}", path.display())]
    Socket {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A child process cannot be started.
    #[error("cannot start the {process}")]
    Start {
        /// Which.
        process: Process,
        /// Why.
        source: io::Error,
    },
    /// A child process ends again and again.
    #[error("the {process} keeps ending{}", reason.as_ref().map_or_else(String::new, |reason| format!(": {reason}")))]
    KeepsEnding {
        /// Which.
        process: Process,
        /// What it said last.
        reason: Option<String>,
        /// What it advised.
        advice: Option<String>,
    },
    /// The worker says that it cannot work and that starting it again would not help.
    #[error("{}", worker_words(*exit))]
    WorkerCannotWork {
        /// What it said.
        exit: WorkerExit,
    },
    /// The store cannot be opened.
    #[error(transparent)]
    Store(#[from] OpenError),
    /// No invitation has this id.
    #[error("there is no invitation {id}")]
    NoSuchInvitation {
        /// The id.
        id: InvitationId,
    },
    /// The invitation has registered an account.
    #[error("the invitation {id} was spent")]
    InvitationSpent {
        /// Its id.
        id: InvitationId,
    },
    /// No account has this id.
    #[error("there is no account {account}")]
    NoSuchAccount {
        /// The id.
        account: AccountId,
    },
    /// What cannot be undone was not confirmed.
    #[error("not confirmed")]
    NotConfirmed,
    /// A process that only the supervisor may start was started by something else.
    #[error("this command is for the supervisor only")]
    NoSupervisor,
    /// Signals, threads or a runtime cannot be had from the system.
    #[error("the system refused {what}")]
    System {
        /// What was asked for.
        what: &'static str,
        /// Why.
        source: io::Error,
    },
    /// The network file is wrong.
    #[error(transparent)]
    NetworkFile(#[from] NetworkFileError),
    /// Tor cannot be used.
    #[error(transparent)]
    Tor(#[from] TorError),
    /// The onion service ended by itself.
    #[error("the onion service has ended")]
    ServiceEnded,
    /// The running relay's admin socket does not answer.
    #[error("the running relay does not answer")]
    AdminUnreachable,
    /// The relay, or the store itself, did not carry the command out.
    #[error("the command was not carried out: {0}")]
    OperatorRefused(Refusal),
    /// Its answer makes no sense.
    #[error("the running relay's answer cannot be understood")]
    AdminMalformed,
    /// Standard output is closed.
    #[error("cannot write to standard output")]
    Output(#[source] io::Error),
}

const fn worker_words(exit: WorkerExit) -> &'static str {
    match exit {
        WorkerExit::StoreInUse => "another process holds the store",
        WorkerExit::StoreUnusable => {
            "the store does not open: it is damaged, of a later version, or none of ours"
        }
        WorkerExit::DiskFull => "there is no space left on the store's disk",
        WorkerExit::DiskFailed => "the store's disk does not give or take what it is asked for",
        WorkerExit::OtherAddress => "the store belongs to a relay of another onion address",
        WorkerExit::StoreFailed => "the store failed",
        WorkerExit::NotSupervised => "the worker does not understand its supervisor",
        WorkerExit::Done | WorkerExit::Failed => "the worker ended",
    }
}
