//! One entry: signed inside, sealed outside.
//!
//! ```text
//! body      = postcard of Body
//! signature = Ed25519 over "nightdrop/v1 entry" ‖ body
//! plaintext = length (4) ‖ body ‖ signature (64) ‖ zeros
//! sealed    = envelope of kind Entry under the entry key, for space and epoch; 512, 1024, 2048 or 4096 bytes
//! ```
//! Sequence and previous hash are signed but not part of the envelope's context: an entry in the wrong place still opens, and is
//! then known to be one of ours in the wrong place, which is an error and not a stray.

use super::{HomeKeys, Operation, replay::Fault};
use crate::{
    OpenError,
    context::Context,
    identity::{Identity, SIGNATURE},
    padded::{self, pad, unpad},
    seal::{Kind, open, seal},
};
use nightdrop_wire::{
    codec, contexts,
    ids::SpaceId,
    limits::{ENTRY_SIZES, ENVELOPE_OVERHEAD},
    messages::log::LogHead,
};
use rand::CryptoRng;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

const SUITE: u16 = 1;

/// Field order is the byte order.
#[derive(Serialize, Deserialize)]
pub(super) struct Body {
    suite: u16,
    space: SpaceId,
    epoch: u32,
    pub(super) sequence: u64,
    pub(super) previous: [u8; 32],
    pub(super) seen: [u8; 32],
    author: [u8; 32],
    operation: Operation,
}

/// An entry that opened, and that the owner signed for this space and epoch. Only [`open_entry`] makes one.
#[derive(Debug)]
pub(super) struct VerifiedEntry {
    pub(super) head: LogHead,
    pub(super) seen: [u8; 32],
    pub(super) operation: Operation,
}

/// Seals an operation as the next entry after `head`, by an author who saw the state with the hash `seen`.
pub(super) fn seal_entry<R: CryptoRng + ?Sized>(
    keys: &HomeKeys,
    head: &LogHead,
    seen: &[u8; 32],
    operation: Operation,
    rng: &mut R,
) -> Result<Vec<u8>, OpenError> {
    let body = Body {
        suite: SUITE,
        space: keys.space(),
        epoch: HomeKeys::epoch(),
        sequence: head.count,
        previous: head.hash,
        seen: *seen,
        author: *keys.owner().as_bytes(),
        operation,
    };
    let encoded = Zeroizing::new(codec::encode(&body).map_err(|_| OpenError::Malformed)?);
    let signature = keys.identity.sign(contexts::ENTRY, &encoded);
    let signed = Zeroizing::new([encoded.as_slice(), &signature].concat());
    let needed = signed.len() + padded::OVERHEAD + ENVELOPE_OVERHEAD;
    let size = ENTRY_SIZES.into_iter().find(|size| *size >= needed).ok_or(OpenError::Inconsistent)?;
    let plaintext = pad(&signed, size - ENVELOPE_OVERHEAD)?;
    seal(Kind::Entry, &keys.entry_key.0, &context(keys.space()), &plaintext, rng)
}

/// Opens and verifies an entry; whether it is in its place is for the replay to say.
pub(super) fn open_entry(keys: &HomeKeys, sealed: &[u8]) -> Result<VerifiedEntry, Fault> {
    let plaintext = open(Kind::Entry, &keys.entry_key.0, &context(keys.space()), sealed)
        .map_err(|_| Fault::DoesNotOpen)?;
    let signed = unpad(&plaintext).map_err(|_| Fault::DoesNotOpen)?;
    let (bytes, signature) = signed.split_last_chunk::<SIGNATURE>().ok_or(Fault::DoesNotOpen)?;
    let body: Body = codec::decode(bytes).map_err(|_| Fault::DoesNotOpen)?;
    if body.suite != SUITE || body.space != keys.space() || body.epoch != HomeKeys::epoch() {
        return Err(Fault::DoesNotOpen);
    }
    let author = Identity::from_bytes(body.author);
    if author != keys.owner() {
        return Err(Fault::NotTheOwner);
    }
    author.verify(contexts::ENTRY, bytes, signature).map_err(|_| Fault::BadSignature)?;
    let head = LogHead { count: body.sequence, hash: body.previous };
    Ok(VerifiedEntry { head, seen: body.seen, operation: body.operation })
}

fn context(space: SpaceId) -> Context {
    Context::of(&[b"entry", space.as_bytes(), &HomeKeys::epoch().to_be_bytes()])
}
