//! An opened account: what every command on one's own files starts from.

use super::{arguments::Global, password::StandardInput, print::Printer};
use crate::{
    ClientError, account,
    limits::ClientLimits,
    relay::RelayLane,
    space::HomeSpace,
    transfer,
    transport::{AnyTransport, Transport},
    unlocked::Unlocked,
};
use nightdrop_envelope::space::{FileRecord, Operation, SpacePath, State};
use nightdrop_login::password::Password;
use nightdrop_wire::{ids::BlobId, onion::OnionAddress, token::Token};

/// The account is open, the home space is read.
pub(super) struct Opened<'a> {
    pub(super) space: HomeSpace<AnyTransport>,
    unlocked: &'a Unlocked,
    printer: &'a Printer,
}

/// Does the work with the account that the agent keeps open. Without an agent: asks for the password, logs in, and ends the session,
/// however the work ended.
pub(super) async fn with_account<R>(
    global: &Global,
    mut standard_input: StandardInput,
    printer: &Printer,
    work: impl AsyncFnOnce(&mut Opened<'_>) -> Result<R, ClientError>,
) -> Result<R, ClientError> {
    if let Some(unlocked) = &global.unlocked {
        return with_unlocked(unlocked, printer, work).await;
    }
    // Before the password is asked for.
    global.open_home()?.account()?;
    let password = standard_input.existing_password(global)?;
    with_password(global, &password, printer, work).await
}

/// The same without an agent, with a password that was asked for.
pub(super) async fn with_password<R>(
    global: &Global,
    password: &Password,
    printer: &Printer,
    work: impl AsyncFnOnce(&mut Opened<'_>) -> Result<R, ClientError>,
) -> Result<R, ClientError> {
    let home = global.open_home()?;
    let code = home.account()?;
    let transport = AnyTransport::new(global.connect(&home, printer).await?);
    let bar = printer.bar("Opening your files");
    bar.wait();
    let unlocked = Unlocked::unlock(transport, home, &code, password, ClientLimits::default()).await;
    bar.done();
    let unlocked = unlocked?;
    let outcome = with_unlocked(&unlocked, printer, work).await;
    if unlocked.lock().await.is_err() {
        note_session_left(printer);
    }
    outcome
}

async fn with_unlocked<R>(
    unlocked: &Unlocked,
    printer: &Printer,
    work: impl AsyncFnOnce(&mut Opened<'_>) -> Result<R, ClientError>,
) -> Result<R, ClientError> {
    let mut opened = Opened { space: unlocked.space().await?, unlocked, printer };
    let outcome = match opened.remember().await {
        Ok(()) => {
            opened.warn_of_strays();
            work(&mut opened).await
        }
        Err(error) => Err(error),
    };
    unlocked.keep_space(opened.space);
    outcome
}

impl Opened<'_> {
    pub(super) const fn relay(&self) -> &OnionAddress {
        self.unlocked.relay()
    }

    /// The way to relays.
    pub(super) const fn transport(&self) -> &AnyTransport {
        self.unlocked.transport()
    }

    pub(super) const fn limits(&self) -> &ClientLimits {
        self.unlocked.limits()
    }

    /// A listed file.
    pub(super) fn file(&self, name: &SpacePath) -> Result<&FileRecord, ClientError> {
        self.space.state().file(name).ok_or_else(|| ClientError::NoSuchFile(name.as_str().to_owned()))
    }

    /// Fetches credits for so many new blobs, and makes the home space if it is not there yet.
    pub(super) async fn credits(&mut self, blobs: u16) -> Result<Vec<Token>, ClientError> {
        let mut credits = self.unlocked.fetch_credits(blobs + u16::from(self.space.is_new())).await?;
        if self.space.is_new() {
            self.space.create(credits.pop().ok_or(ClientError::NoCredits)?).await?;
            self.remember().await?;
        }
        Ok(credits)
    }

    /// Appends to the home space and remembers it.
    pub(super) async fn append(
        &mut self,
        decide: impl FnMut(&State) -> Result<Vec<Operation>, ClientError>,
    ) -> Result<(), ClientError> {
        let outcome = self.space.append(decide).await;
        // Two histories weigh more than whatever went wrong on one of them.
        self.remember().await?;
        outcome
    }

    /// Destroys at the relay what is off the list, also what an earlier command could not finish.
    pub(super) async fn destroy_leaving(&mut self) -> Result<(), ClientError> {
        let leaving: Vec<(BlobId, Token)> =
            self.space.state().leaving().map(|(blob, key)| (blob, key.clone())).collect();
        if leaving.is_empty() {
            return Ok(());
        }
        let mut lane = self.lane();
        for (blob, write_key) in &leaving {
            transfer::destroy(&mut lane, *blob, write_key).await?;
        }
        self.append(|state| {
            // Another device may have confirmed some of them meanwhile.
            let still = state.leaving().filter(|(blob, _)| leaving.iter().any(|(known, _)| known == blob));
            Ok(still.map(|(blob, _)| Operation::Destroyed { blob }).collect())
        })
        .await
    }

    /// A lane for what is done to files, which shares circuits with nothing else.
    pub(super) fn lane(&self) -> RelayLane<AnyTransport> {
        self.unlocked.lane()
    }

    /// Keeps how far the home space is, and finds out whether it is the history that other commands of this device were shown. That it
    /// cannot be kept is told and no more: the command itself does not depend on it.
    async fn remember(&mut self) -> Result<(), ClientError> {
        loop {
            match self.unlocked.remember(&self.space).await {
                Ok(None) => return Ok(()),
                // Ends: what is read then leads past it, and only a further command can have seen more.
                Ok(Some(further)) => self.space.read_towards(further).await?,
                Err(error @ ClientError::Chain(_)) => return Err(error),
                Err(error) => {
                    self.printer.warn(&format!(
                        "{error}; this device cannot notice if the relay gives an older state next time"
                    ));
                    return Ok(());
                }
            }
        }
    }

    fn warn_of_strays(&self) {
        let (first, count) = self.space.reports();
        for report in first {
            self.printer.warn(&format!("entry {} of your files {}", report.sequence, report.fault));
        }
        if count > 0 {
            let printer = self.printer;
            printer.warn(&format!(
                "{count} entries are not as your devices write them; the relay, or a fault, put them there"
            ));
        }
    }
}

/// Ends a session that served one command. If that fails it expires by itself, so it is only a note.
pub(super) async fn end_session<T: Transport>(session: account::Session<T>, printer: &Printer) {
    if session.end().await.is_err() {
        note_session_left(printer);
    }
}

fn note_session_left(printer: &Printer) {
    printer.note("The session could not be ended at the relay; it expires by itself.");
}

/// A path among one's files, as typed.
pub(super) fn path(text: &str) -> Result<SpacePath, ClientError> {
    SpacePath::parse(text).map_err(|_| ClientError::BadPath(text.escape_debug().to_string()))
}

/// The files that a name means: itself, or all below it if it is a directory.
pub(super) fn files_of(state: &State, name: &SpacePath) -> Vec<SpacePath> {
    let files = state.files().map(|(path, _)| path);
    files.filter(|path| *path == name || path.is_below(name)).cloned().collect()
}
