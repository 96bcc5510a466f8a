//! The command line in the agent: the same arguments, the same commands, with the account that is open and another console.

use super::{
    arguments::{Arguments, Command, Global, Transfers},
    in_agent::InAgent,
    print::Printer,
    run,
    unheard::Unheard,
};
use crate::{
    ClientError,
    agent::{Execute, Invocation},
    console::Console,
    transfer::{Moved, Run},
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
        Some(arguments)
    }

    /// Whoever names no network means the one that the account was opened by.
    fn require_same_network(&self, file: Option<&Path>) -> Result<(), ClientError> {
        if file.is_none() || Network::load(file).map_err(TorError::from)? == self.network {
            return Ok(());
        }
        Err(ClientError::Usage("the agent uses another Tor network: `nightdrop lock` ends it".to_owned()))
    }

    /// Runs a command to its end. Tells how many of its uploads the agent goes on with, too.
    async fn carry_out(
        &self,
        mut arguments: Arguments,
        by: Run,
        printer: &Printer,
        stopped: impl Future<Output = ClientError>,
    ) -> (Result<u8, ClientError>, usize) {
        let in_agent = InAgent { unlocked: Arc::clone(&self.unlocked), run: by };
        arguments.global.in_agent = Some(in_agent.clone());
        let outcome = match self.require_same_network(arguments.global.network.as_deref()) {
            Err(error) => Err(error),
            Ok(()) => tokio::select! {
                biased;
                error = stopped => Err(error),
                outcome = Box::pin(run(arguments, printer)) => outcome,
            },
        };
        let left = in_agent.end(&outcome);
        (outcome, left)
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
        let typed = self.unlocked.cut_off().command();
        let (outcome, left) = self.carry_out(arguments, typed, &printer, stopped).await;
        outcome.unwrap_or_else(|error| {
            printer.error(&error);
            if left > 0 {
                printer.warn(&goes_on(left));
            }
            error.explanation().exit as u8
        })
    }

    async fn go_on(&self, moved: Moved, stopped: impl Future<Output = ClientError>) {
        let Some(by_itself) = self.unlocked.cut_off().by_itself(moved) else { return };
        let command = Command::Transfers(Transfers { resume_all: true, action: None });
        let arguments = Arguments { global: Global::of_nobody(self.unlocked.home().path()), command };
        let printer = Printer::new(&arguments.global, Arc::new(Unheard));
        let run = by_itself.clone();
        let ended = async {
            tokio::select! {
                error = stopped => error,
                () = run.gives_way() => ClientError::TransferRunning,
            }
        };
        // What came of it is seen with `nightdrop transfers` and `ls`.
        let _ = self.carry_out(arguments, by_itself, &printer, ended).await;
    }
}

/// What the user of a command that the network ended is told.
fn goes_on(uploads: usize) -> String {
    format!(
        "{uploads} upload(s) that were cut off go on by themselves as long as the account is open; `nightdrop transfers` shows them, and `nightdrop transfers drop` ends them"
    )
}
