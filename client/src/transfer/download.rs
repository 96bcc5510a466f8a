//! Download: ticket (`link`) or file record → manifest → chunks over several lanes → the final name.
//!
//! Each step needs the witness of the one before: a [`VerifiedTicket`](nightdrop_envelope::ticket::VerifiedTicket) for the
//! manifest, a [`VerifiedManifest`] for the chunks, a verified chunk for the disk.

use super::{
    ChunkQueue, OutputPath, Progress,
    in_order::{InOrder, StreamOutput},
    lanes::{Freight, Lanes, Turn, move_all},
    partial::PartialFile,
};
use crate::{ClientError, blocking::blocking, limits::ClientLimits, relay::RelayLane, transport::Transport};
use bytes::Bytes;
use nightdrop_envelope::{manifest::VerifiedManifest, space::FileRecord};
use nightdrop_wire::{
    authorization::Authorization, endpoint::Endpoint, ids::BlobId, limits::MAX_MANIFEST, onion::OnionAddress,
};
use std::{
    collections::BTreeSet,
    path::PathBuf,
    sync::{Arc, RwLock},
};

/// Where a download goes.
#[derive(Clone)]
pub enum Output {
    /// To a file, which gets its name when it is whole.
    File(OutputPath),
    /// To a stream, chunk by chunk in order: what was written before an error stays written.
    Stream(StreamOutput),
}

impl From<&OutputPath> for Output {
    fn from(path: &OutputPath) -> Self {
        Self::File(path.clone())
    }
}

impl std::fmt::Debug for Output {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File(path) => f.debug_tuple("File").field(path).finish(),
            Self::Stream(_) => f.write_str("Stream"),
        }
    }
}

/// A finished download.
#[derive(Debug)]
pub struct Downloaded {
    /// Where the file is, unless it went to a stream.
    pub path: Option<PathBuf>,
    /// The author's name for it.
    pub name: String,
    /// Bytes.
    pub size: u64,
}

/// Fetches a file of one's own.
///
/// # Errors
/// [`ClientError`]; then there is no file under the final name.
pub async fn download_file<T: Transport>(
    transport: &T,
    relay: &OnionAddress,
    file: &FileRecord,
    output: impl Into<Output>,
    limits: &ClientLimits,
    progress: Arc<dyn Progress>,
) -> Result<Downloaded, ClientError> {
    let lane = RelayLane::isolated(transport, relay, limits);
    download_file_over(lane, limits, file, output, progress).await.map(|(downloaded, _lane)| downloaded)
}

/// The same, beginning on a lane, which it gives back for the next file.
///
/// # Errors
/// As [`download_file`].
pub async fn download_file_over<T: Transport>(
    mut lane: RelayLane<T>,
    limits: &ClientLimits,
    file: &FileRecord,
    output: impl Into<Output>,
    progress: Arc<dyn Progress>,
) -> Result<(Downloaded, RelayLane<T>), ClientError> {
    let output = &output.into();
    let authorization = Authorization::Bearer(file.read_token.clone());
    let head = get_head(&mut lane, file.blob, &authorization).await?;
    let manifest = file.open_manifest(&head).map_err(ClientError::opened)?;
    fetch(lane, manifest, authorization, output, limits, progress).await
}

/// Whether the relay takes the read token of a file of one's own.
///
/// # Errors
/// [`ClientError`] if that cannot be found out.
pub async fn is_readable<T: Transport>(
    lane: &mut RelayLane<T>,
    file: &FileRecord,
) -> Result<bool, ClientError> {
    let authorization = Authorization::Bearer(file.read_token.clone());
    match get_head(lane, file.blob, &authorization).await {
        Ok(_) => Ok(true),
        Err(ClientError::Withheld) => Ok(false),
        Err(error) => Err(error),
    }
}

pub(super) async fn get_head<T: Transport>(
    lane: &mut RelayLane<T>,
    blob: BlobId,
    authorization: &Authorization,
) -> Result<Vec<u8>, ClientError> {
    lane.exchange(Endpoint::GetHead(blob), Some(authorization), Bytes::new(), MAX_MANIFEST)
        .await
        .map_err(ClientError::listed)
}

pub(super) async fn fetch<T: Transport>(
    lane: RelayLane<T>,
    manifest: VerifiedManifest,
    authorization: Authorization,
    output: &Output,
    limits: &ClientLimits,
    progress: Arc<dyn Progress>,
) -> Result<(Downloaded, RelayLane<T>), ClientError> {
    let (facts, layout) = (manifest.facts().clone(), *manifest.layout());
    progress.begin(layout.sealed_bytes());
    let (sink, manifest, held) = Sink::begin(output, manifest).await?;
    progress.advance(held.len() as u64 * layout.class().sealed() as u64);
    let queue = ChunkQueue::without(layout.chunks(), held);
    let fetch = Arc::new(Fetch { manifest, authorization, queue, sink, progress });
    let (partial, lane) = fetch_all_chunks(fetch, lane, limits).await?;
    let path = match partial {
        Some(partial) => Some(blocking(move || partial.finish()).await??),
        None => None,
    };
    Ok((Downloaded { path, name: facts.name.as_str().to_owned(), size: facts.size }, lane))
}

struct Fetch {
    manifest: VerifiedManifest,
    authorization: Authorization,
    queue: ChunkQueue,
    sink: Sink,
    progress: Arc<dyn Progress>,
}

/// What takes verified chunks.
enum Sink {
    /// In any order. Taken out at the end; writers share it, so that taking it waits for them.
    File(RwLock<Option<PartialFile>>),
    Stream(InOrder),
}

impl Sink {
    /// Makes it, and gives the chunks that need not be fetched.
    async fn begin(
        output: &Output,
        manifest: VerifiedManifest,
    ) -> Result<(Self, VerifiedManifest, BTreeSet<u32>), ClientError> {
        match output.clone() {
            Output::Stream(output) => Ok((Self::Stream(InOrder::new(output)), manifest, BTreeSet::new())),
            Output::File(place) => {
                let begin = move || place.begin(&manifest).map(|(partial, held)| (partial, manifest, held));
                let (partial, manifest, held) = blocking(begin).await??;
                Ok((Self::File(RwLock::new(Some(partial))), manifest, held))
            }
        }
    }

    /// Ends all writing, and gives the file.
    fn end(&self) -> Result<Option<PartialFile>, ClientError> {
        match self {
            Self::Stream(_) => Ok(None),
            Self::File(partial) => {
                let partial = partial.write().map_err(|_| ClientError::Stopped)?.take();
                partial.map(Some).ok_or(ClientError::Stopped)
            }
        }
    }
}

impl Fetch {
    /// Opens a chunk and gives it to its sink.
    async fn take(self: &Arc<Self>, index: u32, sealed: Vec<u8>) -> Result<(), ClientError> {
        let fetch = Arc::clone(self);
        let opened = blocking(move || {
            let chunk = fetch.manifest.open_chunk(index, sealed).map_err(ClientError::opened)?;
            let Sink::File(partial) = &fetch.sink else { return Ok(Some(chunk)) };
            let partial = partial.read().map_err(|_| ClientError::Stopped)?;
            partial.as_ref().ok_or(ClientError::Stopped)?.write(index, &chunk).map(|()| None)
        })
        .await??;
        match (&self.sink, opened) {
            (Sink::Stream(stream), Some(chunk)) => stream.write(index, chunk).await,
            _ => Ok(()),
        }
    }
}

/// Fetches the chunks over lanes, the first of which is open already.
async fn fetch_all_chunks<T: Transport>(
    fetch: Arc<Fetch>,
    first: RelayLane<T>,
    limits: &ClientLimits,
) -> Result<(Option<PartialFile>, RelayLane<T>), ClientError> {
    let lanes = Lanes::open_ahead(limits, first, fetch.queue.left());
    let outcome = move_all(&fetch, lanes, limits, &fetch.progress).await;
    // Whatever the outcome, nothing writes any more.
    let partial = fetch.sink.end()?;
    match outcome {
        Ok(lane) => Ok((partial, lane)),
        Err(error) => {
            // What a broken line or a full disk has left is gone on with; what a liar gave is not.
            let lied = matches!(error, ClientError::Tampered(_) | ClientError::BadlyMade(_));
            if let (Some(partial), true) = (partial, lied) {
                partial.discard();
            }
            Err(error)
        }
    }
}

impl Freight for Fetch {
    type Chunk = ();
    type Carried = Vec<u8>;

    fn chunk_bytes(&self) -> usize {
        self.manifest.layout().class().sealed()
    }

    async fn fresh(self: &Arc<Self>) -> Result<Option<(u32, ())>, ClientError> {
        Ok(self.queue.take().map(|index| (index, ())))
    }

    async fn carry<T: Transport>(
        &self,
        lane: &mut RelayLane<T>,
        index: u32,
        (): (),
        turn: Option<Turn>,
    ) -> Result<Vec<u8>, ClientError> {
        let endpoint = Endpoint::GetChunk(self.manifest.blob(), index);
        let longest = self.chunk_bytes();
        lane.exchange_in_turn(endpoint, Some(&self.authorization), Bytes::new(), longest, turn)
            .await
            .map_err(ClientError::listed)
    }

    async fn land(self: &Arc<Self>, index: u32, sealed: Vec<u8>) -> Result<(), ClientError> {
        self.take(index, sealed).await
    }
}
