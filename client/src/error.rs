//! Every error of the client, and what a person is told about it: one table, [`ClientError::explanation`].

use crate::relay::RequestError;
use nightdrop_envelope::{OpenError, account_code::BadText, recovery::BadPhrase, space::ChainError};
use nightdrop_login::LoginError;
use nightdrop_onion_config::TorError;
use nightdrop_wire::{date::Date, refusal::Refusal};
use std::{
    io,
    path::{Path, PathBuf},
};

/// What went wrong.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The command line asks for what does not fit together.
    #[error("{0}")]
    Usage(String),
    /// A file or directory could not be used.
    #[error("cannot {action} {}: {source}", path.display())]
    File {
        /// What was tried, as a verb.
        action: &'static str,
        /// With what.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The home directory can be read by others.
    #[error("others can read {path}: close it with  chmod 700 {path}", path = shell_word(path))]
    OpenHome {
        /// Which.
        path: PathBuf,
    },
    /// There is no account in this home directory.
    #[error("there is no account in {}", path.display())]
    NoAccount {
        /// The home directory.
        path: PathBuf,
    },
    /// There is an account in this home directory.
    #[error("there is an account in {}", path.display())]
    AccountExists {
        /// The home directory.
        path: PathBuf,
    },
    /// An account code does not parse.
    #[error("this is not an account code: {0}")]
    BadAccountCode(BadText),
    /// A link does not parse.
    #[error("this link cannot be used: {0}")]
    BadLink(BadText),
    /// An invitation does not parse.
    #[error("this is not an invitation code: 52 letters and digits are expected")]
    BadInvitation,
    /// A relay address does not parse.
    #[error("this is not a relay's address: 56 letters and digits, then .onion, are expected")]
    BadRelay,
    /// The password is too easy to guess.
    #[error("this password is too easy to guess: {0}")]
    WeakPassword(String),
    /// The two typed passwords differ.
    #[error("the two passwords differ")]
    PasswordsDiffer,
    /// The relay did not take the invitation.
    #[error("the relay refused the invitation")]
    InvitationRefused,
    /// The relay registers nobody without an invitation.
    #[error("this relay registers nobody without an invitation")]
    InvitationNeeded,
    /// The relay registers nobody.
    #[error("this relay takes no new accounts")]
    RegistrationClosed,
    /// The relay registers nobody more without an invitation for now.
    #[error("this relay takes no more new accounts within this hour")]
    RegistrationsUsedUp,
    /// The relay asks for more work than any honest relay does.
    #[error("the relay asks for more work than any honest relay does")]
    AbsurdWork,
    /// The relay did not take the work.
    #[error("the relay did not take the work that was done for a new account")]
    WorkRefused,
    /// The password does not open the account, or the relay is another.
    #[error("the password is wrong, or this is not the relay where the account was made")]
    WrongPassword,
    /// The relay refused a login whose password was right.
    #[error("the relay refused the login")]
    LoginRefused,
    /// Too many logins of this account failed lately.
    #[error("too many logins of this account were not finished lately")]
    TooManyLogins,
    /// A recovery phrase does not parse.
    #[error("this is not a recovery phrase: {0}")]
    BadPhrase(#[from] BadPhrase),
    /// The relay has no account for this recovery phrase.
    #[error("the relay has no account for this recovery phrase")]
    PhraseRefused,
    /// Something else changed what opens the account meanwhile, or the change took too long.
    #[error(
        "the account was not changed: the relay no longer knows of this change, or another device made one meanwhile"
    )]
    ChangeRefused,
    /// It is not known whether the relay made a change.
    #[error("the connection broke before the relay said whether it made the change")]
    ChangeUnknown,
    /// The relay does not know the session any more.
    #[error("the relay has ended this session")]
    SessionEnded,
    /// A session's id does not parse, or there is none like it.
    #[error("there is no session {0}")]
    NoSuchSession(String),
    /// What cannot be undone was not confirmed.
    #[error("not confirmed")]
    NotConfirmed,
    /// The agent was locked before the command was done.
    #[error("the agent was locked")]
    Locked,
    /// The agent went, or broke off, before the command was done.
    #[error("the agent ended before the command was done")]
    AgentLost,
    /// The agent runs as many commands as it may.
    #[error("the agent runs too many commands already")]
    AgentBusy,
    /// The agent is of another version of the program.
    #[error("the agent is of another version of Nightdrop")]
    AgentOtherVersion,
    /// A path that each process reads as something else.
    #[error("{} is another file for the agent, which runs this command", path.display())]
    ProcessPath {
        /// Which.
        path: PathBuf,
    },
    /// The relay does not prove that the account's credits are made like everybody's.
    #[error("{0}")]
    MarkedCredits(#[from] nightdrop_credit::CreditError),
    /// No more credits today.
    #[error("the relay gives this account no more credits today")]
    NoCredits,
    /// Nothing pays for more of the list of files.
    #[error("there are no credits to pay for more of your list of files")]
    ListUnpaid,
    /// The relay denies what was paid for the list of files.
    #[error("the relay denies what was paid for your list of files")]
    PaymentDenied,
    /// The relay takes no more tickets of this file.
    #[error("the relay takes no more links of this file, or no more downloads through them")]
    TooManyLinks,
    /// What a link named is not there.
    #[error("the relay has nothing under this link")]
    LinkEnded,
    /// What a link with a password named is not there.
    #[error("the relay has nothing under this link with this password")]
    WrongLinkPassword,
    /// A password was to be asked for where there is no terminal.
    #[error("there is no terminal to ask for the password")]
    NoTerminal,
    /// A link needs a password, and none was given.
    #[error("this link needs a password")]
    LinkPasswordNeeded,
    /// A password was given for a link that has none.
    #[error("this link has no password")]
    LinkHasNoPassword,
    /// A file was made wrongly by its author, or by a newer program: its hashes are right, its contents are not.
    #[error("whoever made this file made it wrongly, or with a newer version of Nightdrop: {0}")]
    BadlyMade(OpenError),
    /// An author's name for a file that programs would read by themselves.
    #[error("the file's author calls it {0}, a name that programs may run or read by themselves")]
    SpecialName(String),
    /// Something changed on another device meanwhile.
    #[error("another device changed {0} meanwhile")]
    ChangedMeanwhile(String),
    /// Results could not be printed.
    #[error("cannot write to standard output: {0}")]
    Output(io::Error),
    /// Standard input could not be read.
    #[error("cannot read standard input: {0}")]
    Input(io::Error),
    /// The kept account code is damaged.
    #[error("the account code in {} is damaged: {reason}", path.display())]
    DamagedHome {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        reason: BadText,
    },
    /// It is not known whether the relay made the account.
    #[error("the connection broke before the relay said whether it made the account")]
    RegistrationUnknown,
    /// The relay has no list of files for an account that was not made on this device.
    #[error("the relay has no list of files for this account")]
    NoHomeSpace,
    /// The relay kept a file for as long as was paid for.
    #[error("the relay kept {name} until {until}, and no longer")]
    LeaseOver {
        /// Which file.
        name: String,
        /// The last day.
        until: Date,
    },
    /// The relay says that more is to be paid for a file, and does not take the credits.
    #[error("the relay does not take the credits that were to make it keep files for longer")]
    LeaseRefused,
    /// The relay does not give what a verified ticket or manifest says that it holds.
    #[error("the relay withholds a part of this file")]
    Withheld,
    /// What the relay gave is not what was sealed.
    #[error("the relay sent something that was tampered with: {0}")]
    Tampered(OpenError),
    /// The log of the home space is not what this account's devices wrote.
    #[error("the relay gives another history of your files than your devices wrote: {0}")]
    Chain(#[from] ChainError),
    /// The keyring is older than one that this device has seen.
    #[error("the relay gives an older keyring (version {given}) than this device has seen (version {seen})")]
    OlderKeyring {
        /// Remembered.
        seen: u64,
        /// Given.
        given: u64,
    },
    /// The list of files is closed: a rekey goes on in another one.
    #[error("your list of files was closed for keyring {next}, and this is not the one that the relay gave")]
    Closed {
        /// Version of the keyring in whose list it goes on.
        next: u64,
    },
    /// What this device sealed to remember does not open.
    #[error("what this device remembers of the account is damaged or belongs to another account")]
    DamagedMemory,
    /// No such file in the home space.
    #[error("there is no {0} among your files")]
    NoSuchFile(String),
    /// A path in the home space is taken.
    #[error("there is a {0} among your files")]
    NameTaken(String),
    /// A name has another file than when an upload to it began.
    #[error("there is another {0} among your files than when its upload began")]
    OtherFileMeanwhile(String),
    /// A name is a directory where a file is needed.
    #[error("{0} is a directory")]
    IsDirectory(String),
    /// A path cannot be one in the home space.
    #[error("{0} cannot be a name among your files")]
    BadPath(String),
    /// A file has no links.
    #[error("{0} has no links")]
    NotShared(String),
    /// The other side does not speak as a relay does.
    #[error("what answers at this address does not speak as a Nightdrop relay does")]
    NotARelay,
    /// The relay's storage is full.
    #[error("the relay's storage is full")]
    RelayFull,
    /// The relay is overloaded.
    #[error("the relay is too busy")]
    RelayBusy,
    /// The connection broke too often.
    #[error("the connection to the relay broke again and again")]
    Broken,
    /// Tor.
    #[error(transparent)]
    Tor(#[from] TorError),
    /// The relay refused a part of an upload.
    #[error("the relay refused the upload")]
    UploadRefused,
    /// The file changed while it was read.
    #[error("{} changed while it was being uploaded", path.display())]
    FileChanged {
        /// Which.
        path: PathBuf,
    },
    /// The file changed since its upload was cut off.
    #[error("{} is not what it was when its upload was cut off", path.display())]
    ChangedSince {
        /// Which.
        path: PathBuf,
    },
    /// Another command is at the same upload.
    #[error("another command is at this upload already")]
    TransferRunning,
    /// What was uploaded can be read only once.
    #[error("a stream that was cut off cannot be gone on with")]
    NotResumable,
    /// There is no unfinished upload of this number.
    #[error("there is no unfinished transfer {0}")]
    NoSuchTransfer(usize),
    /// What is to be uploaded is no file.
    #[error("{} is not a regular file", path.display())]
    NotAFile {
        /// What it is.
        path: PathBuf,
    },
    /// Longer than what can be stored.
    #[error("{} is larger than the largest file that can be stored", path.display())]
    TooLarge {
        /// Which.
        path: PathBuf,
    },
    /// A name that cannot be stored.
    #[error("{} has a name that cannot be stored: control characters, separators, or too long", path.display())]
    BadName {
        /// Which.
        path: PathBuf,
    },
    /// There is a file where the download would go.
    #[error("{} exists", path.display())]
    OutputExists {
        /// Which.
        path: PathBuf,
    },
    /// Not enough memory for the password's hash.
    #[error("not enough memory to hash the password: 64 MiB are needed")]
    OutOfMemory,
    /// Something could not be sealed. A fault of the program.
    #[error("cannot seal: {0}")]
    Sealing(OpenError),
    /// A task of the program ended before it was done.
    #[error("interrupted")]
    Stopped,
}

/// A path as it can be pasted into a shell.
fn shell_word(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |symbol: char| symbol.is_ascii_alphanumeric() || "/._-+=:,@%".contains(symbol);
    if text.chars().all(plain) { text } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

/// Exit codes, as documented in the README.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum ExitCode {
    /// Failed for a reason on this machine.
    Failed = 1,
    /// The command line was wrong.
    Usage = 2,
    /// What was asked for is not there.
    NotFound = 3,
    /// Refused, or locked.
    Refused = 4,
    /// The network, or the relay's reachability.
    Network = 5,
    /// The relay or somebody else tampered; withheld included.
    Tampered = 6,
}

/// What a person is told beside the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Explanation {
    /// What it means for their data.
    pub consequence: &'static str,
    /// What to do next.
    pub next: &'static str,
    /// For scripts.
    pub exit: ExitCode,
}

const fn explain(exit: ExitCode, consequence: &'static str, next: &'static str) -> Explanation {
    Explanation { consequence, next, exit }
}

impl ClientError {
    /// The table: consequence, next step and exit code of each error.
    #[must_use]
    pub const fn explanation(&self) -> Explanation {
        use ExitCode::{Failed, Network, NotFound, Refused, Tampered, Usage};
        const NOTHING_SENT: &str = "Nothing was sent.";
        const NOTHING_CHANGED: &str = "Nothing was changed.";
        const NO_ACCOUNT: &str = "No account was made.";
        const NOTHING_WRITTEN: &str = "Nothing of it was written.";
        match self {
            Self::Usage(_) => explain(Usage, NOTHING_SENT, "See `nightdrop help`."),
            Self::File { .. } => explain(
                Failed,
                "Nothing that existed was changed.",
                "Check the path, its owner and the free space.",
            ),
            Self::OpenHome { .. } => explain(
                Failed,
                "Your account code may be known to others on this machine. Nothing was sent.",
                "Close it with that command, then try again.",
            ),
            Self::NoAccount { .. } => explain(
                NotFound,
                NOTHING_SENT,
                "Make one with `nightdrop register RELAY --invite CODE`, or open yours with `nightdrop login CODE`.",
            ),
            Self::AccountExists { .. } => explain(
                Refused,
                "Nothing was sent; the account in this directory is untouched.",
                "Use another directory with `--home DIR`.",
            ),
            Self::BadAccountCode(_) => explain(
                Usage,
                NOTHING_SENT,
                "Copy the whole code again, from `nightdrop:account/` to its end.",
            ),
            Self::BadLink(_) => {
                explain(Usage, NOTHING_SENT, "Copy the whole link again, from `nightdrop:file/` to its end.")
            }
            Self::BadInvitation => explain(Usage, NOTHING_SENT, "Copy the whole invitation again."),
            Self::BadRelay => explain(Usage, NOTHING_SENT, "Copy the whole address again."),
            Self::WeakPassword(_) => explain(
                Refused,
                NOTHING_SENT,
                "Choose a longer one: five or more unrelated words are good and easy to remember.",
            ),
            Self::PasswordsDiffer => explain(Usage, NOTHING_SENT, "Type the same password twice."),
            Self::InvitationRefused => explain(
                Refused,
                NO_ACCOUNT,
                "Invitations work once and for a limited time: ask the relay's operator for a new one.",
            ),
            Self::InvitationNeeded => explain(
                Refused,
                NO_ACCOUNT,
                "Ask the relay's operator for an invitation, and give it with `--invite CODE`.",
            ),
            Self::RegistrationClosed => {
                explain(Refused, NO_ACCOUNT, "Use another relay, or ask this one's operator.")
            }
            Self::RegistrationsUsedUp => {
                explain(Refused, NO_ACCOUNT, "Try again in an hour, or ask the operator for an invitation.")
            }
            Self::AbsurdWork => explain(
                Tampered,
                "No work was done, and no account was made.",
                "Compare the address with the one that the operator gave you.",
            ),
            Self::WorkRefused => explain(
                Refused,
                NO_ACCOUNT,
                "It may have come too late, or the relay was started again meanwhile: run the command again.",
            ),
            Self::WrongPassword => explain(
                Refused,
                "Your data is untouched. Your password did not leave this machine.",
                "Try again, with the password that belongs to this account code.",
            ),
            Self::LoginRefused => explain(Refused, "Your data is untouched.", "Try again in a minute."),
            Self::TooManyLogins => explain(
                Refused,
                "Your data is untouched. Somebody who has the account code may be guessing at the password.",
                "Wait a quarter of an hour, then try again. If it was not you, change the password with `nightdrop passwd`.",
            ),
            Self::BadPhrase(_) => explain(
                Usage,
                NOTHING_SENT,
                "Compare each word with what you wrote down: 24 words, in order.",
            ),
            Self::PhraseRefused => explain(
                NotFound,
                NOTHING_CHANGED,
                "Check the relay's address, and whether a later phrase replaced this one.",
            ),
            Self::ChangeRefused => explain(
                Refused,
                "Nothing was changed: the password, code and phrase from before are still good.",
                "Run the command again.",
            ),
            Self::ChangeUnknown => explain(
                Network,
                "Either the old password opens the account or the new one, never both or neither.",
                "Try `nightdrop login` with the new password, then with the old one.",
            ),
            Self::SessionEnded => explain(
                Refused,
                "Another device ended it, or it was too old. Your data is untouched.",
                "Run the command again with the password, or `nightdrop unlock` first.",
            ),
            Self::NoSuchSession(_) => {
                explain(NotFound, "No session was ended.", "`nightdrop sessions` shows those that there are.")
            }
            Self::NotConfirmed => {
                explain(Refused, NOTHING_CHANGED, "Confirm at the terminal, or with `--yes`.")
            }
            Self::Locked => explain(
                Refused,
                "The command was not completed.",
                "Open the account with `nightdrop unlock`, then run the command again.",
            ),
            Self::AgentLost => explain(
                Failed,
                "What was acknowledged before is safe; the command may have been carried out.",
                "Look with `nightdrop status` and `nightdrop ls`, then run the command again.",
            ),
            Self::AgentBusy => {
                explain(Refused, NOTHING_SENT, "Wait for one of them to end; `nightdrop status` counts them.")
            }
            Self::AgentOtherVersion => explain(
                Failed,
                NOTHING_SENT,
                "End it with `nightdrop lock` and start it again with `nightdrop unlock`.",
            ),
            Self::ProcessPath { .. } => explain(
                Usage,
                NOTHING_SENT,
                "Name the file itself. A link is read from standard input by `get -`; after `nightdrop lock`, such paths work, too.",
            ),
            Self::NoCredits => explain(
                Refused,
                "Nothing was uploaded.",
                "Look whether this device's date is right; else try again tomorrow, or ask the relay's operator.",
            ),
            Self::ListUnpaid => explain(
                Refused,
                "Your list of files was not changed; what is listed is safe, and can be read.",
                "Remove files that you need no more with `nightdrop rm`: what they give back pays for the list. Else wait until your quota is counted anew, or ask the relay's operator for more.",
            ),
            Self::PaymentDenied => explain(
                Tampered,
                "What is listed can be read. One payment may be lost, and this command may have been carried out in part.",
                "Do not rely on this relay. Ask its operator, by another way, whether it was restored.",
            ),
            Self::TooManyLinks => explain(
                Refused,
                "No link was made. A file has at most 1,024 links, and its counted ones allow at most 4,096 downloads together, until a day after they end.",
                "End some with `nightdrop unshare`, or give the new one fewer downloads.",
            ),
            Self::LinkEnded => explain(
                NotFound,
                NOTHING_WRITTEN,
                "The link may have ended or never existed: ask whoever gave it to you for a new one.",
            ),
            Self::WrongLinkPassword => explain(
                NotFound,
                "No file was written, and no download was spent.",
                "Either the password is wrong or the link has ended, and nobody but the relay can tell: try the password again, or ask whoever gave you the link.",
            ),
            Self::NoTerminal => explain(
                Usage,
                NOTHING_SENT,
                "Give it in a file, or - for standard input: an account's with `--password-file FILE`, a link's with `--link-password-file FILE`.",
            ),
            Self::LinkPasswordNeeded => explain(
                Usage,
                NOTHING_SENT,
                "Give it at the terminal, or with `--link-password-file FILE`, or - for standard input.",
            ),
            Self::LinkHasNoPassword => explain(
                Usage,
                NOTHING_SENT,
                "Run it again without a password for the link; if you were told one, ask whether the link is whole.",
            ),
            Self::BadlyMade(_) => explain(
                Failed,
                NOTHING_WRITTEN,
                "Update Nightdrop; if it stays so, ask whoever gave it to you to make it again. The relay cannot have done this.",
            ),
            Self::SpecialName(_) => {
                explain(Refused, NOTHING_WRITTEN, "Choose a name yourself, with `-o PATH`.")
            }
            Self::ChangedMeanwhile(_) => {
                explain(Refused, NOTHING_CHANGED, "Look with `nightdrop ls`, then run the command again.")
            }
            Self::Input(_) => {
                explain(Failed, "This file was not stored.", "Look at what writes to it, then run it again.")
            }
            Self::Output(_) => explain(
                Failed,
                "The command itself was carried out.",
                "Make room or give another output, then ask again with `nightdrop ls` or `nightdrop info`.",
            ),
            Self::DamagedHome { .. } => explain(
                Failed,
                NOTHING_SENT,
                "Use another directory with `--home DIR`, and open your account there with `nightdrop login CODE`.",
            ),
            Self::RegistrationUnknown => explain(
                Network,
                "The invitation may be spent; the account code is kept.",
                "Run the same `register` command again: it finds out, and goes on.",
            ),
            Self::NoHomeSpace => explain(
                Tampered,
                "Nothing was changed. If files were ever stored in this account, the relay withholds them.",
                "If none ever was, put the first one from the device where the account was made.",
            ),
            Self::LeaseOver { .. } => explain(
                NotFound,
                "Nothing of it was written. Files are kept for as long as somebody uses the account often enough to extend them. For some days after that the relay may still have it.",
                "If it ended less than two weeks ago, run `nightdrop ls`, which asks for it, and then this again. Else, if you have it elsewhere, put it again. `nightdrop rm` takes the name off your list.",
            ),
            Self::LeaseRefused => explain(
                Tampered,
                "Those credits are spent, and the files end when they would have. Nothing else was changed.",
                "Look whether this device's date is right. `nightdrop info` tells until when a file is kept; get those that matter, and tell the relay's operator.",
            ),
            Self::Withheld => explain(
                Tampered,
                "Nothing of it was written under its name. The relay lost it, or does not want you to have it.",
                "Try again later; if it stays so, tell whoever gave you the link that this relay withholds files.",
            ),
            Self::Tampered(_) => explain(
                Tampered,
                "Nothing of it was used or written.",
                "Do not trust this relay. Tell whoever gave you the link, or the relay's operator, by another way.",
            ),
            Self::Chain(_) | Self::OlderKeyring { .. } => explain(
                Tampered,
                "What it gave is not used. It lost data, was restored from a backup, or hides what you did: this command, perhaps, too.",
                "Do not rely on this relay. Ask its operator, by another way, whether it was restored.",
            ),
            Self::MarkedCredits(_) => explain(
                Tampered,
                "The credits were not used. With them the relay could have known which files are yours.",
                "Do not store anything at this relay. Ask its operator, by another way, whether it was set up anew.",
            ),
            Self::Closed { .. } => explain(
                Tampered,
                "Nothing was changed. A rekey closed it: one that was cut off, one on another device, or one that the relay hides.",
                "If an agent runs, `nightdrop lock` and try again. If you began a rekey that did not end, or a thief may have, run `nightdrop rekey`. If it was done on another device, this relay hides it: do not rely on it.",
            ),
            Self::DamagedMemory => explain(
                Failed,
                "Nothing was sent. Without it this device cannot notice that the relay gives an older state.",
                "If you did not change the file `memory` in the home directory, look for who did; removing it lets this device start anew.",
            ),
            Self::NoSuchFile(_) => explain(NotFound, NOTHING_CHANGED, "`nightdrop ls` shows what there is."),
            Self::NameTaken(_) => {
                explain(Refused, NOTHING_CHANGED, "Use another name; `put` replaces a file with `--replace`.")
            }
            Self::OtherFileMeanwhile(_) => explain(
                Refused,
                "It was not overwritten, and nothing was listed in its place.",
                "Look at it with `nightdrop info` or `get`. If it may go, give it another name with `nightdrop mv`, or remove it with `rm`; then run the same command again.",
            ),
            Self::IsDirectory(_) => {
                explain(Usage, NOTHING_CHANGED, "Name a file, or use `-r` to remove all that is in it.")
            }
            Self::BadPath(_) => explain(Usage, NOTHING_CHANGED, "Use a relative path of ordinary names."),
            Self::NotShared(_) => {
                explain(NotFound, NOTHING_CHANGED, "`nightdrop info NAME` shows a file's links.")
            }
            Self::NotARelay => explain(
                Tampered,
                "Nothing that it sent was used.",
                "Compare the address with the one that the operator gave you.",
            ),
            Self::RelayFull => explain(
                Refused,
                "What you stored before is safe and can be read. This file was not stored.",
                "Try again later, or ask the relay's operator for room.",
            ),
            Self::RelayBusy => explain(Network, "Your data is untouched.", "Try again in a few minutes."),
            Self::Broken => explain(
                Network,
                "What you stored before is safe; the command was not completed.",
                "Check the network connection and run the command again.",
            ),
            Self::Tor(error) => explain(tor_exit(error), error.meaning(), error.advice()),
            Self::UploadRefused => {
                explain(Refused, "This file was not stored.", "Run the command again; it starts afresh.")
            }
            Self::FileChanged { .. } => explain(
                Failed,
                "The upload was ended; what was sent of it can be read by nobody.",
                "Run the command again when the file no longer changes.",
            ),
            Self::ChangedSince { .. } => explain(
                Failed,
                "Nothing of it was sent; what was sent before can be read by nobody.",
                "Run the same `nightdrop put` again to store it as it is now, or `nightdrop transfers drop`.",
            ),
            Self::TransferRunning => explain(
                Refused,
                "Nothing was sent by this command.",
                "Wait for the other one, or for the agent; `nightdrop transfers` shows how far it is, and `nightdrop lock` ends it.",
            ),
            Self::NotResumable => explain(
                Failed,
                "Nothing of it was sent; what was sent before can be read by nobody.",
                "Free the room at the relay with `nightdrop transfers drop`, and run `nightdrop put -` again.",
            ),
            Self::NoSuchTransfer(_) => {
                explain(NotFound, "Nothing was dropped.", "`nightdrop transfers` shows those that there are.")
            }
            Self::NotAFile { .. } => explain(Usage, NOTHING_SENT, "Name a regular file."),
            Self::TooLarge { .. } => explain(Failed, NOTHING_SENT, "Split it into parts of at most 15 GiB."),
            Self::BadName { .. } => explain(Failed, NOTHING_SENT, "Rename the file, or use `--name`."),
            Self::OutputExists { .. } => {
                explain(Failed, "It is untouched.", "Name another place with `-o PATH`.")
            }
            Self::OutOfMemory => explain(Failed, NOTHING_SENT, "Close other programs and try again."),
            Self::Sealing(_) => {
                explain(Failed, NOTHING_SENT, "Please report it: this is a fault in the program.")
            }
            Self::Stopped => explain(Failed, "The command was not completed.", "Run it again."),
        }
    }

    /// Whether the same command may go on where this one was cut off.
    #[must_use]
    pub(crate) fn is_passing(&self) -> bool {
        matches!(self, Self::Stopped | Self::Locked) || self.is_of_the_network()
    }

    /// Whether it was the network, and no user, that ended the command.
    #[must_use]
    pub(crate) fn is_of_the_network(&self) -> bool {
        self.explanation().exit == ExitCode::Network
    }

    /// Whether it says nothing of other files, which go on. What would cost each of them a payment, or is the whole account's, ends all.
    #[must_use]
    pub(crate) fn is_of_one_file(&self) -> bool {
        if let Self::File { source, .. } = self {
            use io::ErrorKind as K;
            // The next file would find the disk as full, or as broken.
            let is_of_the_disk =
                matches!(source.kind(), K::StorageFull | K::QuotaExceeded | K::ReadOnlyFilesystem);
            return !is_of_the_disk && source.raw_os_error() != Some(nix::errno::Errno::EIO as i32);
        }
        matches!(
            self,
            Self::FileChanged { .. }
                | Self::ChangedSince { .. }
                | Self::TransferRunning
                | Self::NotResumable
                | Self::NotAFile { .. }
                | Self::TooLarge { .. }
                | Self::BadName { .. }
                | Self::BadPath(_)
                | Self::SpecialName(_)
                | Self::NameTaken(_)
                | Self::OtherFileMeanwhile(_)
                | Self::OutputExists { .. }
                | Self::LeaseOver { .. }
                | Self::Withheld
                | Self::NotARelay
                | Self::Tampered(_)
                | Self::BadlyMade(_)
        )
    }

    /// A request that has no meaning of its own for a refusal.
    pub(crate) fn request(error: RequestError) -> Self {
        Self::refused_as(error, Self::NotARelay)
    }

    /// A request of a registration.
    pub(crate) fn registration(error: RequestError) -> Self {
        Self::refused_as(error, Self::InvitationRefused)
    }

    /// A request that shows work.
    pub(crate) fn work(error: RequestError) -> Self {
        Self::refused_as(error, Self::WorkRefused)
    }

    /// A request of a login.
    pub(crate) fn login(error: RequestError) -> Self {
        Self::refused_as(error, Self::LoginRefused)
    }

    /// A request with a session.
    pub(crate) fn session(error: RequestError) -> Self {
        Self::refused_as(error, Self::SessionEnded)
    }

    /// A request that begins a change by the recovery phrase.
    pub(crate) fn recovery(error: RequestError) -> Self {
        Self::refused_as(error, Self::PhraseRefused)
    }

    /// A request for credits.
    pub(crate) fn credits(error: RequestError) -> Self {
        match error {
            // More than the account may draw is a conflict, and not this.
            RequestError::Refused(Refusal::Refused) => Self::SessionEnded,
            error => Self::refused_as(error, Self::NoCredits),
        }
    }

    /// A request that pays for more of the list.
    pub(crate) fn growth(error: RequestError) -> Self {
        Self::refused_as(error, Self::ListUnpaid)
    }

    /// A request of an upload.
    pub(crate) fn upload(error: RequestError) -> Self {
        Self::refused_as(error, Self::UploadRefused)
    }

    /// A request for a ticket.
    pub(crate) fn ticket(error: RequestError) -> Self {
        match error {
            // A claim is a little to be stored, and nothing of the reader's.
            RequestError::Refused(Refusal::Full) => Self::RelayBusy,
            error => Self::refused_as(error, Self::LinkEnded),
        }
    }

    /// A request for another ticket of a file.
    pub(crate) fn sharing(error: RequestError) -> Self {
        match error {
            RequestError::Refused(Refusal::Conflict) => Self::TooManyLinks,
            error => Self::listed(error),
        }
    }

    /// A request for what a verified ticket or manifest lists.
    pub(crate) fn listed(error: RequestError) -> Self {
        Self::refused_as(error, Self::Withheld)
    }

    /// What the relay gave was to be opened. Wrong hashes and lengths are the relay's doing; when those are right, what is wrong
    /// inside was put there by whoever sealed it.
    pub(crate) const fn opened(error: OpenError) -> Self {
        match error {
            OpenError::WrongHash => Self::Tampered(error),
            _ => Self::BadlyMade(error),
        }
    }

    fn refused_as(error: RequestError, refused: Self) -> Self {
        match error {
            RequestError::Refused(Refusal::Refused | Refusal::Conflict) => refused,
            RequestError::Refused(Refusal::TooManyLogins) => Self::TooManyLogins,
            RequestError::Refused(Refusal::Full) => Self::RelayFull,
            RequestError::Refused(Refusal::Busy) => Self::RelayBusy,
            RequestError::Transport(error) => Self::Tor(error),
            RequestError::Broken => Self::Broken,
            // Only an append is told that it is not paid for.
            RequestError::Refused(Refusal::Unpaid) | RequestError::Invalid => Self::NotARelay,
        }
    }

    /// For `map_err` on what touches a file.
    pub(crate) fn file(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::File { action, path, source }
    }
}

impl From<LoginError> for ClientError {
    fn from(error: LoginError) -> Self {
        match error {
            LoginError::Refused => Self::WrongPassword,
            LoginError::OutOfMemory => Self::OutOfMemory,
            LoginError::Malformed | LoginError::Reflected => Self::NotARelay,
        }
    }
}

const fn tor_exit(error: &TorError) -> ExitCode {
    match error {
        TorError::NotAnOnionAddress => ExitCode::Usage,
        TorError::ServiceNotFound
        | TorError::ServiceUnreachable
        | TorError::StreamRefused
        | TorError::NetworkDown { .. } => ExitCode::Network,
        _ => ExitCode::Failed,
    }
}
