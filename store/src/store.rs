//! The store's handle: reading from snapshots, queueing what writes.

use crate::{
    database::Contained,
    error::{Failure, StoreError},
    limits::StoreLimits,
    operation::{Checked, Job, Operation},
    room::Need,
    transaction::{Changes, Checking, Snapshot},
};
use std::{future::Future, pin::Pin, sync::Arc, thread::JoinHandle};
use tokio::sync::{mpsc, watch};

/// A write: what precedes it (reading, sealing) is done when this is made, it is queued when first polled, and it
/// gives its answer after the commit. Dropped before that, it may or may not be stored.
pub type Queued<T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send>>;

/// An open store. Clones share it; the last one to go closes it, after what is queued was written.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    database: Arc<Contained>,
    limits: StoreLimits,
    failed: watch::Receiver<bool>,
    /// `None` only while being dropped.
    queue: Option<mpsc::Sender<Box<dyn Job>>>,
    /// `None` only while being dropped.
    writer: Option<JoinHandle<()>>,
}

impl Store {
    pub(crate) fn new(
        database: Arc<Contained>,
        limits: StoreLimits,
        failed: watch::Receiver<bool>,
        queue: mpsc::Sender<Box<dyn Job>>,
        writer: JoinHandle<()>,
    ) -> Self {
        Self { inner: Arc::new(Inner { database, limits, failed, queue: Some(queue), writer: Some(writer) }) }
    }

    /// Waits until the store can write no more because a commit failed. Its owner must then exit: reopening repairs.
    pub async fn failed(&self) {
        let mut failed = self.inner.failed.clone();
        // The sender goes only with the thread, which raises the alarm first unless the store is closed.
        let _ = failed.wait_for(|failed| *failed).await;
    }

    /// Its limits.
    #[must_use]
    pub fn limits(&self) -> &StoreLimits {
        &self.inner.limits
    }

    /// What is committed at this moment.
    pub(crate) fn snapshot(&self) -> Result<Snapshot, StoreError> {
        Snapshot::take(&self.inner.database)
    }

    /// Queues an operation that makes the store grow: `check` decides and gives what writes. [`StoreError::Full`] if it
    /// may be done and there is no room.
    pub(crate) fn queue<T, C, W>(&self, weight: usize, check: C) -> Queued<T>
    where
        T: Send + 'static,
        C: FnOnce(&Checking<'_>) -> Result<Checked<T, W>, StoreError> + Send + 'static,
        W: FnOnce(&Changes<'_>) -> Result<T, Failure> + 'static,
    {
        self.queue_for(Need::Room, weight, check)
    }

    /// Queues an operation that is done with less room than others.
    pub(crate) fn queue_for<T, C, W>(&self, need: Need, weight: usize, check: C) -> Queued<T>
    where
        T: Send + 'static,
        C: FnOnce(&Checking<'_>) -> Result<Checked<T, W>, StoreError> + Send + 'static,
        W: FnOnce(&Changes<'_>) -> Result<T, Failure> + 'static,
    {
        // The handle stays with the operation, so that the store is not closed under it.
        let inner = Arc::clone(&self.inner);
        Box::pin(async move {
            let (operation, answer) = Operation::new(need, weight, check);
            let queue = inner.queue.as_ref().ok_or(StoreError::Stopped)?;
            queue.send(Box::new(operation)).await.map_err(|_| StoreError::Stopped)?;
            answer.await.map_err(|_| StoreError::Stopped)?
        })
    }
}

/// A write that failed before it was queued.
pub(crate) fn refused<T: Send + 'static>(error: StoreError) -> Queued<T> {
    Box::pin(std::future::ready(Err(error)))
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Store")
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        drop(self.queue.take());
        if let Some(writer) = self.writer.take() {
            // A panic of the thread has raised the alarm already.
            let _ = writer.join();
        }
    }
}
