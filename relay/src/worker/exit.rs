//! With which code the worker ends, so that the supervisor knows what to do.

/// How the worker ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WorkerExit {
    /// As it was told: end of file on standard input, or SIGTERM. Do not restart.
    Done,
    /// For a reason that is in the log. Restarting may help.
    Failed,
    /// A commit failed. Restarting repairs the store, if the disk lets it.
    StoreFailed,
    /// Another process holds the store, and has not let go of it in time. Restarting does not help while it does.
    StoreInUse,
    /// The store does not open: damaged, of a later schema, or not ours. Restarting does not help.
    StoreUnusable,
    /// The store belongs to a relay of another onion address. Restarting does not help.
    OtherAddress,
    /// The store does not open because its disk is full. Restarting does not help until there is room.
    DiskFull,
    /// The store does not open because its disk fails. Restarting does not help.
    DiskFailed,
    /// The listeners or the supervisor's lines are not what they should be: it was not started by its supervisor.
    NotSupervised,
}

impl WorkerExit {
    /// The process's exit code.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::StoreFailed => 10,
            Self::StoreInUse => 11,
            Self::StoreUnusable => 12,
            Self::OtherAddress => 13,
            Self::NotSupervised => 14,
            Self::DiskFull => 15,
            Self::DiskFailed => 16,
        }
    }

    /// The end that an exit code stands for.
    #[must_use]
    pub fn from_code(code: u8) -> Option<Self> {
        [
            Self::Done,
            Self::Failed,
            Self::StoreFailed,
            Self::StoreInUse,
            Self::StoreUnusable,
            Self::OtherAddress,
            Self::NotSupervised,
            Self::DiskFull,
            Self::DiskFailed,
        ]
        .into_iter()
        .find(|exit| exit.code() == code)
    }

    /// Whether starting the worker again may help.
    #[must_use]
    pub const fn restart_may_help(self) -> bool {
        matches!(self, Self::Failed | Self::StoreFailed)
    }
}

impl From<WorkerExit> for std::process::ExitCode {
    fn from(exit: WorkerExit) -> Self {
        Self::from(exit.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_round_trip() {
        for code in 0..=u8::MAX {
            if let Some(exit) = WorkerExit::from_code(code) {
                assert_eq!(exit.code(), code);
            }
        }
        assert_eq!(WorkerExit::from_code(0), Some(WorkerExit::Done));
        assert_eq!(WorkerExit::from_code(14), Some(WorkerExit::NotSupervised));
        assert_eq!(WorkerExit::from_code(15), Some(WorkerExit::DiskFull));
        assert_eq!(WorkerExit::from_code(16), Some(WorkerExit::DiskFailed));
        assert_eq!(WorkerExit::from_code(2), None);
    }
}
