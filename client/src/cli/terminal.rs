//! The console of this process: its own standard streams, with progress bars where standard error is a terminal. With `--json` there are no
//! bars, but events of transfers, wherever standard error goes.
#![allow(clippy::print_stderr, reason = "this is where the program prints")]

use super::progress_events::ProgressEvents;
use crate::console::{BarState, Console};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::{
    collections::BTreeMap,
    io::{self, IsTerminal, Read, Write},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};
use zeroize::Zeroizing;

/// The standard streams of this process.
#[derive(Debug, Default)]
pub(super) struct Terminal {
    bars: Mutex<BTreeMap<u32, Bar>>,
    /// With `--json`.
    events: Option<Mutex<ProgressEvents>>,
}

#[derive(Debug)]
struct Bar {
    drawn: ProgressBar,
    /// Of the transfer that it shows, if it shows one.
    length: Option<u64>,
}

impl Terminal {
    /// With bars, or with events.
    pub(super) fn new(json: bool) -> Self {
        Self { bars: Mutex::default(), events: json.then(Mutex::default) }
    }

    /// Removes what is left of bars whose command has ended.
    pub(super) fn clear_bars(&self) {
        let bars = std::mem::take(&mut *self.bars.lock().unwrap_or_else(PoisonError::into_inner));
        bars.values().for_each(|bar| bar.drawn.finish_and_clear());
    }
}

impl Console for Terminal {
    fn result(&self, bytes: &[u8]) -> io::Result<()> {
        let mut output = io::stdout().lock();
        output.write_all(bytes)?;
        output.flush()
    }

    fn message(&self, line: &str) {
        eprintln!("{line}");
    }

    fn bar(&self, number: u32, state: BarState) {
        if let Some(events) = &self.events {
            let mut events = events.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(event) = events.hear(number, state, Instant::now()) {
                eprintln!("{event}");
            }
            return;
        }
        let mut bars = self.bars.lock().unwrap_or_else(PoisonError::into_inner);
        if state == BarState::Done {
            if let Some(bar) = bars.remove(&number) {
                bar.drawn.finish_and_clear();
            }
            return;
        }
        bars.entry(number).or_insert_with(Bar::new).show(state);
    }

    fn read_input(&self, buffer: &mut [u8]) -> io::Result<usize> {
        io::stdin().lock().read(buffer)
    }

    fn ask_secret(&self, question: &str) -> io::Result<Zeroizing<String>> {
        rpassword::prompt_password(question).map(Zeroizing::new)
    }
}

impl Bar {
    fn new() -> Self {
        let target = if io::stderr().is_terminal() {
            ProgressDrawTarget::stderr()
        } else {
            ProgressDrawTarget::hidden()
        };
        Self { drawn: ProgressBar::with_draw_target(None, target), length: None }
    }

    fn show(&mut self, state: BarState) {
        match state {
            BarState::Named(what) => self.drawn.set_message(what),
            BarState::Percent { percent, hint } => {
                self.style("{msg} [{bar:30}] {percent}% {prefix}");
                self.drawn.set_length(100);
                self.drawn.set_position(percent.into());
                self.drawn.set_prefix(hint);
            }
            BarState::Waiting => {
                self.style("{msg} {spinner}");
                self.drawn.enable_steady_tick(Duration::from_millis(120));
            }
            BarState::Bytes { position, length, lanes } => {
                self.drawn.set_prefix(match lanes {
                    0 => String::new(),
                    1 => ", 1 lane".to_owned(),
                    lanes => format!(", {lanes} lanes"),
                });
                if self.length != Some(length) {
                    self.length = Some(length);
                    self.style(match length {
                        // How long a stream will be is not known.
                        0 => "{msg} {binary_bytes} {binary_bytes_per_sec}{prefix}",
                        _ => "{msg} [{bar:30}] {binary_bytes}/{binary_total_bytes} {binary_bytes_per_sec}, {eta} left{prefix}",
                    });
                    self.drawn.set_length(length);
                    self.drawn.reset_elapsed();
                    self.drawn.reset_eta();
                }
                self.drawn.set_position(position);
            }
            BarState::Done => {}
        }
    }

    fn style(&self, template: &str) {
        if let Ok(style) = ProgressStyle::with_template(template) {
            self.drawn.set_style(style.progress_chars("=> "));
        }
    }
}
