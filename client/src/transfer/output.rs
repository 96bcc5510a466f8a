//! Where a download goes: a partial file beside its final place, which gets the final name only when it is whole.
//!
//! States that a crash can leave: a hidden partial file `.nightdrop-….partial` of a random name, or the whole file under its name. Two
//! downloads never share a partial file, and nothing that lies there already is opened.

use crate::ClientError;
use nightdrop_envelope::{chunk::VerifiedChunk, file_name::FileName, manifest::FileFacts};
use std::{
    fs::File,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use tempfile::NamedTempFile;

/// Where the user wants the file.
#[derive(Debug, Clone)]
pub struct OutputPath {
    directory: PathBuf,
    name: Option<FileName>,
}

impl OutputPath {
    /// A file's path, or a directory in which the file gets its own name. Without one: the current directory.
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
        require_free(&output.final_path(None))?;
        Ok(output)
    }

    /// The same place for a file whose name its owner chose, and not somebody else.
    #[must_use]
    pub fn or_named(mut self, name: FileName) -> Self {
        self.name = self.name.or(Some(name));
        self
    }

    fn final_path(&self, authors_name: Option<&FileName>) -> PathBuf {
        let name = self.name.as_ref().or(authors_name).map_or("", FileName::as_str);
        self.directory.join(name)
    }

    /// Makes the partial file for content of which its author says this.
    ///
    /// # Errors
    /// [`ClientError::SpecialName`] if nothing but the author's choice would make a file that programs run or read by themselves.
    pub(super) fn begin(&self, facts: &FileFacts) -> Result<PartialFile, ClientError> {
        let FileFacts { name: authors_name, size, modified } = facts;
        if self.name.is_none() && authors_name.is_special() {
            return Err(ClientError::SpecialName(authors_name.as_str().to_owned()));
        }
        let path = self.final_path(Some(authors_name));
        require_free(&path)?;
        let file = tempfile::Builder::new()
            .prefix(".nightdrop-")
            .suffix(".partial")
            .tempfile_in(&self.directory)
            .map_err(ClientError::file("write in", &self.directory))?;
        file.as_file().set_len(*size).map_err(ClientError::file("make room for", &path))?;
        Ok(PartialFile { directory: self.directory.clone(), path, file, modified: *modified })
    }
}

fn require_free(path: &Path) -> Result<(), ClientError> {
    // A dangling link counts: what it points to is not ours to make.
    if path.symlink_metadata().is_ok() {
        return Err(ClientError::OutputExists { path: path.to_owned() });
    }
    Ok(())
}

/// A download on its way. Dropped before it is whole, it is removed.
#[derive(Debug)]
pub(super) struct PartialFile {
    directory: PathBuf,
    path: PathBuf,
    file: NamedTempFile,
    modified: Option<i64>,
}

impl PartialFile {
    /// Writes what was verified; there is no way to write anything else.
    pub(super) fn write(&self, chunk: &VerifiedChunk) -> Result<(), ClientError> {
        let written = self.file.as_file().write_all_at(chunk.content(), chunk.offset());
        written.map_err(ClientError::file("write", &self.path))
    }

    /// All chunks are in: gives the file its time, syncs, and gives it its name without ever replacing another.
    pub(super) fn finish(self) -> Result<PathBuf, ClientError> {
        if let Some(modified) = self.modified.and_then(time) {
            self.file
                .as_file()
                .set_modified(modified)
                .map_err(ClientError::file("set the time of", &self.path))?;
        }
        self.file.as_file().sync_all().map_err(ClientError::file("sync", &self.path))?;
        if let Err(error) = self.file.persist_noclobber(&self.path) {
            require_free(&self.path)?;
            return Err(ClientError::file("name", &self.path)(error.error));
        }
        File::open(&self.directory)
            .and_then(|directory| directory.sync_all())
            .map_err(ClientError::file("sync", &self.directory))?;
        Ok(self.path)
    }
}

/// The time that is so many seconds after the epoch; none if this system has no such time.
fn time(seconds: i64) -> Option<SystemTime> {
    let distance = Duration::from_secs(seconds.unsigned_abs());
    if seconds < 0 { UNIX_EPOCH.checked_sub(distance) } else { UNIX_EPOCH.checked_add(distance) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(name: &str, size: u64) -> FileFacts {
        FileFacts { name: FileName::parse(name).unwrap(), size, modified: Some(1_000_000_000) }
    }

    fn facts() -> FileFacts {
        named("authors.txt", 5)
    }

    #[test]
    fn the_final_name_appears_only_at_the_end() {
        let directory = tempfile::tempdir().unwrap();
        let output = OutputPath::new(Some(directory.path())).unwrap();
        let partial = output.begin(&facts()).unwrap();
        assert!(!directory.path().join("authors.txt").exists());
        assert_eq!(partial.finish().unwrap(), directory.path().join("authors.txt"));
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1);
        let modified = std::fs::metadata(directory.path().join("authors.txt")).unwrap().modified().unwrap();
        assert_eq!(modified, UNIX_EPOCH + Duration::from_secs(1_000_000_000), "as its author's");
    }

    #[test]
    fn what_is_not_finished_leaves_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let output = OutputPath::new(Some(&directory.path().join("mine"))).unwrap();
        drop(output.begin(&facts()).unwrap());
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_file_that_exists_or_appears_meanwhile_is_never_replaced() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("mine");
        let output = OutputPath::new(Some(&path)).unwrap();
        let partial = output.begin(&facts()).unwrap();
        std::fs::write(&path, "theirs").unwrap();
        assert!(matches!(partial.finish(), Err(ClientError::OutputExists { .. })));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "theirs");
        assert!(matches!(OutputPath::new(Some(&path)), Err(ClientError::OutputExists { .. })));
    }

    #[test]
    fn m26_a_link_in_the_way_is_not_followed() {
        let directory = tempfile::tempdir().unwrap();
        let output = OutputPath::new(Some(directory.path())).unwrap();
        assert!(output.begin(&facts()).is_ok());
        std::os::unix::fs::symlink("nowhere", directory.path().join("authors.txt")).unwrap();
        assert!(matches!(output.begin(&facts()), Err(ClientError::OutputExists { .. })));
    }

    #[test]
    fn m26_an_author_cannot_choose_a_name_that_programs_read_by_themselves() {
        let directory = tempfile::tempdir().unwrap();
        let output = OutputPath::new(Some(directory.path())).unwrap();
        for special in [".bash_profile", "-rf", "~x"] {
            let special = FileName::parse(special).unwrap();
            assert!(matches!(output.begin(&named(special.as_str(), 5)), Err(ClientError::SpecialName(_))));
            let chosen = output.clone().or_named(special.clone());
            assert!(chosen.begin(&named(special.as_str(), 5)).is_ok(), "the user may");
        }
    }

    #[test]
    fn two_downloads_of_one_name_never_share_a_partial_file() {
        let directory = tempfile::tempdir().unwrap();
        let output = OutputPath::new(Some(directory.path())).unwrap();
        let (one, other) = (
            output.begin(&named("authors.txt", 1)).unwrap(),
            output.begin(&named("authors.txt", 2)).unwrap(),
        );
        assert_eq!(std::fs::metadata(one.finish().unwrap()).unwrap().len(), 1);
        assert!(matches!(other.finish(), Err(ClientError::OutputExists { .. })));
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[test]
    fn the_longest_name_fits() {
        let directory = tempfile::tempdir().unwrap();
        let output = OutputPath::new(Some(directory.path())).unwrap();
        let longest = FileName::parse(&"x".repeat(255)).unwrap();
        assert!(output.begin(&FileFacts { name: longest, ..facts() }).unwrap().finish().is_ok());
    }
}
