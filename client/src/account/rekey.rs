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
    ClientError, clock,
    limits::ClientLimits,
    payment::{Payment, Purse},
    random,
    relay::RelayLane,
    renewal::renew_carried,
    space::HomeSpace,
    transfer,
    transport::Transport,
};
use nightdrop_envelope::{
    account_code::AccountCode,
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
    /// Why this device could not keep that, if it could not.
    pub unkept: Option<ClientError>,
}

/// What an account's keyring is to be replaced by.
pub struct NextKeyring {
    code: AccountCode,
    /// Version of the one that it has.
    replaces: u64,
    keyring: Keyring,
}

impl NextKeyring {
    /// Makes it.
    ///
    /// # Errors
    /// [`ClientError::Sealing`] if no version is left.
    pub fn after<T: Transport>(session: &Session<T>) -> Result<Self, ClientError> {
        let keyring = session.keyring().rekeyed(clock::today(), &mut random::system());
        let keyring = keyring.map_err(ClientError::Sealing)?;
        Ok(Self { code: session.code().clone(), replaces: session.keyring().version(), keyring })
    }
}

impl std::fmt::Debug for NextKeyring {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { code: _, replaces: _, keyring: _ } = self;
        f.write_str("NextKeyring")
    }
}

/// A rekey that can be carried out.
pub struct Rekeying<T> {
    change: MasterKeyChange<T>,
    code: AccountCode,
    keyring: Keyring,
    next: HomeSpace<T>,
    carried: Vec<Carried>,
    /// Pays for the space to be once more, if there was something to pay with: after the old one is closed nothing should be lacking.
    spare: Option<Payment>,
}

/// Which files are carried, with which tickets.
type Carried = (SpacePath, BlobId, Vec<TicketId>);

impl<T: Transport> Rekeying<T> {
    /// Makes the home space to be, and proves the password. `space` is the one that is to be closed, read. `purse` pays for it, if it was never written
    /// to, and for the next one, as long as that has to be.
    ///
    /// # Errors
    /// As [`HomeSpace::append`] and [`super::change_password`]; nothing was changed.
    pub async fn prepare(
        transport: &T,
        next: NextKeyring,
        space: &mut HomeSpace<T>,
        password: &Password,
        purse: &impl Purse,
        limits: &ClientLimits,
    ) -> Result<Self, ClientError> {
        let NextKeyring { code, replaces, keyring } = next;
        // What an earlier rekey left undone: this one knows one old key of each blob, not two.
        renew_carried(transport, code.relay(), space, purse, limits, &()).await?;
        if space.is_new() {
            // No other device may begin it after this.
            space.create(purse.pay(HomeSpace::<T>::price_with(0)).await?).await?;
        }
        space.make_room_to_close(purse).await?;
        let keys = keyring.home_keys();
        let mut next = HomeSpace::never_written(transport, code.relay(), keys, limits);
        carry(&mut next, None, purse, space.state()).await?;
        let spare = purse.pay(next.paid()).await.ok();
        let change = MasterKeyChange::begin(transport, &code, replaces, password, limits).await?;
        Ok(Self { change, code, keyring, next, carried: listed(space.state()), spare })
    }

    /// Closes the old home space.
    ///
    /// # Errors
    /// As [`HomeSpace::append`].
    pub async fn close(&self, space: &mut HomeSpace<T>, purse: &impl Purse) -> Result<(), ClientError> {
        let close = |state: &State| match state.closed_for() {
            None => Ok(vec![Operation::Close { keyring: self.keyring.version() }]),
            Some(_) => Ok(Vec::new()),
        };
        space.append(purse, close).await
    }

    /// Replaces what opens the account.
    ///
    /// # Errors
    /// As [`super::change_password`]. It can be run again from the beginning.
    pub async fn finish(
        mut self,
        transport: &T,
        space: &HomeSpace<T>,
        password: &Password,
        recovery: RecoveryWish,
        purse: &impl Purse,
        limits: &ClientLimits,
    ) -> Result<Rekeyed, ClientError> {
        let code = self.code;
        if listed(space.state()) != self.carried {
            // Another device wrote while this one prepared; what it was told is kept.
            self.next = HomeSpace::never_written(transport, code.relay(), self.keyring.home_keys(), limits);
            carry(&mut self.next, self.spare, purse, space.state()).await?;
        }
        let left = destroy_leaving(transport, space, code.relay(), limits).await?;
        let head = self.next.head();
        let keyring = self.keyring.with_home_head(head);
        let memory = DeviceMemory { keyring_version: keyring.version(), home_head: Some(head) };
        let memory = memory.seal(&keyring.memory_key(), code.relay(), code.account(), &mut random::system());
        let memory = memory.map_err(ClientError::Sealing)?;
        let access = self.change.finish(transport, &code, password, &keyring, recovery, limits).await?;
        Ok(Rekeyed { access, files: space.state().files().count(), left, memory, unkept: None })
    }
}

impl<T> std::fmt::Debug for Rekeying<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { change: _, code: _, keyring: _, next: _, carried: _, spare: _ } = self;
        f.write_str("Rekeying")
    }
}

fn listed(state: &State) -> Vec<Carried> {
    let files = state.files();
    files
        .map(|(path, file)| (path.clone(), file.blob, kept_tickets(file).map(|t| t.id()).collect()))
        .collect()
}

/// Makes a home space with these files in it.
async fn carry<T: Transport>(
    next: &mut HomeSpace<T>,
    payment: Option<Payment>,
    purse: &impl Purse,
    state: &State,
) -> Result<(), ClientError> {
    let payment = match payment {
        Some(payment) => payment,
        None => purse.pay(HomeSpace::<T>::price_with(0)).await?,
    };
    next.create(payment).await?;
    let operations = operations(state);
    next.append(purse, |_state| Ok(operations.clone())).await
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
