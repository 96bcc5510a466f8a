//! redb, held so that a damaged page is an error and not the end of the process.
//!
//! redb verifies nothing when it reads a page, and panics where a damaged one makes no sense. Every call that may read
//! a page therefore goes through [`contained`]: what panics is damage. In reading, that is damage of one object, and
//! others are served. In writing and in opening it is fatal, because the transaction may be half done: the store is to
//! be opened again. (A program built with `panic = "abort"` has no containment: there, damage of a page's structure
//! ends the process, and its supervisor starts it again.)

use crate::error::Failure;
use redb::{Database, ReadTransaction, ReadableDatabase, WriteTransaction};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs what calls redb; `None` if it panicked. Whatever `work` was changing must not be used after that.
pub(crate) fn contained<T>(work: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(work)).ok()
}

/// An open database.
pub(crate) struct Contained {
    /// `None` only while being dropped.
    database: Option<Database>,
}

impl Contained {
    /// Takes a database over.
    pub(crate) fn new(database: Database) -> Self {
        Self { database: Some(database) }
    }

    /// Begins to read what is committed at this moment.
    pub(crate) fn begin_read(&self) -> Result<ReadTransaction, Failure> {
        self.with(|database| database.begin_read().map_err(Failure::of))
    }

    /// Begins a transaction whose commit is durable, and from which an unclean end is repaired in no time.
    pub(crate) fn begin_write(&self) -> Result<WriteTransaction, Failure> {
        self.with(|database| {
            let mut transaction = database.begin_write().map_err(Failure::of)?;
            transaction.set_quick_repair(true);
            Ok(transaction)
        })
    }

    fn with<T>(&self, work: impl FnOnce(&Database) -> Result<T, Failure>) -> Result<T, Failure> {
        let database = self.database.as_ref().ok_or_else(Failure::damaged_page)?;
        contained(|| work(database)).unwrap_or_else(|| Err(Failure::damaged_page()))
    }
}

impl Drop for Contained {
    fn drop(&mut self) {
        // Closing writes, and so it reads.
        let database = self.database.take();
        contained(move || drop(database));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_contained_and_a_result_passes() {
        assert_eq!(contained(|| 7), Some(7));
        assert_eq!(contained(|| panic!("a damaged page")), None::<()>);
    }
}
