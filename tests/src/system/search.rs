//! A search of a whole directory for what must not be there.

use super::{SystemError, io};
use memchr::memmem;
use std::{
    fs::File,
    io::Read,
    path::{Path, PathBuf},
};

const PIECE: usize = 1 << 20;

/// Where something was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// What; bytes that are no text are shown as well as they can be.
    pub canary: String,
    /// In which file, or as whose name.
    pub path: PathBuf,
}

/// Searches names and contents of all files below `directory` for each canary, which is text or bytes.
///
/// # Errors
/// [`SystemError::Io`] if something cannot be read: what was not searched must not count as clean.
pub fn search<C: AsRef<[u8]>>(directory: &Path, canaries: &[C]) -> Result<Vec<Found>, SystemError> {
    let canaries: Vec<&[u8]> = canaries.iter().map(AsRef::as_ref).collect();
    let canaries = canaries.as_slice();
    let mut found = Vec::new();
    let mut waiting = vec![directory.to_owned()];
    while let Some(path) = waiting.pop() {
        for entry in std::fs::read_dir(&path).map_err(io(format!("list {}", path.display())))? {
            let entry = entry.map_err(io(format!("list {}", path.display())))?;
            let path = entry.path();
            let name = entry.file_name();
            found.extend(hits(&path, canaries, |canary| {
                memmem::find(name.as_encoded_bytes(), canary).is_some()
            }));
            let kind = entry.file_type().map_err(io(format!("look at {}", path.display())))?;
            if kind.is_dir() {
                waiting.push(path);
            } else if kind.is_file() {
                let inside = contents(&path, canaries)?;
                found.extend(hits(&path, canaries, |canary| inside.contains(&canary)));
            }
        }
    }
    Ok(found)
}

fn hits(path: &Path, canaries: &[&[u8]], is_there: impl Fn(&[u8]) -> bool) -> Vec<Found> {
    let there = canaries.iter().filter(|canary| is_there(canary));
    there
        .map(|canary| Found { canary: String::from_utf8_lossy(canary).into_owned(), path: path.to_owned() })
        .collect()
}

/// Which canaries a file holds, read piece by piece with an overlap, so that none hides on a border.
fn contents<'a>(path: &Path, canaries: &[&'a [u8]]) -> Result<Vec<&'a [u8]>, SystemError> {
    let fail = || io(format!("read {}", path.display()));
    let longest = canaries.iter().map(|canary| canary.len()).max().unwrap_or(0);
    let mut file = File::open(path).map_err(fail())?;
    let mut buffer = Vec::new();
    let mut inside = Vec::new();
    loop {
        let read = file.by_ref().take(PIECE as u64).read_to_end(&mut buffer).map_err(fail())?;
        if read == 0 {
            return Ok(inside);
        }
        for canary in canaries {
            if !inside.contains(canary) && memmem::find(&buffer, canary).is_some() {
                inside.push(*canary);
            }
        }
        buffer.drain(..buffer.len().saturating_sub(longest));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_in_names_in_contents_and_across_borders() {
        let directory = tempfile::tempdir().unwrap();
        let below = directory.path().join("below");
        std::fs::create_dir(&below).unwrap();
        std::fs::write(directory.path().join("a-canary-b"), "").unwrap();
        let mut long = vec![0; PIECE - 3];
        long.extend_from_slice(b"crossing");
        long.extend_from_slice(&[0; 100]);
        std::fs::write(below.join("long"), &long).unwrap();
        let found = search(directory.path(), &["canary", "crossing", "absent"]).unwrap();
        let mut canaries: Vec<&str> = found.iter().map(|found| found.canary.as_str()).collect();
        canaries.sort_unstable();
        assert_eq!(canaries, ["canary", "crossing"]);
        std::fs::write(below.join("bytes"), [0, 1, 0xff, 0xfe, 2]).unwrap();
        let found = search(directory.path(), &[[0xff_u8, 0xfe], [0xfe, 0xff]]).unwrap();
        assert_eq!(found.len(), 1, "what is no text is found, too");
    }
}
