//! `--qr` and `--qr-file`: a link or an account code to scan.

use super::print::Printer;
use crate::{ClientError, qr::QrPicture};
use clap::Args;
use std::{
    fs::OpenOptions,
    io::Write,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};
use zeroize::Zeroizing;

/// Whether and where a QR code is shown.
#[derive(Debug, Default, Args)]
pub(super) struct QrArguments {
    /// Show it on the terminal as a QR code, too
    #[arg(long)]
    qr: bool,
    /// Write it to a new file as a QR code, too: FILE ends in .svg or .png
    #[arg(long, value_name = "FILE")]
    qr_file: Option<PathBuf>,
}

/// What a file's name says that is to be in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Svg,
    Png,
}

impl Format {
    fn of(path: &Path) -> Option<Self> {
        match path.extension()?.to_str()?.to_ascii_lowercase().as_str() {
            "svg" => Some(Self::Svg),
            "png" => Some(Self::Png),
            _ => None,
        }
    }
}

impl QrArguments {
    /// The files that are named.
    pub(super) fn files(&mut self) -> impl Iterator<Item = &mut PathBuf> {
        self.qr_file.iter_mut()
    }

    /// Whether a code is wanted at all.
    pub(super) const fn is_wanted(&self) -> bool {
        self.qr || self.qr_file.is_some()
    }

    /// Refuses what could not be shown in the end, before anything is done.
    ///
    /// # Errors
    /// [`ClientError::Usage`], [`ClientError::OutputExists`].
    pub(super) fn check(&self, printer: &Printer) -> Result<(), ClientError> {
        if self.qr && printer.is_json() {
            return Err(ClientError::Usage("--qr is for eyes: with --json, use --qr-file".to_owned()));
        }
        let Some(path) = &self.qr_file else { return Ok(()) };
        if Format::of(path).is_none() {
            return Err(ClientError::Usage("the name after --qr-file has to end in .svg or .png".to_owned()));
        }
        if path.symlink_metadata().is_ok() {
            return Err(ClientError::OutputExists { path: path.clone() });
        }
        Ok(())
    }

    /// Shows a text as it is wanted. Comes after the text itself was printed, so that nothing is lost if this fails.
    ///
    /// # Errors
    /// [`ClientError::File`].
    pub(super) fn show(&self, text: &str, printer: &Printer) -> Result<(), ClientError> {
        if !self.is_wanted() {
            return Ok(());
        }
        let too_long = |error: crate::qr::TooLong| ClientError::Usage(error.to_string());
        let picture = QrPicture::of(text).map_err(too_long)?;
        if self.qr {
            printer.picture(&picture.for_terminal());
        }
        let Some(path) = &self.qr_file else { return Ok(()) };
        let contents = match Format::of(path) {
            Some(Format::Png) => picture.png(),
            Some(Format::Svg) | None => Zeroizing::new(picture.svg().as_bytes().to_vec()),
        };
        write_new(path, &contents).map_err(ClientError::file("write", path))
    }
}

/// For its owner only: whoever sees it has the link, or half of what opens the account.
fn write_new(path: &Path, contents: &[u8]) -> std::io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(contents)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn the_name_says_the_format() {
        for (name, format) in [
            ("a.svg", Some(Format::Svg)),
            ("a.PNG", Some(Format::Png)),
            ("a.jpg", None),
            ("svg", None),
            ("", None),
        ] {
            assert_eq!(Format::of(Path::new(name)), format, "{name}");
        }
    }

    #[test]
    fn a_file_is_its_owners_and_never_replaces_another() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("code.svg");
        write_new(&path, b"first").unwrap();
        assert!(write_new(&path, b"second").is_err());
        assert_eq!(std::fs::read(&path).unwrap(), b"first");
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }
}
