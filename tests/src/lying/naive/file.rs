//! From a link to a file, with checks left out.

use super::{
    Check, Stopped, Without,
    envelope::{NONCE, decrypt, derive, open},
};
use crate::{
    lying::{Asked, Exchange, speak},
    memory::MemoryTransport,
};
use nightdrop_envelope::{layout::Layout, link::FileLink, seal::Kind};
use nightdrop_wire::{codec, endpoint::Endpoint, ids::BlobId, labels, onion::OnionAddress};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// A reader and what it leaves out.
#[derive(Debug, Clone, Copy)]
pub struct NaiveReader<'a> {
    transport: &'a MemoryTransport,
    without: Without<'a>,
}

/// What a reader took for the file.
#[derive(Debug, Clone, PartialEq, Eq)]
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

/// What a manifest says, in byte order.
#[derive(Debug, Serialize, Deserialize)]
struct Manifest {
    name: String,
    size: u64,
    modified: Option<i64>,
    hashes: Vec<u8>,
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
        let FileLink { relay, secret, envelope } = link;
        let sealed = self.ask(link, Endpoint::GetTicket(secret.id())).await?.body;
        self.without.check(Check::TicketDigest, Sha256::digest(&sealed).starts_with(envelope))?;
        let key = derive(secret.secret_bytes(), labels::TICKET_KEY, b"");
        let id = secret.id();
        let context: [&[u8]; 3] = [b"ticket", relay.as_str().as_bytes(), id.as_bytes()];
        let plaintext = open(Kind::Ticket, &key, &context, &sealed, self.without)?;
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
        let key = derive(&ticket.key, labels::MANIFEST_KEY, b"");
        let context: [&[u8]; 2] = [b"manifest", ticket.blob.as_bytes()];
        let plaintext = open(Kind::Manifest, &key, &context, &sealed, self.without)?;
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
        let authorization = Some(link.secret.authorization().to_header().to_string());
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
