//! `make bench`: put and get through the worker's socket, beside plain files and redb alone, in one run.
//!
//! Run as `bench DIR`. Each round does the same on all four sides, one after the other, so that whatever else the machine does
//! disturbs them alike; what is printed are medians of [`ROUNDS`], and the median of each round's ratio to redb alone. All four
//! store the same bytes durably: sealed chunks as a client sends them.
//!
//! - *plain files*: one file per object, each group of [`GROUP`] files synced, and then their directory;
//! - *redb alone*: the store's settings and page classes, a commit for each group, one thread (`store/examples/redb-alone.rs`);
//! - *redb, sealed*: the same, and each object sealed and opened with the store's cipher: what encryption at rest leaves of it;
//! - *through the worker*: the built relay's worker process over its Unix socket: HTTP, capability checks, encryption at rest,
//!   [`GROUP`] requests at once. The client's half runs on the same processors, and its time is told apart.
#![forbid(unsafe_code)]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a bench prints its figures")]

mod credits;
mod error;
mod funds;
mod measure;
mod plain_files;
mod redb_alone;
mod report;
mod through_worker;
mod workload;

use error::BenchError;
use measure::Taken;
use plain_files::PlainFiles;
use redb_alone::RedbAlone;
use report::Report;
use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};
use through_worker::ThroughWorker;
use workload::Workload;

/// Repetitions of everything.
const ROUNDS: usize = 5;
/// Objects of one durable group, and requests at once.
const GROUP: usize = 16;

/// One of the ways to store the same bytes.
trait Side {
    /// Stores the objects of a workload, durably.
    fn put(&mut self, workload: &Workload) -> Result<Taken, BenchError>;

    /// Reads all that was put last.
    fn get(&mut self, workload: &Workload) -> Result<Taken, BenchError>;

    /// Takes what was put last out of the kernel's memory, so that the next get reads the disk.
    fn forget(&mut self) -> Result<(), BenchError>;
}

fn main() -> ExitCode {
    let Some(directory) = std::env::args_os().nth(1).map(PathBuf::from) else {
        eprintln!("bench: usage: bench DIR");
        return ExitCode::from(2);
    };
    match bench(&directory) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error}");
            ExitCode::FAILURE
        }
    }
}

fn bench(directory: &Path) -> Result<(), BenchError> {
    std::fs::create_dir_all(directory)?;
    credits::measure()?;
    let workloads = [Workload::full_chunks(), Workload::small_blobs()];
    let mut sides = Sides::start(directory, &workloads)?;
    for workload in &workloads {
        sides.compare(workload)?;
    }
    Ok(())
}

struct Sides {
    files: PlainFiles,
    redb: RedbAlone,
    sealed: RedbAlone,
    worker: ThroughWorker,
}

impl Sides {
    fn start(directory: &Path, workloads: &[Workload]) -> Result<Self, BenchError> {
        let credits: usize = workloads.iter().map(|workload| workload.credits() * ROUNDS).sum();
        Ok(Self {
            files: PlainFiles::new(directory.join("files")),
            redb: RedbAlone::start(&directory.join("redb-alone"), false)?,
            sealed: RedbAlone::start(&directory.join("redb-sealed"), true)?,
            worker: ThroughWorker::start(&directory.join("relay"), credits)?,
        })
    }

    fn compare(&mut self, workload: &Workload) -> Result<(), BenchError> {
        let [mut put, mut warm, mut cold] = ["put", "get", "get from disk"].map(Report::new);
        let mut view = Vec::new();
        for _ in 0..ROUNDS {
            put.add(self.each(|side| side.put(workload))?);
            warm.add(self.each(|side| side.get(workload))?);
            view.push(self.redb.view(workload)?);
            self.each(|side| side.forget())?;
            cold.add(self.each(|side| side.get(workload))?);
        }
        println!("\n{workload}");
        for report in [put, warm, cold] {
            report.print(workload);
        }
        report::print_copy(workload, &view);
        Ok(())
    }

    /// The same on all sides, one after the other.
    fn each<T>(
        &mut self,
        mut work: impl FnMut(&mut dyn Side) -> Result<T, BenchError>,
    ) -> Result<[T; 4], BenchError> {
        Ok([work(&mut self.files)?, work(&mut self.redb)?, work(&mut self.sealed)?, work(&mut self.worker)?])
    }
}
