//! Tickets: how a blob is shared. One secret of 32 bytes, and a password if the owner wants one, give all that a reader needs.
//!
//! ```text
//! ticket root = ticket secret                                                      without a password
//!             = HKDF(salt = ticket secret, Argon2id(password, password salt))      with one
//! ticket secret ─HKDF→ password salt (32)
//! ticket root   ─HKDF→ ticket id (16)      names it at the relay
//!               ─HKDF→ ticket token (32)   reads the blob, until the ticket ends
//!               ─HKDF→ claim (32)          beside random bytes that the reader keeps: one download, where they are counted
//!               ─HKDF→ ticket key (32)     opens the envelope:
//! plaintext: file key (32) ‖ blob id (16) ‖ SHA-256 of the sealed manifest (32)
//! ```
//! The reader gets no token of the blob itself, so a ticket ends without ending the blob. With a wrong password all of it is another
//! ticket, which the relay does not have: nothing but the relay tells whether a password is right.

use crate::{
    OpenError,
    context::Context,
    derive::{derive, derive_salted},
    key::{FileKey, StretchedPassword, TicketKey, random},
    manifest::{ManifestHash, VerifiedManifest},
    seal::{Kind, open, seal},
};
use nightdrop_wire::{
    authorization::Authorization,
    ids::{BlobId, TicketId},
    labels,
    onion::OnionAddress,
    text,
    token::Token,
};
use rand::CryptoRng;
use sha2::{Digest, Sha256};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

/// Bytes of SHA-256 of the ticket's envelope that a link carries.
pub const DIGEST: usize = 16;

/// First bytes of SHA-256 of a ticket's envelope.
pub type EnvelopeDigest = [u8; DIGEST];

/// The secret of a ticket. Erased when dropped; `Debug` shows nothing.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct TicketSecret([u8; TicketSecret::LENGTH]);

impl TicketSecret {
    /// Length in bytes.
    pub const LENGTH: usize = 32;

    /// A new one.
    pub fn generate<R: CryptoRng + ?Sized>(rng: &mut R) -> Self {
        Self(random(rng))
    }

    /// The secret with these bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; Self::LENGTH]) -> Self {
        Self(bytes)
    }

    /// Its bytes, for the link.
    #[must_use]
    pub const fn secret_bytes(&self) -> &[u8; Self::LENGTH] {
        &self.0
    }

    /// What a password of this ticket is stretched with.
    #[must_use]
    pub fn password_salt(&self) -> [u8; 32] {
        derive(&self.0, labels::TICKET_PASSWORD_SALT, b"")
    }

    /// The root of a ticket without a password.
    #[must_use]
    pub const fn root(&self) -> TicketRoot {
        TicketRoot(self.0)
    }

    /// The root of a ticket with a password.
    #[must_use]
    pub fn root_with(&self, password: &StretchedPassword) -> TicketRoot {
        TicketRoot(derive_salted(&self.0, password.secret_bytes(), labels::TICKET_ROOT))
    }

    /// Under which name a reader keeps what its claim comes from. Not from the root: no password can be tried on it.
    #[must_use]
    pub fn claim_name(&self) -> String {
        text::encode(&derive::<16>(&self.0, labels::CLAIM_NAME, b""))
    }
}

impl std::fmt::Debug for TicketSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self(_) = self;
        f.write_str("TicketSecret")
    }
}

/// Random bytes that a reader's claim comes from. Without the link they say nothing. `Debug` shows nothing.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct ClaimSeed([u8; ClaimSeed::LENGTH]);

impl ClaimSeed {
    /// Length in bytes.
    pub const LENGTH: usize = 32;

    /// A new one.
    pub fn generate<R: CryptoRng + ?Sized>(rng: &mut R) -> Self {
        Self(random(rng))
    }

    /// The seed with these bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; Self::LENGTH]) -> Self {
        Self(bytes)
    }

    /// Its bytes, to be kept.
    #[must_use]
    pub const fn secret_bytes(&self) -> &[u8; Self::LENGTH] {
        &self.0
    }
}

impl std::fmt::Debug for ClaimSeed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self(_) = self;
        f.write_str("ClaimSeed")
    }
}

/// What a ticket's id, token and key come from. Erased when dropped; `Debug` shows nothing.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct TicketRoot([u8; 32]);

impl TicketRoot {
    /// Its name at the relay.
    #[must_use]
    pub fn id(&self) -> TicketId {
        TicketId::from_bytes(derive(&self.0, labels::TICKET_ID, b""))
    }

    /// What the relay wants to see.
    #[must_use]
    pub fn token(&self) -> Token {
        Token::from_bytes(derive(&self.0, labels::TICKET_TOKEN, b""))
    }

    /// What a reader shows with each request, where no claim is needed.
    #[must_use]
    pub fn authorization(&self) -> Authorization {
        Authorization::Ticket(self.id(), self.token())
    }

    /// The claim of a reader who keeps this seed.
    #[must_use]
    pub fn claim(&self, seed: &ClaimSeed) -> Token {
        Token::from_bytes(derive(&self.0, labels::CLAIM_TOKEN, &seed.0))
    }

    fn key(&self) -> TicketKey {
        TicketKey::from_bytes(derive(&self.0, labels::TICKET_KEY, b""))
    }

    /// Seals what the ticket hands out; the second part goes into the link.
    ///
    /// # Errors
    /// As [`seal`].
    pub fn seal<R: CryptoRng + ?Sized>(
        &self,
        key: &FileKey,
        blob: BlobId,
        manifest: &ManifestHash,
        relay: &OnionAddress,
        rng: &mut R,
    ) -> Result<(Vec<u8>, EnvelopeDigest), OpenError> {
        let mut contents = Zeroizing::new(Vec::with_capacity(80));
        contents.extend_from_slice(key.secret_bytes());
        contents.extend_from_slice(blob.as_bytes());
        contents.extend_from_slice(manifest);
        let sealed = seal(Kind::Ticket, self.key().secret_bytes(), &self.context(relay), &contents, rng)?;
        let digest = digest(&sealed);
        Ok((sealed, digest))
    }

    /// Opens what the relay returned for this ticket.
    ///
    /// # Errors
    /// [`OpenError`] unless it is the envelope whose digest the link carries, sealed with this root for this relay.
    pub fn open(
        &self,
        sealed: &[u8],
        expected: &EnvelopeDigest,
        relay: &OnionAddress,
    ) -> Result<VerifiedTicket, OpenError> {
        if digest(sealed) != *expected {
            return Err(OpenError::WrongHash);
        }
        let contents = open(Kind::Ticket, self.key().secret_bytes(), &self.context(relay), sealed)?;
        let (key, rest) = contents.split_first_chunk::<32>().ok_or(OpenError::Malformed)?;
        let (blob, manifest) = rest.split_first_chunk::<16>().ok_or(OpenError::Malformed)?;
        Ok(VerifiedTicket {
            key: FileKey::from_bytes(*key),
            blob: BlobId::from_bytes(*blob),
            manifest: manifest.try_into().map_err(|_| OpenError::Malformed)?,
        })
    }

    fn context(&self, relay: &OnionAddress) -> Context {
        Context::of(&[b"ticket", relay.as_str().as_bytes(), self.id().as_bytes()])
    }
}

impl std::fmt::Debug for TicketRoot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self(_) = self;
        f.write_str("TicketRoot")
    }
}

/// What a ticket was found to hand out. The only way from a link to a manifest.
#[derive(Debug)]
pub struct VerifiedTicket {
    key: FileKey,
    blob: BlobId,
    manifest: ManifestHash,
}

impl VerifiedTicket {
    /// The blob that it opens.
    #[must_use]
    pub const fn blob(&self) -> BlobId {
        self.blob
    }

    /// Opens what the relay returned as the blob's head.
    ///
    /// # Errors
    /// As [`VerifiedManifest::open`].
    pub fn open_manifest(self, sealed: &[u8]) -> Result<VerifiedManifest, OpenError> {
        VerifiedManifest::open(sealed, &self.manifest, self.key, self.blob)
    }
}

fn digest(sealed: &[u8]) -> EnvelopeDigest {
    let mut digest = [0; DIGEST];
    for (slot, byte) in digest.iter_mut().zip(Sha256::digest(sealed)) {
        *slot = byte;
    }
    digest
}

#[cfg(test)]
mod tests {
    use super::*;
    use nightdrop_wire::limits::TICKET_ENVELOPE;

    const BLOB: BlobId = BlobId::from_bytes([7; 16]);

    fn relay() -> OnionAddress {
        "2gzyxa5ihm7nsggfxnu52rck2vv4rvmdlkiu3zzui5du4xyclen53wid".parse().unwrap()
    }

    fn sealed(root: &TicketRoot, manifest: [u8; 32]) -> (Vec<u8>, EnvelopeDigest) {
        let key = FileKey::from_bytes([8; 32]);
        root.seal(&key, BLOB, &manifest, &relay(), &mut rand::rng()).unwrap()
    }

    #[test]
    fn hands_out_what_was_put_in() {
        let root = TicketSecret::generate(&mut rand::rng()).root();
        let (envelope, digest) = sealed(&root, [5; 32]);
        assert_eq!(envelope.len(), TICKET_ENVELOPE);
        let opened = root.open(&envelope, &digest, &relay()).unwrap();
        assert_eq!((opened.blob, opened.manifest), (BLOB, [5; 32]));
        assert_eq!(opened.key.secret_bytes(), &[8; 32]);
        assert_eq!(format!("{root:?}"), "TicketRoot");
        assert_eq!(format!("{:?}", TicketSecret::from_bytes([1; 32])), "TicketSecret");
        assert_eq!(format!("{:?}", ClaimSeed::from_bytes([1; 32])), "ClaimSeed");
    }

    #[test]
    fn m46_a_reader_who_holds_the_secret_cannot_replace_the_envelope() {
        let root = TicketSecret::generate(&mut rand::rng()).root();
        let (_, digest) = sealed(&root, [5; 32]);
        let (forged, own_digest) = sealed(&root, [6; 32]);
        assert!(root.open(&forged, &own_digest, &relay()).is_ok(), "without the digest the lie is believed");
        assert_eq!(root.open(&forged, &digest, &relay()).err(), Some(OpenError::WrongHash));
    }

    #[test]
    fn m34_a_ticket_of_another_relay_is_refused() {
        let root = TicketSecret::generate(&mut rand::rng()).root();
        let (envelope, digest) = sealed(&root, [5; 32]);
        let other = "duckduckgogg42xjoc72x3sjasowoarfbgcmvfimaftt6twagswzczad".parse().unwrap();
        assert_eq!(root.open(&envelope, &digest, &other).err(), Some(OpenError::WrongKey));
    }

    /// With another password, with none, and with another secret it is another ticket in everything.
    #[test]
    fn a_wrong_password_is_another_ticket() {
        let secret = TicketSecret::from_bytes([3; 32]);
        let password = |byte| StretchedPassword::from_bytes([byte; 32]);
        let root = secret.root_with(&password(1));
        let (envelope, digest) = sealed(&root, [5; 32]);
        assert!(secret.root_with(&password(1)).open(&envelope, &digest, &relay()).is_ok());
        let others = [
            secret.root_with(&password(2)),
            secret.root(),
            TicketSecret::from_bytes([4; 32]).root_with(&password(1)),
        ];
        let seed = ClaimSeed::from_bytes([9; 32]);
        for other in others {
            assert_ne!(other.id(), root.id());
            assert_ne!(other.token().secret_bytes(), root.token().secret_bytes());
            assert_ne!(other.claim(&seed).secret_bytes(), root.claim(&seed).secret_bytes());
            assert_eq!(other.open(&envelope, &digest, &relay()).err(), Some(OpenError::WrongKey));
        }
    }

    #[test]
    fn a_claim_comes_from_ticket_and_seed_and_its_name_from_the_link_alone() {
        let secret = TicketSecret::from_bytes([3; 32]);
        let claim = |byte| *secret.root().claim(&ClaimSeed::from_bytes([byte; 32])).secret_bytes();
        assert_eq!(claim(1), claim(1));
        assert_ne!(claim(1), claim(2));
        assert_eq!(secret.claim_name().len(), 26);
        assert_ne!(secret.claim_name(), TicketSecret::from_bytes([4; 32]).claim_name());
        assert_ne!(secret.claim_name(), secret.root().id().to_string());
    }
}
