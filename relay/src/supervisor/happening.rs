//! What the supervisor's one loop waits for. Threads that only wait and report turn signals and lines into messages.

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
    sync::mpsc::{Receiver, Sender, channel},
    thread,
    time::{Duration, Instant},
};

/// One of them.
#[derive(Debug)]
pub(crate) enum Happening {
    /// Somebody asked the relay to end.
    Stop,
    /// A child may have ended; which one is asked of the children themselves.
    ChildEnded,
    /// The gateway said something.
    Gateway(Event),
}

/// The queue.
#[derive(Debug)]
pub(crate) struct Happenings {
    sender: Sender<Happening>,
    receiver: Receiver<Happening>,
}

impl Happenings {
    /// Starts to listen for signals.
    pub(crate) fn listen() -> Result<Self, RelayError> {
        let refused = |source| RelayError::System { what: "signals", source };
        let mut signals = Signals::new([SIGTERM, SIGINT, SIGHUP, SIGCHLD]).map_err(refused)?;
        let (sender, receiver) = channel();
        let reporter = sender.clone();
        spawn("signals", move || {
            for signal in signals.forever() {
                let happening = if signal == SIGCHLD { Happening::ChildEnded } else { Happening::Stop };
                if reporter.send(happening).is_err() {
                    break;
                }
            }
        })
        .map_err(refused)?;
        Ok(Self { sender, receiver })
    }

    /// For a thread that reports.
    pub(crate) fn sender(&self) -> Sender<Happening> {
        self.sender.clone()
    }

    /// The next one, or `None` when `until` has come.
    pub(crate) fn next(&self, until: Option<Instant>) -> Option<Happening> {
        // An hour stands for "no end": the loop comes round and waits again.
        let patience =
            until.map_or(Duration::from_secs(3600), |until| until.saturating_duration_since(Instant::now()));
        // We hold a sender ourselves, so only the time can end the waiting.
        self.receiver.recv_timeout(patience).ok()
    }
}

/// Reports the gateway's events until its output ends.
pub(crate) fn read_events(output: impl Read + Send + 'static, reporter: Sender<Happening>) -> io::Result<()> {
    spawn("gateway events", move || {
        let mut output = BufReader::new(output);
        while let Some(line) = next_line(&mut output) {
            let Some(event) = Event::from_line(&line) else {
                tracing::debug!("the gateway wrote a line that is no event");
                continue;
            };
            if reporter.send(Happening::Gateway(event)).is_err() {
                break;
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

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<()> {
    thread::Builder::new().name(name.to_owned()).spawn(work).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn events_of(text: String) -> Vec<Event> {
        let (sender, receiver) = channel();
        read_events(io::Cursor::new(text), sender).unwrap();
        receiver
            .iter()
            .filter_map(|happening| match happening {
                Happening::Gateway(event) => Some(event),
                _ => None,
            })
            .collect()
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
}
