//! What the supervisor's one loop waits for. Threads that only wait and report turn signals and lines into news.
//!
//! What always holds: news take room for one signal of each sort and one event of each kind, whatever a gateway that was
//! taken over writes and however long the loop is busy. Of two events of one kind the later one counts.

use crate::{
    error::RelayError,
    gateway::event::{Event, MAX_LINE},
};
use signal_hook::{
    consts::{SIGCHLD, SIGHUP, SIGINT, SIGTERM},
    iterator::Signals,
};
use std::{
    io::{self, BufRead, BufReader, Read},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

/// What has happened since the last look.
#[derive(Debug, Default)]
pub(crate) struct News {
    /// Somebody asked the relay to end.
    pub(crate) stop: bool,
    /// A child may have ended; which one is asked of the children themselves.
    pub(crate) child_ended: bool,
    /// Standard output takes no more lines.
    pub(crate) output_failed: Option<io::Error>,
    /// What the gateway said, at most one event of each kind.
    pub(crate) gateway: Vec<Event>,
}

impl News {
    const fn is_empty(&self) -> bool {
        !self.stop && !self.child_ended && self.output_failed.is_none() && self.gateway.is_empty()
    }

    fn heard(&mut self, event: Event) {
        let kind = std::mem::discriminant(&event);
        self.gateway.retain(|waiting| std::mem::discriminant(waiting) != kind);
        self.gateway.push(event);
    }
}

/// Where news are left and looked for. Clones are the same place.
#[derive(Debug, Clone, Default)]
pub(crate) struct Happenings(Arc<Place>);

#[derive(Debug, Default)]
struct Place {
    news: Mutex<News>,
    left: Condvar,
}

impl Happenings {
    /// Starts to listen for signals.
    pub(crate) fn listen() -> Result<Self, RelayError> {
        let refused = |source| RelayError::System { what: "signals", source };
        let mut signals = Signals::new([SIGTERM, SIGINT, SIGHUP, SIGCHLD]).map_err(refused)?;
        let happenings = Self::default();
        let reporter = happenings.clone();
        spawn("signals", move || {
            for signal in signals.forever() {
                reporter.report(|news| match signal {
                    SIGCHLD => news.child_ended = true,
                    _ => news.stop = true,
                });
            }
        })
        .map_err(refused)?;
        Ok(happenings)
    }

    /// Leaves something. Never waits for the loop.
    pub(crate) fn report(&self, tell: impl FnOnce(&mut News)) {
        tell(&mut self.news());
        self.0.left.notify_one();
    }

    /// Waits until there is something, or `until` has come, and takes all of it.
    pub(crate) fn next(&self, until: Option<Instant>) -> News {
        // An hour stands for "no end": the loop comes round and waits again.
        let patience =
            until.map_or(Duration::from_secs(3600), |until| until.saturating_duration_since(Instant::now()));
        let waited = self.0.left.wait_timeout_while(self.news(), patience, |news| news.is_empty());
        let (mut news, _timed_out) = waited.unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut news)
    }

    fn news(&self) -> MutexGuard<'_, News> {
        // What is left in it is whole after every line that touches it.
        self.0.news.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reports the gateway's events until its output ends.
pub(crate) fn read_events(output: impl Read + Send + 'static, happenings: &Happenings) -> io::Result<()> {
    let reporter = happenings.clone();
    spawn("gateway events", move || {
        let mut output = BufReader::new(output);
        while let Some(line) = next_line(&mut output) {
            match Event::from_line(&line) {
                Some(event) => reporter.report(|news| news.heard(event)),
                None => tracing::debug!("the gateway wrote a line that is no event"),
            }
        }
    })
}

/// The next line, or `None` at the end, on an error, or when a line is too long to be one of ours: a gateway that was
/// taken over must not fill our memory.
fn next_line(output: &mut impl BufRead) -> Option<String> {
    let limit = u64::try_from(MAX_LINE).ok()?;
    let mut line = String::new();
    output.take(limit).read_line(&mut line).ok()?;
    line.ends_with('\n').then_some(line)
}

pub(super) fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<()> {
    thread::Builder::new().name(name.to_owned()).spawn(work).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::{Sender, channel};

    /// Text that a gateway writes; says when all of it was read.
    struct Output(io::Cursor<String>, #[expect(dead_code, reason = "dropped at the end")] Sender<()>);

    impl Read for Output {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.0.read(buffer)
        }
    }

    fn events_of(text: String) -> Vec<Event> {
        let happenings = Happenings::default();
        let (open, all_read) = channel();
        read_events(Output(io::Cursor::new(text), open), &happenings).unwrap();
        all_read.recv().unwrap_err();
        happenings.next(None).gateway
    }

    #[test]
    fn lines_that_are_no_events_are_passed_over() {
        let text = "{\"event\":\"bootstrap\",\"percent\":1}\nnoise\n{\"event\":\"unreachable\"}\n";
        assert_eq!(events_of(text.to_owned()), [Event::Bootstrap { percent: 1 }, Event::Unreachable {}]);
    }

    #[test]
    fn a_gateway_that_writes_an_endless_line_is_not_listened_to_any_more() {
        let text = format!("{}{}\n", "{\"event\":\"unreachable\"}\n", "x".repeat(MAX_LINE));
        assert_eq!(events_of(text), [Event::Unreachable {}]);
    }

    #[test]
    fn a_gateway_that_writes_without_end_takes_room_for_one_event_of_each_kind() {
        let flood: String = (0..100_000)
            .map(|number| {
                let percent = number % 100;
                format!("{{\"event\":\"unreachable\"}}\n{{\"event\":\"bootstrap\",\"percent\":{percent}}}\n")
            })
            .collect();
        assert_eq!(events_of(flood), [Event::Unreachable {}, Event::Bootstrap { percent: 99 }]);
    }

    #[test]
    fn a_flood_keeps_neither_a_signal_nor_a_death_from_being_heard() {
        let happenings = Happenings::default();
        happenings.report(|news| news.child_ended = true);
        happenings.report(|news| news.stop = true);
        for _ in 0..1000 {
            happenings.report(|news| news.heard(Event::Unreachable {}));
        }
        let news = happenings.next(None);
        assert!(news.stop && news.child_ended);
        assert_eq!(news.gateway.len(), 1);
        assert!(happenings.next(Some(Instant::now())).is_empty(), "all of it was taken");
    }
}
