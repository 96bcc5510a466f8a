//! `docs/protocol.md` is compared with the program: endpoints, bodies, kinds, sizes, limits, refusals.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, missing_docs)]

use nightdrop_envelope::seal::Kind;
use nightdrop_wire::{
    codec,
    denomination::Denomination,
    endpoint::ENDPOINTS,
    ids::{AccountId, BlobId, ChangeId, LoginId, RecoveryId, SessionId, SpaceId, TicketId},
    limits,
    messages::{
        account::{
            ChangeFinish, Keyring, LoggedIn, LoginFinish, LoginStart, LoginStarted, PasswdStart,
            PasswdStarted, RecoverStart, RecoverStarted, Recovery, RecoveryChange, RegisterFinish,
            RegisterStart, RegisterStarted, SessionFacts, Sessions,
        },
        blob::{
            CreateBlob, Destroyed, ExtendLease, FinishBlob, GrowBlob, HeldChunk, HeldChunks, Leased,
            RenewBlob, WholeBlob,
        },
        credit::{Credit, CreditOrder, Credits, IssuedPart, OrderedPart},
        log::{Append, CreateLog, GrowLog, LogHead, LogPage, LogRoom},
        relay::{EarnInvitation, EarnedInvitation, Registration, RelayInfo},
        ticket::{CreateTicket, TakeClaim, TicketLimits},
    },
    price,
    quarter::QuarterHour,
    refusal::Refusal,
    size_class::SizeClass,
    token::{Token, TokenHash},
};
use serde::Serialize;
use serde_bytes::ByteBuf;
use std::{collections::BTreeMap, num::NonZeroU16};

const PAGE: &str = include_str!("../../docs/protocol.md");

/// The rows of the table whose first heading is `heading`, without head and ruler.
fn table(heading: &str) -> Vec<Vec<String>> {
    let rows: Vec<Vec<String>> = PAGE
        .lines()
        .skip_while(|line| !line.starts_with(&format!("| {heading} |")))
        .skip(2)
        .take_while(|line| line.starts_with('|'))
        .map(|line| line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect())
        .collect();
    assert!(!rows.is_empty(), "no table with the heading {heading}");
    rows
}

#[test]
fn endpoints() {
    let program: Vec<Vec<String>> = ENDPOINTS
        .iter()
        .map(|row| {
            let cells = [row.method, row.path, row.plane, row.shows, row.request, row.answer];
            cells.iter().map(ToString::to_string).chain([row.max_body.to_string()]).collect()
        })
        .collect();
    assert_eq!(table("Method"), program);
}

#[test]
fn refusals() {
    let page: Vec<(String, String)> =
        table("Refusal").into_iter().map(|row| (row[0].clone(), row[1].clone())).collect();
    let program: Vec<(String, String)> =
        Refusal::ALL.iter().map(|refusal| (format!("{refusal:?}"), refusal.status().to_string())).collect();
    assert_eq!(page, program);
}

#[test]
fn kinds_of_envelopes() {
    let page: Vec<(String, String)> =
        table("Kind").into_iter().map(|row| (row[0].clone(), row[1].clone())).collect();
    let program: Vec<(String, String)> =
        Kind::ALL.iter().map(|kind| (format!("{kind:?}"), (*kind as u8).to_string())).collect();
    assert_eq!(page, program);
}

#[test]
fn size_classes() {
    let page: Vec<Vec<usize>> =
        table("Page").iter().map(|row| row.iter().map(|cell| cell.parse().unwrap()).collect()).collect();
    let program: Vec<Vec<usize>> = SizeClass::all()
        .map(|class| vec![class.stored() + 28, class.stored(), class.sealed(), class.chunk_plaintext()])
        .collect();
    assert_eq!(page, program);
}

#[test]
fn limits() {
    let page: BTreeMap<String, usize> =
        table("Limit").into_iter().map(|row| (row[0].clone(), row[1].parse().unwrap())).collect();
    let program = BTreeMap::from([
        ("MAX_CHUNKS".to_owned(), limits::MAX_CHUNKS as usize),
        ("MAX_CREDITS_PER_ORDER".to_owned(), limits::MAX_CREDITS_PER_ORDER),
        ("MAX_CREDITS_PER_PAYMENT".to_owned(), limits::MAX_CREDITS_PER_PAYMENT),
        ("REFUND_DAYS".to_owned(), limits::REFUND_DAYS as usize),
        ("PERIOD_DAYS".to_owned(), limits::PERIOD_DAYS as usize),
        ("ENVELOPE_OVERHEAD".to_owned(), limits::ENVELOPE_OVERHEAD),
        ("MASTER_KEY_ENVELOPE".to_owned(), limits::MASTER_KEY_ENVELOPE),
        ("MAX_KEYRING_ENVELOPE".to_owned(), limits::MAX_KEYRING_ENVELOPE),
        ("TICKET_ENVELOPE".to_owned(), limits::TICKET_ENVELOPE),
        ("MAX_MANIFEST".to_owned(), limits::MAX_MANIFEST),
        ("MAX_KEPT_TICKETS".to_owned(), limits::MAX_KEPT_TICKETS),
        ("MAX_DOWNLOADS".to_owned(), usize::from(limits::MAX_DOWNLOADS)),
        ("CLAIM_DAYS".to_owned(), limits::CLAIM_DAYS as usize),
        ("MAX_LOG_ENTRIES".to_owned(), usize::try_from(limits::MAX_LOG_ENTRIES).unwrap()),
        ("LONGEST_LOG".to_owned(), price::LONGEST_LOG as usize),
        ("MAX_ENTRIES".to_owned(), limits::MAX_ENTRIES),
        ("MAX_ENTRIES_BODY".to_owned(), limits::MAX_ENTRIES_BODY),
        ("MAX_HELD_CHUNKS".to_owned(), limits::MAX_HELD_CHUNKS),
        ("MAX_HELD_BODY".to_owned(), limits::MAX_HELD_BODY),
        ("WORK_CHALLENGE".to_owned(), limits::WORK_CHALLENGE),
        ("WORK_PARTS".to_owned(), limits::WORK_PARTS),
        ("WORK_SOLUTION".to_owned(), limits::WORK_SOLUTION),
        ("MAX_WORK".to_owned(), usize::from(limits::MAX_WORK)),
    ]);
    assert_eq!(page, program);
}

/// Reads bytes as the page describes them.
struct Reader<'a> {
    messages: BTreeMap<String, String>,
    rest: &'a [u8],
}

impl Reader<'_> {
    fn message(&mut self, name: &str) {
        let fields = self.messages.get(name).unwrap_or_else(|| panic!("{name} is not on the page")).clone();
        for field in fields.split(", ") {
            let (_, form) = field.split_once(": ").unwrap_or_else(|| panic!("{field} has no form"));
            self.form(form);
        }
    }

    fn form(&mut self, form: &str) {
        if let Ok(length) = form.parse() {
            self.take(length);
        } else if let Some(inner) = form.strip_prefix("option ") {
            if self.take(1) == [1] {
                self.form(inner);
            }
        } else if let Some(alternatives) = form.strip_prefix("one of ") {
            let chosen = self.integer();
            self.form(
                alternatives.split(" / ").nth(chosen).unwrap_or_else(|| panic!("no alternative {chosen}")),
            );
        } else if let Some(inner) = form.strip_prefix("list of ") {
            for _ in 0..self.integer() {
                self.form(inner);
            }
        } else {
            match form {
                "bytes" => {
                    let length = self.integer();
                    self.take(length);
                }
                "u16" | "u32" | "u64" => {
                    self.integer();
                }
                "bool" => assert!(self.take(1)[0] <= 1),
                "nothing" => {}
                message => self.message(message),
            }
        }
    }

    fn integer(&mut self) -> usize {
        let mut value = 0;
        for shift in (0..).step_by(7) {
            let byte = self.take(1)[0];
            value |= usize::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                break;
            }
        }
        value
    }

    fn take(&mut self, length: usize) -> Vec<u8> {
        let (taken, rest) = self.rest.split_at(length);
        self.rest = rest;
        taken.to_vec()
    }
}

fn walk<T: Serialize>(name: &str, message: &T) {
    let bytes = codec::encode(message).unwrap();
    let messages = table("Message").into_iter().map(|row| (row[0].clone(), row[1].clone())).collect();
    let mut reader = Reader { messages, rest: &bytes };
    reader.message(name);
    assert!(reader.rest.is_empty(), "{name} is longer than the page says");
}

#[test]
fn control_bodies() {
    let token = || Token::from_bytes([1; 32]);
    let credit = || Credit::new(Denomination::Large, 300, [32; 32], [33; 32]);
    let hash = TokenHash::from_bytes([2; 32]);
    let account = AccountId::from_bytes([3; 10]);
    let blob = BlobId::from_bytes([4; 16]);
    let recovery = Recovery { id: RecoveryId::from_bytes([5; 16]), token: hash, envelope: vec![6; 125] };
    let (registration, challenge) = (Registration::Closed, [26; limits::WORK_CHALLENGE]);
    let (version, quota, session_days, issuing_key) = (300, 300, 300, [29; 32]);
    let info = RelayInfo { version, registration, work: 200, challenge, quota, issuing_key, session_days };
    walk("RelayInfo", &info);
    let solution = [27; limits::WORK_SOLUTION];
    walk("EarnInvitation", &EarnInvitation { account, challenge, solution });
    walk("EarnedInvitation", &EarnedInvitation { invitation: token() });
    walk("RegisterStart", &RegisterStart { invitation: token(), account, request: [7; 32] });
    walk("RegisterStarted", &RegisterStarted { response: [7; 64] });
    for recovery in [None, Some(recovery.clone())] {
        let (upload, master_key, keyring) = ([8; 192], vec![9; 115], vec![10; 595]);
        let finish = RegisterFinish { invitation: token(), account, upload, master_key, recovery, keyring };
        walk("RegisterFinish", &finish);
    }
    walk("LoginStart", &LoginStart { account, request: [11; 96] });
    let login = LoginId::from_bytes([12; 16]);
    walk("LoginStarted", &LoginStarted { login, response: [13; 320] });
    let finish = || LoginFinish { login, finalization: [14; 64] };
    walk("LoginFinish", &finish());
    let keyring = Keyring { version: 300, envelope: vec![15; 595] };
    changes(&finish(), &recovery, &keyring);
    walk(
        "LoggedIn",
        &LoggedIn {
            session: token(),
            id: SessionId::from_bytes([28; 16]),
            master_key: vec![9; 115],
            keyring,
        },
    );
    let (denomination, blinded) = (Denomination::Small, vec![[30; 32], [31; 32]]);
    let ordered = || OrderedPart { denomination, blinded: blinded.clone() };
    walk("CreditOrder", &CreditOrder { expires: 300, parts: vec![ordered(), ordered()] });
    let issued = || IssuedPart { denomination, evaluated: vec![[30; 32]], proof: [31; 64] };
    walk("Credits", &Credits { parts: vec![issued(), issued()] });
    let payment = || vec![credit(), credit()];
    for whole in [None, Some(WholeBlob { chunk: vec![16; 4028], manifest: vec![17; 4028] })] {
        let create =
            CreateBlob { blob, payment: payment(), read_token: hash, write_key: hash, chunks: 300, whole };
        walk("CreateBlob", &create);
    }
    walk("GrowBlob", &GrowBlob { chunks: 300, payment: payment() });
    walk("Leased", &Leased { until: 20_000 });
    walk("ExtendLease", &ExtendLease { payment: payment() });
    walk("Destroyed", &Destroyed { refund: 300 });
    walk("FinishBlob", &FinishBlob { chunks_digest: [18; 32], manifest: vec![19; 4028] });
    let held = HeldChunk { index: 300, hash: [29; 32] };
    walk("HeldChunks", &HeldChunks { chunks: vec![held, held] });
    walk(
        "RenewBlob",
        &RenewBlob { read_token: hash, write_key: hash, tickets: vec![TicketId::from_bytes([20; 16])] },
    );
    let (space, head) = (SpaceId::from_bytes([22; 32]), LogHead { count: 300, hash: [23; 32] });
    let entries = || vec![ByteBuf::from([24; 512]), ByteBuf::from([25; 1024])];
    let (read_token, append_token) = (hash, hash);
    let create =
        CreateLog { space, payment: payment(), paid: 300, read_token, append_token, entries: entries() };
    walk("CreateLog", &create);
    walk("Append", &Append { expected: head, entries: entries() });
    walk("GrowLog", &GrowLog { held: 200, paid: 300, payment: payment() });
    walk("LogPage", &LogPage { head, room: LogRoom { paid: 300, taken: 70_000 }, entries: entries() });
    let ticket = TicketId::from_bytes([20; 16]);
    let limits = TicketLimits { ends: Some(QuarterHour(2_000_000)), downloads: NonZeroU16::new(300) };
    walk("CreateTicket", &CreateTicket { ticket, token: hash, blob, limits, envelope: vec![21; 163] });
    walk("TakeClaim", &TakeClaim { claim: hash });
}

fn changes(login: &LoginFinish, recovery: &Recovery, keyring: &Keyring) {
    let change = ChangeId::from_bytes([26; 16]);
    let (response, master_key) = ([27; 64], vec![9; 115]);
    walk("PasswdStart", &PasswdStart { login: login.clone(), request: [7; 32] });
    walk(
        "PasswdStarted",
        &PasswdStarted { change, response, master_key: master_key.clone(), keyring: keyring.clone() },
    );
    let token = Token::from_bytes([1; 32]);
    walk("RecoverStart", &RecoverStart { recovery: recovery.id, token, request: [7; 32] });
    let envelope = recovery.envelope.clone();
    walk("RecoverStarted", &RecoverStarted { change, response, envelope, keyring: keyring.clone() });
    for (recovery, keyring) in [
        (RecoveryChange::Keep, None),
        (RecoveryChange::Replace(recovery.clone()), Some(keyring.clone())),
        (RecoveryChange::Remove, None),
    ] {
        let finish =
            ChangeFinish { change, upload: [8; 192], master_key: master_key.clone(), recovery, keyring };
        walk("ChangeFinish", &finish);
    }
    let facts = SessionFacts { id: SessionId::from_bytes([28; 16]), began: 300, expires: 330, asking: true };
    walk("Sessions", &Sessions { sessions: vec![facts, SessionFacts { asking: false, ..facts }] });
}

#[test]
#[should_panic(expected = "Keyring is longer than the page says")]
fn a_body_that_differs_from_the_page_is_found() {
    walk("Keyring", &(300_u64, [0_u8; 1], [2_u8; 1]));
}
