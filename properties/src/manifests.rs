//! Manifests by an author who lies: everything fits the key and the hash, and the contents are any bytes.

use crate::{
    Fixed,
    contents::{derive, padded},
    names::is_contained,
    seals::{BLOB, KEY, hash},
};
use nightdrop_envelope::{
    context::Context,
    file_name::FileName,
    key::FileKey,
    layout::Layout,
    manifest::{VerifiedManifest, seal_manifest},
    seal::{Kind, seal},
};
use nightdrop_wire::labels;

/// The input is tried as a sealed manifest, as what one holds, and as the padded body in one.
pub(crate) fn manifest(input: &[u8]) -> bool {
    let whole = believed(input);
    let plaintext = believed(&sealed(input));
    let body = believed(&sealed(&[&[1], padded(input, input.len() + 4).as_slice()].concat()));
    whole | plaintext | body
}

fn sealed(plaintext: &[u8]) -> Vec<u8> {
    let key = derive(&KEY, labels::MANIFEST_KEY, b"");
    let context = Context::of(&[b"manifest", BLOB.as_bytes()]);
    seal(Kind::Manifest, &key, &context, plaintext, &mut Fixed::new(0)).unwrap()
}

/// What is accepted does not contradict itself, and what it says can be sealed again.
fn believed(sealed: &[u8]) -> bool {
    let key = || FileKey::from_bytes(KEY);
    let Ok(opened) = VerifiedManifest::open(sealed, &hash(sealed), key(), BLOB) else { return false };
    let (facts, layout) = (opened.facts(), opened.layout());
    is_contained(facts.name.as_str());
    assert_eq!(FileName::parse(facts.name.as_str()).as_ref(), Ok(&facts.name));
    assert_eq!(Layout::of_size(facts.size).as_ref(), Ok(layout));
    assert!(layout.chunks() as usize * 32 <= sealed.len(), "more chunks than hashes");
    for index in [0, layout.chunks() - 1, layout.chunks(), u32::MAX] {
        assert!(opened.open_chunk(index, Vec::new()).is_err());
        assert!(opened.open_chunk(index, vec![0; layout.class().sealed()]).is_err());
    }
    let hashes = vec![[7; 32]; layout.chunks() as usize];
    let again = seal_manifest(facts, &hashes, &key(), BLOB, &mut Fixed::new(0)).unwrap();
    let again = VerifiedManifest::open(&again.bytes, &again.hash, key(), BLOB).unwrap();
    assert_eq!((again.facts(), again.layout()), (facts, layout));
    true
}
