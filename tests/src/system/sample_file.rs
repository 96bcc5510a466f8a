//! Files whose content is found again wherever a piece of it shows.

use super::{SystemError, io};
use std::{
    fs::File,
    io::{BufWriter, Write},
    path::Path,
};

/// Stands in every line of a sample.
pub const MARKER: &str = "nightdrop known plaintext";

/// Writes `size` bytes of numbered lines, each with [`MARKER`].
///
/// # Errors
/// [`SystemError::Io`].
pub fn make_sample(path: &Path, size: u64) -> Result<(), SystemError> {
    let write = || -> std::io::Result<()> {
        let mut file = BufWriter::new(File::create(path)?);
        let mut left = usize::try_from(size).map_err(std::io::Error::other)?;
        for number in 0_u64.. {
            let line = format!("{number:012} {MARKER}\n");
            let piece = line.as_bytes().get(..left).unwrap_or(line.as_bytes());
            file.write_all(piece)?;
            left -= piece.len();
            if left == 0 {
                break;
            }
        }
        file.flush()
    };
    write().map_err(io(format!("write {}", path.display())))
}
