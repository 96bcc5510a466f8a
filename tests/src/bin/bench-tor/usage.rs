//! What our processes take: processor time for each GiB, and memory at its peak above what it was before.

use crate::error::BenchError;
use nightdrop_tests::{
    measure::processor_time,
    system::{PeakMemory, RelayProcess},
};
use std::time::Duration;

const GIB: f64 = 1_073_741_824.0;

/// One process's share.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Share {
    /// Processor seconds for each GiB, both ways together.
    pub(crate) seconds_per_gib: f64,
    /// MiB above what it held when the transfers began.
    pub(crate) peak_mib: f64,
}

/// Client (this process), gateway, worker.
pub(crate) type Usage = [Share; 3];

pub(crate) const NAMES: [&str; 3] = ["client", "gateway", "worker"];

pub(crate) struct UsageMeter(Vec<(PeakMemory, Duration)>);

impl UsageMeter {
    pub(crate) fn begin(relay: &RelayProcess) -> Result<Self, BenchError> {
        let begin = |process| Ok((PeakMemory::begin(process)?, processor_time(process)?));
        Ok(Self(processes(relay)?.into_iter().map(begin).collect::<Result<_, BenchError>>()?))
    }

    /// After so many bytes.
    pub(crate) fn end(self, relay: &RelayProcess, bytes: u64) -> Result<Usage, BenchError> {
        let mut usage = Usage::default();
        for ((share, (peak, begun)), process) in usage.iter_mut().zip(self.0).zip(processes(relay)?) {
            let took = processor_time(process)?.saturating_sub(begun).as_secs_f64();
            let peak_mib = peak.above_idle()? as f64 / 1024.0;
            *share = Share { seconds_per_gib: took / (bytes as f64 / GIB), peak_mib };
        }
        Ok(usage)
    }
}

fn processes(relay: &RelayProcess) -> Result<[u32; 3], BenchError> {
    let child = |name| -> Result<u32, BenchError> {
        u32::try_from(relay.child(name)?).map_err(|_| BenchError::Unexpected("a process's number"))
    };
    Ok([std::process::id(), child("gateway")?, child("worker")?])
}
