//! Honest inputs of every property: made by the product's own writers, so that a fuzzer starts behind the first checks.

use nightdrop_envelope::{
    account_code::AccountCode,
    capability::BlobCapabilities,
    journal::{JournalHead, JournalRecord, Origin, Stamp},
    key::FileKey,
    keyring::Keyring,
    link::FileLink,
    recovery::RecoveryPhrase,
    space::{FileRecord, Lease, LeaseNews, Operation, SpacePath, TicketRecord, VerifiedLog},
    ticket::TicketSecret,
};
use nightdrop_login::{
    client::{ClientLogin, ClientRegistration},
    password::{AccountKey, Password},
    server::{Record, ServerSetup},
};
use nightdrop_properties::Fixed;
use nightdrop_wire::{
    authorization::Authorization,
    codec,
    denomination::Denomination,
    ids::{AccountId, BlobId, ChangeId, LoginId, RecoveryId, SessionId, SpaceId, TicketId},
    limits::TICKET_ENVELOPE,
    messages::{
        account::{
            ChangeFinish, Keyring as SealedKeyring, LoggedIn, LoginFinish, LoginStart, LoginStarted,
            PasswdStart, PasswdStarted, RecoverStart, RecoverStarted, Recovery, RecoveryChange,
            RegisterFinish, RegisterStart, RegisterStarted, SessionFacts, Sessions,
        },
        admin::{Invitations, NewInvitations},
        blob::{
            CreateBlob, Destroyed, ExtendLease, FinishBlob, GrowBlob, HeldChunk, HeldChunks, Leased,
            WholeBlob,
        },
        credit::{Credit, CreditOrder, Credits, IssuedPart, OrderedPart},
        log::{Append, CreateLog, GrowLog, LogHead, LogPage, LogRoom},
        relay::EarnedInvitation,
        ticket::{CreateTicket, TakeClaim, TicketLimits},
    },
    onion::OnionAddress,
    quarter::QuarterHour,
    token::{Token, TokenHash},
};
use serde::Serialize;
use serde_bytes::ByteBuf;
use std::{fs, num::NonZeroU16, path::Path};

type Input = (String, Vec<u8>);

const TOKEN: Token = Token::from_bytes([1; 32]);
const CREDIT: Credit = Credit::new(Denomination::Large, 20_019, [2; 32], [3; 32]);
const HASH: TokenHash = TokenHash::from_bytes([2; 32]);
const ACCOUNT: AccountId = AccountId::from_bytes([3; 10]);
const BLOB: BlobId = BlobId::from_bytes([4; 16]);
const TICKET: TicketId = TicketId::from_bytes([5; 16]);
const SPACE: SpaceId = SpaceId::from_bytes([6; 32]);
const HEAD: LogHead = LogHead { count: 300, hash: [7; 32] };

/// The good inputs of the property of that name.
pub(crate) fn inputs(property: &str) -> Vec<Input> {
    match property {
        "message" => [messages(), account_messages()].concat(),
        "request" => requests(),
        "text" => texts(),
        "copied_text" => [0, 1, 2, 12]
            .into_iter()
            .map(|which| (which.to_string(), [&[which][..], &[8; 32]].concat()))
            .collect(),
        "envelope" => vectors("envelope_kind"),
        "chunk" => vectors("chunk.bin"),
        "manifest" => manifests(),
        "contents" => contents(),
        "entries" => logs(),
        "name" => names(),
        "layout" => {
            let sizes = [0, 3_988, 3_989, 1_048_468, 1_048_469, 5 << 20, 64 << 20, 16_384 * 1_048_468];
            sizes.map(|size: u64| (size.to_string(), size.to_be_bytes().to_vec())).to_vec()
        }
        "login" => logins(),
        "relay" => relays(),
        other => panic!("no good inputs for {other}"),
    }
}

fn relay() -> OnionAddress {
    "2gzyxa5ihm7nsggfxnu52rck2vv4rvmdlkiu3zzui5du4xyclen53wid".parse().unwrap()
}

fn encoded(which: u8, name: &str, message: &impl Serialize) -> Input {
    (name.to_owned(), [&[which], codec::encode(message).unwrap().as_slice()].concat())
}

fn messages() -> Vec<Input> {
    let (login, id) = (LoginId::from_bytes([9; 16]), SessionId::from_bytes([6; 16]));
    let keyring = SealedKeyring { version: 200, envelope: vec![1; 60] };
    let recovery = Some(Recovery { id: RecoveryId::from_bytes([8; 16]), token: HASH, envelope: vec![2; 40] });
    let register = RegisterFinish {
        invitation: TOKEN,
        account: ACCOUNT,
        upload: [3; 192],
        master_key: vec![4; 115],
        recovery,
        keyring: vec![5; 30],
    };
    let entries = vec![ByteBuf::from(vec![1; 20]), ByteBuf::from(vec![2; 3])];
    let create = CreateBlob {
        blob: BLOB,
        payment: vec![CREDIT],
        read_token: HASH,
        write_key: HASH,
        chunks: 200,
        whole: None,
    };
    let whole = Some(WholeBlob { chunk: vec![1; 30], manifest: vec![2; 40] });
    let [small, large] = [Denomination::Small, Denomination::Large];
    let ordered = OrderedPart { denomination: small, blinded: vec![[1; 32], [2; 32]] };
    let more = OrderedPart { denomination: large, blinded: vec![[3; 32]] };
    let issued = IssuedPart { denomination: small, evaluated: vec![[1; 32]], proof: [2; 64] };
    vec![
        encoded(
            0,
            "register_start",
            &RegisterStart { invitation: TOKEN, account: ACCOUNT, request: [1; 32] },
        ),
        encoded(1, "register_started", &RegisterStarted { response: [1; 64] }),
        encoded(2, "register_finish", &register),
        encoded(2, "register_finish_alone", &RegisterFinish { recovery: None, ..register.clone() }),
        encoded(3, "login_start", &LoginStart { account: ACCOUNT, request: [1; 96] }),
        encoded(4, "login_started", &LoginStarted { login, response: [1; 320] }),
        encoded(5, "login_finish", &LoginFinish { login, finalization: [1; 64] }),
        encoded(6, "logged_in", &LoggedIn { session: TOKEN, id, master_key: vec![1; 115], keyring }),
        encoded(7, "credit_order", &CreditOrder { expires: 20_019, parts: vec![ordered, more] }),
        encoded(8, "credits", &Credits { parts: vec![issued] }),
        encoded(9, "create_blob", &create),
        encoded(9, "create_whole_blob", &CreateBlob { whole, ..create.clone() }),
        encoded(9, "create_blob_for_two", &CreateBlob { payment: vec![CREDIT, CREDIT], ..create }),
        encoded(10, "grow_blob", &GrowBlob { chunks: 300, payment: vec![CREDIT] }),
        encoded(10, "extend_lease", &ExtendLease { payment: vec![CREDIT] }),
        encoded(10, "leased", &Leased { until: 20_201 }),
        encoded(10, "destroyed", &Destroyed { refund: 300 }),
        encoded(10, "finish_blob", &FinishBlob { chunks_digest: [1; 32], manifest: vec![2; 40] }),
        encoded(10, "held_chunks", &HeldChunks { chunks: vec![HeldChunk { index: 300, hash: [3; 32] }] }),
        encoded(
            11,
            "create_ticket",
            &CreateTicket {
                ticket: TICKET,
                token: HASH,
                blob: BLOB,
                limits: TicketLimits::default(),
                envelope: vec![1; TICKET_ENVELOPE],
            },
        ),
        encoded(
            11,
            "create_limited_ticket",
            &CreateTicket {
                ticket: TICKET,
                token: HASH,
                blob: BLOB,
                limits: TicketLimits { ends: Some(QuarterHour(2_000_000)), downloads: NonZeroU16::new(300) },
                envelope: vec![1; TICKET_ENVELOPE],
            },
        ),
        encoded(11, "take_claim", &TakeClaim { claim: HASH }),
        encoded(
            12,
            "create_log",
            &CreateLog {
                space: SPACE,
                payment: vec![CREDIT],
                paid: 300,
                read_token: HASH,
                append_token: HASH,
                entries: entries.clone(),
            },
        ),
        encoded(12, "grow_log", &GrowLog { held: 200, paid: 300, payment: vec![CREDIT] }),
        encoded(13, "append", &Append { expected: HEAD, entries: entries.clone() }),
        encoded(14, "log_page", &LogPage { head: HEAD, room: LogRoom { paid: 300, taken: 70_000 }, entries }),
        encoded(15, "invitations", &Invitations { invitations: vec![TOKEN] }),
        encoded(15, "new_invitations", &NewInvitations { days: 300, count: 3 }),
        encoded(15, "earned_invitation", &EarnedInvitation { invitation: TOKEN }),
    ]
}

/// Changes of what opens an account, and its sessions.
fn account_messages() -> Vec<Input> {
    let login = LoginFinish { login: LoginId::from_bytes([9; 16]), finalization: [1; 64] };
    let (change, response, master_key) = (ChangeId::from_bytes([7; 16]), [1; 64], vec![2; 115]);
    let keyring = SealedKeyring { version: 200, envelope: vec![1; 60] };
    let (id, envelope) = (RecoveryId::from_bytes([8; 16]), vec![2; 40]);
    let replace = RecoveryChange::Replace(Recovery { id, token: HASH, envelope: envelope.clone() });
    let finish = ChangeFinish {
        change,
        upload: [3; 192],
        master_key: master_key.clone(),
        recovery: replace,
        keyring: Some(keyring.clone()),
    };
    let keep = ChangeFinish { recovery: RecoveryChange::Keep, keyring: None, ..finish.clone() };
    let facts =
        SessionFacts { id: SessionId::from_bytes([6; 16]), began: 20_000, expires: 20_030, asking: true };
    vec![
        encoded(16, "passwd_start", &PasswdStart { login, request: [1; 32] }),
        encoded(
            17,
            "passwd_started",
            &PasswdStarted { change, response, master_key, keyring: keyring.clone() },
        ),
        encoded(18, "recover_start", &RecoverStart { recovery: id, token: TOKEN, request: [1; 32] }),
        encoded(19, "recover_started", &RecoverStarted { change, response, envelope, keyring }),
        encoded(20, "change_finish", &finish),
        encoded(20, "change_finish_keep", &keep),
        encoded(21, "sessions", &Sessions { sessions: vec![facts, SessionFacts { asking: false, ..facts }] }),
    ]
}

fn requests() -> Vec<Input> {
    let bearer = Authorization::Bearer(TOKEN).to_header();
    let ticket = Authorization::Ticket(TICKET, TOKEN).to_header();
    let claim = Authorization::Claim(TICKET, TOKEN, TOKEN).to_header();
    let request = |name: &str, method: u8, path: String, header: &str| {
        (name.to_owned(), [&[method], path.as_bytes(), b"\n", header.as_bytes()].concat())
    };
    vec![
        request("register", 1, "/v1/register/1".to_owned(), ""),
        request("put_chunk", 2, format!("/v1/blobs/{BLOB}/16383"), &bearer),
        request("get_chunk", 0, format!("/v1/blobs/{BLOB}/0"), &ticket),
        request("get_head", 0, format!("/v1/blobs/{BLOB}/head"), &ticket),
        request("finish", 1, format!("/v1/blobs/{BLOB}/finish"), &bearer),
        request("get_claimed_chunk", 0, format!("/v1/blobs/{BLOB}/0"), &claim),
        request("take_claim", 1, format!("/v1/tickets/{TICKET}/claims"), &ticket),
        request("end_ticket", 3, format!("/v1/tickets/{TICKET}"), &bearer),
        request("append", 1, format!("/v1/logs/{SPACE}"), &bearer),
        request("read_log", 0, format!("/v1/logs/{SPACE}/{}", u64::MAX), &bearer),
    ]
}

fn texts() -> Vec<Input> {
    let link = FileLink {
        relay: relay(),
        secret: TicketSecret::from_bytes([1; 32]),
        envelope: [2; 16],
        needs_password: false,
        counts_downloads: false,
    };
    let counted = FileLink {
        relay: relay(),
        secret: TicketSecret::from_bytes([1; 32]),
        needs_password: true,
        counts_downloads: true,
        ..link
    };
    let code = AccountCode::generate(relay(), &mut Fixed::new(1));
    let phrase = RecoveryPhrase::generate(&mut Fixed::new(1));
    let text = |name: &str, text: &str| (name.to_owned(), text.as_bytes().to_vec());
    vec![
        text("link", &link.secret_text()),
        text("link_counted_password", &counted.secret_text()),
        text("account_code", &code.secret_text()),
        text("phrase", &phrase.secret_words().unwrap()),
        text("token", &TOKEN.secret_text()),
        text("typed_token", &format!(" {}\n", TOKEN.secret_text().to_uppercase().replace('0', "O"))),
        text("address", relay().as_str()),
        text("label", relay().label()),
        text("account", &ACCOUNT.to_string()),
        text("blob", &BLOB.to_string()),
    ]
}

/// Test vectors of `envelope` whose names start so.
fn vectors(start: &str) -> Vec<Input> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../envelope/tests/vectors");
    let paths = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let named = paths.map(|path| (path.file_name().unwrap().to_str().unwrap().to_owned(), path));
    named
        .filter(|(name, _)| name.starts_with(start))
        .map(|(name, path)| (name, fs::read(path).unwrap()))
        .collect()
}

fn manifests() -> Vec<Input> {
    let body = |size: u64, modified: Option<i64>, chunks: usize| {
        let hashes = ByteBuf::from(vec![1; chunks * 32]);
        codec::encode(&("notes.txt", size, modified, hashes)).unwrap()
    };
    let mut inputs = vectors("manifest.bin");
    inputs.push(("one_chunk".to_owned(), body(10, Some(1_700_000_000), 1)));
    inputs.push(("three_chunks".to_owned(), body(3_000_000, None, 3)));
    inputs
}

fn contents() -> Vec<Input> {
    let of = |name: &str, which: u8, bytes: &[u8]| (name.to_owned(), [&[which], bytes].concat());
    vec![
        of("master_key", 0, &[1; 32]),
        of("recovery", 1, &[1; 42]),
        of("ticket", 2, &[1; 80]),
        encoded(
            4,
            "keyring",
            &([[1_u8; 32], [2; 32], [3; 32]], Some((7_u64, [4_u8; 32])), [5_u8; 32], 20_000_u32),
        ),
        encoded(
            4,
            "first_keyring",
            &([[1_u8; 32], [2; 32], [3; 32]], None::<(u64, [u8; 32])>, [5_u8; 32], 300_u32),
        ),
        encoded(6, "memory", &(300_u64, Some(HEAD))),
        encoded(6, "first_memory", &(1_u64, None::<LogHead>)),
        encoded(8, "journal_head", &journal_head(true)),
        encoded(8, "journal_head_of_a_stream", &journal_head(false)),
        encoded(10, "journal_chunk", &JournalRecord::Chunk { index: 300, nonce: [1; 24], hash: [2; 32] }),
        encoded(
            10,
            "journal_end",
            &JournalRecord::Finish { manifest: [1; 32], content: [2; 32], size: 300, modified: Some(-3) },
        ),
    ]
}

fn journal_head(origin: bool) -> JournalHead {
    let stamp = Stamp { size: 300, modified: (-1, 2), changed: (3, 4), inode: (5, 6) };
    let origin = origin.then(|| Origin { path: b"/a/b".to_vec(), stamp, content: [7; 32] });
    let capabilities = BlobCapabilities::generate(&mut Fixed::new(1));
    let replaces = origin.is_some().then(|| BlobId::from_bytes([9; 16]));
    let name = (SpacePath::parse("docs/b").unwrap(), replaces);
    JournalHead::new((1, 300), capabilities, &FileKey::from_bytes([1; 32]), name, origin)
}

fn logs() -> Vec<Input> {
    let piece = |what: u8, bytes: &[u8]| {
        let length = u16::try_from(bytes.len()).unwrap().to_be_bytes();
        [&[what], length.as_slice(), bytes].concat()
    };
    let path = |text: &str| SpacePath::parse(text).unwrap();
    let file = |number: u32| {
        let capabilities = BlobCapabilities::generate(&mut Fixed::new(number));
        Box::new(FileRecord::new(
            capabilities,
            &FileKey::from_bytes([1; 32]),
            [2; 32],
            10,
            Some(-3),
            [4; 32],
            u32::MAX,
        ))
    };
    let removed = file(1).blob;
    let ticket = TicketRecord::new(&TicketSecret::from_bytes([5; 32]), [6; 16], TicketLimits::default());
    let id = ticket.id();
    let operations = [
        Operation::PutFile { path: path("a"), file: file(1) },
        Operation::Share { path: path("a"), ticket },
        Operation::Move { from: path("a"), to: path("docs/b") },
        Operation::Unshare { path: path("docs/b"), ticket: id },
        Operation::PutFile { path: path("docs/c"), file: file(2) },
        Operation::Remove { path: path("docs/b") },
        Operation::Destroyed { blob: removed },
        Operation::Leased { blobs: vec![LeaseNews { blob: file(2).blob, lease: Lease::until(20_500) }] },
    ];
    let encoded: Vec<Vec<u8>> =
        operations.iter().map(|operation| codec::encode(operation).unwrap()).collect();
    let all = |what: u8| encoded.iter().flat_map(|operation| piece(what, operation)).collect::<Vec<u8>>();
    // The keyring with which the property writes.
    let keys = Keyring::generate([6; 32], 1, &mut Fixed::new(0)).home_keys();
    let create = codec::encode(&VerifiedLog::empty(keys).create()).unwrap();
    let strays = [piece(0, &[0x5a; 512]), piece(1, &[7; 100]), piece(2, &[8; 100])].concat();
    vec![
        ("honest".to_owned(), [&[0], all(4).as_slice()].concat()),
        ("created_late".to_owned(), [&[1], piece(4, &create).as_slice(), &all(4)].concat()),
        ("with_strays".to_owned(), [&[0], strays.as_slice(), &all(4), &all(3)].concat()),
    ]
}

fn names() -> Vec<Input> {
    let path = codec::encode(&SpacePath::parse("docs/a b.txt").unwrap()).unwrap();
    let mut inputs = vec![("encoded".to_owned(), path)];
    for (name, text) in [
        ("plain", "notes.txt"),
        ("hidden", ".profile"),
        ("option", "-rf"),
        ("persian", "می\u{200c}خواهم"),
        ("path", "/docs/photos/1.jpg/"),
    ] {
        inputs.push((name.to_owned(), text.as_bytes().to_vec()));
    }
    inputs
}

fn logins() -> Vec<Input> {
    let (password, key) = (Password::new("any"), AccountKey::from_bytes([1; 16]));
    let (_, registration) = ClientRegistration::start(&password, &key, &mut Fixed::new(1)).unwrap();
    let (_, login) = ClientLogin::start(&password, &key, &mut Fixed::new(1)).unwrap();
    let record = Record::decoy(&mut Fixed::new(2)).unwrap();
    let setup = ServerSetup::generate(&mut Fixed::new(3)).to_bytes();
    let of = |name: &str, which: u8, bytes: &[u8]| (name.to_owned(), [&[which], bytes].concat());
    vec![of("registration", 0, &registration), of("upload", 1, record.as_bytes()), of("kept", 2, &setup)]
        .into_iter()
        .chain([of("login", 3, &[login.as_slice(), &[9; 64]].concat())])
        .collect()
}

/// Steps as the property reads them: what, of which thing, how, and more.
fn relays() -> Vec<Input> {
    let account: [[u8; 4]; 4] = [[0, 0, 0, 2], [1, 0, 0, 0], [3, 0, 0, 2], [5, 0, 0, 3]];
    let whole = [[8, 0, 0, 0], [18, 0, 0, 0], [20, 0, 0, 0], [15, 0, 0, 8], [21, 0, 0, 0], [17, 0, 0, 0]];
    let counted = [[8, 0, 0, 0], [18, 0, 2, 0], [32, 0, 0, 0], [32, 0, 1, 0], [15, 0, 0, 40], [30, 0, 0, 0]];
    let open = [[8, 1, 1, 4], [11, 1, 0, 0], [11, 1, 1, 8], [31, 0, 0, 0], [13, 1, 0, 0], [15, 1, 1, 0]];
    let log = [[22, 0, 2, 1], [23, 0, 0, 8], [23, 0, 4, 8], [31, 0, 0, 0], [26, 0, 0, 0], [23, 0, 0, 24]];
    let grown = [[22, 0, 2, 1], [23, 0, 0, 80], [36, 0, 5, 0], [36, 0, 5, 0], [23, 0, 0, 80], [23, 0, 0, 80]];
    let steps = |parts: &[&[[u8; 4]]]| [&account[..], &parts.concat()].concat().concat();
    vec![
        ("account".to_owned(), steps(&[])),
        ("whole_blob".to_owned(), steps(&[&whole])),
        ("blob_of_two".to_owned(), steps(&[&open])),
        ("log".to_owned(), steps(&[&log])),
        ("log_growth".to_owned(), steps(&[&grown])),
        ("claims".to_owned(), steps(&[&counted])),
        ("all".to_owned(), steps(&[&whole, &open, &log, &[[30, 0, 0, 0], [8, 2, 2, 0], [30, 0, 0, 0]]])),
    ]
}
