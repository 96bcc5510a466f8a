//! An opened account: what every command on one's own files starts from.

use super::{arguments::Global, password, print::Printer};
use crate::{
    ClientError, Home,
    account::{self, Session},
    limits::ClientLimits,
    relay::RelayLane,
    space::HomeSpace,
    transfer,
};
use nightdrop_envelope::space::{Operation, SpacePath, State};
use nightdrop_onion_config::Tor;
use nightdrop_wire::{ids::BlobId, onion::OnionAddress, token::Token};

/// Tor is up, the account is open, the home space is read.
pub(super) struct Opened<'a> {
    pub(super) tor: Tor,
    pub(super) limits: ClientLimits,
    pub(super) space: HomeSpace<Tor>,
    session: Session<Tor>,
    home: Home,
    printer: &'a Printer,
}

impl<'a> Opened<'a> {
    /// Asks for the password, logs in, reads the home space, and remembers how far it is.
    pub(super) async fn open(global: &Global, printer: &'a Printer) -> Result<Self, ClientError> {
        let home = global.open_home()?;
        let code = home.account()?;
        let password = password::existing(global)?;
        let tor = global.connect(&home, printer).await?.tor;
        let limits = ClientLimits::default();
        let bar = printer.bar("Opening your files");
        bar.wait();
        let opened = async {
            let session = account::log_in(&tor, &code, &password, &limits).await?;
            let memory = session.open_memory(home.memory()?.as_deref())?;
            let keys = session.keyring().home_keys();
            let space = HomeSpace::open(&tor, code.relay(), keys, memory.home_head, &limits).await?;
            Ok::<_, ClientError>((session, space))
        };
        let opened = opened.await;
        bar.done();
        let (session, space) = opened?;
        let opened = Self { tor, limits, space, session, home, printer };
        opened.remember()?;
        for report in opened.space.reports() {
            printer.warn(&format!("entry {} of your files {}; it is ignored", report.sequence, report.fault));
        }
        Ok(opened)
    }

    pub(super) const fn relay(&self) -> &OnionAddress {
        self.session.code().relay()
    }

    /// Fetches credits for so many new blobs, and makes the home space if it is not there yet.
    pub(super) async fn credits(&mut self, blobs: u16) -> Result<Vec<Token>, ClientError> {
        let mut credits = self.session.fetch_credits(blobs + u16::from(self.space.is_new())).await?;
        if self.space.is_new() {
            self.space.create(credits.pop().ok_or(ClientError::NoCredits)?).await?;
            self.remember()?;
        }
        Ok(credits)
    }

    /// Appends to the home space and remembers it.
    pub(super) async fn append(
        &mut self,
        decide: impl FnMut(&State) -> Result<Vec<Operation>, ClientError>,
    ) -> Result<(), ClientError> {
        let outcome = self.space.append(decide).await;
        self.remember()?;
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
    pub(super) fn lane(&self) -> RelayLane<Tor> {
        RelayLane::isolated(&self.tor, self.relay(), &self.limits)
    }

    /// Ends the session. If that fails it expires by itself, so it is only a note.
    pub(super) async fn close(self) {
        end_session(self.session, self.printer).await;
    }

    fn remember(&self) -> Result<(), ClientError> {
        self.home.keep_memory(&self.session.seal_memory(self.space.head())?)
    }
}

/// Ends a session that served one command.
pub(super) async fn end_session(session: Session<Tor>, printer: &Printer) {
    if session.end().await.is_err() {
        printer.note("The session could not be ended at the relay; it expires by itself.");
    }
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
