//! Descriptors: room for them, because each stream takes one in the gateway and one in the worker; and none that came from
//! whoever started the relay.

use crate::error::RelayError;
use nix::{
    sys::resource::{Resource, getrlimit, setrlimit},
    unistd::close,
};
use std::os::fd::RawFd;

/// More than both processes can ever need within their limits.
const ENOUGH: u64 = 65_536;

/// Raises the limit of open descriptors as far as the system lets it. The usual one, 1,024, would let strangers who hold streams keep
/// Tor itself, and the operator's commands, from opening anything.
///
/// # Errors
/// [`RelayError::System`] if the system does not let it.
pub fn raise_limit() -> Result<(), RelayError> {
    let failed = |errno: nix::Error| RelayError::System { what: "room for open files", source: errno.into() };
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).map_err(failed)?;
    let wanted = hard.min(ENOUGH);
    if soft < wanted { setrlimit(Resource::RLIMIT_NOFILE, wanted, hard).map_err(failed) } else { Ok(()) }
}

/// Closes all descriptors but the three standard streams. Whoever started this program may have left some open, which are
/// no business of ours nor of our children, one of which meets the whole world.
///
/// Only for the first moment of a process, before it has opened anything itself: it would lose that, too.
///
/// # Errors
/// [`RelayError::System`] if the open ones cannot be listed.
pub(crate) fn close_inherited() -> Result<(), RelayError> {
    let failed = |source| RelayError::System { what: "a list of open files", source };
    let names = std::fs::read_dir("/proc/self/fd").map_err(failed)?;
    // Closed when all are known: the list itself is one of them, and has been closed by then.
    let open: Vec<RawFd> = names.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).collect();
    for descriptor in open.into_iter().filter(|descriptor| *descriptor > 2) {
        let _the_list = close(descriptor);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_is_raised_to_what_is_enough_or_allowed() {
        let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
        setrlimit(Resource::RLIMIT_NOFILE, hard.min(256), hard).unwrap();
        raise_limit().unwrap();
        assert_eq!(getrlimit(Resource::RLIMIT_NOFILE).unwrap().0, hard.min(ENOUGH));
    }
}
