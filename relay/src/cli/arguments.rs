//! The command line, as `--help` shows it.

use super::size::Size;
use crate::worker::{MAX_INVITATION_DAYS, MAX_INVITATIONS, RegistrationLimits};
use clap::{ArgAction, Args, CommandFactory, Parser, Subcommand, ValueEnum};
use nightdrop_store::StoreLimits;
use nightdrop_wire::{
    ids::{AccountId, InvitationId},
    messages::relay::Registration,
    token::Token,
};
use std::{ffi::OsString, path::PathBuf};

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
    Run(Run),
    /// Invite people to register
    Invite {
        /// What to do.
        #[command(subcommand)]
        command: InviteCommand,
    },
    /// See and change what the relay knows of accounts
    Account {
        /// What to do.
        #[command(subcommand)]
        command: AccountCommand,
    },
    /// Print completions for a shell
    Completions {
        /// For which shell
        shell: clap_complete::Shell,
    },
    /// The process that holds the data; started by `run`
    #[command(hide = true)]
    Worker(Worker),
    /// The process that speaks Tor; started by `run`
    #[command(hide = true)]
    Gateway(Child),
}

/// `run`
#[derive(Debug, Args)]
pub struct Run {
    /// Who can register.
    #[command(flatten)]
    pub registration: RegistrationArguments,
    /// How much is stored.
    #[command(flatten)]
    pub storage: StorageArguments,
}

/// How much is stored, for `run` and for the worker that it starts.
#[derive(Debug, Clone, Copy, Args)]
pub struct StorageArguments {
    /// Take no files beyond this, such as 500GiB, however much the disk has; accounts and lists may take a sixteenth more. What is stored can be read and destroyed in any case
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub max_size: Option<u64>,
    /// Keep no file for longer than this from the week in which it was stored, whatever was paid for it; without it, files last as long as their owners extend
    /// them. A lower number than before ends what is older within a day, and nobody gets it back
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u32).range(7..))]
    pub max_age: Option<u32>,
}

impl StorageArguments {
    /// The limits that they set.
    #[must_use]
    pub fn limits(self) -> StoreLimits {
        let limits = StoreLimits::default();
        StoreLimits {
            max_bytes: self.max_size.unwrap_or(limits.max_bytes),
            max_age_days: self.max_age.unwrap_or(limits.max_age_days),
            ..limits
        }
    }

    /// The arguments that give them to the worker.
    #[must_use]
    pub fn for_worker(self) -> Vec<OsString> {
        let size = self.max_size.map(|bytes| ["--max-size".into(), format!("{}KiB", bytes >> 10).into()]);
        let age = self.max_age.map(|days| ["--max-age".into(), days.to_string().into()]);
        size.into_iter().chain(age).flatten().collect()
    }
}

/// Who can register, for `run` and for the worker that it starts.
#[derive(Debug, Clone, Copy, Args)]
pub struct RegistrationArguments {
    /// Who can register: whoever has an invitation; or everyone who does some seconds of work; or nobody
    #[arg(long, value_name = "MODE", value_enum, default_value_t = RegistrationMode::Invite)]
    pub registration: RegistrationMode,
    /// With `--registration open`: how many people can register in an hour without an invitation of yours
    #[arg(long, value_name = "N", default_value_t = 60)]
    pub registrations_per_hour: u32,
}

/// Who can register.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum RegistrationMode {
    /// Whoever has an invitation
    Invite,
    /// Everyone who does some seconds of work; invitations register without it
    Open,
    /// Nobody
    Closed,
}

impl RegistrationMode {
    const fn word(self) -> &'static str {
        match self {
            Self::Invite => "invite",
            Self::Open => "open",
            Self::Closed => "closed",
        }
    }
}

impl RegistrationArguments {
    /// The limits that they set.
    #[must_use]
    pub fn limits(self) -> RegistrationLimits {
        let registration = match self.registration {
            RegistrationMode::Invite => Registration::Invite,
            RegistrationMode::Open => Registration::Open,
            RegistrationMode::Closed => Registration::Closed,
        };
        let earned_per_hour = self.registrations_per_hour;
        RegistrationLimits { registration, earned_per_hour, ..RegistrationLimits::default() }
    }

    /// The arguments that give them to the worker.
    #[must_use]
    pub fn for_worker(self) -> Vec<OsString> {
        let per_hour = self.registrations_per_hour.to_string();
        ["--registration", self.registration.word(), "--registrations-per-hour", &per_hour]
            .map(OsString::from)
            .to_vec()
    }
}

/// `invite …`
#[derive(Debug, Subcommand)]
pub enum InviteCommand {
    /// Print codes with each of which one person can register one account
    New {
        /// Days until the code ends
        #[arg(long, value_name = "N", default_value_t = 7,
            value_parser = clap::value_parser!(u16).range(1..=i64::from(MAX_INVITATION_DAYS)))]
        days: u16,
        /// How many codes
        #[arg(long, value_name = "N", default_value_t = 1,
            value_parser = clap::value_parser!(u16).range(1..=i64::from(MAX_INVITATIONS)))]
        count: u16,
    },
    /// List invitations by their ids, with which nobody can register; the codes themselves are not kept
    Ls,
    /// End an invitation that was not spent
    Revoke {
        /// Its id, as `invite ls` prints it, or its code
        #[arg(value_name = "ID|CODE", value_parser = invitation_id)]
        invitation: InvitationId,
    },
}

/// `account …`
#[derive(Debug, Subcommand)]
pub enum AccountCommand {
    /// List accounts with all that the relay can know of them
    Ls,
    /// Say how much an account may store: the credits for it are drawn anew in each half of a year
    Quota {
        /// The account's id, as `account ls` prints it
        #[arg(value_name = "ID", value_parser = account_id)]
        account: AccountId,
        /// A size such as 500MiB or 20GiB, or `default` for what every account may
        #[arg(value_name = "SIZE|default", value_parser = quota)]
        quota: Quota,
    },
    /// Remove an account: nobody can open it again
    ///
    /// The files that were stored with it stay: the relay does not know which they are. Whoever has a link can read
    /// them on, and the keys that could destroy them are gone with the account, unless a device still has them.
    Remove {
        /// The account's id, as `account ls` prints it
        #[arg(value_name = "ID", value_parser = account_id)]
        account: AccountId,
        /// Do not ask
        #[arg(short, long)]
        yes: bool,
    },
}

/// How much an account may store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quota {
    /// As much as every account.
    Default,
    /// So many bytes.
    Bytes(u64),
}

fn size(text: &str) -> Result<u64, String> {
    text.parse().map(|Size(bytes)| bytes)
}

fn quota(text: &str) -> Result<Quota, String> {
    match text {
        "default" => Ok(Quota::Default),
        size => size
            .parse()
            .map(|Size(bytes)| Quota::Bytes(bytes))
            .map_err(|error| format!("{error}, or `default`")),
    }
}

fn account_id(text: &str) -> Result<AccountId, String> {
    text.parse().map_err(|_| "16 letters and digits are expected".to_owned())
}

/// An invitation by its id or by its code.
fn invitation_id(text: &str) -> Result<InvitationId, String> {
    if let Ok(id) = text.parse() {
        return Ok(id);
    }
    let code = Token::from_typed_text(text);
    let hash = code.map(|code| nightdrop_store::token_hash(&code));
    hash.map(|hash| InvitationId::of(&hash))
        .map_err(|_| "an id of 8 letters and digits, or a code of 52, is expected".to_owned())
}

/// What the worker is told.
#[derive(Debug, Args)]
pub struct Worker {
    /// What every child is told.
    #[command(flatten)]
    pub child: Child,
    /// Who can register.
    #[command(flatten)]
    pub registration: RegistrationArguments,
    /// How much is stored.
    #[command(flatten)]
    pub storage: StorageArguments,
}

/// What a child is told.
#[derive(Debug, Args)]
pub struct Child {
    /// Process id of the supervisor, whose end is this process's end
    #[arg(long, value_name = "PID")]
    pub supervisor: i32,
}

/// The completions of a shell, to print.
#[must_use]
pub fn completions(shell: clap_complete::Shell) -> Vec<u8> {
    let all = Arguments::command();
    // What only the supervisor starts is hidden from the help, but not from the generator.
    let shown = all.get_subcommands().filter(|command| !command.is_hide_set()).cloned();
    let mut shown =
        clap::Command::new("nightdrop-relay").args(all.get_arguments().cloned()).subcommands(shown);
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut shown, "nightdrop-relay", &mut script);
    script
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn an_invitation_is_named_by_its_id_or_by_its_code() {
        let code = Token::from_bytes([7; 32]);
        let id = InvitationId::of(&nightdrop_store::token_hash(&code));
        assert_eq!(invitation_id(&id.to_string()), Ok(id));
        assert_eq!(invitation_id(&code.secret_text()), Ok(id));
        assert_eq!(invitation_id(&format!(" {}\n", code.secret_text().to_uppercase())), Ok(id));
        for wrong in ["", "0", "012345678", &code.secret_text()[1..]] {
            assert!(invitation_id(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_worker_is_told_what_run_was_told() {
        for (mode, registration) in
            [("invite", Registration::Invite), ("open", Registration::Open), ("closed", Registration::Closed)]
        {
            let run = ["nightdrop-relay", "run", "--registration", mode, "--registrations-per-hour", "7"];
            let Command::Run(run) = Arguments::try_parse_from(run).unwrap().command else {
                panic!("not run")
            };
            let mut worker: Vec<OsString> =
                ["nightdrop-relay", "worker", "--supervisor", "1"].map(Into::into).to_vec();
            worker.extend(run.registration.for_worker());
            let parsed = Arguments::try_parse_from(worker).unwrap().command;
            let Command::Worker(worker) = parsed else { panic!("not worker") };
            let limits = worker.registration.limits();
            assert_eq!(limits, run.registration.limits());
            assert_eq!((limits.registration, limits.earned_per_hour), (registration, 7));
        }
        let run = Arguments::try_parse_from(["nightdrop-relay", "run"]).unwrap().command;
        let Command::Run(run) = run else { panic!("not run") };
        assert_eq!(run.registration.limits(), RegistrationLimits::default());
        assert!(Arguments::try_parse_from(["nightdrop-relay", "run", "--registration", "public"]).is_err());
    }

    #[test]
    fn the_worker_stores_as_much_as_run_was_told() {
        let run = |arguments: &[&str]| {
            let line = [&["nightdrop-relay", "run"], arguments].concat();
            match Arguments::try_parse_from(line).unwrap().command {
                Command::Run(run) => run.storage,
                _ => panic!("not run"),
            }
        };
        let (all, ever) = (u64::MAX, u32::MAX);
        for (arguments, most) in [
            (&[][..], (all, ever)),
            (&["--max-size", "3GiB"], (3 << 30, ever)),
            (&["--max-size", "0"], (0, ever)),
            (&["--max-age", "7"], (all, 7)),
            (&["--max-age", "400", "--max-size", "1GiB"], (1 << 30, 400)),
        ] {
            let storage = run(arguments);
            assert_eq!((storage.limits().max_bytes, storage.limits().max_age_days), most);
            let mut worker: Vec<OsString> =
                ["nightdrop-relay", "worker", "--supervisor", "1"].map(Into::into).to_vec();
            worker.extend(storage.for_worker());
            let parsed = Arguments::try_parse_from(worker).unwrap().command;
            let Command::Worker(worker) = parsed else { panic!("not worker") };
            assert_eq!(worker.storage.limits(), storage.limits());
        }
        for wrong in [["--max-size", "much"], ["--max-age", "6"], ["--max-age", "-7"], ["--max-age", "ever"]]
        {
            assert!(Arguments::try_parse_from(["nightdrop-relay", "run", wrong[0], wrong[1]]).is_err());
        }
    }

    #[test]
    fn a_quota_is_a_size_or_the_default() {
        assert_eq!(quota("0"), Ok(Quota::Bytes(0)));
        assert_eq!(quota("20GiB"), Ok(Quota::Bytes(20 << 30)));
        assert_eq!(quota("default"), Ok(Quota::Default));
        assert!(quota("-1").is_err() && quota("20").is_err() && quota("").is_err());
    }

    #[test]
    fn every_shell_gets_the_commands_of_the_operator_and_no_others() {
        for shell in [clap_complete::Shell::Bash, clap_complete::Shell::Zsh, clap_complete::Shell::Fish] {
            let script = String::from_utf8(completions(shell)).unwrap();
            for word in ["invite", "revoke", "quota", "completions"] {
                assert!(script.contains(word), "{shell}: {word}");
            }
            assert!(!script.contains("supervisor") && !script.contains("gateway"), "{shell}");
        }
    }

    #[test]
    fn what_only_the_supervisor_starts_is_not_in_the_help() {
        let help = Arguments::command().render_long_help().to_string();
        assert!(help.contains("invite"));
        assert!(!help.contains("gateway"), "{help}");
    }
}
