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

    /// Whether a program may treat it specially because of its first symbol: hidden files that shells and desktops run or read by
    /// themselves, and names that look like an option.
    #[must_use]
    pub fn is_special(&self) -> bool {
        self.0.starts_with(['.', '-', '~'])
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Control characters move the cursor; the bidirectional ones (Unicode UAX #9, and the "Trojan Source" paper) reorder what
/// is shown; line separators end the line; invisible ones make two names look alike, and wide spaces push an ending out of sight. The
/// joiners U+200C and U+200D stay allowed: Persian, many Indian scripts and emoji need them.
fn deceives(symbol: char) -> bool {
    symbol.is_control()
        || matches!(
            symbol,
            '\u{ad}'
                | '\u{61c}'
                | '\u{115f}'..='\u{1160}'
                | '\u{180b}'..='\u{180f}'
                | '\u{2000}'..='\u{200b}'
                | '\u{200e}'..='\u{200f}'
                | '\u{2028}'..='\u{202f}'
                | '\u{205f}'..='\u{206f}'
                | '\u{3164}'
                | '\u{feff}'
                | '\u{ffa0}'
                | '\u{e0000}'..='\u{e0fff}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_names_pass() {
        let longest = "x".repeat(255);
        for name in [
            "a",
            "photo 1.jpg",
            ".hidden",
            "...",
            "Ünïcødé — 文件.txt",
            "می\u{200c}خواهم",
            "a..b",
            longest.as_str(),
        ] {
            assert_eq!(FileName::parse(name).map(|name| name.0), Ok(name.to_owned()));
        }
    }

    #[test]
    fn names_that_programs_treat_specially_are_known() {
        for (name, special) in
            [("a", false), ("a.b-c~", false), (".profile", true), ("-rf", true), ("~", true)]
        {
            assert_eq!(FileName::parse(name).unwrap().is_special(), special, "{name}");
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
            "invoice\u{2003}\u{2003}.desktop",
            "a\u{ad}b",
            "\u{3164}",
            "tag\u{e0041}",
            too_long.as_str(),
        ] {
            assert_eq!(FileName::parse(name), Err(OpenError::Inconsistent), "{}", name.escape_debug());
        }
    }
}
