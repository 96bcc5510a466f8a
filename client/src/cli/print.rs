//! What a person or a script reads: results on standard output, progress and errors on standard error.
#![allow(clippy::print_stderr, reason = "this is where the program prints")]

use super::arguments::Global;
use crate::{ClientError, transfer::Progress};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;
use std::io::{IsTerminal, Write};
use zeroize::Zeroizing;

/// Prints as the global options say.
#[derive(Debug)]
pub(super) struct Printer {
    json: bool,
    quiet: bool,
}

impl Printer {
    pub(super) const fn new(global: &Global) -> Self {
        Self { json: global.json, quiet: global.quiet }
    }

    /// A result: one JSON object, or lines for people.
    pub(super) fn result<T: Serialize>(&self, result: &T, lines: &str) -> Result<(), ClientError> {
        let text = if self.json {
            Zeroizing::new(serde_json::to_string(result).map_err(|error| ClientError::Output(error.into()))?)
        } else {
            Zeroizing::new(lines.to_owned())
        };
        let mut output = std::io::stdout().lock();
        writeln!(output, "{}", *text).and_then(|()| output.flush()).map_err(ClientError::Output)
    }

    /// Something a person may want to know.
    pub(super) fn note(&self, text: &str) {
        if !self.quiet && !self.json {
            eprintln!("{text}");
        }
    }

    /// Something that a person must know even with `--quiet`.
    pub(super) fn warn(&self, text: &str) {
        if self.json {
            eprintln!("{}", serde_json::json!({ "warning": text }));
        } else {
            eprintln!("nightdrop: {text}");
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
            eprintln!("{object}");
        } else {
            eprintln!("nightdrop: {error}\n{}\n{}", explanation.consequence, explanation.next);
        }
    }

    /// A bar on a terminal; nothing elsewhere.
    pub(super) fn bar(&self, what: &'static str) -> Bar {
        let target = if self.quiet || self.json || !std::io::stderr().is_terminal() {
            ProgressDrawTarget::hidden()
        } else {
            ProgressDrawTarget::stderr()
        };
        let bar = ProgressBar::with_draw_target(None, target);
        bar.set_message(what);
        Bar(bar)
    }
}

/// A progress bar.
#[derive(Debug, Clone)]
pub(super) struct Bar(ProgressBar);

impl Bar {
    /// Shows how far the way into the Tor network is.
    pub(super) fn bootstrap(&self, progress: &nightdrop_onion_config::Progress) {
        self.style("{msg} [{bar:30}] {percent}% {prefix}");
        self.0.set_length(100);
        self.0.set_position(progress.percent().into());
        let blocked = progress.blocked.as_ref();
        self.0.set_prefix(
            blocked.map_or_else(String::new, |blocked| format!("{}: {}", blocked.reason(), blocked.advice())),
        );
    }

    /// Shows that something of unknown length goes on.
    pub(super) fn wait(&self) {
        self.style("{msg} {spinner}");
        self.0.enable_steady_tick(std::time::Duration::from_millis(120));
    }

    /// Removes it.
    pub(super) fn done(&self) {
        self.0.finish_and_clear();
    }

    fn style(&self, template: &str) {
        if let Ok(style) = ProgressStyle::with_template(template) {
            self.0.set_style(style.progress_chars("=> "));
        }
    }
}

impl Progress for Bar {
    fn begin(&self, sealed_bytes: u64) {
        self.style("{msg} [{bar:30}] {binary_bytes}/{binary_total_bytes} {binary_bytes_per_sec}, {eta} left");
        self.0.set_length(sealed_bytes);
        self.0.set_position(0);
        self.0.reset_elapsed();
        self.0.reset_eta();
    }

    fn advance(&self, sealed_bytes: u64) {
        self.0.inc(sealed_bytes);
    }
}
