//! The command line: arguments, what is printed, exit codes. One file per command under `commands`.
//!
//! Results go to standard output, everything else to standard error. Passwords and phrases are read from files, standard input or
//! a terminal, never from arguments or the environment; links, codes and invitations may be arguments.

mod arguments;
mod commands;
mod failures;
mod in_agent;
mod kept_list;
mod leases;
mod network;
mod opened;
mod password;
mod print;
mod process_path;
mod progress_events;
mod qr;
mod served;
mod side_by_side;
mod terminal;
mod tree;
mod unheard;
mod uploading;

pub use served::Served;

use crate::{
    ClientError, Home,
    agent::{self, AgentLimits, Invocation, Piece, close_inherited, protect_process},
    transport::AnyTransport,
};
use arguments::{Arguments, Command, Global};
use clap::Parser;
use nightdrop_onion_config::Tor;
use print::Printer;
use process_path::require_same_everywhere;
use std::{
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
    time::Duration,
};
use terminal::Terminal;
use tokio::{
    signal::unix::{SignalKind, signal},
    time::sleep,
};

/// Runs the command that the process was started with.
#[must_use]
pub fn main() -> ExitCode {
    // Before anything else: what was typed may be a secret already.
    let protected =
        protect_process().map_err(ClientError::file("protect", Path::new("this program's memory")));
    let mut arguments = Arguments::parse();
    let terminal = Arc::new(Terminal::new(arguments.global.json));
    let printer = Printer::new(&arguments.global, terminal.clone());
    if let Err(error) = protected.and_then(|()| keep_own_descriptors(&arguments.command)) {
        return fail(&printer, &error);
    }
    log_to_stderr(arguments.global.verbose);
    let directory = std::env::current_dir().unwrap_or_else(|_| PathBuf::from("/"));
    arguments.resolve(&directory);
    let Ok(runtime) = tokio::runtime::Builder::new_multi_thread().enable_all().build() else {
        return fail(&printer, &ClientError::Stopped);
    };
    let outcome = runtime.block_on(run_somewhere(arguments, &directory, &terminal, &printer));
    let exit = outcome.map_or_else(|error| fail(&printer, &error), ExitCode::from);
    // Standard input may still be waited for, which nobody needs any more.
    runtime.shutdown_background();
    exit
}

fn fail(printer: &Printer, error: &ClientError) -> ExitCode {
    printer.error(error);
    ExitCode::from(error.explanation().exit as u8)
}

/// The agent outlives whoever started it, and must not hold open what they hold. Comes before this process opens anything.
fn keep_own_descriptors(command: &Command) -> Result<(), ClientError> {
    match command {
        Command::Agent(_) => {
            close_inherited().map_err(ClientError::file("close", Path::new("inherited files")))
        }
        _ => Ok(()),
    }
}

/// In the agent if there is one and the command is one for it, otherwise here.
async fn run_somewhere(
    mut arguments: Arguments,
    directory: &Path,
    terminal: &Arc<Terminal>,
    printer: &Printer,
) -> Result<u8, ClientError> {
    let listens_itself = matches!(arguments.command, Command::Agent(_));
    if !listens_itself {
        tokio::spawn(end_if_stuck());
    }
    if arguments.command.is_for_the_agent() {
        let home = arguments.global.open_home()?;
        if let Some(exit) = run_in_the_agent(&home, &mut arguments, directory, terminal).await? {
            return Ok(exit);
        }
    }
    // Ends by dropping what is under way, so that partial files are removed.
    tokio::select! {
        biased;
        () = interrupted(), if !listens_itself => Err(ClientError::Stopped),
        outcome = Box::pin(run(arguments, printer)) => outcome,
    }
}

/// The exit code; `None` if there is no agent.
async fn run_in_the_agent(
    home: &Home,
    arguments: &mut Arguments,
    directory: &Path,
    terminal: &Arc<Terminal>,
) -> Result<Option<u8>, ClientError> {
    let Some(stream) = agent::connect(home).await else { return Ok(None) };
    arguments.files_of_the_command().into_iter().try_for_each(|path| require_same_everywhere(path))?;
    let invocation = Invocation {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        arguments: std::env::args_os().skip(1).map(|argument| Piece::new(argument.as_bytes())).collect(),
        directory: Piece::new(directory.as_os_str().as_bytes()),
    };
    let exit =
        agent::call(stream, invocation, terminal.clone(), interrupted(), &AgentLimits::default()).await;
    terminal.clear_bars();
    exit
}

/// Ctrl-C, or a request to end. That the terminal was closed is no such request: it ends this process, and what the agent does for it
/// goes on.
async fn interrupted() {
    let Ok(mut terminated) = signal(SignalKind::terminate()) else { return };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminated.recv() => {}
    }
}

/// Ends this process when it was interrupted and does not end by itself, because it waits for somebody to read what it prints.
async fn end_if_stuck() {
    interrupted().await;
    // A command in the agent may take that long to end, and says so itself.
    sleep(AgentLimits::default().ending + Duration::from_secs(1)).await;
    std::process::exit(ClientError::Stopped.explanation().exit as i32);
}

async fn run(arguments: Arguments, printer: &Printer) -> Result<u8, ClientError> {
    let Arguments { global, command } = arguments;
    match command {
        Command::Register(register) => commands::register::run(&global, register, printer).await,
        Command::Login(login) => commands::login::run(&global, login, printer).await,
        // Says itself what went wrong.
        Command::Unlock(unlock) => return commands::unlock::run(&global, &unlock, printer).await,
        Command::Lock => commands::lock::run(&global, printer).await,
        Command::Logout(logout) => commands::logout::run(&global, &logout, printer).await,
        Command::Status => commands::status::run(&global, printer).await,
        Command::Put(put) => commands::put::run(&global, put, printer).await,
        Command::Get(get) => commands::get::run(&global, get, printer).await,
        Command::Ls(ls) => commands::ls::run(&global, ls, printer).await,
        Command::Info(info) => commands::info::run(&global, info, printer).await,
        Command::Mv(mv) => commands::mv::run(&global, mv, printer).await,
        Command::Rm(rm) => commands::rm::run(&global, rm, printer).await,
        Command::Share(share) => commands::share::run(&global, share, printer).await,
        Command::Unshare(unshare) => commands::unshare::run(&global, unshare, printer).await,
        Command::Transfers(transfers) => commands::transfers::run(&global, transfers, printer).await,
        Command::Passwd(passwd) => commands::passwd::run(&global, passwd, printer).await,
        Command::Recover(recover) => commands::recover::run(&global, recover, printer).await,
        Command::Rekey(rekey) => commands::rekey::run(&global, &rekey, printer).await,
        Command::Sessions(sessions) => commands::sessions::run(&global, sessions, printer).await,
        Command::Unregister(unregister) => commands::unregister::run(&global, unregister, printer).await,
        Command::Completions { shell } => {
            printer.console().result(&arguments::completions(shell)).map_err(ClientError::Output)
        }
        Command::Agent(agent) => commands::agent::run(&global, &agent).await,
    }
    .map(|()| 0)
}

impl Global {
    /// Of what nobody typed.
    fn of_nobody(home: &Path) -> Self {
        Self {
            home: Some(home.to_owned()),
            network: None,
            password_file: None,
            json: false,
            quiet: true,
            verbose: 0,
            in_agent: None,
        }
    }

    fn open_home(&self) -> Result<Home, ClientError> {
        Home::open(&self.home_path()?)
    }

    /// The way to relays for what needs no account: the agent's, or one of this process.
    async fn transport(&self, printer: &Printer) -> Result<AnyTransport, ClientError> {
        match &self.in_agent {
            Some(in_agent) => Ok(in_agent.unlocked.transport().clone()),
            None => Ok(AnyTransport::new(self.connect(&self.open_home()?, printer).await?)),
        }
    }

    /// Starts Tor in the home directory.
    async fn connect(&self, home: &Home, printer: &Printer) -> Result<Tor, ClientError> {
        network::connect(home, self.network.as_deref(), printer).await
    }
}

fn log_to_stderr(verbose: u8) {
    let level = match verbose {
        // Arti warns of what a user cannot act on; what matters to them is an error of ours.
        0 => "off",
        1 => "nightdrop=info,warn",
        _ => "debug",
    };
    tracing_subscriber::fmt().with_env_filter(level).with_writer(std::io::stderr).with_target(false).init();
}
