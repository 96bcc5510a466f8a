//! From the secrets of an account to the list of its files, with checks left out; and entries that no client would seal.

use super::{
    Check, NaiveAccount, Stopped, Without,
    envelope::{derive, open, seal_committed_to},
    file::ask,
};
use crate::{
    lying::{Asked, lies::KeptLog},
    memory::{MemoryTransport, address},
};
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use nightdrop_envelope::{
    seal::Kind,
    space::{FileRecord, Operation},
};
use nightdrop_wire::{
    authorization::Authorization,
    codec, contexts,
    endpoint::Endpoint,
    ids::{BlobId, SpaceId},
    labels,
    limits::{ENTRY_SIZES, ENVELOPE_OVERHEAD, MAX_ENTRIES, MAX_ENTRIES_BODY, MAX_LOG_ENTRIES},
    messages::log::{LogHead, LogPage},
    token::Token,
};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};

const SUITE: u16 = 1;
const EPOCH: u32 = 0;
const SIGNATURE: usize = 64;
/// Pages that a reader asks for before it is taken for granted that it never stops.
const MANY_PAGES: usize = 200;

/// A home space with all its secrets in the open.
#[derive(Clone)]
pub struct OpenHome {
    /// Its id.
    pub space: SpaceId,
    /// The owner's key.
    identity: SigningKey,
    entry_key: [u8; 32],
    read_token: Token,
    append_token: Token,
}

/// What an entry says, in byte order. Nothing in it need be true.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Entry {
    /// The suite.
    pub suite: u16,
    /// The space that it is for.
    pub space: SpaceId,
    /// The epoch that it is for.
    pub epoch: u32,
    /// Entries before it.
    pub sequence: u64,
    /// The chain before it.
    pub previous: [u8; 32],
    /// The state before it.
    pub seen: [u8; 32],
    /// Where the last checkpoint is.
    pub checkpoint: Option<u64>,
    /// Who wrote it.
    pub author: [u8; 32],
    /// What it does.
    pub operation: Operation,
}

/// What a reader took for somebody's files.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NaiveHome {
    /// By path.
    pub files: BTreeMap<String, NaiveListed>,
    /// Entries without effect.
    pub strays: u64,
    created: bool,
    checkpoint: Option<u64>,
    blobs: BTreeSet<BlobId>,
    hash: [u8; 32],
}

/// What a reader took for one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NaiveListed {
    /// Its blob.
    pub blob: BlobId,
    /// SHA-256 of its content.
    pub content: [u8; 32],
    /// How many tickets it has.
    pub tickets: usize,
}

impl OpenHome {
    /// The home of an account.
    #[must_use]
    pub fn of(account: &NaiveAccount) -> Self {
        let NaiveAccount { identity, home_secret, .. } = account;
        let identity = SigningKey::from_bytes(identity);
        let epoch = EPOCH.to_be_bytes();
        let random: [u8; 32] = derive(home_secret, labels::HOME_RANDOM, b"");
        let epoch_key: [u8; 32] = derive(home_secret, labels::HOME_EPOCH_KEY, &epoch);
        let space = Sha256::new()
            .chain_update(contexts::SPACE)
            .chain_update(identity.verifying_key().as_bytes())
            .chain_update(random);
        Self {
            space: SpaceId::from_bytes(space.finalize().into()),
            identity,
            entry_key: derive(&epoch_key, labels::ENTRY_KEY, b""),
            read_token: Token::from_bytes(derive(&epoch_key, labels::SPACE_READ_TOKEN, b"")),
            append_token: Token::from_bytes(derive(home_secret, labels::HOME_APPEND_TOKEN, &epoch)),
        }
    }

    /// The entry that the owner would write next: after these entries, and upon the state that they come to.
    #[must_use]
    pub fn next(&self, log: &[Vec<u8>], operation: Operation) -> Entry {
        let head = KeptLog::head(self.space, log);
        let mut home = NaiveHome { hash: *self.space.as_bytes(), ..NaiveHome::default() };
        let mut before = LogHead::before_first(self.space);
        for sealed in log {
            home.take(self, &before, sealed, Without(&[])).unwrap();
            before = next_head(&before, sealed);
        }
        Entry {
            suite: SUITE,
            space: self.space,
            epoch: EPOCH,
            sequence: head.count,
            previous: head.hash,
            seen: home.hash,
            checkpoint: home.checkpoint,
            author: self.identity.verifying_key().to_bytes(),
            operation,
        }
    }

    /// Seals an entry as its owner does.
    #[must_use]
    pub fn seal(&self, entry: &Entry) -> Vec<u8> {
        self.seal_signed(&self.signed_by(entry, &self.identity))
    }

    /// Seals an entry with a signature by somebody else.
    #[must_use]
    pub fn seal_signed_by(&self, other: &Self, entry: &Entry) -> Vec<u8> {
        self.seal_signed(&self.signed_by(entry, &other.identity))
    }

    /// Takes what another space's owner sealed there, and seals it here: what somebody can who reads both.
    #[must_use]
    pub fn seal_again(&self, other: &Self, sealed: &[u8]) -> Vec<u8> {
        let plaintext = open(Kind::Entry, &other.entry_key, &other.context(), sealed, Without(&[])).unwrap();
        self.seal_plaintext(&plaintext)
    }

    /// Seals what is no entry at all.
    #[must_use]
    pub fn seal_plaintext(&self, plaintext: &[u8]) -> Vec<u8> {
        let key = &self.entry_key;
        seal_committed_to(key, Kind::Entry, key, &self.context(), plaintext)
    }

    /// Seals an entry that is committed to another key than it opens with.
    #[must_use]
    pub fn seal_committed_to(&self, committed: &[u8; 32], entry: &Entry) -> Vec<u8> {
        let plaintext = pad(&self.signed_by(entry, &self.identity));
        seal_committed_to(committed, Kind::Entry, &self.entry_key, &self.context(), &plaintext)
    }

    /// Its owner's key.
    #[must_use]
    pub fn owner(&self) -> [u8; 32] {
        self.identity.verifying_key().to_bytes()
    }

    /// What is shown to read.
    #[must_use]
    pub fn reading(&self) -> String {
        Authorization::Bearer(self.read_token.clone()).to_header().to_string()
    }

    /// What is shown to append.
    #[must_use]
    pub fn appending(&self) -> String {
        Authorization::Bearer(self.append_token.clone()).to_header().to_string()
    }

    fn signed_by(&self, entry: &Entry, signer: &SigningKey) -> Vec<u8> {
        let body = codec::encode(entry).unwrap();
        let signature = signer.sign(&[contexts::ENTRY, &body].concat());
        [body, signature.to_bytes().to_vec()].concat()
    }

    fn seal_signed(&self, signed: &[u8]) -> Vec<u8> {
        self.seal_plaintext(&pad(signed))
    }

    fn context(&self) -> [&[u8]; 3] {
        [b"entry", self.space.as_bytes(), &[0; 4]]
    }
}

impl std::fmt::Debug for OpenHome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("OpenHome")
    }
}

/// Reads somebody's home space on a device that remembers this head, leaving out these checks.
///
/// # Errors
/// [`Stopped`] when a check that is not left out fails, or nothing can be made of what came.
pub async fn read_home(
    transport: &MemoryTransport,
    keys: &OpenHome,
    remembered: Option<LogHead>,
    without: &[Check],
) -> Result<NaiveHome, Stopped> {
    let without = Without(without);
    let mut home = NaiveHome { hash: *keys.space.as_bytes(), ..NaiveHome::default() };
    let mut head = LogHead::before_first(keys.space);
    for _ in 0..MANY_PAGES {
        let endpoint = Endpoint::ReadLog(keys.space, head.count);
        let asked = Asked { authorization: Some(keys.reading()), ..Asked::plain(endpoint) };
        let exchange = ask(transport, &address(), &asked).await?;
        without.check(Check::Presence, exchange.status == 200)?;
        if exchange.status != 200 {
            return Ok(home);
        }
        let page: LogPage = codec::decode(&exchange.body).map_err(|_| Stopped::Unreadable)?;
        without.check(Check::Bounds, is_bounded(&page, head.count))?;
        for sealed in &page.entries {
            home.take(keys, &head, sealed, without)?;
            without.check(Check::Beginning, home.created)?;
            head = next_head(&head, sealed);
            let left = remembered.is_some_and(|seen| seen.count == head.count && seen.hash != head.hash);
            without.check(Check::Memory, !left)?;
        }
        if page.entries.is_empty() || head.count >= page.head.count {
            without.check(Check::Head, head == page.head)?;
            without.check(Check::Memory, remembered.is_none_or(|seen| seen.count <= head.count))?;
            return Ok(home);
        }
    }
    Err(Stopped::Never)
}

fn is_bounded(page: &LogPage, before: u64) -> bool {
    let bytes: usize = page.entries.iter().map(|entry| entry.len() + 2).sum();
    let is_last = before + page.entries.len() as u64 >= page.head.count;
    let is_full = page.entries.len() == MAX_ENTRIES || bytes + 4_096 + 64 > MAX_ENTRIES_BODY;
    (1..=MAX_LOG_ENTRIES).contains(&page.head.count)
        && page.entries.iter().all(|entry| ENTRY_SIZES.contains(&entry.len()))
        && (is_last || is_full)
}

impl NaiveHome {
    /// Takes an entry that stands after `head`; one that is not as it should be counts as a stray.
    fn take(
        &mut self,
        keys: &OpenHome,
        head: &LogHead,
        sealed: &[u8],
        without: Without<'_>,
    ) -> Result<(), Stopped> {
        let Ok(entry) = open_entry(keys, sealed, without) else {
            self.strays += 1;
            return Ok(());
        };
        without.check(Check::Place, entry.sequence == head.count && entry.previous == head.hash)?;
        if without.check(Check::Sense, self.makes_sense(keys, &entry.operation)).is_err() {
            self.strays += 1;
            return Ok(());
        }
        let operation = codec::encode(&entry.operation).unwrap();
        self.hash = Sha256::new().chain_update(self.hash).chain_update(operation).finalize().into();
        if matches!(entry.operation, Operation::Checkpoint { .. }) {
            self.checkpoint = Some(entry.sequence);
        }
        self.carry_out(entry.operation);
        Ok(())
    }

    fn makes_sense(&self, keys: &OpenHome, operation: &Operation) -> bool {
        let is_listed = |path: &str| self.files.contains_key(path);
        let below = |path: &str| format!("{path}/");
        let is_free = |path: &str| {
            !self.files.keys().any(|listed| {
                listed == path || listed.starts_with(&below(path)) || path.starts_with(&below(listed))
            })
        };
        match operation {
            Operation::Create { owner, .. } => !self.created && *owner == keys.owner(),
            _ if !self.created => false,
            Operation::PutFile { path, file } => {
                !self.blobs.contains(&file.blob) && (is_listed(path.as_str()) || is_free(path.as_str()))
            }
            Operation::Move { from, to } => is_listed(from.as_str()) && is_free(to.as_str()),
            Operation::Remove { path } | Operation::Share { path, .. } | Operation::Unshare { path, .. } => {
                is_listed(path.as_str())
            }
            Operation::Carry { path, file, .. } => !self.blobs.contains(&file.blob) && is_free(path.as_str()),
            // Of a rekey no lie here is about.
            Operation::Renewed { .. }
            | Operation::Lost { .. }
            | Operation::Close { .. }
            | Operation::Checkpoint { .. }
            | Operation::Leased { .. } => true,
            // What was listed once may be destroyed; whether it is on its way out no lie here is about.
            Operation::Destroyed { blob } => self.blobs.contains(blob),
        }
    }

    fn carry_out(&mut self, operation: Operation) {
        match operation {
            Operation::Create { .. } => self.created = true,
            Operation::PutFile { path, file } | Operation::Carry { path, file, .. } => {
                let FileRecord { blob, content, tickets, .. } = &*file;
                self.blobs.insert(*blob);
                let listed = NaiveListed { blob: *blob, content: *content, tickets: tickets.len() };
                self.files.insert(path.as_str().to_owned(), listed);
            }
            Operation::Move { from, to } => {
                if let Some(file) = self.files.remove(from.as_str()) {
                    self.files.insert(to.as_str().to_owned(), file);
                }
            }
            Operation::Remove { path } => drop(self.files.remove(path.as_str())),
            Operation::Destroyed { .. }
            | Operation::Renewed { .. }
            | Operation::Lost { .. }
            | Operation::Close { .. }
            | Operation::Checkpoint { .. }
            | Operation::Leased { .. } => {}
            Operation::Share { path, .. } => {
                self.files.entry(path.as_str().to_owned()).and_modify(|file| file.tickets += 1);
            }
            Operation::Unshare { path, .. } => {
                self.files.entry(path.as_str().to_owned()).and_modify(|file| file.tickets -= 1);
            }
        }
    }
}

fn open_entry(keys: &OpenHome, sealed: &[u8], without: Without<'_>) -> Result<Entry, Stopped> {
    let plaintext = open(Kind::Entry, &keys.entry_key, &keys.context(), sealed, without)?;
    let (length, rest) = plaintext.split_first_chunk::<4>().ok_or(Stopped::Unreadable)?;
    let length = u32::from_be_bytes(*length) as usize;
    let (signed, padding) = rest.split_at_checked(length).ok_or(Stopped::Unreadable)?;
    without.check(Check::Padding, padding.iter().all(|byte| *byte == 0))?;
    let (body, signature) = signed.split_last_chunk::<SIGNATURE>().ok_or(Stopped::Unreadable)?;
    let entry: Entry = codec::decode(body).map_err(|_| Stopped::Unreadable)?;
    let is_for_here = entry.suite == SUITE && entry.space == keys.space && entry.epoch == EPOCH;
    without.check(Check::Space, is_for_here)?;
    without.check(Check::Author, entry.author == keys.owner())?;
    let author = VerifyingKey::from_bytes(&entry.author).map_err(|_| Stopped::Unreadable)?;
    let signature = Signature::from_bytes(signature);
    let verified = author.verify_strict(&[contexts::ENTRY, body].concat(), &signature);
    without.check(Check::Signature, verified.is_ok())?;
    Ok(entry)
}

fn pad(signed: &[u8]) -> Vec<u8> {
    let needed = 4 + signed.len() + ENVELOPE_OVERHEAD;
    let size = ENTRY_SIZES.into_iter().find(|size| *size >= needed).unwrap();
    let mut plaintext = u32::try_from(signed.len()).unwrap().to_be_bytes().to_vec();
    plaintext.extend_from_slice(signed);
    plaintext.resize(size - ENVELOPE_OVERHEAD, 0);
    plaintext
}

fn next_head(head: &LogHead, sealed: &[u8]) -> LogHead {
    let hash = Sha256::new().chain_update(head.hash).chain_update(sealed).finalize().into();
    LogHead { count: head.count + 1, hash }
}
