//! An account that is open on this device: the session, the keys, and the home space as far as it was read.
//!
//! A command that runs by itself opens one and ends it; the agent keeps one for many commands. What always holds:
//! - Two commands at once are to the home space as two devices: each has a copy of what was read, reads on, and appends by
//!   compare-and-swap. The newest copy is kept for the next one.
//! - What commands of one device have seen, at once or one after the other, in this process or another, is one history or an error.
//! - After [`Unlocked::lock`] no key is left, and every use is [`ClientError::Locked`].

mod kept_list;

use crate::{
    ClientError, Home,
    account::{self, NextKeyring, RecoveryWish, Rekeyed, Rekeying, Session},
    clock, lease,
    limits::ClientLimits,
    list_room::ListRoom,
    local_copy::LocalCopy,
    opening::Found,
    payment::{Payment, Purse, Unspent},
    relay::RelayLane,
    relay_info::check_issuing_key,
    space::HomeSpace,
    transfer::{CutOff, Journals, Refunds},
    transport::AnyTransport,
    wallet,
};
use nightdrop_credit::CreditError;
use nightdrop_envelope::{account_code::AccountCode, space::VerifiedLog};
use nightdrop_login::password::Password;
use nightdrop_wire::{ids::AccountId, messages::log::LogHead, onion::OnionAddress};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Lanes to the home space that are kept when no command uses them.
const SPARE_LANES: usize = 2;
/// Of the leases that are due, one in so many is made longer at a time …
const LEASES_IN_PARTS: usize = 64;
/// … or so many of those that end within days.
const LEAST_URGENT: usize = 16;

/// An account that is open.
pub struct Unlocked {
    transport: AnyTransport,
    limits: ClientLimits,
    home: Home,
    relay: OnionAddress,
    session: tokio::sync::Mutex<Option<Session<AnyTransport>>>,
    /// Of the home space, on the disk.
    copy: tokio::sync::Mutex<LocalCopy>,
    kept: Mutex<Option<Kept>>,
    unspent: Unspent,
    refunds: Refunds,
    cut_off: CutOff,
}

/// How far the home space was, and as what this device keeps that.
struct Remembered {
    head: LogHead,
    sealed: Vec<u8>,
}

/// What is kept of the home space between two commands.
struct Kept {
    log: VerifiedLog,
    room: ListRoom,
    lanes: Vec<RelayLane<AnyTransport>>,
    /// Of uploads that are not done.
    journals: Journals,
    /// Nothing is gained by reading on.
    just_read: bool,
    /// What this process wrote into the home directory last.
    remembered: Option<Remembered>,
    session_ended: bool,
    /// The relay takes no payment for a longer lease: as long as this is open, none is offered unasked.
    lease_refused: bool,
    /// The relay did not give the last checkpoint, and nobody was told yet.
    checkpoint_withheld: bool,
    /// The relay tells others another issuing key.
    marked: Option<CreditError>,
}

impl Unlocked {
    /// Logs in and reads the home space.
    ///
    /// # Errors
    /// As [`account::log_in`], [`Session::open_memory`] and [`HomeSpace::open`].
    pub async fn unlock(
        transport: AnyTransport,
        home: Home,
        code: &AccountCode,
        password: &Password,
        limits: ClientLimits,
    ) -> Result<Self, ClientError> {
        let session = account::log_in(&transport, code, password, &limits).await?;
        let read = async {
            let found = Found::on_disk(&home, &session).await?;
            found.read_on((&transport, code.relay(), &limits)).await
        };
        let (space, copy, checkpoint_withheld) = match read.await {
            Ok(opened) => opened,
            Err(error) => {
                // Best effort: a session that nobody has expires by itself.
                let _ = session.end().await;
                return Err(error);
            }
        };
        let (lane, log, room) = space.into_parts();
        let refunds = Refunds::default();
        let journals = session.journals(home.transfers()).with_refunds(refunds.clone());
        let kept = Kept {
            log,
            room,
            lanes: vec![lane],
            journals,
            just_read: true,
            remembered: None,
            session_ended: false,
            lease_refused: false,
            checkpoint_withheld,
            marked: None,
        };
        Ok(Self {
            transport,
            limits,
            home,
            relay: code.relay().clone(),
            session: tokio::sync::Mutex::new(Some(session)),
            copy: tokio::sync::Mutex::new(copy),
            kept: Mutex::new(Some(kept)),
            unspent: Unspent::default(),
            refunds,
            cut_off: CutOff::default(),
        })
    }

    /// The way to relays.
    #[must_use]
    pub const fn transport(&self) -> &AnyTransport {
        &self.transport
    }

    /// Limits of everything that is done with the account.
    #[must_use]
    pub const fn limits(&self) -> &ClientLimits {
        &self.limits
    }

    /// Where this device keeps the account.
    #[must_use]
    pub const fn home(&self) -> &Home {
        &self.home
    }

    /// The account's relay.
    #[must_use]
    pub const fn relay(&self) -> &OnionAddress {
        &self.relay
    }

    /// A lane for what is done to files, which shares circuits with nothing else.
    #[must_use]
    pub fn lane(&self) -> RelayLane<AnyTransport> {
        RelayLane::isolated(&self.transport, &self.relay, &self.limits)
    }

    /// The journals of uploads that are not done.
    ///
    /// # Errors
    /// [`ClientError::Locked`].
    pub fn journals(&self) -> Result<Journals, ClientError> {
        self.kept().as_ref().map(|kept| kept.journals.clone()).ok_or(ClientError::Locked)
    }

    /// Which uploads the network cut off, for whoever goes on with them as long as this is open.
    #[must_use]
    pub const fn cut_off(&self) -> &CutOff {
        &self.cut_off
    }

    /// The home space, read up to what the relay has now. To be given back with [`Self::keep_space`].
    ///
    /// # Errors
    /// [`ClientError::Locked`]; as [`HomeSpace::refresh`].
    pub async fn space(&self) -> Result<HomeSpace<AnyTransport>, ClientError> {
        let (lane, log, room, just_read) = {
            let mut kept = self.kept();
            let kept = kept.as_mut().ok_or(ClientError::Locked)?;
            let just_read = std::mem::take(&mut kept.just_read);
            (kept.lanes.pop(), kept.log.clone(), kept.room, just_read)
        };
        let mut space = HomeSpace::from_parts(lane.unwrap_or_else(|| self.lane()), log, room);
        if !just_read {
            let read = space.refresh().await;
            if let Err(error) = read {
                self.keep_space(space);
                return Err(error);
            }
        }
        Ok(space)
    }

    /// Keeps a space for the next command, unless another one has read further meanwhile, or something else; its lane in any case.
    pub fn keep_space(&self, space: HomeSpace<AnyTransport>) {
        let (lane, log, room) = space.into_parts();
        if let Some(kept) = self.kept().as_mut() {
            if matches!(log.has_passed(kept.log.head()), Ok(true)) {
                (kept.log, kept.room) = (log, room);
            }
            kept.lanes.push(lane);
            kept.lanes.truncate(SPARE_LANES);
        }
    }

    /// Keeps in the home directory how far the home space is. If another command has seen more meanwhile, it gives what that was, and
    /// the space is to be read on towards it before this is done again: the relay may have shown the two different histories.
    ///
    /// # Errors
    /// [`ClientError::Chain`] if it has; another [`ClientError`] if the home directory cannot be written: this device cannot notice an
    /// older state next time.
    pub async fn remember(&self, space: &HomeSpace<AnyTransport>) -> Result<Option<LogHead>, ClientError> {
        let head = space.head();
        if self.remembered(&head).is_some() {
            return Ok(None);
        }
        let session = self.session.lock().await;
        let session = session.as_ref().ok_or(ClientError::Locked)?;
        let lock = self.home.lock_for(session.account())?;
        let before = session.open_memory(self.home.memory()?.as_deref())?;
        // The owner's devices write no entry that does not lead past what the keyring says.
        if let Some(seen) = before.home_head.filter(|seen| Some(*seen) != session.keyring().home_head())
            && !space.has_passed(&seen)?
        {
            return Ok(Some(seen));
        }
        let sealed = session.seal_memory(before, head)?;
        self.home.keep_memory(&sealed, &lock)?;
        if let Some(kept) = self.kept().as_mut() {
            kept.remembered = Some(Remembered { head, sealed });
        }
        Ok(None)
    }

    /// What this process wrote into the home directory last, if that was this head.
    fn remembered(&self, head: &LogHead) -> Option<Vec<u8>> {
        let kept = self.kept();
        let last = kept.as_ref()?.remembered.as_ref().filter(|last| last.head == *head)?;
        Some(last.sealed.clone())
    }

    /// Replaces everything that opens the account but the password. After it, this one opens nothing any more, and the home directory
    /// remembers what follows.
    ///
    /// # Errors
    /// As [`Rekeying`]; [`ClientError::Locked`].
    pub async fn rekey(
        &self,
        space: &mut HomeSpace<AnyTransport>,
        password: &Password,
        recovery: RecoveryWish,
    ) -> Result<Rekeyed, ClientError> {
        let (transport, limits) = (&self.transport, &self.limits);
        let (account, next) = {
            let session = self.session.lock().await;
            let session = session.as_ref().ok_or(ClientError::Locked)?;
            (session.account(), NextKeyring::after(session)?)
        };
        let rekeying = Rekeying::prepare(transport, next, space, password, self, limits).await?;
        rekeying.close(space, self).await?;
        // From here on this device does not believe in an older state, whatever the relay says that it did.
        if self.remember(space).await?.is_some() {
            return Err(ClientError::ChangedMeanwhile("your files".to_owned()));
        }
        let mut rekeyed = rekeying.finish(transport, space, password, recovery, self, limits).await?;
        drop((self.unspent.take(), self.refunds.take()));
        // The new recovery phrase is to be seen, whatever this device can keep.
        rekeyed.unkept = self.keep_rekeyed(account, &rekeyed.memory).err();
        Ok(rekeyed)
    }

    /// Keeps what a rekey changed on this device.
    fn keep_rekeyed(&self, account: AccountId, memory: &[u8]) -> Result<(), ClientError> {
        let lock = self.home.lock_for(account)?;
        self.home.keep_memory(memory, &lock)?;
        // Whoever had the old keys may have had these, too, and would know them again.
        self.home.drop_credits(&lock)?;
        self.home.drop_copy(&lock)
    }

    /// Ends all sessions of the account, this one, too.
    ///
    /// # Errors
    /// As [`Session::end_at_relay`]; [`ClientError::Locked`].
    pub async fn end_all_sessions(&self) -> Result<(), ClientError> {
        let mut session = self.session.lock().await;
        session.as_mut().ok_or(ClientError::Locked)?.end_at_relay(None).await
    }

    /// Takes payments of these prices out of what was drawn before, or draws more now if there is too little. What of them is not shown to anybody
    /// comes back with [`Self::put_back_unspent`].
    ///
    /// # Errors
    /// As [`Session::fetch_credits`]; [`ClientError::Locked`].
    pub async fn pay(&self, prices: &[u32]) -> Result<Vec<Payment>, ClientError> {
        if let Some(error) = self.kept().as_ref().and_then(|kept| kept.marked) {
            return Err(ClientError::MarkedCredits(error));
        }
        let mut session = self.session.lock().await;
        let session = session.as_mut().ok_or(ClientError::Locked)?;
        let taken = self.note_end(wallet::take(&self.home, session, prices).await)?;
        Ok(taken.into_iter().map(|credits| self.unspent.payment(credits)).collect())
    }

    /// Makes the leases of a few files longer that are due, if any are: a part of them, so that the rest comes at other times. What goes wrong is tried again
    /// later; commands tell of what ends soon.
    pub async fn extend_some_leases(&self) {
        if self.kept().as_ref().is_none_or(|kept| kept.lease_refused) {
            return;
        }
        let Ok(mut space) = self.space().await else { return };
        let today = clock::today();
        let due = lease::due(space.state(), today);
        let few = due.len().div_ceil(LEASES_IN_PARTS);
        let chosen = lease::choose(due, today, (few, few.max(LEAST_URGENT)), &mut rand::rng());
        if !chosen.is_empty() {
            let way = (&self.transport, &self.relay, &self.limits);
            if let (_, Some(ClientError::LeaseRefused)) = lease::extend(way, &mut space, chosen, self).await
                && let Some(kept) = self.kept().as_mut()
            {
                kept.lease_refused = true;
            }
            // Another command that has seen more reads on, and so does the next one here.
            let _ = self.remember(&space).await;
            self.put_back_unspent().await;
        }
        self.keep_space(space);
    }

    /// Puts back what was taken to pay and not shown. If it cannot be, it is lost.
    pub(crate) async fn put_back_unspent(&self) {
        let unspent = self.unspent.take();
        if unspent.is_empty() {
            return;
        }
        if let Some(session) = self.session.lock().await.as_ref() {
            let _ = wallet::put(&self.home, session, unspent);
        }
    }

    /// What destroyed blobs give back, to be asked for with [`Self::claim_refunds`].
    pub(crate) const fn refunds(&self) -> &Refunds {
        &self.refunds
    }

    /// Asks for what destroyed blobs give back, without the session, and keeps it with what was drawn. What the relay does not give, or the line keeps from
    /// coming, is lost.
    ///
    /// # Errors
    /// [`ClientError::MarkedCredits`] if it gives other credits than everybody's: they are not kept.
    pub(crate) async fn claim_refunds(&self) -> Result<(), ClientError> {
        let owed = self.refunds.take();
        let session = self.session.lock().await;
        let Some(session) = session.as_ref().filter(|_| !owed.is_empty()) else { return Ok(()) };
        let (mut lane, mut credits) = (self.lane(), Vec::new());
        let mut outcome = Ok(());
        let mut owed = owed.into_iter();
        for refund in owed.by_ref() {
            match refund.claim(&mut lane, session.keyring().issuing_key()).await {
                Ok(given) => credits.extend(given),
                Err(ClientError::Withheld) => {}
                Err(error @ ClientError::MarkedCredits(_)) => outcome = Err(error),
                Err(_) => break,
            }
        }
        // Those that were not asked for are asked for by the next command of this account, if it stays open so long.
        owed.for_each(|refund| self.refunds.note(refund));
        wallet::put(&self.home, session, credits)?;
        outcome
    }

    fn note_end<R>(&self, outcome: Result<R, ClientError>) -> Result<R, ClientError> {
        if let (Err(ClientError::SessionEnded), Some(kept)) = (&outcome, self.kept().as_mut()) {
            kept.session_ended = true;
        }
        outcome
    }

    /// Whether the relay has ended the session: only the password opens another one.
    #[must_use]
    pub fn session_has_ended(&self) -> bool {
        self.kept().as_ref().is_some_and(|kept| kept.session_ended)
    }

    /// Uses the way to the home space, so that Tor keeps it, and learns what is new there. What goes wrong, the next command finds out.
    pub(crate) async fn keep_space_warm(&self) {
        if let Ok(space) = self.space().await {
            self.keep_space(space);
        }
    }

    /// Asks the relay, as anybody would, whether it tells others the issuing key that this account pins. If not, nothing is paid with its
    /// credits any more. That it cannot be asked now says nothing.
    pub(crate) async fn check_issuing_key(&self) {
        let pinned = match self.session.lock().await.as_ref() {
            Some(session) => *session.keyring().issuing_key(),
            None => return,
        };
        let checked = check_issuing_key(&self.transport, &self.relay, &pinned, &self.limits).await;
        if let (Err(ClientError::MarkedCredits(error)), Some(kept)) = (checked, self.kept().as_mut()) {
            kept.marked = Some(error);
        }
    }

    /// Uses the way to the account, so that Tor keeps it, and learns whether the session is still good. Now and then that is a draw of credits, if
    /// some were spent: at a time that has nothing to do with their spending.
    pub(crate) async fn keep_account_warm(&self) {
        // Whoever holds it uses it.
        let Ok(mut session) = self.session.try_lock() else { return };
        let Some(session) = session.as_mut() else { return };
        let used = match wallet::wanted(&self.home, session) {
            Some(order) => wallet::draw(&self.home, session, order).await,
            None => session.list().await.map(drop),
        };
        let _ = self.note_end(used);
    }

    /// Drops the keys and ends the session at the relay. Commands that have a space must have ended.
    ///
    /// # Errors
    /// As [`Session::end`]: the keys are gone all the same.
    pub async fn lock(&self) -> Result<(), ClientError> {
        self.put_back_unspent().await;
        drop(self.kept().take());
        match self.session.lock().await.take() {
            Some(session) => session.end().await,
            None => Ok(()),
        }
    }

    fn kept(&self) -> MutexGuard<'_, Option<Kept>> {
        // Nothing that is done under this lock leaves it half done.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Purse for Unlocked {
    async fn pay(&self, price: u32) -> Result<Payment, ClientError> {
        self.pay(&[price]).await?.pop().ok_or(ClientError::NoCredits)
    }
}

/// A command that is interrupted puts nothing back by itself.
impl Drop for Unlocked {
    fn drop(&mut self) {
        let unspent = self.unspent.take();
        if let Some(session) = self.session.get_mut() {
            // What cannot be put back is lost.
            let _ = wallet::put(&self.home, session, unspent);
        }
    }
}

impl std::fmt::Debug for Unlocked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            transport: _,
            limits: _,
            home: _,
            relay: _,
            session: _,
            copy: _,
            kept: _,
            unspent: _,
            refunds: _,
            cut_off: _,
        } = self;
        f.write_str("Unlocked")
    }
}
