//! The home directory: what a device remembers between commands.
//!
//! ```text
//! HOME/            0700
//!   account          the account code, 0600: the one secret kept in clear, because nothing opens before it
//!   registration     a registration that was sent and not yet answered: account code, then the request's bytes
//!   memory           keyring version and head of the home space that this device has seen, sealed under the memory key
//!   copy             the home space as it was read and verified last, sealed under a key of its own; see `local_copy`
//!   credits          credits that were drawn and not spent yet, sealed under the memory key; see `wallet`
//!   transfers/       what is kept of each upload that is not done, sealed under the memory key; see `transfer/journal.rs`
//!   lock             held while one of these is read and written back
//!   agent            where the agent listens; locked by it as long as it lives
//!   run/             its socket, where the user has no runtime directory
//!   claims/          what claims of links whose downloads are counted come from, see `transfer::Claims`
//!   tor/             Arti's state and cache
//! ```
//! States that a crash can leave:
//! - nothing: no account was made from here.
//! - `registration`: the account may exist. `nightdrop register` sends the same bytes again and so finds out.
//! - `account` and `registration` of the same account: it exists; the leftover is removed by the next command that writes.
//! - `account`: it exists.
//! - `memory` is older than what the relay acknowledged last: the next command reads on from there.
//!
//! Each file appears under its name complete and synced, or not at all, also when two commands run at once.

use crate::{ClientError, transfer::Claims};
use nightdrop_envelope::account_code::AccountCode;
use nightdrop_wire::ids::AccountId;
use nix::fcntl::{Flock, FlockArg};
use std::{
    fs::{DirBuilder, File, OpenOptions},
    io::{ErrorKind, Write},
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
};
use zeroize::Zeroizing;

const OTHERS: u32 = 0o077;
const UNFINISHED_COPY: &str = "copy.unfinished";
const UNFINISHED: &str = ".unfinished-";

/// A home directory that only its owner can read.
#[derive(Debug, Clone)]
pub struct Home {
    path: PathBuf,
}

/// A registration that was sent and not yet answered.
#[derive(Debug)]
pub struct PendingRegistration {
    /// Of the account that may exist.
    pub code: AccountCode,
    /// The body of the request, which may be sent again. It holds nothing in clear but the invitation.
    pub request: Vec<u8>,
}

/// Shows that no other command changes the home directory meanwhile.
pub struct HomeLock(#[expect(dead_code, reason = "held, not read")] Flock<File>);

impl Home {
    /// Opens it, and makes it if it is not there.
    ///
    /// # Errors
    /// [`ClientError::OpenHome`] if others can read it; [`ClientError::File`] if it cannot be made.
    pub fn open(path: &Path) -> Result<Self, ClientError> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(path)
            .map_err(ClientError::file("make the directory", path))?;
        let mode = std::fs::metadata(path).map_err(ClientError::file("read", path))?.mode();
        if mode & OTHERS != 0 {
            return Err(ClientError::OpenHome { path: path.to_owned() });
        }
        Ok(Self { path: path.to_owned() })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The file that says where the agent listens.
    #[must_use]
    pub(crate) fn agent_file(&self) -> PathBuf {
        self.path.join("agent")
    }

    /// Where the journals of uploads that are not done are.
    #[must_use]
    pub fn transfers(&self) -> PathBuf {
        self.path.join("transfers")
    }

    /// What is kept of downloads that are counted.
    #[must_use]
    pub fn claims(&self) -> Claims {
        Claims::at(self.path.join("claims"))
    }

    /// Where Arti keeps its state.
    #[must_use]
    pub fn tor(&self) -> PathBuf {
        self.path.join("tor")
    }

    /// Waits until no other command changes the directory.
    ///
    /// # Errors
    /// [`ClientError::File`].
    pub fn lock(&self) -> Result<HomeLock, ClientError> {
        let path = self.path.join("lock");
        let file = OpenOptions::new().create(true).append(true).mode(0o600).open(&path);
        let file = file.map_err(ClientError::file("open", &path))?;
        let lock = Flock::lock(file, FlockArg::LockExclusive);
        lock.map(HomeLock).map_err(|(_, error)| ClientError::file("lock", &path)(error.into()))
    }

    /// The same, for a command that began with this account: another one may have forgotten it meanwhile.
    ///
    /// # Errors
    /// [`ClientError::NoAccount`] if this device has it no more; [`ClientError::File`].
    pub(crate) fn lock_for(&self, account: AccountId) -> Result<HomeLock, ClientError> {
        let lock = self.lock()?;
        let is_here = self.account()?.account() == account;
        if is_here { Ok(lock) } else { Err(ClientError::NoAccount { path: self.path.clone() }) }
    }

    /// The account code of this device.
    ///
    /// # Errors
    /// [`ClientError::NoAccount`] if there is none.
    pub fn account(&self) -> Result<AccountCode, ClientError> {
        let path = self.path.join("account");
        let Some(text) = read(&path)?.map(Zeroizing::new) else {
            return Err(ClientError::NoAccount { path: self.path.clone() });
        };
        parse_code(&path, &text)
    }

    /// Keeps the code of an account that exists.
    ///
    /// # Errors
    /// [`ClientError::File`].
    pub fn keep_account(&self, code: &AccountCode, lock: &HomeLock) -> Result<(), ClientError> {
        self.write("account", Zeroizing::new(format!("{}\n", *code.secret_text())).as_bytes())?;
        match self.registration()? {
            Some(pending) if pending.code.account() == code.account() => self.drop_registration(lock),
            _ => Ok(()),
        }
    }

    /// Forgets the account, what is remembered of it first: memory without an account would be taken for damage. What the relay has of uploads that
    /// are not done it forgets by itself.
    ///
    /// # Errors
    /// [`ClientError::File`].
    pub fn forget_account(&self, lock: &HomeLock) -> Result<(), ClientError> {
        self.drop_copy(lock)?;
        let transfers = self.transfers();
        match std::fs::remove_dir_all(&transfers) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(ClientError::file("remove", &transfers)(error));
            }
            _ => {}
        }
        ["credits", "memory", "account"].into_iter().try_for_each(|name| self.remove(name))?;
        self.remove_unfinished()
    }

    /// What commands that were killed left of these files, complete or not.
    fn remove_unfinished(&self) -> Result<(), ClientError> {
        let entries = std::fs::read_dir(&self.path).map_err(ClientError::file("read", &self.path))?;
        let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        names.filter(|name| name.starts_with(UNFINISHED)).try_for_each(|name| self.remove(&name))
    }

    /// A registration whose answer never came.
    ///
    /// # Errors
    /// [`ClientError`] if the file is there and cannot be read.
    pub fn registration(&self) -> Result<Option<PendingRegistration>, ClientError> {
        let path = self.path.join("registration");
        let Some(bytes) = read(&path)?.map(Zeroizing::new) else { return Ok(None) };
        let end = bytes.iter().position(|byte| *byte == b'\n').unwrap_or(bytes.len());
        let (code, request) = bytes.split_at(end);
        let code = parse_code(&path, code)?;
        Ok(Some(PendingRegistration { code, request: request.get(1..).unwrap_or_default().to_vec() }))
    }

    /// Keeps a registration that is about to be sent.
    ///
    /// # Errors
    /// [`ClientError::File`].
    pub fn keep_registration(
        &self,
        pending: &PendingRegistration,
        _lock: &HomeLock,
    ) -> Result<(), ClientError> {
        let code = Zeroizing::new(format!("{}\n", *pending.code.secret_text()));
        self.write("registration", &Zeroizing::new([code.as_bytes(), &pending.request].concat()))
    }

    /// The account of a pending registration was not made, or is kept.
    ///
    /// # Errors
    /// [`ClientError::File`].
    pub fn drop_registration(&self, _lock: &HomeLock) -> Result<(), ClientError> {
        let path = self.path.join("registration");
        std::fs::remove_file(&path).map_err(ClientError::file("remove", &path))?;
        self.sync()
    }

    /// What this device sealed to remember, if it ever did.
    ///
    /// # Errors
    /// [`ClientError::File`] if it is there and cannot be read.
    pub fn memory(&self) -> Result<Option<Vec<u8>>, ClientError> {
        read(&self.path.join("memory"))
    }

    /// Keeps what this device sealed to remember.
    ///
    /// # Errors
    /// [`ClientError::File`].
    pub fn keep_memory(&self, sealed: &[u8], _lock: &HomeLock) -> Result<(), ClientError> {
        self.write("memory", sealed)
    }

    /// The file that holds the copy of the home space.
    pub(crate) fn copy(&self) -> PathBuf {
        self.path.join("copy")
    }

    /// Replaces the copy of the home space. It is long, and ends with the account: so one that a crash left unfinished has a name, under which it is
    /// replaced or removed.
    ///
    /// # Errors
    /// [`ClientError::File`].
    pub(crate) fn keep_copy(&self, sealed: &[u8], _lock: &HomeLock) -> Result<(), ClientError> {
        self.remove(UNFINISHED_COPY)?;
        let path = self.path.join(UNFINISHED_COPY);
        let write = || -> std::io::Result<()> {
            let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
            file.write_all(sealed)?;
            file.sync_all()?;
            std::fs::rename(&path, self.copy())
        };
        write().map_err(ClientError::file("write", &self.copy()))?;
        self.sync()
    }

    /// Forgets it.
    ///
    /// # Errors
    /// [`ClientError::File`].
    pub(crate) fn drop_copy(&self, _lock: &HomeLock) -> Result<(), ClientError> {
        ["copy", UNFINISHED_COPY].into_iter().try_for_each(|name| self.remove(name))
    }

    /// The credits that this device sealed for itself, if it holds any.
    ///
    /// # Errors
    /// [`ClientError::File`] if they are there and cannot be read.
    pub fn credits(&self) -> Result<Option<Vec<u8>>, ClientError> {
        read(&self.path.join("credits"))
    }

    /// Keeps the credits that this device sealed for itself.
    ///
    /// # Errors
    /// [`ClientError::File`].
    pub fn keep_credits(&self, sealed: &[u8], _lock: &HomeLock) -> Result<(), ClientError> {
        self.write("credits", sealed)
    }

    /// Forgets them.
    ///
    /// # Errors
    /// [`ClientError::File`].
    pub fn drop_credits(&self, _lock: &HomeLock) -> Result<(), ClientError> {
        self.remove("credits")
    }

    /// Removes a file, if it is there.
    fn remove(&self, name: &str) -> Result<(), ClientError> {
        let path = self.path.join(name);
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                Err(ClientError::file("remove", &path)(error))
            }
            _ => self.sync(),
        }
    }

    fn write(&self, name: &str, contents: &[u8]) -> Result<(), ClientError> {
        let path = self.path.join(name);
        let write = || -> std::io::Result<()> {
            // A name of its own and mode 0600, so that two commands cannot write into one file.
            let mut file = tempfile::Builder::new().prefix(UNFINISHED).tempfile_in(&self.path)?;
            file.write_all(contents)?;
            file.as_file().sync_all()?;
            file.persist(&path)?;
            Ok(())
        };
        write().map_err(ClientError::file("write", &path))?;
        self.sync()
    }

    fn sync(&self) -> Result<(), ClientError> {
        File::open(&self.path)
            .and_then(|directory| directory.sync_all())
            .map_err(ClientError::file("sync", &self.path))
    }
}

fn read(path: &Path) -> Result<Option<Vec<u8>>, ClientError> {
    match std::fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(ClientError::file("read", path)(error)),
    }
}

fn parse_code(path: &Path, text: &[u8]) -> Result<AccountCode, ClientError> {
    AccountCode::from_text(&Zeroizing::new(String::from_utf8_lossy(text).into_owned()))
        .map_err(|reason| ClientError::DamagedHome { path: path.to_owned(), reason })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn code() -> AccountCode {
        let relay = "2gzyxa5ihm7nsggfxnu52rck2vv4rvmdlkiu3zzui5du4xyclen53wid".parse().unwrap();
        AccountCode::generate(relay, &mut crate::random::system())
    }

    #[test]
    fn a_registration_is_pending_then_the_account_is_kept() {
        let directory = tempfile::tempdir().unwrap();
        let home = Home::open(&directory.path().join("a/b")).unwrap();
        assert!(matches!(home.account(), Err(ClientError::NoAccount { .. })));
        let lock = home.lock().unwrap();
        let (code, request) = (code(), b"a request\nof two lines".to_vec());
        home.keep_registration(&PendingRegistration { code: code.clone(), request: request.clone() }, &lock)
            .unwrap();
        let pending = home.registration().unwrap().unwrap();
        assert_eq!((pending.code.secret_text(), pending.request), (code.secret_text(), request));
        home.keep_account(&code, &lock).unwrap();
        assert!(home.registration().unwrap().is_none());
        assert_eq!(home.account().unwrap().secret_text(), code.secret_text());
        let mode = std::fs::metadata(home.path.join("account")).unwrap().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_forgotten_account_leaves_nothing_of_itself() {
        let directory = tempfile::tempdir().unwrap();
        let home = Home::open(&directory.path().join("home")).unwrap();
        let lock = home.lock().unwrap();
        home.keep_account(&code(), &lock).unwrap();
        home.keep_memory(&[1], &lock).unwrap();
        home.keep_credits(&[1], &lock).unwrap();
        std::fs::write(home.path.join(UNFINISHED_COPY), "of a command that was killed").unwrap();
        home.keep_copy(&[1], &lock).unwrap();
        assert!(!home.path.join(UNFINISHED_COPY).exists() && home.copy().exists());
        std::fs::write(home.path.join(UNFINISHED_COPY), "of another one").unwrap();
        std::fs::write(home.path.join(".unfinished-a1b2"), "the account code").unwrap();
        std::fs::create_dir(home.transfers()).unwrap();
        std::fs::write(home.transfers().join("journal"), "").unwrap();
        home.forget_account(&lock).unwrap();
        assert!(
            matches!(home.account(), Err(ClientError::NoAccount { .. })) && home.memory().unwrap().is_none()
        );
        let left: Vec<_> =
            std::fs::read_dir(&home.path).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, ["lock"]);
        home.forget_account(&lock).unwrap();
    }

    #[test]
    fn another_account_does_not_end_a_pending_registration() {
        let directory = tempfile::tempdir().unwrap();
        let home = Home::open(&directory.path().join("home")).unwrap();
        let lock = home.lock().unwrap();
        let pending = PendingRegistration { code: code(), request: vec![1] };
        home.keep_registration(&pending, &lock).unwrap();
        home.keep_account(&code(), &lock).unwrap();
        assert_eq!(home.registration().unwrap().unwrap().code.secret_text(), pending.code.secret_text());
    }

    #[test]
    fn writers_at_once_never_break_each_other() {
        let directory = tempfile::tempdir().unwrap();
        let home = Home::open(&directory.path().join("home")).unwrap();
        std::thread::scope(|scope| {
            for writer in 0..4_u8 {
                let home = &home;
                scope.spawn(move || {
                    for _ in 0..50 {
                        let lock = home.lock().unwrap();
                        home.keep_memory(&[writer; 300], &lock).unwrap();
                    }
                });
            }
        });
        let memory = home.memory().unwrap().unwrap();
        assert!(memory.len() == 300 && memory.iter().all(|byte| *byte == memory[0]));
        assert_eq!(std::fs::read_dir(&home.path).unwrap().count(), 2, "lock and memory");
    }

    #[test]
    fn a_damaged_account_code_is_not_taken_for_a_typing_mistake() {
        let directory = tempfile::tempdir().unwrap();
        let home = Home::open(&directory.path().join("home")).unwrap();
        std::fs::write(home.path.join("account"), "nightdrop:account/").unwrap();
        assert!(matches!(home.account(), Err(ClientError::DamagedHome { .. })));
    }

    #[test]
    fn a_directory_that_others_can_read_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("home");
        Home::open(&path).unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o750)).unwrap();
        assert!(matches!(Home::open(&path), Err(ClientError::OpenHome { .. })));
    }
}
