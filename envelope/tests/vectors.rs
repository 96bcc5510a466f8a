//! Test vectors as files: every byte format that `envelope` writes, good and bad. Another implementation can check itself with
//! them; this one shows that it still reads what it wrote.
//!
//! The keys are in the functions below. `NIGHTDROP_WRITE_VECTORS=1` writes the files anew after a change of format; then each
//! good one differs, because salts and nonces are random.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

use nightdrop_envelope::{
    OpenError,
    account_code::{AccountCode, BadText},
    capability::BlobCapabilities,
    chunk::ChunkBuffer,
    context::Context,
    file_name::FileName,
    journal::{JournalHead, JournalKey, JournalRecord, Origin, Stamp},
    key::{FileKey, MasterKey, MemoryKey, StretchedPassword},
    keyring::Keyring,
    link::FileLink,
    manifest::{FileFacts, VerifiedManifest, seal_manifest},
    seal::{Kind, open, seal},
    space::{CopiedState, FileRecord, Operation, SpacePath, VerifiedLog},
    ticket::{ClaimSeed, TicketRoot, TicketSecret},
};
use nightdrop_wire::{
    denomination::Denomination,
    ids::{AccountId, BlobId},
    messages::{account, credit::Credit},
    onion::OnionAddress,
    size_class::SizeClass,
    text,
    token::Token,
};
use sha2::{Digest, Sha256};
use std::{cell::LazyCell, fs, path::PathBuf};

const KEY: [u8; 32] = [0x11; 32];
const BLOB: BlobId = BlobId::from_bytes([0x22; 16]);
const PLAINTEXT: &[u8] = b"what a vector holds";

fn relay() -> OnionAddress {
    "2gzyxa5ihm7nsggfxnu52rck2vv4rvmdlkiu3zzui5du4xyclen53wid".parse().unwrap()
}

fn context() -> Context {
    Context::of(&[b"test vector"])
}

fn path(name: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors")).join(name)
}

/// The bytes of a vector; `make` says how they come about.
fn vector(name: &str, make: impl FnOnce() -> Vec<u8>) -> Vec<u8> {
    if std::env::var_os("NIGHTDROP_WRITE_VECTORS").is_some() {
        fs::create_dir_all(path("")).unwrap();
        fs::write(path(name), make()).unwrap();
    }
    fs::read(path(name)).unwrap()
}

fn changed(good: &[u8], position: usize) -> Vec<u8> {
    let mut bad = good.to_vec();
    bad[position] ^= 1;
    bad
}

#[test]
fn envelopes() {
    for kind in Kind::ALL {
        let name = format!("envelope_kind_{}.bin", kind as u8);
        let bytes = vector(&name, || seal(kind, &KEY, &context(), PLAINTEXT, &mut rand::rng()).unwrap());
        assert_eq!(open(kind, &KEY, &context(), &bytes).unwrap().as_slice(), PLAINTEXT, "{name}");
    }
    let good = fs::read(path("envelope_kind_5.bin")).unwrap();
    let last = good.len() - 1;
    type Bad<'a> = (&'a str, Vec<u8>, OpenError);
    let bad: [Bad<'_>; 8] = [
        ("envelope_bad_empty.bin", vec![], OpenError::Malformed),
        ("envelope_bad_header_only.bin", good[..67].to_vec(), OpenError::Malformed),
        ("envelope_bad_truncated_tag.bin", good[..last].to_vec(), OpenError::Altered),
        ("envelope_bad_unknown_suite.bin", changed(&good, 1), OpenError::UnknownSuite),
        ("envelope_bad_other_kind.bin", changed(&good, 2), OpenError::WrongKind),
        ("envelope_bad_other_salt.bin", changed(&good, 3), OpenError::WrongKey),
        ("envelope_bad_other_commitment.bin", changed(&good, 35), OpenError::WrongKey),
        ("envelope_bad_flipped_tag.bin", changed(&good, last), OpenError::Altered),
    ];
    for (name, bytes, error) in bad {
        let bytes = vector(name, || bytes);
        assert_eq!(open(Kind::Ticket, &KEY, &context(), &bytes).err(), Some(error), "{name}");
    }
}

#[test]
fn a_manifest_and_its_chunk() {
    let key = || FileKey::from_bytes(KEY);
    let chunk = vector("chunk.bin", || {
        let mut buffer = ChunkBuffer::new(SizeClass::SMALLEST);
        buffer.plaintext_mut()[..PLAINTEXT.len()].copy_from_slice(PLAINTEXT);
        buffer.seal(&key(), BLOB, 0, &mut rand::rng()).unwrap().bytes
    });
    let manifest = vector("manifest.bin", || {
        let name = FileName::parse("vector.txt").unwrap();
        let facts = FileFacts { name, size: PLAINTEXT.len() as u64, modified: Some(1_700_000_000) };
        let hash = Sha256::digest(&chunk).into();
        seal_manifest(&facts, &[hash], &key(), BLOB, &mut rand::rng()).unwrap().bytes
    });
    let hash = Sha256::digest(&manifest).into();
    let opened = VerifiedManifest::open(&manifest, &hash, key(), BLOB).unwrap();
    assert_eq!(opened.facts().name.as_str(), "vector.txt");
    assert_eq!(opened.open_chunk(0, chunk.clone()).unwrap().content(), PLAINTEXT);

    let bad = vector("chunk_bad_flipped_nonce.bin", || changed(&chunk, 0));
    assert_eq!(opened.open_chunk(0, bad).err(), Some(OpenError::WrongHash));
    let bad = vector("chunk_bad_truncated.bin", || chunk[..chunk.len() - 1].to_vec());
    assert_eq!(opened.open_chunk(0, bad).err(), Some(OpenError::WrongHash));
    let bad = vector("manifest_bad_flipped_salt.bin", || changed(&manifest, 3));
    assert_eq!(VerifiedManifest::open(&bad, &hash, key(), BLOB).err(), Some(OpenError::WrongHash));
    let forged = Sha256::digest(&bad).into();
    assert_eq!(VerifiedManifest::open(&bad, &forged, key(), BLOB).err(), Some(OpenError::WrongKey));
}

/// The journal of an unfinished upload, as it stands on a device's disk: a head and a record of each kind.
#[test]
fn a_journal() {
    let key = JournalKey::new(MemoryKey::from_bytes(KEY), relay(), AccountId::from_bytes([0x66; 10]));
    let chunk = JournalRecord::Chunk { index: 300, nonce: [0x99; 24], hash: [0xaa; 32] };
    let finish =
        JournalRecord::Finish { manifest: [0x77; 32], content: [0x88; 32], size: 19, modified: Some(-1) };
    let head = vector("journal_head.bin", || {
        let stamp = Stamp { size: 19, modified: (-1, 5), changed: (7, 8), inode: (9, 10) };
        let origin = Origin { path: b"/home/a/vector.txt".to_vec(), stamp, content: [0x88; 32] };
        let name = (SpacePath::parse("docs/vector.txt").unwrap(), Some(BlobId::from_bytes([0x55; 16])));
        let capabilities = BlobCapabilities {
            blob: BLOB,
            read_token: Token::from_bytes([0x33; 32]),
            write_key: Token::from_bytes([0x44; 32]),
        };
        let head = JournalHead::new((1, 2), capabilities, &FileKey::from_bytes(KEY), name, Some(origin));
        key.seal_head(&head, &mut rand::rng()).unwrap()
    });
    let opened = key.open_head(&head).unwrap();
    assert_eq!((opened.keyring, opened.began, opened.blob), (1, 2, BLOB));
    assert_eq!(opened.replaces, Some(BlobId::from_bytes([0x55; 16])));
    assert_eq!(opened.name.as_str(), "docs/vector.txt");
    assert!(opened.origin.as_ref().unwrap().path == b"/home/a/vector.txt");
    let listed = opened.finished_by(&finish, 20_000).unwrap();
    assert_eq!((listed.size, listed.manifest, listed.file_key().secret_bytes()), (19, [0x77; 32], &KEY));
    assert!(opened.finished_by(&chunk, 20_000).is_none());
    let paid = JournalRecord::Paid(Credit::new(Denomination::Large, 300, [0xbb; 32], [0xcc; 32]));
    assert!(opened.finished_by(&paid, 20_000).is_none());
    for (position, record) in [chunk, finish, paid].into_iter().enumerate() {
        let name = format!("journal_record_{position}.bin");
        let position = position as u64;
        let sealed = vector(&name, || key.seal_record(&record, BLOB, position, &mut rand::rng()).unwrap());
        assert_eq!(key.open_record(&sealed, BLOB, position), Ok(record));
        let bad = vector(&format!("journal_record_{position}_bad_flipped.bin"), || changed(&sealed, 70));
        assert_eq!(key.open_record(&bad, BLOB, position), Err(OpenError::Altered));
    }
    let bad = vector("journal_head_bad_flipped.bin", || changed(&head, 6_000));
    assert_eq!(key.open_head(&bad).err(), Some(OpenError::Altered));
    let bad = vector("journal_head_bad_truncated.bin", || head[..head.len() - 1].to_vec());
    assert_eq!(key.open_head(&bad).err(), Some(OpenError::Altered));
}

#[test]
fn a_ticket() {
    let secret = TicketSecret::from_bytes([0x33; 32]);
    let root = secret.root_with(&StretchedPassword::from_bytes([0x99; 32]));
    for (name, root) in [("ticket", secret.root()), ("ticket_with_password", root)] {
        let sealed = vector(&format!("{name}.bin"), || {
            root.seal(&FileKey::from_bytes(KEY), BLOB, &[0x44; 32], &relay(), &mut rand::rng()).unwrap().0
        });
        let digest = |bytes: &[u8]| Sha256::digest(bytes)[..16].try_into().unwrap();
        assert_eq!(root.open(&sealed, &digest(&sealed), &relay()).unwrap().blob(), BLOB);
        let bad = vector(&format!("{name}_bad_flipped_ciphertext.bin"), || changed(&sealed, 70));
        assert_eq!(root.open(&bad, &digest(&sealed), &relay()).err(), Some(OpenError::WrongHash));
        assert_eq!(root.open(&bad, &digest(&bad), &relay()).err(), Some(OpenError::Altered));
        let derived = vector(&format!("{name}_derived.bin"), || derived(&root));
        assert_eq!(derived, self::derived(&root), "id, token, and the claim of a seed of 0xaa");
    }
    let of_link = vector("ticket_of_link.bin", || of_link(&secret));
    assert_eq!(of_link, self::of_link(&secret), "salt of the password, and name of the seed");
}

fn derived(root: &TicketRoot) -> Vec<u8> {
    let claim = root.claim(&ClaimSeed::from_bytes([0xaa; 32]));
    let (id, token) = (root.id(), root.token());
    [id.as_bytes().as_slice(), token.secret_bytes(), claim.secret_bytes()].concat()
}

fn of_link(secret: &TicketSecret) -> Vec<u8> {
    [secret.password_salt().as_slice(), secret.claim_name().as_bytes()].concat()
}

#[test]
fn a_keyring_and_the_home_that_it_opens() {
    let (master, account) = (MasterKey::from_bytes(KEY), AccountId::from_bytes([0x66; 10]));
    let envelope = vector("keyring.bin", || {
        let keyring = Keyring::generate([6; 32], 1, &mut rand::rng());
        keyring.seal(&master, &relay(), account, &mut rand::rng()).unwrap().envelope
    });
    let sealed = account::Keyring { version: 1, envelope };
    let keys = || Keyring::open(&sealed, &master, &relay(), account).unwrap().home_keys();
    let removed = SpacePath::parse("docs/a.txt").unwrap();
    let made = LazyCell::new(|| {
        let empty = VerifiedLog::empty(keys());
        let file = FileRecord::new(
            BlobCapabilities::generate(&mut rand::rng()),
            &FileKey::from_bytes(KEY),
            [0x77; 32],
            19,
            Some(-1),
            [0x88; 32],
            20_500,
        );
        let put = Operation::PutFile { path: removed.clone(), file: Box::new(file) };
        let operations = vec![empty.create(), put];
        empty.seal_next(operations, &mut rand::rng()).unwrap()
    });
    let entries = [0, 1].map(|n| vector(&format!("home_entry_{n}.bin"), || made[n].clone()));
    let mut log = VerifiedLog::empty(keys());
    log.take(&entries).unwrap();
    assert_eq!(log.reports().1, 0);
    let file = log.state().file(&removed).unwrap();
    assert_eq!((file.size, file.modified, file.content), (19, Some(-1), [0x88; 32]));
    assert_eq!(file.file_key().secret_bytes(), &KEY);

    let mut first = VerifiedLog::empty(keys());
    first.take(&entries[..1]).unwrap();
    let (whole, copied) = first.seal_copy(&mut rand::rng()).unwrap();
    let changes = LazyCell::new(|| log.seal_changes(&copied, &mut rand::rng()).unwrap().unwrap().0);
    let [whole, changes] = [("copied_state.bin", &whole), ("copied_changes.bin", &*changes)]
        .map(|(name, made)| vector(name, || made.clone()));
    let mut copy = CopiedState::open(&keys(), &whole).unwrap();
    let bad = vector("copied_changes_bad_flipped.bin", || changed(&changes, 2_000));
    assert_eq!(copy.add(&keys(), &bad), Err(OpenError::Altered));
    copy.add(&keys(), &changes).unwrap();
    let read = copy.replay(keys(), None).unwrap().finish(log.head()).unwrap();
    assert_eq!((read.state_hash(), read.state().count()), (log.state_hash(), 1));
    let bad = vector("copied_state_bad_truncated.bin", || whole[..whole.len() - 1].to_vec());
    assert_eq!(CopiedState::open(&keys(), &bad).err(), Some(OpenError::Altered));
}

#[test]
fn texts_that_people_copy() {
    let read = |name: &str, make: &dyn Fn() -> String| {
        String::from_utf8(vector(name, || make().into_bytes())).unwrap()
    };
    for (name, needs_password, counts_downloads) in [
        ("link", false, false),
        ("link_password", true, false),
        ("link_counted", false, true),
        ("link_counted_password", true, true),
    ] {
        let link = read(&format!("{name}.txt"), &|| {
            let secret = TicketSecret::from_bytes([0x33; 32]);
            FileLink { relay: relay(), secret, envelope: [0x55; 16], needs_password, counts_downloads }
                .secret_text()
                .to_string()
        });
        let parsed = FileLink::from_text(&link).unwrap();
        assert_eq!((&parsed.relay, parsed.envelope), (&relay(), [0x55; 16]));
        assert_eq!((parsed.needs_password, parsed.counts_downloads), (needs_password, counts_downloads));
    }
    let link = fs::read_to_string(path("link.txt")).unwrap();
    let bad = read("link_bad_wrong_symbol.txt", &|| link.replacen("/2", "/3", 1));
    assert!(FileLink::from_text(&bad).is_err());
    let bad = read("link_bad_cut_off.txt", &|| link[..link.len() - 1].to_owned());
    assert_eq!(FileLink::from_text(&bad).err(), Some(BadText::Form));
    // Version 2, and a flag that there is not; each with a checksum that fits.
    for (name, flags) in [("link_bad_version.txt", 0x20), ("link_bad_flag.txt", 0x14)] {
        let bad = read(name, &|| with_first_byte(&link, flags));
        assert_eq!(FileLink::from_text(&bad).err(), Some(BadText::Version), "{name}");
    }

    let code = read("account_code.txt", &|| {
        AccountCode::generate(relay(), &mut rand::rng()).secret_text().to_string()
    });
    assert_eq!(*AccountCode::from_text(&code).unwrap().secret_text(), code);
    let bad = read("account_code_bad_swapped_symbols.txt", &|| swapped(&code));
    assert_eq!(AccountCode::from_text(&bad).err(), Some(BadText::Checksum));
}

/// The link with another version and flags.
fn with_first_byte(link: &str, first: u8) -> String {
    let (start, code) = link.rsplit_once('/').unwrap();
    let mut payload = text::decode_typed(code).unwrap();
    payload.truncate(payload.len() - 3);
    payload[0] = first;
    let sum = Sha256::new().chain_update("nightdrop:file/").chain_update(relay().label());
    let sum = sum.chain_update(&payload).finalize();
    payload.extend_from_slice(&sum[..3]);
    format!("{start}/{}", text::encode(&payload))
}

/// The first two different neighbours after the relay's address swapped.
fn swapped(code: &str) -> String {
    let mut bytes = code.as_bytes().to_vec();
    let start = code.rfind('/').unwrap() + 1;
    let position = (start..bytes.len() - 1).find(|at| bytes[*at] != bytes[at + 1]).unwrap();
    bytes.swap(position, position + 1);
    String::from_utf8(bytes).unwrap()
}

/// Two new blobs share nothing: neither id nor tokens come from the file or the account.
#[test]
fn new_capabilities_are_random() {
    let [one, other] = [0, 1].map(|_| BlobCapabilities::generate(&mut rand::rng()));
    assert_ne!(one.blob, other.blob);
    let bytes = |token: &Token| *token.secret_bytes();
    let tokens =
        [bytes(&one.read_token), bytes(&one.write_key), bytes(&other.read_token), bytes(&other.write_key)];
    let distinct: std::collections::HashSet<_> = tokens.into_iter().collect();
    assert_eq!(distinct.len(), 4);
}
