//! What the gateway tells the supervisor: one JSON object a line, on the gateway's standard output.
//!
//! The same lines are the relay's `--json` output, except that [`Event::Address`] stays inside: an address that is not
//! reachable is of no use to anybody but the worker.

use nightdrop_wire::onion::OnionAddress;
use serde::{Deserialize, Serialize};

/// Longest line in bytes; whatever is longer is none of ours.
pub const MAX_LINE: usize = 4096;

/// One line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "lowercase", deny_unknown_fields)]
pub enum Event {
    /// How far the way into the Tor network is.
    Bootstrap {
        /// 0 to 100.
        percent: u8,
    },
    /// What keeps it from going on.
    Blocked {
        /// In words.
        reason: String,
        /// What to try.
        advice: String,
    },
    /// The relay's address, known before it is reachable.
    Address {
        /// The address.
        address: OnionAddress,
    },
    /// Clients can reach the relay.
    Reachable {
        /// At this address.
        address: OnionAddress,
    },
    /// They no longer can; Tor tries to repair it.
    Unreachable {},
    /// The gateway ends for this reason.
    Failed {
        /// In words.
        reason: String,
        /// What to do.
        advice: String,
    },
}

impl Event {
    /// Its line, with the line feed.
    ///
    /// # Errors
    /// As `serde_json`; no event is known for which it fails.
    pub fn to_line(&self) -> serde_json::Result<String> {
        serde_json::to_string(self).map(|line| line + "\n")
    }

    /// The event of a line; `None` if it is none.
    #[must_use]
    pub fn from_line(line: &str) -> Option<Self> {
        if line.len() > MAX_LINE {
            return None;
        }
        serde_json::from_str(line).ok().map(Self::shown_safely)
    }

    /// Words end up on an operator's terminal, and a gateway that was taken over chooses them.
    fn shown_safely(mut self) -> Self {
        if let Self::Blocked { reason, advice } | Self::Failed { reason, advice } = &mut self {
            for words in [reason, advice] {
                *words = words.replace(char::is_control, " ");
            }
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADDRESS: &str = "2gzyxa5ihm7nsggfxnu52rck2vv4rvmdlkiu3zzui5du4xyclen53wid.onion";

    #[test]
    fn lines_have_the_form_that_scripts_rely_on() {
        let address = ADDRESS.parse::<OnionAddress>().unwrap();
        for (event, line) in [
            (Event::Bootstrap { percent: 17 }, r#"{"event":"bootstrap","percent":17}"#.to_owned()),
            (
                Event::Address { address: address.clone() },
                format!(r#"{{"event":"address","address":"{ADDRESS}"}}"#),
            ),
            (Event::Reachable { address }, format!(r#"{{"event":"reachable","address":"{ADDRESS}"}}"#)),
            (Event::Unreachable {}, r#"{"event":"unreachable"}"#.to_owned()),
        ] {
            assert_eq!(event.to_line().unwrap(), format!("{line}\n"));
            assert_eq!(Event::from_line(&format!("{line}\n")), Some(event));
        }
    }

    #[test]
    fn words_cannot_move_the_cursor() {
        let words = |reason: &str| Event::Failed { reason: reason.to_owned(), advice: reason.to_owned() };
        let line = words("a\u{1b}[2J\r\nb").to_line().unwrap();
        assert_eq!(Event::from_line(&line), Some(words("a [2J  b")));
    }

    #[test]
    fn other_lines_are_no_events() {
        assert!(Event::from_line(r#"{"event":"bootstrap","percent":1}"#).is_some(), "the honest case");
        for line in [
            "",
            "warning: something",
            r#"{"event":"bootstrap"}"#,
            r#"{"event":"bootstrap","percent":1,"more":1}"#,
            r#"{"event":"bootstrap","percent":256}"#,
            r#"{"event":"reachable","address":"example.onion"}"#,
            r#"{"event":"other"}"#,
        ] {
            assert_eq!(Event::from_line(line), None, "{line}");
        }
        let long = format!(r#"{{"event":"blocked","reason":"{}","advice":""}}"#, "a".repeat(MAX_LINE));
        assert_eq!(Event::from_line(&long), None, "longer than any line of ours");
    }
}
