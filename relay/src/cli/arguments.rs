//! The command line, as `--help` shows it.

use clap::{ArgAction, Args, Parser, Subcommand};
use std::path::PathBuf;

const EXIT_CODES: &str = "Exit codes: 0 done, 1 failed, 2 usage, 3 not found, 4 refused or locked, 5 network";

/// A relay that stores only sealed envelopes, reachable as a Tor onion service.
#[derive(Debug, Parser)]
#[command(name = "nightdrop-relay", version, max_term_width = 100, after_help = EXIT_CODES)]
pub struct Arguments {
    /// Options of every command.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Options of every command; they may stand before or after it.
#[derive(Debug, Args)]
pub struct Global {
    /// Where the relay keeps its data [default: $XDG_DATA_HOME/nightdrop-relay, for root /var/lib/nightdrop]
    #[arg(long, global = true, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Use the private Tor network that FILE describes instead of the public one
    #[arg(long, global = true, value_name = "FILE")]
    pub network: Option<PathBuf>,
    /// Print JSON, one object a line
    #[arg(long, global = true)]
    pub json: bool,
    /// Print results and errors only
    #[arg(short, long, global = true)]
    pub quiet: bool,
    /// Say more on standard error; twice: all that helps to find a fault. Never anything about users
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub verbose: u8,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the relay until it is ended by a signal, and print its address once it is reachable
    Run,
    /// Invite people to register
    Invite {
        /// What to do.
        #[command(subcommand)]
        command: InviteCommand,
    },
    /// The process that holds the data; started by `run`
    #[command(hide = true)]
    Worker(Child),
    /// The process that speaks Tor; started by `run`
    #[command(hide = true)]
    Gateway(Child),
}

/// `invite …`
#[derive(Debug, Subcommand)]
pub enum InviteCommand {
    /// Print a code with which one person can register one account
    New {
        /// Days until the code ends
        #[arg(long, value_name = "N", default_value_t = 7, value_parser = clap::value_parser!(u16).range(1..=365))]
        days: u16,
    },
}

/// What a child is told.
#[derive(Debug, Args)]
pub struct Child {
    /// Process id of the supervisor, whose end is this process's end
    #[arg(long, value_name = "PID")]
    pub supervisor: i32,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_definition_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn global_options_stand_before_or_after_the_command() {
        for line in [
            "nightdrop-relay --data D --json invite new",
            "nightdrop-relay invite --data D new --json",
            "nightdrop-relay invite new --json --data D",
        ] {
            let arguments = Arguments::try_parse_from(line.split(' ')).unwrap();
            assert_eq!(arguments.global.data, Some(PathBuf::from("D")), "{line}");
            assert!(arguments.global.json, "{line}");
        }
    }

    #[test]
    fn an_invitation_lasts_1_to_365_days() {
        let parse = |days: &str| {
            Arguments::try_parse_from(["nightdrop-relay", "invite", "new", "--days", days]).is_ok()
        };
        assert!(parse("1") && parse("365"));
        assert!(!parse("0") && !parse("366") && !parse("-1"));
    }

    #[test]
    fn what_only_the_supervisor_starts_is_not_in_the_help() {
        let help = Arguments::command().render_long_help().to_string();
        assert!(help.contains("invite"));
        assert!(!help.contains("gateway"), "{help}");
    }
}
