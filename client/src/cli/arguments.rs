//! What can be typed.

use super::{in_agent::InAgent, qr::QrArguments};
use crate::{ClientError, agent::IdleLimit, duration};
use clap::{Args, CommandFactory, Parser, Subcommand};
use nightdrop_wire::limits::MAX_DOWNLOADS;
use std::{
    path::{Path, PathBuf},
    time::Duration,
};

/// Share files through a relay that cannot read them, over Tor.
///
/// Exit codes: 0 done, 1 failed, 2 usage, 3 not found, 4 refused or locked, 5 network, 6 the relay or somebody
/// tampered (withheld included).
#[derive(Debug, Parser)]
#[command(name = "nightdrop", version, propagate_version = true)]
pub(super) struct Arguments {
    #[command(flatten)]
    pub(super) global: Global,
    #[command(subcommand)]
    pub(super) command: Command,
}

/// Options of every command.
#[derive(Debug, Args)]
pub(super) struct Global {
    /// Where this device keeps its account [default: $XDG_DATA_HOME/nightdrop or ~/.local/share/nightdrop]
    #[arg(long, global = true, value_name = "DIR", env = "NIGHTDROP_HOME")]
    pub(super) home: Option<PathBuf>,
    /// A private Tor network to use instead of the public one
    #[arg(long, global = true, value_name = "FILE")]
    pub(super) network: Option<PathBuf>,
    /// Read the password from a file, or from standard input with `-`; without it, it is asked for
    #[arg(long, global = true, value_name = "FILE")]
    pub(super) password_file: Option<PathBuf>,
    /// Print JSON
    #[arg(long, global = true)]
    pub(super) json: bool,
    /// Print nothing but results and errors
    #[arg(short, long, global = true)]
    pub(super) quiet: bool,
    /// Log to standard error; twice for more
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(super) verbose: u8,
    /// Where the agent runs the command; none where it runs by itself.
    #[arg(skip)]
    pub(super) in_agent: Option<InAgent>,
}

impl Arguments {
    /// Makes paths what they are where the command was typed, which need not be where it runs.
    pub(super) fn resolve(&mut self, directory: &Path) {
        let resolve = |path: &mut PathBuf| {
            if path != Path::new("-") {
                *path = directory.join(&*path);
            }
        };
        let Global { home, network: _, password_file, json: _, quiet: _, verbose: _, in_agent: _ } =
            &mut self.global;
        [home, password_file].into_iter().flatten().for_each(resolve);
        if let Command::Get(Get { what: _, output, link_password_file: _, here }) = &mut self.command {
            *here = Some(directory.to_owned());
            output.get_or_insert_with(|| directory.to_owned());
        }
        self.files_of_the_command().into_iter().for_each(resolve);
    }

    /// The files that the command itself opens, wherever it runs: all but the home directory and the password file, which the agent
    /// has no need of.
    pub(super) fn files_of_the_command(&mut self) -> Vec<&mut PathBuf> {
        let network = self.global.network.iter_mut();
        match &mut self.command {
            Command::Put(Put { paths, link: _, ends: _, name: _, to: _, replace: _, qr }) => {
                network.chain(paths).chain(qr.files()).collect()
            }
            Command::Get(Get { what: _, output, link_password_file, here: _ }) => {
                network.chain(output).chain(link_password_file).collect()
            }
            Command::Share(Share { name: _, link: _, ends: _, password, qr }) => {
                network.chain(&mut password.link_password_file).chain(qr.files()).collect()
            }
            Command::Passwd(Passwd { new_password_file, generate: _ }) => {
                network.chain(new_password_file).collect()
            }
            Command::Recover(Recover { relay: _, phrase_file, new: _ }) => {
                network.chain(phrase_file).collect()
            }
            Command::Register(Register { relay: _, invite: _, no_recovery: _, generate: _, qr })
            | Command::Login(Login { code: _, qr }) => network.chain(qr.files()).collect(),
            Command::Sessions(Sessions { end: _, end_all: _ })
            | Command::Unregister(Unregister { yes: _ })
            | Command::Rekey(Rekey { no_recovery: _ })
            | Command::Unlock(Unlock { idle: _ })
            | Command::Lock
            | Command::Logout(Logout { yes: _ })
            | Command::Status
            | Command::Ls(Ls { directory: _ })
            | Command::Info(Name { name: _ })
            | Command::Mv(Mv { from: _, to: _ })
            | Command::Rm(Rm { names: _, recursive: _ })
            | Command::Unshare(Name { name: _ })
            | Command::Transfers(Transfers { resume_all: _, action: _ })
            | Command::Completions { shell: _ }
            | Command::Agent(Unlock { idle: _ }) => network.collect(),
        }
    }
}

impl Command {
    /// Whether the agent runs it if there is one: whatever needs an open account, or Tor and nothing else.
    pub(super) const fn is_for_the_agent(&self) -> bool {
        match self {
            Self::Put(_)
            | Self::Get(_)
            | Self::Ls(_)
            | Self::Info(_)
            | Self::Mv(_)
            | Self::Rm(_)
            | Self::Share(_)
            | Self::Unshare(_)
            | Self::Transfers(_) => true,
            Self::Register(_)
            | Self::Login(_)
            | Self::Passwd(_)
            | Self::Recover(_)
            | Self::Rekey(_)
            | Self::Sessions(_)
            | Self::Unregister(_)
            | Self::Unlock(_)
            | Self::Lock
            | Self::Logout(_)
            | Self::Status
            | Self::Completions { .. }
            | Self::Agent(_) => false,
        }
    }
}

impl Global {
    pub(super) fn home_path(&self) -> Result<PathBuf, ClientError> {
        let from_environment = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
        self.home
            .clone()
            .or_else(|| from_environment("XDG_DATA_HOME").map(|data| PathBuf::from(data).join("nightdrop")))
            .or_else(|| {
                from_environment("HOME").map(|home| PathBuf::from(home).join(".local/share/nightdrop"))
            })
            .ok_or_else(|| {
                ClientError::Usage(
                    "neither --home nor the environment says where to keep the account".to_owned(),
                )
            })
    }
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Make an account at a relay
    Register(Register),
    /// Open an account on this device
    Login(Login),
    /// Open the account until it is locked: further commands are fast and need no password
    Unlock(Unlock),
    /// Lock the account: the keys leave this device's memory
    Lock,
    /// Forget the account on this device
    Logout(Logout),
    /// Show whether there is an account, and whether it is open
    Status,
    /// Upload files. The relay keeps them for 26 to 39 weeks, and for as long as they are extended in time, which is done by itself while the account is used:
    /// whoever is away for longer loses them
    Put(Put),
    /// Download one of your files, or the file of a link
    Get(Get),
    /// List your files
    Ls(Ls),
    /// Show all about one of your files, and what the relay can see of it
    Info(Name),
    /// Give one of your files, or a directory, another name
    Mv(Mv),
    /// Remove files, at the relay, too; their links end
    Rm(Rm),
    /// Print a new link to one of your files: whoever has it can read the file, without an account
    Share(Share),
    /// End all links to one of your files
    Unshare(Name),
    /// List the uploads of this device that were cut off, go on with them, or drop them
    ///
    /// An upload goes on when the same `put` is typed again, too; so does a download with the same `get`, which is not listed here: what is
    /// kept of it lies beside the file that it writes. Of a directory, files that were not begun are not listed; put it again.
    Transfers(Transfers),
    /// Change the password; all other sessions end
    Passwd(Passwd),
    /// Set a new password with the recovery phrase, or make a new phrase
    Recover(Recover),
    /// Replace the account's keys, after a device was stolen while it was unlocked
    ///
    /// Master key, list of files, and what reads and changes each file are replaced; all sessions end. Whoever held the old ones can read
    /// what they read before, and nothing that is written after. The password stays (change it, too, if it may be known: `nightdrop
    /// passwd`), and so do the links that you made (end them with `nightdrop unshare`). Ending a session alone (`nightdrop sessions
    /// --end`) suffices for a device that was locked.
    Rekey(Rekey),
    /// List the account's sessions, or end them
    Sessions(Sessions),
    /// Remove the account and all of its files at the relay
    Unregister(Unregister),
    /// Print completions for a shell
    Completions {
        /// For which shell
        shell: clap_complete::Shell,
    },
    /// What `unlock` starts
    #[command(hide = true)]
    Agent(Unlock),
}

#[derive(Debug, Args)]
pub(super) struct Register {
    /// The relay's onion address
    #[arg(value_name = "RELAY")]
    pub(super) relay: String,
    /// The invitation from the relay's operator; `-` reads it from standard input. Without one: the relay must be open to everyone,
    /// and this machine does some seconds of work for it
    #[arg(long, value_name = "CODE")]
    pub(super) invite: Option<String>,
    /// Make no recovery phrase: a forgotten password is then the end of the account
    #[arg(long)]
    pub(super) no_recovery: bool,
    /// Make a password of seven random words and print it
    #[arg(long, conflicts_with = "password_file")]
    pub(super) generate: bool,
    /// The account code as a picture.
    #[command(flatten)]
    pub(super) qr: QrArguments,
}

#[derive(Debug, Args)]
pub(super) struct Passwd {
    /// Read the new password from a file, or from standard input with `-`; without it, it is asked for
    #[arg(long, value_name = "FILE")]
    pub(super) new_password_file: Option<PathBuf>,
    /// Make a new password of seven random words and print it
    #[arg(long, conflicts_with = "new_password_file")]
    pub(super) generate: bool,
}

#[derive(Debug, Args)]
pub(super) struct Recover {
    /// The relay's onion address [default: that of this device's account]
    #[arg(long, value_name = "RELAY", conflicts_with = "new")]
    pub(super) relay: Option<String>,
    /// Read the recovery phrase from a file, or from standard input with `-`; without it, it is asked for
    #[arg(long, value_name = "FILE", conflicts_with = "new")]
    pub(super) phrase_file: Option<PathBuf>,
    /// Make a new recovery phrase in place of the old one, with the password
    #[arg(long)]
    pub(super) new: bool,
}

#[derive(Debug, Args)]
pub(super) struct Rekey {
    /// Make no recovery phrase: the one from before opens nothing any more
    #[arg(long)]
    pub(super) no_recovery: bool,
}

#[derive(Debug, Args)]
pub(super) struct Sessions {
    /// End this one
    #[arg(long, value_name = "SESSION", conflicts_with = "end_all")]
    pub(super) end: Option<String>,
    /// End all of them, on all devices
    #[arg(long)]
    pub(super) end_all: bool,
}

#[derive(Debug, Args)]
pub(super) struct Unregister {
    /// Do not ask
    #[arg(short, long)]
    pub(super) yes: bool,
}

#[derive(Debug, Args)]
pub(super) struct Login {
    /// The account code; `-` reads it from standard input. Without one: the account of this device
    #[arg(value_name = "CODE")]
    pub(super) code: Option<String>,
    /// The account code as a picture, for another device.
    #[command(flatten)]
    pub(super) qr: QrArguments,
}

#[derive(Debug, Args)]
pub(super) struct Unlock {
    /// Lock by itself after so long without a command: 90s, 15m, 2h, 1d, or never
    #[arg(long, value_name = "TIME", default_value = "15m")]
    pub(super) idle: IdleLimit,
}

#[derive(Debug, Args)]
pub(super) struct Logout {
    /// Do not ask
    #[arg(short, long)]
    pub(super) yes: bool,
}

#[derive(Debug, Args)]
pub(super) struct Put {
    /// The files, or directories of files; `-` is standard input, of any length, stored under the name of `--name`. Cut off, the same
    /// command goes on where it was; standard input cannot be read again, so what was sent of it can only be dropped: see `transfers`
    #[arg(required = true, value_name = "PATH")]
    pub(super) paths: Vec<PathBuf>,
    /// Print a link to each: whoever has it can read the file, without an account
    #[arg(long)]
    pub(super) link: bool,
    /// When the links end by themselves.
    #[command(flatten)]
    pub(super) ends: LinkEnds,
    /// Store it under another name
    #[arg(long)]
    pub(super) name: Option<String>,
    /// Store it in a directory among your files
    #[arg(long, value_name = "DIR")]
    pub(super) to: Option<String>,
    /// Replace a file of the same name and other content; its links end
    #[arg(long)]
    pub(super) replace: bool,
    /// The link as a picture.
    #[command(flatten)]
    pub(super) qr: QrArguments,
}

#[derive(Debug, Args)]
pub(super) struct Ls {
    /// A directory among your files [default: all of them]
    #[arg(value_name = "DIR")]
    pub(super) directory: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct Name {
    /// One of your files
    #[arg(value_name = "NAME")]
    pub(super) name: String,
}

#[derive(Debug, Args)]
pub(super) struct Mv {
    /// One of your files, or a directory
    #[arg(value_name = "FROM")]
    pub(super) from: String,
    /// Its new name, or a directory that it goes into
    #[arg(value_name = "TO")]
    pub(super) to: String,
}

#[derive(Debug, Args)]
pub(super) struct Rm {
    /// Your files
    #[arg(required = true, value_name = "NAME")]
    pub(super) names: Vec<String>,
    /// Remove directories and all that is in them
    #[arg(short, long)]
    pub(super) recursive: bool,
}

#[derive(Debug, Args)]
pub(super) struct Share {
    /// One of your files
    #[arg(value_name = "NAME")]
    pub(super) name: String,
    /// With a link
    #[arg(long, required = true)]
    pub(super) link: bool,
    /// When it ends by itself.
    #[command(flatten)]
    pub(super) ends: LinkEnds,
    /// What opens it beside the link.
    #[command(flatten)]
    pub(super) password: LinkPassword,
    /// The link as a picture.
    #[command(flatten)]
    pub(super) qr: QrArguments,
}

/// What ends a link by itself. An honest relay keeps to it; nothing makes another one do so.
#[derive(Debug, Args)]
pub(super) struct LinkEnds {
    /// End the link after so long: 90m, 12h, 7d. The relay knows the end to a quarter of an hour, and of a day or longer to the day
    #[arg(long, value_name = "TIME", requires = "link", value_parser = length_of_time)]
    pub(super) expires: Option<Duration>,
    /// Let it be downloaded so many times, at most 1000. A download that was cut off and goes on counts once
    #[arg(long, value_name = "N", requires = "link", value_parser = clap::value_parser!(u16).range(1..=i64::from(MAX_DOWNLOADS)))]
    pub(super) downloads: Option<u16>,
}

/// What opens a link beside itself.
#[derive(Debug, Args)]
pub(super) struct LinkPassword {
    /// Ask for a password at the terminal: the link opens nothing without it
    #[arg(long = "password", conflicts_with_all = ["link_password_file", "generate"])]
    pub(super) with_password: bool,
    /// Read a password for the link from a file, or from standard input with `-`
    #[arg(long, value_name = "FILE", conflicts_with = "generate")]
    pub(super) link_password_file: Option<PathBuf>,
    /// Make a password of seven random words for the link and print it
    #[arg(long)]
    pub(super) generate: bool,
}

fn length_of_time(text: &str) -> Result<Duration, &'static str> {
    duration::parse(text).ok_or("a number with s, m, h or d is expected, as in 12h or 7d")
}

#[derive(Debug, Args)]
pub(super) struct Transfers {
    /// Go on with all of them, as far as their files are what they were
    #[arg(long)]
    pub(super) resume_all: bool,
    #[command(subcommand)]
    pub(super) action: Option<TransfersAction>,
}

#[derive(Debug, Subcommand)]
pub(super) enum TransfersAction {
    /// Give up an upload: what the relay has of it is destroyed
    Drop(DropTransfers),
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(super) struct DropTransfers {
    /// Its number, as `nightdrop transfers` shows it
    #[arg(value_name = "N")]
    pub(super) number: Option<usize>,
    /// All of them
    #[arg(long)]
    pub(super) all: bool,
}

#[derive(Debug, Args)]
pub(super) struct Get {
    /// One of your files, or a link; `-` reads it from standard input
    #[arg(value_name = "NAME|LINK")]
    pub(super) what: String,
    /// Where to put the file: a path, a directory, or `-` for standard output [default: the file's own name, here]
    #[arg(short, long, value_name = "PATH")]
    pub(super) output: Option<PathBuf>,
    /// Read the password of a link from a file, or from standard input with `-`; without it, it is asked for
    #[arg(long, value_name = "FILE")]
    pub(super) link_password_file: Option<PathBuf>,
    /// Where it was typed.
    #[arg(skip)]
    pub(super) here: Option<PathBuf>,
}

/// The completions of a shell, to print.
pub(super) fn completions(shell: clap_complete::Shell) -> Vec<u8> {
    let all = Arguments::command();
    // What only `unlock` starts is hidden from the help, but not from the generator.
    let shown = all.get_subcommands().filter(|command| !command.is_hide_set()).cloned();
    let mut shown = clap::Command::new("nightdrop").args(all.get_arguments().cloned()).subcommands(shown);
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut shown, "nightdrop", &mut script);
    script
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn global_options_stand_before_or_after_the_command() {
        for line in [
            ["nightdrop", "--json", "--home", "h", "get", "link"],
            ["nightdrop", "get", "link", "--json", "--home", "h"],
        ] {
            let arguments = Arguments::try_parse_from(line).unwrap();
            assert!(arguments.global.json && arguments.global.home == Some("h".into()));
        }
    }

    #[test]
    fn what_is_dropped_is_named_and_nothing_else_is_done_beside_it() {
        let parsed = |line: &[&str]| {
            let words = ["nightdrop", "transfers"].iter().chain(line);
            Arguments::try_parse_from(words).map(|arguments| arguments.command)
        };
        for line in [&["drop"][..], &["drop", "1", "--all"], &["drop", "x"], &["1"]] {
            assert!(parsed(line).is_err(), "{line:?}");
        }
        for line in [&["drop", "1", "--json"][..], &["--json", "drop", "--all"], &[], &["--resume-all"]] {
            assert!(matches!(parsed(line), Ok(Command::Transfers(_))), "{line:?}");
        }
    }

    #[test]
    fn paths_are_relative_to_where_the_command_was_typed() {
        let resolved = |line: &[&str]| {
            let mut arguments = Arguments::try_parse_from(line).unwrap();
            arguments.resolve(Path::new("/there"));
            arguments
        };
        let put = resolved(&["nightdrop", "put", "a", "/b", "--password-file", "-", "--network", "n"]);
        assert_eq!(put.global.network, Some("/there/n".into()));
        assert_eq!(put.global.password_file, Some("-".into()));
        let Command::Put(Put { paths, .. }) = put.command else { panic!() };
        assert_eq!(paths, [Path::new("/there/a"), Path::new("/b")]);
        for (line, output) in
            [(&["nightdrop", "get", "x"][..], "/there"), (&["nightdrop", "get", "x", "-o", "y"], "/there/y")]
        {
            let Command::Get(get) = resolved(line).command else { panic!() };
            assert_eq!(get.output, Some(output.into()));
        }
    }

    #[test]
    fn no_option_takes_a_password() {
        let command = Arguments::command();
        let all =
            command.get_subcommands().flat_map(clap::Command::get_arguments).chain(command.get_arguments());
        let about: Vec<_> = all.filter(|argument| argument.get_id().as_str().contains("password")).collect();
        let files = |argument: &&clap::Arg| argument.get_value_names() == Some(&["FILE".into()]);
        assert!(about.iter().filter(|argument| files(argument)).count() >= 4);
        for argument in about {
            assert!(files(&argument) || !argument.get_action().takes_values(), "{argument:?}");
        }
    }

    #[test]
    fn limits_are_for_links_and_within_what_the_relay_keeps() {
        let parse = |line: &str| Arguments::try_parse_from(line.split(' '));
        for good in [
            "nightdrop share a --link --expires 7d --downloads 1000 --password",
            "nightdrop share a --link --expires 15m --link-password-file -",
            "nightdrop put a --link --downloads 1",
        ] {
            assert!(parse(good).is_ok(), "{good}");
        }
        for bad in [
            "nightdrop share a --link --downloads 0",
            "nightdrop share a --link --downloads 1001",
            "nightdrop share a --link --downloads -1",
            "nightdrop share a --link --expires 0d",
            "nightdrop share a --link --expires tomorrow",
            "nightdrop share a --link --password secret",
            "nightdrop share a --link --password --generate",
            "nightdrop put a --downloads 1",
            "nightdrop put a --expires 1d",
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
