//! `nightdrop lock`

use crate::{
    ClientError, Home,
    agent::{self, AgentLimits},
    cli::{arguments::Global, print::Printer},
};
use serde::Serialize;

#[derive(Serialize)]
struct Shown {
    was_open: bool,
}

pub(in crate::cli) async fn run(global: &Global, printer: &Printer) -> Result<(), ClientError> {
    let was_open = lock_agent(&global.open_home()?).await?;
    let line = if was_open { "Locked." } else { "It was locked already." };
    printer.result(&Shown { was_open }, line)
}

/// The same after what is done already: that the agent did not lock is told, and no more.
pub(super) async fn lock_agent_or_warn(home: &Home, printer: &Printer) {
    if let Err(error) = lock_agent(home).await {
        printer.warn(&format!("the agent did not lock: {error}"));
    }
}

/// Ends the agent, if there is one: also after what ends its session.
pub(super) async fn lock_agent(home: &Home) -> Result<bool, ClientError> {
    let Some(stream) = agent::connect(home).await else { return Ok(false) };
    agent::lock(stream, &AgentLimits::default()).await.map(|()| true)
}
