//! Upload: create (paid) → chunks in any order over several lanes → finish.
//!
//! A file of one chunk is created, stored and finished in one request. When an upload fails, what the relay got of it is
//! destroyed as far as it can be reached; unfinished blobs cannot be read by anyone in the meantime.

use super::{ChunkQueue, Progress, Source, destroy};
use crate::{ClientError, limits::ClientLimits, random, relay::RelayLane, transport::Transport};
use bytes::Bytes;
use nightdrop_envelope::{
    capability::{BlobCapabilities, hash_token},
    chunk::SealedChunk,
    key::FileKey,
    manifest::{FileFacts, SealedManifest, seal_manifest},
    space::FileRecord,
};
use nightdrop_wire::{
    authorization::Authorization,
    endpoint::Endpoint,
    messages::blob::{ChunkHash, CreateBlob, FinishBlob, WholeBlob},
    onion::OnionAddress,
    token::Token,
};
use std::sync::Arc;
use tokio::task::JoinSet;

/// Stores a file at `relay`, paid with `credit`. What is returned is all that its owner needs to keep.
///
/// # Errors
/// [`ClientError`]; nothing that was stored before is touched.
pub async fn upload<T: Transport>(
    transport: &T,
    relay: &OnionAddress,
    source: Source,
    credit: Token,
    limits: &ClientLimits,
    progress: Arc<dyn Progress>,
) -> Result<FileRecord, ClientError> {
    let mut rng = random::system();
    let upload = Arc::new(Upload {
        relay: relay.clone(),
        source,
        key: FileKey::generate(&mut rng),
        capabilities: BlobCapabilities::generate(&mut rng),
        progress,
    });
    upload.progress.begin(upload.source.layout().sealed_bytes());
    let mut lane = RelayLane::isolated(transport, relay, limits);
    let stored = if upload.source.layout().chunks() == 1 {
        store_whole(&upload, &mut lane, credit).await
    } else {
        store_chunks(&upload, transport, &mut lane, credit, limits).await
    };
    match stored {
        Ok(manifest) => Ok(upload.record(&manifest)),
        Err(error) => {
            // Best effort: the line may be what failed. An unfinished blob is readable by nobody.
            let BlobCapabilities { blob, write_key, .. } = &upload.capabilities;
            let _ = destroy(&mut lane.once(), *blob, write_key).await;
            Err(error)
        }
    }
}

struct Upload {
    relay: OnionAddress,
    source: Source,
    key: FileKey,
    capabilities: BlobCapabilities,
    progress: Arc<dyn Progress>,
}

impl Upload {
    fn write_authorization(&self) -> Authorization {
        Authorization::Bearer(self.capabilities.write_key.clone())
    }

    fn create(&self, credit: Token, whole: Option<WholeBlob>) -> CreateBlob {
        CreateBlob {
            blob: self.capabilities.blob,
            credit,
            read_token: hash_token(&self.capabilities.read_token),
            write_key: hash_token(&self.capabilities.write_key),
            chunks: self.source.layout().chunks(),
            whole,
        }
    }

    fn seal_chunk(&self, index: u32) -> Result<SealedChunk, ClientError> {
        let buffer = self.source.read_chunk(index)?;
        buffer
            .seal(&self.key, self.capabilities.blob, index, &mut random::system())
            .map_err(ClientError::Sealing)
    }

    /// Seals the manifest, unless the file changed since its first chunk was read.
    fn seal_manifest(&self, hashes: &[ChunkHash]) -> Result<SealedManifest, ClientError> {
        self.source.require_unchanged()?;
        let blob = self.capabilities.blob;
        seal_manifest(self.source.facts(), hashes, &self.key, blob, &mut random::system())
            .map_err(ClientError::Sealing)
    }

    fn record(&self, manifest: &SealedManifest) -> FileRecord {
        let FileFacts { name: _, size, modified } = self.source.facts();
        let capabilities = self.capabilities.clone();
        FileRecord::new(capabilities, &self.key, manifest.hash, *size, *modified, *self.source.content())
    }
}

async fn store_whole<T: Transport>(
    upload: &Arc<Upload>,
    lane: &mut RelayLane<T>,
    credit: Token,
) -> Result<SealedManifest, ClientError> {
    let (chunk, manifest) = blocking(upload, |upload| {
        let chunk = upload.seal_chunk(0)?;
        let manifest = upload.seal_manifest(&[chunk.hash])?;
        Ok((chunk, manifest))
    })
    .await?;
    let sealed = chunk.bytes.len() as u64;
    let whole = WholeBlob { chunk: chunk.bytes, manifest: manifest.bytes.clone() };
    let create = upload.create(credit, Some(whole));
    lane.tell(Endpoint::CreateBlob, None, &create).await.map_err(ClientError::upload)?;
    upload.progress.advance(sealed);
    Ok(manifest)
}

async fn store_chunks<T: Transport>(
    upload: &Arc<Upload>,
    transport: &T,
    lane: &mut RelayLane<T>,
    credit: Token,
    limits: &ClientLimits,
) -> Result<SealedManifest, ClientError> {
    lane.tell(Endpoint::CreateBlob, None, &upload.create(credit, None)).await.map_err(ClientError::upload)?;
    let hashes = put_all_chunks(upload, transport, limits).await?;
    let manifest = blocking(upload, move |upload| upload.seal_manifest(&hashes)).await?;
    let finish = FinishBlob { chunks_digest: manifest.chunks_digest, manifest: manifest.bytes.clone() };
    let endpoint = Endpoint::FinishBlob(upload.capabilities.blob);
    lane.tell(endpoint, Some(&upload.write_authorization()), &finish).await.map_err(ClientError::upload)?;
    Ok(manifest)
}

/// Puts the chunks over as many lanes as the limits say; the first error ends all of them.
async fn put_all_chunks<T: Transport>(
    upload: &Arc<Upload>,
    transport: &T,
    limits: &ClientLimits,
) -> Result<Vec<ChunkHash>, ClientError> {
    let chunks = upload.source.layout().chunks();
    let queue = Arc::new(ChunkQueue::new(chunks));
    let mut lanes = JoinSet::new();
    for _ in 0..limits.lanes {
        let lane = RelayLane::isolated(transport, &upload.relay, limits);
        lanes.spawn(put_chunks(Arc::clone(upload), lane, Arc::clone(&queue)));
    }
    let mut hashes = vec![ChunkHash::default(); chunks as usize];
    while let Some(finished) = lanes.join_next().await {
        for (index, hash) in finished.map_err(|_| ClientError::Stopped)?? {
            if let Some(slot) = hashes.get_mut(index as usize) {
                *slot = hash;
            }
        }
    }
    Ok(hashes)
}

/// The work of one lane: takes chunks until there are none left.
async fn put_chunks<T: Transport>(
    upload: Arc<Upload>,
    mut lane: RelayLane<T>,
    queue: Arc<ChunkQueue>,
) -> Result<Vec<(u32, ChunkHash)>, ClientError> {
    let authorization = upload.write_authorization();
    let mut hashes = Vec::new();
    while let Some(index) = queue.take() {
        let chunk = blocking(&upload, move |upload| upload.seal_chunk(index)).await?;
        let sealed = chunk.bytes.len() as u64;
        let endpoint = Endpoint::PutChunk(upload.capabilities.blob, index);
        lane.exchange(endpoint, Some(&authorization), Bytes::from(chunk.bytes), 0)
            .await
            .map_err(ClientError::upload)?;
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
