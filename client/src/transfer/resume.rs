//! Going on with an upload that was cut off: what its journal says, what the relay has of it, and what the file is now.
//!
//! Chunks that are held (see [`held`](super::held)) stay; every other one is sealed anew, under a fresh nonce.
//!
//! A file that is not what it was, in content or times, starts under a new key and blob, and the old blob is destroyed first.

use super::{
    Content, Source,
    content::FileContent,
    destroy,
    held::{finished_earlier, held_chunks, same_chunks},
    journal::{Found, Journal, Journals},
    upload::{Left, NewUpload, Stage, Stored, Upload},
};
use crate::{
    ClientError, blocking::blocking, clock, payment::Payment, relay::RelayLane, transport::Transport,
};
use nightdrop_envelope::{journal::JournalHead, space::SpacePath};
use nightdrop_wire::ids::BlobId;
use std::sync::Arc;

/// What this device knows of an upload before it asks anybody.
#[derive(Debug)]
pub enum Begun {
    /// Nothing.
    New(NewUpload),
    /// An earlier run was cut off.
    Earlier(Earlier),
}

/// An upload that was cut off, and the file that it is of. No other command can be at it.
#[derive(Debug)]
pub struct Earlier {
    journal: Box<Journal>,
    /// An error if it cannot be read, or is not what it was: then it can only be listed, if all of it was sent.
    file: Result<FileContent, ClientError>,
    /// What whoever goes on with it would replace if it began now.
    replaces: Option<BlobId>,
}

/// What is left to be done.
#[derive(Debug)]
pub enum Prepared {
    /// To list it.
    Stored(Stored),
    /// To send the rest.
    Upload(Upload),
    /// To pay, and send all of it.
    Unpaid(NewUpload),
}

/// Looks for what an earlier run left of the upload of this file or stream to this name, which takes the place of a blob or of none. Reads the disk.
///
/// # Errors
/// [`ClientError::TransferRunning`] if another command is at it; [`ClientError::File`].
pub fn find(
    journals: &Journals,
    content: impl Into<Content>,
    name: SpacePath,
    replaces: Option<BlobId>,
) -> Result<Begun, ClientError> {
    let file = match content.into() {
        Content::File(file) => file,
        stream @ Content::Stream(_) => {
            return Ok(Begun::New(NewUpload::new(journals, stream, name, replaces)));
        }
    };
    match journals.find(&file.source().origin().path, &name)? {
        Found::Kept(journal) => Ok(Begun::Earlier(Earlier { journal, file: Ok(file), replaces })),
        Found::Nothing => Ok(Begun::New(NewUpload::new(journals, Content::File(file), name, replaces))),
        Found::Damaged(damaged) => {
            // Nothing is known of its blob, which the relay forgets by itself.
            damaged.remove()?;
            Ok(Begun::New(NewUpload::new(journals, Content::File(file), name, replaces)))
        }
    }
}

impl Begun {
    /// The blob whose place it may take.
    #[must_use]
    pub const fn replaces(&self) -> Option<BlobId> {
        match self {
            Self::New(new) => new.replaces(),
            Self::Earlier(earlier) => earlier.replaces(),
        }
    }
}

impl Earlier {
    /// One whose file is what it was, or perhaps not needed because all of it was sent.
    pub(super) fn of_journal(journal: Box<Journal>, file: Result<Source, ClientError>) -> Self {
        let replaces = journal.head().replaces;
        Self { journal, file: file.map(FileContent::from), replaces }
    }

    /// Its blob. If that is listed, [`Self::is_listed`] comes next.
    #[must_use]
    pub const fn blob(&self) -> BlobId {
        self.journal.head().blob
    }

    /// The blob whose place it may take: what was to be replaced when it began, whatever the command that goes on says.
    #[must_use]
    pub const fn replaces(&self) -> Option<BlobId> {
        self.journal.head().replaces
    }

    /// Whether it may be listed by now, which is to be looked for in the newest state.
    #[must_use]
    pub const fn may_be_listed(&self) -> bool {
        // Of a journal that is damaged nobody knows whether it had an end.
        !self.journal.kept().ends.is_empty() || !self.journal.kept().is_sound
    }

    /// It was done but for its journal. What is left to be uploaded is the file as it is now, if it changed since.
    ///
    /// # Errors
    /// [`ClientError::File`].
    pub fn is_listed(self) -> Result<Option<NewUpload>, ClientError> {
        self.journal.remove()?;
        let Self { journal, file, replaces } = self;
        let changed = file.ok().filter(|file| !file.source().is_what_it_was(journal.head().origin.as_ref()));
        Ok(changed.map(|file| NewUpload { replaces, ..anew(&journal, file) }))
    }

    /// Finds out what is left to be done. Its blob must not be listed.
    ///
    /// # Errors
    /// [`ClientError`], also what is wrong with the file if it is needed; then everything is left as it was.
    pub async fn go_on<T: Transport>(self, lane: &mut RelayLane<T>) -> Result<Prepared, ClientError> {
        let Self { journal, file, replaces: _ } = self;
        let is_usable = journal.kept().is_sound && journal.head().keyring == journal.journals().keyring();
        let file = match file {
            Ok(file) => file,
            Err(unreadable) => {
                let ends = if is_usable { journal.kept().ends.as_slice() } else { &[] };
                let stored = finished_earlier(lane, journal.head(), ends).await?.ok_or(unreadable)?;
                return Ok(Prepared::Stored(Stored::new(stored, Arc::from(journal), false)));
            }
        };
        if !is_usable || !file.source().is_what_it_was(journal.head().origin.as_ref()) {
            return begin_anew(lane, journal, file).await;
        }
        if let Some(stored) = finished_earlier(lane, journal.head(), &journal.kept().ends).await? {
            return Ok(Prepared::Stored(Stored::new(stored, Arc::from(journal), true)));
        }
        let chunks = file.source().layout().chunks();
        let held = if chunks > 1 { held_chunks(lane, journal.head(), chunks).await? } else { None };
        let Some(held) = held else {
            let had_it = destroy_at_relay(lane, &journal).await?;
            return Ok(match paid(&journal, &file) {
                // The one request for it did not come to the relay, or has not come yet.
                Some(payment) if !had_it => Prepared::Upload(again(journal, file).pay(payment)),
                Some(_) | None => Prepared::Unpaid(instead(journal, file)),
            });
        };
        let compare = move || (same_chunks(&journal, file.source(), held), journal, file);
        let compared = blocking(compare).await?;
        match compared {
            (Err(error), ..) => Err(error),
            (Ok(Some(held)), journal, file) => {
                let content = Content::File(file.without(held.keys().copied().collect()));
                let stage = Stage::Created(journal);
                Ok(Prepared::Upload(Upload { content, stage, held, funds: None }))
            }
            (Ok(None), journal, file) => begin_anew(lane, journal, file).await,
        }
    }
}

/// Destroys what the relay has of it first. It is not forgotten before the new upload has a journal.
async fn begin_anew<T: Transport>(
    lane: &mut RelayLane<T>,
    journal: Box<Journal>,
    file: FileContent,
) -> Result<Prepared, ClientError> {
    destroy_at_relay(lane, &journal).await?;
    Ok(Prepared::Unpaid(instead(journal, file)))
}

/// In the place of one whose blob is destroyed.
fn instead(journal: Box<Journal>, file: FileContent) -> NewUpload {
    let new = anew(&journal, file);
    NewUpload { left: Some(Left::Ended(journal)), ..new }
}

/// To the same name, in the same place.
fn anew(journal: &Journal, file: FileContent) -> NewUpload {
    let JournalHead { name, replaces, .. } = journal.head();
    NewUpload::new(journal.journals(), Content::File(file), name.clone(), *replaces)
}

/// What was to pay for the blob, if it still can: shown for that blob, perhaps, and for no other.
fn paid(journal: &Journal, file: &FileContent) -> Option<Payment> {
    let payment = Payment::from(journal.kept().payment.clone());
    let is_good = payment.credits().iter().all(|credit| credit.expires() > clock::today());
    // Of a payment that was not all written down, nothing was shown.
    let price = file.price().ok()?;
    (is_good && payment.units() >= price).then_some(payment)
}

/// Under the same names, because the relay may yet get the one request of the earlier run: then it is not stored twice.
fn again(journal: Box<Journal>, file: FileContent) -> NewUpload {
    let new = anew(&journal, file);
    NewUpload { left: Some(Left::Request(journal)), ..new }
}

/// Destroys what the relay has of an upload and removes its journal, also when the relay says that it has nothing.
///
/// # Errors
/// [`ClientError`] if the relay cannot be reached: then the journal stays.
pub(super) async fn drop_at_relay<T: Transport>(
    lane: &mut RelayLane<T>,
    journal: &Journal,
) -> Result<(), ClientError> {
    destroy_at_relay(lane, journal).await?;
    journal.remove()
}

/// Whether the relay had it, or says so.
async fn destroy_at_relay<T: Transport>(
    lane: &mut RelayLane<T>,
    journal: &Journal,
) -> Result<bool, ClientError> {
    let JournalHead { blob, write_key, .. } = journal.head();
    match destroy(lane, *blob, write_key).await {
        Ok(refund) => {
            journal.journals().refunds().note(refund);
            Ok(true)
        }
        Err(ClientError::Withheld) => Ok(false),
        Err(error) => Err(error),
    }
}
