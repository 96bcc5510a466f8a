//! The copy of the home space that a device keeps, so that opening it costs what changed since and not what is stored.
//!
//! ```text
//! HOME/copy   piece of the state ‖ pieces of changes, in their order
//! piece       length (u32, big-endian) ‖ sealed; see `envelope::space::CopiedState`
//! ```
//! What always holds:
//! - It only saves work. What does not open (damage, another home space's, an older program's) is ignored and replaced; of changes that are cut off or do
//!   not follow, those before are used. An older copy that somebody put back is one from which more is read.
//! - It is written after the device's memory has the same head, and never weakens that: the log must lead past both.
//! - It ends with the account on this device, and with the keys of the home space: a rekey removes it, and the key that it is sealed under.
//!
//! States that a crash can leave: before the new file has its name, the old copy (and `HOME/copy.unfinished`, which is replaced or removed with it); while changes are appended, the copy with the beginning of a
//! piece, which the next command ignores, and replaces the whole. Changes are not synced: after a power failure some of them may be missing.

use crate::{ClientError, Home, home::HomeLock, random};
use nightdrop_envelope::space::{Copied, CopiedState, HomeKeys, Replay, VerifiedLog};
use nightdrop_wire::messages::log::LogHead;
use nix::fcntl::OFlag;
use std::{
    fs::{File, OpenOptions},
    io::{Read, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::Path,
};

/// Bytes of a file that is looked at, at most: what the longest log can come to.
const LONGEST: u64 = 1 << 30;
const LENGTH: usize = 4;

/// What this process knows of the copy on the disk.
#[derive(Debug, Default)]
pub(crate) struct LocalCopy {
    /// Whole, and as this process left or found it.
    written: Option<Written>,
}

#[derive(Debug, Clone, Copy)]
struct Written {
    place: Place,
    copied: Copied,
}

/// Another file, or the same with more in it, is another place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place {
    file: (u64, u64),
    length: u64,
}

impl LocalCopy {
    /// Reads it, and says from where a device goes on that remembers having seen `remembered`: from the first entry if there is no copy that helps.
    pub(crate) fn read(home: &Home, keys: HomeKeys, remembered: Option<LogHead>) -> (Replay, Self) {
        let found = open(&home.copy(), OpenOptions::new().read(true)).and_then(|(mut file, place)| {
            let mut bytes = Vec::new();
            Read::by_ref(&mut file).take(LONGEST).read_to_end(&mut bytes).ok()?;
            let (state, whole) = opened(&keys, &bytes)?;
            let written = Written { place, copied: state.copied() };
            Some((state.replay(keys.clone(), remembered)?, whole.then_some(written)))
        });
        match found {
            Some((replay, written)) => (replay, Self { written }),
            None => (Replay::new(keys, remembered), Self::default()),
        }
    }

    /// Brings it to where a log stands that was read and remembered: costs what came since, and now and then what the whole holds.
    ///
    /// # Errors
    /// [`ClientError::File`], [`ClientError::Sealing`]: then the next command reads more.
    pub(crate) fn keep(
        &mut self,
        home: &Home,
        log: &VerifiedLog,
        lock: &HomeLock,
    ) -> Result<(), ClientError> {
        let path = home.copy();
        let Some(Written { place, copied }) = self.written.take() else {
            return self.write(home, log, lock);
        };
        let Some((mut file, there)) = open(&path, OpenOptions::new().append(true)) else {
            return self.write(home, log, lock);
        };
        if there != place {
            // Another command wrote it meanwhile. If it goes on to be in the way, the next one here replaces it.
            return Ok(());
        }
        if log.head().count <= copied.head.count {
            self.written = Some(Written { place, copied });
            return Ok(());
        }
        let changes = log.seal_changes(&copied, &mut random::system()).map_err(ClientError::Sealing)?;
        let Some((sealed, copied)) = changes else { return self.write(home, log, lock) };
        file.write_all(&piece(&sealed)?).map_err(ClientError::file("write", &path))?;
        self.written = place_of(&file).map(|place| Written { place, copied });
        Ok(())
    }

    fn write(&mut self, home: &Home, log: &VerifiedLog, lock: &HomeLock) -> Result<(), ClientError> {
        let (sealed, copied) = log.seal_copy(&mut random::system()).map_err(ClientError::Sealing)?;
        home.keep_copy(&piece(&sealed)?, lock)?;
        let there = open(&home.copy(), OpenOptions::new().read(true));
        self.written = there.map(|(_, place)| Written { place, copied });
        Ok(())
    }
}

/// As much of a copy as opens, and whether that is all of it.
fn opened(keys: &HomeKeys, bytes: &[u8]) -> Option<(CopiedState, bool)> {
    let (first, mut rest) = split(bytes)?;
    let mut state = CopiedState::open(keys, first).ok()?;
    while !rest.is_empty() {
        let Some((next, after)) = split(rest) else { return Some((state, false)) };
        if state.add(keys, next).is_err() {
            return Some((state, false));
        }
        rest = after;
    }
    Some((state, true))
}

fn piece(sealed: &[u8]) -> Result<Vec<u8>, ClientError> {
    let too_long = |_| ClientError::Sealing(nightdrop_envelope::OpenError::Inconsistent);
    let length = u32::try_from(sealed.len()).map_err(too_long)?;
    Ok([&length.to_be_bytes(), sealed].concat())
}

fn split(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<LENGTH>()?;
    rest.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)
}

/// A file of a length that is looked at. Never a link, and nothing that one would wait for.
fn open(path: &Path, options: &mut OpenOptions) -> Option<(File, Place)> {
    let file = options.custom_flags((OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK).bits()).open(path).ok()?;
    let place = place_of(&file)?;
    Some((file, place))
}

fn place_of(file: &File) -> Option<Place> {
    let metadata = file.metadata().ok().filter(|metadata| metadata.is_file() && metadata.len() <= LONGEST)?;
    Some(Place { file: (metadata.dev(), metadata.ino()), length: metadata.len() })
}
