//! A download on its way: a partial file beside its final place, which gets the final name only when it is whole, and a journal of the
//! chunks that are in it.
//!
//! ```text
//! .nightdrop-NAME.partial   the content, as far as it is there; NAME comes from the file's key, its manifest and its final name
//! .nightdrop-NAME.journal   for each chunk that was written: index (4, big-endian) ‖ nonce (24); locked while a download writes
//! ```
//! What is read again is believed if sealing it with that nonce gives the hash that the manifest lists: the same check as when it came.
//! States that a crash can leave:
//! - nothing, or an empty journal: the next download begins anew.
//! - both files: the next download of the same file to the same place goes on with the chunks for which that holds. For what the disk lost,
//!   or somebody changed, it does not, and a torn record at the journal's end is none.
//! - the final file and a journal: the download is done; the journal is removed by the next one to the same place.
//!
//! Files that belong to somebody else, or that others can write, are not used, and no link is followed: then, and while another download
//! writes the same file, the partial file has a random name and is not gone on with.

use super::own_file::{is_still, open_or_make};
use crate::ClientError;
use nightdrop_envelope::{
    chunk::{ChunkNonce, VerifiedChunk},
    manifest::{FileFacts, VerifiedManifest},
};
use nix::fcntl::{Flock, FlockArg};
use std::{
    collections::BTreeSet,
    fs::File,
    io::{self, Read, Seek, SeekFrom, Write},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use tempfile::{NamedTempFile, TempPath};

const RECORD: usize = 4 + size_of::<ChunkNonce>();

/// A download on its way.
#[derive(Debug)]
pub(super) struct PartialFile {
    directory: PathBuf,
    path: PathBuf,
    modified: Option<i64>,
    content: Content,
}

#[derive(Debug)]
enum Content {
    /// Removed unless it is finished.
    Passing(NamedTempFile),
    /// Kept for the next download of the same file, unless nothing is in it.
    Kept(Kept),
}

#[derive(Debug)]
struct Kept {
    file: File,
    path: PathBuf,
    journal: Mutex<Flock<File>>,
    journal_path: PathBuf,
    /// Nobody is to go on with it.
    discarded: bool,
}

impl PartialFile {
    /// Makes it for the file of a manifest that is to be `path` in `directory`, or goes on with one; gives the chunks that are in it.
    ///
    /// # Errors
    /// [`ClientError::File`].
    pub(super) fn begin(
        directory: &Path,
        path: PathBuf,
        manifest: &VerifiedManifest,
    ) -> Result<(Self, BTreeSet<u32>), ClientError> {
        let FileFacts { name: _, size, modified } = manifest.facts();
        let name = manifest.resume_name(&path.file_name().unwrap_or_default().to_string_lossy());
        let (content, held) = match Kept::open(directory, &name, manifest) {
            Some((kept, held)) => (Content::Kept(kept), held),
            None => (Content::Passing(passing(directory)?), BTreeSet::new()),
        };
        let partial = Self { directory: directory.to_owned(), path, modified: *modified, content };
        let sized = partial.file().set_len(*size);
        sized.map_err(ClientError::file("make room for", &partial.path))?;
        Ok((partial, held))
    }

    fn file(&self) -> &File {
        match &self.content {
            Content::Passing(file) => file.as_file(),
            Content::Kept(kept) => &kept.file,
        }
    }

    /// Writes what was verified; there is no way to write anything else.
    pub(super) fn write(&self, index: u32, chunk: &VerifiedChunk) -> Result<(), ClientError> {
        let write = || {
            self.file().write_all_at(chunk.content(), chunk.offset())?;
            match &self.content {
                Content::Passing(_) => Ok(()),
                Content::Kept(kept) => kept.note(index, &chunk.nonce()),
            }
        };
        write().map_err(ClientError::file("write", &self.path))
    }

    /// All chunks are in: gives the file its time, syncs, and gives it its name without ever replacing another.
    pub(super) fn finish(self) -> Result<PathBuf, ClientError> {
        let Self { directory, path, modified, content } = self;
        let file = match &content {
            Content::Passing(file) => file.as_file(),
            Content::Kept(kept) => &kept.file,
        };
        // A disk may know no such time; the content is whole all the same.
        let _ = modified.and_then(time).map(|modified| file.set_modified(modified));
        let opened = File::open(&directory);
        file.sync_all().map_err(ClientError::file("sync", &path))?;
        let (named, journal) = match content {
            Content::Passing(file) => {
                (file.persist_noclobber(&path).map(drop).map_err(|error| error.error), None)
            }
            Content::Kept(kept) => {
                let (journal, named) = kept.name(&path);
                (named, Some(journal))
            }
        };
        if let Err(error) = named {
            require_free(&path)?;
            return Err(ClientError::file("name", &path)(error));
        }
        // The file is there, under its name: a disk that cannot sync a directory, or a directory that cannot be read, does not make that untrue.
        let _ = opened.and_then(|directory| directory.sync_all());
        drop(journal);
        Ok(path)
    }

    /// Whatever went wrong, going on would not help.
    pub(super) fn discard(self) {
        if let Content::Kept(mut kept) = self.content {
            kept.discarded = true;
        }
    }
}

impl Kept {
    /// `None` where nothing can be kept, or another download writes it.
    fn open(directory: &Path, name: &str, manifest: &VerifiedManifest) -> Option<(Self, BTreeSet<u32>)> {
        let place = |kind: &str| directory.join(format!(".nightdrop-{name}.{kind}"));
        let (path, journal_path) = (place("partial"), place("journal"));
        let journal = open_or_make(&journal_path).ok()?;
        let mut journal = Flock::lock(journal, FlockArg::LockExclusiveNonblock).ok()?;
        // Whoever wrote it before may have finished it, and removed it, while this one waited for nothing.
        if !is_still(&journal_path, &journal) {
            return None;
        }
        let Some((file, held)) = open_or_make(&path)
            .and_then(|file| held_chunks(&mut journal, &file, manifest).map(|held| (file, held)))
            .ok()
        else {
            // Nothing is left of what cannot be gone on with; who waits for it finds that it is another one.
            if journal.metadata().is_ok_and(|metadata| metadata.len() < RECORD as u64) {
                let _ = std::fs::remove_file(&journal_path);
            }
            return None;
        };
        let journal = Mutex::new(journal);
        Some((Self { file, path, journal, journal_path, discarded: false }, held))
    }

    fn note(&self, index: u32, nonce: &ChunkNonce) -> io::Result<()> {
        let record = [index.to_be_bytes().as_slice(), nonce].concat();
        let mut journal = self.journal.lock().unwrap_or_else(PoisonError::into_inner);
        let before = journal.stream_position()?;
        journal.write_all(&record).inspect_err(|_| {
            // Half a record would shift those that follow.
            let _ = journal.set_len(before);
            let _ = journal.seek(SeekFrom::Start(before));
        })
    }

    /// Gives the content its name; what is left is the journal, to be removed when that is on the disk.
    fn name(mut self, path: &Path) -> (Self, io::Result<()>) {
        let named = TempPath::try_from_path(&self.path).and_then(|partial| {
            partial.persist_noclobber(path).map_err(|mut error| {
                error.path.disable_cleanup(true);
                error.error
            })
        });
        self.discarded = named.is_ok();
        (self, named)
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        let journal = self.journal.get_mut().unwrap_or_else(PoisonError::into_inner);
        let nothing = journal.metadata().is_ok_and(|metadata| metadata.len() < RECORD as u64);
        if self.discarded || nothing {
            // What cannot be removed is gone on with, or overwritten.
            let _ = std::fs::remove_file(&self.path);
            let _ = std::fs::remove_file(&self.journal_path);
        }
    }
}

/// The chunks whose content is right; leaves the journal ready for the next record.
fn held_chunks(journal: &mut File, file: &File, manifest: &VerifiedManifest) -> io::Result<BTreeSet<u32>> {
    let (layout, mut held) = (*manifest.layout(), BTreeSet::new());
    // Each chunk is written once in each run; a journal of many runs is begun anew.
    let longest = 4 * u64::from(layout.chunks()) * RECORD as u64;
    let mut records = Vec::new();
    Read::take(&mut *journal, longest).read_to_end(&mut records)?;
    let mut content = vec![0; layout.class().chunk_plaintext()];
    for record in records.chunks_exact(RECORD) {
        let Some((index, nonce)) = record.split_first_chunk::<4>() else { continue };
        let index = u32::from_be_bytes(*index);
        if index >= layout.chunks() || held.contains(&index) {
            continue;
        }
        let Some(content) = content.get_mut(..layout.content(index)) else { continue };
        let read = file.read_exact_at(content, layout.offset(index));
        let nonce = nonce.try_into().ok();
        if read.is_ok() && nonce.is_some_and(|nonce| manifest.holds(index, content, nonce)) {
            held.insert(index);
        }
    }
    let whole = (records.len() - records.len() % RECORD) as u64;
    let kept = if whole >= longest || held.is_empty() { 0 } else { whole };
    journal.set_len(kept)?;
    journal.seek(SeekFrom::Start(kept))?;
    Ok(if kept == 0 { BTreeSet::new() } else { held })
}

fn passing(directory: &Path) -> Result<NamedTempFile, ClientError> {
    tempfile::Builder::new()
        .prefix(".nightdrop-")
        .suffix(".partial")
        .tempfile_in(directory)
        .map_err(ClientError::file("write in", directory))
}

pub(super) fn require_free(path: &Path) -> Result<(), ClientError> {
    // A dangling link counts: what it points to is not ours to make.
    if path.symlink_metadata().is_ok() {
        return Err(ClientError::OutputExists { path: path.to_owned() });
    }
    Ok(())
}

/// The time that is so many seconds after the epoch; none if this system has no such time.
fn time(seconds: i64) -> Option<SystemTime> {
    let distance = Duration::from_secs(seconds.unsigned_abs());
    if seconds < 0 { UNIX_EPOCH.checked_sub(distance) } else { UNIX_EPOCH.checked_add(distance) }
}
