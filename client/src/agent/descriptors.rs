//! Descriptors that the agent was started with and that are none of its own.

use nix::unistd::close;
use std::{io, os::fd::RawFd};

/// Closes all descriptors but the three standard streams. The shell that `unlock` was typed in may have left some open: a pipe whose
/// reader would wait for its end as long as the account is open, a lock, a file on a disk that is to be taken out.
///
/// Only for the first moment of a process, before it has opened anything itself: it would lose that, too.
///
/// # Errors
/// If the open ones cannot be listed.
pub fn close_inherited() -> io::Result<()> {
    let names = std::fs::read_dir("/proc/self/fd")?;
    // Closed when all are known: the list itself is one of them, and has been closed by then.
    let open: Vec<RawFd> = names.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).collect();
    for descriptor in open.into_iter().filter(|descriptor| *descriptor > 2) {
        let _the_list = close(descriptor);
    }
    Ok(())
}
