//! Standard output and standard error without ever waiting for whoever reads them.
//!
//! What always holds: a line is handed to a thread that may wait; the supervisor never does. As long as nobody reads, so
//! many lines are kept as the limits say, and the oldest make room: the latest tell how things stand. At the end what is
//! left is written for as long as the limits say.

use super::happening::spawn;
use crate::settings::OutputLimits;
use std::{
    collections::VecDeque,
    io::{self, Write},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
};

/// One way out. Dropping it waits a little for what is left.
#[derive(Debug)]
pub(crate) struct Outlet {
    queue: Arc<Queue>,
    limits: OutputLimits,
}

#[derive(Debug, Default)]
struct Queue {
    lines: Mutex<Lines>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Lines {
    waiting: VecDeque<String>,
    /// The writer is at work on a line.
    writing: bool,
    /// No more will come, or none can be written any more.
    closed: bool,
}

impl Outlet {
    /// Starts to write to `writer`; `failed` hears why it cannot be written to any more.
    pub(crate) fn start(
        name: &str,
        writer: impl Write + Send + 'static,
        limits: OutputLimits,
        failed: impl FnOnce(io::Error) + Send + 'static,
    ) -> io::Result<Self> {
        let queue = Arc::new(Queue::default());
        let taken = Arc::clone(&queue);
        spawn(name, move || {
            if let Err(error) = taken.write_all_to(writer) {
                taken.close();
                failed(error);
            }
        })?;
        Ok(Self { queue, limits })
    }

    /// Has a line written.
    pub(crate) fn line(&self, text: &str) {
        let mut lines = self.queue.lines();
        if lines.closed {
            return;
        }
        while lines.waiting.len() >= self.limits.lines.max(1) {
            lines.waiting.pop_front();
        }
        lines.waiting.push_back(format!("{text}\n"));
        drop(lines);
        self.queue.changed.notify_all();
    }
}

impl Drop for Outlet {
    fn drop(&mut self) {
        let busy = |lines: &mut Lines| !lines.closed && (lines.writing || !lines.waiting.is_empty());
        drop(self.queue.changed.wait_timeout_while(self.queue.lines(), self.limits.flush, busy));
        self.queue.close();
    }
}

impl Queue {
    fn write_all_to(&self, mut writer: impl Write) -> io::Result<()> {
        while let Some(line) = self.next() {
            // Nothing is locked meanwhile: this may take for ever.
            writer.write_all(line.as_bytes()).and_then(|()| writer.flush())?;
            self.lines().writing = false;
            self.changed.notify_all();
        }
        Ok(())
    }

    /// The next line, or `None` when no more will come.
    fn next(&self) -> Option<String> {
        let idle = |lines: &mut Lines| !lines.closed && lines.waiting.is_empty();
        let mut lines = self.changed.wait_while(self.lines(), idle).unwrap_or_else(PoisonError::into_inner);
        let line = lines.waiting.pop_front();
        lines.writing = line.is_some();
        line
    }

    fn close(&self) {
        let mut lines = self.lines();
        lines.closed = true;
        lines.waiting.clear();
        drop(lines);
        self.changed.notify_all();
    }

    fn lines(&self) -> MutexGuard<'_, Lines> {
        // What is left in it is whole after every line that touches it.
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        io::{BufRead, BufReader, pipe},
        sync::mpsc::channel,
        time::{Duration, Instant},
    };

    const LIMITS: OutputLimits = OutputLimits { lines: 3, flush: Duration::from_millis(200) };

    #[expect(clippy::needless_pass_by_value, reason = "a failure is handed over")]
    fn never(error: io::Error) {
        panic!("{error}");
    }

    #[test]
    fn lines_come_out_in_order_and_all_of_them_before_the_end() {
        let (reader, writer) = pipe().unwrap();
        let outlet = Outlet::start("test", writer, OutputLimits::default(), never).unwrap();
        for number in 0..50 {
            outlet.line(&number.to_string());
        }
        drop(outlet);
        let lines: Vec<String> = BufReader::new(reader).lines().map(Result::unwrap).collect();
        assert_eq!(lines, (0..50).map(|number| number.to_string()).collect::<Vec<_>>());
    }

    #[test]
    fn nobody_waits_for_a_reader_that_does_not_read_and_it_gets_the_latest_lines() {
        let (reader, writer) = pipe().unwrap();
        let outlet = Outlet::start("test", writer, LIMITS, never).unwrap();
        let begun = Instant::now();
        let long = "x".repeat(100_000);
        for number in 0..1000 {
            outlet.line(&format!("{number} {long}"));
        }
        assert!(begun.elapsed() < Duration::from_secs(10), "more than the pipe holds");
        let reading = std::thread::spawn(move || {
            let lines = BufReader::new(reader).lines().map(Result::unwrap);
            lines.filter_map(|line| line.split(' ').next()?.parse::<u32>().ok()).collect::<Vec<_>>()
        });
        // The reader is there: all that is left goes out.
        let queue = Arc::clone(&outlet.queue);
        let busy = |lines: &mut Lines| lines.writing || !lines.waiting.is_empty();
        let idle = queue.changed.wait_timeout_while(queue.lines(), Duration::from_secs(60), busy);
        let waited = idle.unwrap().1;
        assert!(!waited.timed_out());
        drop(outlet);
        let read = reading.join().unwrap();
        assert!(read.len() <= 5, "as many as are kept, and those under way: {read:?}");
        assert!(read.ends_with(&[997, 998, 999]), "{read:?}");
    }

    #[test]
    fn the_end_does_not_wait_for_a_reader_either() {
        let (_reader, writer) = pipe().unwrap();
        let outlet = Outlet::start("test", writer, LIMITS, never).unwrap();
        outlet.line(&"x".repeat(1 << 20));
        let begun = Instant::now();
        drop(outlet);
        let waited = begun.elapsed();
        assert!(waited >= LIMITS.flush && waited < Duration::from_secs(10), "{waited:?}");
    }

    #[test]
    fn a_reader_that_is_gone_is_told() {
        let (reader, writer) = pipe().unwrap();
        let (sender, failed) = channel();
        let outlet = Outlet::start("test", writer, LIMITS, move |error| sender.send(error).unwrap()).unwrap();
        outlet.line("read");
        let mut line = String::new();
        BufReader::new(reader).read_line(&mut line).unwrap();
        assert_eq!(line, "read\n");
        outlet.line("not read");
        assert_eq!(failed.recv().unwrap().kind(), io::ErrorKind::BrokenPipe);
        outlet.line("ignored");
    }
}
