//! What time it is.

use std::time::{SystemTime, UNIX_EPOCH};

const SECONDS_PER_DAY: u64 = 86_400;

/// Days since 1970-01-01 (UTC); 0 before that.
#[must_use]
pub(crate) fn today() -> u32 {
    u32::try_from(seconds() / SECONDS_PER_DAY).unwrap_or(u32::MAX)
}

/// Seconds since 1970-01-01 (UTC); 0 before that.
#[must_use]
pub(crate) fn seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
