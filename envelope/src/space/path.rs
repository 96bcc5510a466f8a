//! Names inside a space.

use crate::{OpenError, file_name::FileName};
use serde::{Deserialize, Serialize};

/// Bytes of a path at most; fits an entry of the largest size with all else in it.
const MAX_BYTES: usize = 1_024;

/// A relative path of harmless names, `/` between them. Never empty, never `..`, never absolute.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SpacePath(String);

impl SpacePath {
    /// Parses a path; one slash at its start or end is forgiven.
    ///
    /// # Errors
    /// [`OpenError::Inconsistent`] if it is none.
    pub fn parse(text: &str) -> Result<Self, OpenError> {
        let text = text.strip_prefix('/').unwrap_or(text);
        Self::try_from(text.strip_suffix('/').unwrap_or(text).to_owned())
    }

    /// The path.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Its last name.
    #[must_use]
    pub fn file_name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or(&self.0)
    }

    /// This name inside a directory.
    ///
    /// # Errors
    /// [`OpenError::Inconsistent`] if it becomes too long.
    pub fn join(&self, name: &FileName) -> Result<Self, OpenError> {
        Self::try_from(format!("{}/{}", self.0, name.as_str()))
    }

    /// The directories that it lies in, the nearest first.
    pub(super) fn ancestors(&self) -> impl Iterator<Item = Self> + '_ {
        self.0.rmatch_indices('/').filter_map(|(end, _)| self.0.get(..end)).map(|path| Self(path.to_owned()))
    }

    /// Where everything below it begins, in the order of paths. Itself no path.
    pub(super) fn first_below(&self) -> Self {
        Self(format!("{}/", self.0))
    }

    /// Whether it lies below `directory`.
    #[must_use]
    pub fn is_below(&self, directory: &Self) -> bool {
        self.0.strip_prefix(&directory.0).is_some_and(|rest| rest.starts_with('/'))
    }
}

impl TryFrom<String> for SpacePath {
    type Error = OpenError;

    fn try_from(text: String) -> Result<Self, OpenError> {
        if text.len() > MAX_BYTES {
            return Err(OpenError::Inconsistent);
        }
        for name in text.split('/') {
            FileName::parse(name)?;
        }
        Ok(Self(text))
    }
}

impl From<SpacePath> for String {
    fn from(path: SpacePath) -> Self {
        path.0
    }
}

impl From<FileName> for SpacePath {
    fn from(name: FileName) -> Self {
        Self(name.as_str().to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_relative_and_harmless() {
        for (text, parsed) in [("a", "a"), ("/a/b/", "a/b"), ("a b/ü.txt", "a b/ü.txt")] {
            assert_eq!(SpacePath::parse(text).unwrap().as_str(), parsed);
        }
        for text in ["", "/", "..", "a/../b", "a//b", "a/./b", "a\0", "//a", &"x/".repeat(600)] {
            assert!(SpacePath::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_longest_path_is_1024_bytes() {
        let of_length =
            |length: usize| SpacePath::parse(&format!("{}{}", "x/".repeat(500), "y".repeat(length - 1_000)));
        assert_eq!(of_length(1_024).unwrap().as_str().len(), 1_024);
        assert_eq!(of_length(1_025), Err(OpenError::Inconsistent));
    }

    #[test]
    fn the_last_name_is_the_files() {
        for text in ["b.txt", "a/b.txt", "a/c/b.txt"] {
            assert_eq!(SpacePath::parse(text).unwrap().file_name(), "b.txt");
        }
    }

    #[test]
    fn below_means_a_whole_name_deeper() {
        let directory = SpacePath::parse("docs").unwrap();
        assert!(SpacePath::parse("docs/a").unwrap().is_below(&directory));
        assert!(!SpacePath::parse("docs").unwrap().is_below(&directory));
        assert!(!SpacePath::parse("docs2/a").unwrap().is_below(&directory));
    }
}
