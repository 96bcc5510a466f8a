//! The journals of a device: what it keeps of each upload that is not done, so that the upload can go on or be dropped.
//!
//! ```text
//! HOME/transfers/       0700
//!   NAME                0600, one per upload, locked while a command carries it out: a sealed head, then sealed records of one length; NAME comes
//!                       from the memory key, the file's path, or the blob of a stream, and the name that it is to get
//! ```
//! A chunk's record is written before the chunk is sent, in constant time; head and end are on the disk before anything that they tell of is sent.
//! States that a crash can leave:
//! - nothing: nothing was sent. The head appears complete and synced, or not at all.
//! - a head: the relay was asked for nothing yet.
//! - a head and all credits that pay for the blob, or some of them: it may be at the relay. If it is not, it is asked for again with the same ones: so they pay
//!   once, and for nothing else. With some of them only, nothing was asked for.
//! - a head, credits and chunks: so may they. A chunk that was sent and has no record, because the power failed, is sent again under a fresh nonce. What is
//!   torn at the end, or zeros, was never written.
//! - a head, credits and an end: the blob may be finished, and is then stored; all that is left is to list it.
//! - any of these, and the blob is listed: it is done, and the next command removes the journal.
//!
//! Whatever else stands there is damage: of a record, the upload is not gone on with, and its blob can still be destroyed; of the head, nothing is
//! known, and the relay forgets an unfinished blob by itself. A journal is bounded: one of many runs is not gone on with either.

mod directory;
mod kept;

pub(super) use kept::Kept;

use super::{Refunds, Run, own_file};
use crate::{ClientError, payment::Payment, random};
use directory::{UNFINISHED, lock, make, read, remove, sync};
use kept::Parsed;
use nightdrop_envelope::{
    chunk::ChunkNonce,
    journal::{JournalHead, JournalKey, JournalRecord, SEALED_HEAD, SEALED_RECORD},
    space::SpacePath,
};
use nightdrop_wire::{ids::BlobId, messages::blob::ChunkHash};
use nix::fcntl::{Flock, FlockArg};
use std::{
    fs::File,
    io::{self, ErrorKind, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

/// The journals of one account on this device. Clones are the same.
#[derive(Debug, Clone)]
pub struct Journals {
    shared: Arc<Shared>,
    refunds: Refunds,
    /// Who is at them, where somebody goes on with what the network cuts off.
    run: Option<Run>,
}

#[derive(Debug)]
struct Shared {
    directory: PathBuf,
    key: JournalKey,
    keyring: u64,
}

/// The journal of an upload that this process carries out, or drops.
#[derive(Debug)]
pub(super) struct Journal {
    journals: Journals,
    path: PathBuf,
    head: JournalHead,
    kept: Kept,
    end: Mutex<End>,
}

#[derive(Debug)]
struct End {
    file: Flock<File>,
    records: u64,
}

/// What stands under the name of a journal.
#[derive(Debug)]
pub(super) enum Found {
    /// Nothing.
    Nothing,
    /// A journal.
    Kept(Box<Journal>),
    /// Something that does not open, locked if it can be.
    Damaged(DamagedJournal),
}

/// Something that does not open.
#[derive(Debug)]
pub(super) struct DamagedJournal {
    path: PathBuf,
    /// None if it is no file of this user alone: no command of ours is at such a thing.
    _lock: Option<Flock<File>>,
}

/// What a journal says to whoever only looks.
#[derive(Debug)]
pub struct Seen {
    pub(super) path: PathBuf,
    /// What it begins with, and its records; none if it does not open.
    pub(super) head: Option<(JournalHead, Kept)>,
}

impl Journals {
    /// Those in a directory, which is made when it is needed. `keyring` is the version of the account's keyring.
    #[must_use]
    pub fn new(directory: PathBuf, key: JournalKey, keyring: u64) -> Self {
        let shared = Arc::new(Shared { directory, key, keyring });
        Self { shared, refunds: Refunds::default(), run: None }
    }

    /// The same, which notes here what is given back for uploads that are destroyed.
    #[must_use]
    pub fn with_refunds(self, refunds: Refunds) -> Self {
        Self { refunds, ..self }
    }

    /// The same, as this run uses them.
    #[must_use]
    pub fn used_by(self, run: Run) -> Self {
        Self { run: Some(run), ..self }
    }

    /// Who is at them.
    pub(super) const fn run(&self) -> Option<&Run> {
        self.run.as_ref()
    }

    /// What is given back for uploads that were destroyed.
    pub(super) const fn refunds(&self) -> &Refunds {
        &self.refunds
    }

    /// Version of the account's keyring.
    pub(super) fn keyring(&self) -> u64 {
        self.shared.keyring
    }

    /// The journal of an upload from a path to a name, locked.
    ///
    /// # Errors
    /// [`ClientError::TransferRunning`] if a command is at it; [`ClientError::File`].
    pub(super) fn find(&self, path: &[u8], name: &SpacePath) -> Result<Found, ClientError> {
        let found = self.open(self.shared.directory.join(self.shared.key.file_name(path, name)))?;
        if let (Found::Kept(journal), Some(run)) = (&found, &self.run) {
            run.takes(journal.head().blob);
        }
        Ok(found)
    }

    /// The journal that was seen, locked.
    ///
    /// # Errors
    /// As [`Self::find`].
    pub(super) fn open(&self, path: PathBuf) -> Result<Found, ClientError> {
        let file = match own_file::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Found::Nothing),
            Err(error) if own_file::is_foreign(&error) => {
                return Ok(Found::Damaged(DamagedJournal { path, _lock: None }));
            }
            Err(error) => return Err(ClientError::file("open", &path)(error)),
        };
        let mut file = lock(file, &path)?;
        if !own_file::is_still(&path, &file) {
            return Ok(Found::Nothing);
        }
        let bytes = read(&mut file).map_err(ClientError::file("read", &path))?;
        match self.shared.parse(&path, &bytes) {
            Parsed::Nothing => {
                remove(&path)?;
                Ok(Found::Nothing)
            }
            Parsed::Damaged => Ok(Found::Damaged(DamagedJournal { path, _lock: Some(file) })),
            Parsed::Journal(head, kept) => {
                if kept.is_sound {
                    // What is torn makes room for the next record.
                    let end = (SEALED_HEAD as u64) + kept.records * SEALED_RECORD as u64;
                    file.set_len(end)
                        .and_then(|()| file.seek(SeekFrom::Start(end)))
                        .map_err(ClientError::file("write", &path))?;
                }
                let end = Mutex::new(End { file, records: kept.records });
                Ok(Found::Kept(Box::new(Journal { journals: self.clone(), path, head: *head, kept, end })))
            }
        }
    }

    /// Begins the journal of an upload that has none, or whose earlier one is `ended` and gives way to it: from here on its blob can be destroyed,
    /// whatever happens.
    ///
    /// # Errors
    /// [`ClientError::TransferRunning`] if another command begins it at this moment; [`ClientError::File`].
    pub(super) fn begin(&self, head: JournalHead, ended: Option<&Journal>) -> Result<Journal, ClientError> {
        let Shared { directory, key, keyring: _ } = &*self.shared;
        let path = directory.join(self.shared.name_of(&head));
        let sealed = key.seal_head(&head, &mut random::system()).map_err(ClientError::Sealing)?;
        make(directory).map_err(ClientError::file("make the directory", directory))?;
        self.sweep()?;
        let failed = |error: io::Error| ClientError::file("write", &path)(error);
        let mut file = tempfile::Builder::new()
            .prefix(UNFINISHED)
            .tempfile_in(directory)
            .map_err(ClientError::file("write in", directory))?;
        file.write_all(&sealed).and_then(|()| file.as_file().sync_all()).map_err(failed)?;
        // Locked before anybody can find it.
        let locked = lock(file.as_file().try_clone().map_err(failed)?, &path)?;
        // Who has the lock of the one that stands there may take its place.
        let put = match ended {
            Some(ended) if ended.path == path => file.persist(&path),
            _ => file.persist_noclobber(&path),
        };
        put.map_err(|error| match error.error.kind() {
            ErrorKind::AlreadyExists => ClientError::TransferRunning,
            _ => failed(error.error),
        })?;
        sync(directory)?;
        if let Some(run) = &self.run {
            run.begins(head.blob);
        }
        let end = Mutex::new(End { file: locked, records: 0 });
        let kept = Kept { is_sound: true, ..Kept::default() };
        Ok(Journal { journals: self.clone(), path, head, kept, end })
    }

    /// Every journal, the oldest first; those that do not open come last.
    ///
    /// # Errors
    /// [`ClientError::File`].
    pub fn all(&self) -> Result<Vec<Seen>, ClientError> {
        let mut all = Vec::new();
        for path in self.paths()? {
            let bytes = own_file::open(&path).and_then(|mut file| read(&mut file));
            match bytes.map(|bytes| self.shared.parse(&path, &bytes)) {
                Ok(Parsed::Nothing) => {}
                Ok(Parsed::Journal(head, kept)) => all.push(Seen { path, head: Some((*head, kept)) }),
                Ok(Parsed::Damaged) => all.push(Seen { path, head: None }),
                // Its upload was done at this moment.
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) if own_file::is_foreign(&error) => all.push(Seen { path, head: None }),
                Err(error) => return Err(ClientError::file("read", &path)(error)),
            }
        }
        all.sort_by(|one, other| one.order().cmp(&other.order()));
        Ok(all)
    }

    /// Removes the journals of blobs that are listed, and tells how many do not open.
    ///
    /// # Errors
    /// [`ClientError::File`].
    pub fn settle(&self, is_listed: impl Fn(BlobId) -> bool) -> Result<usize, ClientError> {
        let mut damaged = 0;
        for path in self.paths()? {
            let mut head = Vec::with_capacity(SEALED_HEAD);
            let read =
                own_file::open(&path).and_then(|file| file.take(SEALED_HEAD as u64).read_to_end(&mut head));
            match read {
                Ok(SEALED_HEAD) => match self.shared.key.open_head(&head) {
                    Ok(head) if is_listed(head.blob) => self.remove_unless_running(path, &is_listed)?,
                    Ok(_) => {}
                    Err(_) => damaged += 1,
                },
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(_) => damaged += 1,
            }
        }
        Ok(damaged)
    }

    fn remove_unless_running(
        &self,
        path: PathBuf,
        is_listed: impl Fn(BlobId) -> bool,
    ) -> Result<(), ClientError> {
        match self.open(path) {
            // Another upload may have taken its place before it was locked.
            Ok(Found::Kept(journal)) if is_listed(journal.head().blob) => journal.remove(),
            // Whoever is at it removes it.
            Ok(Found::Kept(_) | Found::Nothing | Found::Damaged(_)) | Err(ClientError::TransferRunning) => {
                Ok(())
            }
            Err(error) => Err(error),
        }
    }
}

impl Shared {
    /// What the journal that begins so is called.
    fn name_of(&self, head: &JournalHead) -> String {
        match &head.origin {
            Some(origin) => self.key.file_name(&origin.path, &head.name),
            // No path holds a zero byte. In clear the blob would join this disk with what the relay has.
            None => self.key.file_name(&[&[0], &head.blob.as_bytes()[..]].concat(), &head.name),
        }
    }

    /// A journal under the name of another one is damage.
    fn parse(&self, path: &Path, bytes: &[u8]) -> Parsed {
        match Parsed::of(bytes, &self.key) {
            Parsed::Journal(head, _) if path.file_name() != Some(self.name_of(&head).as_ref()) => {
                Parsed::Damaged
            }
            parsed => parsed,
        }
    }
}

impl Seen {
    fn order(&self) -> (bool, u64, &Path) {
        (self.head.is_none(), self.head.as_ref().map_or(0, |(head, _)| head.began), &self.path)
    }

    /// Whether a command is at it.
    pub(super) fn is_running(&self) -> bool {
        let Ok(file) = own_file::open(&self.path) else { return false };
        Flock::lock(file, FlockArg::LockSharedNonblock).is_err()
    }
}

impl Journal {
    pub(super) const fn head(&self) -> &JournalHead {
        &self.head
    }

    /// What earlier runs wrote.
    pub(super) const fn kept(&self) -> &Kept {
        &self.kept
    }

    pub(super) const fn journals(&self) -> &Journals {
        &self.journals
    }

    /// Writes down a chunk that is about to be sent.
    ///
    /// # Errors
    /// [`ClientError::File`]: then it must not be sent.
    pub(super) fn note_chunk(
        &self,
        index: u32,
        nonce: ChunkNonce,
        hash: ChunkHash,
    ) -> Result<(), ClientError> {
        self.note(&JournalRecord::Chunk { index, nonce, hash }, false)
    }

    /// Writes down an end that is about to be sent; it is on the disk then.
    ///
    /// # Errors
    /// As [`Self::note_chunk`].
    pub(super) fn note_end(&self, end: &JournalRecord) -> Result<(), ClientError> {
        self.note(end, true)
    }

    /// Writes down what pays for the blob, before anybody is shown it; it is on the disk then.
    ///
    /// # Errors
    /// As [`Self::note_chunk`].
    pub(super) fn note_payment(&self, payment: &Payment) -> Result<(), ClientError> {
        let mut left = payment.credits().len();
        payment.credits().iter().try_for_each(|credit| {
            left -= 1;
            self.note(&JournalRecord::Paid(credit.clone()), left == 0)
        })
    }

    fn note(&self, record: &JournalRecord, sync: bool) -> Result<(), ClientError> {
        let mut end = self.end.lock().unwrap_or_else(PoisonError::into_inner);
        let key = &self.journals.shared.key;
        let sealed = key
            .seal_record(record, self.head.blob, end.records, &mut random::system())
            .map_err(ClientError::Sealing)?;
        let before = SEALED_HEAD as u64 + end.records * SEALED_RECORD as u64;
        let written =
            end.file.write_all(&sealed).and_then(|()| if sync { end.file.sync_data() } else { Ok(()) });
        if let Err(error) = written {
            // Half a record would shift those that follow.
            let _ = end.file.set_len(before);
            let _ = end.file.seek(SeekFrom::Start(before));
            return Err(ClientError::file("write", &self.path)(error));
        }
        end.records += 1;
        Ok(())
    }

    /// The upload is done, or dropped.
    ///
    /// # Errors
    /// [`ClientError::File`].
    pub(super) fn remove(&self) -> Result<(), ClientError> {
        remove(&self.path)
    }
}

impl DamagedJournal {
    /// Forgets it.
    ///
    /// # Errors
    /// [`ClientError::File`].
    pub(super) fn remove(&self) -> Result<(), ClientError> {
        remove(&self.path)
    }
}

#[cfg(test)]
mod tests;
