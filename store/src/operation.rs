//! One operation on its way through the writer: it checks, writes, and is answered after the commit.

use crate::{
    error::{Failure, StoreError},
    transaction::{Changes, Checking},
};
use redb::WriteTransaction;
use tokio::sync::oneshot;

/// What checking found.
pub(crate) enum Checked<T, W> {
    /// It may be written, so.
    Write(W),
    /// What is asked for is already so.
    Already(T),
}

/// An operation of any type, as the writer sees it.
pub(crate) trait Job: Send {
    /// Bytes that it adds to the batch, roughly.
    fn weight(&self) -> usize;

    /// Checks and writes; tells whether anything was written. An error ends the whole batch.
    fn run(&mut self, transaction: &WriteTransaction) -> Result<bool, Failure>;

    /// Tells the caller, once the fate of the batch is known.
    fn answer(self: Box<Self>, batch: &Result<(), StoreError>);
}

/// An operation: `C` checks and gives what writes.
pub(crate) struct Operation<T, C> {
    weight: usize,
    check: Option<C>,
    outcome: Result<T, StoreError>,
    caller: oneshot::Sender<Result<T, StoreError>>,
}

impl<T, C> Operation<T, C> {
    /// An operation, and where its answer will come.
    pub(crate) fn new(weight: usize, check: C) -> (Self, oneshot::Receiver<Result<T, StoreError>>) {
        let (caller, answer) = oneshot::channel();
        (Self { weight, check: Some(check), outcome: Err(StoreError::Stopped), caller }, answer)
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

    fn run(&mut self, transaction: &WriteTransaction) -> Result<bool, Failure> {
        let Some(check) = self.check.take() else { return Ok(false) };
        match check(&Checking(transaction)) {
            Ok(Checked::Write(write)) => {
                self.outcome = Ok(write(&Changes(transaction))?);
                Ok(true)
            }
            Ok(Checked::Already(answer)) => {
                self.outcome = Ok(answer);
                Ok(false)
            }
            Err(StoreError::Database(failure)) => Err(failure),
            Err(refusal) => {
                self.outcome = Err(refusal);
                Ok(false)
            }
        }
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
