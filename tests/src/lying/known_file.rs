//! A file whose every secret is known: what its author holds, and what a reader holds who works together with the relay.
//!
//! The client keeps these secrets to itself; here they are in the open, so that a test can forge with them.

use super::naive;
use crate::memory::{MemoryTransport, address, patient};
use bytes::Bytes;
use nightdrop_client::relay::{RelayLane, RequestError};
use nightdrop_envelope::{
    capability::{BlobCapabilities, hash_token},
    chunk::ChunkBuffer,
    file_name::FileName,
    key::FileKey,
    layout::Layout,
    link::FileLink,
    manifest::{FileFacts, seal_manifest},
    ticket::{EnvelopeDigest, TicketSecret},
};
use nightdrop_wire::{
    authorization::Authorization,
    endpoint::Endpoint,
    ids::BlobId,
    messages::{
        blob::{CreateBlob, FinishBlob, Leased, WholeBlob},
        credit::Credit,
        ticket::{CreateTicket, TicketLimits},
    },
    size_class::SizeClass,
};
use sha2::{Digest, Sha256};
use std::num::NonZeroU16;

/// A file, sealed and ready to be stored.
#[derive(Debug)]
pub struct KnownFile {
    /// Its name, as the manifest has it.
    pub name: String,
    /// What it holds.
    pub content: Vec<u8>,
    /// Root of all its keys.
    pub key: FileKey,
    /// Its names and rights at the relay.
    pub capabilities: BlobCapabilities,
    /// The secret of its one ticket.
    pub secret: TicketSecret,
    /// Its sealed chunks.
    pub chunks: Vec<Vec<u8>>,
    /// Its sealed manifest.
    pub manifest: Vec<u8>,
    /// The ticket's envelope.
    pub envelope: Vec<u8>,
    /// What the link says of the envelope.
    pub digest: EnvelopeDigest,
    /// How many downloads its ticket gives, if they are counted.
    pub downloads: Option<NonZeroU16>,
}

impl KnownFile {
    /// When files made here were modified, in seconds since the epoch.
    pub const MODIFIED: i64 = 1_700_000_000;

    /// A new file.
    #[must_use]
    pub fn new(name: &str, content: &[u8]) -> Self {
        let rng = &mut rand::rng();
        Self::seal(
            name,
            content,
            FileKey::generate(rng),
            BlobCapabilities::generate(rng),
            TicketSecret::generate(rng),
        )
    }

    /// Other content under the same key, id and ticket secret: what whoever holds the link can make of it.
    #[must_use]
    pub fn rewritten(&self, content: &[u8]) -> Self {
        let key = FileKey::from_bytes(*self.key.secret_bytes());
        Self::seal(&self.name, content, key, self.capabilities.clone(), self.secret.clone())
    }

    fn seal(
        name: &str,
        content: &[u8],
        key: FileKey,
        capabilities: BlobCapabilities,
        secret: TicketSecret,
    ) -> Self {
        let rng = &mut rand::rng();
        let size = content.len() as u64;
        let layout = Layout::of_size(size).unwrap();
        let sealed = (0..layout.chunks()).map(|index| {
            let start = usize::try_from(layout.offset(index)).unwrap().min(content.len());
            let piece = &content[start..start + layout.content(index)];
            let mut buffer = ChunkBuffer::new(layout.class());
            buffer.plaintext_mut()[..piece.len()].copy_from_slice(piece);
            buffer.seal(&key, capabilities.blob, index, rng).unwrap()
        });
        let sealed: Vec<_> = sealed.collect();
        let hashes: Vec<_> = sealed.iter().map(|chunk| chunk.hash).collect();
        let facts = FileFacts { name: FileName::parse(name).unwrap(), size, modified: Some(Self::MODIFIED) };
        let manifest = seal_manifest(&facts, &hashes, &key, capabilities.blob, &mut rand::rng()).unwrap();
        let (envelope, digest) = secret
            .root()
            .seal(&key, capabilities.blob, &manifest.hash, &address(), &mut rand::rng())
            .unwrap();
        Self {
            name: name.to_owned(),
            content: content.to_owned(),
            chunks: sealed.into_iter().map(|chunk| chunk.bytes).collect(),
            manifest: manifest.bytes,
            key,
            capabilities,
            secret,
            envelope,
            digest,
            downloads: None,
        }
    }

    /// The same file, whose ticket gives so many downloads.
    #[must_use]
    pub fn counted(self, downloads: u16) -> Self {
        Self { downloads: NonZeroU16::new(downloads), ..self }
    }

    /// The same file by an author whose manifest claims another size, and everything vouches for that manifest.
    #[must_use]
    pub fn claiming(mut self, size: u64) -> Self {
        let hashes = self.chunks.iter().flat_map(Sha256::digest).collect();
        let manifest =
            naive::Manifest { name: self.name.clone(), size, modified: Some(Self::MODIFIED), hashes };
        let class = SizeClass::of_sealed(self.manifest.len()).unwrap();
        self.manifest = manifest.seal(self.key.secret_bytes(), self.blob(), class);
        let (hash, rng) = (Sha256::digest(&self.manifest).into(), &mut rand::rng());
        let sealed = self.secret.root().seal(&self.key, self.capabilities.blob, &hash, &address(), rng);
        (self.envelope, self.digest) = sealed.unwrap();
        self
    }

    /// The same file with a ticket whose envelope opens with the key of the link but is committed to another.
    #[must_use]
    pub fn uncommitted(mut self) -> Self {
        let manifest = Sha256::digest(&self.manifest);
        let contents = [&self.key.secret_bytes()[..], self.blob().as_bytes(), &manifest].concat();
        self.envelope = naive::seal_ticket_committed_to(&[1; 32], &self.secret, &address(), &contents);
        self.digest = *Sha256::digest(&self.envelope).first_chunk().unwrap();
        self
    }

    /// The link that its author hands out.
    #[must_use]
    pub fn link(&self) -> FileLink {
        FileLink {
            relay: address(),
            secret: self.secret.clone(),
            envelope: self.digest,
            needs_password: false,
            counts_downloads: self.downloads.is_some(),
        }
    }

    /// Its id.
    #[must_use]
    pub const fn blob(&self) -> BlobId {
        self.capabilities.blob
    }

    /// Stores it with its ticket, step by step as a client does.
    ///
    /// # Errors
    /// The first request that failed.
    pub async fn store(&self, transport: &MemoryTransport, credit: Credit) -> Result<(), RequestError> {
        let mut lane = RelayLane::isolated(transport, &address(), &patient());
        let whole = match self.chunks.as_slice() {
            [chunk] => Some(WholeBlob { chunk: chunk.clone(), manifest: self.manifest.clone() }),
            _ => None,
        };
        let create = self.create(credit, whole);
        lane.call::<_, Leased>(Endpoint::CreateBlob, None, &create).await?;
        if self.chunks.len() > 1 {
            for (n, chunk) in (0..).zip(&self.chunks) {
                let endpoint = Endpoint::PutChunk(self.blob(), n);
                lane.exchange(endpoint, Some(&self.writing()), Bytes::from(chunk.clone()), 0).await?;
            }
            let (endpoint, finish) = (Endpoint::FinishBlob(self.blob()), self.finish());
            lane.call::<_, Leased>(endpoint, Some(&self.writing()), &finish).await?;
        }
        lane.tell(Endpoint::CreateTicket, Some(&self.writing()), &self.create_ticket()).await
    }

    /// The request that makes the blob.
    #[must_use]
    pub fn create(&self, credit: Credit, whole: Option<WholeBlob>) -> CreateBlob {
        CreateBlob {
            blob: self.blob(),
            payment: vec![credit],
            read_token: hash_token(&self.capabilities.read_token),
            write_key: hash_token(&self.capabilities.write_key),
            chunks: u32::try_from(self.chunks.len()).unwrap(),
            whole,
        }
    }

    /// The request that finishes it.
    #[must_use]
    pub fn finish(&self) -> FinishBlob {
        let mut digest = Sha256::new();
        for chunk in &self.chunks {
            digest.update(Sha256::digest(chunk));
        }
        FinishBlob { chunks_digest: digest.finalize().into(), manifest: self.manifest.clone() }
    }

    /// The request that makes its ticket.
    #[must_use]
    pub fn create_ticket(&self) -> CreateTicket {
        let root = self.secret.root();
        let limits = TicketLimits { ends: None, downloads: self.downloads };
        let (ticket, token) = (root.id(), hash_token(&root.token()));
        CreateTicket { ticket, token, blob: self.blob(), limits, envelope: self.envelope.clone() }
    }

    /// What its author shows to change it.
    #[must_use]
    pub fn writing(&self) -> Authorization {
        Authorization::Bearer(self.capabilities.write_key.clone())
    }
}
