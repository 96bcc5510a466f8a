//! The shared random values that the authorities would agree on within a day, given to them at the start.
//!
//! Without them a consensus has none, and Arti then knows one time period only and calls a service unreachable.
//! The values are constants: they decide which directories hold a descriptor, and the directories' keys are random.
//!
//! The file `sr-state`, the same on every authority:
//! ```text
//! Version 1
//! TorVersion <version>
//! ValidAfter <now>
//! ValidUntil <the end of the protocol run>
//! SharedRandPreviousValue 3 <base64 of 32 bytes>
//! SharedRandCurrentValue 3 <base64 of 32 bytes>
//! ```

use std::fs::File;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::time::{SystemTime, UNIX_EPOCH};

use super::error::{Error, Result};
use super::node::{KeyedNode, PERIOD_SECONDS, Role};

const PREVIOUS: &str = "TmlnaHRkcm9wLCBwcml2YXRlIG5ldHdvcmssIG9uZS4=";
const CURRENT: &str = "TmlnaHRkcm9wLCBwcml2YXRlIG5ldHdvcmssIHR3by4=";

/// Writes `sr-state` for every authority.
pub(crate) fn write(nodes: &[KeyedNode], tor_version: &str) -> Result<()> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let text = text(now, tor_version);
    for authority in nodes.iter().filter(|keyed| keyed.node.role == Role::Authority) {
        let path = authority.node.data_dir().join("sr-state");
        let mut options = File::options();
        options.write(true).create_new(true).mode(0o600);
        let mut file = options.open(&path).map_err(Error::io("create", &path))?;
        file.write_all(text.as_bytes()).map_err(Error::io("write", &path))?;
    }
    Ok(())
}

fn text(now: u64, tor_version: &str) -> String {
    let run = u64::from(PERIOD_SECONDS);
    let end = (now / run + 1) * run;
    format!(
        "Version 1\nTorVersion {tor_version}\nValidAfter {}\nValidUntil {}\n\
         SharedRandPreviousValue 3 {PREVIOUS}\nSharedRandCurrentValue 3 {CURRENT}\n",
        utc(now),
        utc(end)
    )
}

/// Seconds since 1970 as `YYYY-MM-DD hh:mm:ss`.
fn utc(seconds: u64) -> String {
    let (mut days, rest) = (seconds / 86_400, seconds % 86_400);
    let mut year = 1970;
    while year_length(year) <= days {
        days -= year_length(year);
        year += 1;
    }
    let february = if year_length(year) == 366 { 29 } else { 28 };
    let mut month = 1;
    for length in [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] {
        if days < length {
            break;
        }
        days -= length;
        month += 1;
    }
    let day = days + 1;
    format!("{year:04}-{month:02}-{day:02} {:02}:{:02}:{:02}", rest / 3600, rest / 60 % 60, rest % 60)
}

fn year_length(year: u64) -> u64 {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    if leap { 366 } else { 365 }
}

#[cfg(test)]
mod tests {
    use super::{text, utc};

    #[test]
    fn times_are_written_in_utc() {
        assert_eq!(utc(0), "1970-01-01 00:00:00");
        assert_eq!(utc(951_782_399), "2000-02-28 23:59:59");
        assert_eq!(utc(951_782_400), "2000-02-29 00:00:00");
        assert_eq!(utc(1_735_689_599), "2024-12-31 23:59:59");
        assert_eq!(utc(4_107_542_400), "2100-03-01 00:00:00");
    }

    #[test]
    fn the_state_is_valid_until_the_end_of_the_run() {
        let text = text(1_735_689_599, "0.4.9.11");
        assert!(text.contains("ValidAfter 2024-12-31 23:59:59\nValidUntil 2025-01-01 00:00:00\n"), "{text}");
    }
}
