//! The command line: from arguments to the modules that do the work, and from their errors to words and exit codes.

mod account;
mod admin;
mod arguments;
pub mod errors;
mod invite;
mod operator;
pub(crate) mod output;
mod size;

pub use arguments::{
    AccountCommand, Arguments, Child, Command, Global, InviteCommand, Quota, RegistrationArguments,
    RegistrationMode, Run, Worker, completions,
};

use crate::{
    data_directory::{DataDirectory, default_root},
    descriptors,
    error::RelayError,
    gateway::{self, GatewaySettings},
    lifeline,
    settings::RelayLimits,
    supervisor::{self, Style, SupervisorSettings},
    worker::{self, HttpLimits, ServiceLimits},
};
use nightdrop_onion_config::{Network, Role, TorSettings};
use nix::{
    sys::stat::{Mode, umask},
    unistd::Pid,
};
use operator::Operator;
use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    process::ExitCode,
};
use tracing_subscriber::EnvFilter;

/// Does what the arguments say; an error has been told on standard error.
#[must_use]
pub fn run(arguments: Arguments) -> ExitCode {
    let Arguments { global, command } = arguments;
    // Whatever any of the processes makes is for its owner only, also where no mode is asked for.
    umask(Mode::from_bits_truncate(0o077));
    log_to_stderr(&global);
    dispatch(&global, &command).unwrap_or_else(|error| errors::report(&error))
}

fn dispatch(global: &Global, command: &Command) -> Result<ExitCode, RelayError> {
    let limits = RelayLimits::default();
    let root = || data_root(global);
    match command {
        Command::Run(run) => {
            descriptors::close_inherited()?;
            supervisor::run(supervisor_settings(global, run, root()?, limits)?)?;
        }
        Command::Invite { command } => {
            let operator = Operator::of(&root()?, &limits)?;
            match command {
                InviteCommand::New { days, count } => invite::new(&operator, *days, *count, global.json)?,
                InviteCommand::Ls => invite::ls(&operator, global.json)?,
                InviteCommand::Revoke { invitation } => invite::revoke(&operator, *invitation, global.json)?,
            }
        }
        Command::Account { command } => {
            let operator = Operator::of(&root()?, &limits)?;
            match *command {
                AccountCommand::Ls => account::ls(&operator, global.json)?,
                AccountCommand::Quota { account, quota } => {
                    account::quota(&operator, account, quota, global.json)?;
                }
                AccountCommand::Remove { account, yes } => {
                    account::remove(&operator, account, yes, global.json)?;
                }
            }
        }
        Command::Completions { shell } => output::raw(&completions(*shell))?,
        Command::Worker(Worker { child: Child { supervisor }, registration, storage }) => {
            lifeline::tie_to(Pid::from_raw(*supervisor))?;
            descriptors::raise_limit()?;
            let http = HttpLimits::default();
            let service = ServiceLimits { registration: registration.limits(), ..ServiceLimits::default() };
            return Ok(worker::run(&root()?, http, service, storage.limits(), limits.takeover).into());
        }
        Command::Gateway(Child { supervisor }) => {
            lifeline::tie_to(Pid::from_raw(*supervisor))?;
            descriptors::raise_limit()?;
            gateway::run(gateway_settings(global, &root()?, limits)?)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn data_root(global: &Global) -> Result<PathBuf, RelayError> {
    global.data.clone().or_else(default_root).ok_or(RelayError::NoDefaultDirectory)
}

fn supervisor_settings(
    global: &Global,
    run: &Run,
    root: PathBuf,
    limits: RelayLimits,
) -> Result<SupervisorSettings, RelayError> {
    // A wrong file is told before anything is started.
    Network::load(global.network.as_deref())?;
    let style = match global {
        Global { json: true, .. } => Style::Json,
        Global { quiet: true, .. } => Style::Quiet,
        _ => Style::Text,
    };
    Ok(SupervisorSettings {
        child_arguments: child_arguments(global, &root),
        worker_arguments: [run.registration.for_worker(), run.storage.for_worker()].concat(),
        data: root,
        style,
        limits,
    })
}

/// What the children have to know of the supervisor's own arguments.
fn child_arguments(global: &Global, root: &Path) -> Vec<OsString> {
    let mut arguments = vec!["--data".into(), root.into()];
    if let Some(network) = &global.network {
        arguments.extend(["--network".into(), network.into()]);
    }
    if global.quiet {
        arguments.push("--quiet".into());
    }
    arguments.extend((0..global.verbose).map(|_| OsString::from("--verbose")));
    arguments
}

fn gateway_settings(
    global: &Global,
    root: &Path,
    limits: RelayLimits,
) -> Result<GatewaySettings, RelayError> {
    let data = DataDirectory::prepare(root)?;
    let network = Network::load(global.network.as_deref())?;
    let tor = TorSettings { directory: data.tor(), network, role: Role::Relay, limits: limits.tor.clone() };
    Ok(GatewaySettings { tor, data, limits })
}

/// Logs go to standard error; standard output belongs to results.
fn log_to_stderr(global: &Global) {
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(log_filter(global.quiet, global.verbose)))
        .with_writer(std::io::stderr)
        .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()))
        .init();
}

/// Arti speaks one step lower than we do: what an operator has to know of its warnings is told as progress.
const fn log_filter(quiet: bool, verbose: u8) -> &'static str {
    match (quiet, verbose) {
        (true, _) => "error",
        (false, 0) => "error,nightdrop_relay=warn,nightdrop_onion_config=warn,nightdrop_store=warn",
        (false, 1) => "warn,nightdrop_relay=info,nightdrop_onion_config=info,nightdrop_store=info",
        (false, 2) => "info,nightdrop_relay=debug,nightdrop_onion_config=debug,nightdrop_store=debug",
        (false, _) => "debug",
    }
}
