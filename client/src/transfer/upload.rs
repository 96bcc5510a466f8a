//! Upload: new → paid → carried out → listed. Each step is a type that only the one before gives.
//!
//! What is about to be sent is written into the journal before; so an upload that is cut off can be gone on with, or dropped. When it fails for good, what
//! the relay got of it is destroyed as far as it can be reached.

use super::{
    Content, Progress,
    journal::{Journal, Journals},
    sending::Sending,
};
use crate::{ClientError, clock, limits::ClientLimits, random, relay::RelayLane, transport::Transport};
use nightdrop_envelope::{
    capability::BlobCapabilities,
    journal::JournalHead,
    key::FileKey,
    space::{FileRecord, SpacePath},
};
use nightdrop_wire::{
    messages::{blob::ChunkHash, credit::Credit},
    onion::OnionAddress,
};
use std::{collections::BTreeMap, sync::Arc};

/// An upload of which the relay has nothing, or nothing that needs no further credit.
#[derive(Debug)]
pub struct NewUpload {
    pub(super) journals: Journals,
    pub(super) content: Content,
    pub(super) name: SpacePath,
    pub(super) replace: bool,
    /// What an earlier run left.
    pub(super) left: Option<Left>,
}

/// The journal of an earlier run, locked.
#[derive(Debug)]
pub(super) enum Left {
    /// Its only request may yet come to the relay: it is sent again under the same names.
    Request(Box<Journal>),
    /// Its blob is destroyed. It stays until there is a new journal, so that the user hears of the upload if that never comes.
    Ended(Box<Journal>),
}

impl NewUpload {
    /// A file or stream that is to be stored under a name. Nothing is looked for.
    #[must_use]
    pub fn new(journals: &Journals, content: impl Into<Content>, name: SpacePath, replace: bool) -> Self {
        Self { journals: journals.clone(), content: content.into(), name, replace, left: None }
    }

    /// To be paid with this credit.
    #[must_use]
    pub fn pay(self, credit: Credit) -> Upload {
        let Self { journals, content, name, replace, left } = self;
        let ended = match left {
            Some(Left::Request(journal)) => {
                let stage = Stage::Again(journal, credit);
                return Upload { content, stage, held: BTreeMap::new() };
            }
            Some(Left::Ended(journal)) => Some(journal),
            None => None,
        };
        let stage = Stage::New { journals, name, replace, credit, ended };
        Upload { content, stage, held: BTreeMap::new() }
    }
}

/// An upload that can be carried out.
#[derive(Debug)]
pub struct Upload {
    pub(super) content: Content,
    pub(super) stage: Stage,
    /// Chunks that the relay holds, and that are what they would be if they were sealed again.
    pub(super) held: BTreeMap<u32, ChunkHash>,
}

#[derive(Debug)]
pub(super) enum Stage {
    New {
        journals: Journals,
        name: SpacePath,
        replace: bool,
        credit: Credit,
        /// The one whose place it takes.
        ended: Option<Box<Journal>>,
    },
    /// A blob of one chunk: the relay may have it yet.
    Again(Box<Journal>, Credit),
    /// The blob is there.
    Created(Box<Journal>),
}

/// An upload that is done, but for listing the file.
#[derive(Debug)]
pub struct Stored {
    file: FileRecord,
    journal: Arc<Journal>,
    can_be_sent_again: bool,
}

impl Stored {
    pub(super) const fn new(file: FileRecord, journal: Arc<Journal>, can_be_sent_again: bool) -> Self {
        Self { file, journal, can_be_sent_again }
    }

    /// Whether the file that it is of lies on this device; of a stream, or a file that is gone or changed, this may be the only copy.
    #[must_use]
    pub const fn can_be_sent_again(&self) -> bool {
        self.can_be_sent_again
    }

    /// What its owner keeps of it.
    #[must_use]
    pub const fn file(&self) -> &FileRecord {
        &self.file
    }

    /// The file is listed, or destroyed: nothing is left to go on with.
    ///
    /// # Errors
    /// [`ClientError::File`].
    pub fn done(self) -> Result<FileRecord, ClientError> {
        self.journal.remove()?;
        Ok(self.file)
    }
}

impl Upload {
    /// Bytes of its sealed chunks; 0 if it is not known.
    #[must_use]
    pub fn sealed_bytes(&self) -> u64 {
        self.content.sealed_bytes()
    }

    /// Whether it can be read only once.
    #[must_use]
    pub const fn is_stream(&self) -> bool {
        matches!(self.content, Content::Stream(_))
    }

    /// Stores it, beginning on a lane: a file of one chunk needs no other.
    ///
    /// # Errors
    /// [`ClientError`]; nothing that was stored before is touched. What can be gone on with is left as it is.
    pub async fn carry_out<T: Transport>(
        self,
        lane: &mut RelayLane<T>,
        (transport, relay, limits): (&T, &OnionAddress, &ClientLimits),
        progress: Arc<dyn Progress>,
    ) -> Result<Stored, ClientError> {
        progress.begin(self.content.sealed_bytes());
        progress.advance(self.content.held_bytes());
        let is_file = !self.is_stream();
        let begin = move || self.begin(progress);
        let (sending, credit) =
            tokio::task::spawn_blocking(begin).await.map_err(|_| ClientError::Stopped)??;
        let sending = Arc::new(sending);
        match sending.store(limits, lane, credit).await {
            Ok(file) => Ok(Stored::new(file, Arc::clone(&sending.journal), is_file)),
            Err(error) => {
                // Of a stream, threads may wait for input that never comes.
                if is_file {
                    sending.settle().await;
                }
                if sending.is_over(&error) {
                    // Best effort: the line may be what failed. Then it is left to be dropped.
                    let mut cleaning = RelayLane::isolated(transport, relay, limits).once();
                    sending.destroy(&mut cleaning).await;
                }
                Err(error)
            }
        }
    }

    /// Writes the journal, if there is none yet.
    fn begin(self, progress: Arc<dyn Progress>) -> Result<(Sending, Option<Credit>), ClientError> {
        let Self { content, stage, held } = self;
        let (journal, credit, is_repeated) = match stage {
            Stage::Created(journal) => (*journal, None, true),
            Stage::Again(journal, credit) => (*journal, Some(credit), true),
            Stage::New { journals, name, replace, credit, ended } => {
                let mut rng = random::system();
                let (capabilities, key) = (BlobCapabilities::generate(&mut rng), FileKey::generate(&mut rng));
                let times = (journals.keyring(), clock::seconds());
                let origin = content.origin().cloned();
                let head = JournalHead::new(times, capabilities, &key, (name, replace), origin);
                (journals.begin(head, ended.as_deref())?, Some(credit), false)
            }
        };
        Ok((Sending::new(content, journal, held, is_repeated, progress), credit))
    }
}
