//! Files of this user: what is kept of a transfer that is not done.

use nix::{errno::Errno, fcntl::OFlag};
use std::{
    fs::{File, Metadata, OpenOptions},
    io::{self, ErrorKind},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::Path,
};

/// What others may not be able to do with what is kept of a download: what they read of it they can read under its final name, too. A disk that is carried
/// about often knows no rights but its own.
const WRITE: u32 = 0o022;
/// Nothing at all.
const ANYTHING: u32 = 0o077;

/// Opens or makes a file that nobody else can write. One that was made and turns out to be another is removed.
pub(super) fn open_or_make(path: &Path) -> io::Result<File> {
    match open_with(path, OpenOptions::new().create_new(true), WRITE) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            open_with(path, &mut OpenOptions::new(), WRITE)
        }
        Err(error) if error.kind() == ErrorKind::PermissionDenied && error.raw_os_error().is_none() => {
            std::fs::remove_file(path)?;
            Err(error)
        }
        made => made,
    }
}

/// Opens a file that belongs to nobody else.
pub(super) fn open(path: &Path) -> io::Result<File> {
    open_with(path, &mut OpenOptions::new(), ANYTHING)
}

fn open_with(path: &Path, options: &mut OpenOptions, others: u32) -> io::Result<File> {
    let file = options
        .read(true)
        .write(true)
        .mode(0o600)
        .custom_flags((OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK).bits())
        .open(path)?;
    let metadata = file.metadata()?;
    let own = metadata.is_file()
        && metadata.uid() == nix::unistd::geteuid().as_raw()
        && metadata.mode() & others == 0
        && metadata.nlink() == 1;
    if own { Ok(file) } else { Err(ErrorKind::PermissionDenied.into()) }
}

/// Whether something stands there that is no file of this user alone; opening it says so.
pub(super) fn is_foreign(error: &io::Error) -> bool {
    matches!(
        Errno::from_raw(error.raw_os_error().unwrap_or_default()),
        Errno::EACCES | Errno::EPERM | Errno::ELOOP | Errno::ENXIO
    ) || (error.raw_os_error().is_none() && error.kind() == ErrorKind::PermissionDenied)
}

/// Whether an open file is the one that stands there now.
pub(super) fn is_still(path: &Path, file: &File) -> bool {
    let inode = |metadata: Metadata| (metadata.dev(), metadata.ino());
    let (there, opened) = (path.symlink_metadata().map(inode), file.metadata().map(inode));
    matches!((there, opened), (Ok(there), Ok(opened)) if there == opened)
}
