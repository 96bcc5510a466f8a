//! Where the at-rest keys are kept, and the only way to them: read, keep, erase.
//!
//! For the time being that is a table of the same database, so erasing a key here does not yet erase it from forgotten
//! pages. This module is the seam: a key tree outside the database that rewrites one leaf and its root on erasure takes
//! the place of the three functions, and nothing above changes.

use crate::{
    at_rest::{self, AtRestKey, Place},
    error::{Failure, StoreError},
    object::ObjectName,
    schema::AT_REST_KEYS,
    transaction::{Changes, Rows},
};
use bytes::Bytes;
use rand::CryptoRng;

/// The key of an object that is there; without a key it is as good as damaged.
pub(crate) fn read(rows: &impl Rows, object: ObjectName) -> Result<AtRestKey, StoreError> {
    rows.value(&AT_REST_KEYS, &object.bytes(), AtRestKey::from_bytes)?
        .flatten()
        .ok_or(StoreError::Damaged(AT_REST_KEYS.name))
}

/// Keeps the key of an object.
pub(crate) fn keep(changes: &Changes<'_>, object: ObjectName, key: &AtRestKey) -> Result<(), Failure> {
    changes.put_bytes(&AT_REST_KEYS, &object.bytes(), key.secret_bytes())
}

/// Erases the key of an object.
pub(crate) fn erase(changes: &Changes<'_>, object: ObjectName) -> Result<(), Failure> {
    changes.remove(&AT_REST_KEYS, &object.bytes())
}

/// An object of one part, sealed under a key that was made for it.
pub(crate) struct NewObject {
    object: ObjectName,
    key: AtRestKey,
    /// What goes into the table.
    pub(crate) stored: Vec<u8>,
}

impl NewObject {
    /// Seals `plaintext`, which will stand in `table`.
    pub(crate) fn seal(
        table: &'static str,
        object: ObjectName,
        plaintext: &[u8],
        rng: &mut dyn CryptoRng,
    ) -> Result<Self, StoreError> {
        let key = AtRestKey::generate(rng);
        let stored = at_rest::seal(&key, &Place { table, object, index: 0 }, plaintext, rng)?;
        Ok(Self { object, key, stored })
    }

    /// Keeps its key.
    pub(crate) fn keep_key(&self, changes: &Changes<'_>) -> Result<(), Failure> {
        keep(changes, self.object, &self.key)
    }
}

/// Opens an object of one part that stands in `table`.
pub(crate) fn open(
    rows: &impl Rows,
    table: &'static str,
    object: ObjectName,
    stored: Vec<u8>,
) -> Result<Bytes, StoreError> {
    at_rest::open(&read(rows, object)?, &Place { table, object, index: 0 }, stored)
}
