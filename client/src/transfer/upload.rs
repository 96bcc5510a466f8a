//! Upload: create (paid) → chunks in any order over several lanes → finish.
//!
//! A file of one chunk is created, stored and finished in one request. When an upload fails, what the relay got of it is
//! destroyed as far as it can be reached; unfinished blobs cannot be read by anyone in the meantime.

use super::{
    Content, Progress, destroy,
    lanes::{Moved, over_lanes},
};
use crate::{ClientError, limits::ClientLimits, random, relay::RelayLane, transport::Transport};
use bytes::Bytes;
use nightdrop_envelope::{
    capability::{BlobCapabilities, hash_token},
    chunk::{ChunkBuffer, SealedChunk},
    key::FileKey,
    manifest::{FileFacts, SealedManifest, seal_manifest},
    space::FileRecord,
};
use nightdrop_wire::{
    authorization::Authorization,
    endpoint::Endpoint,
    messages::blob::{ChunkHash, CreateBlob, FinishBlob, WholeBlob},
    messages::credit::Credit,
    onion::OnionAddress,
};
use std::{collections::BTreeMap, sync::Arc};

/// Stores a file or a stream at `relay`, paid with `credit`. What is returned is all that its owner needs to keep.
///
/// # Errors
/// [`ClientError`]; nothing that was stored before is touched.
pub async fn upload<T: Transport>(
    transport: &T,
    relay: &OnionAddress,
    content: impl Into<Content>,
    credit: Credit,
    limits: &ClientLimits,
    progress: Arc<dyn Progress>,
) -> Result<FileRecord, ClientError> {
    let mut lane = RelayLane::isolated(transport, relay, limits);
    upload_over(&mut lane, (transport, relay, limits), content, credit, progress).await
}

/// The same, beginning on a lane: a file of one chunk needs no other.
///
/// # Errors
/// As [`upload`].
pub async fn upload_over<T: Transport>(
    lane: &mut RelayLane<T>,
    (transport, relay, limits): (&T, &OnionAddress, &ClientLimits),
    content: impl Into<Content>,
    credit: Credit,
    progress: Arc<dyn Progress>,
) -> Result<FileRecord, ClientError> {
    let mut rng = random::system();
    let upload = Arc::new(Upload {
        relay: relay.clone(),
        content: content.into(),
        key: FileKey::generate(&mut rng),
        capabilities: BlobCapabilities::generate(&mut rng),
        progress,
    });
    upload.progress.begin(upload.content.sealed_bytes().unwrap_or(0));
    match store(&upload, transport, lane, credit, limits).await {
        Ok(stored) => Ok(upload.record(stored)),
        Err(error) => {
            // Best effort: the line may be what failed. An unfinished blob is readable by nobody.
            let BlobCapabilities { blob, write_key, .. } = &upload.capabilities;
            let mut cleaning = RelayLane::isolated(transport, relay, limits).once();
            let _ = destroy(&mut cleaning, *blob, write_key).await;
            Err(error)
        }
    }
}

struct Upload {
    relay: OnionAddress,
    content: Content,
    key: FileKey,
    capabilities: BlobCapabilities,
    progress: Arc<dyn Progress>,
}

/// What was stored.
struct Stored {
    manifest: SealedManifest,
    facts: FileFacts,
    content: [u8; 32],
}

impl Upload {
    fn write_authorization(&self) -> Authorization {
        Authorization::Bearer(self.capabilities.write_key.clone())
    }

    fn create(&self, credit: Credit, chunks: u32, whole: Option<WholeBlob>) -> CreateBlob {
        CreateBlob {
            blob: self.capabilities.blob,
            credit,
            read_token: hash_token(&self.capabilities.read_token),
            write_key: hash_token(&self.capabilities.write_key),
            chunks,
            whole,
        }
    }

    fn seal_chunk(&self, index: u32, chunk: ChunkBuffer) -> Result<SealedChunk, ClientError> {
        chunk
            .seal(&self.key, self.capabilities.blob, index, &mut random::system())
            .map_err(ClientError::Sealing)
    }

    /// The next chunk, sealed.
    fn next_chunk(&self) -> Result<Option<(u32, SealedChunk)>, ClientError> {
        let Some((index, chunk)) = self.content.next_chunk()? else { return Ok(None) };
        Ok(Some((index, self.seal_chunk(index, chunk)?)))
    }

    /// Seals the manifest, unless a file changed since its first chunk was read.
    fn seal_manifest(&self, hashes: &[ChunkHash]) -> Result<Stored, ClientError> {
        let (facts, content) = self.content.finish()?;
        let blob = self.capabilities.blob;
        let manifest = seal_manifest(&facts, hashes, &self.key, blob, &mut random::system())
            .map_err(ClientError::Sealing)?;
        Ok(Stored { manifest, facts, content })
    }

    fn record(&self, stored: Stored) -> FileRecord {
        let Stored { manifest, facts: FileFacts { name: _, size, modified }, content } = stored;
        let capabilities = self.capabilities.clone();
        FileRecord::new(capabilities, &self.key, manifest.hash, size, modified, content)
    }
}

async fn store<T: Transport>(
    upload: &Arc<Upload>,
    transport: &T,
    lane: &mut RelayLane<T>,
    credit: Credit,
    limits: &ClientLimits,
) -> Result<Stored, ClientError> {
    match blocking(upload, |upload| upload.content.whole()).await? {
        Some(chunk) => store_whole(upload, lane, credit, chunk).await,
        None => store_chunks(upload, transport, lane, credit, limits).await,
    }
}

async fn store_whole<T: Transport>(
    upload: &Arc<Upload>,
    lane: &mut RelayLane<T>,
    credit: Credit,
    chunk: ChunkBuffer,
) -> Result<Stored, ClientError> {
    let (chunk, stored) = blocking(upload, |upload| {
        let chunk = upload.seal_chunk(0, chunk)?;
        let stored = upload.seal_manifest(&[chunk.hash])?;
        Ok((chunk, stored))
    })
    .await?;
    let sealed = chunk.bytes.len() as u64;
    let whole = WholeBlob { chunk: chunk.bytes, manifest: stored.manifest.bytes.clone() };
    let create = upload.create(credit, 1, Some(whole));
    lane.tell(Endpoint::CreateBlob, None, &create).await.map_err(ClientError::upload)?;
    upload.progress.advance(sealed);
    Ok(stored)
}

async fn store_chunks<T: Transport>(
    upload: &Arc<Upload>,
    transport: &T,
    lane: &mut RelayLane<T>,
    credit: Credit,
    limits: &ClientLimits,
) -> Result<Stored, ClientError> {
    let create = upload.create(credit, upload.content.most_chunks(), None);
    lane.tell(Endpoint::CreateBlob, None, &create).await.map_err(ClientError::upload)?;
    let hashes = put_all_chunks(upload, transport, limits).await?;
    let stored = blocking(upload, move |upload| upload.seal_manifest(&hashes)).await?;
    let SealedManifest { chunks_digest, bytes, .. } = &stored.manifest;
    let finish = FinishBlob { chunks_digest: *chunks_digest, manifest: bytes.clone() };
    let endpoint = Endpoint::FinishBlob(upload.capabilities.blob);
    lane.tell(endpoint, Some(&upload.write_authorization()), &finish).await.map_err(ClientError::upload)?;
    Ok(stored)
}

/// Puts the chunks over lanes; the first error ends all of them.
async fn put_all_chunks<T: Transport>(
    upload: &Arc<Upload>,
    transport: &T,
    limits: &ClientLimits,
) -> Result<Vec<ChunkHash>, ClientError> {
    let moved = Moved::default();
    let put = |lane| put_chunks(Arc::clone(upload), lane, moved.clone());
    let way = (transport, &upload.relay, limits);
    let hashes = over_lanes(way, None, upload.content.most_chunks(), &moved, put).await?;
    let hashes: BTreeMap<u32, ChunkHash> = hashes.into_iter().flatten().collect();
    Ok(hashes.into_values().collect())
}

/// The work of one stream: takes chunks until there are none left.
async fn put_chunks<T: Transport>(
    upload: Arc<Upload>,
    mut lane: RelayLane<T>,
    moved: Moved,
) -> Result<Vec<(u32, ChunkHash)>, ClientError> {
    let authorization = upload.write_authorization();
    let mut hashes = Vec::new();
    while let Some((index, chunk)) = blocking(&upload, Upload::next_chunk).await? {
        let sealed = chunk.bytes.len() as u64;
        let endpoint = Endpoint::PutChunk(upload.capabilities.blob, index);
        lane.exchange(endpoint, Some(&authorization), Bytes::from(chunk.bytes), 0)
            .await
            .map_err(ClientError::upload)?;
        moved.one();
        upload.progress.advance(sealed);
        hashes.push((index, chunk.hash));
    }
    Ok(hashes)
}

/// Runs what reads the disk or seals away from the tasks that move bytes.
async fn blocking<R: Send + 'static>(
    upload: &Arc<Upload>,
    work: impl FnOnce(&Upload) -> Result<R, ClientError> + Send + 'static,
) -> Result<R, ClientError> {
    let upload = Arc::clone(upload);
    tokio::task::spawn_blocking(move || work(&upload)).await.map_err(|_| ClientError::Stopped)?
}
