//! What went wrong with some of several files, while the others went on.

use super::print::Printer;
use crate::{ClientError, ExitCode};

/// What went wrong, in order.
#[derive(Debug, Default)]
pub(super) struct Failures {
    /// With single files.
    files: Vec<(String, ClientError)>,
    /// What ended all of it.
    end: Option<ClientError>,
}

impl From<(&str, ClientError)> for Failures {
    fn from((name, error): (&str, ClientError)) -> Self {
        let mut failures = Self::default();
        failures.note(name, error);
        failures
    }
}

impl Failures {
    /// Notes what went wrong with a file, or with more than that one.
    pub(super) fn note(&mut self, name: &str, error: ClientError) {
        if error.is_of_one_file() {
            self.files.push((name.to_owned(), error));
        } else {
            self.end(error);
        }
    }

    /// Nothing is begun any more. The first one counts.
    pub(super) fn end(&mut self, error: ClientError) {
        self.end.get_or_insert(error);
    }

    /// Whether nothing is to be begun any more.
    pub(super) const fn has_ended(&self) -> bool {
        self.end.is_some()
    }

    pub(super) fn add(&mut self, more: Self) {
        self.files.extend(more.files);
        if let Some(error) = more.end {
            self.end(error);
        }
    }

    /// The one that decides how the command ends: that somebody tampered weighs more than anything else, then what ended all of it.
    pub(super) fn gravest(self) -> Option<ClientError> {
        let Self { mut files, end } = self;
        let tampered = files.iter().position(|(_, error)| error.explanation().exit == ExitCode::Tampered);
        let of_a_file = |files: &mut Vec<(String, ClientError)>, place| files.swap_remove(place).1;
        match (tampered, end) {
            (Some(place), _) => Some(of_a_file(&mut files, place)),
            (None, Some(end)) => Some(end),
            (None, None) => (!files.is_empty()).then(|| of_a_file(&mut files, 0)),
        }
    }

    /// Ends a command that is at several files: tells which of them failed, and gives the [gravest](Self::gravest).
    pub(super) fn told(self, printer: &Printer) -> Result<(), ClientError> {
        for (name, error) in &self.files {
            printer.warn(&format!("{name}: {error}"));
        }
        match self.files.len() {
            0 => {}
            1 => printer.warn("1 file failed; no other one was kept back by it"),
            failed => printer.warn(&format!("{failed} files failed; no other one was kept back by them")),
        }
        self.gravest().map_or(Ok(()), Err)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(name: &str) -> ClientError {
        ClientError::NameTaken(name.to_owned())
    }

    #[test]
    fn tampering_weighs_most_and_then_what_ended_it() {
        let mut failures = Failures::default();
        failures.note("a", taken("a"));
        failures.note("b", taken("b"));
        assert!(!failures.has_ended());
        let mut ended = Failures::default();
        ended.note("c", ClientError::Broken);
        assert!(ended.has_ended());
        assert!(matches!(ended.gravest(), Some(ClientError::Broken)));
        let mut more = Failures::default();
        more.note("d", ClientError::RelayBusy);
        failures.add(more);
        failures.note("e", ClientError::Withheld);
        failures.end(ClientError::Stopped);
        assert_eq!((failures.files.len(), failures.has_ended()), (3, true));
        assert!(matches!(failures.gravest(), Some(ClientError::Withheld)));
        assert!(Failures::default().gravest().is_none());
    }

    #[test]
    fn of_several_files_the_first_counts() {
        let mut failures = Failures::default();
        failures.note("a", ClientError::TransferRunning);
        failures.note("b", taken("b"));
        assert!(matches!(failures.gravest(), Some(ClientError::TransferRunning)));
    }
}
