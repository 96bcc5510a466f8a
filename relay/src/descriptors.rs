//! Room for descriptors: each stream takes one in the gateway and one in the worker.

use crate::error::RelayError;
use nix::sys::resource::{Resource, getrlimit, setrlimit};

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
