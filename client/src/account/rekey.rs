//! Rekey: after a device was stolen while it was unlocked, everything that it held is replaced.
//!
//! ```text
//! prepare  a home space under new keys is made; it carries the files, each with new capabilities beside those that its blob still has
//! close    the old home space is closed: nothing that is appended to it after this has an effect
//! finish   master key, keyring, record and recovery envelope are replaced in one transaction, and all sessions end
//! then     each blob gets its new capabilities, and loses the tickets that its owner did not list: see [`renewal`](crate::renewal)
//! ```
//! What can be refused comes before what cannot be taken back. Between `close` and `finish` the caller remembers the closed head, so that a
//! relay that only says that it did either is found out. What a crash leaves: before `close`, perhaps a space that nobody can open. Before
//! `finish`, a list that can be read and not changed until a rekey is run again. After it, files whose blobs still have the old
//! capabilities: every command goes on with them. The identity stays.

use super::{NewAccess, RecoveryWish, Session, access::MasterKeyChange};
use crate::{
    ClientError, clock, limits::ClientLimits, payment::Payment, random, relay::RelayLane,
    renewal::renew_carried, space::HomeSpace, transfer, transport::Transport,
};
use nightdrop_envelope::{
    device_memory::DeviceMemory,
    keyring::Keyring,
    space::{FileRecord, Operation, SpacePath, State, TicketRecord},
};
use nightdrop_login::password::Password;
use nightdrop_wire::{
    ids::{BlobId, TicketId},
    limits::MAX_KEPT_TICKETS,
    onion::OnionAddress,
    quarter::QuarterHour,
};
use std::time::SystemTime;

/// What opens the account after a rekey.
#[derive(Debug)]
pub struct Rekeyed {
    /// Code and recovery phrase.
    pub access: NewAccess,
    /// Files that are carried over.
    pub files: usize,
    /// Blobs that were to be destroyed, and of which the relay does not say that they are.
    pub left: usize,
    /// What this device is to remember from here on, sealed.
    pub memory: Vec<u8>,
}

/// A rekey that can be carried out.
pub struct Rekeying<T> {
    change: MasterKeyChange<T>,
    keyring: Keyring,
    next: HomeSpace<T>,
    carried: Vec<Carried>,
    /// Left over.
    payments: Vec<Payment>,
}

/// Which files are carried, with which tickets.
type Carried = (SpacePath, BlobId, Vec<TicketId>);

impl<T: Transport> Rekeying<T> {
    /// Logs that it may have to pay for: a home space that was never written to, the next one, and that again.
    pub const LOGS: usize = 3;

    /// Makes the home space to be, and proves the password. `space` is the one that is to be closed, read. `payments` are
    /// for [`Self::LOGS`].
    ///
    /// # Errors
    /// As [`HomeSpace::append`] and [`super::change_password`]; nothing was changed.
    pub async fn prepare(
        transport: &T,
        session: &mut Session<T>,
        space: &mut HomeSpace<T>,
        password: &Password,
        mut payments: Vec<Payment>,
        limits: &ClientLimits,
    ) -> Result<Self, ClientError> {
        let relay = session.code().relay().clone();
        // What an earlier rekey left undone: this one knows one old key of each blob, not two.
        renew_carried(transport, &relay, space, limits, &()).await?;
        if space.is_new() {
            // No other device may begin it after this.
            space.create(one_of(&mut payments)?).await?;
        }
        let keyring = session.keyring().rekeyed(clock::today(), &mut random::system());
        let keyring = keyring.map_err(ClientError::Sealing)?;
        let next = carry(transport, session, one_of(&mut payments)?, &keyring, space.state(), limits).await?;
        let change = MasterKeyChange::begin(transport, session, password, limits).await?;
        Ok(Self { change, keyring, next, carried: listed(space.state()), payments })
    }

    /// Closes the old home space.
    ///
    /// # Errors
    /// As [`HomeSpace::append`].
    pub async fn close(&self, space: &mut HomeSpace<T>) -> Result<(), ClientError> {
        let close = |state: &State| match state.closed_for() {
            None => Ok(vec![Operation::Close { keyring: self.keyring.version() }]),
            Some(_) => Ok(Vec::new()),
        };
        space.append(close).await
    }

    /// Replaces what opens the account.
    ///
    /// # Errors
    /// As [`super::change_password`]. It can be run again from the beginning.
    pub async fn finish(
        mut self,
        transport: &T,
        session: &mut Session<T>,
        space: &HomeSpace<T>,
        password: &Password,
        recovery: RecoveryWish,
        limits: &ClientLimits,
    ) -> Result<Rekeyed, ClientError> {
        let code = session.code().clone();
        if listed(space.state()) != self.carried {
            // Another device wrote while this one prepared; what it was told is kept.
            let payment = one_of(&mut self.payments)?;
            self.next = carry(transport, session, payment, &self.keyring, space.state(), limits).await?;
        }
        let left = destroy_leaving(transport, space, code.relay(), limits).await?;
        let head = self.next.head();
        let keyring = self.keyring.with_home_head(head);
        let memory = DeviceMemory { keyring_version: keyring.version(), home_head: Some(head) };
        let memory = memory.seal(&keyring.memory_key(), code.relay(), code.account(), &mut random::system());
        let memory = memory.map_err(ClientError::Sealing)?;
        let access = self.change.finish(transport, &code, password, &keyring, recovery, limits).await?;
        Ok(Rekeyed { access, files: space.state().files().count(), left, memory })
    }
}

impl<T> std::fmt::Debug for Rekeying<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { change: _, keyring: _, next: _, carried: _, payments: _ } = self;
        f.write_str("Rekeying")
    }
}

fn listed(state: &State) -> Vec<Carried> {
    let files = state.files();
    files
        .map(|(path, file)| (path.clone(), file.blob, kept_tickets(file).map(|t| t.id()).collect()))
        .collect()
}

/// Makes the home space of a keyring, with these files in it.
async fn carry<T: Transport>(
    transport: &T,
    session: &Session<T>,
    payment: Payment,
    keyring: &Keyring,
    state: &State,
    limits: &ClientLimits,
) -> Result<HomeSpace<T>, ClientError> {
    let mut next = HomeSpace::never_written(transport, session.code().relay(), keyring.home_keys(), limits);
    next.create(payment).await?;
    let operations = operations(state);
    next.append(|_state| Ok(operations.clone())).await?;
    Ok(next)
}

/// Tickets follow their file one by one: a file may have more of them than an entry has room for.
fn operations(state: &State) -> Vec<Operation> {
    let mut operations = Vec::new();
    for (path, file) in state.files() {
        let (renewed, mut held) = file.renewed(&mut random::system());
        if let Some(lost) = state.held(file.blob) {
            held = lost.clone();
        }
        operations.push(Operation::Carry { path: path.clone(), file: Box::new(renewed), held });
        operations.extend(
            kept_tickets(file).map(|ticket| Operation::Share { path: path.clone(), ticket: ticket.clone() }),
        );
    }
    operations
}

/// The newest of those whose time is not over, as many as a renewal may keep.
fn kept_tickets(file: &FileRecord) -> impl Iterator<Item = &TicketRecord> {
    let now = QuarterHour::of(SystemTime::now());
    let living = move || file.tickets.iter().filter(move |ticket| ticket.limits().may_live(now));
    living().skip(living().count().saturating_sub(MAX_KEPT_TICKETS))
}

/// What is off the list is not carried over, so it ends here. A repetition is answered alike. Gives how many the relay denies: a thief may
/// have listed them, or taken them over.
async fn destroy_leaving<T: Transport>(
    transport: &T,
    space: &HomeSpace<T>,
    relay: &OnionAddress,
    limits: &ClientLimits,
) -> Result<usize, ClientError> {
    let mut lane = RelayLane::isolated(transport, relay, limits);
    let mut left = 0;
    let checkpoint = space.state().checkpoint().map(|(_, file)| (file.blob, &file.write_key));
    for (blob, write_key) in space.state().leaving().chain(checkpoint) {
        match transfer::destroy(&mut lane, blob, write_key).await {
            // Its credits would be dropped with the others.
            Ok(_refund) => {}
            Err(ClientError::Withheld) => left += 1,
            Err(error) => return Err(error),
        }
    }
    Ok(left)
}

fn one_of(payments: &mut Vec<Payment>) -> Result<Payment, ClientError> {
    payments.pop().ok_or(ClientError::NoCredits)
}
