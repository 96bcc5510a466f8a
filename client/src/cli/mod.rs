//! The command line: arguments, what is printed, exit codes. One file per command under `commands`.
//!
//! Results go to standard output, everything else to standard error. Passwords and phrases are read from files, standard input or
//! a terminal, never from arguments or the environment; links, codes and invitations may be arguments.

mod arguments;
mod commands;
mod network;
mod opened;
mod password;
mod print;

use crate::{ClientError, Home};
use arguments::{Arguments, Command, Global};
use clap::Parser;
use nightdrop_onion_config::Tor;
use print::Printer;
use std::{io::Write, process::ExitCode};

/// Runs the command that the process was started with.
#[must_use]
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let printer = Printer::new(&arguments.global);
    log_to_stderr(arguments.global.verbose);
    let outcome = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime.block_on(run_until_interrupted(arguments, &printer)),
        Err(_) => Err(ClientError::Stopped),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            printer.error(&error);
            ExitCode::from(error.explanation().exit as u8)
        }
    }
}

/// Ends at Ctrl-C by dropping what is under way, so that partial files are removed.
async fn run_until_interrupted(arguments: Arguments, printer: &Printer) -> Result<(), ClientError> {
    tokio::select! {
        biased;
        _ = tokio::signal::ctrl_c() => Err(ClientError::Stopped),
        outcome = Box::pin(run(arguments, printer)) => outcome,
    }
}

async fn run(arguments: Arguments, printer: &Printer) -> Result<(), ClientError> {
    let Arguments { global, command } = arguments;
    match command {
        Command::Register(register) => commands::register::run(&global, register, printer).await,
        Command::Login(login) => commands::login::run(&global, login, printer).await,
        Command::Put(put) => commands::put::run(&global, put, printer).await,
        Command::Get(get) => commands::get::run(&global, get, printer).await,
        Command::Ls(ls) => commands::ls::run(&global, ls, printer).await,
        Command::Info(info) => commands::info::run(&global, info, printer).await,
        Command::Mv(mv) => commands::mv::run(&global, mv, printer).await,
        Command::Rm(rm) => commands::rm::run(&global, rm, printer).await,
        Command::Share(share) => commands::share::run(&global, share, printer).await,
        Command::Unshare(unshare) => commands::unshare::run(&global, unshare, printer).await,
        Command::Passwd(passwd) => commands::passwd::run(&global, passwd, printer).await,
        Command::Recover(recover) => commands::recover::run(&global, recover, printer).await,
        Command::Sessions(sessions) => commands::sessions::run(&global, sessions, printer).await,
        Command::Unregister(unregister) => commands::unregister::run(&global, unregister, printer).await,
        Command::Completions { shell } => {
            std::io::stdout().write_all(&arguments::completions(shell)).map_err(ClientError::Output)
        }
    }
}

impl Global {
    fn open_home(&self) -> Result<Home, ClientError> {
        Home::open(&self.home_path()?)
    }

    /// Opens the home directory and starts Tor in it.
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
