//! Rekey: after a device was stolen while it was unlocked, everything that it held is replaced.
//!
//! ```text
//! 1  the home space is closed: nothing that is appended to it after this has an effect
//! 2  a home space under new keys is made; it carries the files, each with new capabilities beside those that its blob still has
//! 3  master key, keyring, record and recovery envelope are replaced in one transaction, and all sessions end
//! 4  each blob gets its new capabilities
//! ```
//! What a crash leaves: before 1, nothing. Before 3, a list that can be read and not changed until a rekey is run again, and perhaps a space that
//! nobody can open. After 3, files whose blobs still have the old capabilities: every command goes on with them, see
//! [`renewal`](crate::renewal). The identity stays; so does what was shared by link.

use super::{NewAccess, RecoveryWish, Session, access::change_master_key};
use crate::{
    ClientError, clock, limits::ClientLimits, random, relay::RelayLane, renewal::renew_carried,
    space::HomeSpace, transfer, transport::Transport,
};
use nightdrop_envelope::{
    key::MasterKey,
    keyring::Keyring,
    space::{Operation, State},
};
use nightdrop_login::password::Password;
use nightdrop_wire::{onion::OnionAddress, token::Token};

/// What opens the account after a rekey.
#[derive(Debug)]
pub struct Rekeyed {
    /// Code and recovery phrase.
    pub access: NewAccess,
    /// Files that are carried over.
    pub files: usize,
}

/// Replaces what somebody knows who held this account's keys. `space` is the home space, read; after this, it is closed.
///
/// # Errors
/// As [`HomeSpace::append`] and [`super::change_password`]. Whatever it is, it can be run again.
pub async fn rekey<T: Transport>(
    transport: &T,
    session: &mut Session<T>,
    space: &mut HomeSpace<T>,
    password: &Password,
    recovery: RecoveryWish,
    limits: &ClientLimits,
) -> Result<Rekeyed, ClientError> {
    let relay = session.code().relay().clone();
    let master = MasterKey::generate(&mut random::system());
    let keyring = session
        .keyring()
        .rekeyed(session.master(), clock::today(), &mut random::system())
        .map_err(ClientError::Sealing)?;
    // What an earlier rekey left undone: this one knows one old key of each blob, not two.
    renew_carried(transport, &relay, space, limits, &()).await?;
    close(session, space, keyring.version()).await?;
    destroy_leaving(transport, space, &relay, limits).await?;
    let mut next = HomeSpace::never_written(transport, &relay, keyring.home_keys(), limits);
    next.create(one_credit(session).await?).await?;
    let carried = carry(space.state());
    next.append(|_state| Ok(carried.clone())).await?;
    let keyring: Keyring = keyring.with_home_head(next.head());
    let access = change_master_key(transport, session, password, (master, keyring), recovery, limits).await?;
    Ok(Rekeyed { access, files: space.state().files().count() })
}

/// A space that was never written is made, so that it can be closed: no other device may begin it after this.
async fn close<T: Transport>(
    session: &mut Session<T>,
    space: &mut HomeSpace<T>,
    keyring: u64,
) -> Result<(), ClientError> {
    if space.is_new() {
        space.create(one_credit(session).await?).await?;
    }
    let close = |state: &State| match state.closed_for() {
        None => Ok(vec![Operation::Close { keyring }]),
        Some(_) => Ok(Vec::new()),
    };
    space.append(close).await
}

/// What is off the list is not carried over, so it ends here. A repetition is answered alike.
async fn destroy_leaving<T: Transport>(
    transport: &T,
    space: &HomeSpace<T>,
    relay: &OnionAddress,
    limits: &ClientLimits,
) -> Result<(), ClientError> {
    let mut lane = RelayLane::isolated(transport, relay, limits);
    for (blob, write_key) in space.state().leaving() {
        transfer::destroy(&mut lane, blob, write_key).await?;
    }
    Ok(())
}

/// Tickets follow their file one by one: a file may have more of them than an entry has room for.
fn carry(state: &State) -> Vec<Operation> {
    let mut operations = Vec::new();
    for (path, file) in state.files() {
        let (renewed, held) = file.renewed(&mut random::system());
        operations.push(Operation::Carry { path: path.clone(), file: Box::new(renewed), held });
        let tickets = file.tickets.iter();
        operations
            .extend(tickets.map(|ticket| Operation::Share { path: path.clone(), ticket: ticket.clone() }));
    }
    operations
}

async fn one_credit<T: Transport>(session: &mut Session<T>) -> Result<Token, ClientError> {
    session.fetch_credits(1).await?.pop().ok_or(ClientError::NoCredits)
}
