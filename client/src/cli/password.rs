//! Where secrets that a person gives come from: a file, standard input, or a terminal without echo.

use super::{arguments::Global, print::Printer};
use crate::{ClientError, console::Console, random};
use nightdrop_envelope::{passphrase, recovery::RecoveryPhrase};
use nightdrop_login::password::Password;
use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read, Write},
    path::Path,
    sync::Arc,
};
use zeroize::Zeroizing;

/// Bytes of a password file, and of an argument read from standard input, at most.
const LONGEST: usize = 64 * 1024;

/// Standard input of whoever typed the command. It can stand for one thing only.
#[derive(Debug)]
pub(super) struct StandardInput {
    console: Arc<dyn Console>,
    taken: bool,
}

impl Printer {
    /// Standard input; to be asked for once in a command.
    pub(super) fn standard_input(&self) -> StandardInput {
        StandardInput { console: self.console(), taken: false }
    }
}

impl StandardInput {
    /// An argument that may be `-`, which stands for standard input.
    pub(super) fn argument(&mut self, value: &str) -> Result<Zeroizing<String>, ClientError> {
        if value == "-" { self.read() } else { Ok(Zeroizing::new(value.to_owned())) }
    }

    /// The password of an account that exists.
    pub(super) fn existing_password(&mut self, global: &Global) -> Result<Password, ClientError> {
        match &global.password_file {
            Some(file) => self.password_from(file),
            None => Ok(Password::new(&self.ask("Password: ")?)),
        }
    }

    /// The password of an account that is to be made; typed twice at a terminal.
    pub(super) fn new_password(&mut self, global: &Global) -> Result<Password, ClientError> {
        if let Some(file) = &global.password_file {
            return self.password_from(file);
        }
        self.ask_twice("New password: ")
    }

    /// A password to be, from a file of its own; typed twice at a terminal.
    pub(super) fn replacing_password(&mut self, file: Option<&Path>) -> Result<Password, ClientError> {
        match file {
            Some(file) => self.password_from(file),
            None => self.ask_twice("New password: "),
        }
    }

    /// The password of a link that somebody else made.
    pub(super) fn link_password(&mut self, file: Option<&Path>) -> Result<Password, ClientError> {
        match file {
            Some(file) => self.password_from(file),
            None => Ok(Password::new(&self.ask("Password of the link: ")?)),
        }
    }

    /// The password of a link that is to be made; typed twice at a terminal.
    pub(super) fn new_link_password(&mut self, file: Option<&Path>) -> Result<Password, ClientError> {
        match file {
            Some(file) => self.password_from(file),
            None => self.ask_twice("Password for the link: "),
        }
    }

    /// A recovery phrase.
    pub(super) fn phrase(&mut self, file: Option<&Path>) -> Result<RecoveryPhrase, ClientError> {
        let words = match file {
            Some(file) => self.text_from(file)?,
            None => self.ask("Recovery phrase (24 words): ")?,
        };
        Ok(RecoveryPhrase::from_words(&words)?)
    }

    fn password_from(&mut self, path: &Path) -> Result<Password, ClientError> {
        let text = self.text_from(path)?;
        // One newline belongs to the file, not to the password.
        let line = text.strip_suffix('\n').map(|line| line.strip_suffix('\r').unwrap_or(line));
        Ok(Password::new(line.unwrap_or(&text)))
    }

    fn text_from(&mut self, path: &Path) -> Result<Zeroizing<String>, ClientError> {
        if path == Path::new("-") {
            self.read()
        } else {
            read(File::open(path).map_err(ClientError::file("open", path))?, path)
        }
    }

    fn ask(&self, question: &str) -> Result<Zeroizing<String>, ClientError> {
        self.console.ask_secret(question).map_err(|_| ClientError::NoTerminal)
    }

    fn ask_twice(&self, question: &str) -> Result<Password, ClientError> {
        let first = self.ask(question)?;
        if *first != *self.ask("The same again: ")? {
            return Err(ClientError::PasswordsDiffer);
        }
        Ok(Password::new(&first))
    }

    fn read(&mut self) -> Result<Zeroizing<String>, ClientError> {
        if std::mem::replace(&mut self.taken, true) {
            return Err(ClientError::Usage("`-` (standard input) can stand for one thing only".to_owned()));
        }
        read(FromConsole(&*self.console), Path::new("standard input"))
    }
}

struct FromConsole<'a>(&'a dyn Console);

impl Read for FromConsole<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read_input(buffer)
    }
}

fn read(from: impl Read, path: &Path) -> Result<Zeroizing<String>, ClientError> {
    // All the room at once: a growing string would leave copies behind.
    let mut text = Zeroizing::new(String::with_capacity(LONGEST + 1));
    from.take(LONGEST as u64 + 1).read_to_string(&mut text).map_err(ClientError::file("read", path))?;
    if text.len() > LONGEST {
        return Err(ClientError::Usage(format!(
            "{} is longer than a password or code can be",
            path.display()
        )));
    }
    Ok(text)
}

/// Has what cannot be undone confirmed at the terminal.
pub(super) fn confirm(question: &str) -> Result<(), ClientError> {
    // Standard input may stand for something else.
    let answer = File::options().read(true).write(true).open("/dev/tty").and_then(|mut terminal| {
        terminal.write_all(question.as_bytes())?;
        let mut answer = String::new();
        BufReader::new(terminal).take(64).read_line(&mut answer)?;
        Ok(answer)
    });
    let confirmed = answer.is_ok_and(|answer| answer.trim().eq_ignore_ascii_case("yes"));
    if confirmed { Ok(()) } else { Err(ClientError::NotConfirmed) }
}

/// A password of random words, and the words.
pub(super) fn generated() -> (Password, Zeroizing<String>) {
    let words = passphrase::generate(&mut random::system());
    (Password::new(&words), words)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::terminal::Terminal;

    fn standard_input() -> StandardInput {
        StandardInput { console: Arc::new(Terminal::default()), taken: false }
    }

    #[test]
    fn a_password_file_loses_one_newline_and_no_more() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("password");
        for (text, password) in
            [("pw", "pw"), ("pw\n", "pw"), ("pw\r\n", "pw"), ("pw\n\n", "pw\n"), (" pw ", " pw ")]
        {
            std::fs::write(&path, text).unwrap();
            let read = standard_input().password_from(&path).unwrap();
            assert_eq!(read.secret_text(), password);
        }
        std::fs::write(&path, "x".repeat(LONGEST + 1)).unwrap();
        let refused = standard_input().password_from(&path);
        assert!(matches!(refused, Err(ClientError::Usage(_))));
    }

    #[test]
    fn standard_input_stands_for_one_thing() {
        let mut standard_input = StandardInput { taken: true, ..standard_input() };
        assert!(matches!(standard_input.argument("-"), Err(ClientError::Usage(_))));
        assert_eq!(*standard_input.argument("value").unwrap(), "value");
    }
}
