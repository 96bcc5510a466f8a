//! How much memory a process takes at its peak, above what it held when it was idle.

use super::{SystemError, io};

/// Counts from the moment when it is made.
#[derive(Debug)]
pub struct PeakMemory {
    process: u32,
    idle: u64,
}

impl PeakMemory {
    /// What the process holds at this moment is its idle state; its peak begins anew.
    ///
    /// # Errors
    /// [`SystemError::Io`] if there is no such process, or it is not ours.
    pub fn begin(process: u32) -> Result<Self, SystemError> {
        // The kernel's way to forget the peak (proc_pid_clear_refs(5)).
        std::fs::write(format!("/proc/{process}/clear_refs"), "5")
            .map_err(io("reset the peak of a process"))?;
        Ok(Self { process, idle: kibibytes(process, "VmRSS:")? })
    }

    /// KiB that it held when this was made.
    #[must_use]
    pub const fn idle(&self) -> u64 {
        self.idle
    }

    /// KiB of its peak so far above that. It never falls, so the last look counts.
    ///
    /// # Errors
    /// [`SystemError::Io`] if the process is gone.
    pub fn above_idle(&self) -> Result<u64, SystemError> {
        Ok(kibibytes(self.process, "VmHWM:")?.saturating_sub(self.idle))
    }
}

fn kibibytes(process: u32, field: &str) -> Result<u64, SystemError> {
    let gone = || io("read the memory of a process")(std::io::ErrorKind::NotFound.into());
    let status = std::fs::read_to_string(format!("/proc/{process}/status"));
    let status = status.map_err(io("read the memory of a process"))?;
    let line = status.lines().find_map(|line| line.strip_prefix(field)).ok_or_else(gone)?;
    line.trim().trim_end_matches(" kB").parse().map_err(|_| gone())
}
