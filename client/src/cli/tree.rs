//! Directories on this device: what lies in one, and making those that a download needs. No link is ever followed, neither in nor out.

use crate::ClientError;
use nightdrop_envelope::{file_name::FileName, space::SpacePath};
use std::{
    fs::{DirBuilder, DirEntry},
    io::{self, ErrorKind},
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};

/// What lies in a directory.
#[derive(Debug, Default)]
pub(super) struct Tree {
    /// Regular files, each with the path that it gets among one's files, in order.
    pub(super) files: Vec<(SpacePath, PathBuf)>,
    /// What is neither a file nor a directory: links, devices, pipes. They are left out.
    pub(super) left_out: Vec<PathBuf>,
    /// Directories in which nothing is: they are left out, too.
    pub(super) empty: Vec<PathBuf>,
    /// What cannot be read, or has a name that cannot be stored, and why.
    pub(super) unreadable: Vec<(PathBuf, ClientError)>,
}

impl Tree {
    /// All that lies in `directory`, which becomes `name`.
    pub(super) fn read(directory: &Path, name: &SpacePath) -> Self {
        let mut tree = Self::default();
        let mut directories = vec![(name.clone(), directory.to_owned())];
        while let Some((name, directory)) = directories.pop() {
            let entries = std::fs::read_dir(&directory).and_then(Iterator::collect::<io::Result<Vec<_>>>);
            let entries = match entries {
                Ok(entries) => entries,
                Err(error) => {
                    let error = ClientError::file("read", &directory)(error);
                    tree.unreadable.push((directory, error));
                    continue;
                }
            };
            if entries.is_empty() {
                tree.empty.push(directory);
            }
            for entry in entries {
                if let Err(error) = tree.add(&name, &entry, &mut directories) {
                    tree.unreadable.push((entry.path(), error));
                }
            }
        }
        tree.files.sort();
        tree
    }

    fn add(
        &mut self,
        name: &SpacePath,
        entry: &DirEntry,
        directories: &mut Vec<(SpacePath, PathBuf)>,
    ) -> Result<(), ClientError> {
        let path = entry.path();
        let kind = entry.file_type().map_err(ClientError::file("read", &path))?;
        if !kind.is_file() && !kind.is_dir() {
            self.left_out.push(path);
            return Ok(());
        }
        let bad_name = || ClientError::BadName { path: path.clone() };
        let own = FileName::parse(entry.file_name().to_str().ok_or_else(bad_name)?);
        let name = own.and_then(|own| name.join(&own)).map_err(|_| bad_name())?;
        if kind.is_dir() {
            directories.push((name, path));
        } else {
            self.files.push((name, path));
        }
        Ok(())
    }
}

/// Where a file of a directory goes below `root`, whose directories are made as far as they are not there.
///
/// # Errors
/// [`ClientError::OutputExists`] if something else than a directory is in the way, a link to one, too.
pub(super) fn place_below(
    root: &Path,
    directory: &SpacePath,
    file: &SpacePath,
) -> Result<PathBuf, ClientError> {
    let below = file.as_str().strip_prefix(directory.as_str()).unwrap_or_default();
    let mut place = root.to_owned();
    // Names of a path are harmless by its type: none is `..`, none holds a separator.
    let mut names = below.split('/').filter(|name| !name.is_empty()).peekable();
    make_directory(&place)?;
    while let Some(name) = names.next() {
        place.push(name);
        if names.peek().is_some() {
            make_directory(&place)?;
        }
    }
    Ok(place)
}

fn make_directory(path: &Path) -> Result<(), ClientError> {
    match DirBuilder::new().mode(0o755).create(path) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            let is_directory = path.symlink_metadata().is_ok_and(|metadata| metadata.is_dir());
            if is_directory { Ok(()) } else { Err(ClientError::OutputExists { path: path.to_owned() }) }
        }
        Err(error) => Err(ClientError::file("make the directory", path)(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{fs, os::unix::fs::symlink};

    fn path(text: &str) -> SpacePath {
        SpacePath::parse(text).unwrap()
    }

    #[test]
    fn a_tree_is_read_in_order_and_without_its_links() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().join("docs");
        fs::create_dir_all(root.join("a/b")).unwrap();
        fs::create_dir(root.join("nothing")).unwrap();
        fs::write(directory.path().join("outside"), "secret").unwrap();
        for name in ["z", "a/x", "a/b/y"] {
            fs::write(root.join(name), name).unwrap();
        }
        symlink("../outside", root.join("link")).unwrap();
        symlink("..", root.join("a/up")).unwrap();
        let tree = Tree::read(&root, &path("kept/docs"));
        let names: Vec<&str> = tree.files.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["kept/docs/a/b/y", "kept/docs/a/x", "kept/docs/z"]);
        assert_eq!((tree.left_out.len(), tree.empty), (2, vec![root.join("nothing")]));
        assert!(tree.unreadable.is_empty());
    }

    #[test]
    fn m26_a_link_in_the_way_is_an_error_and_nothing_is_made_behind_it() {
        let directory = tempfile::tempdir().unwrap();
        let (root, elsewhere) = (directory.path().join("docs"), directory.path().join("elsewhere"));
        fs::create_dir(&elsewhere).unwrap();
        let place = |file: &str| place_below(&root, &path("docs"), &path(file));
        assert_eq!(place("docs/a/b/c").unwrap(), root.join("a/b/c"));
        assert!(root.join("a/b").is_dir() && !root.join("a/b/c").exists());
        symlink(&elsewhere, root.join("out")).unwrap();
        assert!(matches!(place("docs/out/c"), Err(ClientError::OutputExists { .. })));
        assert!(matches!(place("docs/out/deeper/c"), Err(ClientError::OutputExists { .. })));
        assert_eq!(fs::read_dir(&elsewhere).unwrap().count(), 0);
        fs::write(root.join("file"), "").unwrap();
        assert!(matches!(place("docs/file/c"), Err(ClientError::OutputExists { .. })));
    }
}
