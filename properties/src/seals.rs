//! Envelopes and chunks: what was altered in any way does not open.

use crate::{Fixed, alteration::altered};
use nightdrop_envelope::{
    chunk::ChunkBuffer,
    context::Context,
    file_name::FileName,
    key::FileKey,
    manifest::{FileFacts, VerifiedManifest, seal_manifest},
    seal::{Kind, open, seal},
};
use nightdrop_wire::{ids::BlobId, limits::ENVELOPE_OVERHEAD, size_class::SizeClass};
use sha2::{Digest, Sha256};

/// Key, blob and context are those of the test vectors of `envelope`, so that a vector is an honest input.
pub(crate) const KEY: [u8; 32] = [0x11; 32];
pub(crate) const BLOB: BlobId = BlobId::from_bytes([0x22; 16]);

fn context() -> Context {
    Context::of(&[b"test vector"])
}

/// As it is, the input opens at most as the kind that it names. And: the first byte chooses a kind, the second says how much of
/// the rest is sealed, and the remainder is the edits: what differs in any byte opens as nothing, what does not opens as itself.
pub(crate) fn envelope(input: &[u8]) -> bool {
    let opens = |kind| open(kind, &KEY, &context(), input).is_ok();
    let accepted = Kind::ALL.into_iter().filter(|kind| opens(*kind)).fold(false, |_, kind| {
        assert_eq!((&input[..2], input[2]), (&[0, 1][..], kind as u8));
        true
    });
    let Some((&[kind, length], rest)) = input.split_first_chunk::<2>() else { return accepted };
    let kind = Kind::ALL[usize::from(kind) % Kind::ALL.len()];
    let (plaintext, edits) = rest.split_at(usize::from(length).min(rest.len()));
    let good = seal(kind, &KEY, &context(), plaintext, &mut Fixed::new(0)).unwrap();
    assert_eq!(good.len(), plaintext.len() + ENVELOPE_OVERHEAD);
    let bad = altered(&good, edits);
    for other in Kind::ALL {
        match open(other, &KEY, &context(), &bad) {
            Ok(opened) => assert!(other == kind && bad == good && opened.as_slice() == plaintext),
            Err(_) => assert!(other != kind || bad != good, "it does not open as itself"),
        }
    }
    accepted
}

/// As it is, the input is a sealed chunk that the manifest vouches for; it opens only with zeros where nothing should be. And: the
/// first two bytes choose index and length of a chunk, whose content is the next bytes, edited as the last ones say.
pub(crate) fn chunk(input: &[u8]) -> bool {
    let raw = manifest_of(19, &[hash(input)]).open_chunk(0, input.to_vec());
    let accepted = raw.is_ok();
    if let Ok(chunk) = raw {
        assert_eq!((chunk.offset(), chunk.content().len()), (0, 19));
    }
    let Some((&[index, length], rest)) = input.split_first_chunk::<2>() else { return accepted };
    let (content, edits) = rest.split_at(usize::from(length).min(rest.len()));
    let index = u32::from(index);
    let mut buffer = ChunkBuffer::new(SizeClass::SMALLEST);
    buffer.plaintext_mut()[..content.len()].copy_from_slice(content);
    let good = buffer.seal(&FileKey::from_bytes(KEY), BLOB, index, &mut Fixed::new(0)).unwrap().bytes;
    let bad = altered(&good, edits);
    // Vouched for by the author: only the seal can tell.
    let opened = manifest_of(content.len() as u64, &[hash(&bad)]).open_chunk(0, bad.clone());
    match opened {
        Ok(opened) => assert!(index == 0 && bad == good && opened.content() == content),
        Err(_) => assert!(index != 0 || bad != good, "it does not open as itself"),
    }
    // Vouched for is another: the hash tells.
    let vouched = manifest_of(content.len() as u64, &[hash(&good)]);
    assert_eq!(vouched.open_chunk(0, bad.clone()).is_ok(), index == 0 && bad == good);
    assert!(vouched.open_chunk(1, good).is_err(), "there is no second chunk");
    accepted
}

fn manifest_of(size: u64, hashes: &[[u8; 32]]) -> VerifiedManifest {
    let facts = FileFacts { name: FileName::parse("a").unwrap(), size, modified: None };
    let key = || FileKey::from_bytes(KEY);
    let sealed = seal_manifest(&facts, hashes, &key(), BLOB, &mut Fixed::new(1)).unwrap();
    VerifiedManifest::open(&sealed.bytes, &sealed.hash, key(), BLOB).unwrap()
}

pub(crate) fn hash(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}
