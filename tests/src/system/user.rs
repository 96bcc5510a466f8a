//! A person at a terminal: a home directory, a password in a file, and what they type.

use super::{SystemError, io, network_file, program};
use std::{
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    process::{Command, ExitStatus, Stdio},
};

/// A user with a home directory of their own.
#[derive(Debug, Clone)]
pub struct User {
    directory: PathBuf,
    password: String,
}

/// A command that ended.
#[derive(Debug)]
pub struct Finished {
    /// What was typed.
    pub command: String,
    /// How it ended.
    pub status: ExitStatus,
    /// Its standard output.
    pub stdout: String,
    /// Its standard error.
    pub stderr: String,
}

impl User {
    /// A user who keeps everything below `directory` and has this password.
    ///
    /// # Errors
    /// [`SystemError::Io`].
    pub fn new(directory: &Path, password: &str) -> Result<Self, SystemError> {
        std::fs::create_dir_all(directory).map_err(io("make a user's directory"))?;
        let user = Self { directory: directory.to_owned(), password: password.to_owned() };
        let mut file = std::fs::OpenOptions::new();
        let file = file.write(true).create(true).truncate(true).mode(0o600).open(user.password_file());
        let mut file = file.map_err(io("write a password file"))?;
        std::io::Write::write_all(&mut file, format!("{password}\n").as_bytes())
            .map_err(io("write a password file"))?;
        Ok(user)
    }

    /// Where the user works.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// The user's home directory for Nightdrop.
    #[must_use]
    pub fn home(&self) -> PathBuf {
        self.directory.join("home")
    }

    /// The password.
    #[must_use]
    pub fn password(&self) -> &str {
        &self.password
    }

    fn password_file(&self) -> PathBuf {
        self.directory.join("password")
    }

    /// What the user types, ready to run.
    ///
    /// # Errors
    /// [`SystemError::NotBuilt`].
    pub fn command(&self, arguments: &[&str]) -> Result<Command, SystemError> {
        let mut command = Command::new(program("nightdrop")?);
        command.args(["--home".as_ref(), self.home().as_os_str()]);
        command.args(["--network".as_ref(), network_file()?.as_os_str()]);
        command.args(["--password-file".as_ref(), self.password_file().as_os_str()]);
        // The agent's socket belongs to this user's directory, too.
        command
            .args(arguments)
            .current_dir(&self.directory)
            .stdin(Stdio::null())
            .env_remove("XDG_RUNTIME_DIR");
        Ok(command)
    }

    /// Runs a command to its end, whatever that is.
    ///
    /// # Errors
    /// [`SystemError`] if it cannot be started.
    pub fn run(&self, arguments: &[&str]) -> Result<Finished, SystemError> {
        let output = self.command(arguments)?.output().map_err(io("run nightdrop"))?;
        Ok(Finished {
            command: format!("nightdrop {}", arguments.join(" ")),
            status: output.status,
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        })
    }

    /// Runs a command that must succeed and prints one JSON object.
    ///
    /// # Errors
    /// [`SystemError`] if it fails or prints something else.
    pub fn run_json(&self, arguments: &[&str]) -> Result<serde_json::Value, SystemError> {
        let arguments = [arguments, &["--json"]].concat();
        let Finished { command, status, stdout, stderr } = self.run(&arguments)?;
        if !status.success() {
            return Err(SystemError::Command { command, status, stderr });
        }
        serde_json::from_str(&stdout).map_err(|_| SystemError::Output { command, stdout })
    }
}
