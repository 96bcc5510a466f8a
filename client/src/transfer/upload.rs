//! Upload: new → paid → carried out → listed. Each step is a type that only the one before gives.
//!
//! What is about to be sent is written into the journal before; so an upload that is cut off can be gone on with, or dropped. When it fails for good, what
//! the relay got of it is destroyed as far as it can be reached.

use super::{
    Content, Funds, Progress,
    journal::{Journal, Journals},
    sending::Sending,
};
use crate::{
    ClientError, blocking::blocking, clock, limits::ClientLimits, payment::Payment, random, relay::RelayLane,
    transport::Transport,
};
use nightdrop_envelope::{
    capability::BlobCapabilities,
    journal::JournalHead,
    key::FileKey,
    space::{FileRecord, SpacePath},
};
use nightdrop_wire::{ids::BlobId, messages::blob::ChunkHash, onion::OnionAddress};
use std::{collections::BTreeMap, sync::Arc};

/// An upload of which the relay has nothing, or nothing that needs no further credit.
#[derive(Debug)]
pub struct NewUpload {
    pub(super) journals: Journals,
    pub(super) content: Content,
    pub(super) name: SpacePath,
    /// What has the name and gives way.
    pub(super) replaces: Option<BlobId>,
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
    /// A file or stream that is to be stored under a name, in the place of this blob or of none. Nothing is looked for.
    #[must_use]
    pub fn new(
        journals: &Journals,
        content: impl Into<Content>,
        name: SpacePath,
        replaces: Option<BlobId>,
    ) -> Self {
        Self { journals: journals.clone(), content: content.into(), name, replaces, left: None }
    }

    /// The blob whose place it may take.
    #[must_use]
    pub const fn replaces(&self) -> Option<BlobId> {
        self.replaces
    }

    /// What it costs, in units; a stream costs more as it comes.
    ///
    /// # Errors
    /// [`ClientError::Sealing`] if it is longer than any file that can be stored.
    pub fn price(&self) -> Result<u32, ClientError> {
        self.content.price()
    }

    /// To be paid with this payment.
    #[must_use]
    pub fn pay(self, payment: Payment) -> Upload {
        let Self { journals, content, name, replaces, left } = self;
        let ended = match left {
            Some(Left::Request(journal)) => {
                let stage = Stage::Again(journal, payment);
                return Upload { content, stage, held: BTreeMap::new(), funds: None };
            }
            Some(Left::Ended(journal)) => Some(journal),
            None => None,
        };
        let stage = Stage::New { journals, name, replaces, payment, ended };
        Upload { content, stage, held: BTreeMap::new(), funds: None }
    }
}

/// An upload that can be carried out.
#[derive(Debug)]
pub struct Upload {
    pub(super) content: Content,
    pub(super) stage: Stage,
    /// Chunks that the relay holds, and that are what they would be if they were sealed again.
    pub(super) held: BTreeMap<u32, ChunkHash>,
    /// What pays for a stream that is longer than was paid for.
    pub(super) funds: Option<Funds>,
}

#[derive(Debug)]
pub(super) enum Stage {
    New {
        journals: Journals,
        name: SpacePath,
        replaces: Option<BlobId>,
        payment: Payment,
        /// The one whose place it takes.
        ended: Option<Box<Journal>>,
    },
    /// The relay was perhaps asked for the blob before, and may have it yet.
    Again(Box<Journal>, Payment),
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

    /// The blob whose place it may take.
    #[must_use]
    pub fn replaces(&self) -> Option<BlobId> {
        self.journal.head().replaces
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
    /// The same, which asks for more as a stream gets longer.
    #[must_use]
    pub fn with_funds(self, funds: Funds) -> Self {
        Self { funds: Some(funds), ..self }
    }

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
        let (sending, payment) = blocking(begin).await??;
        let sending = Arc::new(sending);
        match sending.store(limits, lane, payment).await {
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
    fn begin(self, progress: Arc<dyn Progress>) -> Result<(Sending, Option<Payment>), ClientError> {
        let Self { content, stage, held, funds } = self;
        // Before anything is paid: a payment that is written down is spent, or lost with its journal.
        content.require_unchanged()?;
        let (journal, mut payment, is_repeated) = match stage {
            Stage::Created(journal) => (*journal, None, true),
            Stage::Again(journal, payment) => (*journal, Some(payment), true),
            Stage::New { journals, name, replaces, payment, ended } => {
                let mut rng = random::system();
                let (capabilities, key) = (BlobCapabilities::generate(&mut rng), FileKey::generate(&mut rng));
                let times = (journals.keyring(), clock::seconds());
                let origin = content.origin().cloned();
                let head = JournalHead::new(times, capabilities, &key, (name, replaces), origin);
                (journals.begin(head, ended.as_deref())?, Some(payment), false)
            }
        };
        if let Some(payment) = payment.as_mut().filter(|_| journal.kept().payment.is_empty()) {
            // Also when that fails: some of them may stand there.
            payment.stands_elsewhere();
            journal.note_payment(payment)?;
        }
        Ok((Sending::new(content, journal, held, is_repeated, funds, progress), payment))
    }
}
