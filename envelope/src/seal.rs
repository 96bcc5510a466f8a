//! The one envelope construction.
//!
//! ```text
//!  0      2      3            35            67                    67+n        83+n
//! ┌───────┬──────┬────────────┬─────────────┬─────────────────────┬───────────┐
//! │ suite │ kind │ salt       │ commitment  │ ciphertext          │ tag       │
//! │ 2     │ 1    │ 32, random │ 32          │ n                   │ 16        │
//! └───────┴──────┴────────────┴─────────────┴─────────────────────┴───────────┘
//! prk        = HKDF-Extract(salt, key)
//! ctx        = SHA-256 of the length-prefixed context: what it is, where it belongs, version
//! key ‖ nonce = HKDF-Expand(prk, "nightdrop/v1 seal"   ‖ suite ‖ kind ‖ ctx), 32 + 24 bytes
//! commitment = HKDF-Expand(prk, "nightdrop/v1 commit" ‖ suite ‖ kind ‖ ctx), 32 bytes
//! tag over     suite ‖ kind ‖ salt ‖ commitment ‖ ctx and the ciphertext: XChaCha20-Poly1305
//! ```
//!
//! The commitment is compared in constant time before anything is opened: the AEAD alone does not commit to its key,
//! so without it one ciphertext could open under two keys to two contents.

use crate::{
    OpenError,
    aead::{self, NONCE, TAG},
    context::Context,
    derive::expand,
    key::random,
};
use hkdf::Hkdf;
use nightdrop_wire::{labels, limits::ENVELOPE_OVERHEAD};
use rand::CryptoRng;
use sha2::Sha256;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// The suite: XChaCha20-Poly1305, HKDF-SHA-256. There is no other.
const SUITE: [u8; 2] = [0, 1];
const SALT: usize = 32;
const COMMITMENT: usize = 32;
const HEADER: usize = SUITE.len() + 1 + SALT + COMMITMENT;

/// What an envelope holds. The number is part of the format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// Master key under the encryption key.
    MasterKey = 1,
    /// Master key and account id under the recovery key.
    Recovery = 2,
    /// Keyring under the master key.
    Keyring = 3,
    /// Manifest of a blob under the manifest key.
    Manifest = 4,
    /// What a ticket hands out, under the ticket key.
    Ticket = 5,
    /// Entry of a space's log under the entry key.
    Entry = 6,
    /// What a device remembers, under the memory key.
    DeviceMemory = 7,
    /// Head of the journal of an unfinished upload, under the memory key.
    Journal = 8,
    /// Record of such a journal, under the memory key.
    JournalRecord = 9,
    /// Credits that a device holds, under the memory key.
    Wallet = 10,
    /// The state of the home space that a device keeps, under the copy key.
    CopiedState = 11,
    /// What came after it, under the copy key.
    CopiedChanges = 12,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 12] = [
        Self::MasterKey,
        Self::Recovery,
        Self::Keyring,
        Self::Manifest,
        Self::Ticket,
        Self::Entry,
        Self::DeviceMemory,
        Self::Journal,
        Self::JournalRecord,
        Self::Wallet,
        Self::CopiedState,
        Self::CopiedChanges,
    ];
}

/// Seals `plaintext`; the result is [`ENVELOPE_OVERHEAD`] bytes longer.
///
/// # Errors
/// [`OpenError::Malformed`] only for a plaintext beyond the cipher's 256 GiB.
pub fn seal<R: CryptoRng + ?Sized>(
    kind: Kind,
    key: &[u8; 32],
    context: &Context,
    plaintext: &[u8],
    rng: &mut R,
) -> Result<Vec<u8>, OpenError> {
    let salt: [u8; SALT] = random(rng);
    let keys = Keys::derive(kind, key, context, &salt);
    let mut sealed = Vec::with_capacity(plaintext.len() + ENVELOPE_OVERHEAD);
    sealed.extend_from_slice(&SUITE);
    sealed.push(kind as u8);
    sealed.extend_from_slice(&salt);
    sealed.extend_from_slice(&keys.commitment);
    let associated = associated(&sealed, context);
    sealed.extend_from_slice(plaintext);
    let body = sealed.get_mut(HEADER..).ok_or(OpenError::Malformed)?;
    let tag = aead::encrypt(&keys.key, &keys.nonce, &associated, body).map_err(|_| OpenError::Malformed)?;
    sealed.extend_from_slice(&tag);
    Ok(sealed)
}

/// Opens what [`seal`] made for the same kind, key and context.
///
/// # Errors
/// [`OpenError`], by the first check that fails: form, suite, kind, commitment, tag.
pub fn open(
    kind: Kind,
    key: &[u8; 32],
    context: &Context,
    sealed: &[u8],
) -> Result<Zeroizing<Vec<u8>>, OpenError> {
    let (header, rest) = sealed.split_at_checked(HEADER).ok_or(OpenError::Malformed)?;
    let (body, tag) = rest.split_last_chunk::<TAG>().ok_or(OpenError::Malformed)?;
    let (suite, fields) = header.split_first_chunk::<2>().ok_or(OpenError::Malformed)?;
    let (&[sealed_kind], fields) = fields.split_first_chunk::<1>().ok_or(OpenError::Malformed)?;
    let (salt, commitment) = fields.split_first_chunk::<SALT>().ok_or(OpenError::Malformed)?;
    if *suite != SUITE {
        return Err(OpenError::UnknownSuite);
    }
    if sealed_kind != kind as u8 {
        return Err(OpenError::WrongKind);
    }
    let keys = Keys::derive(kind, key, context, salt);
    if !bool::from(keys.commitment.ct_eq(commitment)) {
        return Err(OpenError::WrongKey);
    }
    let mut plaintext = Zeroizing::new(body.to_vec());
    aead::decrypt(&keys.key, &keys.nonce, &associated(header, context), &mut plaintext, tag)
        .map_err(|_| OpenError::Altered)?;
    Ok(plaintext)
}

fn associated(header: &[u8], context: &Context) -> Vec<u8> {
    [header, context.bytes()].concat()
}

struct Keys {
    key: Zeroizing<[u8; 32]>,
    nonce: [u8; NONCE],
    commitment: [u8; COMMITMENT],
}

impl Keys {
    fn derive(kind: Kind, key: &[u8; 32], context: &Context, salt: &[u8; SALT]) -> Self {
        let prk = Hkdf::<Sha256>::new(Some(salt), key);
        let beside: [&[u8]; 3] = [&SUITE, &[kind as u8], context.bytes()];
        let [suite, kind, context] = beside;
        let both: Zeroizing<[u8; 32 + NONCE]> =
            Zeroizing::new(expand(&prk, &[labels::SEAL, suite, kind, context]));
        let mut derived = Self {
            key: Zeroizing::new([0; 32]),
            nonce: [0; NONCE],
            commitment: expand(&prk, &[labels::COMMIT, suite, kind, context]),
        };
        let slots = derived.key.iter_mut().chain(&mut derived.nonce);
        slots.zip(both.iter()).for_each(|(slot, byte)| *slot = *byte);
        derived
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sealed(kind: Kind) -> Vec<u8> {
        seal(kind, &[1; 32], &Context::of(&[b"here"]), b"contents", &mut rand::rng()).unwrap()
    }

    #[test]
    fn opens_what_it_sealed() {
        for kind in Kind::ALL {
            let sealed = sealed(kind);
            assert_eq!(sealed.len(), 8 + ENVELOPE_OVERHEAD);
            let opened = open(kind, &[1; 32], &Context::of(&[b"here"]), &sealed).unwrap();
            assert_eq!(opened.as_slice(), b"contents");
        }
    }

    #[test]
    fn two_seals_of_the_same_share_nothing_but_suite_and_kind() {
        let (one, other) = (sealed(Kind::Ticket), sealed(Kind::Ticket));
        assert_ne!(one[3..35], other[3..35]);
        assert_ne!(one[35..67], other[35..67]);
        assert_ne!(one[67..], other[67..]);
    }

    #[test]
    fn m06_no_kind_opens_as_another() {
        for kind in Kind::ALL {
            for other in Kind::ALL.into_iter().filter(|other| *other != kind) {
                let mut sealed = sealed(kind);
                let context = Context::of(&[b"here"]);
                assert_eq!(open(other, &[1; 32], &context, &sealed).err(), Some(OpenError::WrongKind));
                sealed[2] = other as u8;
                assert_eq!(open(other, &[1; 32], &context, &sealed).err(), Some(OpenError::WrongKey));
            }
        }
    }

    #[test]
    fn m34_another_place_or_key_is_refused() {
        let sealed = sealed(Kind::Keyring);
        let moved = open(Kind::Keyring, &[1; 32], &Context::of(&[b"there"]), &sealed);
        assert_eq!(moved.err(), Some(OpenError::WrongKey));
        let other_key = open(Kind::Keyring, &[2; 32], &Context::of(&[b"here"]), &sealed);
        assert_eq!(other_key.err(), Some(OpenError::WrongKey));
    }

    #[test]
    fn m15_any_flipped_bit_and_any_other_length_is_refused() {
        let good = sealed(Kind::Manifest);
        let context = Context::of(&[b"here"]);
        assert!(open(Kind::Manifest, &[1; 32], &context, &good).is_ok());
        for bit in 0..good.len() * 8 {
            let mut bad = good.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(open(Kind::Manifest, &[1; 32], &context, &bad).is_err(), "bit {bit}");
        }
        for length in 0..good.len() {
            assert!(open(Kind::Manifest, &[1; 32], &context, &good[..length]).is_err(), "length {length}");
        }
        let longer = [good.as_slice(), &[0]].concat();
        assert!(open(Kind::Manifest, &[1; 32], &context, &longer).is_err());
    }

    /// M23: with the AEAD alone, whoever picks two keys can build one ciphertext that both open. Here the commitment of
    /// one key stands in the header, and the other key is refused before its tag is looked at.
    #[test]
    fn m23_a_tag_that_fits_does_not_help_without_the_commitment() {
        let context = Context::of(&[b"here"]);
        let forged_for = |key: &[u8; 32], commitment_of: &[u8; 32]| {
            let salt = [9; SALT];
            let keys = Keys::derive(Kind::Ticket, key, &context, &salt);
            let commitment = Keys::derive(Kind::Ticket, commitment_of, &context, &salt).commitment;
            let header = [&SUITE[..], &[Kind::Ticket as u8], &salt, &commitment].concat();
            let mut body = b"lie".to_vec();
            let tag =
                aead::encrypt(&keys.key, &keys.nonce, &associated(&header, &context), &mut body).unwrap();
            [header, body, tag.to_vec()].concat()
        };
        assert!(open(Kind::Ticket, &[1; 32], &context, &forged_for(&[1; 32], &[1; 32])).is_ok());
        let two_keys = forged_for(&[2; 32], &[1; 32]);
        assert_eq!(open(Kind::Ticket, &[2; 32], &context, &two_keys).err(), Some(OpenError::WrongKey));
        assert_eq!(open(Kind::Ticket, &[1; 32], &context, &two_keys).err(), Some(OpenError::Altered));
    }
}
