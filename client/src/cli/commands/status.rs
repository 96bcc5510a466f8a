//! `nightdrop status`

use crate::{
    ClientError, Home,
    agent::{self, AgentLimits, AgentStatus, MemoryProtection},
    cli::{arguments::Global, print::Printer},
};
use serde::Serialize;

/// Works without a password: everything here is in clear on this device, or known to the agent.
#[derive(Serialize)]
pub(super) struct Shown {
    account: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    relay: Option<String>,
    pub(super) agent: Option<AgentStatus>,
}

impl Shown {
    pub(super) async fn of(home: &Home, limits: &AgentLimits) -> Result<Self, ClientError> {
        let relay = match home.account() {
            Ok(code) => Some(code.relay().to_string()),
            Err(ClientError::NoAccount { .. }) => None,
            Err(error) => return Err(error),
        };
        let agent = match agent::connect(home).await {
            Some(stream) => agent::status(stream, limits).await,
            None => None,
        };
        Ok(Self { account: relay.is_some(), relay, agent })
    }
}

pub(in crate::cli) async fn run(global: &Global, printer: &Printer) -> Result<(), ClientError> {
    let shown = Shown::of(&global.open_home()?, &AgentLimits::default()).await?;
    printer.result(&shown, &lines(&shown))
}

fn lines(shown: &Shown) -> String {
    let Some(relay) = &shown.relay else {
        return "There is no account on this device.".to_owned();
    };
    let Some(AgentStatus { process, version: _, commands, locks_in, goes_on_with, tor, memory }) =
        &shown.agent
    else {
        return format!("relay    {relay}\naccount  locked");
    };
    let tor = match tor.percent {
        100 if tor.hint.is_empty() => "connected".to_owned(),
        percent => format!("{percent}% {}", tor.hint),
    };
    let memory = match memory {
        MemoryProtection::All => "kept out of swap",
        MemoryProtection::Keys => "the account's keys are kept out of swap, those of single files may not be",
        MemoryProtection::None => "may be swapped: the system does not let it be kept",
    };
    let uploads = match goes_on_with {
        0 => String::new(),
        count => format!("\nuploads  {count} were cut off, and go on by themselves"),
    };
    format!(
        "relay    {relay}\naccount  open (process {process}). {}\ntor      {tor}\nmemory   {memory}{uploads}",
        idle_text(*locks_in, *commands)
    )
}

/// When the agent locks itself.
pub(super) fn idle_text(locks_in: Option<u64>, commands: u32) -> String {
    match (locks_in, commands) {
        (Some(seconds), _) if seconds < 120 => format!("It locks itself in {seconds} seconds."),
        (Some(seconds), _) => format!("It locks itself in {} minutes.", seconds / 60),
        (None, 0) => "It does not lock itself.".to_owned(),
        (None, 1) => "A command is running.".to_owned(),
        (None, commands) => format!("{commands} commands are running."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::TorStatus;

    #[test]
    fn a_person_hears_what_goes_on_by_itself() {
        let shown = |goes_on_with| {
            let (version, tor) = (String::new(), TorStatus { percent: 100, hint: String::new() });
            let memory = MemoryProtection::All;
            let agent =
                AgentStatus { process: 1, version, commands: 0, locks_in: None, goes_on_with, tor, memory };
            lines(&Shown { account: true, relay: Some(String::new()), agent: Some(agent) })
        };
        assert!(shown(2).ends_with("\nuploads  2 were cut off, and go on by themselves"), "{}", shown(2));
        assert!(!shown(0).contains("uploads"));
    }
}
