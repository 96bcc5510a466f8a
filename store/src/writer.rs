//! The one thread that writes: operations are gathered into batches, each batch is one transaction.
//!
//! Batching is natural: while one commit syncs, the next operations queue up, and all of them (up to the limits) form
//! the next batch. So a lone operation waits for nothing, and many share one sync. What is doomed is removed between
//! batches, a step after each as long as there is anything, and without pause while nobody else writes. A step that does
//! not succeed, or that there is no room for, is tried again after a pause, which grows up to a limit.
//!
//! Invariants: an operation is answered after its batch's commit; any error of the database ends the batch, and all
//! its operations are answered with that error; a commit that failed is never tried again, because the kernel may have
//! dropped the pages that it could not write: the thread ends, and with it the store's writing. Before each commit the
//! disk is asked for room, so that none fails for want of it.

use crate::{
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
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{
    runtime::Runtime,
    sync::{
        mpsc::{self, error::TryRecvError},
        watch,
    },
    time::timeout_at,
};

/// What the thread owns.
pub(crate) struct Writer {
    /// The database.
    pub(crate) database: Arc<Contained>,
    /// Operations to come; closed when the store is.
    pub(crate) queue: mpsc::Receiver<Box<dyn Job>>,
    /// Waits for operations, and no longer than for a moment.
    pub(crate) runtime: Runtime,
    /// Limits of a batch.
    pub(crate) limits: StoreLimits,
    /// Asks the disk for room.
    pub(crate) room: Box<AskRoom>,
    /// What is known of free pages within the file.
    pub(crate) gauge: Gauge,
    /// Bytes of the file that are in use.
    pub(crate) held: u64,
    /// The same when the store was opened.
    pub(crate) held_at_first: u64,
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

/// What the removal waits for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Removal {
    /// Nothing: there may be something to remove.
    Due,
    /// That something is doomed: there is nothing.
    Idle,
    /// That this moment comes, because the last step did not succeed.
    Paused(Instant),
}

impl Removal {
    fn is_due(self) -> bool {
        match self {
            Self::Due => true,
            Self::Idle => false,
            Self::Paused(until) => until <= Instant::now(),
        }
    }
}

/// What the thread does next.
enum Next {
    /// It writes this operation, and those that wait behind it.
    Write(Box<dyn Job>),
    /// It removes.
    Remove,
    /// It ends: the store is closed.
    End,
}

/// What became of a step of the removal.
enum Removed {
    /// It was done.
    Step,
    /// There is nothing to remove.
    Nothing,
    /// It may succeed later.
    Failed,
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
        let mut pauses = Pauses::new(&self.limits);
        loop {
            match self.next(removal) {
                Next::End => return Ok(()),
                Next::Write(first) => {
                    if self.write(first)? {
                        removal = Removal::Due;
                    }
                }
                Next::Remove => {}
            }
            if removal.is_due() {
                removal = match self.remove(pauses.is_first())? {
                    Removed::Step => pauses.restart(Removal::Due),
                    Removed::Nothing => pauses.restart(Removal::Idle),
                    Removed::Failed => Removal::Paused(Instant::now() + pauses.next()),
                };
            }
        }
    }

    fn next(&mut self, removal: Removal) -> Next {
        let first = match removal {
            Removal::Due => match self.queue.try_recv() {
                Err(TryRecvError::Empty) => return Next::Remove,
                first => first.ok(),
            },
            Removal::Idle => self.queue.blocking_recv(),
            Removal::Paused(until) => {
                let queue = &mut self.queue;
                match self.runtime.block_on(async { timeout_at(until.into(), queue.recv()).await }) {
                    Err(_elapsed) => return Next::Remove,
                    Ok(first) => first,
                }
            }
        };
        first.map_or(Next::End, Next::Write)
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

    /// Removes a little of what is doomed; less if there is no room for more. Why not is told if it is to be told.
    fn remove(&mut self, tell: bool) -> Result<Removed, Stop> {
        for chunks in [self.limits.removal_chunks, 1] {
            let step = match Step::next(&self.database, chunks) {
                Ok(Some(step)) => step,
                Ok(None) => return Ok(Removed::Nothing),
                Err(error) => {
                    if tell {
                        tracing::error!(%error, "what ended cannot be removed: it is tried again");
                    }
                    return if error.is_fatal() { Err(self.stop()) } else { Ok(Removed::Failed) };
                }
            };
            match self.take(&step) {
                Ok(Some(_)) => {
                    step.report();
                    return Ok(Removed::Step);
                }
                Ok(None) => {}
                Err(ended) => return self.give_up(&step, &ended),
            }
        }
        Ok(Removed::Failed)
    }

    /// After a step that failed: whatever happens next, its blob shall not be met again at the next opening.
    fn give_up(&mut self, step: &Step, ended: &Ended) -> Result<Removed, Stop> {
        let mut removed = Removed::Failed;
        let mut fatal = matches!(ended, Ended::Fatal(_));
        if !step.gives_up() {
            let given_up = step.give_up();
            match self.take(&given_up) {
                Ok(Some(_)) => {
                    given_up.report();
                    removed = Removed::Step;
                }
                Ok(None) | Err(Ended::Aborted(_)) => {}
                Err(Ended::Fatal(_)) => fatal = true,
            }
        }
        if fatal { Err(self.stop()) } else { Ok(removed) }
    }

    fn take(&mut self, step: &Step) -> Result<Option<Tally>, Ended> {
        self.contain(|writer| {
            writer.commit(|transaction, budget| {
                if !budget.admits(Need::Least, step.weight()) {
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
        budget = budget.capped(self.held, self.held_at_first, self.limits.max_bytes);
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

/// How long the removal pauses: twice as long each time, until a step succeeds.
struct Pauses {
    first: Duration,
    longest: Duration,
    next: Duration,
}

impl Pauses {
    fn new(limits: &StoreLimits) -> Self {
        let (first, longest) = (limits.removal_pause, limits.longest_removal_pause);
        Self { first, longest, next: first }
    }

    /// Whether the last step succeeded.
    fn is_first(&self) -> bool {
        self.next == self.first
    }

    fn next(&mut self) -> Duration {
        let pause = self.next.min(self.longest);
        self.next = pause.saturating_mul(2);
        pause
    }

    fn restart(&mut self, removal: Removal) -> Removal {
        self.next = self.first;
        removal
    }
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
