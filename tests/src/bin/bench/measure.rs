//! Time on the clock and time of processors.

use crate::error::BenchError;
use nightdrop_tests::measure::processor_time;
use std::{
    fs::File,
    iter::Sum,
    os::fd::AsFd,
    path::Path,
    time::{Duration, Instant},
};

/// What one piece of work took.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Taken {
    /// On the clock.
    pub(crate) elapsed: Duration,
    /// Of processors, by whoever stores.
    pub(crate) processor: Duration,
    /// Of processors, by whoever asks for it, where that is another process.
    pub(crate) client: Duration,
}

impl Sum for Taken {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), |sum, one| Self {
            elapsed: sum.elapsed + one.elapsed,
            processor: sum.processor + one.processor,
            client: sum.client + one.client,
        })
    }
}

/// Processor time of a process as it goes by.
pub(crate) struct Meter {
    process: u32,
    begun: Duration,
}

impl Meter {
    /// Begins to measure.
    pub(crate) fn begin(process: u32) -> Result<Self, BenchError> {
        Ok(Self { process, begun: processor_time(process)? })
    }

    /// What the process took since.
    pub(crate) fn end(self) -> Result<Duration, BenchError> {
        Ok(processor_time(self.process)?.saturating_sub(self.begun))
    }
}

/// Runs `work` of this process.
pub(crate) fn own(work: impl FnOnce() -> Result<(), BenchError>) -> Result<Taken, BenchError> {
    let (meter, started) = (Meter::begin(std::process::id())?, Instant::now());
    work()?;
    let elapsed = started.elapsed();
    Ok(Taken { elapsed, processor: meter.end()?, client: Duration::ZERO })
}

/// Takes a file that is synced out of the kernel's memory.
pub(crate) fn forget(path: &Path) -> Result<(), BenchError> {
    use nix::fcntl::{PosixFadviseAdvice, posix_fadvise};
    let file = File::open(path)?;
    file.sync_all()?;
    posix_fadvise(file.as_fd(), 0, 0, PosixFadviseAdvice::POSIX_FADV_DONTNEED)
        .map_err(std::io::Error::from)?;
    Ok(())
}
