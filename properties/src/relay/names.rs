//! What the few things are called, and what is in them: the same bytes for store and model.

use super::asked::Shown;
use nightdrop_store::{Day, token_hash};
use nightdrop_wire::{
    denomination::Denomination,
    ids::{AccountId, BlobId, RecoveryId, SpaceId, TicketId},
    limits::{ENTRY_SIZES, PERIOD_DAYS, TICKET_ENVELOPE},
    messages::{
        account::{REGISTRATION_UPLOAD, Recovery, RegisterFinish},
        credit::Credit,
    },
    size_class::SizeClass,
    token::{Token, TokenHash},
};

/// Few days before a period ends.
pub(super) const FIRST_DAY: Day = Day(110 * PERIOD_DAYS - 3);
pub(super) use nightdrop_wire::limits::CLAIM_DAYS;
pub(super) const DECOY: [u8; REGISTRATION_UPLOAD] = [0xdd; REGISTRATION_UPLOAD];

/// What a token is for.
#[derive(Debug, Clone, Copy)]
#[repr(u8)]
pub(super) enum Role {
    Invitation = 1,
    Session,
    Read,
    Write,
    Ticket,
    LogRead,
    LogAppend,
    Claim,
}

pub(super) fn token(role: Role, thing: u8) -> Token {
    let mut bytes = [thing; 32];
    bytes[0] = role as u8;
    Token::from_bytes(bytes)
}

pub(super) fn hash(role: Role, thing: u8) -> TokenHash {
    token_hash(&token(role, thing))
}

/// Some of them end within the days that a few steps reach.
pub(super) fn last_day(credit: u8) -> Day {
    FIRST_DAY.plus(u32::from(credit) / 2)
}

pub(super) fn credit_of(credit: u8) -> Credit {
    Credit::new(denomination(credit), last_day(credit).0, [credit; 32], [0; 32])
}

/// Some that follow one another are worth what a blob of two chunks costs.
fn denomination(credit: u8) -> Denomination {
    match credit {
        2 | 5 | 7 => Denomination::Smallest,
        4 => Denomination::Large,
        _ => Denomination::Small,
    }
}

/// The token of a thing, or what somebody shows in its place.
pub(super) fn shown(shown: Shown, role: Role, other: Role, thing: u8) -> Token {
    match shown {
        Shown::Right => token(role, thing),
        Shown::OtherRole => token(other, thing),
        Shown::OtherThing => token(role, thing + 1),
    }
}

pub(super) fn account_id(account: u8) -> AccountId {
    AccountId::from_bytes([account; 10])
}

pub(super) fn blob_id(blob: u8) -> BlobId {
    BlobId::from_bytes([blob; 16])
}

pub(super) fn ticket_id(ticket: u8) -> TicketId {
    TicketId::from_bytes([ticket; 16])
}

pub(super) fn space_id(log: u8) -> SpaceId {
    SpaceId::from_bytes([log; 32])
}

/// The first variant has a recovery phrase, the same for all accounts: only one of them can have it.
pub(super) fn registration(account: u8, invitation: u8, variant: u8) -> RegisterFinish {
    let recovery = (variant == 0).then(|| Recovery {
        id: RecoveryId::from_bytes([9; 16]),
        token: hash(Role::Ticket, 99),
        envelope: vec![account; 125],
    });
    RegisterFinish {
        invitation: token(Role::Invitation, invitation),
        account: account_id(account),
        upload: [account + 10; REGISTRATION_UPLOAD],
        master_key: master_key(account, variant),
        recovery,
        keyring: vec![account; 300],
    }
}

pub(super) fn master_key(account: u8, variant: u8) -> Vec<u8> {
    vec![account * 2 + variant; 115]
}

/// The chunk of a blob with so many.
pub(super) fn chunk(chunks: u32, contents: u8, right_size: bool) -> Vec<u8> {
    let class = if chunks == 2 { SizeClass::FULL } else { SizeClass::SMALLEST };
    vec![contents; class.sealed() - usize::from(!right_size)]
}

/// Manifests 0 and 1; 2 is of no size class.
pub(super) fn manifest(which: u8) -> Vec<u8> {
    vec![which + 50; SizeClass::SMALLEST.sealed() - usize::from(which == 2)]
}

/// Envelopes 0 and 1; 2 is too short.
pub(super) fn ticket_envelope(variant: u8) -> Vec<u8> {
    vec![variant + 70; TICKET_ENVELOPE - usize::from(variant == 2)]
}

/// So many entries; of contents 2 they are long, and five times as many, and those of contents 3 are of no entry size.
pub(super) fn log_entries(count: u8, contents: u8) -> Vec<Vec<u8>> {
    let size = ENTRY_SIZES[if contents == 2 { 3 } else { usize::from(contents % 2) }];
    let (size, count) = (size + usize::from(contents == 3), if contents == 2 { count * 5 } else { count });
    (0..count).map(|n| vec![contents * 16 + n; size]).collect()
}
