//! Writing verified chunks to a stream in their order, while lanes fetch them side by side.
//!
//! A lane that has fetched ahead waits, so what is held is one chunk per lane. The lane that has the next chunk never waits: chunks are handed
//! out in order.

use crate::{ClientError, blocking::blocking};
use nightdrop_envelope::chunk::VerifiedChunk;
use std::{io, sync::Arc};
use tokio::sync::watch;

/// Where the bytes go; called from threads that may block.
pub type StreamOutput = Arc<dyn Fn(&[u8]) -> io::Result<()> + Send + Sync>;

/// A stream that takes chunks in their order.
pub(super) struct InOrder {
    output: StreamOutput,
    /// The chunk that is to be written next.
    next: watch::Sender<u32>,
}

impl InOrder {
    pub(super) fn new(output: StreamOutput) -> Self {
        Self { output, next: watch::Sender::new(0) }
    }

    /// Waits for its turn and writes; there is no way to write what was not verified.
    pub(super) async fn write(&self, index: u32, chunk: VerifiedChunk) -> Result<(), ClientError> {
        let mut next = self.next.subscribe();
        next.wait_for(|next| *next == index).await.map_err(|_| ClientError::Stopped)?;
        let output = Arc::clone(&self.output);
        let write = move || if chunk.content().is_empty() { Ok(()) } else { output(chunk.content()) };
        blocking(write).await?.map_err(ClientError::Output)?;
        self.next.send_modify(|next| *next += 1);
        Ok(())
    }
}

impl std::fmt::Debug for InOrder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { output: _, next } = self;
        f.debug_struct("InOrder").field("next", &*next.borrow()).finish_non_exhaustive()
    }
}
