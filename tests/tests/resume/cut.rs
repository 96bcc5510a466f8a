//! A relay that is busy after so many chunks, which ends a transfer as a broken line does; and what it saw.

use nightdrop_tests::lying::{Answer, Asked, Lie};
use nightdrop_wire::{endpoint::Endpoint, ids::BlobId, refusal::Refusal};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

/// Moves so many chunks, in either direction, and then is busy; counts what it moved.
#[derive(Clone)]
pub(crate) struct Stops {
    after: u32,
    moved: Arc<AtomicU32>,
}

impl Stops {
    pub(crate) fn after(after: u32) -> Self {
        Self { after, moved: Arc::default() }
    }

    pub(crate) fn moved(&self) -> u32 {
        self.moved.load(Ordering::Relaxed)
    }
}

impl Lie for Stops {
    fn answer(&self, asked: &Asked, honest: Answer) -> Answer {
        let is_chunk = matches!(asked.endpoint, Endpoint::GetChunk(..) | Endpoint::PutChunk(..));
        if !is_chunk || !honest.is_success() {
            return honest;
        }
        let moved = self.moved.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |moved| {
            (moved < self.after).then_some(moved + 1)
        });
        if moved.is_ok() { honest } else { Answer::new(Refusal::Busy.status(), Vec::new()) }
    }
}

/// What a relay that keeps everything has of uploads.
#[derive(Default)]
pub(crate) struct Sent {
    /// Each chunk as it was sent, each time.
    pub(crate) chunks: BTreeMap<(BlobId, u32), Vec<Vec<u8>>>,
    /// How often a blob was made.
    pub(crate) created: u32,
    pub(crate) destroyed: BTreeSet<BlobId>,
}

impl Sent {
    pub(crate) fn add(&mut self, asked: Vec<Asked>) {
        for Asked { endpoint, authorization: _, body } in asked {
            match endpoint {
                Endpoint::PutChunk(blob, n) => self.chunks.entry((blob, n)).or_default().push(body),
                Endpoint::CreateBlob => self.created += 1,
                Endpoint::DestroyBlob(blob) => {
                    self.destroyed.insert(blob);
                }
                _ => {}
            }
        }
    }

    pub(crate) fn blobs(&self) -> BTreeSet<BlobId> {
        self.chunks.keys().map(|(blob, _)| *blob).collect()
    }

    /// How many chunks of a blob were sent, each once.
    pub(crate) fn of(&self, blob: BlobId) -> usize {
        self.chunks.keys().filter(|(sent, _)| *sent == blob).count()
    }

    /// How many requests with chunks there were.
    pub(crate) fn count(&self) -> usize {
        self.chunks.values().map(Vec::len).sum()
    }

    /// No two different chunks of one place were ever sealed with one nonce.
    pub(crate) fn assert_no_nonce_twice(&self) {
        for (place, sent) in &self.chunks {
            let different: BTreeSet<&Vec<u8>> = sent.iter().collect();
            let nonces: BTreeSet<&[u8]> = different.iter().map(|chunk| &chunk[..24]).collect();
            assert_eq!(nonces.len(), different.len(), "{place:?}");
        }
    }
}
