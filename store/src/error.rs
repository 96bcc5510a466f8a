//! What can go wrong: at opening ([`OpenError`]) and afterwards ([`StoreError`]).

use std::{io, path::PathBuf, sync::Arc};

/// Why the store could not be opened. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process holds the store.
    #[error("the store is in use by another process: stop that relay first, or use its admin commands")]
    InUse,
    /// A later release wrote the store.
    #[error(
        "the store has schema version {found}, and this program knows versions up to {known}: \
         use the release that wrote it, or a later one"
    )]
    NewerSchema {
        /// Version of the file.
        found: u32,
        /// Highest version that this program reads.
        known: u32,
    },
    /// A database, but not one of ours.
    #[error("{path} is a database of another program or lost its version: restore it from a backup")]
    NotAStore {
        /// The file.
        path: PathBuf,
    },
    /// Directory or file could not be made or read.
    #[error("cannot prepare {path}")]
    Files {
        /// What was to be prepared.
        path: PathBuf,
        /// Why it failed.
        #[source]
        source: io::Error,
    },
    /// The disk is full.
    #[error(
        "there is no space left for {path}: make room on its disk, then start again; what is stored is not in danger"
    )]
    NoSpace {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: Failure,
    },
    /// The disk does not do what it is asked.
    #[error("the disk does not give or take what is in {path}: check the disk; nothing was written over")]
    Disk {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: Failure,
    },
    /// What is in the file is not a database that was written whole.
    #[error("the database {path} is damaged: restore it from a backup")]
    Database {
        /// The file.
        path: PathBuf,
        /// Why it failed.
        #[source]
        source: Failure,
    },
    /// The thread that writes could not be started.
    #[error("cannot start the thread that writes")]
    Thread(#[source] io::Error),
}

/// Why an operation was not done.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// No valid capability was shown, or what is named is not there.
    #[error("refused")]
    Refused,
    /// A valid capability was shown, and what is asked for contradicts what is stored.
    #[error("in conflict with what is stored")]
    Conflict,
    /// A log stands where its writer expects it, and was not paid for so much more.
    #[error("the log is not paid for so much")]
    Unpaid,
    /// The account drew all that it may draw today.
    #[error("the quota of the day is used up")]
    QuotaReached,
    /// What may be written is not, because the disk has no room for it. Reading goes on, and so do ends.
    #[error("there is no room on the disk")]
    Full,
    /// The relay is to have another address than the one it has had.
    #[error(
        "this store belongs to a relay of another onion address: point the relay at the Tor state that it was made \
         with, or start with an empty store"
    )]
    OtherAddress,
    /// A stored object is not what was written. Others are not concerned.
    #[error("an object of table {0} is damaged")]
    Damaged(&'static str),
    /// The database failed; nothing of the operation is stored, unless the failure was that of a commit.
    #[error("the database failed")]
    Database(#[source] Failure),
    /// An earlier commit failed: the store accepts no write until it is opened again.
    #[error("the store has stopped after a failed commit")]
    Stopped,
}

impl StoreError {
    /// Whether the file can no longer be relied on.
    pub(crate) fn is_fatal(&self) -> bool {
        matches!(self, Self::Database(failure) if failure.is_fatal())
    }
}

/// An error of the database, shared by all operations of a batch.
#[derive(Debug, Clone, thiserror::Error)]
#[error(transparent)]
pub struct Failure(Arc<redb::Error>);

impl Failure {
    pub(crate) fn of(error: impl Into<redb::Error>) -> Self {
        Self(Arc::new(error.into()))
    }

    /// redb panicked, which it does at a damaged page.
    pub(crate) fn damaged_page() -> Self {
        Self::of(redb::Error::Corrupted("a damaged page".to_owned()))
    }

    /// Whether redb read something that it did not write.
    pub(crate) fn is_damage(&self) -> bool {
        matches!(*self.0, redb::Error::Corrupted(_))
    }

    /// Whose fault it is.
    pub(crate) fn cause(&self) -> Cause {
        match &*self.0 {
            redb::Error::Io(error) => Cause::of(error),
            redb::Error::PreviousIo => Cause::Disk,
            _ => Cause::Damage,
        }
    }

    /// Whether the file can no longer be relied on. redb itself refuses everything after an input or output error.
    pub(crate) fn is_fatal(&self) -> bool {
        matches!(*self.0, redb::Error::Io(_) | redb::Error::PreviousIo | redb::Error::LockPoisoned(_))
    }
}

/// Why a file does not open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cause {
    /// The disk is full.
    NoSpace,
    /// The disk does not do what it is asked.
    Disk,
    /// What is in the file.
    Damage,
}

impl Cause {
    pub(crate) fn of(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
                Self::NoSpace
            }
            // redb's words for a file that is none of its own, or shorter than it says.
            io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof => Self::Damage,
            _ => Self::Disk,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_a_bad_disk_and_a_bad_file_are_told_apart() {
        let cause = |code| Failure::of(redb::Error::Io(io::Error::from_raw_os_error(code))).cause();
        for full in [nix::libc::ENOSPC, nix::libc::EDQUOT, nix::libc::EFBIG] {
            assert_eq!(cause(full), Cause::NoSpace, "{full}");
        }
        for bad in [nix::libc::EIO, nix::libc::EROFS, nix::libc::EACCES] {
            assert_eq!(cause(bad), Cause::Disk, "{bad}");
        }
        assert_eq!(Failure::damaged_page().cause(), Cause::Damage);
        let short = io::Error::from(io::ErrorKind::UnexpectedEof);
        assert_eq!(Failure::of(redb::Error::Io(short)).cause(), Cause::Damage);
    }
}
