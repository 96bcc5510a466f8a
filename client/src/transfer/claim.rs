//! What a reader keeps of a download that is counted: random bytes from which, with the link and its password, the claim comes.
//!
//! ```text
//! DIRECTORY/NAME   32 random bytes; NAME comes from the link's secret
//! ```
//! They are on the disk before the claim is taken, so that whoever is killed in between, or never hears the answer, takes the same claim
//! again: a download counts once on a device, wherever the file is to go. A finished download removes them, and what is older than any
//! claim could be is removed by the next one. To a thief of the disk they say that something was being downloaded, as the partial file does,
//! and nothing else: without the link they are no claim, and they are no help in guessing its password.

use crate::{ClientError, random};
use nightdrop_envelope::ticket::ClaimSeed;
use nightdrop_wire::limits::CLAIM_DAYS;
use std::{
    fs::{self, DirBuilder, File},
    io::{ErrorKind, Write},
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

/// Twice as long as a claim lasts: one may be taken days after its seed was made, and a seed whose claim is over is only refused.
const OLDEST: Duration = Duration::from_secs(2 * CLAIM_DAYS as u64 * 24 * 60 * 60);

/// The directory where seeds of claims are kept.
#[derive(Debug, Clone)]
pub struct Claims {
    directory: PathBuf,
}

/// A seed that is on the disk.
#[derive(Debug)]
pub(super) struct KeptSeed {
    pub(super) seed: ClaimSeed,
    path: PathBuf,
    /// Whether an earlier download has left it, and may have taken its claim.
    left_over: bool,
}

impl Claims {
    /// In this directory, which is made when it is needed.
    #[must_use]
    pub const fn at(directory: PathBuf) -> Self {
        Self { directory }
    }

    /// The seed that is kept under this name, or a new one.
    ///
    /// # Errors
    /// [`ClientError::File`]: then nothing is to be taken.
    pub(super) fn seed(&self, name: &str) -> Result<KeptSeed, ClientError> {
        let path = self.directory.join(name);
        let made = DirBuilder::new().recursive(true).mode(0o700).create(&self.directory);
        made.map_err(ClientError::file("make the directory", &self.directory))?;
        self.forget_old(SystemTime::now());
        // Somebody else's may appear in between: then there is one to be read.
        loop {
            if let Some(seed) = read(&path)? {
                return Ok(KeptSeed { seed, path, left_over: true });
            }
            let seed = ClaimSeed::generate(&mut random::system());
            match self.write(&seed, &path) {
                Ok(()) => return Ok(KeptSeed { seed, path, left_over: false }),
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) => return Err(ClientError::file("write", &path)(error)),
            }
        }
    }

    /// Complete and synced, or not at all, and never over another one.
    fn write(&self, seed: &ClaimSeed, path: &Path) -> std::io::Result<()> {
        let mut file = tempfile::Builder::new().prefix(".unfinished-").tempfile_in(&self.directory)?;
        file.write_all(seed.secret_bytes())?;
        file.as_file().sync_all()?;
        file.persist_noclobber(path).map_err(|error| error.error)?;
        File::open(&self.directory)?.sync_all()
    }

    /// Removes what no claim lasts as long as; whatever cannot be removed now is by a later download.
    fn forget_old(&self, now: SystemTime) {
        let Ok(entries) = fs::read_dir(&self.directory) else { return };
        for entry in entries.flatten() {
            let written = entry.metadata().and_then(|metadata| metadata.modified());
            let age = written.ok().and_then(|written| now.duration_since(written).ok());
            if age.is_some_and(|age| age >= OLDEST) {
                let _ = fs::remove_file(entry.path());
            }
        }
    }
}

impl KeptSeed {
    /// The download is done: the next one counts anew.
    pub(super) fn finish(self) {
        // What cannot be removed lasts for days, in which the same claim is taken again.
        let _ = fs::remove_file(&self.path);
    }

    /// The relay refused the claim. One of an earlier download may be good all the same, with the right password.
    pub(super) fn refused(self) {
        if !self.left_over {
            self.finish();
        }
    }
}

/// The seed of a file; of one that is no seed nothing is kept.
fn read(path: &Path) -> Result<Option<ClaimSeed>, ClientError> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(ClientError::file("read", path)(error)),
    };
    match bytes.try_into() {
        Ok(bytes) => Ok(Some(ClaimSeed::from_bytes(bytes))),
        Err(_) => {
            fs::remove_file(path).map_err(ClientError::file("remove", path))?;
            Ok(None)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(kept: &KeptSeed) -> [u8; 32] {
        *kept.seed.secret_bytes()
    }

    #[test]
    fn a_download_that_is_gone_on_with_has_its_seed_and_the_next_one_another() {
        let directory = tempfile::tempdir().unwrap();
        let claims = Claims::at(directory.path().join("claims"));
        let first = claims.seed("name").unwrap();
        let again = claims.seed("name").unwrap();
        assert_eq!(bytes(&first), bytes(&again));
        assert!(!first.left_over && again.left_over);
        assert_ne!(bytes(&claims.seed("other").unwrap()), bytes(&first));
        again.finish();
        assert_ne!(bytes(&claims.seed("name").unwrap()), bytes(&first));
    }

    #[test]
    fn a_refusal_forgets_only_what_was_never_taken() {
        let directory = tempfile::tempdir().unwrap();
        let claims = Claims::at(directory.path().to_owned());
        let first = claims.seed("name").unwrap();
        let old = bytes(&first);
        // Then it is refused, perhaps because of a mistyped password.
        claims.seed("name").unwrap().refused();
        assert_eq!(bytes(&claims.seed("name").unwrap()), old);
        first.refused();
        assert_ne!(bytes(&claims.seed("name").unwrap()), old);
    }

    #[test]
    fn what_is_torn_or_too_old_is_made_anew() {
        let directory = tempfile::tempdir().unwrap();
        let claims = Claims::at(directory.path().to_owned());
        fs::write(directory.path().join("name"), [7; 31]).unwrap();
        let kept = claims.seed("name").unwrap();
        assert!(!kept.left_over);
        let file = File::options().write(true).open(&kept.path).unwrap();
        let set = |age| file.set_modified(SystemTime::now() - age).unwrap();
        set(OLDEST - Duration::from_secs(60));
        assert_eq!(bytes(&claims.seed("name").unwrap()), bytes(&kept));
        set(OLDEST + Duration::from_secs(60));
        assert_ne!(bytes(&claims.seed("name").unwrap()), bytes(&kept));
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[test]
    fn two_downloads_at_once_take_one_claim() {
        let directory = tempfile::tempdir().unwrap();
        let claims = Claims::at(directory.path().to_owned());
        let seeds = std::thread::scope(|scope| {
            let threads: Vec<_> =
                (0..8).map(|_| scope.spawn(|| bytes(&claims.seed("name").unwrap()))).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
        });
        assert!(seeds.iter().all(|seed| *seed == seeds[0]));
    }
}
