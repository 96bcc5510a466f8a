//! The home directory: what a device remembers between commands.
//!
//! ```text
//! HOME/            0700
//!   account          the account code, 0600: the one secret kept in clear, because nothing opens before it
//!   account.pending  the code of an account whose registration was sent and not yet answered
//!   memory           keyring version and head of the home space that this device has seen, sealed under the master key
//!   tor/             Arti's state and cache
//! ```
//! States that a crash can leave:
//! - nothing: no account was made from here.
//! - `account.pending`: the account may exist. `nightdrop login` finds out, and keeps or drops it.
//! - `memory` is older than what the relay acknowledged last: the next command reads on from there.
//! - `account`: the account exists. A leftover `account.pending` beside it is of no meaning and is removed.
//!
//! Each file appears under its name complete and synced, or not at all.

use crate::ClientError;
use nightdrop_envelope::account_code::AccountCode;
use std::{
    fs::{DirBuilder, File, OpenOptions},
    io::Write,
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
};
use zeroize::Zeroizing;

const OTHERS: u32 = 0o077;

/// A home directory that only its owner can read.
#[derive(Debug, Clone)]
pub struct Home {
    path: PathBuf,
}

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

    /// Where Arti keeps its state.
    #[must_use]
    pub fn tor(&self) -> PathBuf {
        self.path.join("tor")
    }

    /// The account code of this device.
    ///
    /// # Errors
    /// [`ClientError::NoAccount`] if there is none.
    pub fn account(&self) -> Result<AccountCode, ClientError> {
        self.read(&self.kept())?.ok_or_else(|| ClientError::NoAccount { path: self.path.clone() })
    }

    /// The code of a registration whose answer never came.
    ///
    /// # Errors
    /// [`ClientError`] if the file is there and cannot be read.
    pub fn pending_account(&self) -> Result<Option<AccountCode>, ClientError> {
        self.read(&self.pending())
    }

    /// Refuses if there is an account, or one that may exist.
    ///
    /// # Errors
    /// [`ClientError::AccountExists`].
    pub fn require_empty(&self) -> Result<(), ClientError> {
        if self.kept().exists() || self.pending().exists() {
            return Err(ClientError::AccountExists { path: self.path.clone() });
        }
        Ok(())
    }

    /// Keeps the code of an account that is about to be made.
    ///
    /// # Errors
    /// [`ClientError::File`].
    pub fn keep_pending(&self, code: &AccountCode) -> Result<(), ClientError> {
        self.write_code(&self.pending(), code)
    }

    /// The account was not made.
    ///
    /// # Errors
    /// [`ClientError::File`].
    pub fn drop_pending(&self) -> Result<(), ClientError> {
        let path = self.pending();
        std::fs::remove_file(&path).map_err(ClientError::file("remove", &path))?;
        self.sync()
    }

    /// Keeps the code of an account that exists.
    ///
    /// # Errors
    /// [`ClientError::File`].
    pub fn keep_account(&self, code: &AccountCode) -> Result<(), ClientError> {
        self.write_code(&self.kept(), code)?;
        if self.pending().exists() { self.drop_pending() } else { Ok(()) }
    }

    /// What this device sealed to remember, if it ever did.
    ///
    /// # Errors
    /// [`ClientError::File`] if it is there and cannot be read.
    pub fn memory(&self) -> Result<Option<Vec<u8>>, ClientError> {
        let path = self.path.join("memory");
        match std::fs::read(&path) {
            Ok(sealed) => Ok(Some(sealed)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(ClientError::file("read", &path)(error)),
        }
    }

    /// Keeps what this device sealed to remember.
    ///
    /// # Errors
    /// [`ClientError::File`].
    pub fn keep_memory(&self, sealed: &[u8]) -> Result<(), ClientError> {
        self.write(&self.path.join("memory"), sealed)
    }

    fn kept(&self) -> PathBuf {
        self.path.join("account")
    }

    fn pending(&self) -> PathBuf {
        self.path.join("account.pending")
    }

    fn read(&self, path: &Path) -> Result<Option<AccountCode>, ClientError> {
        match std::fs::read_to_string(path).map(Zeroizing::new) {
            Ok(text) => AccountCode::from_text(&text).map(Some).map_err(ClientError::BadAccountCode),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(ClientError::file("read", path)(error)),
        }
    }

    fn write_code(&self, path: &Path, code: &AccountCode) -> Result<(), ClientError> {
        self.write(path, Zeroizing::new(format!("{}\n", *code.secret_text())).as_bytes())
    }

    fn write(&self, path: &Path, contents: &[u8]) -> Result<(), ClientError> {
        let unfinished = path.with_extension("unfinished");
        let fail = ClientError::file("write", &unfinished);
        let write = || -> std::io::Result<()> {
            let mut file =
                OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&unfinished)?;
            file.write_all(contents)?;
            file.sync_all()
        };
        write().map_err(fail)?;
        std::fs::rename(&unfinished, path).map_err(ClientError::file("write", path))?;
        self.sync()
    }

    fn sync(&self) -> Result<(), ClientError> {
        File::open(&self.path)
            .and_then(|directory| directory.sync_all())
            .map_err(ClientError::file("sync", &self.path))
    }
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
    fn an_account_is_pending_then_kept() {
        let directory = tempfile::tempdir().unwrap();
        let home = Home::open(&directory.path().join("a/b")).unwrap();
        assert!(matches!(home.account(), Err(ClientError::NoAccount { .. })));
        home.require_empty().unwrap();
        let code = code();
        home.keep_pending(&code).unwrap();
        assert!(matches!(home.require_empty(), Err(ClientError::AccountExists { .. })));
        assert_eq!(home.pending_account().unwrap().unwrap().secret_text(), code.secret_text());
        home.keep_account(&code).unwrap();
        assert!(home.pending_account().unwrap().is_none());
        assert_eq!(home.account().unwrap().secret_text(), code.secret_text());
        let mode = std::fs::metadata(home.kept()).unwrap().mode();
        assert_eq!(mode & 0o777, 0o600);
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
