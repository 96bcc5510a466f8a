//! What benches measure alike.

use std::{io, time::Duration};

/// Bytes of a MiB, to divide by.
pub const MIB: f64 = 1_048_576.0;

/// User and system time of a process. Linux counts both in hundredths of a second.
///
/// # Errors
/// [`io::Error`] if there is no such process.
pub fn processor_time(process: u32) -> io::Result<Duration> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat"))?;
    // The second field, the program's name, is the only one that may hold spaces.
    let fields = stat.rsplit(") ").next().unwrap_or_default().split(' ');
    let ticks: u64 = fields.skip(11).take(2).filter_map(|ticks| ticks.parse::<u64>().ok()).sum();
    Ok(Duration::from_millis(ticks * 10))
}

/// Sorts them and gives the middle one; 0 of none.
pub fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}
