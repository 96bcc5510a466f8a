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

/// Ends the agent, if there is one: also after what ends its session.
pub(super) async fn lock_agent(home: &Home) -> Result<bool, ClientError> {
    let Some(stream) = agent::connect(home).await else { return Ok(false) };
    agent::lock(stream, &AgentLimits::default()).await.map(|()| true)
}
