//! `nightdrop unlock [--idle TIME]`

use super::status::{Shown, idle_text};
use crate::{
    ClientError,
    agent::{self, AgentLimits},
    cli::{
        arguments::{Global, Unlock},
        print::Printer,
    },
};
use std::ffi::OsString;

/// The exit code: what goes wrong in the agent, it has told itself.
pub(in crate::cli) async fn run(
    global: &Global,
    arguments: &Unlock,
    printer: &Printer,
) -> Result<u8, ClientError> {
    let home = global.open_home()?;
    home.account()?;
    let limits = AgentLimits::default();
    let mut shown = Shown::of(&home, &limits).await?;
    if shown.agent.is_none() {
        let password = printer.standard_input().existing_password(global)?;
        let exit =
            agent::launch(&agent_arguments(global, arguments)?, &password, &*printer.console()).await?;
        if exit != 0 {
            return Ok(exit);
        }
        shown = Shown::of(&home, &limits).await?;
    }
    let Some(status) = &shown.agent else { return Err(ClientError::AgentLost) };
    let lines = format!(
        "Your account is open. {} `nightdrop lock` locks it at once.",
        idle_text(status.locks_in, status.commands)
    );
    printer.result(&shown, &lines).map(|()| 0)
}

/// What the agent needs to know. Nothing of it is a secret.
fn agent_arguments(global: &Global, arguments: &Unlock) -> Result<Vec<OsString>, ClientError> {
    let mut line: Vec<OsString> = vec!["agent".into(), "--idle".into(), arguments.idle.to_string().into()];
    line.extend(["--home".into(), global.home_path()?.into()]);
    if let Some(network) = &global.network {
        line.extend(["--network".into(), network.into()]);
    }
    line.extend(global.json.then(|| "--json".into()));
    line.extend(global.quiet.then(|| "--quiet".into()));
    Ok(line)
}
