//! Where Arti keeps what must survive.
//!
//! ```text
//! DIRECTORY/live/state      identity key, guards, vanguards
//! DIRECTORY/live/cache      consensus, relay descriptors; may be deleted
//! DIRECTORY/private/…       the same for a private network
//! ```
//! All of them have mode 0700; Arti checks that and the parents' modes again.

use crate::{Network, TorError};
use std::{
    fs,
    io::ErrorKind,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};

/// The directories of one network; they exist.
#[derive(Debug, Clone)]
pub(crate) struct Directories {
    pub(crate) state: PathBuf,
    pub(crate) cache: PathBuf,
}

impl Directories {
    /// Makes what is missing.
    pub(crate) fn prepare(directory: &Path, network: &Network) -> Result<Self, TorError> {
        let base = directory.join(network.directory_name());
        let directories = Self { state: base.join("state"), cache: base.join("cache") };
        for path in [directory, &base, &directories.state, &directories.cache] {
            make(path).map_err(|source| TorError::Directory { path: path.to_owned(), source })?;
        }
        Ok(directories)
    }
}

/// Parents of the directory itself are not made: a mistyped path should not grow a tree of secrets.
fn make(path: &Path) -> std::io::Result<()> {
    match fs::DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        result => result,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn only_the_owner_may_look_inside() {
        let parent = tempfile::tempdir().unwrap();
        let root = parent.path().join("tor");
        let directories = Directories::prepare(&root, &Network::Live).unwrap();
        Directories::prepare(&root, &Network::Live).expect("a second start finds them");
        for path in [&root, &root.join("live"), &directories.state, &directories.cache] {
            let mode = fs::metadata(path).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o700, "{}", path.display());
        }
    }

    #[test]
    fn a_missing_parent_is_an_error() {
        let parent = tempfile::tempdir().unwrap();
        let root = parent.path().join("mistyped").join("tor");
        assert!(matches!(Directories::prepare(&root, &Network::Live), Err(TorError::Directory { .. })));
    }
}
