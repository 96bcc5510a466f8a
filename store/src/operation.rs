//! One operation on its way through the writer: it checks, writes, and is answered after the commit.

use crate::{
    error::{Failure, StoreError},
    room::{Budget, Need, scattered},
    transaction::{Changes, Checking, Tally},
};
use redb::WriteTransaction;
use tokio::sync::oneshot;

/// What checking found.
pub(crate) enum Checked<T, W> {
    /// It may be written, so.
    Write(W),
    /// The same, where it changes so many rows more that stand anywhere in their tables.
    Scattered(usize, W),
    /// What is asked for is already so.
    Already(T),
}

/// An operation of any type, as the writer sees it.
pub(crate) trait Job: Send {
    /// Bytes that it adds to the batch, roughly.
    fn weight(&self) -> usize;

    /// Checks and writes, if there is room; tells what was written, if anything. An error ends the whole batch.
    fn run(&mut self, transaction: &WriteTransaction, budget: &mut Budget) -> Result<Option<Tally>, Failure>;

    /// Tells the caller, once the fate of the batch is known.
    fn answer(self: Box<Self>, batch: &Result<(), StoreError>);
}

/// An operation: `C` checks and gives what writes.
pub(crate) struct Operation<T, C> {
    need: Need,
    weight: usize,
    check: Option<C>,
    outcome: Result<T, StoreError>,
    caller: oneshot::Sender<Result<T, StoreError>>,
}

impl<T, C> Operation<T, C> {
    /// An operation, and where its answer will come.
    pub(crate) fn new(
        need: Need,
        weight: usize,
        check: C,
    ) -> (Self, oneshot::Receiver<Result<T, StoreError>>) {
        let (caller, answer) = oneshot::channel();
        (Self { need, weight, check: Some(check), outcome: Err(StoreError::Stopped), caller }, answer)
    }

    /// Keeps an answer for which nothing is written.
    fn decided(&mut self, outcome: Result<T, StoreError>) -> Option<Tally> {
        self.outcome = outcome;
        None
    }
}

impl<T, C, W> Job for Operation<T, C>
where
    T: Send,
    C: FnOnce(&Checking<'_>) -> Result<Checked<T, W>, StoreError> + Send,
    W: FnOnce(&Changes<'_>) -> Result<T, Failure>,
{
    fn weight(&self) -> usize {
        self.weight
    }

    fn run(&mut self, transaction: &WriteTransaction, budget: &mut Budget) -> Result<Option<Tally>, Failure> {
        let Some(check) = self.check.take() else { return Ok(None) };
        let (rows, write) = match check(&Checking(transaction)) {
            Ok(Checked::Write(write)) => (0, write),
            Ok(Checked::Scattered(rows, write)) => (rows, write),
            Ok(Checked::Already(answer)) => return Ok(self.decided(Ok(answer))),
            Err(StoreError::Database(failure)) => return Err(failure),
            Err(refusal) => return Ok(self.decided(Err(refusal))),
        };
        // After the check: only who may write learns that there is no room.
        if !budget.admits(self.need, self.weight.saturating_add(scattered(rows))) {
            return Ok(self.decided(Err(StoreError::Full)));
        }
        let changes = Changes::new(transaction);
        self.outcome = Ok(write(&changes)?);
        Ok(Some(changes.tally()))
    }

    fn answer(self: Box<Self>, batch: &Result<(), StoreError>) {
        // A refusal, too, may rest on what another operation of an aborted batch had written.
        let answer = match batch {
            Ok(()) => self.outcome,
            Err(error) => Err(error.clone()),
        };
        // Whoever no longer waits for the answer does not miss it.
        let _ = self.caller.send(answer);
    }
}
