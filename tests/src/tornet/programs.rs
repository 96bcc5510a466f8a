//! The programs of others that a private network is made with, found before anything is started.
//!
//! A missing or too old program is an error that names the command to install it; nothing works around it.

use std::env;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::error::{Error, Result};

/// The oldest `tor` whose onion services and directory votes behave as the settings in `node.rs` expect.
const MINIMUM: (u32, u32, u32) = (0, 4, 8);
const MINIMUM_TEXT: &str = "0.4.8";
const TESTED_TEXT: &str = "0.4.9.11";

/// Where `tor` and `tor-gencert` are. Having one means: they exist and are new enough.
#[derive(Debug, Clone)]
pub(crate) struct TorPrograms {
    /// The relay and directory authority itself.
    pub(crate) tor: PathBuf,
    /// What makes an authority's certificate.
    pub(crate) gencert: PathBuf,
    /// What starts them so that they die with us.
    pub(crate) setpriv: PathBuf,
    /// As in `0.4.9.11`.
    pub(crate) version: String,
}

impl TorPrograms {
    /// Finds them on `PATH` and asks `tor` for its version.
    pub(crate) fn find() -> Result<Self> {
        let tor = find("tor", "tor")?;
        let version = version_of(&tor)?;
        let gencert = find("tor-gencert", "tor")?;
        let setpriv = find("setpriv", "util-linux")?;
        Ok(Self { tor, gencert, setpriv, version })
    }
}

/// Finds `program` on `PATH`, or says which Debian package has it.
pub(crate) fn find(program: &'static str, package: &'static str) -> Result<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .map(|dir| dir.join(program))
        .find(|candidate| is_executable(candidate))
        .ok_or(Error::MissingProgram { program, package })
}

fn is_executable(path: &Path) -> bool {
    path.metadata().is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0)
}

fn version_of(tor: &Path) -> Result<String> {
    let output = Command::new(tor).arg("--version").output().map_err(Error::io("start", tor))?;
    let said = String::from_utf8_lossy(&output.stdout);
    let first = said.lines().next().unwrap_or_default();
    let Some(version) = parse_version(first) else {
        return Err(Error::UnknownTor { said: format!("{first:?} ({})", output.status) });
    };
    if numbers(version).is_some_and(|found| found >= MINIMUM) {
        Ok(version.to_owned())
    } else {
        Err(Error::OldTor { found: version.to_owned(), minimum: MINIMUM_TEXT, tested: TESTED_TEXT })
    }
}

/// `Tor version 0.4.9.11.` or `Tor version 0.4.9.1-alpha (git-…).` → `0.4.9.11` or `0.4.9.1-alpha`.
fn parse_version(line: &str) -> Option<&str> {
    let version = line.strip_prefix("Tor version ")?.split(' ').next()?.trim_end_matches('.');
    numbers(version).map(|_| version)
}

fn numbers(version: &str) -> Option<(u32, u32, u32)> {
    let mut parts = version.split(['.', '-']).map(|part| part.parse().ok());
    Some((parts.next()??, parts.next()??, parts.next()??))
}

#[cfg(test)]
mod tests {
    use super::{MINIMUM, numbers, parse_version};

    #[test]
    fn versions_are_read_and_ordered() {
        assert_eq!(parse_version("Tor version 0.4.9.11."), Some("0.4.9.11"));
        assert_eq!(parse_version("Tor version 0.4.9.1-alpha (git-abcdef)."), Some("0.4.9.1-alpha"));
        assert_eq!(parse_version("tor, the editor"), None);
        assert!(numbers("0.4.7.16") < Some(MINIMUM));
        assert!(numbers("0.4.8.0") >= Some(MINIMUM));
        assert!(numbers("0.10.0.1") >= Some(MINIMUM));
    }
}
