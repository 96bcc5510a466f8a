//! What a person or a script reads: results on standard output, progress and errors on standard error.

use super::arguments::Global;
use crate::{
    ClientError,
    console::{BarState, Console},
    transfer::Progress,
};
use serde::Serialize;
use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering},
};
use zeroize::Zeroizing;

/// Prints as the global options say.
#[derive(Debug)]
pub(super) struct Printer {
    json: bool,
    quiet: bool,
    console: Arc<dyn Console>,
    bars: AtomicU32,
}

impl Printer {
    pub(super) fn new(global: &Global, console: Arc<dyn Console>) -> Self {
        Self { json: global.json, quiet: global.quiet, console, bars: AtomicU32::new(0) }
    }

    /// Where it prints.
    pub(super) fn console(&self) -> Arc<dyn Console> {
        Arc::clone(&self.console)
    }

    /// A result: one JSON object, or lines for people.
    pub(super) fn result<T: Serialize>(&self, result: &T, lines: &str) -> Result<(), ClientError> {
        let mut text = if self.json {
            Zeroizing::new(serde_json::to_string(result).map_err(|error| ClientError::Output(error.into()))?)
        } else {
            Zeroizing::new(lines.to_owned())
        };
        text.push('\n');
        self.console.result(text.as_bytes()).map_err(ClientError::Output)
    }

    /// Whether results are JSON.
    pub(super) const fn is_json(&self) -> bool {
        self.json
    }

    /// A picture for eyes: beside the results, so that whoever reads those finds nothing else among them.
    pub(super) fn picture(&self, text: &str) {
        self.console.message(text.trim_end());
    }

    /// Something a person may want to know.
    pub(super) fn note(&self, text: &str) {
        if !self.quiet && !self.json {
            self.console.message(text);
        }
    }

    /// Something that a person must know even with `--quiet`.
    pub(super) fn warn(&self, text: &str) {
        if self.json {
            self.console.message(&serde_json::json!({ "warning": text }).to_string());
        } else {
            self.console.message(&format!("nightdrop: {text}"));
        }
    }

    pub(super) fn error(&self, error: &ClientError) {
        let explanation = error.explanation();
        if self.json {
            let object = serde_json::json!({
                "error": error.to_string(),
                "consequence": explanation.consequence,
                "next": explanation.next,
                "exit": explanation.exit as u8,
            });
            self.console.message(&object.to_string());
        } else {
            let lines = format!("nightdrop: {error}\n{}\n{}", explanation.consequence, explanation.next);
            self.console.message(&lines);
        }
    }

    /// A bar on a terminal; with `--json`, events of transfers; nothing elsewhere.
    pub(super) fn bar(&self, what: &str) -> Bar {
        let console = (!self.quiet).then(|| self.console());
        let number = self.bars.fetch_add(1, Ordering::Relaxed);
        let bar = Bar { console, number, transfer: Arc::default() };
        bar.show(BarState::Named(what.to_owned()));
        bar
    }
}

/// A progress bar. Clones are the same bar.
#[derive(Debug, Clone)]
pub(super) struct Bar {
    console: Option<Arc<dyn Console>>,
    number: u32,
    transfer: Arc<Transfer>,
}

#[derive(Debug, Default)]
struct Transfer {
    position: AtomicU64,
    length: AtomicU64,
    lanes: AtomicU32,
    /// Whether it has begun: other work that is done side by side is no transfer.
    begun: AtomicBool,
}

impl Bar {
    /// Shows how far the way into the Tor network is.
    pub(super) fn bootstrap(&self, progress: &nightdrop_onion_config::Progress) {
        let blocked = progress.blocked.as_ref();
        let hint =
            blocked.map_or_else(String::new, |blocked| format!("{}: {}", blocked.reason(), blocked.advice()));
        self.show(BarState::Percent { percent: progress.percent(), hint });
    }

    /// Shows how far work on this machine is.
    pub(super) fn percent(&self, percent: u8) {
        self.show(BarState::Percent { percent, hint: String::new() });
    }

    /// Shows that something of unknown length goes on.
    pub(super) fn wait(&self) {
        self.show(BarState::Waiting);
    }

    /// For one of several transfers that share the bar, which has begun with what they come to.
    pub(super) fn part(&self) -> Part {
        Part(self.clone())
    }

    /// Removes it.
    pub(super) fn done(&self) {
        self.show(BarState::Done);
    }

    fn show(&self, state: BarState) {
        if let Some(console) = &self.console {
            console.bar(self.number, state);
        }
    }

    fn show_transfer(&self, position: u64) {
        let Transfer { position: _, length, lanes, begun: _ } = &*self.transfer;
        let (length, lanes) = (length.load(Ordering::Relaxed), lanes.load(Ordering::Relaxed));
        self.show(BarState::Bytes { position, length, lanes });
    }
}

impl Progress for Bar {
    fn begin(&self, sealed_bytes: u64) {
        self.transfer.length.store(sealed_bytes, Ordering::Relaxed);
        self.transfer.position.store(0, Ordering::Relaxed);
        self.transfer.begun.store(true, Ordering::Relaxed);
        self.show_transfer(0);
    }

    fn advance(&self, sealed_bytes: u64) {
        let before = self.transfer.position.fetch_add(sealed_bytes, Ordering::Relaxed);
        self.show_transfer(before + sealed_bytes);
    }

    fn lanes(&self, lanes: usize) {
        self.transfer.lanes.store(u32::try_from(lanes).unwrap_or(u32::MAX), Ordering::Relaxed);
        if self.transfer.begun.load(Ordering::Relaxed) {
            self.show_transfer(self.transfer.position.load(Ordering::Relaxed));
        }
    }
}

/// One of several transfers that share a bar.
pub(super) struct Part(Bar);

impl Progress for Part {
    fn begin(&self, _sealed_bytes: u64) {}

    fn advance(&self, sealed_bytes: u64) {
        self.0.advance(sealed_bytes);
    }

    /// Each of them has one, and there are as many as began beside each other.
    fn lanes(&self, _lanes: usize) {}
}
