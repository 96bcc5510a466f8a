//! Tickets: how a blob is shared. One secret of 32 bytes gives all that a reader needs.
//!
//! ```text
//! ticket secret ─HKDF→ ticket id (16)      names it at the relay
//!               ─HKDF→ ticket token (32)   reads the blob, until the ticket ends
//!               ─HKDF→ ticket key (32)     opens the envelope:
//! plaintext: file key (32) ‖ blob id (16) ‖ SHA-256 of the sealed manifest (32)
//! ```
//! The reader gets no token of the blob itself, so a ticket ends without ending the blob.

use crate::{
    OpenError,
    context::Context,
    derive::derive,
    key::{FileKey, TicketKey, random},
    manifest::{ManifestHash, VerifiedManifest},
    seal::{Kind, open, seal},
};
use nightdrop_wire::{
    authorization::Authorization,
    ids::{BlobId, TicketId},
    labels,
    onion::OnionAddress,
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

    /// What a reader shows with each request.
    #[must_use]
    pub fn authorization(&self) -> Authorization {
        Authorization::Ticket(self.id(), self.token())
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
    /// [`OpenError`] unless it is the envelope whose digest the link carries, sealed with this secret for this relay.
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

impl std::fmt::Debug for TicketSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self(_) = self;
        f.write_str("TicketSecret")
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

    fn sealed(secret: &TicketSecret, manifest: [u8; 32]) -> (Vec<u8>, EnvelopeDigest) {
        let key = FileKey::from_bytes([8; 32]);
        secret.seal(&key, BLOB, &manifest, &relay(), &mut rand::rng()).unwrap()
    }

    #[test]
    fn hands_out_what_was_put_in() {
        let secret = TicketSecret::generate(&mut rand::rng());
        let (envelope, digest) = sealed(&secret, [5; 32]);
        assert_eq!(envelope.len(), TICKET_ENVELOPE);
        let opened = secret.open(&envelope, &digest, &relay()).unwrap();
        assert_eq!((opened.blob, opened.manifest), (BLOB, [5; 32]));
        assert_eq!(opened.key.secret_bytes(), &[8; 32]);
        assert_eq!(format!("{secret:?}"), "TicketSecret");
    }

    #[test]
    fn m46_a_reader_who_holds_the_secret_cannot_replace_the_envelope() {
        let secret = TicketSecret::generate(&mut rand::rng());
        let (_, digest) = sealed(&secret, [5; 32]);
        let (forged, own_digest) = sealed(&secret, [6; 32]);
        assert!(
            secret.open(&forged, &own_digest, &relay()).is_ok(),
            "without the digest the lie is believed"
        );
        assert_eq!(secret.open(&forged, &digest, &relay()).err(), Some(OpenError::WrongHash));
    }

    #[test]
    fn m34_a_ticket_of_another_relay_is_refused() {
        let secret = TicketSecret::generate(&mut rand::rng());
        let (envelope, digest) = sealed(&secret, [5; 32]);
        let other = "duckduckgogg42xjoc72x3sjasowoarfbgcmvfimaftt6twagswzczad".parse().unwrap();
        assert_eq!(secret.open(&envelope, &digest, &other).err(), Some(OpenError::WrongKey));
    }
}
