//! Results go to standard output, and nothing else does.

use crate::error::RelayError;
use std::io::Write;

/// One line. That it cannot be written is an error: a result that nobody sees is none.
pub(crate) fn line(text: &str) -> Result<(), RelayError> {
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "{text}").and_then(|()| stdout.flush()).map_err(RelayError::Output)
}
