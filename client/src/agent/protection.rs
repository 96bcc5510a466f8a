//! Keeping keys in memory only: no core file, no tracing by others, no swap.
//!
//! | What | Where | How | Without the right to it |
//! |---|---|---|---|
//! | no core file | every command | `RLIMIT_CORE` 0 | always possible |
//! | not dumpable: no `ptrace`, no `/proc/PID/mem` but for root | every command | `PR_SET_DUMPABLE` 0 | always possible |
//! | all memory locked | the agent | `mlockall`, if locked memory is not limited | the pages of master key, keyring and session alone |

use nix::sys::{
    mman::{MlockAllFlags, mlockall},
    prctl::set_dumpable,
    resource::{RLIM_INFINITY, Resource, getrlimit, setrlimit},
};
use serde::{Deserialize, Serialize};

/// Bit of `CAP_IPC_LOCK` in a set of capabilities: locked memory is not limited for who has it.
const CAP_IPC_LOCK: u32 = 14;

/// Which memory cannot be written to swap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MemoryProtection {
    /// All of the process.
    All,
    /// Master key, keyring, keys of the home space and the session. Keys of single files may be.
    Keys,
    /// Nothing is certain: the system does not let it.
    None,
}

/// Keeps this process's memory to itself.
///
/// # Errors
/// If there would be core files, or other processes of the user could read the memory: then there must be no keys in it.
pub fn protect_process() -> std::io::Result<()> {
    setrlimit(Resource::RLIMIT_CORE, 0, 0)?;
    Ok(set_dumpable(false)?)
}

/// Keeps all memory of this process out of swap, if the system lets it; returns whether it does. A process of one command ends before it
/// would be swapped, as a rule, and is not worth it.
#[must_use]
pub fn lock_all_memory() -> bool {
    may_lock_all() && mlockall(all_once_touched()).is_ok()
}

/// All pages, present and future ones, but each only once it is used: stacks and arenas that nobody touches take no memory.
fn all_once_touched() -> MlockAllFlags {
    MlockAllFlags::MCL_CURRENT
        | MlockAllFlags::MCL_FUTURE
        | MlockAllFlags::from_bits_retain(nix::libc::MCL_ONFAULT)
}

/// Whether locked memory is not limited. With a limit, an allocation beyond it would fail at any time later.
fn may_lock_all() -> bool {
    let unlimited = matches!(getrlimit(Resource::RLIMIT_MEMLOCK), Ok((soft, _)) if soft == RLIM_INFINITY);
    unlimited
        || std::fs::read_to_string("/proc/self/status")
            .is_ok_and(|status| has_capability(&status, CAP_IPC_LOCK))
}

/// Whether a `/proc/PID/status` lists an effective capability.
fn has_capability(status: &str, bit: u32) -> bool {
    let effective = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    let effective = effective.and_then(|hex| u64::from_str_radix(hex.trim(), 16).ok());
    effective.is_some_and(|set| set >> bit & 1 == 1)
}

/// The pages of one value, which is not moved while this is held.
pub(super) struct LockedPages(#[expect(dead_code, reason = "held, not read")] region::LockGuard);

impl LockedPages {
    /// Locks the pages of what `value` itself holds, if the system lets it.
    pub(super) fn of<T>(value: &std::sync::Arc<T>) -> Option<Self> {
        region::lock(std::sync::Arc::as_ptr(value), size_of::<T>()).ok().map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::sys::prctl::get_dumpable;

    #[test]
    fn capabilities_are_read_from_the_effective_set() {
        let status =
            "Name:\tx\nCapPrm:\t0000000000000000\nCapEff:\t0000000000004000\nCapBnd:\t0000000000000000\n";
        assert!(has_capability(status, CAP_IPC_LOCK));
        assert!(!has_capability(status, 13));
        assert!(!has_capability("CapEff:\tzz\n", CAP_IPC_LOCK));
        assert!(!has_capability("", CAP_IPC_LOCK));
    }

    /// One after the other, as the second locks everything.
    #[test]
    fn pages_of_a_value_are_locked_while_it_is_held_and_a_protected_process_leaves_nothing() {
        let locked = || {
            let status = std::fs::read_to_string("/proc/self/status").unwrap();
            let line = status.lines().find_map(|line| line.strip_prefix("VmLck:")).unwrap();
            line.trim().trim_end_matches(" kB").parse::<u64>().unwrap()
        };
        let before = locked();
        let value = std::sync::Arc::new([1_u8; 10_000]);
        let pages = LockedPages::of(&value).unwrap();
        assert!(locked() >= before + 8);
        drop(pages);
        assert_eq!(locked(), before);

        set_dumpable(true).unwrap();
        assert!(get_dumpable().unwrap());
        protect_process().unwrap();
        assert!(!get_dumpable().unwrap());
        assert_eq!(getrlimit(Resource::RLIMIT_CORE).unwrap(), (0, 0));
        assert_eq!(locked(), before);
        let all = lock_all_memory();
        assert_eq!(all, may_lock_all());
        assert_eq!(locked() > before, all);
    }
}
