//! What a process has of its surroundings: variables and open files, as the kernel tells them.

use nix::unistd::Pid;
use std::path::{Path, PathBuf};

/// The variables that a process was started with, as `NAME=value`.
pub(crate) fn variables(process: Pid) -> Vec<String> {
    let bytes = std::fs::read(format!("/proc/{process}/environ")).unwrap();
    let variables = bytes.split(|byte| *byte == 0).filter(|variable| !variable.is_empty());
    variables.map(|variable| String::from_utf8_lossy(variable).into_owned()).collect()
}

/// Whether a process has a file open.
pub(crate) fn has_open(process: Pid, file: &Path) -> bool {
    open_files(process).iter().any(|open| open == file)
}

/// What a process has open; a file that it closes meanwhile is passed over.
fn open_files(process: Pid) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(format!("/proc/{process}/fd")).unwrap();
    entries.filter_map(|entry| std::fs::read_link(entry.unwrap().path()).ok()).collect()
}
