//! What the relay has of an upload that was cut off, as far as it can be believed.
//!
//! A chunk counts as held only if its hash is one that this device wrote down before it sent the chunk, and if sealing what the file holds there *now*,
//! with the nonce that was written down, gives that hash again. So neither the relay nor the file's times are believed.

use super::{Source, journal::Journal};
use crate::{
    ClientError, clock,
    relay::{RelayLane, RequestError},
    transport::Transport,
};
use bytes::Bytes;
use nightdrop_envelope::{
    OpenError,
    journal::{JournalHead, JournalRecord},
    space::FileRecord,
};
use nightdrop_wire::{
    authorization::Authorization,
    codec,
    endpoint::Endpoint,
    limits::{MAX_HELD_BODY, MAX_HELD_CHUNKS, MAX_MANIFEST},
    messages::blob::{ChunkHash, HeldChunks},
    refusal::Refusal,
};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// The chunks of an unfinished blob that the relay says it holds; none if it has no such blob.
pub(super) async fn held_chunks<T: Transport>(
    lane: &mut RelayLane<T>,
    head: &JournalHead,
    chunks: u32,
) -> Result<Option<BTreeMap<u32, ChunkHash>>, ClientError> {
    let shown = Authorization::Bearer(head.write_key.clone());
    let (mut held, mut from) = (BTreeMap::new(), 0);
    // Each page that is not the last leads on, so it ends.
    while from < chunks {
        let endpoint = Endpoint::HeldChunks(head.blob, from);
        let page = match lane.exchange(endpoint, Some(&shown), Bytes::new(), MAX_HELD_BODY).await {
            Ok(page) => page,
            Err(RequestError::Refused(Refusal::Refused)) => return Ok(None),
            Err(error) => return Err(ClientError::request(error)),
        };
        let HeldChunks { chunks: page } = codec::decode(&page).map_err(|_| ClientError::NotARelay)?;
        if page.len() > MAX_HELD_CHUNKS {
            return Err(ClientError::NotARelay);
        }
        let is_last = page.len() < MAX_HELD_CHUNKS;
        for chunk in page {
            if chunk.index < from || chunk.index >= chunks {
                return Err(ClientError::NotARelay);
            }
            held.insert(chunk.index, chunk.hash);
            from = chunk.index + 1;
        }
        if is_last {
            break;
        }
    }
    Ok(Some(held))
}

/// Those of the chunks that this device wrote down; none if one of them is not what the file holds now.
pub(super) fn same_chunks(
    journal: &Journal,
    source: &Source,
    held: BTreeMap<u32, ChunkHash>,
) -> Result<Option<BTreeMap<u32, ChunkHash>>, ClientError> {
    let (head, mut same) = (journal.head(), BTreeMap::new());
    let key = head.file_key();
    for (index, hash) in held {
        let sealings = journal.kept().chunks.get(&index);
        let sealing = sealings.and_then(|all| all.iter().find(|(_, ours)| *ours == hash));
        let Some((nonce, hash)) = sealing else { continue };
        if !source.read_chunk(index)?.was_sealed_as((nonce, hash), &key, head.blob, index) {
            return Ok(None);
        }
        same.insert(index, *hash);
    }
    Ok(Some(same))
}

/// The file of an earlier end, if the relay gives a manifest that this device sealed for it: then the blob is finished.
pub(super) async fn finished_earlier<T: Transport>(
    lane: &mut RelayLane<T>,
    head: &JournalHead,
    ends: &[JournalRecord],
) -> Result<Option<FileRecord>, ClientError> {
    if ends.is_empty() {
        return Ok(None);
    }
    let shown = Authorization::Bearer(head.read_token.clone());
    let answer = lane.exchange(Endpoint::GetHead(head.blob), Some(&shown), Bytes::new(), MAX_MANIFEST).await;
    let sealed = match answer {
        Ok(sealed) => sealed,
        Err(RequestError::Refused(Refusal::Refused)) => return Ok(None),
        Err(error) => return Err(ClientError::listed(error)),
    };
    let given: [u8; 32] = Sha256::digest(&sealed).into();
    let files = ends.iter().filter_map(|end| head.finished_by(end, clock::today()));
    let mut ours = files.filter(|file| file.manifest == given);
    // Nobody else has the write key, so nobody else can have finished it.
    ours.next().map(Some).ok_or(ClientError::Tampered(OpenError::WrongHash))
}
