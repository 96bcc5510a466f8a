//! File names that may come from somebody else.

use crate::OpenError;

/// Bytes of a name at most, as on most file systems.
pub const MAX_BYTES: usize = 255;

/// One path component that cannot leave its directory and cannot lie to the eye: not empty, not `.` or `..`, no
/// separator, no control characters, none that reverse the direction of writing, at most [`MAX_BYTES`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileName(String);

impl FileName {
    /// Parses a name.
    ///
    /// # Errors
    /// [`OpenError::Inconsistent`] if it is not such a name.
    pub fn parse(name: &str) -> Result<Self, OpenError> {
        let bad = name.is_empty()
            || name.len() > MAX_BYTES
            || name == "."
            || name == ".."
            || name.chars().any(|symbol| matches!(symbol, '/' | '\\') || deceives(symbol));
        if bad { Err(OpenError::Inconsistent) } else { Ok(Self(name.to_owned())) }
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Control characters move the cursor; the bidirectional ones (Unicode UAX #9, and the "Trojan Source" paper) reorder what
/// is shown; line separators end the line.
fn deceives(symbol: char) -> bool {
    symbol.is_control()
        || matches!(
            symbol,
            '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{61c}' | '\u{feff}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_names_pass() {
        let longest = "x".repeat(255);
        for name in ["a", "photo 1.jpg", ".hidden", "...", "Ünïcødé — 文件.txt", "a..b", longest.as_str()]
        {
            assert_eq!(FileName::parse(name).map(|name| name.0), Ok(name.to_owned()));
        }
    }

    #[test]
    fn m26_names_that_escape_or_deceive_are_refused() {
        let too_long = "x".repeat(256);
        for name in [
            "",
            ".",
            "..",
            "a/b",
            "/etc/passwd",
            "..\\up",
            "nul\0",
            "bell\u{7}",
            "esc\u{1b}[2J",
            "line\nbreak",
            "gpj.\u{202e}exe",
            "\u{2066}x",
            "\u{feff}x",
            too_long.as_str(),
        ] {
            assert_eq!(FileName::parse(name), Err(OpenError::Inconsistent), "{}", name.escape_debug());
        }
    }
}
