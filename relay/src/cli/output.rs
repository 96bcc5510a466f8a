//! Results go to standard output, and nothing else does.

use crate::error::RelayError;
use std::io::Write;

/// One line. That it cannot be written is an error: a result that nobody sees is none.
pub(crate) fn line(text: &str) -> Result<(), RelayError> {
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "{text}").and_then(|()| stdout.flush()).map_err(RelayError::Output)
}

/// One object on one line.
pub(crate) fn json(object: &impl serde::Serialize) -> Result<(), RelayError> {
    let text = serde_json::to_string(object).map_err(|error| RelayError::Output(error.into()))?;
    line(&text)
}

/// Bytes as they are.
pub(crate) fn raw(bytes: &[u8]) -> Result<(), RelayError> {
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(bytes).and_then(|()| stdout.flush()).map_err(RelayError::Output)
}
