//! redb alone, and redb with the seal at rest: the program `redb-alone`, which measures itself, so that nothing of this process counts.

use crate::{
    GROUP, Side,
    error::BenchError,
    measure::{Meter, Taken, forget},
    workload::Workload,
};
use nightdrop_tests::system::program;
use std::{
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    time::Duration,
};

/// A running `redb-alone`. Dropped, it is ended.
pub(crate) struct RedbAlone {
    child: Child,
    lines: ChildStdin,
    answers: BufReader<ChildStdout>,
    file: PathBuf,
    sealed: bool,
}

impl RedbAlone {
    pub(crate) fn start(directory: &Path, sealed: bool) -> Result<Self, BenchError> {
        std::fs::create_dir_all(directory)?;
        let file = directory.join("alone.redb");
        let mut command = Command::new(program("examples/redb-alone")?);
        let mut child = command.arg(&file).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let lines = child.stdin.take().ok_or(BenchError::Unexpected("redb-alone's input"))?;
        let answers = child.stdout.take().ok_or(BenchError::Unexpected("redb-alone's output"))?;
        Ok(Self { child, lines, answers: BufReader::new(answers), file, sealed })
    }

    /// A get without the copy.
    pub(crate) fn view(&mut self, workload: &Workload) -> Result<Taken, BenchError> {
        self.read(workload, "view")
    }

    fn read(&mut self, workload: &Workload, how: &str) -> Result<Taken, BenchError> {
        let (table, size, count) = values(workload);
        self.ask(&format!("get {table} {size} {count} {how}"))
    }

    fn ask(&mut self, line: &str) -> Result<Taken, BenchError> {
        let meter = Meter::begin(self.child.id())?;
        writeln!(self.lines, "{line}")?;
        let mut answer = String::new();
        self.answers.read_line(&mut answer)?;
        let nanoseconds = answer.trim().parse().map_err(|_| BenchError::Unexpected("redb-alone's answer"))?;
        let processor = meter.end()?;
        Ok(Taken { elapsed: Duration::from_nanos(nanoseconds), processor, client: Duration::ZERO })
    }
}

/// Table, size and number of the values of a workload: what the store keeps of them.
fn values(workload: &Workload) -> (&'static str, usize, usize) {
    (workload.table, workload.class.stored(), workload.objects as usize * workload.pieces)
}

impl Side for RedbAlone {
    fn put(&mut self, workload: &Workload) -> Result<Taken, BenchError> {
        let (table, size, count) = values(workload);
        let how = if self.sealed { " seal" } else { "" };
        self.ask(&format!("put {table} {size} {count} {}{how}", GROUP * workload.pieces))
    }

    fn get(&mut self, workload: &Workload) -> Result<Taken, BenchError> {
        self.read(workload, if self.sealed { "open" } else { "copy" })
    }

    fn forget(&mut self) -> Result<(), BenchError> {
        forget(&self.file)
    }
}

impl Drop for RedbAlone {
    fn drop(&mut self) {
        // It may have ended by itself, which is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
