//! Accounts: registering and removing, each in one transaction, and what a login needs.

use crate::{
    at_rest::{self, AtRestKey, Place},
    at_rest_keys::{self, NewObject},
    day::Day,
    digest::{BodyDigest, sha256},
    error::{Failure, StoreError},
    invitations,
    object::ObjectName,
    operation::Checked,
    recoveries,
    room::Need,
    row::Row,
    schema::{
        AccountRow, CreditQuotaRow, ENDED, IdentityRow, InvitationRow, InvitationState, LOGIN_RECORDS, ONLY,
        QuotaRow, RecoveryRow,
    },
    sessions,
    store::{Queued, Store, refused},
    transaction::{Changes, Rows},
};
use nightdrop_wire::{
    ids::AccountId,
    messages::account::{Keyring, REGISTRATION_UPLOAD, Recovery, RegisterFinish},
    token::TokenHash,
};
use rand::CryptoRng;
use std::ops::ControlFlow;
use zeroize::Zeroizing;

/// Version of the keyring that comes with a registration.
const FIRST_KEYRING: u64 = 1;
/// What stands for the digest of a registration that spent its invitation and was refused: no body's.
const IN_VAIN: [u8; 32] = [0; 32];

/// A registration to be made: the well-formed message, and the digest by which a repetition is known.
pub struct Registration<'m> {
    /// Hash of the invitation in the message.
    pub invitation: TokenHash,
    /// The message.
    pub message: &'m RegisterFinish,
    /// Digest of the body that it came in.
    pub body: BodyDigest,
}

/// What opens an account, for whoever has logged in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountEnvelopes {
    /// Master key, sealed under the encryption key.
    pub master_key: Vec<u8>,
    /// The keyring.
    pub keyring: Keyring,
}

impl Store {
    /// Spends the invitation and makes the account, in one transaction. The same body again is answered alike; with
    /// another body, a spent invitation or a taken id is refused. A taken id spends the invitation, too: else one
    /// invitation would tell of any number of ids whether they are taken.
    #[must_use]
    pub fn register(
        &self,
        registration: &Registration<'_>,
        today: Day,
        rng: &mut dyn CryptoRng,
    ) -> Queued<()> {
        let account = match NewAccount::prepare(registration, rng) {
            Ok(account) => account,
            Err(error) => return refused(error),
        };
        let registered = self.queue(account.weight(), move |rows| {
            if account.is_made(rows)? {
                return Ok(Checked::Already(Registered::Made));
            }
            let invitation = invitations::unspent(rows, &account.invitation, today)?;
            let taken = account.is_taken(rows)?;
            Ok(Checked::Write(move |changes: &Changes<'_>| {
                if taken {
                    account.spend_in_vain(invitation.expires, changes)?;
                    return Ok(Registered::Taken);
                }
                account.write(invitation.expires, changes)?;
                Ok(Registered::Made)
            }))
        });
        Box::pin(async move {
            match registered.await? {
                Registered::Made => Ok(()),
                Registered::Taken => Err(StoreError::Refused),
            }
        })
    }

    /// The OPAQUE record of an account, or the decoy. Time does not tell which: the record at or after the id that is
    /// asked for is read (after the last one comes the first), and the decoy's, and the keys of both, whoever is asked
    /// for; then one of them is opened. An account whose record is damaged is answered as if there were none; the
    /// operator is told.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] if the decoy's is, [`StoreError::Database`].
    pub fn login_record(&self, account: AccountId) -> Result<LoginRecord, StoreError> {
        let snapshot = self.snapshot()?;
        let decoy_id = snapshot.row::<IdentityRow>(&ONLY)?.ok_or(StoreError::Refused)?.decoy;
        // The decoy's pages are always in the cache, an account's seldom: reading the decoy alone would be faster.
        let nearest = StoredRecord::at_or_after(&snapshot, account);
        let decoy = StoredRecord::at_or_after(&snapshot, decoy_id);
        let found = nearest.map(|record| record.filter(|record| record.account == account));
        match found.and_then(|record| record.map(StoredRecord::open).transpose()) {
            Ok(Some(record)) => return Ok(record),
            Ok(None) => {}
            Err(StoreError::Damaged(table)) => {
                tracing::error!(
                    table,
                    "a login record is damaged: its account is answered as if it did not exist"
                );
            }
            Err(error) => return Err(error),
        }
        decoy?.filter(|record| record.account == decoy_id).ok_or_else(damaged_record)?.open()
    }

    /// What opens the account. Only for whoever has proved to be its owner, by this record.
    ///
    /// # Errors
    /// [`StoreError::Refused`] if there is no such account, [`StoreError::Conflict`] if its record is another by now,
    /// [`StoreError::Damaged`], [`StoreError::Database`].
    pub fn account_envelopes(
        &self,
        account: AccountId,
        proved_by: &RecordVersion,
    ) -> Result<AccountEnvelopes, StoreError> {
        let snapshot = self.snapshot()?;
        proved_by.require(&snapshot, account)?;
        let row = snapshot.row::<AccountRow>(account.as_bytes())?.ok_or(StoreError::Refused)?;
        let name = ObjectName::master_key(account);
        let master_key =
            at_rest_keys::open(&snapshot, AccountRow::TABLE.name, name, row.master_key.clone())?.to_vec();
        Ok(AccountEnvelopes { master_key, keyring: open_keyring(&snapshot, account, row)? })
    }

    /// Removes an account and everything that stands under it: record, envelopes, recovery, sessions, quota. Its id is never given
    /// again. What it stored on the data plane cannot be found by it, and stays until it is destroyed by its own keys.
    ///
    /// [`StoreError::Refused`] if there is no such account; [`StoreError::Conflict`] if it proved itself by a record that is another by now.
    #[must_use]
    pub fn remove_account(&self, account: AccountId, proved_by: Option<RecordVersion>) -> Queued<()> {
        self.queue_for(Need::Least, 0, move |rows| {
            proved_by.map_or(Ok(()), |version| version.require(rows, account))?;
            let recovery = match rows.row::<AccountRow>(account.as_bytes()) {
                Ok(row) => row.ok_or(StoreError::Refused)?.recovery,
                // It goes all the same; the recovery envelope then stays behind, and opens nothing that is there.
                Err(StoreError::Damaged(_)) => None,
                Err(error) => return Err(error),
            };
            let sessions = sessions::Held::of(rows, account)?;
            Ok(Checked::Scattered(sessions.len(), move |changes: &Changes<'_>| {
                for object in [
                    ObjectName::login_record(account),
                    ObjectName::master_key(account),
                    ObjectName::keyring(account),
                ] {
                    at_rest_keys::erase(changes, object)?;
                }
                if let Some(recovery) = recovery {
                    recoveries::remove(changes, recovery)?;
                }
                sessions.end_all(changes, account)?;
                changes.remove(&CreditQuotaRow::TABLE, account.as_bytes())?;
                changes.remove(&QuotaRow::TABLE, account.as_bytes())?;
                changes.remove(&LOGIN_RECORDS, account.as_bytes())?;
                changes.remove(&AccountRow::TABLE, account.as_bytes())?;
                changes.put_bytes(&ENDED, &ObjectName::login_record(account).bytes(), &[])
            }))
        })
    }
}

/// The keyring of an account's row.
pub(crate) fn open_keyring(
    rows: &impl Rows,
    account: AccountId,
    row: AccountRow,
) -> Result<Keyring, StoreError> {
    let name = ObjectName::keyring(account);
    let envelope = at_rest_keys::open(rows, AccountRow::TABLE.name, name, row.keyring)?.to_vec();
    Ok(Keyring { version: row.keyring_version, envelope })
}

/// An account's OPAQUE record, or the decoy.
pub struct LoginRecord {
    /// The record's bytes, which crate `login` reads.
    pub record: Zeroizing<[u8; REGISTRATION_UPLOAD]>,
    /// Which of the account's records it is.
    pub version: RecordVersion,
}

impl std::fmt::Debug for LoginRecord {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("LoginRecord")
    }
}

/// Tells one record of an account from every other that it has had: the hash of its seal at rest, which is never made twice.
/// What began with one record must not end with another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordVersion([u8; 32]);

impl RecordVersion {
    fn of(sealed: &[u8]) -> Self {
        Self(sha256(&[sealed]))
    }

    /// [`StoreError::Conflict`] unless this is still the account's record, [`StoreError::Refused`] if it has none.
    pub(crate) fn require(&self, rows: &impl Rows, account: AccountId) -> Result<(), StoreError> {
        let held = rows.value(&LOGIN_RECORDS, account.as_bytes(), Self::of)?.ok_or(StoreError::Refused)?;
        if held == *self { Ok(()) } else { Err(StoreError::Conflict) }
    }

    /// The version of the record that an account has.
    pub(crate) fn held(rows: &impl Rows, account: AccountId) -> Result<Self, StoreError> {
        rows.value(&LOGIN_RECORDS, account.as_bytes(), Self::of)?.ok_or(StoreError::Refused)
    }
}

/// An OPAQUE record as it is stored, and its key. That the key is missing concerns only whoever opens it.
struct StoredRecord {
    account: AccountId,
    sealed: Vec<u8>,
    key: Result<AtRestKey, StoreError>,
}

impl StoredRecord {
    /// The first record from an id on; behind the last one, the first of all, so that no id is answered without reading
    /// a record and its key.
    fn at_or_after(rows: &impl Rows, account: AccountId) -> Result<Option<Self>, StoreError> {
        // Both are looked for whatever the id is; the first page of the table is always in the cache.
        let first = first_from(rows, [0; AccountId::LENGTH]);
        let found = match first_from(rows, *account.as_bytes())? {
            None => first?,
            found => found,
        };
        Ok(found.map(|(account, sealed)| {
            let key = at_rest_keys::read(rows, ObjectName::login_record(account));
            Self { account, sealed, key }
        }))
    }

    fn open(self) -> Result<LoginRecord, StoreError> {
        let version = RecordVersion::of(&self.sealed);
        let object = ObjectName::login_record(self.account);
        let place = Place { table: LOGIN_RECORDS.name, object, index: 0 };
        let record = at_rest::open(&self.key?, &place, self.sealed)?;
        let record = record.as_ref().try_into().map(Zeroizing::new).map_err(|_| damaged_record())?;
        Ok(LoginRecord { record, version })
    }
}

/// The first sealed record from an id on, and whose it is.
fn first_from(
    rows: &impl Rows,
    id: [u8; AccountId::LENGTH],
) -> Result<Option<(AccountId, Vec<u8>)>, StoreError> {
    let mut found = None;
    rows.each(&LOGIN_RECORDS, id..=[0xff; AccountId::LENGTH], |id, sealed| {
        found = Some((AccountId::from_bytes(id), sealed.to_vec()));
        Ok(ControlFlow::Break(()))
    })?;
    Ok(found)
}

fn damaged_record() -> StoreError {
    StoreError::Damaged(LOGIN_RECORDS.name)
}

/// How a registration ended that had an invitation to spend.
enum Registered {
    Made,
    Taken,
}

/// An account with all its parts sealed at rest.
struct NewAccount {
    invitation: TokenHash,
    body: [u8; 32],
    account: AccountId,
    login_record: NewObject,
    master_key: NewObject,
    keyring: NewObject,
    recovery: Option<(Recovery, NewObject)>,
}

impl NewAccount {
    fn prepare(registration: &Registration<'_>, rng: &mut dyn CryptoRng) -> Result<Self, StoreError> {
        let message = registration.message;
        let account = message.account;
        let (records, accounts) = (LOGIN_RECORDS.name, AccountRow::TABLE.name);
        let recovery = match &message.recovery {
            None => None,
            Some(recovery) => {
                let name = ObjectName::recovery(recovery.id);
                let sealed = NewObject::seal(RecoveryRow::TABLE.name, name, &recovery.envelope, rng)?;
                Some((recovery.clone(), sealed))
            }
        };
        Ok(Self {
            invitation: registration.invitation,
            body: registration.body.0,
            account,
            login_record: NewObject::seal(records, ObjectName::login_record(account), &message.upload, rng)?,
            master_key: NewObject::seal(accounts, ObjectName::master_key(account), &message.master_key, rng)?,
            keyring: NewObject::seal(accounts, ObjectName::keyring(account), &message.keyring, rng)?,
            recovery,
        })
    }

    fn weight(&self) -> usize {
        self.login_record.stored.len() + self.master_key.stored.len() + self.keyring.stored.len()
    }

    /// Whether the same bytes made this account before.
    fn is_made(&self, rows: &impl Rows) -> Result<bool, StoreError> {
        let invitation = rows.guard::<InvitationRow>(self.invitation.as_bytes())?;
        Ok(invitation.is_some_and(|row| row.state == InvitationState::Spent(self.body)))
    }

    /// Whether one of its ids is or was taken; the decoy's is.
    fn is_taken(&self, rows: &impl Rows) -> Result<bool, StoreError> {
        let recovery_taken = match &self.recovery {
            Some((recovery, _)) => rows.holds(&RecoveryRow::TABLE, recovery.id.as_bytes())?,
            None => false,
        };
        let ended = rows.holds(&ENDED, &ObjectName::login_record(self.account).bytes())?;
        Ok(recovery_taken || ended || rows.holds(&LOGIN_RECORDS, self.account.as_bytes())?)
    }

    fn spend_in_vain(&self, expires: Day, changes: &Changes<'_>) -> Result<(), Failure> {
        changes.put(
            self.invitation.as_bytes(),
            &InvitationRow { expires, state: InvitationState::Spent(IN_VAIN) },
        )
    }

    fn write(self, expires: Day, changes: &Changes<'_>) -> Result<(), Failure> {
        let spent = InvitationRow { expires, state: InvitationState::Spent(self.body) };
        changes.put(self.invitation.as_bytes(), &spent)?;
        for object in [&self.login_record, &self.master_key, &self.keyring] {
            object.keep_key(changes)?;
        }
        changes.put_bytes(&LOGIN_RECORDS, self.account.as_bytes(), &self.login_record.stored)?;
        let recovery = self.recovery.as_ref().map(|(recovery, _)| recovery.id);
        if let Some((recovery, sealed)) = self.recovery {
            sealed.keep_key(changes)?;
            let row = RecoveryRow { account: self.account, token: recovery.token, envelope: sealed.stored };
            changes.put(recovery.id.as_bytes(), &row)?;
        }
        let row = AccountRow {
            master_key: self.master_key.stored,
            recovery,
            keyring_version: FIRST_KEYRING,
            keyring: self.keyring.stored,
            changed_by: None,
        };
        changes.put(self.account.as_bytes(), &row)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::common::Fixture;

    #[test]
    fn an_id_behind_the_last_record_is_looked_up_like_any_other() {
        let fixture = Fixture::new();
        fixture.session(1);
        fixture.session(7);
        let snapshot = fixture.store().snapshot().unwrap();
        let ids = |first: u8| AccountId::from_bytes([first; AccountId::LENGTH]);
        let mut all = Vec::new();
        snapshot
            .each(&LOGIN_RECORDS, [0; AccountId::LENGTH]..=[0xff; AccountId::LENGTH], |id, _| {
                all.push(AccountId::from_bytes(id));
                Ok(ControlFlow::Continue(()))
            })
            .unwrap();
        assert_eq!(all.len(), 3, "two accounts and the decoy");
        for id in [ids(0), ids(1), ids(4), ids(7), ids(0xff)] {
            let next = all.iter().find(|held| held.as_bytes() >= id.as_bytes()).unwrap_or(&all[0]);
            let found =
                StoredRecord::at_or_after(&snapshot, id).unwrap().expect("a record is read for every id");
            assert_eq!((found.account, found.key.is_ok()), (*next, true));
        }
    }
}
