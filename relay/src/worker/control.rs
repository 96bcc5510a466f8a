//! What the supervisor says to the worker: JSON lines on standard input. The end of the input is the supervisor's end.
//!
//! ```text
//! {"address":"….onion"}\n      the relay's own onion address
//! ```

use nightdrop_wire::onion::OnionAddress;
use serde::Deserialize;
use std::io::{BufRead, Read};

/// Bytes of a line at most, its end included.
const MAX_LINE: u64 = 1024;

/// One line.
#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ControlLine {
    /// The relay's own address.
    pub(crate) address: OnionAddress,
}

/// The supervisor said something that is not a control line.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a control line")]
pub(crate) struct NotControl;

/// The next line; `None` at the end of the input.
pub(crate) fn next_line(input: &mut impl BufRead) -> Option<Result<ControlLine, NotControl>> {
    let mut line = Vec::new();
    match input.take(MAX_LINE).read_until(b'\n', &mut line) {
        Ok(0) | Err(_) => None,
        Ok(_) => Some(parse(&line)),
    }
}

fn parse(line: &[u8]) -> Result<ControlLine, NotControl> {
    let line = line.strip_suffix(b"\n").ok_or(NotControl)?;
    serde_json::from_slice(line).map_err(|_| NotControl)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADDRESS: &str = "2gzyxa5ihm7nsggfxnu52rck2vv4rvmdlkiu3zzui5du4xyclen53wid.onion";

    #[test]
    fn lines_are_read_until_the_end() {
        let mut input = std::io::Cursor::new(format!("{{\"address\":\"{ADDRESS}\"}}\n").repeat(2));
        let line = ControlLine { address: ADDRESS.parse().unwrap() };
        assert_eq!(next_line(&mut input), Some(Ok(ControlLine { address: ADDRESS.parse().unwrap() })));
        assert_eq!(next_line(&mut input), Some(Ok(line)));
        assert_eq!(next_line(&mut input), None);
    }

    #[test]
    fn other_lines_are_errors() {
        for bad in [
            "\n".to_owned(),
            "{}\n".to_owned(),
            format!("{{\"address\":\"{ADDRESS}\"}}"),
            format!("{{\"address\":\"{ADDRESS}\",\"more\":1}}\n"),
            "{\"address\":\"example.com\"}\n".to_owned(),
            format!("{{\"address\":\"{}\"}}\n", "a".repeat(100_000)),
        ] {
            assert_eq!(next_line(&mut std::io::Cursor::new(&bad)), Some(Err(NotControl)), "{bad:.80}");
        }
    }
}
