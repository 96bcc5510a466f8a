//! The one thread that writes: operations are gathered into batches, each batch is one transaction.
//!
//! Batching is natural: while one commit syncs, the next operations queue up, and all of them (up to the limits) form
//! the next batch. So a lone operation waits for nothing, and many share one sync. What is doomed is removed between
//! batches, a step after each as long as there is anything, and without pause while nobody else writes.
//!
//! Invariants: an operation is answered after its batch's commit; any error of the database ends the batch, and all
//! its operations are answered with that error; a commit that failed is never tried again, because the kernel may have
//! dropped the pages that it could not write: the thread ends, and with it the store's writing. Before each commit the
//! disk is asked for room, so that none fails for want of it.

use crate::{
    blobs::WEIGHT_OF_END,
    database::{Contained, contained},
    error::{Failure, StoreError},
    limits::StoreLimits,
    operation::Job,
    removal::Step,
    room::{AskRoom, Budget, Gauge, Need},
    schema::{META, VOLUME},
    transaction::{Changes, Tally},
};
use redb::WriteTransaction;
use std::sync::Arc;
use tokio::sync::{
    mpsc::{self, error::TryRecvError},
    watch,
};

/// What the thread owns.
pub(crate) struct Writer {
    /// The database.
    pub(crate) database: Arc<Contained>,
    /// Operations to come; closed when the store is.
    pub(crate) queue: mpsc::Receiver<Box<dyn Job>>,
    /// Limits of a batch.
    pub(crate) limits: StoreLimits,
    /// Asks the disk for room.
    pub(crate) room: Box<AskRoom>,
    /// What is known of free pages within the file.
    pub(crate) gauge: Gauge,
    /// Bytes of the file that are in use.
    pub(crate) held: u64,
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

/// The store can write no more, and its owner knows.
struct Stop;

/// Whether there is something to remove.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Removal {
    /// There may be.
    Due,
    /// There is nothing.
    Idle,
    /// Not until somebody else has written.
    Later,
}

impl Writer {
    /// Runs until the store is closed or a commit fails.
    pub(crate) fn run(mut self) {
        let mut alarm = Alarm { failed: self.failed.clone(), armed: true };
        if self.work().is_ok() {
            alarm.armed = false;
        }
    }

    fn work(&mut self) -> Result<(), Stop> {
        // What an earlier run left.
        let mut removal = Removal::Due;
        loop {
            let first = if removal == Removal::Due {
                match self.queue.try_recv() {
                    Err(TryRecvError::Disconnected) => return Ok(()),
                    first => first.ok(),
                }
            } else {
                match self.queue.blocking_recv() {
                    None => return Ok(()),
                    first => first,
                }
            };
            if let Some(first) = first
                && (self.write(first)? || removal == Removal::Later)
            {
                removal = Removal::Due;
            }
            if removal == Removal::Due {
                removal = self.remove()?;
            }
        }
    }

    /// Writes the first operation and those that wait behind it; tells whether anything was doomed.
    fn write(&mut self, first: Box<dyn Job>) -> Result<bool, Stop> {
        let mut batch = self.gather(first);
        let ended = self
            .contain(|writer| writer.commit(|transaction, budget| run_all(&mut batch, transaction, budget)));
        let (result, doomed) = match &ended {
            Ok(tally) => (Ok(()), tally.is_some_and(|tally| tally.doomed)),
            Err(Ended::Aborted(failure) | Ended::Fatal(failure)) => {
                (Err(StoreError::Database(failure.clone())), false)
            }
        };
        // Before the answers, so that nobody who hears of the failure finds the store still accepting.
        let stop = matches!(ended, Err(Ended::Fatal(_))).then(|| self.stop());
        batch.into_iter().for_each(|job| job.answer(&result));
        stop.map_or(Ok(doomed), Err)
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

    /// Removes a little of what is doomed.
    fn remove(&mut self) -> Result<Removal, Stop> {
        let step = match Step::next(&self.database, self.limits.removal_chunks) {
            Ok(Some(step)) => step,
            Ok(None) => return Ok(Removal::Idle),
            Err(error) => {
                tracing::error!(%error, "what ended cannot be removed");
                return Ok(Removal::Idle);
            }
        };
        match self.take(&step) {
            Ok(None) => return Ok(Removal::Later),
            Ok(Some(_)) => step.report(),
            Err(ended) => {
                if step.gives_up() {
                    return Err(self.stop());
                }
                // Whatever happens next: this blob shall not be met again at the next opening.
                let given_up = step.give_up();
                if let Ok(Some(_)) = self.take(&given_up) {
                    given_up.report();
                }
                if let Ended::Fatal(_) = ended {
                    return Err(self.stop());
                }
            }
        }
        Ok(Removal::Due)
    }

    fn take(&mut self, step: &Step) -> Result<Option<Tally>, Ended> {
        self.contain(|writer| {
            writer.commit(|transaction, budget| {
                if !budget.admits(Need::Least, WEIGHT_OF_END) {
                    return Ok(None);
                }
                let changes = Changes::new(transaction);
                step.write(&changes)?;
                Ok(Some(changes.tally()))
            })
        })
    }

    /// A panic is redb's at a damaged page: nothing says what of the transaction was done.
    fn contain<T>(&mut self, work: impl FnOnce(&mut Self) -> Result<T, Ended>) -> Result<T, Ended> {
        contained(|| work(self)).unwrap_or_else(|| Err(Ended::Fatal(Failure::damaged_page())))
    }

    /// Runs `write` in a transaction and commits what it wrote, if anything.
    fn commit(
        &mut self,
        write: impl FnOnce(&WriteTransaction, &mut Budget) -> Result<Option<Tally>, Failure>,
    ) -> Result<Option<Tally>, Ended> {
        let reserve = self.limits.reserve_bytes;
        let room = (self.room)();
        let mut budget = room.map_or(Budget::NOTHING, |room| self.gauge.budget(room, self.held, reserve));
        // A transaction that cannot begin means that redb gave the file up.
        let transaction = self.database.begin_write().map_err(Ended::Fatal)?;
        let written = write(&transaction, &mut budget).and_then(|tally| {
            let Some(tally) = tally else { return Ok(None) };
            let held = self.held.saturating_add_signed(tally.volume);
            Changes::new(&transaction).put_bytes(&META, &VOLUME, &held.to_le_bytes())?;
            Ok(Some((tally, held)))
        });
        match written {
            Ok(Some((tally, held))) => {
                transaction.commit().map_err(|error| Ended::Fatal(Failure::of(error)))?;
                self.held = held;
                self.gauge.wrote(tally.volume);
                Ok(Some(tally))
            }
            Ok(None) => abort(transaction).map(|()| None),
            Err(failure) => {
                abort(transaction)?;
                Err(if failure.is_fatal() { Ended::Fatal(failure) } else { Ended::Aborted(failure) })
            }
        }
    }

    /// Takes no more operations, and tells the owner.
    fn stop(&mut self) -> Stop {
        self.queue.close();
        self.failed.send_replace(true);
        Stop
    }
}

/// Runs all operations; tells what they wrote, if anything.
fn run_all(
    batch: &mut [Box<dyn Job>],
    transaction: &WriteTransaction,
    budget: &mut Budget,
) -> Result<Option<Tally>, Failure> {
    let mut all: Option<Tally> = None;
    for job in batch {
        if let Some(tally) = job.run(transaction, budget)? {
            let before = all.unwrap_or_default();
            all = Some(Tally {
                volume: before.volume.saturating_add(tally.volume),
                doomed: before.doomed || tally.doomed,
            });
        }
    }
    Ok(all)
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
