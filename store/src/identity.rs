//! What a relay is to its users: its OPAQUE set-up, the decoy record, and the onion address. Each is written once;
//! with another set-up or address no account of this store could log in.

use crate::{
    at_rest_keys::{self, NewObject},
    error::{Failure, StoreError},
    object::ObjectName,
    operation::Checked,
    room::Need,
    row::Row,
    schema::{IdentityRow, LOGIN_RECORDS, ONLY},
    store::{Queued, Store, refused},
    transaction::{Changes, Rows},
};
use nightdrop_wire::{ids::AccountId, messages::account::REGISTRATION_UPLOAD, onion::OnionAddress};
use rand::CryptoRng;
use zeroize::Zeroizing;

/// The relay's identity, as kept.
pub struct RelayIdentity {
    /// OPAQUE set-up: the bytes that crate `login` reads.
    pub server_setup: Zeroizing<Vec<u8>>,
    /// The address that was pinned, if one was yet.
    pub address: Option<OnionAddress>,
}

impl std::fmt::Debug for RelayIdentity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { server_setup: _, address: _ } = self;
        f.write_str("RelayIdentity")
    }
}

impl Store {
    /// The identity; `None` in a store that has none yet.
    ///
    /// # Errors
    /// [`StoreError::Damaged`], [`StoreError::Database`].
    pub fn identity(&self) -> Result<Option<RelayIdentity>, StoreError> {
        let snapshot = self.snapshot()?;
        let Some(row) = snapshot.row::<IdentityRow>(&ONLY)? else { return Ok(None) };
        let table = IdentityRow::TABLE.name;
        let setup = at_rest_keys::open(&snapshot, table, ObjectName::server_setup(), row.server_setup)?;
        Ok(Some(RelayIdentity { server_setup: Zeroizing::new(setup.to_vec()), address: row.address }))
    }

    /// Gives a new store its OPAQUE set-up and the decoy record that stands for every account that does not exist.
    /// [`StoreError::Conflict`] if it has an identity.
    #[must_use]
    pub fn create_identity(
        &self,
        server_setup: &[u8],
        decoy_record: &[u8; REGISTRATION_UPLOAD],
        rng: &mut dyn CryptoRng,
    ) -> Queued<()> {
        let identity = match NewIdentity::prepare(server_setup, decoy_record, rng) {
            Ok(identity) => identity,
            Err(error) => return refused(error),
        };
        self.queue(0, move |rows| {
            if rows.row::<IdentityRow>(&ONLY)?.is_some() {
                return Err(StoreError::Conflict);
            }
            Ok(Checked::Write(move |changes: &Changes<'_>| identity.write(changes)))
        })
    }

    /// Pins the relay's address. [`StoreError::OtherAddress`] if another one is pinned, [`StoreError::Conflict`] if
    /// there is no identity yet.
    #[must_use]
    pub fn pin_address(&self, address: OnionAddress) -> Queued<()> {
        self.queue_for(Need::Little, 0, move |rows| {
            let mut row = rows.row::<IdentityRow>(&ONLY)?.ok_or(StoreError::Conflict)?;
            match &row.address {
                Some(pinned) if *pinned == address => return Ok(Checked::Already(())),
                Some(_) => return Err(StoreError::OtherAddress),
                None => row.address = Some(address),
            }
            Ok(Checked::Write(move |changes: &Changes<'_>| changes.put(&ONLY, &row)))
        })
    }
}

struct NewIdentity {
    server_setup: NewObject,
    decoy: AccountId,
    decoy_record: NewObject,
    guess_key: [u8; 32],
}

impl NewIdentity {
    fn prepare(
        server_setup: &[u8],
        decoy_record: &[u8],
        rng: &mut dyn CryptoRng,
    ) -> Result<Self, StoreError> {
        let mut decoy = [0; AccountId::LENGTH];
        rng.fill_bytes(&mut decoy);
        let decoy = AccountId::from_bytes(decoy);
        let mut guess_key = [0; 32];
        rng.fill_bytes(&mut guess_key);
        let name = ObjectName::login_record(decoy);
        Ok(Self {
            server_setup: NewObject::seal(
                IdentityRow::TABLE.name,
                ObjectName::server_setup(),
                server_setup,
                rng,
            )?,
            decoy,
            decoy_record: NewObject::seal(LOGIN_RECORDS.name, name, decoy_record, rng)?,
            guess_key,
        })
    }

    fn write(self, changes: &Changes<'_>) -> Result<(), Failure> {
        self.server_setup.keep_key(changes)?;
        self.decoy_record.keep_key(changes)?;
        changes.put_bytes(&LOGIN_RECORDS, self.decoy.as_bytes(), &self.decoy_record.stored)?;
        let row = IdentityRow {
            server_setup: self.server_setup.stored,
            decoy: self.decoy,
            guess_key: self.guess_key,
            address: None,
        };
        changes.put(&ONLY, &row)
    }
}
