//! Logs of a home space, by everybody who can write to one: a relay (any bytes), whoever holds the entry key, and the owner's own
//! key over any body. Replay never panics, is deterministic, and its state never contradicts itself.

use crate::{
    Fixed,
    contents::{derive, padded},
    names::is_contained,
};
use ed25519_dalek::{Signer, SigningKey};
use nightdrop_envelope::{
    context::Context,
    keyring::Keyring,
    seal::{Kind, seal},
    space::{ChainError, CopiedState, HomeKeys, Operation, Replay, SpacePath, VerifiedLog},
};
use nightdrop_wire::{
    codec, contexts,
    ids::{BlobId, SpaceId, TicketId},
    labels,
    limits::{ENTRY_SIZES, ENVELOPE_OVERHEAD},
    messages::log::LogHead,
};
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;

const MOST_ENTRIES: usize = 24;

/// If the first byte is even, the log begins as an honest one. Then pieces: what it is (1), length (2, big-endian), and so many bytes.
pub(crate) fn entries(input: &[u8]) -> bool {
    let Some((start, mut rest)) = input.split_first() else { return false };
    let writer = Writer::new();
    let mut log = Log { entries: Vec::new(), verified: VerifiedLog::empty(writer.keys.clone()) };
    if start % 2 == 0 {
        assert!(log.append_honestly(vec![log.verified.create()]));
    }
    let mut effects = 0;
    while let Some((&[what, high, low], more)) = rest.split_first_chunk::<3>() {
        let length = usize::from(u16::from_be_bytes([high, low])).min(more.len());
        let (piece, more) = more.split_at(length);
        rest = more;
        effects += usize::from(log.take(&writer, what, piece));
        if log.entries.len() >= MOST_ENTRIES {
            break;
        }
    }
    log.replays_alike(&writer.keys);
    log.does_not_contradict_itself();
    effects > 0
}

/// A log as the relay keeps it, and what its owner makes of it.
struct Log {
    entries: Vec<Vec<u8>>,
    verified: VerifiedLog,
}

impl Log {
    /// Appends a piece as an entry; whether it had an effect.
    fn take(&mut self, writer: &Writer, what: u8, piece: &[u8]) -> bool {
        let head = *self.verified.head();
        let entry = match what % 5 {
            0 => piece.to_vec(),
            1 => writer.seal(piece),
            2 => writer.seal_signed(piece),
            3 => writer.seal_signed(&writer.body_at(&head, piece)),
            _ => {
                let Ok(operation) = codec::decode::<Operation>(piece) else { return false };
                return self.append_honestly(vec![operation]);
            }
        };
        let before = self.verified.reports().1;
        let mut replay = self.verified.clone().resume();
        match replay.advance(&entry) {
            // Somebody with the owner's key wrote it for another place: the log ends here for everybody.
            Err(error) => {
                let displaced = error == ChainError::Displaced(head.count);
                assert!(displaced || (error == ChainError::NoBeginning && head.count == 0), "{error}");
                false
            }
            Ok(()) => {
                self.verified = replay.finish(&next(&head, &entry)).unwrap();
                self.entries.push(entry);
                self.verified.reports().1 == before
            }
        }
    }

    /// What an honest device seals has its effect, and is not reported.
    fn append_honestly(&mut self, operations: Vec<Operation>) -> bool {
        let mut rng = Fixed::new(u32::try_from(self.entries.len()).unwrap() + 100);
        let Ok(sealed) = self.verified.seal_next(operations, &mut rng) else { return false };
        assert!(sealed.iter().all(|entry| ENTRY_SIZES.contains(&entry.len())));
        let before = self.verified.reports().1;
        self.verified.take(&sealed).unwrap();
        assert_eq!(self.verified.reports().1, before, "an honest entry is reported");
        self.entries.extend(sealed);
        true
    }

    /// From the start it comes to the same.
    fn replays_alike(&self, keys: &HomeKeys) {
        let mut replay = Replay::new(keys.clone(), Some(*self.verified.head()));
        let mut head = LogHead::before_first(keys.space());
        for entry in &self.entries {
            replay.advance(entry).unwrap();
            head = next(&head, entry);
        }
        assert_eq!((replay.head(), head.count), (&head, self.entries.len() as u64));
        let again = replay.finish(&head).unwrap();
        assert_eq!(again.head(), self.verified.head());
        assert_eq!(again.reports(), self.verified.reports());
        assert_eq!(listed(&again), listed(&self.verified));
        self.is_copied(keys);
        let less = Replay::new(keys.clone(), Some(head)).finish(&LogHead::before_first(keys.space()));
        assert_eq!(less.is_err(), head.count > 0, "a rollback");
    }

    /// From a copy it comes to the same.
    fn is_copied(&self, keys: &HomeKeys) {
        let (sealed, copied) = self.verified.seal_copy(&mut Fixed::new(2)).unwrap();
        assert_eq!(copied.head, *self.verified.head());
        let copy = CopiedState::open(keys, &sealed).unwrap();
        let read = copy.replay(keys.clone(), None).unwrap().finish(&copied.head).unwrap();
        assert_eq!(
            (read.state_hash(), read.reports()),
            (self.verified.state_hash(), self.verified.reports())
        );
        assert_eq!(listed(&read), listed(&self.verified));
        assert_eq!(read.checkpoint(), self.verified.checkpoint(), "the whole state, in its one form");
    }

    fn does_not_contradict_itself(&self) {
        let state = self.verified.state();
        let mut blobs: BTreeSet<BlobId> = state.leaving().map(|(blob, _)| blob).collect();
        let leaving = blobs.len();
        for (path, file) in state.files() {
            path.as_str().split('/').for_each(is_contained);
            assert!(blobs.insert(file.blob), "one blob twice");
            assert!(!state.is_directory(path), "a file that is a directory");
            let tickets: BTreeSet<TicketId> = file.tickets.iter().map(|ticket| ticket.id()).collect();
            assert_eq!(tickets.len(), file.tickets.len(), "one ticket twice");
        }
        assert_eq!(blobs.len(), leaving + state.files().count());
        let (kept, count) = self.verified.reports();
        assert!(kept.len() <= 8 && kept.len() as u64 <= count);
    }
}

type Listed = (Vec<(SpacePath, BlobId, [u8; 32], Vec<TicketId>)>, Vec<BlobId>);

fn listed(log: &VerifiedLog) -> Listed {
    let file = |(path, file): (&SpacePath, &nightdrop_envelope::space::FileRecord)| {
        let tickets = file.tickets.iter().map(|ticket| ticket.id()).collect();
        (path.clone(), file.blob, file.manifest, tickets)
    };
    let state = log.state();
    (state.files().map(file).collect(), state.leaving().map(|(blob, _)| blob).collect())
}

fn next(head: &LogHead, entry: &[u8]) -> LogHead {
    let hash = Sha256::new().chain_update(head.hash).chain_update(entry).finalize().into();
    LogHead { count: head.count + 1, hash }
}

/// Who holds the keys of the space, and uses them for anything.
struct Writer {
    keys: HomeKeys,
    entry_key: [u8; 32],
    identity: SigningKey,
}

/// A body up to its operation.
#[derive(Serialize)]
struct BodyStart {
    suite: u16,
    space: SpaceId,
    epoch: u32,
    head: LogHead,
    seen: [u8; 32],
    checkpoint: Option<u64>,
    author: [u8; 32],
}

impl Writer {
    fn new() -> Self {
        // A keyring is what its generator gives, in this order.
        let mut rng = Fixed::new(0);
        let [identity, _, home]: [[u8; 32]; 3] = std::array::from_fn(|_| rng.bytes());
        let keys = Keyring::generate([6; 32], 1, &mut Fixed::new(0)).home_keys();
        let epoch_key = derive(&home, labels::HOME_EPOCH_KEY, &0_u32.to_be_bytes());
        let entry_key = derive(&epoch_key, labels::ENTRY_KEY, b"");
        Self { keys, entry_key, identity: SigningKey::from_bytes(&identity) }
    }

    fn seal(&self, plaintext: &[u8]) -> Vec<u8> {
        let context = Context::of(&[b"entry", self.keys.space().as_bytes(), &0_u32.to_be_bytes()]);
        seal(Kind::Entry, &self.entry_key, &context, plaintext, &mut Fixed::new(1)).unwrap()
    }

    fn seal_signed(&self, body: &[u8]) -> Vec<u8> {
        let signature = self.identity.sign(&[contexts::ENTRY, body].concat()).to_bytes();
        self.seal(&padded(&[body, &signature].concat(), ENTRY_SIZES[0] - ENVELOPE_OVERHEAD))
    }

    /// A body that belongs right behind `head`, with an operation of any bytes. What state its author saw is left open.
    fn body_at(&self, head: &LogHead, operation: &[u8]) -> Vec<u8> {
        let start = BodyStart {
            suite: 1,
            space: self.keys.space(),
            epoch: 0,
            head: *head,
            seen: [0; 32],
            checkpoint: None,
            author: *self.keys.owner().as_bytes(),
        };
        [codec::encode(&start).unwrap().as_slice(), operation].concat()
    }
}
