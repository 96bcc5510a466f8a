//! Where the user wants a download. Nothing that lies there already is replaced.

use super::partial::{PartialFile, require_free};
use crate::ClientError;
use nightdrop_envelope::{file_name::FileName, manifest::VerifiedManifest};
use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

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

    /// Exactly this path: a directory under it is in the way, a link, too.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn exactly(path: &Path) -> Result<Self, ClientError> {
        require_free(path)?;
        Self::new(Some(path))
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

    /// Makes the partial file for the file of a manifest, or goes on with one; gives the chunks that are in it.
    ///
    /// # Errors
    /// [`ClientError::SpecialName`] if nothing but the author's choice would make a file that programs run or read by themselves.
    pub(super) fn begin(
        &self,
        manifest: &VerifiedManifest,
    ) -> Result<(PartialFile, BTreeSet<u32>), ClientError> {
        let authors_name = &manifest.facts().name;
        if self.name.is_none() && authors_name.is_special() {
            return Err(ClientError::SpecialName(authors_name.as_str().to_owned()));
        }
        let path = self.final_path(Some(authors_name));
        require_free(&path)?;
        PartialFile::begin(&self.directory, path, manifest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nightdrop_envelope::{
        chunk::ChunkBuffer,
        key::FileKey,
        manifest::{FileFacts, seal_manifest},
    };
    use nightdrop_wire::{ids::BlobId, size_class::SizeClass};
    use std::time::{Duration, UNIX_EPOCH};

    const BLOB: BlobId = BlobId::from_bytes([7; 16]);

    /// A file of three chunks, as its author made it, and the sealed chunks.
    fn made(name: &str) -> (VerifiedManifest, Vec<Vec<u8>>) {
        made_at(name, Some(1_000_000_000))
    }

    fn made_at(name: &str, modified: Option<i64>) -> (VerifiedManifest, Vec<Vec<u8>>) {
        let (key, full) = (FileKey::from_bytes([8; 32]), SizeClass::FULL.chunk_plaintext());
        let rng = &mut rand::rng();
        let chunks: Vec<_> = (0..3_u32)
            .map(|index| {
                let mut buffer = ChunkBuffer::new(SizeClass::FULL);
                let length = if index == 2 { 10 } else { full };
                buffer.plaintext_mut()[..length].fill(u8::try_from(index).unwrap() + 1);
                buffer.seal(&key, BLOB, index, rng).unwrap()
            })
            .collect();
        let size = 2 * full as u64 + 10;
        let facts = FileFacts { name: FileName::parse(name).unwrap(), size, modified };
        let hashes: Vec<_> = chunks.iter().map(|chunk| chunk.hash).collect();
        let sealed = seal_manifest(&facts, &hashes, &key, BLOB, rng).unwrap();
        let manifest = VerifiedManifest::open(&sealed.bytes, &sealed.hash, key, BLOB).unwrap();
        (manifest, chunks.into_iter().map(|chunk| chunk.bytes).collect())
    }

    fn manifest() -> VerifiedManifest {
        made("authors.txt").0
    }

    fn write(partial: &PartialFile, manifest: &VerifiedManifest, index: u32, chunks: &[Vec<u8>]) {
        let chunk = manifest.open_chunk(index, chunks[index as usize].clone()).unwrap();
        partial.write(index, &chunk).unwrap();
    }

    fn files(directory: &Path) -> usize {
        std::fs::read_dir(directory).unwrap().count()
    }

    #[test]
    fn the_final_name_appears_only_at_the_end() {
        let directory = tempfile::tempdir().unwrap();
        let output = OutputPath::new(Some(directory.path())).unwrap();
        let (partial, held) = output.begin(&manifest()).unwrap();
        assert!(held.is_empty() && !directory.path().join("authors.txt").exists());
        assert_eq!(partial.finish().unwrap(), directory.path().join("authors.txt"));
        assert_eq!(files(directory.path()), 1);
        let modified = std::fs::metadata(directory.path().join("authors.txt")).unwrap().modified().unwrap();
        assert_eq!(modified, UNIX_EPOCH + Duration::from_secs(1_000_000_000), "as its author's");
    }

    #[test]
    fn what_holds_nothing_or_is_discarded_leaves_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let output = OutputPath::new(Some(&directory.path().join("mine"))).unwrap();
        let (manifest, chunks) = made("authors.txt");
        drop(output.begin(&manifest).unwrap());
        assert_eq!(files(directory.path()), 0);
        let (partial, _) = output.begin(&manifest).unwrap();
        write(&partial, &manifest, 1, &chunks);
        partial.discard();
        assert_eq!(files(directory.path()), 0);
    }

    #[test]
    fn m27_what_was_cut_off_is_gone_on_with() {
        let directory = tempfile::tempdir().unwrap();
        let output = OutputPath::new(Some(&directory.path().join("mine"))).unwrap();
        let (manifest, chunks) = made("authors.txt");
        let (partial, _) = output.begin(&manifest).unwrap();
        write(&partial, &manifest, 2, &chunks);
        write(&partial, &manifest, 0, &chunks);
        drop(partial);
        assert_eq!(files(directory.path()), 2);
        let elsewhere = OutputPath::new(Some(&directory.path().join("other"))).unwrap();
        assert!(elsewhere.begin(&manifest).unwrap().1.is_empty(), "of this place only");
        let (partial, held) = output.begin(&manifest).unwrap();
        assert_eq!(held, BTreeSet::from([0, 2]));
        write(&partial, &manifest, 1, &chunks);
        let done = std::fs::read(partial.finish().unwrap()).unwrap();
        let full = SizeClass::FULL.chunk_plaintext();
        assert!(
            done.len() == 2 * full + 10
                && done.chunks(full).zip(1..).all(|(chunk, n)| chunk.iter().all(|byte| *byte == n))
        );
        assert_eq!(files(directory.path()), 1);
    }

    /// Lost by the disk, or changed by somebody: only what has its mark counts.
    #[test]
    fn what_is_not_as_it_was_written_is_fetched_again() {
        let directory = tempfile::tempdir().unwrap();
        let output = OutputPath::new(Some(&directory.path().join("mine"))).unwrap();
        let (manifest, chunks) = made("authors.txt");
        let (partial, _) = output.begin(&manifest).unwrap();
        (0..3).for_each(|index| write(&partial, &manifest, index, &chunks));
        drop(partial);
        let find = |kind: &str| {
            let entries = std::fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().path());
            entries.into_iter().find(|path| path.extension().is_some_and(|found| found == kind)).unwrap()
        };
        let mut content = std::fs::read(find("partial")).unwrap();
        content[5] ^= 1;
        std::fs::write(find("partial"), content).unwrap();
        let mut journal = std::fs::read(find("journal")).unwrap();
        // The last record is torn.
        journal.truncate(journal.len() - 1);
        std::fs::write(find("journal"), journal).unwrap();
        assert_eq!(output.begin(&manifest).unwrap().1, BTreeSet::from([1]));
        // A journal that somebody made without the key says nothing.
        std::fs::write(find("journal"), [0; 360]).unwrap();
        assert!(output.begin(&manifest).unwrap().1.is_empty());
    }

    #[test]
    fn a_file_that_exists_or_appears_meanwhile_is_never_replaced() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("mine");
        let output = OutputPath::new(Some(&path)).unwrap();
        let (partial, _) = output.begin(&manifest()).unwrap();
        std::fs::write(&path, "theirs").unwrap();
        assert!(matches!(partial.finish(), Err(ClientError::OutputExists { .. })));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "theirs");
        assert!(matches!(OutputPath::new(Some(&path)), Err(ClientError::OutputExists { .. })));
        assert_eq!(files(directory.path()), 1, "it held nothing");
        std::fs::remove_file(&path).unwrap();
        let (manifest, chunks) = made("authors.txt");
        let (partial, _) = output.begin(&manifest).unwrap();
        (0..3).for_each(|index| write(&partial, &manifest, index, &chunks));
        std::fs::write(&path, "theirs").unwrap();
        assert!(matches!(partial.finish(), Err(ClientError::OutputExists { .. })));
        std::fs::remove_file(&path).unwrap();
        let (partial, held) = output.begin(&manifest).unwrap();
        assert_eq!(held.len(), 3, "what is whole is kept for when the name is free");
        partial.finish().unwrap();
        assert_eq!(files(directory.path()), 1);
    }

    #[test]
    fn m26_a_link_in_the_way_is_not_followed() {
        let directory = tempfile::tempdir().unwrap();
        let output = OutputPath::new(Some(directory.path())).unwrap();
        assert!(output.begin(&manifest()).is_ok());
        std::os::unix::fs::symlink("nowhere", directory.path().join("authors.txt")).unwrap();
        assert!(matches!(output.begin(&manifest()), Err(ClientError::OutputExists { .. })));
    }

    /// Somebody else's files, and links to them, where the partial file would be.
    #[test]
    fn m26_files_that_are_not_ours_are_not_used() {
        let directory = tempfile::tempdir().unwrap();
        let output = OutputPath::new(Some(&directory.path().join("mine"))).unwrap();
        let (manifest, chunks) = made("authors.txt");
        let name = manifest.resume_name("mine");
        let theirs = directory.path().join("theirs");
        std::fs::write(&theirs, "theirs").unwrap();
        std::os::unix::fs::symlink(&theirs, directory.path().join(format!(".nightdrop-{name}.partial")))
            .unwrap();
        let (partial, _) = output.begin(&manifest).unwrap();
        (0..3).for_each(|index| write(&partial, &manifest, index, &chunks));
        partial.finish().unwrap();
        assert_eq!(std::fs::read_to_string(&theirs).unwrap(), "theirs");
    }

    /// On disks that know no rights all files are readable by all, and stay so.
    #[test]
    fn m27_what_others_can_read_is_gone_on_with_and_what_they_can_write_is_not() {
        for (mode, expected) in [(0o755, 3), (0o644, 3), (0o664, 0), (0o602, 0)] {
            let directory = tempfile::tempdir().unwrap();
            let output = OutputPath::new(Some(&directory.path().join("mine"))).unwrap();
            let (manifest, chunks) = made("authors.txt");
            let (partial, _) = output.begin(&manifest).unwrap();
            (0..3).for_each(|index| write(&partial, &manifest, index, &chunks));
            drop(partial);
            for entry in std::fs::read_dir(directory.path()).unwrap() {
                let others = std::os::unix::fs::PermissionsExt::from_mode(mode);
                std::fs::set_permissions(entry.unwrap().path(), others).unwrap();
            }
            let (partial, held) = output.begin(&manifest).unwrap();
            assert_eq!(held.len(), expected, "{mode:o}");
            (0..3).for_each(|index| write(&partial, &manifest, index, &chunks));
            partial.finish().unwrap();
            assert_eq!(files(directory.path()), if expected == 0 { 3 } else { 1 }, "{mode:o}");
        }
    }

    /// Somebody's link where the partial file would be: what was made beside it is removed.
    #[test]
    fn a_download_that_cannot_be_kept_leaves_no_journal() {
        let directory = tempfile::tempdir().unwrap();
        let output = OutputPath::new(Some(&directory.path().join("mine"))).unwrap();
        let (manifest, _) = made("authors.txt");
        let name = manifest.resume_name("mine");
        let link = directory.path().join(format!(".nightdrop-{name}.partial"));
        std::os::unix::fs::symlink("nowhere", &link).unwrap();
        let (partial, held) = output.begin(&manifest).unwrap();
        assert!(held.is_empty() && files(directory.path()) == 2, "the link and a passing file");
        drop(partial);
        assert_eq!(files(directory.path()), 1);
    }

    /// Of a time that no disk keeps, too.
    #[test]
    fn a_time_that_cannot_be_set_fails_no_download() {
        let directory = tempfile::tempdir().unwrap();
        for modified in [i64::MIN, -1, i64::MAX] {
            let output = OutputPath::new(Some(&directory.path().join(format!("{modified}")))).unwrap();
            let (manifest, chunks) = made_at("authors.txt", Some(modified));
            let (partial, _) = output.begin(&manifest).unwrap();
            (0..3).for_each(|index| write(&partial, &manifest, index, &chunks));
            assert!(partial.finish().unwrap().exists());
        }
        assert_eq!(files(directory.path()), 3);
    }

    #[test]
    fn m26_an_author_cannot_choose_a_name_that_programs_read_by_themselves() {
        let directory = tempfile::tempdir().unwrap();
        let output = OutputPath::new(Some(directory.path())).unwrap();
        for special in [".bash_profile", "-rf", "~x"] {
            let (manifest, _) = made(special);
            assert!(matches!(output.begin(&manifest), Err(ClientError::SpecialName(_))));
            let chosen = output.clone().or_named(FileName::parse(special).unwrap());
            assert!(chosen.begin(&manifest).is_ok(), "the user may");
        }
    }

    #[test]
    fn two_downloads_of_one_name_never_share_a_partial_file() {
        let directory = tempfile::tempdir().unwrap();
        let output = OutputPath::new(Some(directory.path())).unwrap();
        let (manifest, chunks) = made("authors.txt");
        let ((one, _), (other, _)) = (output.begin(&manifest).unwrap(), output.begin(&manifest).unwrap());
        write(&one, &manifest, 0, &chunks);
        write(&other, &manifest, 1, &chunks);
        one.finish().unwrap();
        assert!(matches!(other.finish(), Err(ClientError::OutputExists { .. })));
        assert_eq!(files(directory.path()), 1);
    }

    /// Whoever has the file's key can seal another file with it, and journal it: it is not taken for this one.
    #[test]
    fn m46_another_file_under_the_same_key_is_not_gone_on_with() {
        let directory = tempfile::tempdir().unwrap();
        let output = OutputPath::new(Some(&directory.path().join("mine"))).unwrap();
        let ((ours, _), (theirs, chunks)) = (made("authors.txt"), made("authors.txt"));
        assert_ne!(ours.resume_name("mine"), theirs.resume_name("mine"));
        let (partial, _) = output.begin(&theirs).unwrap();
        (0..3).for_each(|index| write(&partial, &theirs, index, &chunks));
        drop(partial);
        for kind in ["partial", "journal"] {
            let place = |manifest: &VerifiedManifest| {
                directory.path().join(format!(".nightdrop-{}.{kind}", manifest.resume_name("mine")))
            };
            std::fs::rename(place(&theirs), place(&ours)).unwrap();
        }
        assert!(output.begin(&ours).unwrap().1.is_empty());
    }

    #[test]
    fn the_longest_name_fits() {
        let directory = tempfile::tempdir().unwrap();
        let output = OutputPath::new(Some(directory.path())).unwrap();
        let longest = "x".repeat(255);
        assert!(output.begin(&made(&longest).0).unwrap().0.finish().is_ok());
    }
}
