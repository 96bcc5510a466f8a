//! The line between the agent and its relay: it breaks, falls silent, and comes back.

use crate::scene::AT_MOST;
use nightdrop_tests::lying::{After, Answer, Asked, Lie};
use nightdrop_wire::{endpoint::Endpoint, ids::BlobId};
use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
};
use tokio::{sync::watch, time::timeout};

/// What a line does when so many chunks have passed.
#[derive(Clone, Copy)]
enum Then {
    /// Every request ends without an answer.
    Breaks,
    /// No request is ever answered, and none ends.
    FallsSilent,
}

/// Clones are the same line.
#[derive(Clone)]
pub(crate) struct Line {
    then: Then,
    passes: usize,
    /// No chunk of these is ever answered for.
    silent_for: BTreeSet<BlobId>,
    /// Which chunks the relay has answered for.
    taken: Arc<Mutex<BTreeSet<(BlobId, u32)>>>,
    /// How many requests came when it was over.
    over: Arc<watch::Sender<usize>>,
}

impl Line {
    fn of(then: Then, passes: usize) -> Self {
        let silent_for = BTreeSet::new();
        Self { then, passes, silent_for, taken: Arc::default(), over: Arc::default() }
    }

    pub(crate) fn breaks_after(chunks: usize) -> Self {
        Self::of(Then::Breaks, chunks)
    }

    pub(crate) fn is_dead() -> Self {
        Self::breaks_after(0)
    }

    pub(crate) fn falls_silent_after(chunks: usize) -> Self {
        Self::of(Then::FallsSilent, chunks)
    }

    pub(crate) fn silent_for(self, silent_for: BTreeSet<BlobId>) -> Self {
        Self { silent_for, ..self }
    }

    pub(crate) fn blobs(&self) -> BTreeSet<BlobId> {
        self.taken().into_iter().map(|(blob, _)| blob).collect()
    }

    pub(crate) fn taken(&self) -> BTreeSet<(BlobId, u32)> {
        self.taken.lock().unwrap().clone()
    }

    /// Returns when so many requests in all came after its end.
    pub(crate) async fn was_in_vain(&self, times: usize) {
        timeout(AT_MOST, self.over.subscribe().wait_for(|count| *count >= times)).await.unwrap().unwrap();
    }

    fn lets_pass(&self, endpoint: &Endpoint) -> bool {
        let mut taken = self.taken.lock().unwrap();
        let is_over = taken.len() >= self.passes;
        match endpoint {
            Endpoint::PutChunk(blob, _) if self.silent_for.contains(blob) => false,
            Endpoint::PutChunk(blob, index) if !is_over => {
                taken.insert((*blob, *index));
                true
            }
            Endpoint::PutChunk(blob, index) => taken.contains(&(*blob, *index)),
            _ => !is_over,
        }
    }
}

impl Lie for Line {
    /// A chunk that does not pass does not come to the relay.
    fn ask(&self, asked: &Asked) -> Asked {
        let is_chunk = matches!(asked.endpoint, Endpoint::PutChunk(..));
        if !is_chunk || self.lets_pass(&asked.endpoint) {
            return asked.clone();
        }
        Asked::plain(Endpoint::RelayInfo)
    }

    fn answer(&self, asked: &Asked, honest: Answer) -> Answer {
        if self.lets_pass(&asked.endpoint) {
            return honest;
        }
        self.over.send_modify(|count| *count += 1);
        let is_silent =
            matches!(&asked.endpoint, Endpoint::PutChunk(blob, _) if self.silent_for.contains(blob));
        let after = match self.then {
            Then::Breaks if !is_silent => After::End,
            _ => After::Silence,
        };
        Answer { after, ..Answer::new(0, Vec::new()) }
    }
}
