//! An opened account: what every command on one's own files starts from.

use super::{
    arguments::Global, in_agent::InAgent, kept_list::CHECKPOINT_WITHHELD, password::StandardInput,
    print::Printer, uploading::is_listed,
};
use crate::{
    ClientError,
    account::{self, RecoveryWish, Rekeyed},
    limits::ClientLimits,
    payment::{Payment, Purse},
    relay::RelayLane,
    renewal::renew_carried,
    space::HomeSpace,
    transfer::{self, Journals, Refund, Run},
    transport::{AnyTransport, Transport},
    unlocked::Unlocked,
};
use nightdrop_envelope::space::{FileRecord, Operation, SpacePath, State};
use nightdrop_login::password::Password;
use nightdrop_wire::{ids::BlobId, onion::OnionAddress, token::Token};

/// The account is open, the home space is read.
pub(super) struct Opened<'a> {
    pub(super) space: HomeSpace<AnyTransport>,
    /// The account ends with this command: nothing is kept of its list.
    pub(super) ends: bool,
    pub(super) unlocked: &'a Unlocked,
    by: By<'a>,
    pub(super) printer: &'a Printer,
}

/// Does the work with the account that the agent keeps open. Without an agent: asks for the password, logs in, and ends the session,
/// however the work ended.
pub(super) async fn with_account<R>(
    global: &Global,
    mut standard_input: StandardInput,
    printer: &Printer,
    work: impl AsyncFnOnce(&mut Opened<'_>) -> Result<R, ClientError>,
) -> Result<R, ClientError> {
    let work = async |opened: &mut Opened<'_>| {
        opened.warn_if_closed();
        work(opened).await
    };
    if let Some(in_agent) = &global.in_agent {
        return with_unlocked(&in_agent.unlocked, By::Agent(in_agent), printer, work).await;
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
    let transport = AnyTransport::new(global.connect(&global.open_home()?, printer).await?);
    with_password_over(transport, global, password, printer, work).await
}

/// The same over a Tor that is connected.
pub(super) async fn with_password_over<R>(
    transport: AnyTransport,
    global: &Global,
    password: &Password,
    printer: &Printer,
    work: impl AsyncFnOnce(&mut Opened<'_>) -> Result<R, ClientError>,
) -> Result<R, ClientError> {
    let home = global.open_home()?;
    let code = home.account()?;
    let bar = printer.bar("Opening your files");
    bar.wait();
    let unlocked = Unlocked::unlock(transport, home, &code, password, ClientLimits::default()).await;
    bar.done();
    let unlocked = unlocked?;
    // Boxed: it holds all that a command does.
    let outcome = Box::pin(with_unlocked(&unlocked, By::Itself, printer, work)).await;
    if unlocked.lock().await.is_err() {
        note_session_left(printer);
    }
    outcome
}

/// Who keeps the account open.
#[derive(Debug, Clone, Copy)]
enum By<'a> {
    /// The agent, which makes leases longer at times of its own.
    Agent(&'a InAgent),
    /// The command.
    Itself,
}

async fn with_unlocked<R>(
    unlocked: &Unlocked,
    by: By<'_>,
    printer: &Printer,
    work: impl AsyncFnOnce(&mut Opened<'_>) -> Result<R, ClientError>,
) -> Result<R, ClientError> {
    let mut opened = Opened { space: unlocked.space().await?, ends: false, unlocked, by, printer };
    let began = opened.space.head();
    let mut outcome = match opened.begin().await {
        Ok(()) => work(&mut opened).await,
        Err(error) => Err(error),
    };
    let has_changed = opened.space.head() != began;
    if outcome.is_ok()
        && !opened.ends
        && let Err(error) = opened.maintain(has_changed).await
    {
        outcome = Err(error);
    }
    if outcome.is_ok() && opened.space.head() != began && !opened.ends && opened.space.lacks_room() {
        printer.warn(
            "nothing paid for more of your list of files: what is listed can be removed with `nightdrop rm`, and new files may be refused",
        );
    }
    if !matches!(outcome, Err(ClientError::Chain(_))) && !opened.ends {
        opened.keep_copy().await;
    }
    unlocked.keep_space(opened.space);
    unlocked.put_back_unspent().await;
    let refunded = unlocked.claim_refunds().await;
    let outcome = outcome?;
    refunded.map(|()| outcome)
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

    /// What comes before the work of every command.
    async fn begin(&mut self) -> Result<(), ClientError> {
        self.remember().await?;
        if self.is_unheard() {
            // What is told once, or needs somebody who hears of it, is left to a command.
            self.settle_journals();
            return Ok(());
        }
        self.warn_of_strays();
        if self.unlocked.take_checkpoint_withheld() {
            self.printer.warn(CHECKPOINT_WITHHELD);
        }
        self.settle_journals();
        self.warn_of_ends();
        self.finish_renewing().await
    }

    /// Whether this is what the agent does by itself.
    const fn is_unheard(&self) -> bool {
        matches!(self.by, By::Agent(in_agent) if in_agent.run.is_agents())
    }

    /// The run, if this is what the agent does by itself.
    pub(super) fn agents_run(&self) -> Option<Run> {
        match self.by {
            By::Agent(in_agent) if in_agent.run.is_agents() => Some(in_agent.run.clone()),
            _ => None,
        }
    }

    /// Forgets uploads that were done but for that. What cannot be read is told and no more.
    fn settle_journals(&self) {
        let state = self.space.state();
        let settled = self.journals().and_then(|journals| journals.settle(|blob| is_listed(state, blob)));
        match settled {
            Ok(0) => {}
            Ok(damaged) => self.printer.warn(&format!(
                "what this device kept of {damaged} unfinished upload(s) is damaged, or another account's; forget it with `nightdrop transfers drop`"
            )),
            Err(error) => self.printer.warn(&format!("unfinished uploads cannot be looked at: {error}")),
        }
        if let Ok(directories @ 1..) = self.journals().and_then(|journals| journals.directories()) {
            self.printer.warn(&format!(
                "{directories} directories stand among the unfinished uploads of this device (`transfers` in its home directory); this program did not make them, and leaves them alone"
            ));
        }
    }

    /// The journals of uploads that are not done.
    pub(super) fn journals(&self) -> Result<Journals, ClientError> {
        match self.by {
            By::Agent(in_agent) => in_agent.journals(),
            By::Itself => self.unlocked.journals(),
        }
    }

    /// Reads what was written to the home space meanwhile.
    pub(super) async fn refresh(&mut self) -> Result<(), ClientError> {
        self.space.refresh().await?;
        self.remember().await
    }

    /// What is read of a list that a rekey has closed may be old; nothing is written to it.
    fn warn_if_closed(&self) {
        if let Some(next) = self.space.state().closed_for() {
            let closed = ClientError::Closed { next };
            self.printer.warn(&format!("{closed}. {}", closed.explanation().next));
        }
    }

    /// Ends all sessions, this one, too.
    pub(super) async fn end_all_sessions(&self) -> Result<(), ClientError> {
        self.unlocked.end_all_sessions().await
    }

    /// Replaces everything that opens the account but the password.
    pub(super) async fn rekey(
        &mut self,
        password: &Password,
        recovery: RecoveryWish,
    ) -> Result<Rekeyed, ClientError> {
        self.unlocked.rekey(&mut self.space, password, recovery).await
    }

    /// What comes after a command: what ends within days is extended by whichever comes first; the rest is for those that changed something.
    async fn maintain(&mut self, has_changed: bool) -> Result<(), ClientError> {
        self.extend_leases(has_changed && matches!(self.by, By::Itself)).await?;
        if has_changed { self.write_checkpoint().await } else { Ok(()) }
    }

    /// Goes on with what a rekey left to be done.
    async fn finish_renewing(&mut self) -> Result<(), ClientError> {
        if self.space.state().renewing().next().is_none() {
            return Ok(());
        }
        let bar = self.printer.bar("Giving your files their new keys");
        bar.wait();
        let (transport, relay) = (self.unlocked.transport(), self.unlocked.relay());
        let limits = self.unlocked.limits();
        let renewed = renew_carried(transport, relay, &mut self.space, self.unlocked, limits, &()).await;
        bar.done();
        self.remember().await?;
        for blob in renewed? {
            let file = self.space.state().file_of(blob);
            let name = file.map_or("a file that is off the list", |(path, _)| path.as_str());
            self.printer.warn(&format!(
                "the relay takes no key of yours for {name}: whoever has your old keys may have destroyed it or taken it over"
            ));
        }
        Ok(())
    }

    /// A listed file.
    pub(super) fn file(&self, name: &SpacePath) -> Result<&FileRecord, ClientError> {
        self.space.state().file(name).ok_or_else(|| ClientError::NoSuchFile(name.as_str().to_owned()))
    }

    /// Payments of these prices, each of a file that is to be listed. Makes the home space if it is not there yet.
    pub(super) async fn pay(&mut self, prices: &[u32]) -> Result<Vec<Payment>, ClientError> {
        let log = self.space.is_new().then(|| HomeSpace::<AnyTransport>::price_with(prices.len()));
        let prices: Vec<u32> = prices.iter().copied().chain(log).collect();
        let mut payments = self.unlocked.pay(&prices).await?;
        if log.is_some() {
            self.space.create(payments.pop().ok_or(ClientError::NoCredits)?).await?;
            self.remember().await?;
        }
        Ok(payments)
    }

    /// Pays for the room of so many entries, which list so many files more, before there is anything to be listed.
    pub(super) async fn make_room(&mut self, entries: usize, files: usize) -> Result<(), ClientError> {
        self.space.make_room(self.unlocked, entries, files).await
    }

    /// Notes what is given back at the end of the command.
    pub(super) fn note_refund(&self, refund: Refund) {
        self.unlocked.refunds().note(refund);
    }

    /// Pays for what is on its way.
    pub(super) async fn pay_one(&self, price: u32) -> Result<Payment, ClientError> {
        Purse::pay(self.unlocked, price).await
    }

    /// Appends to the home space and remembers it.
    pub(super) async fn append(
        &mut self,
        decide: impl FnMut(&State) -> Result<Vec<Operation>, ClientError>,
    ) -> Result<(), ClientError> {
        let outcome = self.space.append(self.unlocked, decide).await;
        // Two histories weigh more than whatever went wrong on one of them.
        self.remember().await?;
        outcome
    }

    /// Destroys at the relay all that a list holds to which nothing can be written; gives how many files that were.
    pub(super) async fn destroy_closed(&self) -> Result<usize, ClientError> {
        let state = self.space.state();
        let files = state.files().map(|(_, file)| (file.blob, &file.write_key));
        let mut lane = self.lane();
        let checkpoint = state.checkpoint().map(|(_, file)| (file.blob, &file.write_key));
        for (blob, write_key) in files.chain(state.leaving()).chain(checkpoint) {
            match self.destroy(&mut lane, blob, write_key).await {
                // With an interrupted rekey it may have gone on elsewhere.
                Ok(()) | Err(ClientError::Withheld) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(state.files().count())
    }

    /// Destroys at the relay what is off the list, also what an earlier command could not finish.
    pub(super) async fn destroy_leaving(&mut self) -> Result<(), ClientError> {
        let leaving: Vec<(BlobId, Token)> =
            self.space.state().leaving().map(|(blob, key)| (blob, key.clone())).collect();
        if leaving.is_empty() {
            return Ok(());
        }
        let mut lane = self.lane();
        let mut destroyed = Vec::with_capacity(leaving.len());
        let mut outcome = Ok(());
        for (blob, write_key) in &leaving {
            match self.destroy(&mut lane, *blob, write_key).await {
                Ok(()) => destroyed.push(*blob),
                // The others are to end all the same.
                Err(error @ ClientError::Withheld) => outcome = Err(error),
                Err(error) => {
                    outcome = Err(error);
                    break;
                }
            }
        }
        self.append(|state| {
            // Another device may have confirmed some of them meanwhile.
            let still = destroyed.iter().copied().filter(|blob| state.is_leaving(*blob));
            Ok(still.map(|blob| Operation::Destroyed { blob }).collect())
        })
        .await?;
        outcome
    }

    /// Destroys a blob with whichever of its keys the relay takes. One that is lost is not the owner's any more, whatever the relay says.
    pub(super) async fn destroy(
        &self,
        lane: &mut RelayLane<AnyTransport>,
        blob: BlobId,
        write_key: &Token,
    ) -> Result<(), ClientError> {
        let state = self.space.state();
        let destroyed = match (transfer::destroy(lane, blob, write_key).await, state.held(blob)) {
            (Err(ClientError::Withheld), Some(held)) => transfer::destroy(lane, blob, &held.write_key).await,
            (destroyed, _) => destroyed,
        };
        match destroyed {
            Ok(refund) => {
                self.note_refund(refund);
                Ok(())
            }
            Err(ClientError::Withheld) if state.is_lost(blob) => {
                self.printer.warn(
                    "a file that was lost is off the list; the relay may keep it for whoever took it over",
                );
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    /// A lane for what is done to files, which shares circuits with nothing else.
    pub(super) fn lane(&self) -> RelayLane<AnyTransport> {
        self.unlocked.lane()
    }

    /// Keeps how far the home space is, and finds out whether it is the history that other commands of this device were shown. That it
    /// cannot be kept is told and no more: the command itself does not depend on it.
    pub(super) async fn remember(&mut self) -> Result<(), ClientError> {
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
    state.files_of(name).map(|(path, _)| path.clone()).collect()
}
