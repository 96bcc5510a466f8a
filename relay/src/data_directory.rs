//! The data directory, and who owns which part of it.
//!
//! ```text
//! DIR/tor     the gateway's: gateway.lock, identity key, guards, consensus
//! DIR/store   the worker's: database and keys
//! DIR/run     the supervisor's: supervisor.lock, worker.sock, admin.sock
//! ```
//! Directories have mode 0700, sockets 0600. Whoever holds [`DataLock`] is the only relay, or the only command that
//! opens the store itself, on this directory. Whoever holds [`TorLock`] is the only one who runs Tor from `DIR/tor`: Arti
//! itself would go on without writing anything down, and a gateway that lives on after its supervisor's death is not
//! covered by the supervisor's lock.

use crate::error::RelayError;
use nix::fcntl::{Flock, FlockArg};
use std::{
    fs::{DirBuilder, File, OpenOptions, Permissions},
    io,
    os::unix::{
        ffi::OsStrExt,
        fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    },
    path::{Path, PathBuf},
};

/// Longest path of a Unix socket: `sun_path` has 108 bytes, the last of which is zero.
const MAX_SOCKET_PATH: usize = 107;

/// A data directory whose parts exist.
#[derive(Debug, Clone)]
pub struct DataDirectory(PathBuf);

/// The right to be the only one at work in a data directory; ends when dropped, and with the process.
#[derive(Debug)]
pub struct DataLock(#[expect(dead_code, reason = "held, never read")] Flock<File>);

/// The right to be the only gateway on a data directory; ends when dropped, and with the process.
#[derive(Debug)]
pub struct TorLock(#[expect(dead_code, reason = "held, never read")] Flock<File>);

impl DataDirectory {
    /// Makes the directory and its parts, and sets their modes.
    ///
    /// # Errors
    /// [`RelayError::DataDirectory`], or [`RelayError::SocketPathTooLong`] before anything is made.
    pub fn prepare(root: &Path) -> Result<Self, RelayError> {
        let directory = Self(std::path::absolute(root).map_err(at(root))?);
        for socket in [directory.worker_socket(), directory.admin_socket()] {
            check_length(socket)?;
        }
        for part in [directory.0.clone(), directory.tor(), directory.store(), directory.run()] {
            make(&part).map_err(at(&part))?;
        }
        Ok(directory)
    }

    /// A directory in which a relay has run before.
    ///
    /// # Errors
    /// [`RelayError::NoDataDirectory`] if there is none: a mistyped path must not become a new relay.
    pub fn existing(root: &Path) -> Result<Self, RelayError> {
        if !root.join("run").is_dir() {
            return Err(RelayError::NoDataDirectory { path: root.to_owned() });
        }
        Self::prepare(root)
    }

    /// The directory itself.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.0
    }

    /// The gateway's part.
    #[must_use]
    pub fn tor(&self) -> PathBuf {
        self.0.join("tor")
    }

    /// The worker's part.
    #[must_use]
    pub fn store(&self) -> PathBuf {
        self.0.join("store")
    }

    /// The supervisor's part.
    #[must_use]
    pub fn run(&self) -> PathBuf {
        self.0.join("run")
    }

    /// Where the worker serves the gateway.
    #[must_use]
    pub fn worker_socket(&self) -> PathBuf {
        self.run().join("worker.sock")
    }

    /// Where the worker serves the operator's commands.
    #[must_use]
    pub fn admin_socket(&self) -> PathBuf {
        self.run().join("admin.sock")
    }

    /// Takes the lock; `None` if somebody holds it.
    ///
    /// # Errors
    /// [`RelayError::DataDirectory`] if the lock file cannot be made.
    pub fn lock(&self) -> Result<Option<DataLock>, RelayError> {
        Ok(lock_file(&self.run().join("supervisor.lock"))?.map(DataLock))
    }

    /// Takes the lock of the gateway's part; `None` if another gateway holds it.
    ///
    /// # Errors
    /// [`RelayError::DataDirectory`] if the lock file cannot be made.
    pub fn lock_tor(&self) -> Result<Option<TorLock>, RelayError> {
        Ok(lock_file(&self.tor().join("gateway.lock"))?.map(TorLock))
    }
}

fn lock_file(path: &Path) -> Result<Option<Flock<File>>, RelayError> {
    let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path);
    match Flock::lock(file.map_err(at(path))?, FlockArg::LockExclusiveNonblock) {
        Ok(lock) => Ok(Some(lock)),
        Err((_, nix::Error::EWOULDBLOCK)) => Ok(None),
        Err((_, errno)) => Err(at(path)(errno.into())),
    }
}

/// `$XDG_DATA_HOME/nightdrop-relay`, for root `/var/lib/nightdrop`; `None` without a home directory.
#[must_use]
pub fn default_root() -> Option<PathBuf> {
    if nix::unistd::geteuid().is_root() {
        return Some(PathBuf::from("/var/lib/nightdrop"));
    }
    let absolute = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let data_home = absolute("XDG_DATA_HOME").or_else(|| Some(absolute("HOME")?.join(".local/share")))?;
    Some(data_home.join("nightdrop-relay"))
}

fn check_length(socket: PathBuf) -> Result<(), RelayError> {
    let length = socket.as_os_str().as_bytes().len();
    if length <= MAX_SOCKET_PATH {
        return Ok(());
    }
    Err(RelayError::SocketPathTooLong { path: socket, excess: length - MAX_SOCKET_PATH })
}

fn make(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)?;
    std::fs::set_permissions(path, Permissions::from_mode(0o700))
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> RelayError {
    let path = path.to_owned();
    move |source| RelayError::DataDirectory { path, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_owner_may_look_inside() {
        let parent = tempfile::tempdir().unwrap();
        let data = DataDirectory::prepare(&parent.path().join("a/b")).unwrap();
        for part in [data.root().to_owned(), data.tor(), data.store(), data.run()] {
            let mode = std::fs::metadata(&part).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o700, "{}", part.display());
        }
    }

    #[test]
    fn the_lock_is_held_by_one_at_a_time() {
        let parent = tempfile::tempdir().unwrap();
        let data = DataDirectory::prepare(parent.path()).unwrap();
        let first = data.lock().unwrap();
        assert!(first.is_some());
        assert!(data.lock().unwrap().is_none(), "a second relay on the same directory");
        drop(first);
        assert!(data.lock().unwrap().is_some(), "after the first has gone");
    }

    #[test]
    fn the_gateways_lock_is_another_one() {
        let parent = tempfile::tempdir().unwrap();
        let data = DataDirectory::prepare(parent.path()).unwrap();
        let _supervisor = data.lock().unwrap().unwrap();
        let first = data.lock_tor().unwrap();
        assert!(first.is_some());
        assert!(data.lock_tor().unwrap().is_none(), "a second gateway on the same directory");
        drop(first);
        assert!(data.lock_tor().unwrap().is_some(), "after the first has gone");
    }

    #[test]
    fn a_path_that_no_socket_can_have_is_refused_before_anything_is_made() {
        let parent = tempfile::tempdir().unwrap();
        let fits = MAX_SOCKET_PATH - "/run/worker.sock".len() - parent.path().as_os_str().len() - 1;
        DataDirectory::prepare(&parent.path().join("a".repeat(fits))).expect("the longest path that fits");
        let long = parent.path().join("b".repeat(fits + 1));
        let error = DataDirectory::prepare(&long).unwrap_err();
        assert!(matches!(error, RelayError::SocketPathTooLong { excess: 1, .. }), "{error}");
        assert!(!long.exists());
    }

    #[test]
    fn a_mistyped_directory_is_not_made() {
        let parent = tempfile::tempdir().unwrap();
        let mistyped = parent.path().join("mistyped");
        assert!(matches!(DataDirectory::existing(&mistyped), Err(RelayError::NoDataDirectory { .. })));
        assert!(!mistyped.exists());
        DataDirectory::prepare(&mistyped).unwrap();
        DataDirectory::existing(&mistyped).expect("a relay has run in it");
    }
}
