//! What stretching a link's password takes is given back. In a process of its own: memory is counted by process.
#![allow(clippy::unwrap_used, missing_docs)]

use nightdrop_login::password::Password;

/// In KiB.
fn memory(of: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(of)).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

#[test]
fn sixty_four_mebibytes_are_taken_and_given_back() {
    let before = memory("VmRSS:");
    Password::new("plum orbit velvet cactus tide").stretched(&[1; 32]).unwrap();
    let (peak, after) = (memory("VmHWM:"), memory("VmRSS:"));
    assert!(peak > before + 60 * 1024, "the probe sees it: {before}, then {peak}");
    assert!(after < before + 8 * 1024, "{before}, then {after}");
}
