//! What the person or program that started the relay is told.
//!
//! Standard output carries results only: with `--json` one event a line, otherwise the address, once, when it is
//! reachable. Everything else a person may want to know goes to standard error.

use super::{child::Process, happening::Happenings, outlet::Outlet};
use crate::{error::RelayError, gateway::event::Event, settings::OutputLimits};
use nightdrop_wire::onion::OnionAddress;
use serde::Serialize;
use std::io;

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
    results: Outlet,
    remarks: Outlet,
}

/// A line of the supervisor's own.
#[derive(Serialize)]
#[serde(tag = "event", rename_all = "lowercase")]
enum Own {
    Restarting { process: Process },
}

impl Report {
    /// Opens both ways out. That results cannot be written is a happening: a result that nobody can see is none. Remarks
    /// need no reader.
    pub(crate) fn start(
        style: Style,
        limits: OutputLimits,
        happenings: &Happenings,
    ) -> Result<Self, RelayError> {
        let refused = |source| RelayError::System { what: "a thread for output", source };
        let happenings = happenings.clone();
        let failed = move |error| happenings.report(|news| news.output_failed = Some(error));
        let results = Outlet::start("results", io::stdout(), limits, failed).map_err(refused)?;
        let remarks = Outlet::start("remarks", io::stderr(), limits, |_closed| {}).map_err(refused)?;
        Ok(Self { style, shown: None, results, remarks })
    }

    /// The gateway said something.
    pub(crate) fn event(&mut self, event: &Event) {
        match (self.style, event) {
            // Not reachable yet, so of no use to anybody outside.
            (Style::Json, Event::Address { .. }) => {}
            (Style::Json, event) => {
                if let Ok(line) = event.to_line() {
                    self.results.line(line.trim_end());
                }
            }
            (Style::Text | Style::Quiet, event) => self.text(event),
        }
    }

    /// A child died and is started again.
    pub(crate) fn restarting(&self, process: Process) {
        match self.style {
            Style::Json => {
                let line = serde_json::to_string(&Own::Restarting { process }).unwrap_or_default();
                self.results.line(&line);
            }
            Style::Text | Style::Quiet => self
                .remark(&format!("The {process} ended and is started again; stored data is not affected.")),
        }
    }

    fn text(&mut self, event: &Event) {
        if let Event::Reachable { address } = event
            && self.shown.as_ref() != Some(address)
        {
            self.shown = Some(address.clone());
            self.remark("The relay is reachable at:");
            return self.results.line(address.as_str());
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
    }

    fn remark(&self, line: &str) {
        if self.style == Style::Text {
            self.remarks.line(line);
        }
    }
}
