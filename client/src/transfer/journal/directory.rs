//! The directory of the journals: what stands in it, and what is done to one file in it.

use super::{Journals, own_file};
use crate::ClientError;
use nix::fcntl::{Flock, FlockArg};
use std::{
    fs::{DirBuilder, File},
    io::{self, ErrorKind, Read},
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    time::Duration,
};

/// Who looks at a journal, or is about to end, holds its lock for a moment.
const LOCK_ATTEMPTS: u32 = 40;
const LOCK_PAUSE: Duration = Duration::from_millis(25);
/// A journal that is not at its name is called so, for a moment; after this time nobody is at it.
pub(super) const UNFINISHED: &str = ".unfinished-";
pub(super) const LEFT_OVER: Duration = Duration::from_secs(3_600);

impl Journals {
    /// How many directories stand where journals do: nothing of ours, and nothing that is removed.
    ///
    /// # Errors
    /// [`ClientError::File`].
    pub fn directories(&self) -> Result<usize, ClientError> {
        Ok(self.entries()?.iter().filter(|path| is_directory(path)).count())
    }

    pub(super) fn paths(&self) -> Result<Vec<PathBuf>, ClientError> {
        let mut paths = self.entries()?;
        // What begins so is on its way to its name.
        paths.retain(|path| !has_prefix(path, b".") && !is_directory(path));
        Ok(paths)
    }

    fn entries(&self) -> Result<Vec<PathBuf>, ClientError> {
        let directory = &self.shared.directory;
        let entries = match std::fs::read_dir(directory) {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(ClientError::file("read", directory)(error)),
        };
        let paths: Result<Vec<PathBuf>, io::Error> =
            entries.map(|entry| entry.map(|entry| entry.path())).collect();
        paths.map_err(ClientError::file("read", directory))
    }

    /// Removes what commands that were killed while they began a journal left: nothing of it was sent.
    pub(super) fn sweep(&self) -> Result<(), ClientError> {
        for path in self.entries()?.into_iter().filter(|path| has_prefix(path, UNFINISHED.as_bytes())) {
            let Ok(file) = own_file::open(&path) else { continue };
            let age = file.metadata().and_then(|metadata| metadata.modified()).map(|at| at.elapsed());
            // One that was just made is not locked yet.
            let is_old = matches!(age, Ok(Ok(age)) if age > LEFT_OVER);
            if is_old && let Ok(_locked) = Flock::lock(file, FlockArg::LockExclusiveNonblock) {
                remove(&path)?;
            }
        }
        Ok(())
    }
}

pub(super) fn lock(mut file: File, path: &Path) -> Result<Flock<File>, ClientError> {
    for _ in 1..LOCK_ATTEMPTS {
        match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(locked) => return Ok(locked),
            Err((unlocked, nix::errno::Errno::EWOULDBLOCK)) => file = unlocked,
            Err((_, errno)) => return Err(ClientError::file("lock", path)(errno.into())),
        }
        std::thread::sleep(LOCK_PAUSE);
    }
    Err(ClientError::TransferRunning)
}

pub(super) fn read(file: &mut File) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    Read::take(file, super::kept::LONGEST).read_to_end(&mut bytes)?;
    Ok(bytes)
}

pub(super) fn remove(path: &Path) -> Result<(), ClientError> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(ClientError::file("remove", path)(error)),
        _ => Ok(()),
    }
}

fn has_prefix(path: &Path, prefix: &[u8]) -> bool {
    path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(prefix))
}

fn is_directory(path: &Path) -> bool {
    path.symlink_metadata().is_ok_and(|metadata| metadata.is_dir())
}

pub(super) fn make(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

pub(super) fn sync(directory: &Path) -> Result<(), ClientError> {
    File::open(directory)
        .and_then(|directory| directory.sync_all())
        .map_err(ClientError::file("sync", directory))
}
