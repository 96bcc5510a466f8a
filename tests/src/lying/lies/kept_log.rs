//! A log of the liar's own: it begins with entries of its choice, and is kept as an honest relay keeps one.

use super::Swallow;
use crate::lying::{Answer, Asked, Lie};
use nightdrop_wire::{
    codec,
    endpoint::Endpoint,
    ids::SpaceId,
    limits::{MAX_ENTRIES, MAX_ENTRIES_BODY},
    messages::log::{Append, LogHead, LogPage, LogRoom},
    price,
    refusal::Refusal,
};
use serde_bytes::ByteBuf;
use sha2::{Digest, Sha256};
use std::sync::{Arc, Mutex};

/// Serves its own log in place of the honest relay's, which hears neither of reads nor of appends. Its heads are right, its
/// pages full, its appends one after the other: only what is in it is a lie. Clones are the same log.
#[derive(Debug, Clone)]
pub struct KeptLog {
    space: SpaceId,
    entries: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl KeptLog {
    /// The log of a space, as it begins.
    #[must_use]
    pub fn serving(space: SpaceId, entries: Vec<Vec<u8>>) -> Self {
        Self { space, entries: Arc::new(Mutex::new(entries)) }
    }

    /// What it holds.
    #[must_use]
    pub fn entries(&self) -> Vec<Vec<u8>> {
        self.entries.lock().unwrap().clone()
    }

    /// One more entry, whoever made it.
    pub fn push(&self, entry: Vec<u8>) {
        self.entries.lock().unwrap().push(entry);
    }

    /// Where a log of these entries stands.
    #[must_use]
    pub fn head(space: SpaceId, entries: &[Vec<u8>]) -> LogHead {
        entries.iter().fold(LogHead::before_first(space), |head, entry| LogHead {
            count: head.count + 1,
            hash: Sha256::new().chain_update(head.hash).chain_update(entry).finalize().into(),
        })
    }

    fn page(&self, from: u64) -> LogPage {
        let all = self.entries();
        let mut room = MAX_ENTRIES_BODY - 64;
        let fitting = all.iter().skip(usize::try_from(from).unwrap()).take(MAX_ENTRIES).take_while(|entry| {
            let fits = room >= entry.len() + 2;
            room = room.saturating_sub(entry.len() + 2);
            fits
        });
        let entries = fitting.cloned().map(ByteBuf::from).collect();
        let room = LogRoom {
            paid: price::LONGEST_LOG,
            taken: all.iter().map(|entry| price::of_entry(entry.len())).sum(),
        };
        LogPage { head: Self::head(self.space, &all), room, entries }
    }

    fn append(&self, append: Append) -> Answer {
        let mut entries = self.entries.lock().unwrap();
        if append.expected != Self::head(self.space, &entries) {
            return Answer::new(Refusal::Conflict.status(), Vec::new());
        }
        entries.extend(append.entries.into_iter().map(ByteBuf::into_vec));
        Answer::new(200, Vec::new())
    }

    fn is_meant(&self, asked: &Asked) -> bool {
        match asked.endpoint {
            Endpoint::ReadLog(space, _) | Endpoint::AppendLog(space) => space == self.space,
            _ => false,
        }
    }
}

impl Lie for KeptLog {
    fn ask(&self, asked: &Asked) -> Asked {
        if self.is_meant(asked) { Swallow::nothing() } else { asked.clone() }
    }

    fn answer(&self, asked: &Asked, honest: Answer) -> Answer {
        match asked.endpoint {
            Endpoint::ReadLog(space, from) if space == self.space => {
                Answer::new(200, codec::encode(&self.page(from)).unwrap())
            }
            Endpoint::AppendLog(space) if space == self.space => {
                self.append(codec::decode(&asked.body).unwrap())
            }
            _ => honest,
        }
    }
}
