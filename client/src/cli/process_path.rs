//! Paths that each process reads as something else: `/dev/stdin`, `/dev/fd/3`, `/proc/self/fd/3`, and links to them.
//!
//! The agent would open its own descriptor in place of the caller's, so such a path is never given to it.

use crate::ClientError;
use std::{
    collections::VecDeque,
    ffi::OsString,
    path::{Component, Path, PathBuf},
};

/// Links that are followed in one path, as many as Linux follows.
const MOST_LINKS: usize = 40;

/// Refuses a path that leads through what the system shows to each process differently.
///
/// # Errors
/// [`ClientError::ProcessPath`].
pub(super) fn require_same_everywhere(path: &Path) -> Result<(), ClientError> {
    if leads_through_proc(path) { Err(ClientError::ProcessPath { path: path.to_owned() }) } else { Ok(()) }
}

/// Step by step: what a descriptor is open on may have a name of its own, to which the whole path would resolve.
fn leads_through_proc(path: &Path) -> bool {
    let (mut at, mut left, mut links) = (PathBuf::from("/"), steps(path), 0);
    while let Some(step) = left.pop_front() {
        if step == ".." {
            at.pop();
            continue;
        }
        at.push(step);
        if at.starts_with("/proc") {
            return true;
        }
        if let Ok(target) = at.read_link() {
            links += 1;
            if links > MOST_LINKS {
                // Nobody can open it, here or there.
                return false;
            }
            at.pop();
            if target.is_absolute() {
                at = PathBuf::from("/");
            }
            left = steps(&target).into_iter().chain(left).collect();
        }
    }
    false
}

fn steps(path: &Path) -> VecDeque<OsString> {
    let steps = path.components().filter(|step| matches!(step, Component::Normal(_) | Component::ParentDir));
    steps.map(|step| step.as_os_str().to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn descriptors_by_any_name_are_recognised() {
        for path in ["/dev/stdin", "/dev/fd/0", "/proc/self/fd/0", "/proc/1/root/etc", "/tmp/../dev//fd/./0"]
        {
            assert!(leads_through_proc(Path::new(path)), "{path}");
        }
        for path in ["/", "/dev/null", "/tmp/x", "/process", "/etc/proc/x", "/nowhere/../tmp"] {
            assert!(!leads_through_proc(Path::new(path)), "{path}");
        }
    }

    #[test]
    fn links_are_followed_to_where_they_lead() {
        let directory = tempfile::tempdir().unwrap();
        let link = |name: &str, target: &str| {
            let path = directory.path().join(name);
            symlink(target, &path).unwrap();
            path
        };
        assert!(leads_through_proc(&link("input", "/dev/stdin")));
        assert!(leads_through_proc(&link("again", "input")));
        link("below", "/proc/self");
        assert!(leads_through_proc(&directory.path().join("below/fd/0")));
        let up = "../".repeat(20) + "dev/fd";
        link("up", &up);
        assert!(leads_through_proc(&directory.path().join("up/0")));
        assert!(!leads_through_proc(&link("other", "/dev/null")));
        assert!(!leads_through_proc(&link("circle", "circle")));
        let refused = require_same_everywhere(&directory.path().join("again"));
        assert!(matches!(refused, Err(ClientError::ProcessPath { path }) if path.ends_with("again")));
    }
}
