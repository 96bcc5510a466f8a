//! Checkpoints of the home space over the network: written now and then, read by a device that has verified nothing yet.
//!
//! Writing: chunks → entry → finish. So a checkpoint that is cut off leaves a blob that the relay forgets, because it is not finished, or one that the
//! list names, and that the next checkpoint destroys. One that the list names and the relay does not give costs work and no more: the whole list is read.
//! It is written for the head that it says, or not at all.

use crate::{
    ClientError,
    blocking::blocking,
    lease,
    limits::ClientLimits,
    payment::{Payment, Purse},
    random,
    relay::RelayLane,
    space::{HomeSpace, read_page},
    transfer::{self, Output},
    transport::Transport,
};
use bytes::Bytes;
use nightdrop_envelope::{
    OpenError,
    capability::{BlobCapabilities, hash_token},
    chunk::ChunkBuffer,
    file_name::FileName,
    key::FileKey,
    layout::Layout,
    manifest::{FileFacts, SealedManifest, seal_manifest},
    space::{FileRecord, Operation, Replay, VerifiedCheckpoint, newest_checkpoint},
};
use nightdrop_wire::{
    authorization::Authorization,
    endpoint::Endpoint,
    limits::{MAX_ENTRIES, MAX_LOG_ENTRIES},
    messages::{
        blob::{ChunkHash, CreateBlob, FinishBlob, Leased},
        log::LogHead,
    },
    onion::OnionAddress,
    price,
};
use sha2::{Digest, Sha256};
use std::sync::{Arc, Mutex, PoisonError};
use zeroize::Zeroizing;

/// What its manifest calls it. Nobody but the owner's devices can read that.
const NAME: &str = "checkpoint";
/// Bytes of a content that is fetched, at most: what the longest log can come to.
const LONGEST: u64 = 1 << 30;
/// Entries at the end of the log that are looked through for one of the owner's.
const LOOKED_THROUGH: u64 = 64;

/// From where a device begins that has verified nothing.
#[derive(Debug)]
pub(crate) enum Beginning {
    /// At the last checkpoint.
    Checkpoint(Box<Replay>),
    /// At the first entry: there is no checkpoint.
    First,
    /// At the first entry: the relay does not give the checkpoint as it was stored.
    Withheld,
}

/// Finds the last checkpoint, for a device that would begin with `first`. What the keyring says needs no further look: the owner's devices write no entry that
/// does not lead past it. What this device saw `own` itself may be of another history, so a checkpoint beyond that is none for it.
///
/// # Errors
/// [`ClientError::Chain`] if the relay has something else in the checkpoint's place; as [`HomeSpace::open`].
pub(crate) async fn find<T: Transport>(
    lane: &mut RelayLane<T>,
    way: (&T, &OnionAddress, &ClientLimits),
    first: &Replay,
    own: Option<LogHead>,
) -> Result<Beginning, ClientError> {
    let (keys, remembered) = (first.keys(), first.remembered().copied());
    // Beyond the end of any log: it says only where the log stands.
    let head = match read_page(lane, keys, MAX_LOG_ENTRIES).await {
        Ok(page) => page.head,
        // Whether that is a lie is for whoever reads it from its beginning to say.
        Err(ClientError::Withheld) => return Ok(Beginning::First),
        Err(error) => return Err(error),
    };
    if head.count <= MAX_ENTRIES as u64 {
        return Ok(Beginning::First);
    }
    let newest = read_page(lane, keys, head.count.saturating_sub(LOOKED_THROUGH)).await?;
    let Some(place) = newest_checkpoint(keys, &newest.entries) else { return Ok(Beginning::First) };
    // Of an entry that stands just beyond what was seen, nothing that was seen says anything.
    if own.is_some_and(|own| own.count <= place) {
        return Ok(Beginning::First);
    }
    let page = read_page(lane, keys, place).await?;
    let entry = page.entries.first().map_or(&[][..], |entry| entry.as_slice());
    let checkpoint = VerifiedCheckpoint::open(keys, entry, place)?;
    let content = match fetch(way, checkpoint.file()).await {
        Ok(content) => content,
        Err(ClientError::Withheld | ClientError::Tampered(_) | ClientError::BadlyMade(_)) => {
            return Ok(Beginning::Withheld);
        }
        Err(error) => return Err(error),
    };
    let keys = keys.clone();
    let replay = move || checkpoint.replay(keys, &content, remembered);
    let replay = blocking(replay).await?;
    Ok(replay.map_or(Beginning::Withheld, |replay| Beginning::Checkpoint(Box::new(replay))))
}

async fn fetch<T: Transport>(
    (transport, relay, limits): (&T, &OnionAddress, &ClientLimits),
    file: &FileRecord,
) -> Result<Zeroizing<Vec<u8>>, ClientError> {
    if file.size > LONGEST {
        return Err(ClientError::BadlyMade(OpenError::Inconsistent));
    }
    // All the room at once: a vector that grows leaves copies behind.
    let room = usize::try_from(file.size).unwrap_or_default();
    let content = Arc::new(Mutex::new(Zeroizing::new(Vec::with_capacity(room))));
    let taken = Arc::clone(&content);
    let take = move |bytes: &[u8]| {
        taken.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(())
    };
    let output = Output::Stream(Arc::new(take));
    transfer::download_file(transport, relay, file, output, limits, Arc::new(())).await?;
    let content = std::mem::take(&mut *content.lock().unwrap_or_else(PoisonError::into_inner));
    Ok(content)
}

/// Writes a checkpoint as the next entry, if the log stands where it was read; gives whether it was. `purse` pays for it.
///
/// # Errors
/// [`ClientError`]; nothing is lost by it.
pub(crate) async fn write<T: Transport>(
    (transport, relay, limits): (&T, &OnionAddress, &ClientLimits),
    space: &mut HomeSpace<T>,
    purse: &impl Purse,
) -> Result<bool, ClientError> {
    let mut lane = RelayLane::isolated(transport, relay, limits);
    let log = space.log().clone();
    let content = blocking(move || log.checkpoint()).await?.map_err(ClientError::Sealing)?;
    let layout = Layout::of_size(content.len() as u64).map_err(ClientError::Sealing)?;
    let payment = purse.pay(price::of_open(layout.chunks()).unwrap_or_default()).await?;
    let blob = Blob::put(&mut lane, &content, layout, payment).await?;
    let operation = Operation::Checkpoint { file: Box::new(blob.file.clone()) };
    match space.append_here(purse, vec![operation]).await {
        Ok(true) => blob.finish(&mut lane).await.map(|()| true),
        Ok(false) => {
            // Best effort: the relay forgets what is not finished.
            let _ = transfer::destroy(&mut lane.once(), blob.file.blob, &blob.file.write_key).await;
            Ok(false)
        }
        Err(error) => Err(error),
    }
}

/// A blob that is stored and not finished.
struct Blob {
    file: FileRecord,
    manifest: SealedManifest,
}

impl Blob {
    async fn put<T: Transport>(
        lane: &mut RelayLane<T>,
        content: &[u8],
        layout: Layout,
        payment: Payment,
    ) -> Result<Self, ClientError> {
        let mut rng = random::system();
        let (capabilities, key) = (BlobCapabilities::generate(&mut rng), FileKey::generate(&mut rng));
        let BlobCapabilities { blob, read_token, write_key } = &capabilities;
        let create = CreateBlob {
            blob: *blob,
            payment: payment.show(),
            read_token: hash_token(read_token),
            write_key: hash_token(write_key),
            chunks: layout.chunks(),
            whole: None,
        };
        let made = lane.call(Endpoint::CreateBlob, None, &create).await;
        let until = lease::believed(made.map_err(ClientError::upload)?);
        let authorization = Authorization::Bearer(write_key.clone());
        let mut hashes: Vec<ChunkHash> = Vec::new();
        let mut rest = content;
        for index in 0..layout.chunks() {
            let mut chunk = ChunkBuffer::new(layout.class());
            let (own, further) = rest.split_at_checked(layout.content(index)).unwrap_or((rest, &[]));
            chunk.plaintext_mut().iter_mut().zip(own).for_each(|(slot, byte)| *slot = *byte);
            rest = further;
            let sealed = chunk.seal(&key, *blob, index, &mut rng).map_err(ClientError::Sealing)?;
            hashes.push(sealed.hash);
            let (endpoint, body) = (Endpoint::PutChunk(*blob, index), Bytes::from(sealed.bytes));
            lane.exchange(endpoint, Some(&authorization), body, 0).await.map_err(ClientError::upload)?;
        }
        let name = FileName::parse(NAME).map_err(ClientError::Sealing)?;
        let facts = FileFacts { name, size: layout.size(), modified: None };
        let manifest = seal_manifest(&facts, &hashes, &key, *blob, &mut rng).map_err(ClientError::Sealing)?;
        let hash = Sha256::digest(content).into();
        let file = FileRecord::new(capabilities, &key, manifest.hash, layout.size(), None, hash, until);
        Ok(Self { file, manifest })
    }

    async fn finish<T: Transport>(self, lane: &mut RelayLane<T>) -> Result<(), ClientError> {
        let Self { file, manifest } = self;
        let finish = FinishBlob { chunks_digest: manifest.chunks_digest, manifest: manifest.bytes };
        let authorization = Authorization::Bearer(file.write_key.clone());
        let endpoint = Endpoint::FinishBlob(file.blob);
        let finished = lane.call::<_, Leased>(endpoint, Some(&authorization), &finish).await;
        finished.map(drop).map_err(ClientError::upload)
    }
}
