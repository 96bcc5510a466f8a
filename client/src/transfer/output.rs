//! Where a download goes: a partial file beside its final place, which gets the final name only when it is whole.
//!
//! States that a crash can leave: a hidden partial file `.NAME.nightdrop-partial`, or the whole file under its name. The next
//! run takes the partial file's place.

use crate::ClientError;
use nightdrop_envelope::{chunk::VerifiedChunk, file_name::FileName};
use nix::fcntl::{AT_FDCWD, OFlag, RenameFlags, renameat2};
use std::{
    fs::{File, OpenOptions},
    os::unix::fs::{FileExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

/// Where the user wants the file.
#[derive(Debug, Clone)]
pub struct OutputPath {
    directory: PathBuf,
    name: Option<FileName>,
}

impl OutputPath {
    /// A file's path, or a directory in which the file gets its author's name. Without one: the current directory.
    ///
    /// # Errors
    /// [`ClientError::OutputExists`] if there is a file already; [`ClientError::BadName`] if the path names none.
    pub fn new(path: Option<&Path>) -> Result<Self, ClientError> {
        let Some(path) = path else {
            return Ok(Self { directory: PathBuf::from("."), name: None });
        };
        if path.is_dir() {
            return Ok(Self { directory: path.to_owned(), name: None });
        }
        let bad_name = || ClientError::BadName { path: path.to_owned() };
        let name = path.file_name().and_then(|name| name.to_str()).ok_or_else(bad_name)?;
        let name = FileName::parse(name).map_err(|_| bad_name())?;
        let directory = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
            _ => PathBuf::from("."),
        };
        let output = Self { directory, name: Some(name) };
        output.require_free(&output.final_path(None))?;
        Ok(output)
    }

    fn final_path(&self, authors_name: Option<&FileName>) -> PathBuf {
        let name = self.name.as_ref().or(authors_name).map_or("", FileName::as_str);
        self.directory.join(name)
    }

    fn require_free(&self, path: &Path) -> Result<(), ClientError> {
        // A dangling link counts: what it points to is not ours to make.
        if path.symlink_metadata().is_ok() {
            return Err(ClientError::OutputExists { path: path.to_owned() });
        }
        Ok(())
    }

    /// Makes the partial file for content of this size.
    pub(super) fn begin(&self, authors_name: &FileName, size: u64) -> Result<PartialFile, ClientError> {
        let path = self.final_path(Some(authors_name));
        self.require_free(&path)?;
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let partial = self.directory.join(format!(".{name}.nightdrop-partial"));
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .custom_flags(OFlag::O_NOFOLLOW.bits())
            .open(&partial)
            .map_err(ClientError::file("write", &partial))?;
        file.set_len(size).map_err(ClientError::file("make room in", &partial))?;
        Ok(PartialFile { directory: self.directory.clone(), partial, path, file, whole: false })
    }
}

/// A download on its way. Dropped before it is whole, it is removed.
#[derive(Debug)]
pub(super) struct PartialFile {
    directory: PathBuf,
    partial: PathBuf,
    path: PathBuf,
    file: File,
    whole: bool,
}

impl PartialFile {
    /// Writes what was verified; there is no way to write anything else.
    pub(super) fn write(&self, chunk: &VerifiedChunk) -> Result<(), ClientError> {
        self.file
            .write_all_at(chunk.content(), chunk.offset())
            .map_err(ClientError::file("write", &self.partial))
    }

    /// All chunks are in: syncs, and gives the file its name without ever replacing another.
    pub(super) fn finish(mut self) -> Result<PathBuf, ClientError> {
        self.file.sync_all().map_err(ClientError::file("sync", &self.partial))?;
        match renameat2(AT_FDCWD, &self.partial, AT_FDCWD, &self.path, RenameFlags::RENAME_NOREPLACE) {
            Ok(()) => {}
            Err(nix::errno::Errno::EEXIST) => {
                return Err(ClientError::OutputExists { path: self.path.clone() });
            }
            // A file system without this operation: check, then rename.
            Err(nix::errno::Errno::EINVAL | nix::errno::Errno::ENOSYS) => {
                if self.path.symlink_metadata().is_ok() {
                    return Err(ClientError::OutputExists { path: self.path.clone() });
                }
                std::fs::rename(&self.partial, &self.path)
                    .map_err(ClientError::file("rename", &self.partial))?;
            }
            Err(error) => return Err(ClientError::file("rename", &self.partial)(error.into())),
        }
        self.whole = true;
        File::open(&self.directory)
            .and_then(|directory| directory.sync_all())
            .map_err(ClientError::file("sync", &self.directory))?;
        Ok(self.path.clone())
    }
}

impl Drop for PartialFile {
    fn drop(&mut self) {
        if !self.whole {
            // Nothing to tell if it fails: the file is hidden and the next run takes its place.
            let _ = std::fs::remove_file(&self.partial);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name() -> FileName {
        FileName::parse("authors.txt").unwrap()
    }

    #[test]
    fn the_final_name_appears_only_at_the_end() {
        let directory = tempfile::tempdir().unwrap();
        let output = OutputPath::new(Some(directory.path())).unwrap();
        let partial = output.begin(&name(), 5).unwrap();
        assert!(!directory.path().join("authors.txt").exists());
        assert_eq!(partial.finish().unwrap(), directory.path().join("authors.txt"));
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_is_not_finished_leaves_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let output = OutputPath::new(Some(&directory.path().join("mine"))).unwrap();
        drop(output.begin(&name(), 5).unwrap());
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_file_that_exists_or_appears_meanwhile_is_never_replaced() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("mine");
        let output = OutputPath::new(Some(&path)).unwrap();
        let partial = output.begin(&name(), 5).unwrap();
        std::fs::write(&path, "theirs").unwrap();
        assert!(matches!(partial.finish(), Err(ClientError::OutputExists { .. })));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "theirs");
        assert!(matches!(OutputPath::new(Some(&path)), Err(ClientError::OutputExists { .. })));
    }

    #[test]
    fn m26_a_link_in_the_way_is_not_followed() {
        let directory = tempfile::tempdir().unwrap();
        let target = directory.path().join("precious");
        std::fs::write(&target, "precious").unwrap();
        let output = OutputPath::new(Some(directory.path())).unwrap();
        std::os::unix::fs::symlink(&target, directory.path().join(".authors.txt.nightdrop-partial")).unwrap();
        assert!(matches!(output.begin(&name(), 5), Err(ClientError::File { .. })));
        std::os::unix::fs::symlink("nowhere", directory.path().join("authors.txt")).unwrap();
        assert!(matches!(output.begin(&name(), 5), Err(ClientError::OutputExists { .. })));
        assert_eq!(std::fs::read_to_string(&target).unwrap(), "precious");
    }
}
