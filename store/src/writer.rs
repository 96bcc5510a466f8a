//! The one thread that writes: operations are gathered into batches, each batch is one transaction.
//!
//! Batching is natural: while one commit syncs, the next operations queue up, and all of them (up to the limits) form
//! the next batch. So a lone operation waits for nothing, and many share one sync.
//!
//! Invariants: an operation is answered after its batch's commit; any error of the database ends the batch, and all
//! its operations are answered with that error; a commit that failed is never tried again, because the kernel may have
//! dropped the pages that it could not write: the thread ends, and with it the store's writing.

use crate::{
    database::{Contained, contained},
    error::{Failure, StoreError},
    limits::StoreLimits,
    operation::Job,
};
use redb::WriteTransaction;
use std::sync::Arc;
use tokio::sync::{mpsc, watch};

/// What the thread owns.
pub(crate) struct Writer {
    /// The database.
    pub(crate) database: Arc<Contained>,
    /// Operations to come; closed when the store is.
    pub(crate) queue: mpsc::Receiver<Box<dyn Job>>,
    /// Limits of a batch.
    pub(crate) limits: StoreLimits,
    /// Turns true when nothing can be written any more.
    pub(crate) failed: watch::Sender<bool>,
}

/// How a batch ended that was not committed.
enum Ended {
    /// Nothing of it is stored; the next one may succeed.
    Aborted(Failure),
    /// The file cannot be relied on any more.
    Fatal(Failure),
}

impl Writer {
    /// Runs until the store is closed or a commit fails.
    pub(crate) fn run(mut self) {
        let mut alarm = Alarm { failed: self.failed.clone(), armed: true };
        while let Some(first) = self.queue.blocking_recv() {
            let mut batch = self.gather(first);
            // A panic is redb's at a damaged page: nothing says what of the transaction was done.
            let ended = contained(|| self.commit(&mut batch));
            let ended = ended.unwrap_or_else(|| Err(Ended::Fatal(Failure::damaged_page())));
            let fatal = matches!(ended, Err(Ended::Fatal(_)));
            let result = ended
                .map_err(|(Ended::Aborted(failure) | Ended::Fatal(failure))| StoreError::Database(failure));
            if fatal {
                // Before the answers, so that nobody who hears of the failure finds the store still accepting.
                self.queue.close();
                drop(alarm);
                batch.into_iter().for_each(|job| job.answer(&result));
                return;
            }
            batch.into_iter().for_each(|job| job.answer(&result));
        }
        alarm.armed = false;
    }

    /// The first operation and those that already wait behind it.
    fn gather(&mut self, first: Box<dyn Job>) -> Vec<Box<dyn Job>> {
        let mut bytes = first.weight();
        let mut batch = vec![first];
        while batch.len() < self.limits.batch_operations && bytes < self.limits.batch_bytes {
            let Ok(next) = self.queue.try_recv() else { break };
            bytes = bytes.saturating_add(next.weight());
            batch.push(next);
        }
        batch
    }

    fn commit(&self, batch: &mut [Box<dyn Job>]) -> Result<(), Ended> {
        // A transaction that cannot begin means that redb gave the file up.
        let transaction = self.database.begin_write().map_err(Ended::Fatal)?;
        match run_all(batch, &transaction) {
            Ok(true) => transaction.commit().map_err(|error| Ended::Fatal(Failure::of(error))),
            Ok(false) => abort(transaction),
            Err(failure) => {
                abort(transaction)?;
                Err(if failure.is_fatal() { Ended::Fatal(failure) } else { Ended::Aborted(failure) })
            }
        }
    }
}

/// Runs all operations; tells whether any of them wrote.
fn run_all(batch: &mut [Box<dyn Job>], transaction: &WriteTransaction) -> Result<bool, Failure> {
    let mut wrote = false;
    for job in batch {
        wrote |= job.run(transaction)?;
    }
    Ok(wrote)
}

fn abort(transaction: WriteTransaction) -> Result<(), Ended> {
    transaction.abort().map_err(|error| Ended::Fatal(Failure::of(error)))
}

/// Raises the alarm when the thread ends in any other way than by the store being closed, a panic included.
struct Alarm {
    failed: watch::Sender<bool>,
    armed: bool,
}

impl Drop for Alarm {
    fn drop(&mut self) {
        if self.armed {
            self.failed.send_replace(true);
        }
    }
}
