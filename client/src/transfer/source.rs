//! The file that is uploaded, and whether it stayed what it was.

use crate::ClientError;
use nightdrop_envelope::{
    chunk::ChunkBuffer,
    file_name::FileName,
    journal::{Origin, Stamp},
    layout::Layout,
    manifest::FileFacts,
};
use nix::fcntl::OFlag;
use sha2::{Digest, Sha256};
use std::{
    fs::{File, Metadata, OpenOptions},
    io::BufReader,
    os::unix::{
        ffi::OsStrExt,
        fs::{FileExt, MetadataExt, OpenOptionsExt},
    },
    path::{Path, PathBuf},
};

/// An open file whose size, times and inode are remembered.
#[derive(Debug)]
pub struct Source {
    path: PathBuf,
    file: File,
    facts: FileFacts,
    layout: Layout,
    origin: Origin,
}

fn stamp_of(metadata: &Metadata) -> Stamp {
    Stamp {
        size: metadata.len(),
        modified: (metadata.mtime(), metadata.mtime_nsec()),
        changed: (metadata.ctime(), metadata.ctime_nsec()),
        inode: (metadata.dev(), metadata.ino()),
    }
}

impl Source {
    /// Opens `path`, to be stored as `name` or as its own name, and reads it once for its hash.
    ///
    /// # Errors
    /// [`ClientError`] if it is no regular file, too large, or its name cannot be stored.
    pub fn open(path: &Path, name: Option<&str>) -> Result<Self, ClientError> {
        Self::open_with(path, name, OFlag::empty())
    }

    /// The same for a file that was found in a directory: no link is followed.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn open_found(path: &Path) -> Result<Self, ClientError> {
        Self::open_with(path, None, OFlag::O_NOFOLLOW)
    }

    fn open_with(path: &Path, name: Option<&str>, flags: OFlag) -> Result<Self, ClientError> {
        // Not blocking, so that a named pipe is refused below instead of waited for.
        let file = OpenOptions::new()
            .read(true)
            .custom_flags((OFlag::O_NONBLOCK | flags).bits())
            .open(path)
            .map_err(ClientError::file("open", path))?;
        let metadata = file.metadata().map_err(ClientError::file("read", path))?;
        if !metadata.is_file() {
            return Err(ClientError::NotAFile { path: path.to_owned() });
        }
        let own_name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let name = FileName::parse(name.unwrap_or(own_name))
            .map_err(|_| ClientError::BadName { path: path.to_owned() })?;
        let layout =
            Layout::of_size(metadata.len()).map_err(|_| ClientError::TooLarge { path: path.to_owned() })?;
        let facts = FileFacts { name, size: metadata.len(), modified: Some(metadata.mtime()) };
        let (content, length) = hash_of(&file).map_err(ClientError::file("read", path))?;
        if length != metadata.len() {
            // It changed meanwhile, or its system does not tell its length.
            return Err(ClientError::FileChanged { path: path.to_owned() });
        }
        // One path for each file, however it was named.
        let found = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        let path_bytes = found.as_os_str().as_bytes().to_vec();
        let origin = Origin { path: path_bytes, stamp: stamp_of(&metadata), content };
        Ok(Self { path: path.to_owned(), file, facts, layout, origin })
    }

    /// Name, size and time.
    #[must_use]
    pub const fn facts(&self) -> &FileFacts {
        &self.facts
    }

    /// How it is cut.
    #[must_use]
    pub const fn layout(&self) -> Layout {
        self.layout
    }

    /// SHA-256 of the content.
    #[must_use]
    pub const fn content(&self) -> &[u8; 32] {
        &self.origin.content
    }

    /// Where it is, and what it was when it was opened.
    #[must_use]
    pub const fn origin(&self) -> &Origin {
        &self.origin
    }

    /// Whether an earlier run saw it as it is now. The number of its device says nothing: a disk that is attached again may get another one.
    #[must_use]
    pub(super) fn is_what_it_was(&self, earlier: Option<&Origin>) -> bool {
        earlier.is_some_and(|earlier| {
            let mut earlier = earlier.clone();
            earlier.stamp.inode.0 = self.origin.stamp.inode.0;
            earlier == self.origin
        })
    }

    /// Reads chunk `index` with its padding.
    pub(super) fn read_chunk(&self, index: u32) -> Result<ChunkBuffer, ClientError> {
        let mut buffer = ChunkBuffer::new(self.layout.class());
        if let Some(content) = buffer.plaintext_mut().get_mut(..self.layout.content(index)) {
            self.file.read_exact_at(content, self.layout.offset(index)).map_err(|error| {
                if error.kind() == std::io::ErrorKind::UnexpectedEof {
                    self.changed()
                } else {
                    ClientError::file("read", &self.path)(error)
                }
            })?;
        }
        Ok(buffer)
    }

    /// Refuses if the file is no longer what it was when it was opened.
    pub(super) fn require_unchanged(&self) -> Result<(), ClientError> {
        let metadata = self.file.metadata().map_err(ClientError::file("read", &self.path))?;
        if stamp_of(&metadata) == self.origin.stamp { Ok(()) } else { Err(self.changed()) }
    }

    fn changed(&self) -> ClientError {
        ClientError::FileChanged { path: self.path.clone() }
    }
}

/// SHA-256 of the content, and its length.
fn hash_of(file: &File) -> std::io::Result<([u8; 32], u64)> {
    let mut hash = Sha256::new();
    let length = std::io::copy(&mut BufReader::with_capacity(1 << 20, file), &mut hash)?;
    Ok((hash.finalize().into(), length))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_grows_shrinks_or_is_rewritten_is_noticed() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        for change in [&b"longer than it was"[..], b"sh", b"other"] {
            std::fs::write(&path, b"first").unwrap();
            let source = Source::open(&path, None).unwrap();
            source.require_unchanged().unwrap();
            std::fs::write(&path, change).unwrap();
            assert!(matches!(source.require_unchanged(), Err(ClientError::FileChanged { .. })));
        }
    }

    #[test]
    fn what_is_no_file_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let refused = Source::open(directory.path(), None);
        assert!(matches!(refused, Err(ClientError::NotAFile { .. })));
        let pipe = directory.path().join("pipe");
        nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
        assert!(matches!(Source::open(&pipe, None), Err(ClientError::NotAFile { .. })));
        let unknown = Source::open(Path::new("/proc/self/status"), None);
        assert!(matches!(unknown, Err(ClientError::FileChanged { .. })), "its length is said to be 0");
        let missing = Source::open(&directory.path().join("missing"), None);
        assert!(matches!(missing, Err(ClientError::File { .. })));
    }

    #[test]
    fn a_file_is_what_it_was_also_on_a_device_with_another_number() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        std::fs::write(&path, b"first").unwrap();
        let source = Source::open(&path, None).unwrap();
        let mut earlier = source.origin().clone();
        earlier.stamp.inode.0 ^= 1;
        assert!(source.is_what_it_was(Some(&earlier)) && !source.is_what_it_was(None));
        earlier.stamp.inode.1 ^= 1;
        assert!(!source.is_what_it_was(Some(&earlier)));
    }
}
