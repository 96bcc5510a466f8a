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

use super::{HomeKeys, Operation, State, replay::Fault};
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
    /// Place of the last checkpoint that the author saw.
    checkpoint: Option<u64>,
    author: [u8; 32],
    operation: Operation,
}

/// An entry that opened, and that the owner signed for this space and epoch. Only [`open_entry`] makes one.
#[derive(Debug)]
pub(super) struct VerifiedEntry {
    pub(super) head: LogHead,
    pub(super) seen: [u8; 32],
    pub(super) checkpoint: Option<u64>,
    pub(super) operation: Operation,
}

/// Seals an operation as the next entry after `head`, by an author who saw this state.
pub(super) fn seal_entry<R: CryptoRng + ?Sized>(
    keys: &HomeKeys,
    head: &LogHead,
    state: &State,
    operation: Operation,
    rng: &mut R,
) -> Result<Vec<u8>, OpenError> {
    let body = Body {
        suite: SUITE,
        space: keys.space(),
        epoch: HomeKeys::epoch(),
        sequence: head.count,
        previous: head.hash,
        seen: *state.hash(),
        checkpoint: state.checkpoint().map(|(place, _)| place),
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
    Ok(VerifiedEntry { head, seen: body.seen, checkpoint: body.checkpoint, operation: body.operation })
}

fn context(space: SpaceId) -> Context {
    Context::of(&[b"entry", space.as_bytes(), &HomeKeys::epoch().to_be_bytes()])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{keyring::Keyring, space::SpacePath};

    fn keys() -> HomeKeys {
        Keyring::generate([6; 32], 1, &mut rand::rng()).home_keys()
    }

    fn remove(length: usize) -> Operation {
        let name = |length| "x".repeat(length);
        let names: Vec<String> =
            (0..length / 200).map(|_| name(199)).chain([name(length % 200 + 1)]).collect();
        Operation::Remove { path: SpacePath::parse(&names.join("/")).unwrap() }
    }

    #[test]
    fn an_entry_takes_the_smallest_size_that_holds_it() {
        let keys = keys();
        let head = LogHead::before_first(keys.space());
        let mut last = 0;
        for length in 0..800 {
            let state = State::new(keys.space());
            let sealed = seal_entry(&keys, &head, &state, remove(length), &mut rand::rng()).unwrap();
            let plaintext = open(Kind::Entry, &keys.entry_key.0, &context(keys.space()), &sealed).unwrap();
            let needed = unpad(&plaintext).unwrap().len() + padded::OVERHEAD + ENVELOPE_OVERHEAD;
            assert!(needed > last, "every length is tried");
            let smallest = ENTRY_SIZES.into_iter().find(|size| *size >= needed).unwrap();
            assert_eq!(sealed.len(), smallest, "{needed} bytes");
            last = needed;
        }
        assert!(last > ENTRY_SIZES[0], "more than one size is tried");
    }

    #[test]
    fn m34_an_entry_of_another_suite_space_or_epoch_does_not_open() {
        let keys = keys();
        let body = || Body {
            suite: SUITE,
            space: keys.space(),
            epoch: HomeKeys::epoch(),
            sequence: 3,
            previous: [1; 32],
            seen: [2; 32],
            checkpoint: None,
            author: *keys.owner().as_bytes(),
            operation: remove(1),
        };
        let opened = |body: &Body| {
            let encoded = codec::encode(body).unwrap();
            let signature = keys.identity.sign(contexts::ENTRY, &encoded);
            let plaintext = pad(&[encoded.as_slice(), &signature].concat(), 429).unwrap();
            let place = context(keys.space());
            let sealed = seal(Kind::Entry, &keys.entry_key.0, &place, &plaintext, &mut rand::rng()).unwrap();
            open_entry(&keys, &sealed).map(|entry| entry.head)
        };
        assert_eq!(opened(&body()), Ok(LogHead { count: 3, hash: [1; 32] }));
        assert_eq!(opened(&Body { suite: 2, ..body() }), Err(Fault::DoesNotOpen));
        assert_eq!(opened(&Body { space: SpaceId::from_bytes([9; 32]), ..body() }), Err(Fault::DoesNotOpen));
        assert_eq!(opened(&Body { epoch: HomeKeys::epoch() + 1, ..body() }), Err(Fault::DoesNotOpen));
        assert_eq!(opened(&Body { author: [9; 32], ..body() }), Err(Fault::NotTheOwner));
    }
}
