//! Changes of what opens an account: record, master key, recovery envelope and keyring, in one transaction that also ends all its
//! sessions. A crash leaves all of the change or nothing of it, so exactly one of two passwords opens the account.

use crate::{
    accounts::RecordVersion,
    at_rest_keys::NewObject,
    digest::BodyDigest,
    error::{Failure, StoreError},
    object::ObjectName,
    operation::Checked,
    recoveries,
    room::Need,
    row::Row,
    schema::{AccountRow, LOGIN_RECORDS, RecoveryRow},
    sessions,
    store::{Queued, Store, refused},
    transaction::{Changes, Rows},
};
use nightdrop_wire::{
    ids::{AccountId, RecoveryId},
    messages::account::{ChangeFinish, Recovery, RecoveryChange},
};
use rand::CryptoRng;

/// A change to be made.
pub struct AccountChange<'m> {
    /// Of which account.
    pub account: AccountId,
    /// The record that it had when the change began.
    pub begun_with: RecordVersion,
    /// The well-formed message.
    pub message: &'m ChangeFinish,
    /// Digest of the body that it came in.
    pub body: BodyDigest,
}

impl Store {
    /// Makes the change. The same body right after it is answered alike.
    ///
    /// [`StoreError::Refused`] if there is no such account; [`StoreError::Conflict`] if its record is another than the one that the
    /// change began with, if the keyring is not the next one, or if the id of the recovery envelope is taken.
    #[must_use]
    pub fn change_account(&self, change: &AccountChange<'_>, rng: &mut dyn CryptoRng) -> Queued<()> {
        let change = match NewAccess::prepare(change, rng) {
            Ok(change) => change,
            Err(error) => return refused(error),
        };
        self.queue_for(Need::Little, change.weight(), move |rows| {
            let row = rows.row::<AccountRow>(change.account.as_bytes())?.ok_or(StoreError::Refused)?;
            if row.changed_by == Some(change.body) {
                return Ok(Checked::Already(()));
            }
            change.begun_with.require(rows, change.account)?;
            change.require_next_keyring(&row)?;
            change.refuse_taken_recovery(rows, row.recovery)?;
            let sessions = sessions::Held::of(rows, change.account)?;
            Ok(Checked::Scattered(sessions.len(), move |changes: &Changes<'_>| {
                change.write(row, &sessions, changes)
            }))
        })
    }
}

/// A change with all its parts sealed at rest.
struct NewAccess {
    account: AccountId,
    begun_with: RecordVersion,
    body: [u8; 32],
    login_record: NewObject,
    master_key: NewObject,
    keyring: Option<(u64, NewObject)>,
    recovery: NewRecovery,
}

enum NewRecovery {
    Keep,
    Replace(Recovery, NewObject),
    Remove,
}

impl NewAccess {
    fn prepare(change: &AccountChange<'_>, rng: &mut dyn CryptoRng) -> Result<Self, StoreError> {
        let AccountChange { account, begun_with, message, body } = *change;
        let (records, accounts) = (LOGIN_RECORDS.name, AccountRow::TABLE.name);
        let keyring = match &message.keyring {
            None => None,
            Some(keyring) => {
                let name = ObjectName::keyring(account);
                Some((keyring.version, NewObject::seal(accounts, name, &keyring.envelope, rng)?))
            }
        };
        let recovery = match &message.recovery {
            RecoveryChange::Keep => NewRecovery::Keep,
            RecoveryChange::Remove => NewRecovery::Remove,
            RecoveryChange::Replace(recovery) => {
                let name = ObjectName::recovery(recovery.id);
                let sealed = NewObject::seal(RecoveryRow::TABLE.name, name, &recovery.envelope, rng)?;
                NewRecovery::Replace(recovery.clone(), sealed)
            }
        };
        Ok(Self {
            account,
            begun_with,
            body: body.0,
            login_record: NewObject::seal(records, ObjectName::login_record(account), &message.upload, rng)?,
            master_key: NewObject::seal(accounts, ObjectName::master_key(account), &message.master_key, rng)?,
            keyring,
            recovery,
        })
    }

    fn weight(&self) -> usize {
        self.login_record.stored.len() + self.master_key.stored.len()
    }

    fn require_next_keyring(&self, held: &AccountRow) -> Result<(), StoreError> {
        let next = held.keyring_version.checked_add(1);
        match &self.keyring {
            Some((version, _)) if Some(*version) != next => Err(StoreError::Conflict),
            Some(_) | None => Ok(()),
        }
    }

    /// An id that another account's envelope has, or a kept one under this id, is never overwritten.
    fn refuse_taken_recovery(&self, rows: &impl Rows, held: Option<RecoveryId>) -> Result<(), StoreError> {
        let NewRecovery::Replace(recovery, _) = &self.recovery else { return Ok(()) };
        let taken = held != Some(recovery.id) && rows.holds(&RecoveryRow::TABLE, recovery.id.as_bytes())?;
        if taken { Err(StoreError::Conflict) } else { Ok(()) }
    }

    fn write(
        self,
        held: AccountRow,
        sessions: &sessions::Held,
        changes: &Changes<'_>,
    ) -> Result<(), Failure> {
        self.login_record.keep_key(changes)?;
        self.master_key.keep_key(changes)?;
        changes.put_bytes(&LOGIN_RECORDS, self.account.as_bytes(), &self.login_record.stored)?;
        let recovery = self.recovery.write(self.account, held.recovery, changes)?;
        let (keyring_version, keyring) = match self.keyring {
            None => (held.keyring_version, held.keyring),
            Some((version, keyring)) => {
                keyring.keep_key(changes)?;
                (version, keyring.stored)
            }
        };
        sessions.end_all(changes, self.account)?;
        let changed_by = Some(self.body);
        let master_key = self.master_key.stored;
        let row = AccountRow { master_key, recovery, keyring_version, keyring, changed_by };
        changes.put(self.account.as_bytes(), &row)
    }
}

impl NewRecovery {
    /// Writes it in place of the one that is held, and gives where it is.
    fn write(
        self,
        account: AccountId,
        held: Option<RecoveryId>,
        changes: &Changes<'_>,
    ) -> Result<Option<RecoveryId>, Failure> {
        if matches!(self, Self::Keep) {
            return Ok(held);
        }
        if let Some(held) = held {
            recoveries::remove(changes, held)?;
        }
        let Self::Replace(recovery, sealed) = self else { return Ok(None) };
        sealed.keep_key(changes)?;
        let row = RecoveryRow { account, token: recovery.token, envelope: sealed.stored };
        changes.put(recovery.id.as_bytes(), &row)?;
        Ok(Some(recovery.id))
    }
}
