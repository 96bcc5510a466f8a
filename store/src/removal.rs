//! What ended is removed in small steps: the end of a blob is one short transaction, after which nobody reads it, its
//! key is erased and its id is never made again; its chunks stand in a queue and are removed a few with each commit,
//! between the writes of others.
//!
//! ```text
//! the blob's row ──end──▶ doomed ──its last chunk removed──▶ nothing
//!                           └──────a page of it is damaged──▶ set aside
//! ```
//! A crash leaves the queue as it was after some step, and the next opening goes on from there. A damaged page is met by
//! reading before it is met by writing, where it would be fatal: what cannot be read is left where it is, the operator
//! is told once, and it is not touched again.

use crate::{
    chunks,
    database::Contained,
    error::{Failure, StoreError},
    room::scattered,
    row::{self, Row},
    schema::{CHUNKS, ChunkHashRow, DoomedRow, MANIFESTS, SetAsideRow},
    transaction::{Changes, Rows, Snapshot},
};
use nightdrop_wire::ids::BlobId;
use std::ops::ControlFlow;

/// Dooms what is left of a blob whose row is gone.
pub(crate) fn doom(changes: &Changes<'_>, blob: BlobId) -> Result<(), Failure> {
    changes.note_doomed();
    changes.put(blob.as_bytes(), &DoomedRow { next: 0, damaged: 0 })
}

/// One step of the removal.
pub(crate) struct Step {
    blob: BlobId,
    work: Work,
}

enum Work {
    /// Removes what was found readable.
    Remove { chunks: Vec<Found>, manifest: bool, row: DoomedRow, last: bool },
    /// Nothing says what of the blob is left.
    SetAside { damaged: u32 },
}

/// A chunk that is to be removed, or at least its hash.
struct Found {
    n: u32,
    readable: bool,
}

impl Step {
    /// The next step, of so many chunks at most; `None` if nothing is doomed.
    pub(crate) fn next(database: &Contained, chunks: usize) -> Result<Option<Self>, StoreError> {
        let rows = Snapshot::take(database)?;
        let mut first = None;
        rows.each(&DoomedRow::TABLE, [0; 16]..=[0xff; 16], |blob, bytes| {
            first = Some((BlobId::from_bytes(blob), row::decode::<DoomedRow>(&blob, bytes)));
            Ok(ControlFlow::Break(()))
        })?;
        let Some((blob, row)) = first else { return Ok(None) };
        let work = row.and_then(|row| look(&rows, blob, &row, chunks));
        let work = match work {
            Err(StoreError::Damaged(_)) => Work::SetAside { damaged: 0 },
            work => work?,
        };
        Ok(Some(Self { blob, work }))
    }

    /// The step that gives a blob up, because this one failed.
    pub(crate) fn give_up(&self) -> Self {
        let damaged = match &self.work {
            Work::Remove { row, .. } => row.damaged,
            Work::SetAside { damaged } => *damaged,
        };
        Self { blob: self.blob, work: Work::SetAside { damaged } }
    }

    /// Whether it already is the step that gives a blob up.
    pub(crate) const fn gives_up(&self) -> bool {
        matches!(self.work, Work::SetAside { .. })
    }

    /// Bytes that it adds to a commit: a page beside that of each chunk, since their hashes stand next to each other.
    pub(crate) fn weight(&self) -> usize {
        match &self.work {
            Work::Remove { chunks, .. } => scattered(chunks.len()),
            Work::SetAside { .. } => 0,
        }
    }

    /// Tells the operator what will not be removed; once the step is committed, so that it is said once.
    pub(crate) fn report(&self) {
        let damaged = match &self.work {
            Work::Remove { row, last: true, .. } if row.damaged > 0 => row.damaged,
            Work::SetAside { damaged } => *damaged,
            Work::Remove { .. } => return,
        };
        tracing::error!(
            damaged,
            "a part of what ended is damaged: it cannot be read any more, and its space is not used again"
        );
    }

    /// Writes it.
    pub(crate) fn write(&self, changes: &Changes<'_>) -> Result<(), Failure> {
        let blob = self.blob.as_bytes();
        let (damaged, done) = match &self.work {
            Work::SetAside { damaged } => (Some(*damaged), true),
            Work::Remove { chunks, manifest, row, last } => {
                for found in chunks {
                    if found.readable {
                        changes.remove(&CHUNKS, &(*blob, found.n))?;
                    }
                    changes.remove(&ChunkHashRow::TABLE, &(*blob, found.n))?;
                }
                if *manifest {
                    changes.remove(&MANIFESTS, blob)?;
                }
                changes.put(blob, row)?;
                (Some(row.damaged).filter(|damaged| *damaged > 0), *last)
            }
        };
        if done {
            changes.remove(&DoomedRow::TABLE, blob)?;
            if let Some(damaged) = damaged {
                changes.put(blob, &SetAsideRow { damaged })?;
            }
        }
        Ok(())
    }
}

/// Looks what is to be removed next, and whether it can be read.
fn look(rows: &Snapshot, blob: BlobId, row: &DoomedRow, most: usize) -> Result<Work, StoreError> {
    let mut damaged = row.damaged;
    let manifest = row.next == 0 && readable(rows.holds(&MANIFESTS, blob.as_bytes()), &mut damaged)?;
    let (mut held, mut last) = (Vec::new(), true);
    rows.each(&ChunkHashRow::TABLE, chunks::from(blob, row.next), |(_, n), _| {
        if held.len() >= most.max(1) {
            last = false;
            return Ok(ControlFlow::Break(()));
        }
        held.push(n);
        Ok(ControlFlow::Continue(()))
    })?;
    let mut chunks = Vec::with_capacity(held.len());
    for n in held {
        let readable = readable(rows.holds(&CHUNKS, &(*blob.as_bytes(), n)), &mut damaged)?;
        chunks.push(Found { n, readable });
    }
    let next = chunks.last().map_or(row.next, |found| found.n.saturating_add(1));
    Ok(Work::Remove { chunks, manifest, row: DoomedRow { next, damaged }, last })
}

/// Whether there is something that can be removed; counts what is damaged.
fn readable(held: Result<bool, StoreError>, damaged: &mut u32) -> Result<bool, StoreError> {
    match held {
        Err(StoreError::Damaged(_)) => {
            *damaged = damaged.saturating_add(1);
            Ok(false)
        }
        held => held,
    }
}
