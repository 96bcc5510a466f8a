//! Moving one file: up into a new blob, down from a link or from the home space; tickets. What is cut off can be gone on with.
//!
//! A transfer runs over lanes, each a circuit of its own with several streams; each stream carries one chunk at a time. Memory is one chunk per
//! stream, whatever the file's size.

mod claim;
mod content;
mod cut_off;
mod download;
mod funds;
mod gate;
mod held;
mod in_order;
mod journal;
mod lanes;
mod link;
mod output;
mod own_file;
mod pace;
mod partial;
mod refund;
mod resume;
mod sending;
mod source;
mod stream;
mod ticket;
mod underway;
mod unfinished;
mod upload;

pub use claim::Claims;
pub use content::Content;
pub use cut_off::{CutOff, Moved, Run};
pub use download::{Downloaded, Output, download_file, download_file_over, is_readable};
pub use funds::{Funds, with_funds};
pub use in_order::StreamOutput;
pub use journal::Journals;
pub use link::{OpenedLink, download_link};
pub use output::OutputPath;
pub use refund::{Refund, Refunds};
pub use resume::{Begun, Earlier, Prepared, find};
pub use source::Source;
pub use stream::Stream;
pub use ticket::{TicketTerms, destroy, end_ticket, make_ticket};
pub use unfinished::{Dropped, Unfinished, unfinished};
pub use upload::{NewUpload, Stored, Upload};

use std::{
    collections::BTreeSet,
    sync::atomic::{AtomicU32, Ordering},
};

/// Hears of a transfer's progress, in sealed bytes.
pub trait Progress: Send + Sync {
    /// The transfer is about to move this many bytes in all; 0 if that is not known.
    fn begin(&self, sealed_bytes: u64);
    /// So many more have arrived.
    fn advance(&self, sealed_bytes: u64);
    /// It runs over so many lanes now.
    fn lanes(&self, lanes: usize);
}

/// Nobody is watching.
impl Progress for () {
    fn begin(&self, _sealed_bytes: u64) {}
    fn advance(&self, _sealed_bytes: u64) {}
    fn lanes(&self, _lanes: usize) {}
}

/// Hands out the chunks of a transfer to its lanes, in order, each once.
#[derive(Debug)]
struct ChunkQueue {
    next: AtomicU32,
    chunks: u32,
    /// These are moved already.
    held: BTreeSet<u32>,
}

impl ChunkQueue {
    const fn new(chunks: u32) -> Self {
        Self { next: AtomicU32::new(0), chunks, held: BTreeSet::new() }
    }

    const fn without(chunks: u32, held: BTreeSet<u32>) -> Self {
        Self { next: AtomicU32::new(0), chunks, held }
    }

    /// How many it will hand out, before it has handed out any.
    fn left(&self) -> u32 {
        self.chunks.saturating_sub(u32::try_from(self.held.len()).unwrap_or(u32::MAX))
    }

    fn take(&self) -> Option<u32> {
        loop {
            // Never wraps: lanes stop at the end, and there are far fewer lanes than room above MAX_CHUNKS.
            let index = self.next.fetch_add(1, Ordering::Relaxed);
            if index >= self.chunks {
                return None;
            }
            if !self.held.contains(&index) {
                return Some(index);
            }
        }
    }
}
