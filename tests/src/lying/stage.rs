//! Where each experiment takes place: an honest relay, the lying one before it, and an output directory per download.

use super::{Honest, KnownFile, LyingRelay};
use crate::memory::{MemoryRelay, MemoryTransport, Person, address, patient};
use nightdrop_client::{
    ClientError,
    limits::ClientLimits,
    transfer::{self, Claims, Downloaded, OpenedLink, OutputPath, Progress},
};
use nightdrop_envelope::link::FileLink;
use nightdrop_wire::messages::credit::Credit;
use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};
use tempfile::TempDir;

/// An honest relay behind a lying one. Everything that a client does over `transport` goes through both.
#[derive(Debug)]
pub struct Stage {
    /// The relay behind.
    pub honest: MemoryRelay,
    /// The relay in front.
    pub liar: LyingRelay,
    /// Leads to the relay in front, at [`address`].
    pub transport: MemoryTransport,
    /// The reader's home.
    reader: TempDir,
}

/// What a download left.
#[derive(Debug)]
pub struct Gotten {
    /// What the client said.
    pub outcome: Result<Downloaded, ClientError>,
    /// Where it was to write.
    pub directory: TempDir,
    /// Whether something stood there under a final name before all was verified.
    too_early: bool,
}

impl Stage {
    /// A stage on which nobody lies yet.
    pub async fn set() -> Self {
        let honest = MemoryRelay::start().await;
        let liar = LyingRelay::before(honest.clone());
        let transport = MemoryTransport::to(address(), liar.clone());
        Self::of(honest, liar, transport)
    }

    /// A stage of these.
    #[must_use]
    pub fn of(honest: MemoryRelay, liar: LyingRelay, transport: MemoryTransport) -> Self {
        Self { honest, liar, transport, reader: tempfile::tempdir().unwrap() }
    }

    /// The reader's home.
    #[must_use]
    pub fn reader(&self) -> &Path {
        self.reader.path()
    }

    /// A new person with an account.
    pub async fn person(&self) -> Person {
        Person::register(&self.transport, &self.honest).await.unwrap()
    }

    /// Credits of a new person.
    pub async fn credits(&self, count: u16) -> Vec<Credit> {
        self.person().await.credits(count).await.unwrap()
    }

    /// Stores these files, honestly, and shows that each can be read.
    pub async fn store(&self, files: &[&KnownFile]) {
        self.liar.tell(Honest);
        let credits = self.credits(u16::try_from(files.len()).unwrap()).await;
        for (file, credit) in files.iter().zip(credits) {
            file.store(&self.transport, credit).await.unwrap();
            self.get(&file.link()).await.expect_content(&file.content);
        }
    }

    /// What the reader keeps of downloads that are counted.
    #[must_use]
    pub fn claims(&self) -> Claims {
        Claims::at(self.reader.path().to_owned())
    }

    /// Downloads a link into a directory of its own.
    pub async fn get(&self, link: &FileLink) -> Gotten {
        self.get_within(link, &patient()).await
    }

    /// The same within other limits.
    pub async fn get_within(&self, link: &FileLink, limits: &ClientLimits) -> Gotten {
        let directory = tempfile::tempdir().unwrap();
        let output = OutputPath::new(Some(directory.path())).unwrap();
        let watch = Arc::new(Watch { directory: directory.path().to_owned(), seen: AtomicBool::new(false) });
        let progress = Arc::<Watch>::clone(&watch);
        let outcome = match OpenedLink::open(link, None) {
            Ok(link) => {
                let claims = &self.claims();
                transfer::download_link(&self.transport, &link, claims, &output, limits, progress).await
            }
            Err(error) => Err(error),
        };
        Gotten { outcome, directory, too_early: watch.seen.load(Ordering::Relaxed) }
    }
}

impl Gotten {
    /// The download succeeded, with this content and no other file beside it.
    pub fn expect_content(&self, content: &[u8]) {
        let downloaded = self.outcome.as_ref().unwrap();
        assert!(
            std::fs::read(downloaded.path.as_ref().unwrap()).unwrap() == content,
            "the content is another"
        );
        assert_eq!(files(self.directory.path()).len(), 1, "only the file itself is left");
        assert!(!self.too_early, "the final name appears only at the end");
    }

    /// The download failed and left no file of the final name; a partial one only where nothing of what was given was wrong, to be gone on with.
    pub fn expect_error(&self) -> &ClientError {
        let (left, error) = (files(self.directory.path()), self.outcome.as_ref().unwrap_err());
        assert!(left.iter().all(|name| name.starts_with(".nightdrop-")), "the final name never appears");
        let lied = matches!(error, ClientError::Tampered(_) | ClientError::BadlyMade(_));
        assert!(left.is_empty() || !lied, "what a liar gave leaves nothing");
        assert!(!self.too_early, "the final name never appears");
        error
    }
}

/// Looks at each step of a download for a file under a final name, which nothing has until the end.
struct Watch {
    directory: PathBuf,
    seen: AtomicBool,
}

impl Watch {
    fn look(&self) {
        if files(&self.directory).iter().any(|name| !name.starts_with('.')) {
            self.seen.store(true, Ordering::Relaxed);
        }
    }
}

impl Progress for Watch {
    fn begin(&self, _sealed_bytes: u64) {
        self.look();
    }

    fn advance(&self, _sealed_bytes: u64) {
        self.look();
    }

    fn lanes(&self, _lanes: usize) {}
}

fn files(directory: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(directory).unwrap();
    entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect()
}
