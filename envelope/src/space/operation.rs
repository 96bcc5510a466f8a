//! What an entry does.

use super::{Lease, LeaseNews, SpacePath};
use crate::{
    capability::BlobCapabilities,
    key::FileKey,
    link::FileLink,
    manifest::{ManifestHash, VerifiedManifest},
    ticket::{EnvelopeDigest, TicketSecret},
};
use nightdrop_wire::{
    ids::{BlobId, TicketId},
    messages::ticket::TicketLimits,
    onion::OnionAddress,
    token::Token,
};
use rand::CryptoRng;
use serde::{Deserialize, Serialize};

/// One operation. The order of the variants and of their fields is the byte order.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Operation {
    /// The first entry: who owns the space.
    Create {
        /// Identity key of the owner.
        owner: [u8; 32],
        /// With the owner it makes the space id.
        random: [u8; 32],
    },
    /// Lists a stored file. A file that was listed under the path is to be destroyed.
    PutFile {
        /// Where.
        path: SpacePath,
        /// What.
        file: Box<FileRecord>,
    },
    /// Lists a file of the space that this one follows. At the relay its blob still has the capabilities that it had there.
    Carry {
        /// Where.
        path: SpacePath,
        /// What, with the capabilities that it is to get.
        file: Box<FileRecord>,
        /// What it has.
        held: HeldCapabilities,
    },
    /// The relay confirmed that carried blobs have their new capabilities.
    Renewed {
        /// Which.
        blobs: Vec<BlobId>,
    },
    /// The relay takes no key of the owner's for carried blobs: whoever had the old ones destroyed them or took them over, or the relay lies.
    Lost {
        /// Which.
        blobs: Vec<BlobId>,
    },
    /// The owner goes on in the home space of a later keyring. Nothing that follows has an effect.
    Close {
        /// Version of that keyring.
        keyring: u64,
    },
    /// Gives a file another path.
    Move {
        /// The path that it has.
        from: SpacePath,
        /// A free one.
        to: SpacePath,
    },
    /// Takes a file off the list; it is to be destroyed.
    Remove {
        /// Which.
        path: SpacePath,
    },
    /// The relay confirmed that a blob is destroyed; its write key is forgotten.
    Destroyed {
        /// Which.
        blob: BlobId,
    },
    /// Lists a ticket of a file.
    Share {
        /// Of which file.
        path: SpacePath,
        /// The ticket.
        ticket: TicketRecord,
    },
    /// The relay confirmed that a ticket ended.
    Unshare {
        /// Of which file.
        path: SpacePath,
        /// Which ticket.
        ticket: TicketId,
    },
    /// Names a blob that says what all entries before this one add up to. That of the checkpoint before is to be destroyed.
    Checkpoint {
        /// The blob. What counts as its content is SHA-256 of it.
        file: Box<FileRecord>,
    },
    /// The relay said how long it keeps blobs that are listed, or that of the checkpoint.
    Leased {
        /// Of which, and how long.
        blobs: Vec<LeaseNews>,
    },
}

/// What a carried blob has at the relay until it is renewed.
#[derive(Clone, Serialize, Deserialize)]
pub struct HeldCapabilities {
    /// Reads it.
    pub read_token: Token,
    /// Renews and destroys it.
    pub write_key: Token,
}

impl std::fmt::Debug for HeldCapabilities {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { read_token: _, write_key: _ } = self;
        f.write_str("HeldCapabilities")
    }
}

/// All that its owner keeps of a stored file.
#[derive(Clone, Serialize, Deserialize)]
pub struct FileRecord {
    /// The blob.
    pub blob: BlobId,
    /// Reads it.
    pub read_token: Token,
    /// Makes its tickets and destroys it.
    pub write_key: Token,
    /// Opens it. A token in form only: 32 secret bytes that never cross the network.
    file_key: Token,
    /// SHA-256 of the sealed manifest: what counts as this file.
    pub manifest: ManifestHash,
    /// Bytes.
    pub size: u64,
    /// Modification time, seconds since the epoch.
    pub modified: Option<i64>,
    /// SHA-256 of the content: tells whether a file that is to be uploaded is the same.
    pub content: [u8; 32],
    /// How long the relay keeps it.
    pub lease: Lease,
    /// Its tickets.
    pub tickets: Vec<TicketRecord>,
}

impl FileRecord {
    /// The record of a file that was just stored, and that the relay keeps through the day `until`.
    #[must_use]
    pub fn new(
        capabilities: BlobCapabilities,
        key: &FileKey,
        manifest: ManifestHash,
        size: u64,
        modified: Option<i64>,
        content: [u8; 32],
        until: u32,
    ) -> Self {
        let BlobCapabilities { blob, read_token, write_key } = capabilities;
        let file_key = Token::from_bytes(*key.secret_bytes());
        let (lease, tickets) = (Lease::until(until), Vec::new());
        Self { blob, read_token, write_key, file_key, manifest, size, modified, content, lease, tickets }
    }

    /// The record of the same file with other capabilities and without its tickets; what it has is given beside it.
    #[must_use]
    pub fn renewed<R: CryptoRng + ?Sized>(&self, rng: &mut R) -> (Self, HeldCapabilities) {
        let BlobCapabilities { blob: _, read_token, write_key } = BlobCapabilities::generate(rng);
        let held =
            HeldCapabilities { read_token: self.read_token.clone(), write_key: self.write_key.clone() };
        (Self { read_token, write_key, tickets: Vec::new(), ..self.clone() }, held)
    }

    /// The record with the capabilities that its blob may have at the relay still.
    #[must_use]
    pub fn holding(&self, held: &HeldCapabilities) -> Self {
        let HeldCapabilities { read_token, write_key } = held.clone();
        Self { read_token, write_key, ..self.clone() }
    }

    /// The key that opens the file.
    #[must_use]
    pub fn file_key(&self) -> FileKey {
        FileKey::from_bytes(*self.file_key.secret_bytes())
    }

    /// Opens what the relay returned as the head of the file's blob.
    ///
    /// # Errors
    /// As [`VerifiedManifest::open`].
    pub fn open_manifest(&self, sealed: &[u8]) -> Result<VerifiedManifest, crate::OpenError> {
        VerifiedManifest::open(sealed, &self.manifest, self.file_key(), self.blob)
    }
}

impl std::fmt::Debug for FileRecord {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("FileRecord")
    }
}

/// What its owner keeps of a ticket: enough to show the link again and to end it. The password is not kept, but the id comes from it where there is one: whoever has
/// this record can try passwords.
#[derive(Clone, Serialize, Deserialize)]
pub struct TicketRecord {
    secret: Token,
    envelope: EnvelopeDigest,
    id: TicketId,
    limits: TicketLimits,
    needs_password: bool,
}

impl TicketRecord {
    /// The record of a ticket that was just made without a password.
    #[must_use]
    pub fn new(secret: &TicketSecret, envelope: EnvelopeDigest, limits: TicketLimits) -> Self {
        let id = secret.root().id();
        Self {
            secret: Token::from_bytes(*secret.secret_bytes()),
            envelope,
            id,
            limits,
            needs_password: false,
        }
    }

    /// The record of a ticket that was just made with a password, from which its id came.
    #[must_use]
    pub fn with_password(
        secret: &TicketSecret,
        envelope: EnvelopeDigest,
        limits: TicketLimits,
        id: TicketId,
    ) -> Self {
        Self { id, needs_password: true, ..Self::new(secret, envelope, limits) }
    }

    /// Its name at the relay.
    #[must_use]
    pub const fn id(&self) -> TicketId {
        self.id
    }

    /// What the relay was told to end it by.
    #[must_use]
    pub const fn limits(&self) -> &TicketLimits {
        &self.limits
    }

    /// Its link.
    #[must_use]
    pub fn link(&self, relay: &OnionAddress) -> FileLink {
        FileLink {
            relay: relay.clone(),
            secret: TicketSecret::from_bytes(*self.secret.secret_bytes()),
            envelope: self.envelope,
            needs_password: self.needs_password,
            counts_downloads: self.limits.downloads.is_some(),
        }
    }
}

impl std::fmt::Debug for TicketRecord {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TicketRecord")
    }
}
