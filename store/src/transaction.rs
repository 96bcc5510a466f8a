//! What an operation may do inside a transaction: [`Rows`] reads; [`Changes`] writes.
//!
//! Checking sees [`Checking`] or [`Snapshot`], which cannot write, and the writing half gets [`Changes`], which can
//! neither read nor refuse: so no operation can refuse after it has written.

use crate::{
    database::{Contained, contained},
    error::{Failure, StoreError},
    row::{self, FixedKey, Row},
    schema::Table,
    volume,
};
use redb::{ReadTransaction, ReadableTable, WriteTransaction};
use std::{
    cell::Cell,
    ops::{ControlFlow, RangeInclusive},
};

/// Reading.
pub(crate) trait Rows {
    /// Runs `read` on the stored value, without copying it.
    fn value<K: FixedKey, T>(
        &self,
        table: &Table<K>,
        key: &K,
        read: impl FnOnce(&[u8]) -> T,
    ) -> Result<Option<T>, StoreError>;

    /// Gives each entry of a range to `visit`, in order, until it breaks off.
    fn each<K: FixedKey>(
        &self,
        table: &Table<K>,
        range: RangeInclusive<K>,
        visit: impl FnMut(K, &[u8]) -> Result<ControlFlow<()>, StoreError>,
    ) -> Result<(), StoreError>;

    /// A row, if there is one.
    fn row<R: Row>(&self, key: &R::Key) -> Result<Option<R>, StoreError> {
        self.value(&R::TABLE, key, |bytes| row::decode(key, bytes))?.transpose()
    }

    /// A row that says who may do what. Without it nobody can show a capability, so damage of it is the refusal of what is
    /// not there, and the operator's to know.
    fn guard<R: Row>(&self, key: &R::Key) -> Result<Option<R>, StoreError> {
        self.row(key).map_err(refuse_damage)
    }

    /// A copy of the value, if there is one.
    fn copy<K: FixedKey>(&self, table: &Table<K>, key: &K) -> Result<Option<Vec<u8>>, StoreError> {
        self.value(table, key, <[u8]>::to_vec)
    }

    /// Whether there is an entry.
    fn holds<K: FixedKey>(&self, table: &Table<K>, key: &K) -> Result<bool, StoreError> {
        Ok(self.value(table, key, |_| ())?.is_some())
    }
}

/// What is committed at one moment.
pub(crate) struct Snapshot(ReadTransaction);

impl Snapshot {
    /// What is committed at this moment.
    pub(crate) fn take(database: &Contained) -> Result<Self, StoreError> {
        database.begin_read().map(Self).map_err(StoreError::Database)
    }
}

#[cfg(test)]
impl Snapshot {
    /// redb's transaction, to look at everything.
    pub(crate) fn transaction(&self) -> &ReadTransaction {
        &self.0
    }
}

/// The batch's transaction, to check an operation against all that comes before it.
pub(crate) struct Checking<'t>(pub(crate) &'t WriteTransaction);

macro_rules! impl_rows {
    ($type:ty) => {
        impl Rows for $type {
            fn value<K: FixedKey, T>(
                &self,
                table: &Table<K>,
                key: &K,
                read: impl FnOnce(&[u8]) -> T,
            ) -> Result<Option<T>, StoreError> {
                reading(table, || {
                    let entries = self.0.open_table(table.definition()).map_err(Failure::of)?;
                    let value = entries.get(key).map_err(Failure::of)?;
                    Ok(value.map(|value| read(value.value())))
                })
            }

            fn each<K: FixedKey>(
                &self,
                table: &Table<K>,
                range: RangeInclusive<K>,
                mut visit: impl FnMut(K, &[u8]) -> Result<ControlFlow<()>, StoreError>,
            ) -> Result<(), StoreError> {
                reading(table, || {
                    let entries = self.0.open_table(table.definition()).map_err(Failure::of)?;
                    for entry in entries.range(range).map_err(Failure::of)? {
                        let (key, value) = entry.map_err(Failure::of)?;
                        match visit(key.value(), value.value()) {
                            Ok(ControlFlow::Continue(())) => {}
                            Ok(ControlFlow::Break(())) => break,
                            Err(error) => return Ok(Err(error)),
                        }
                    }
                    Ok(Ok(()))
                })?
            }
        }
    };
}
impl_rows!(Snapshot);
impl_rows!(Checking<'_>);

/// What damage is to somebody who has shown no capability: the one refusal. The operator is told.
pub(crate) fn refuse_damage(error: StoreError) -> StoreError {
    match error {
        StoreError::Damaged(table) => {
            tracing::error!(table, "a stored row is damaged: what it belongs to is refused to everyone");
            StoreError::Refused
        }
        error => error,
    }
}

/// Reads a table. Damage that redb notices, in whatever way, is that of the table and not of the whole database.
fn reading<K: FixedKey, T>(
    table: &Table<K>,
    work: impl FnOnce() -> Result<T, Failure>,
) -> Result<T, StoreError> {
    match contained(work) {
        None => Err(StoreError::Damaged(table.name)),
        Some(Err(failure)) if failure.is_damage() => Err(StoreError::Damaged(table.name)),
        Some(result) => result.map_err(StoreError::Database),
    }
}

/// What a batch changed, beyond its rows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Bytes in use that came and went.
    pub(crate) volume: i64,
    /// Whether anything was doomed.
    pub(crate) doomed: bool,
}

/// Writing. The only errors are the database's, and each of them ends the whole batch.
pub(crate) struct Changes<'t> {
    transaction: &'t WriteTransaction,
    tally: Cell<Tally>,
}

impl<'t> Changes<'t> {
    /// Changes within a transaction.
    pub(crate) fn new(transaction: &'t WriteTransaction) -> Self {
        Self { transaction, tally: Cell::default() }
    }

    /// Writes a row over whatever was there.
    pub(crate) fn put<R: Row>(&self, key: &R::Key, row: &R) -> Result<(), Failure> {
        self.put_bytes(&R::TABLE, key, &row::encode(key, row))
    }

    /// Writes a value over whatever was there.
    pub(crate) fn put_bytes<K: FixedKey>(
        &self,
        table: &Table<K>,
        key: &K,
        value: &[u8],
    ) -> Result<(), Failure> {
        let mut entries = self.transaction.open_table(table.definition()).map_err(Failure::of)?;
        let replaced = entries.insert(key, value).map_err(Failure::of)?;
        let length = K::as_bytes(key).as_ref().len();
        let before = replaced.map_or(0, |replaced| volume::of(length, replaced.value().len()));
        self.count(volume::of(length, value.len()).saturating_sub(before));
        Ok(())
    }

    /// Writes a value that lies in several parts over whatever was there.
    pub(crate) fn put_parts<K: FixedKey>(
        &self,
        table: &Table<K>,
        key: &K,
        parts: [&[u8]; 3],
    ) -> Result<(), Failure> {
        let mut entries = self.transaction.open_table(table.definition()).map_err(Failure::of)?;
        let replaced = entries.get(key).map_err(Failure::of)?.map(|replaced| replaced.value().len());
        let value_length = parts.iter().map(|part| part.len()).sum();
        let mut place = entries.insert_reserve(key, value_length).map_err(Failure::of)?;
        let mut rest = place.as_mut();
        for part in parts {
            // There is room for exactly these.
            let (here, after) = rest.split_at_mut(part.len());
            here.copy_from_slice(part);
            rest = after;
        }
        let length = K::as_bytes(key).as_ref().len();
        let before = replaced.map_or(0, |replaced| volume::of(length, replaced));
        self.count(volume::of(length, value_length).saturating_sub(before));
        Ok(())
    }

    /// Removes an entry, if there is one.
    pub(crate) fn remove<K: FixedKey>(&self, table: &Table<K>, key: &K) -> Result<(), Failure> {
        let mut entries = self.transaction.open_table(table.definition()).map_err(Failure::of)?;
        let removed = entries.remove(key).map_err(Failure::of)?;
        let length = K::as_bytes(key).as_ref().len();
        self.count(removed.map_or(0, |removed| volume::of(length, removed.value().len()).saturating_neg()));
        Ok(())
    }

    /// Notes that there is something to be removed step by step.
    pub(crate) fn note_doomed(&self) {
        self.tally.set(Tally { doomed: true, ..self.tally.get() });
    }

    /// What was changed so far.
    pub(crate) fn tally(&self) -> Tally {
        self.tally.get()
    }

    fn count(&self, bytes: i64) {
        let tally = self.tally.get();
        self.tally.set(Tally { volume: tally.volume.saturating_add(bytes), ..tally });
    }
}
