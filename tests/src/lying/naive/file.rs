//! From a link to a file, with checks left out.

use super::{
    Check, Stopped, Without,
    envelope::{NONCE, decrypt, derive, open, seal_committed_to},
};
use crate::{
    lying::{Asked, Exchange, speak},
    memory::MemoryTransport,
};
use nightdrop_envelope::{layout::Layout, link::FileLink, seal::Kind, ticket::TicketSecret};
use nightdrop_wire::{
    codec, endpoint::Endpoint, ids::BlobId, labels, limits::ENVELOPE_OVERHEAD, onion::OnionAddress,
    size_class::SizeClass,
};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

const MANIFEST_VERSION: u8 = 1;

/// A reader and what it leaves out.
#[derive(Debug, Clone, Copy)]
pub struct NaiveReader<'a> {
    transport: &'a MemoryTransport,
    without: Without<'a>,
}

/// What a reader took for the file.
#[derive(Clone, PartialEq, Eq)]
pub struct NaiveFile {
    /// Its name.
    pub name: String,
    /// Its size, as the manifest has it.
    pub size: u64,
    /// When it was modified.
    pub modified: Option<i64>,
    /// What it holds.
    pub content: Vec<u8>,
}

impl std::fmt::Debug for NaiveFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { name, size, modified, content } = self;
        let hash = Sha256::digest(content);
        write!(f, "{name} ({size}, {modified:?}) of {} bytes {:02x?}", content.len(), &hash[..4])
    }
}

/// What a manifest says, in byte order. Nothing in it need be true.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::lying) struct Manifest {
    pub(in crate::lying) name: String,
    pub(in crate::lying) size: u64,
    pub(in crate::lying) modified: Option<i64>,
    pub(in crate::lying) hashes: Vec<u8>,
}

impl Manifest {
    /// The envelope of it, whatever it says.
    pub(in crate::lying) fn seal(&self, file_key: &[u8; 32], blob: BlobId, class: SizeClass) -> Vec<u8> {
        let body = codec::encode(self).unwrap();
        let mut plaintext = vec![MANIFEST_VERSION];
        plaintext.extend(u32::try_from(body.len()).unwrap().to_be_bytes());
        plaintext.extend(body);
        plaintext.resize(class.sealed() - ENVELOPE_OVERHEAD, 0);
        let key = manifest_key(file_key);
        seal_committed_to(&key, Kind::Manifest, &key, &[b"manifest", blob.as_bytes()], &plaintext)
    }
}

/// A ticket's envelope that opens with the key of `secret` and is committed to another.
pub(in crate::lying) fn seal_ticket_committed_to(
    committed: &[u8; 32],
    secret: &TicketSecret,
    relay: &OnionAddress,
    contents: &[u8],
) -> Vec<u8> {
    let id = secret.root().id();
    let context: [&[u8]; 3] = [b"ticket", relay.as_str().as_bytes(), id.as_bytes()];
    seal_committed_to(committed, Kind::Ticket, &ticket_key(secret), &context, contents)
}

fn manifest_key(file_key: &[u8; 32]) -> [u8; 32] {
    derive(file_key, labels::MANIFEST_KEY, b"")
}

fn ticket_key(secret: &TicketSecret) -> [u8; 32] {
    derive(secret.secret_bytes(), labels::TICKET_KEY, b"")
}

/// What a ticket hands out.
struct Ticket {
    key: [u8; 32],
    blob: BlobId,
    manifest: [u8; 32],
}

impl<'a> NaiveReader<'a> {
    /// A reader that leaves out these checks.
    #[must_use]
    pub const fn without(transport: &'a MemoryTransport, checks: &'a [Check]) -> Self {
        Self { transport, without: Without(checks) }
    }

    /// Reads the file of a link.
    ///
    /// # Errors
    /// [`Stopped`] when a check that is not left out fails, or nothing can be made of what came.
    pub async fn read(&self, link: &FileLink) -> Result<NaiveFile, Stopped> {
        let ticket = self.ticket(link).await?;
        let manifest = self.manifest(link, &ticket).await?;
        let layout = Layout::of_size(manifest.size).map_err(|_| Stopped::Unreadable)?;
        let mut content = Vec::new();
        for (index, hash) in (0..layout.chunks()).zip(manifest.hashes.chunks(32)) {
            let exchange = self.ask(link, Endpoint::GetChunk(ticket.blob, index)).await?;
            self.without.check(Check::Presence, exchange.status == 200)?;
            if exchange.status == 200 {
                content.extend(self.chunk(&ticket, &layout, index, hash, &exchange.body)?);
            }
        }
        Ok(NaiveFile { name: manifest.name, size: manifest.size, modified: manifest.modified, content })
    }

    async fn ticket(&self, link: &FileLink) -> Result<Ticket, Stopped> {
        let FileLink { relay, secret, envelope, .. } = link;
        let sealed = self.ask(link, Endpoint::GetTicket(secret.root().id())).await?.body;
        self.without.check(Check::TicketDigest, Sha256::digest(&sealed).starts_with(envelope))?;
        let id = secret.root().id();
        let context: [&[u8]; 3] = [b"ticket", relay.as_str().as_bytes(), id.as_bytes()];
        let plaintext = open(Kind::Ticket, &ticket_key(secret), &context, &sealed, self.without)?;
        let parts = (plaintext.get(..32), plaintext.get(32..48), plaintext.get(48..80));
        let (Some(key), Some(blob), Some(manifest)) = parts else { return Err(Stopped::Unreadable) };
        Ok(Ticket {
            key: key.try_into().unwrap(),
            blob: BlobId::from_bytes(blob.try_into().unwrap()),
            manifest: manifest.try_into().unwrap(),
        })
    }

    async fn manifest(&self, link: &FileLink, ticket: &Ticket) -> Result<Manifest, Stopped> {
        let sealed = self.ask(link, Endpoint::GetHead(ticket.blob)).await?.body;
        self.without.check(Check::ManifestHash, Sha256::digest(&sealed).as_slice() == ticket.manifest)?;
        let context: [&[u8]; 2] = [b"manifest", ticket.blob.as_bytes()];
        let plaintext = open(Kind::Manifest, &manifest_key(&ticket.key), &context, &sealed, self.without)?;
        let length = plaintext.get(1..5).ok_or(Stopped::Unreadable)?;
        let length = u32::from_be_bytes(length.try_into().unwrap()) as usize;
        let (body, padding) = plaintext[5..].split_at_checked(length).ok_or(Stopped::Unreadable)?;
        self.without.check(Check::Padding, padding.iter().all(|byte| *byte == 0))?;
        codec::decode(body).map_err(|_| Stopped::Unreadable)
    }

    fn chunk(
        &self,
        ticket: &Ticket,
        layout: &Layout,
        index: u32,
        hash: &[u8],
        sealed: &[u8],
    ) -> Result<Vec<u8>, Stopped> {
        let without = self.without;
        without.check(Check::Length, sealed.len() == layout.class().sealed())?;
        without.check(Check::ChunkHash, Sha256::digest(sealed).as_slice() == hash)?;
        let (nonce, body) = sealed.split_first_chunk::<NONCE>().ok_or(Stopped::Unreadable)?;
        let key = derive(&ticket.key, labels::CHUNK_KEY, &index.to_be_bytes());
        let associated = [ticket.blob.as_bytes().as_slice(), &index.to_be_bytes()].concat();
        let mut plaintext = decrypt(&key, nonce, &associated, body, without)?;
        let content = layout.content(index).min(plaintext.len());
        without.check(Check::Padding, plaintext[content..].iter().all(|byte| *byte == 0))?;
        plaintext.truncate(content);
        Ok(plaintext)
    }

    async fn ask(&self, link: &FileLink, endpoint: Endpoint) -> Result<Exchange, Stopped> {
        let authorization = Some(link.secret.root().authorization().to_header().to_string());
        let asked = Asked { authorization, ..Asked::plain(endpoint) };
        ask(self.transport, &link.relay, &asked).await
    }
}

/// One request over a stream of its own.
pub(super) async fn ask(
    transport: &MemoryTransport,
    relay: &OnionAddress,
    asked: &Asked,
) -> Result<Exchange, Stopped> {
    let stream = transport.stream(relay).map_err(|_| Stopped::Unreadable)?;
    Ok(speak(stream, asked).await)
}
