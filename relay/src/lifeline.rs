//! Ties a child process to the supervisor: whatever kills the supervisor kills it too, at once and without its help.

use crate::error::RelayError;
use nix::{
    sys::{
        prctl::{set_name, set_pdeathsig},
        signal::Signal,
    },
    unistd::{Pid, getppid},
};

/// Has the kernel kill this process when the supervisor dies.
///
/// The signal is tied to the supervisor's *thread*, which is its main thread. A later change of user would clear it,
/// so it is set again after one.
///
/// # Errors
/// [`RelayError::NoSupervisor`] if the parent is not `supervisor`: it died before the kernel knew, or there is none.
pub fn tie_to(supervisor: Pid) -> Result<(), RelayError> {
    set_pdeathsig(Signal::SIGKILL)
        .map_err(|errno| RelayError::System { what: "a parent-death signal", source: errno.into() })?;
    // Started through /proc/self/exe, it would be listed as `exe`.
    let _cosmetic = set_name(c"nightdrop-relay");
    if getppid() == supervisor { Ok(()) } else { Err(RelayError::NoSupervisor) }
}
