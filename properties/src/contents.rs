//! What the other envelopes hold: opened, it is exactly what was sealed, and has one form.

use crate::{
    Fixed,
    seals::{BLOB, hash},
    texts::relay_address,
};
use hkdf::Hkdf;
use nightdrop_envelope::{
    context::Context,
    device_memory::DeviceMemory,
    journal::JournalKey,
    key::{EncryptionKey, MasterKey, MemoryKey},
    keyring::Keyring,
    master_key::open_master_key,
    recovery::RecoveryPhrase,
    seal::{Kind, open, seal},
    ticket::TicketSecret,
};
use nightdrop_wire::{ids::AccountId, labels, messages::account};
use sha2::Sha256;

const KEY: [u8; 32] = [0x66; 32];
const ACCOUNT: AccountId = AccountId::from_bytes([0x77; 10]);
const VERSION: u64 = 3;

/// The first byte chooses the kind of envelope; the rest is what it holds, as it is or padded to the right length.
pub(crate) fn contents(input: &[u8]) -> bool {
    let Some((which, rest)) = input.split_first() else { return false };
    match which % 11 {
        0 => master_key(rest),
        1 => recovery(rest),
        2 => ticket(rest),
        3 => keyring(rest),
        4 => keyring(&padded(rest, 512)),
        5 => device_memory(rest),
        6 => device_memory(&padded(rest, 128)),
        7 => journal_head(rest),
        8 => journal_head(&padded(rest, 6_144)),
        9 => journal_record(rest),
        _ => journal_record(&padded(rest, 96)),
    }
}

/// Length, body, zeros: as `envelope` pads. Not longer than it has to be if the body does not fit.
pub(crate) fn padded(body: &[u8], to: usize) -> Vec<u8> {
    let length = u32::try_from(body.len()).unwrap().to_be_bytes();
    let mut padded = [&length[..], body].concat();
    padded.resize(padded.len().max(to), 0);
    padded
}

pub(crate) fn derive(secret: &[u8], label: &[u8], beside: &[u8]) -> [u8; 32] {
    let mut key = [0; 32];
    Hkdf::<Sha256>::new(None, secret).expand_multi_info(&[label, beside], &mut key).unwrap();
    key
}

fn place(what: &[u8], more: &[u8]) -> Context {
    let relay = relay_address();
    let parts = [what, relay.as_str().as_bytes(), ACCOUNT.as_bytes(), more];
    Context::of(if more.is_empty() { &parts[..3] } else { &parts })
}

fn sealed(kind: Kind, key: &[u8; 32], context: &Context, plaintext: &[u8]) -> Vec<u8> {
    seal(kind, key, context, plaintext, &mut Fixed::new(0)).unwrap()
}

fn master_key(plaintext: &[u8]) -> bool {
    let sealed = sealed(Kind::MasterKey, &KEY, &place(b"master key", b""), plaintext);
    let opened = open_master_key(&sealed, &EncryptionKey::from_bytes(KEY), &relay_address(), ACCOUNT);
    assert_eq!(opened.is_ok(), plaintext.len() == 32);
    opened.is_ok_and(|master| {
        assert_eq!(master.secret_bytes(), plaintext);
        true
    })
}

fn recovery(plaintext: &[u8]) -> bool {
    let relay = relay_address();
    // A phrase is the first 32 bytes of its generator.
    let entropy: [u8; 32] = Fixed::new(9).bytes();
    let phrase = RecoveryPhrase::generate(&mut Fixed::new(9));
    let key = derive(&entropy, labels::RECOVERY_KEY, relay.as_str().as_bytes());
    let context = Context::of(&[b"recovery", relay.as_str().as_bytes(), phrase.id(&relay).as_bytes()]);
    let opened = phrase.open(&sealed(Kind::Recovery, &key, &context, plaintext), &relay);
    assert_eq!(opened.is_ok(), plaintext.len() == 32 + AccountId::LENGTH);
    opened.is_ok_and(|(master, account)| {
        assert_eq!([master.secret_bytes().as_slice(), account.as_bytes()].concat(), plaintext);
        true
    })
}

fn ticket(plaintext: &[u8]) -> bool {
    let (relay, root) = (relay_address(), TicketSecret::from_bytes(KEY).root());
    let key = derive(&KEY, labels::TICKET_KEY, b"");
    let context = Context::of(&[b"ticket", relay.as_str().as_bytes(), root.id().as_bytes()]);
    let sealed = sealed(Kind::Ticket, &key, &context, plaintext);
    let digest = hash(&sealed)[..16].try_into().unwrap();
    let opened = root.open(&sealed, &digest, &relay);
    assert_eq!(opened.is_ok(), plaintext.len() == 32 + 16 + 32);
    opened.is_ok_and(|ticket| {
        assert_eq!(ticket.blob().as_bytes(), &plaintext[32..48]);
        true
    })
}

fn keyring(plaintext: &[u8]) -> bool {
    let (relay, master) = (relay_address(), MasterKey::from_bytes(KEY));
    let context = place(b"keyring", &VERSION.to_be_bytes());
    let envelope = sealed(Kind::Keyring, &KEY, &context, plaintext);
    let sealed = account::Keyring { version: VERSION, envelope };
    let Ok(keyring) = Keyring::open(&sealed, &master, &relay, ACCOUNT) else { return false };
    assert_eq!(keyring.version(), VERSION);
    let again = keyring.seal(&master, &relay, ACCOUNT, &mut Fixed::new(1)).unwrap();
    let again = open(Kind::Keyring, &KEY, &context, &again.envelope).unwrap();
    assert_eq!(again.as_slice(), plaintext, "two forms of one keyring");
    true
}

fn device_memory(plaintext: &[u8]) -> bool {
    let (relay, key) = (relay_address(), MemoryKey::from_bytes(KEY));
    let context = place(b"device memory", b"");
    let sealed = sealed(Kind::DeviceMemory, &KEY, &context, plaintext);
    let Ok(memory) = DeviceMemory::open(&sealed, &key, &relay, ACCOUNT) else { return false };
    let again = memory.seal(&key, &relay, ACCOUNT, &mut Fixed::new(1)).unwrap();
    let again = open(Kind::DeviceMemory, &KEY, &context, &again).unwrap();
    assert_eq!(again.as_slice(), plaintext, "two forms of one memory");
    true
}

fn journal_key() -> JournalKey {
    JournalKey::new(MemoryKey::from_bytes(KEY), relay_address(), ACCOUNT)
}

fn journal_head(plaintext: &[u8]) -> bool {
    let context = place(b"journal", b"");
    let Ok(head) = journal_key().open_head(&sealed(Kind::Journal, &KEY, &context, plaintext)) else {
        return false;
    };
    let again = journal_key().seal_head(&head, &mut Fixed::new(1)).unwrap();
    let again = open(Kind::Journal, &KEY, &context, &again).unwrap();
    assert_eq!(again.as_slice(), plaintext, "two forms of one head");
    true
}

fn journal_record(plaintext: &[u8]) -> bool {
    let (relay, position) = (relay_address(), 3_u64);
    let place = |position: u64| {
        let (relay, position) = (relay.as_str().as_bytes(), position.to_be_bytes());
        Context::of(&[b"journal record", relay, ACCOUNT.as_bytes(), BLOB.as_bytes(), &position])
    };
    let record = sealed(Kind::JournalRecord, &KEY, &place(position), plaintext);
    assert!(journal_key().open_record(&record, BLOB, position + 1).is_err(), "it belongs to its place");
    let Ok(record) = journal_key().open_record(&record, BLOB, position) else { return false };
    let again = journal_key().seal_record(&record, BLOB, position, &mut Fixed::new(1)).unwrap();
    let again = open(Kind::JournalRecord, &KEY, &place(position), &again).unwrap();
    assert_eq!(again.as_slice(), plaintext, "two forms of one record");
    true
}
