//! Opening envelopes and chunks with checks left out, and sealing an envelope that is committed to another key.
//!
//! XChaCha20 is its own inverse, so encrypting a ciphertext gives its plaintext whether the tag fits or not, and encrypting
//! that again gives the tag that should have been there.

use super::{Check, Stopped, Without};
use chacha20poly1305::{
    KeyInit, XChaCha20Poly1305,
    aead::{AeadInOut, inout::InOutBuf},
};
use hkdf::Hkdf;
use nightdrop_envelope::seal::Kind;
use nightdrop_wire::labels;
use sha2::{Digest, Sha256};

const SUITE: [u8; 2] = [0, 1];
const HEADER: usize = 67;
const SALT: std::ops::Range<usize> = 3..35;
const COMMITMENT: std::ops::Range<usize> = 35..67;
pub(super) const NONCE: usize = 24;
pub(super) const TAG: usize = 16;

/// The plaintext of an envelope.
pub(super) fn open(
    kind: Kind,
    key: &[u8; 32],
    context: &[&[u8]],
    sealed: &[u8],
    without: Without<'_>,
) -> Result<Vec<u8>, Stopped> {
    if sealed.len() < HEADER + TAG {
        return Err(Stopped::Unreadable);
    }
    let (header, body) = sealed.split_at(HEADER);
    without.check(Check::Kind, header[..2] == SUITE && header[2] == kind as u8)?;
    let context = context_hash(context);
    let keys = Keys::derive(kind, key, &context, &header[SALT]);
    without.check(Check::Commitment, header[COMMITMENT] == keys.commitment)?;
    decrypt(&keys.key, &keys.nonce, &[header, &context].concat(), body, without)
}

/// The plaintext of `ciphertext ‖ tag`.
pub(super) fn decrypt(
    key: &[u8; 32],
    nonce: &[u8; NONCE],
    associated: &[u8],
    sealed: &[u8],
    without: Without<'_>,
) -> Result<Vec<u8>, Stopped> {
    let end = sealed.len().checked_sub(TAG).ok_or(Stopped::Unreadable)?;
    let (ciphertext, tag) = sealed.split_at(end);
    let (plaintext, _) = encrypt(key, nonce, associated, ciphertext);
    let (_, fitting) = encrypt(key, nonce, associated, &plaintext);
    without.check(Check::Tag, tag == fitting)?;
    Ok(plaintext)
}

/// Seals an envelope for `key` whose header is committed to `committed`.
pub(super) fn seal_committed_to(
    committed: &[u8; 32],
    kind: Kind,
    key: &[u8; 32],
    context: &[&[u8]],
    plaintext: &[u8],
) -> Vec<u8> {
    let salt = [5; 32];
    let context = context_hash(context);
    let keys = Keys::derive(kind, key, &context, &salt);
    let commitment = Keys::derive(kind, committed, &context, &salt).commitment;
    let header = [&SUITE[..], &[kind as u8], &salt, &commitment].concat();
    let (ciphertext, tag) = encrypt(&keys.key, &keys.nonce, &[&header[..], &context].concat(), plaintext);
    [header, ciphertext, tag.to_vec()].concat()
}

/// `N` bytes from a secret for a label.
pub(super) fn derive<const N: usize>(secret: &[u8], label: &[u8], beside: &[u8]) -> [u8; N] {
    expand(&Hkdf::new(None, secret), &[label, beside])
}

fn expand<const N: usize>(prk: &Hkdf<Sha256>, info: &[&[u8]]) -> [u8; N] {
    let mut output = [0; N];
    prk.expand_multi_info(info, &mut output).unwrap();
    output
}

fn encrypt(key: &[u8; 32], nonce: &[u8; NONCE], associated: &[u8], plaintext: &[u8]) -> (Vec<u8>, [u8; TAG]) {
    let mut buffer = plaintext.to_vec();
    let cipher = XChaCha20Poly1305::new(key.into());
    let tag = cipher
        .encrypt_inout_detached(nonce.into(), associated, InOutBuf::from(buffer.as_mut_slice()))
        .unwrap();
    (buffer, tag.into())
}

fn context_hash(parts: &[&[u8]]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}

struct Keys {
    key: [u8; 32],
    nonce: [u8; NONCE],
    commitment: [u8; 32],
}

impl Keys {
    fn derive(kind: Kind, key: &[u8; 32], context: &[u8; 32], salt: &[u8]) -> Self {
        let prk = Hkdf::<Sha256>::new(Some(salt), key);
        let (suite, kind): (&[u8], &[u8]) = (&SUITE, &[kind as u8]);
        let both: [u8; 32 + NONCE] = expand(&prk, &[labels::SEAL, suite, kind, context]);
        let (key, nonce) = both.split_at(32);
        Self {
            key: key.try_into().unwrap(),
            nonce: nonce.try_into().unwrap(),
            commitment: expand(&prk, &[labels::COMMIT, suite, kind, context]),
        }
    }
}
