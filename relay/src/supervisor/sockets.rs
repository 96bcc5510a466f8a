//! The sockets through which the worker is reached. The supervisor binds them and keeps them, so that they stand while
//! the worker is restarted: whoever connects meanwhile waits in the queue.

use crate::{data_directory::DataDirectory, error::RelayError};
use command_fds::FdMapping;
use std::{
    fs::Permissions,
    io,
    os::{
        fd::{OwnedFd, RawFd},
        unix::{fs::PermissionsExt, net::UnixListener},
    },
    path::Path,
};

/// Name of the variable that tells the worker how many listeners it inherits, from descriptor 3 on: systemd's protocol.
pub(crate) const LISTEN_FDS: &str = "LISTEN_FDS";

const FIRST_DESCRIPTOR: RawFd = 3;

/// Both listeners, in the order in which the worker inherits them.
#[derive(Debug)]
pub(crate) struct Listeners {
    worker: UnixListener,
    admin: UnixListener,
}

impl Listeners {
    /// How many there are.
    pub(crate) const COUNT: usize = 2;

    /// Binds both. Only the holder of the data directory's lock may do this: it removes what a dead relay left.
    pub(crate) fn bind(data: &DataDirectory) -> Result<Self, RelayError> {
        Ok(Self { worker: bind(&data.worker_socket())?, admin: bind(&data.admin_socket())? })
    }

    /// Copies for one start of the worker: descriptor 3 is `worker.sock`, 4 is `admin.sock`.
    pub(crate) fn for_worker(&self) -> io::Result<Vec<FdMapping>> {
        [&self.worker, &self.admin]
            .into_iter()
            .zip(FIRST_DESCRIPTOR..)
            .map(|(listener, child_fd)| {
                Ok(FdMapping { parent_fd: OwnedFd::from(listener.try_clone()?), child_fd })
            })
            .collect()
    }
}

fn bind(path: &Path) -> Result<UnixListener, RelayError> {
    let failed = |source| RelayError::Socket { path: path.to_owned(), source };
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
        _ => {}
    }
    let listener = UnixListener::bind(path).map_err(failed)?;
    // Nobody else gets as far as this, because the directory has mode 0700.
    std::fs::set_permissions(path, Permissions::from_mode(0o600)).map_err(failed)?;
    Ok(listener)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixStream;

    #[test]
    fn sockets_are_for_the_owner_only_and_a_dead_relays_are_replaced() {
        let parent = tempfile::tempdir().unwrap();
        let data = DataDirectory::prepare(parent.path()).unwrap();
        drop(Listeners::bind(&data).unwrap());
        assert!(UnixStream::connect(data.worker_socket()).is_err(), "a dead relay's socket");
        let listeners = Listeners::bind(&data).unwrap();
        for path in [data.worker_socket(), data.admin_socket()] {
            let mode = std::fs::metadata(&path).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{}", path.display());
            UnixStream::connect(&path).unwrap();
        }
        let descriptors: Vec<_> = listeners.for_worker().unwrap().iter().map(|fd| fd.child_fd).collect();
        assert_eq!(descriptors, [3, 4]);
    }
}
