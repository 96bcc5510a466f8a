//! Sending what an upload is of: create (paid) → chunks in any order over several lanes → finish.
//!
//! A file of one chunk is created, stored and finished in one request. Chunk and manifest are in the journal before they are sent.

use super::{
    Content, Funds, Progress, Run, destroy,
    held::{finished_earlier, held_chunks},
    journal::Journal,
    lanes::{Freight, Lanes, Turn, move_all},
};
use crate::{
    ClientError,
    blocking::blocking,
    clock, lease,
    limits::ClientLimits,
    payment::Payment,
    random,
    relay::{RelayLane, RequestError},
    transport::Transport,
};
use bytes::Bytes;
use nightdrop_envelope::{
    capability::{BlobCapabilities, hash_token},
    chunk::{ChunkBuffer, SealedChunk},
    journal::JournalRecord,
    key::FileKey,
    manifest::{FileFacts, SealedManifest, seal_manifest},
    space::{FileRecord, Lease},
};
use nightdrop_wire::{
    authorization::Authorization,
    endpoint::Endpoint,
    limits::MAX_CHUNKS,
    messages::blob::{ChunkHash, CreateBlob, FinishBlob, GrowBlob, Leased, WholeBlob},
    price,
    refusal::Refusal,
    size_class::SizeClass,
};
use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};
use tokio::sync::Semaphore;

/// Pieces of work at once at most; far more than there are streams.
const WORKS: u32 = 1024;
/// How often it is looked again at what the relay holds when it does not agree at the end.
const MOST_MENDED: u32 = 2;
/// Chunks by which a stream's blob grows at once, at most.
const MOST_GROWTH: u32 = 256;

/// An upload that has a journal.
pub(super) struct Sending {
    content: Content,
    key: FileKey,
    capabilities: BlobCapabilities,
    pub(super) journal: Arc<Journal>,
    /// The chunks that the relay holds.
    held: Mutex<BTreeMap<u32, ChunkHash>>,
    /// Whether an earlier run may have asked for the same.
    is_repeated: bool,
    /// What is paid for of a stream's blob.
    paid: tokio::sync::Mutex<Paid>,
    funds: Option<Funds>,
    /// Whether its end was written down, and may have been sent.
    has_end: AtomicBool,
    progress: Arc<dyn Progress>,
    /// A permit is out for each piece of work that threads do for it.
    works: Arc<Semaphore>,
}

/// What is paid for: so many units, and so many chunks that they cover.
#[derive(Default)]
struct Paid {
    units: u32,
    chunks: u32,
}

/// What finishes a blob.
struct End {
    manifest: SealedManifest,
    record: JournalRecord,
    file: FileRecord,
}

impl Sending {
    /// `held` are chunks that need not be sent; `is_repeated` says whether an earlier run may have asked for the same.
    pub(super) fn new(
        content: Content,
        journal: Journal,
        held: BTreeMap<u32, ChunkHash>,
        is_repeated: bool,
        funds: Option<Funds>,
        progress: Arc<dyn Progress>,
    ) -> Self {
        let (key, capabilities) = (journal.head().file_key(), journal.head().capabilities());
        let (journal, has_end) = (Arc::new(journal), AtomicBool::new(false));
        let (held, paid) = (Mutex::new(held), Default::default());
        Self {
            content,
            key,
            capabilities,
            journal,
            held,
            is_repeated,
            paid,
            funds,
            has_end,
            progress,
            works: Arc::new(Semaphore::new(WORKS as usize)),
        }
    }

    /// Stores it; a payment is for a blob that is not there yet.
    ///
    /// # Errors
    /// [`ClientError`].
    pub(super) async fn store<T: Transport>(
        self: &Arc<Self>,
        limits: &ClientLimits,
        lane: &mut RelayLane<T>,
        payment: Option<Payment>,
    ) -> Result<FileRecord, ClientError> {
        // Circuits take seconds to build: those of the chunks are begun before the blob is made.
        let lanes =
            |lane: &RelayLane<T>| Lanes::open_ahead(limits, lane.another(), self.content.chunks_to_send());
        let Some(payment) = payment else {
            let lanes = lanes(lane);
            return store_chunks(self, lanes, limits, lane).await;
        };
        match blocking_on(self, |sending| sending.content.whole()).await? {
            Some(chunk) => store_whole(self, lane, payment, chunk).await,
            None => {
                let lanes = lanes(lane);
                let units = payment.units();
                let chunks = self.content.most_chunks().min(price::chunks_for(units));
                if matches!(self.content, Content::File(_)) && chunks < self.content.most_chunks() {
                    return Err(ClientError::NoCredits);
                }
                *self.paid.lock().await = Paid { units, chunks };
                let create = self.create(payment, chunks, None);
                let made = lane.call::<_, Leased>(Endpoint::CreateBlob, None, &create).await;
                made.map_err(ClientError::upload)?;
                store_chunks(self, lanes, limits, lane).await
            }
        }
    }

    fn held(&self) -> MutexGuard<'_, BTreeMap<u32, ChunkHash>> {
        // Nothing can panic while it is held.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn moved(&self) {
        self.journal.journals().run().into_iter().for_each(Run::moved);
    }

    fn write_authorization(&self) -> Authorization {
        Authorization::Bearer(self.capabilities.write_key.clone())
    }

    /// The payment is in the journal: if this does not come to the relay, it is shown with the same blob again.
    fn create(&self, payment: Payment, chunks: u32, whole: Option<WholeBlob>) -> CreateBlob {
        CreateBlob {
            blob: self.capabilities.blob,
            payment: payment.show(),
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

    /// The next chunk, sealed and written down.
    fn next_chunk(&self) -> Result<Option<(u32, SealedChunk)>, ClientError> {
        let Some((index, chunk)) = self.content.next_chunk()? else { return Ok(None) };
        Ok(Some((index, self.seal_and_note(index, chunk)?)))
    }

    /// A chunk of a file once more, sealed under a fresh nonce and written down.
    fn chunk_again(&self, index: u32) -> Result<SealedChunk, ClientError> {
        self.seal_and_note(index, self.content.chunk_again(index)?)
    }

    /// A stream cannot be read again, so of one there is nothing to write.
    fn seal_and_note(&self, index: u32, chunk: ChunkBuffer) -> Result<SealedChunk, ClientError> {
        let chunk = self.seal_chunk(index, chunk)?;
        if matches!(self.content, Content::File(_)) {
            self.journal.note_chunk(index, chunk.nonce(), chunk.hash)?;
        }
        Ok(chunk)
    }

    /// Seals the manifest and writes it down, unless a file changed since its first chunk was read.
    fn end(&self, hashes: &[ChunkHash]) -> Result<End, ClientError> {
        let (facts, content) = self.content.finish()?;
        let blob = self.capabilities.blob;
        let manifest = seal_manifest(&facts, hashes, &self.key, blob, &mut random::system())
            .map_err(ClientError::Sealing)?;
        let FileFacts { name: _, size, modified } = facts;
        let record = JournalRecord::Finish { manifest: manifest.hash, content, size, modified };
        self.journal.note_end(&record)?;
        self.has_end.store(true, Ordering::Relaxed);
        let capabilities = self.capabilities.clone();
        // The relay says it at the end.
        let until = clock::today();
        let file = FileRecord::new(capabilities, &self.key, manifest.hash, size, modified, content, until);
        Ok(End { manifest, record, file })
    }

    /// Whether going on later would not help.
    pub(super) fn is_over(&self, error: &ClientError) -> bool {
        match self.content {
            // All of it was sent: perhaps only the answer is missing, and nobody can read it again.
            Content::Stream(_) if self.has_end.load(Ordering::Relaxed) => {
                matches!(error, ClientError::UploadRefused)
            }
            Content::Stream(_) => true,
            Content::File(_) => matches!(
                error,
                ClientError::FileChanged { .. } | ClientError::TooLarge { .. } | ClientError::UploadRefused
            ),
        }
    }

    /// Waits until nothing works for it any more: threads hold its journal, and whoever goes on with it next must not find it held.
    pub(super) async fn settle(&self) {
        // The semaphore is never closed.
        let _ = self.works.acquire_many(WORKS).await;
    }

    /// Destroys it at the relay, if the relay can be reached, and forgets it.
    pub(super) async fn destroy<T: Transport>(&self, lane: &mut RelayLane<T>) {
        let BlobCapabilities { blob, write_key, .. } = &self.capabilities;
        match destroy(lane, *blob, write_key).await {
            Ok(refund) => self.journal.journals().refunds().note(refund),
            Err(ClientError::Withheld) => {}
            Err(_) => return,
        }
        // If it cannot be removed, it is left to be dropped.
        let _ = self.journal.remove();
    }
}

impl Freight for Sending {
    type Chunk = (Bytes, ChunkHash);
    type Carried = ChunkHash;

    fn chunk_bytes(&self) -> usize {
        SizeClass::FULL.sealed()
    }

    async fn fresh(self: &Arc<Self>) -> Result<Option<(u32, Self::Chunk)>, ClientError> {
        let next = blocking_on(self, Self::next_chunk).await?;
        Ok(next.map(|(index, SealedChunk { bytes, hash })| (index, (Bytes::from(bytes), hash))))
    }

    async fn carry<T: Transport>(
        &self,
        lane: &mut RelayLane<T>,
        index: u32,
        (sealed, hash): Self::Chunk,
        turn: Option<Turn>,
    ) -> Result<ChunkHash, ClientError> {
        pay_for(self, lane, index).await?;
        put_chunk(self, lane, index, sealed, turn).await.map(|()| hash)
    }

    async fn land(self: &Arc<Self>, index: u32, hash: ChunkHash) -> Result<(), ClientError> {
        self.held().insert(index, hash);
        self.moved();
        Ok(())
    }
}

async fn store_whole<T: Transport>(
    sending: &Arc<Sending>,
    lane: &mut RelayLane<T>,
    payment: Payment,
    chunk: ChunkBuffer,
) -> Result<FileRecord, ClientError> {
    let (chunk, end) = blocking_on(sending, |sending| {
        let chunk = sending.seal_chunk(0, chunk)?;
        let end = sending.end(&[chunk.hash])?;
        Ok((chunk, end))
    })
    .await?;
    let sealed = chunk.bytes.len() as u64;
    let whole = WholeBlob { chunk: chunk.bytes, manifest: end.manifest.bytes };
    let create = sending.create(payment, 1, Some(whole));
    let file = match lane.call(Endpoint::CreateBlob, None, &create).await {
        Ok(leased) => kept_until(end.file, leased),
        // What an earlier run sent came after all, and has spent the same credits, or others.
        Err(RequestError::Refused(Refusal::Refused | Refusal::Conflict)) if sending.is_repeated => {
            let (head, ends) = (sending.journal.head(), &sending.journal.kept().ends);
            finished_earlier(lane, head, ends).await?.ok_or(ClientError::UploadRefused)?
        }
        Err(error) => return Err(ClientError::upload(error)),
    };
    sending.moved();
    sending.progress.advance(sealed);
    Ok(file)
}

async fn store_chunks<T: Transport>(
    sending: &Arc<Sending>,
    lanes: Lanes<T>,
    limits: &ClientLimits,
    lane: &mut RelayLane<T>,
) -> Result<FileRecord, ClientError> {
    move_all(sending, lanes, limits, &sending.progress).await?;
    let mut hashes = sending.held().clone();
    let mut ends = sending.journal.kept().ends.clone();
    let mut mended = 0;
    loop {
        let all: Vec<ChunkHash> = hashes.values().copied().collect();
        let End { manifest, record, file } = blocking_on(sending, move |sending| sending.end(&all)).await?;
        ends.push(record);
        let finish = FinishBlob { chunks_digest: manifest.chunks_digest, manifest: manifest.bytes };
        let endpoint = Endpoint::FinishBlob(sending.capabilities.blob);
        match lane.call(endpoint, Some(&sending.write_authorization()), &finish).await {
            Ok(leased) => return Ok(kept_until(file, leased)),
            Err(RequestError::Refused(Refusal::Conflict)) if mended < MOST_MENDED => {
                // What an earlier run sent may have finished it meanwhile.
                if let Some(file) = finished_earlier(lane, sending.journal.head(), &ends).await? {
                    return Ok(file);
                }
                mend(sending, lane, &mut hashes).await?;
                mended += 1;
            }
            Err(error) => return Err(ClientError::upload(error)),
        }
    }
}

/// What its owner keeps of a file that the relay keeps for so long.
fn kept_until(file: FileRecord, leased: Leased) -> FileRecord {
    let mut file = file;
    file.lease = Lease::until(lease::believed(leased));
    file
}

/// A chunk that an earlier run sent came after this one's, and took its place: what the relay holds is looked at again, and what is not right is sent
/// again, one after the other.
async fn mend<T: Transport>(
    sending: &Arc<Sending>,
    lane: &mut RelayLane<T>,
    hashes: &mut BTreeMap<u32, ChunkHash>,
) -> Result<(), ClientError> {
    let count = sending.content.most_chunks();
    let held = match &sending.content {
        // It cannot be read again.
        Content::Stream(_) => None,
        Content::File(_) => held_chunks(lane, sending.journal.head(), count).await?,
    };
    let held = held.ok_or(ClientError::UploadRefused)?;
    let wrong = |(index, hash): (&u32, &ChunkHash)| (held.get(index) != Some(hash)).then_some(*index);
    let wrong: Vec<u32> = hashes.iter().filter_map(wrong).collect();
    if wrong.is_empty() {
        return Err(ClientError::UploadRefused);
    }
    for index in wrong {
        let chunk = blocking_on(sending, move |sending| sending.chunk_again(index)).await?;
        let hash = chunk.hash;
        put_chunk(sending, lane, index, Bytes::from(chunk.bytes), None).await?;
        hashes.insert(index, hash);
    }
    Ok(())
}

/// Pays for a chunk of a stream that is not paid for, and for as many more as there are, up to 256.
async fn pay_for<T: Transport>(
    sending: &Sending,
    lane: &mut RelayLane<T>,
    index: u32,
) -> Result<(), ClientError> {
    if matches!(sending.content, Content::File(_)) {
        return Ok(());
    }
    let mut paid = sending.paid.lock().await;
    while index >= paid.chunks {
        let chunks = paid.chunks.saturating_add(paid.chunks.clamp(1, MOST_GROWTH)).min(MAX_CHUNKS);
        let price = price::of_open(chunks).unwrap_or(0).saturating_sub(paid.units);
        let payment = match &sending.funds {
            _ if price == 0 => Payment::default(),
            Some(funds) => funds.pay(price).await?,
            None => return Err(ClientError::NoCredits),
        };
        let units = paid.units.saturating_add(payment.units());
        let grow = GrowBlob { chunks, payment: payment.show() };
        let endpoint = Endpoint::GrowBlob(sending.capabilities.blob);
        let grown = lane.tell(endpoint, Some(&sending.write_authorization()), &grow).await;
        grown.map_err(ClientError::upload)?;
        *paid = Paid { units, chunks };
    }
    Ok(())
}

async fn put_chunk<T: Transport>(
    sending: &Sending,
    lane: &mut RelayLane<T>,
    index: u32,
    sealed: Bytes,
    turn: Option<Turn>,
) -> Result<(), ClientError> {
    let endpoint = Endpoint::PutChunk(sending.capabilities.blob, index);
    let authorization = sending.write_authorization();
    let put = lane.exchange_in_turn(endpoint, Some(&authorization), sealed, 0, turn).await;
    put.map(|_empty| ()).map_err(ClientError::upload)
}

/// Runs what reads the disk or seals away from the tasks that move bytes.
async fn blocking_on<R: Send + 'static>(
    sending: &Arc<Sending>,
    work: impl FnOnce(&Sending) -> Result<R, ClientError> + Send + 'static,
) -> Result<R, ClientError> {
    let permit = Arc::clone(&sending.works).acquire_owned().await.map_err(|_| ClientError::Stopped)?;
    let sending = Arc::clone(sending);
    let work = move || {
        let done = work(&sending);
        drop(sending);
        drop(permit);
        done
    };
    blocking(work).await?
}
