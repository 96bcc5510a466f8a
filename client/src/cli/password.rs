//! Where secrets that a person gives come from: a file, standard input, or a terminal without echo.

use super::arguments::Global;
use crate::ClientError;
use nightdrop_login::password::Password;
use std::{
    io::{IsTerminal, Read},
    path::Path,
};
use zeroize::Zeroizing;

/// Bytes of a password file, and of an argument read from standard input, at most.
const LONGEST: u64 = 64 * 1024;

/// The password of an account that exists.
pub(super) fn existing(global: &Global) -> Result<Password, ClientError> {
    match &global.password_file {
        Some(file) => from_file(file),
        None => Ok(Password::new(&prompt("Password: ")?)),
    }
}

/// The password of an account that is to be made; typed twice at a terminal.
pub(super) fn new(global: &Global) -> Result<Password, ClientError> {
    let Some(file) = &global.password_file else {
        let first = prompt("New password: ")?;
        if *first != *prompt("The same again: ")? {
            return Err(ClientError::PasswordsDiffer);
        }
        return Ok(Password::new(&first));
    };
    from_file(file)
}

/// An argument that may be `-`, which stands for standard input.
pub(super) fn argument(value: &str) -> Result<Zeroizing<String>, ClientError> {
    if value == "-" { read(std::io::stdin(), Path::new("-")) } else { Ok(Zeroizing::new(value.to_owned())) }
}

fn from_file(path: &Path) -> Result<Password, ClientError> {
    let text = if path == Path::new("-") {
        read(std::io::stdin(), path)?
    } else {
        read(std::fs::File::open(path).map_err(ClientError::file("open", path))?, path)?
    };
    // One newline belongs to the file, not to the password.
    let text = text.strip_suffix('\n').map_or(text.as_str(), |line| line.strip_suffix('\r').unwrap_or(line));
    Ok(Password::new(text))
}

fn read(from: impl Read, path: &Path) -> Result<Zeroizing<String>, ClientError> {
    // All the room at once: a growing string would leave copies behind.
    let mut text = Zeroizing::new(String::with_capacity(4096));
    from.take(LONGEST).read_to_string(&mut text).map_err(ClientError::file("read", path))?;
    Ok(text)
}

fn prompt(question: &str) -> Result<Zeroizing<String>, ClientError> {
    if !std::io::stdin().is_terminal() {
        return Err(ClientError::Usage(
            "there is no terminal to ask for the password: use --password-file FILE, or - for standard input"
                .to_owned(),
        ));
    }
    rpassword::prompt_password(question)
        .map(Zeroizing::new)
        .map_err(ClientError::file("read", Path::new("terminal")))
}
