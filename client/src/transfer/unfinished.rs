//! The uploads of this device that are not done: what they are, going on with them, dropping them.

use super::{
    Run, Source,
    journal::{Found, Journals, Seen},
    resume::{Begun, Earlier, drop_at_relay},
};
use crate::{ClientError, blocking::blocking, relay::RelayLane, transport::Transport};
use nightdrop_envelope::{
    journal::{JournalHead, JournalRecord},
    layout::Layout,
};
use nightdrop_wire::ids::BlobId;
use std::{
    ffi::OsStr,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
    sync::Arc,
};

/// An upload that is not done.
#[derive(Debug, Clone)]
pub struct Unfinished {
    journals: Journals,
    seen: Arc<Seen>,
    is_running: bool,
}

/// What became of an upload that was dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dropped {
    /// The relay has nothing of it any more, or says so.
    AtRelay,
    /// It was done: its file is listed, and stays.
    Done,
    /// Nothing was known of it, so the relay was not asked: it forgets what it has of it by itself.
    Damaged,
}

/// All of this device, the oldest first; those whose journals do not open come last.
///
/// # Errors
/// [`ClientError::File`].
pub fn unfinished(journals: &Journals) -> Result<Vec<Unfinished>, ClientError> {
    let seen = journals.all()?.into_iter();
    Ok(seen
        .map(|seen| Unfinished {
            journals: journals.clone(),
            is_running: seen.is_running(),
            seen: Arc::new(seen),
        })
        .collect())
}

impl Unfinished {
    fn head(&self) -> Option<&JournalHead> {
        self.seen.head.as_ref().map(|(head, _)| head)
    }

    /// Whether its journal does not open: nothing is known of it.
    #[must_use]
    pub fn is_damaged(&self) -> bool {
        self.seen.head.is_none()
    }

    /// Whether a command is at it.
    #[must_use]
    pub const fn is_running(&self) -> bool {
        self.is_running
    }

    /// Its blob.
    #[must_use]
    pub fn blob(&self) -> Option<BlobId> {
        self.head().map(|head| head.blob)
    }

    /// What it is to be called among one's files.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.head().map(|head| head.name.as_str())
    }

    /// The blob that had that name when it began, and gives way to it.
    #[must_use]
    pub fn replaces(&self) -> Option<BlobId> {
        self.head()?.replaces
    }

    /// The file that it is of; a stream has none.
    #[must_use]
    pub fn path(&self) -> Option<PathBuf> {
        let origin = self.head()?.origin.as_ref()?;
        Some(OsStr::from_bytes(&origin.path).into())
    }

    /// When it began: seconds since the epoch.
    #[must_use]
    pub fn began(&self) -> Option<u64> {
        self.head().map(|head| head.began)
    }

    /// Bytes of the file; of a stream they are known at its end.
    #[must_use]
    pub fn size(&self) -> Option<u64> {
        let (head, kept) = self.seen.head.as_ref()?;
        let end = kept.ends.last().and_then(|end| match end {
            JournalRecord::Finish { size, .. } => Some(*size),
            JournalRecord::Chunk { .. } | JournalRecord::Paid(_) => None,
        });
        head.origin.as_ref().map(|origin| origin.stamp.size).or(end)
    }

    /// Bytes of the file that were sent, or were about to be.
    #[must_use]
    pub fn sent(&self) -> u64 {
        let Some((_, kept)) = &self.seen.head else { return 0 };
        if !kept.ends.is_empty() {
            return self.size().unwrap_or(0);
        }
        let Some(layout) = self.size().and_then(|size| Layout::of_size(size).ok()) else { return 0 };
        kept.chunks.keys().map(|index| layout.content(*index) as u64).sum()
    }

    /// Whether it can be gone on with; what can be read only once cannot, unless all of it was sent.
    #[must_use]
    pub fn can_go_on(&self) -> bool {
        let head = self.seen.head.as_ref();
        head.is_some_and(|(head, kept)| head.origin.is_some() || !kept.ends.is_empty())
    }

    /// Whether the run that looked is to go on with it: see [`Run`](super::Run).
    #[must_use]
    pub fn is_for_this_run(&self) -> bool {
        let (run, blob) = (self.journals.run(), self.blob());
        run.is_none_or(|run| blob.is_some_and(|blob| run.goes_on_with(blob)))
    }

    /// Where its journal is.
    #[must_use]
    pub fn journal(&self) -> &Path {
        &self.seen.path
    }

    /// The command that looked was typed for it.
    pub fn want(&self) {
        self.tell(Run::wants);
    }

    /// The command that looked is to drop it.
    pub fn give_up(&self) {
        self.tell(Run::drops);
    }

    /// The run that looked does not go on with it.
    pub fn leave(&self) {
        self.tell(Run::leaves);
    }

    fn tell(&self, what: impl FnOnce(&Run, BlobId)) {
        if let (Some(run), Some(blob)) = (self.journals.run(), self.blob()) {
            what(run, blob);
        }
    }

    /// The upload and the file as it lies there, to go on with; none if it was done meanwhile, or is another run's. Reads the disk.
    ///
    /// # Errors
    /// [`ClientError::TransferRunning`] if a command is at it. Unless all of it was sent: [`ClientError::NotResumable`] if it is of a stream,
    /// [`ClientError::ChangedSince`] if the file is not what it was, or as [`Source::open`].
    pub fn begin(&self) -> Result<Option<Begun>, ClientError> {
        let Found::Kept(journal) = self.journals.open(self.seen.path.clone())? else { return Ok(None) };
        if self.journals.run().is_some_and(|run| !run.takes(journal.head().blob)) {
            return Ok(None);
        }
        let file = match self.source(journal.head()) {
            Err(error) if journal.kept().ends.is_empty() => return Err(error),
            file => file,
        };
        Ok(Some(Begun::Earlier(Earlier::of_journal(journal, file))))
    }

    fn source(&self, head: &JournalHead) -> Result<Source, ClientError> {
        let path = self.path().ok_or(ClientError::NotResumable)?;
        let source = Source::open(&path, Some(head.name.file_name()))?;
        if source.is_what_it_was(head.origin.as_ref()) {
            Ok(source)
        } else {
            Err(ClientError::ChangedSince { path })
        }
    }

    /// Destroys what the relay has of it, and forgets it; tells what became of it. If `is_listed` says that its blob is a listed file, it is only forgotten; that is asked when no
    /// command can be at it any more.
    ///
    /// # Errors
    /// [`ClientError::TransferRunning`] if a command is at it; [`ClientError`] if the relay cannot be reached: then it stays.
    pub async fn drop_it<T: Transport>(
        &self,
        lane: &mut RelayLane<T>,
        is_listed: impl AsyncFnOnce(BlobId) -> Result<bool, ClientError>,
    ) -> Result<Dropped, ClientError> {
        let (journals, path) = (self.journals.clone(), self.seen.path.clone());
        let found = blocking(move || journals.open(path)).await??;
        if let (Found::Kept(journal), Some(run)) = (&found, self.journals.run()) {
            run.drops(journal.head().blob);
        }
        match found {
            Found::Nothing => Ok(Dropped::Done),
            Found::Damaged(damaged) => damaged.remove().map(|()| Dropped::Damaged),
            Found::Kept(journal) if is_listed(journal.head().blob).await? => {
                journal.remove().map(|()| Dropped::Done)
            }
            Found::Kept(journal) => drop_at_relay(lane, &journal).await.map(|()| Dropped::AtRelay),
        }
    }
}
