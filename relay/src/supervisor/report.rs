//! What the person or program that started the relay is told.
//!
//! Standard output carries results only: with `--json` one event a line, otherwise the address, once, when it is
//! reachable. Everything else a person may want to know goes to standard error.

use super::child::Process;
use crate::{cli::output, error::RelayError, gateway::event::Event};
use nightdrop_wire::onion::OnionAddress;
use serde::Serialize;
use std::io::Write;

/// How events are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// Readable lines.
    Text,
    /// The address only.
    Quiet,
    /// One JSON object a line.
    Json,
}

/// Shows events.
#[derive(Debug)]
pub(crate) struct Report {
    style: Style,
    shown: Option<OnionAddress>,
}

/// A line of the supervisor's own.
#[derive(Serialize)]
#[serde(tag = "event", rename_all = "lowercase")]
enum Own {
    Restarting { process: Process },
}

impl Report {
    pub(crate) const fn new(style: Style) -> Self {
        Self { style, shown: None }
    }

    /// The gateway said something.
    pub(crate) fn event(&mut self, event: &Event) -> Result<(), RelayError> {
        match self.style {
            Style::Json => match event {
                // Not reachable yet, so of no use to anybody outside.
                Event::Address { .. } => Ok(()),
                event => event.to_line().map_or(Ok(()), |line| output::line(line.trim_end())),
            },
            Style::Text | Style::Quiet => self.text(event),
        }
    }

    /// A child died and is started again.
    pub(crate) fn restarting(&self, process: Process) -> Result<(), RelayError> {
        match self.style {
            Style::Json => {
                let line = serde_json::to_string(&Own::Restarting { process }).unwrap_or_default();
                output::line(&line)
            }
            Style::Text => {
                remark(&format!("The {process} ended and is started again; stored data is not affected."));
                Ok(())
            }
            Style::Quiet => Ok(()),
        }
    }

    fn text(&mut self, event: &Event) -> Result<(), RelayError> {
        if let Event::Reachable { address } = event
            && self.shown.as_ref() != Some(address)
        {
            self.shown = Some(address.clone());
            self.remark("The relay is reachable at:");
            return output::line(address.as_str());
        }
        match event {
            Event::Bootstrap { percent } => self.remark(&format!("Connecting to Tor: {percent} %")),
            Event::Blocked { reason, advice } => {
                self.remark(&format!("No way into Tor: {reason}. Try: {advice}."));
            }
            Event::Reachable { .. } => self.remark("The relay is reachable again."),
            Event::Unreachable {} => {
                self.remark("The relay is not reachable at the moment; Tor is repairing that.");
            }
            Event::Failed { reason, .. } => self.remark(&format!("The gateway failed: {reason}.")),
            Event::Address { .. } => {}
        }
        Ok(())
    }

    fn remark(&self, line: &str) {
        if self.style == Style::Text {
            remark(line);
        }
    }
}

/// A line on standard error; nobody has to read it.
fn remark(line: &str) {
    let _closed = writeln!(std::io::stderr(), "{line}");
}
