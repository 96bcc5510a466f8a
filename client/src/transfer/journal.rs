//! The journals of a device: what it keeps of each upload that is not done, so that the upload can go on or be dropped.
//!
//! ```text
//! HOME/transfers/       0700
//!   NAME                0600, one per upload, locked while a command carries it out: a sealed head, then sealed records of one length; NAME comes
//!                       from the memory key, the file's path and the name that it is to get, and is random for a stream
//! ```
//! A chunk's record is written before the chunk is sent, in constant time; head and end are on the disk before anything that they tell of is sent.
//! States that a crash can leave:
//! - nothing: nothing was sent. The head appears complete and synced, or not at all.
//! - a head: the blob may be at the relay.
//! - a head and chunks: so may they. A chunk that was sent and has no record, because the power failed, is sent again under a fresh nonce. What is
//!   torn at the end, or zeros, was never written.
//! - a head and an end: the blob may be finished, and is then stored; all that is left is to list it.
//! - any of these, and the blob is listed: it is done, and the next command removes the journal.
//!
//! Whatever else stands there is damage: of a record, the upload is not gone on with, and its blob can still be destroyed; of the head, nothing is
//! known, and the relay forgets an unfinished blob by itself. A journal is bounded: one of many runs is not gone on with either.

use super::own_file;
use crate::{ClientError, random};
use nightdrop_envelope::{
    chunk::ChunkNonce,
    journal::{JournalHead, JournalKey, JournalRecord, SEALED_HEAD, SEALED_RECORD},
    layout::Layout,
    space::SpacePath,
};
use nightdrop_wire::{ids::BlobId, limits::MAX_CHUNKS, messages::blob::ChunkHash};
use nix::fcntl::{Flock, FlockArg};
use std::{
    collections::BTreeMap,
    fs::{DirBuilder, File},
    io::{self, ErrorKind, Read, Seek, SeekFrom, Write},
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

/// Records that a journal may have when it is gone on with: each chunk is sealed about once, and some again in each run.
const MOST_PER_CHUNK: u64 = 4;
const MOST_BESIDE: u64 = 1_024;
/// Nothing longer is read: one more run than that.
const LONGEST: u64 =
    SEALED_HEAD as u64 + ((MOST_PER_CHUNK + 1) * MAX_CHUNKS as u64 + 2 * MOST_BESIDE) * SEALED_RECORD as u64;
/// Who looks at a journal, or is about to end, holds its lock for a moment.
const LOCK_ATTEMPTS: u32 = 40;
const LOCK_PAUSE: Duration = Duration::from_millis(25);

/// The journals of one account on this device. Clones are the same.
#[derive(Debug, Clone)]
pub struct Journals {
    shared: Arc<Shared>,
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

/// What records say.
#[derive(Debug, Default)]
pub(super) struct Kept {
    /// What each chunk was sealed as, once for each time.
    pub(super) chunks: BTreeMap<u32, Vec<(ChunkNonce, ChunkHash)>>,
    /// Every end that was sent, or about to be.
    pub(super) ends: Vec<JournalRecord>,
    /// Whether all that stands there could be read, and is not too much.
    pub(super) is_sound: bool,
    records: u64,
}

/// What stands under the name of a journal.
#[derive(Debug)]
pub(super) enum Found {
    /// Nothing.
    Nothing,
    /// A journal.
    Kept(Box<Journal>),
    /// Something that does not open, locked.
    Damaged(DamagedJournal),
}

/// Something that does not open.
#[derive(Debug)]
pub(super) struct DamagedJournal {
    path: PathBuf,
    _lock: Flock<File>,
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
        Self { shared: Arc::new(Shared { directory, key, keyring }) }
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
        self.open(self.shared.directory.join(self.shared.key.file_name(path, name)))
    }

    /// The journal that was seen, locked.
    ///
    /// # Errors
    /// As [`Self::find`].
    pub(super) fn open(&self, path: PathBuf) -> Result<Found, ClientError> {
        let file = match own_file::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Found::Nothing),
            Err(error) => return Err(ClientError::file("open", &path)(error)),
        };
        let mut file = lock(file, &path)?;
        if !own_file::is_still(&path, &file) {
            return Ok(Found::Nothing);
        }
        let bytes = read(&mut file).map_err(ClientError::file("read", &path))?;
        match self.shared.parse(&bytes) {
            Parsed::Nothing => {
                remove(&path)?;
                Ok(Found::Nothing)
            }
            Parsed::Damaged => Ok(Found::Damaged(DamagedJournal { path, _lock: file })),
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

    /// Begins the journal of an upload that has none: from here on its blob can be destroyed, whatever happens.
    ///
    /// # Errors
    /// [`ClientError::TransferRunning`] if another command begins it at this moment; [`ClientError::File`].
    pub(super) fn begin(&self, head: JournalHead) -> Result<Journal, ClientError> {
        let Shared { directory, key, keyring: _ } = &*self.shared;
        let name = match &head.origin {
            Some(origin) => key.file_name(&origin.path, &head.name),
            None => head.blob.to_string(),
        };
        let path = directory.join(name);
        let sealed = key.seal_head(&head, &mut random::system()).map_err(ClientError::Sealing)?;
        make_directory(directory).map_err(ClientError::file("make the directory", directory))?;
        let failed = |error: io::Error| ClientError::file("write", &path)(error);
        let mut file = tempfile::Builder::new()
            .prefix(".unfinished-")
            .tempfile_in(directory)
            .map_err(ClientError::file("write in", directory))?;
        file.write_all(&sealed).and_then(|()| file.as_file().sync_all()).map_err(failed)?;
        // Locked before anybody can find it.
        let locked = lock(file.as_file().try_clone().map_err(failed)?, &path)?;
        file.persist_noclobber(&path).map_err(|error| match error.error.kind() {
            ErrorKind::AlreadyExists => ClientError::TransferRunning,
            _ => failed(error.error),
        })?;
        sync(directory)?;
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
            match bytes.map(|bytes| self.shared.parse(&bytes)) {
                Ok(Parsed::Nothing) => {}
                Ok(Parsed::Journal(head, kept)) => all.push(Seen { path, head: Some((*head, kept)) }),
                Ok(Parsed::Damaged) => all.push(Seen { path, head: None }),
                // Its upload was done at this moment.
                Err(error) if error.kind() == ErrorKind::NotFound => {}
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
                    Ok(head) if is_listed(head.blob) => self.remove_unless_running(path)?,
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

    fn remove_unless_running(&self, path: PathBuf) -> Result<(), ClientError> {
        match self.open(path) {
            Ok(Found::Kept(journal)) => journal.remove(),
            // Whoever is at it removes it.
            Ok(Found::Nothing | Found::Damaged(_)) | Err(ClientError::TransferRunning) => Ok(()),
            Err(error) => Err(error),
        }
    }

    fn paths(&self) -> Result<Vec<PathBuf>, ClientError> {
        let directory = &self.shared.directory;
        let entries = match std::fs::read_dir(directory) {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(ClientError::file("read", directory)(error)),
        };
        let paths: Result<Vec<PathBuf>, io::Error> =
            entries.map(|entry| entry.map(|entry| entry.path())).collect();
        let mut paths = paths.map_err(ClientError::file("read", directory))?;
        // What begins so is on its way to its name.
        paths.retain(|path| !path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b".")));
        Ok(paths)
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

/// What bytes are as a journal.
enum Parsed {
    /// Not even a head: nothing was ever sent.
    Nothing,
    Damaged,
    Journal(Box<JournalHead>, Kept),
}

impl Shared {
    fn parse(&self, bytes: &[u8]) -> Parsed {
        let Some((head, records)) = bytes.split_at_checked(SEALED_HEAD) else { return Parsed::Nothing };
        let Ok(head) = self.key.open_head(head) else { return Parsed::Damaged };
        let mut kept = Kept { is_sound: true, ..Kept::default() };
        let mut rest = records;
        while let Some((sealed, more)) = rest.split_at_checked(SEALED_RECORD) {
            match self.key.open_record(sealed, head.blob, kept.records) {
                Ok(JournalRecord::Chunk { index, nonce, hash }) => {
                    kept.chunks.entry(index).or_default().push((nonce, hash));
                }
                Ok(end @ JournalRecord::Finish { .. }) => kept.ends.push(end),
                Err(_) => {
                    // A disk that lost what was written last may give zeros in its place.
                    kept.is_sound = rest.iter().all(|byte| *byte == 0);
                    break;
                }
            }
            kept.records += 1;
            rest = more;
        }
        kept.is_sound &= kept.records <= most_records(&head);
        Parsed::Journal(Box::new(head), kept)
    }
}

fn most_records(head: &JournalHead) -> u64 {
    let layout = head.origin.as_ref().and_then(|origin| Layout::of_size(origin.stamp.size).ok());
    MOST_PER_CHUNK * layout.map_or(0, |layout| u64::from(layout.chunks())) + MOST_BESIDE
}

fn lock(mut file: File, path: &Path) -> Result<Flock<File>, ClientError> {
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

fn read(file: &mut File) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    Read::take(file, LONGEST).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn remove(path: &Path) -> Result<(), ClientError> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(ClientError::file("remove", path)(error)),
        _ => Ok(()),
    }
}

fn make_directory(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

fn sync(directory: &Path) -> Result<(), ClientError> {
    File::open(directory)
        .and_then(|directory| directory.sync_all())
        .map_err(ClientError::file("sync", directory))
}

#[cfg(test)]
mod tests {
    use super::*;
    use nightdrop_envelope::{
        capability::BlobCapabilities,
        journal::{Origin, Stamp},
        key::{FileKey, MemoryKey},
    };
    use nightdrop_wire::ids::AccountId;
    use std::{fs, os::unix::fs::MetadataExt};
    use tempfile::TempDir;

    const FROM: &[u8] = b"/home/anna/minutes of the meeting.txt";
    const TO: &str = "meetings/minutes.txt";

    fn journals(directory: &TempDir) -> Journals {
        let relay = "2gzyxa5ihm7nsggfxnu52rck2vv4rvmdlkiu3zzui5du4xyclen53wid".parse().unwrap();
        let key = JournalKey::new(MemoryKey::from_bytes([2; 32]), relay, AccountId::from_bytes([1; 10]));
        Journals::new(directory.path().join("transfers"), key, 1)
    }

    fn name() -> SpacePath {
        SpacePath::parse(TO).unwrap()
    }

    /// Of a file of two chunks.
    fn head(origin: bool) -> JournalHead {
        let stamp = Stamp { size: 2_000_000, modified: (1, 2), changed: (3, 4), inode: (5, 6) };
        let origin = origin.then(|| Origin { path: FROM.to_vec(), stamp, content: [7; 32] });
        let capabilities = BlobCapabilities::generate(&mut rand::rng());
        JournalHead::new((1, 1_000), capabilities, &FileKey::from_bytes([9; 32]), (name(), false), origin)
    }

    const END: JournalRecord =
        JournalRecord::Finish { manifest: [3; 32], content: [4; 32], size: 2_000_000, modified: None };

    /// What is in a journal: chunks, each with a number that stands for how it was sealed, and how many ends.
    type State = (Vec<(u32, u8)>, usize);

    fn state(kept: &Kept) -> State {
        let chunks = kept.chunks.iter().flat_map(|(index, sealings)| {
            sealings.iter().map(|(nonce, hash)| {
                assert!(nonce.iter().chain(hash).all(|byte| byte == &nonce[0]));
                (*index, nonce[0])
            })
        });
        assert!(kept.ends.iter().all(|end| *end == END));
        (chunks.collect(), kept.ends.len())
    }

    /// A journal with three chunks, one of them sealed twice, and an end; its states in order, and where it is.
    fn written(journals: &Journals) -> (Vec<State>, PathBuf) {
        let journal = journals.begin(head(true)).unwrap();
        let mut states = vec![(vec![], 0)];
        for (index, number) in [(1, 1), (0, 2), (1, 3)] {
            journal.note_chunk(index, [number; 24], [number; 32]).unwrap();
            states.push({
                let (mut chunks, ends): State = states.last().unwrap().clone();
                chunks.push((index, number));
                chunks.sort_unstable();
                (chunks, ends)
            });
        }
        journal.note_end(&END).unwrap();
        let (chunks, _) = states.last().unwrap().clone();
        states.push((chunks, 1));
        (states, journal.path.clone())
    }

    fn kept(journals: &Journals) -> Option<Journal> {
        match journals.find(FROM, &name()).unwrap() {
            Found::Kept(journal) => Some(*journal),
            Found::Nothing => None,
            Found::Damaged(_) => panic!("damaged"),
        }
    }

    #[test]
    fn what_was_written_is_there_and_nothing_of_it_in_clear() {
        let directory = tempfile::tempdir().unwrap();
        let journals = journals(&directory);
        let (states, path) = written(&journals);
        let journal = kept(&journals).unwrap();
        assert_eq!(state(journal.kept()), *states.last().unwrap());
        assert!(journal.kept().is_sound && journal.head().origin.as_ref().unwrap().path == FROM);
        let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o777;
        assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
        let bytes = fs::read(&path).unwrap();
        assert_eq!(bytes.len(), SEALED_HEAD + 4 * SEALED_RECORD);
        let blob = journal.head().blob;
        for secret in
            [&b"minutes"[..], b"meeting", blob.as_bytes(), blob.to_string().as_bytes(), &[9; 32], &[1; 24]]
        {
            assert!(!bytes.windows(secret.len()).any(|window| window == secret));
            assert!(!path.as_os_str().as_encoded_bytes().windows(secret.len()).any(|part| part == secret));
        }
        journal.remove().unwrap();
        assert!(kept(&journals).is_none());
    }

    #[test]
    fn c08_every_prefix_reads_as_an_earlier_state_or_as_nothing_and_is_gone_on_with() {
        let directory = tempfile::tempdir().unwrap();
        let journals = journals(&directory);
        let (states, path) = written(&journals);
        let bytes = fs::read(&path).unwrap();
        let around = |at: usize| at.saturating_sub(2)..at + 3;
        let borders = (0..5).flat_map(|records| around(SEALED_HEAD + records * SEALED_RECORD));
        let lengths =
            (0..SEALED_HEAD).step_by(97).chain(borders).chain((SEALED_HEAD..bytes.len()).step_by(7));
        for length in lengths.filter(|length| *length <= bytes.len()) {
            fs::write(&path, &bytes[..length]).unwrap();
            let Some(whole) = length.checked_sub(SEALED_HEAD) else {
                assert!(kept(&journals).is_none() && !path.exists(), "{length}");
                fs::write(&path, &bytes).unwrap();
                fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
                continue;
            };
            let journal = kept(&journals).unwrap();
            assert!(journal.kept().is_sound, "{length}");
            let expected = &states[whole / SEALED_RECORD];
            assert_eq!(state(journal.kept()), *expected, "{length}");
            journal.note_chunk(5, [9; 24], [9; 32]).unwrap();
            drop(journal);
            let (mut chunks, ends) = expected.clone();
            chunks.push((5, 9));
            let further = kept(&journals).unwrap();
            assert_eq!((state(further.kept()), further.kept().is_sound), ((chunks, ends), true), "{length}");
        }
    }

    #[test]
    fn what_a_disk_lost_and_gives_as_zeros_was_never_written() {
        let directory = tempfile::tempdir().unwrap();
        let journals = journals(&directory);
        let (states, path) = written(&journals);
        let bytes = fs::read(&path).unwrap();
        for records in 0..4 {
            let mut lost = bytes.clone();
            lost[SEALED_HEAD + records * SEALED_RECORD..].fill(0);
            lost.extend([0; 3 * SEALED_RECORD + 5]);
            fs::write(&path, &lost).unwrap();
            let journal = kept(&journals).unwrap();
            assert_eq!((state(journal.kept()), journal.kept().is_sound), (states[records].clone(), true));
        }
    }

    #[test]
    fn a_flipped_byte_is_damage_and_never_another_key_or_chunk() {
        let directory = tempfile::tempdir().unwrap();
        let journals = journals(&directory);
        let (states, path) = written(&journals);
        let bytes = fs::read(&path).unwrap();
        for at in (0..SEALED_HEAD).step_by(61).chain(SEALED_HEAD..bytes.len()) {
            let mut bad = bytes.clone();
            bad[at] ^= 1;
            fs::write(&path, &bad).unwrap();
            match (journals.find(FROM, &name()).unwrap(), at.checked_sub(SEALED_HEAD)) {
                (Found::Damaged(_), None) => {}
                (Found::Kept(journal), Some(record)) => {
                    assert!(!journal.kept().is_sound, "{at}");
                    assert_eq!(state(journal.kept()), states[record / SEALED_RECORD], "{at}");
                }
                (found, _) => panic!("{at}: {found:?}"),
            }
            assert!(matches!(fs::read(&path), Ok(left) if left == bad), "damage is left as it is");
            fs::write(&path, &bytes).unwrap();
        }
        let (one, other) = (SEALED_HEAD..SEALED_HEAD + SEALED_RECORD, SEALED_HEAD + SEALED_RECORD);
        let swapped =
            [&bytes[..one.start], &bytes[other..other + SEALED_RECORD], &bytes[one.clone()]].concat();
        fs::write(&path, swapped).unwrap();
        assert!(!kept(&journals).unwrap().kept().is_sound, "records in each other's places");
        fs::write(&path, [&bytes[..one.end], &bytes[one]].concat()).unwrap();
        assert!(!kept(&journals).unwrap().kept().is_sound, "a record that stands there twice");
    }

    #[test]
    fn what_does_not_open_is_counted_and_can_be_forgotten() {
        let directory = tempfile::tempdir().unwrap();
        let journals = journals(&directory);
        let (_, path) = written(&journals);
        let mut bytes = fs::read(&path).unwrap();
        bytes[100] ^= 1;
        fs::write(&path, bytes).unwrap();
        assert_eq!(journals.settle(|_| true).unwrap(), 1);
        assert!(path.exists() && journals.all().unwrap()[0].head.is_none());
        let Found::Damaged(damaged) = journals.find(FROM, &name()).unwrap() else { panic!() };
        damaged.remove().unwrap();
        assert_eq!(journals.settle(|_| true).unwrap(), 0);
    }

    #[test]
    fn one_command_at_a_time_has_a_journal() {
        let directory = tempfile::tempdir().unwrap();
        let journals = journals(&directory);
        let journal = journals.begin(head(true)).unwrap();
        assert!(matches!(journals.find(FROM, &name()), Err(ClientError::TransferRunning)));
        assert!(matches!(journals.begin(head(true)), Err(ClientError::TransferRunning)));
        let seen = journals.all().unwrap();
        assert!(seen.len() == 1 && seen[0].is_running());
        assert_eq!(journals.settle(|_| true).unwrap(), 0);
        assert!(journal.path.exists(), "whoever is at it removes it");
        drop(journal);
        assert!(!seen[0].is_running());
        journals.settle(|blob| blob != seen[0].head.as_ref().unwrap().0.blob).unwrap();
        assert_eq!(journals.all().unwrap().len(), 1, "it is not listed");
        journals.settle(|blob| blob == seen[0].head.as_ref().unwrap().0.blob).unwrap();
        assert_eq!(journals.all().unwrap().len(), 0, "it is");
        assert!(!seen[0].is_running());
    }

    #[test]
    fn streams_have_journals_of_their_own_and_no_place() {
        let directory = tempfile::tempdir().unwrap();
        let journals = journals(&directory);
        drop((journals.begin(head(false)).unwrap(), journals.begin(head(false)).unwrap()));
        assert_eq!(journals.all().unwrap().len(), 2);
        assert!(kept(&journals).is_none());
    }

    #[test]
    fn a_journal_of_too_many_runs_is_not_gone_on_with() {
        let directory = tempfile::tempdir().unwrap();
        let journals = journals(&directory);
        let journal = journals.begin(head(true)).unwrap();
        let most = most_records(journal.head());
        assert_eq!(most, 4 * 2 + 1_024);
        for _ in 0..most {
            journal.note_chunk(0, [1; 24], [1; 32]).unwrap();
        }
        drop(journal);
        let journal = kept(&journals).unwrap();
        assert!(journal.kept().is_sound);
        journal.note_chunk(0, [1; 24], [1; 32]).unwrap();
        drop(journal);
        assert!(!kept(&journals).unwrap().kept().is_sound);
    }
}
