//! The command line in the agent: the same arguments, the same commands, with the account that is open and another console.

use super::{arguments::Arguments, print::Printer, run};
use crate::{
    ClientError,
    agent::{Execute, Invocation},
    console::Console,
    unlocked::Unlocked,
};
use clap::Parser;
use nightdrop_onion_config::{Network, TorError};
use std::{ffi::OsStr, future::Future, os::unix::ffi::OsStrExt, path::Path, sync::Arc};

/// Runs commands on an account that is open.
#[derive(Debug)]
pub struct Served {
    unlocked: Arc<Unlocked>,
    network: Network,
}

impl Served {
    /// Commands on this account, whose relay is reached by this network.
    #[must_use]
    pub const fn new(unlocked: Arc<Unlocked>, network: Network) -> Self {
        Self { unlocked, network }
    }

    /// The same as [`super::main`] makes of a command line; `None` if it is no command for the agent.
    fn parse(&self, invocation: &Invocation) -> Option<Arguments> {
        let name = OsStr::new("nightdrop");
        let typed = invocation.arguments.iter().map(|argument| OsStr::from_bytes(argument.secret_bytes()));
        let mut arguments = Arguments::try_parse_from(std::iter::once(name).chain(typed)).ok()?;
        if !arguments.command.is_for_the_agent() {
            return None;
        }
        arguments.resolve(Path::new(OsStr::from_bytes(invocation.directory.secret_bytes())));
        arguments.global.home = Some(self.unlocked.home().path().to_owned());
        arguments.global.unlocked = Some(Arc::clone(&self.unlocked));
        Some(arguments)
    }

    /// Whoever names no network means the one that the account was opened by.
    fn require_same_network(&self, file: Option<&Path>) -> Result<(), ClientError> {
        if file.is_none() || Network::load(file).map_err(TorError::from)? == self.network {
            return Ok(());
        }
        Err(ClientError::Usage("the agent uses another Tor network: `nightdrop lock` ends it".to_owned()))
    }
}

impl Execute for Served {
    async fn execute(
        &self,
        invocation: Invocation,
        console: Arc<dyn Console>,
        stopped: impl Future<Output = ClientError>,
    ) -> u8 {
        let Some(arguments) = self.parse(&invocation) else {
            // Whoever asked has parsed it, so it means something else there.
            let error = ClientError::AgentOtherVersion;
            console.message(&format!("nightdrop: {error}"));
            return error.explanation().exit as u8;
        };
        let printer = Printer::new(&arguments.global, console);
        let outcome = match self.require_same_network(arguments.global.network.as_deref()) {
            Err(error) => Err(error),
            Ok(()) => tokio::select! {
                biased;
                error = stopped => Err(error),
                outcome = Box::pin(run(arguments, &printer)) => outcome,
            },
        };
        outcome.unwrap_or_else(|error| {
            printer.error(&error);
            error.explanation().exit as u8
        })
    }
}
