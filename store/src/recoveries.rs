//! Recovery envelopes: how an account is found and opened without its password and code, by whoever holds its recovery phrase.

use crate::{
    accounts::{self, RecordVersion},
    at_rest_keys,
    digest::token_hash,
    error::{Failure, StoreError},
    object::ObjectName,
    row::Row,
    schema::{AccountRow, RecoveryRow},
    store::Store,
    transaction::{Changes, Rows},
};
use nightdrop_wire::{
    ids::{AccountId, RecoveryId},
    messages::account::Keyring,
    token::Token,
};

/// What the holder of a recovery phrase finds.
#[derive(Debug)]
pub struct FoundRecovery {
    /// Whose it is.
    pub account: AccountId,
    /// The record that the account has.
    pub record: RecordVersion,
    /// Recovery envelope.
    pub envelope: Vec<u8>,
    /// Keyring.
    pub keyring: Keyring,
}

impl Store {
    /// The recovery envelope under an id, for whoever shows its token.
    ///
    /// # Errors
    /// [`StoreError::Refused`] for an unknown id and for another token alike; [`StoreError::Damaged`], [`StoreError::Database`].
    pub fn find_recovery(&self, id: RecoveryId, token: &Token) -> Result<FoundRecovery, StoreError> {
        let snapshot = self.snapshot()?;
        let shown = token_hash(token);
        let row = snapshot
            .row::<RecoveryRow>(id.as_bytes())?
            .filter(|row| row.token == shown)
            .ok_or(StoreError::Refused)?;
        let account = row.account;
        let held = snapshot.row::<AccountRow>(account.as_bytes())?.ok_or(StoreError::Refused)?;
        let name = ObjectName::recovery(id);
        let envelope = at_rest_keys::open(&snapshot, RecoveryRow::TABLE.name, name, row.envelope)?.to_vec();
        let keyring = accounts::open_keyring(&snapshot, account, held)?;
        Ok(FoundRecovery { account, record: RecordVersion::held(&snapshot, account)?, envelope, keyring })
    }
}

/// Removes a recovery envelope and its key.
pub(crate) fn remove(changes: &Changes<'_>, id: RecoveryId) -> Result<(), Failure> {
    at_rest_keys::erase(changes, ObjectName::recovery(id))?;
    changes.remove(&RecoveryRow::TABLE, id.as_bytes())
}
