//! Changes of what opens an account: begun by a login or by the recovery phrase, made in one transaction.
//!
//! A session alone changes nothing here: whoever steals one must not be able to take the account over.

use super::{
    accounts::{Proved, check_access},
    refusals::refusal_of,
    service::{Inner, Service, blocking, decode, encode},
};
use bytes::Bytes;
use nightdrop_store::{AccountChange, BodyDigest, RecordVersion};
use nightdrop_wire::{
    ids::{AccountId, ChangeId},
    messages::account::{
        ChangeFinish, PasswdStart, PasswdStarted, REGISTRATION_REQUEST, REGISTRATION_RESPONSE, RecoverStart,
        RecoverStarted, RecoveryChange,
    },
    refusal::Refusal,
};
use std::sync::{Arc, PoisonError};

/// A change between its two requests.
#[derive(Clone, Copy)]
pub(super) struct BegunChange {
    account: AccountId,
    begun_with: RecordVersion,
}

impl Service {
    /// `POST /v1/passwd`.
    pub(super) async fn passwd_start(&self, body: &[u8]) -> Result<Bytes, Refusal> {
        let message: PasswdStart = decode(body)?;
        let Proved { login, record } = self.prove(&message.login)?;
        let inner = Arc::clone(&self.inner);
        blocking(move || {
            let account = login.account();
            let envelopes =
                inner.store.account_envelopes(account, &record).map_err(|error| refusal_of(&error))?;
            let (change, response) = inner.begin_change(account, record, &message.request)?;
            let (master_key, keyring) = (envelopes.master_key, envelopes.keyring);
            encode(&PasswdStarted { change, response, master_key, keyring })
        })
        .await
    }

    /// `POST /v1/recover`: an unknown phrase is refused like everything else.
    pub(super) async fn recover_start(&self, body: &[u8]) -> Result<Bytes, Refusal> {
        let message: RecoverStart = decode(body)?;
        let inner = Arc::clone(&self.inner);
        blocking(move || {
            let found = inner.store.find_recovery(message.recovery, &message.token);
            let found = found.map_err(|error| refusal_of(&error))?;
            let (change, response) = inner.begin_change(found.account, found.record, &message.request)?;
            encode(&RecoverStarted { change, response, envelope: found.envelope, keyring: found.keyring })
        })
        .await
    }

    /// `POST /v1/change`.
    pub(super) async fn change_finish(&self, body: &[u8]) -> Result<Bytes, Refusal> {
        let message: ChangeFinish = decode(body)?;
        let recovery = match &message.recovery {
            RecoveryChange::Replace(recovery) => Some(recovery),
            RecoveryChange::Keep | RecoveryChange::Remove => None,
        };
        let keyring = message.keyring.as_ref().map(|keyring| &keyring.envelope);
        check_access(&message.upload, &message.master_key, keyring, recovery)?;
        let BegunChange { account, begun_with } =
            self.inner.begun_change(&message.change).ok_or(Refusal::Refused)?;
        let changed = {
            let Inner { store, environment, .. } = &*self.inner;
            let change = AccountChange { account, begun_with, message: &message, body: BodyDigest::of(body) };
            store.change_account(&change, &mut environment.rng())
        };
        changed.await.map_err(|error| refusal_of(&error))?;
        Ok(Bytes::new())
    }

    /// `POST /v1/remove`.
    pub(super) async fn remove_account(&self, body: &[u8]) -> Result<Bytes, Refusal> {
        let Proved { login, record } = self.prove(&decode(body)?)?;
        let removed = self.inner.store.remove_account(login.account(), Some(record));
        removed.await.map_err(|error| refusal_of(&error))?;
        Ok(Bytes::new())
    }
}

impl Inner {
    /// Remembers a change, and answers the registration request of the password to be.
    fn begin_change(
        &self,
        account: AccountId,
        begun_with: RecordVersion,
        request: &[u8; REGISTRATION_REQUEST],
    ) -> Result<(ChangeId, [u8; REGISTRATION_RESPONSE]), Refusal> {
        let response = self.setup.start_registration(account, request).map_err(|_| Refusal::Refused)?;
        let change = ChangeId::from_bytes(self.environment.random());
        let begun = BegunChange { account, begun_with };
        let (now, most) = (self.environment.now(), self.limits.pending_changes_per_account);
        let mut changes = self.changes.lock().unwrap_or_else(PoisonError::into_inner);
        changes.insert_own(change, begun, now, most, |other| other.account == account);
        Ok((change, response))
    }

    /// A change that was begun. It stays, so that its second half may be repeated.
    fn begun_change(&self, change: &ChangeId) -> Option<BegunChange> {
        let now = self.environment.now();
        self.changes.lock().unwrap_or_else(PoisonError::into_inner).get(change, now).copied()
    }
}
