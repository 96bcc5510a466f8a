//! What the tests of the store share: a store in a temporary directory, and one of everything.
#![allow(dead_code, unreachable_pub)]

use nightdrop_store::{BodyDigest, Day, NewSession, Payment, Store, StoreError, StoreLimits, token_hash};
use nightdrop_wire::{
    authorization::Authorization,
    codec,
    denomination::{Assortment, Denomination},
    ids::{AccountId, BlobId, SpaceId, TicketId},
    limits::TICKET_ENVELOPE,
    messages::{
        account::RegisterFinish,
        blob::{CreateBlob, FinishBlob, GrowBlob, WholeBlob},
        credit::Credit,
        log::{Append, CreateLog, GrowLog, LogHead, LogPage},
        ticket::{CreateTicket, TicketLimits},
    },
    price,
    quarter::QuarterHour,
    size_class::SizeClass,
    token::Token,
};
use rand::Rng;
use serde_bytes::ByteBuf;
use sha2::{Digest, Sha256};
use std::path::PathBuf;
use tempfile::TempDir;

pub const TODAY: Day = Day(20_000);
/// Noon of that day.
pub const NOW: QuarterHour = QuarterHour(TODAY.begins().0 + QuarterHour::PER_DAY / 2);

/// A store that goes with its directory, and a runtime to wait with.
pub struct Fixture {
    pub store: Option<Store>,
    pub directory: TempDir,
    pub runtime: tokio::runtime::Runtime,
}

impl Fixture {
    pub fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
        let mut fixture = Self { store: None, directory, runtime };
        fixture.open();
        fixture
    }

    pub fn directory(&self) -> PathBuf {
        self.directory.path().join("store")
    }

    pub fn file(&self) -> PathBuf {
        self.directory().join("nightdrop.redb")
    }

    pub fn store(&self) -> &Store {
        self.store.as_ref().unwrap()
    }

    pub fn close(&mut self) {
        self.store = None;
    }

    pub fn open(&mut self) {
        self.open_with(StoreLimits::default());
    }

    pub fn open_with(&mut self, limits: StoreLimits) {
        self.close();
        self.store = Some(Store::open(&self.directory(), limits).unwrap());
    }

    pub fn wait<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(future)
    }

    /// An account with a session, and the session.
    pub fn session(&self, name: u8) -> Token {
        let invitation = Token::from_bytes([name; 32]);
        self.wait(self.store().issue_invitation(token_hash(&invitation), TODAY.plus(7))).unwrap();
        let message = registration(name);
        self.register(&message, TODAY).unwrap();
        let session = random_token();
        self.open_session(message.account, &session).unwrap();
        session
    }

    /// Opens a session of an account that proved itself by the record that it has.
    pub fn open_session(&self, account: AccountId, session: &Token) -> Result<(), StoreError> {
        if self.store().identity().unwrap().is_none() {
            self.wait(self.store().create_identity(b"setup", &[0xdd; 192], &mut rand::rng())).unwrap();
        }
        let proved_by = self.store().login_record(account).unwrap().version;
        let (session, expires) = (token_hash(session), TODAY.plus(30));
        let new = NewSession { account, session, began: TODAY, expires, proved_by };
        self.wait(self.store().create_session(new))
    }

    pub fn register(&self, message: &RegisterFinish, today: Day) -> Result<(), StoreError> {
        let registration = nightdrop_store::Registration {
            invitation: token_hash(&message.invitation),
            message,
            body: BodyDigest::of(&codec::encode(message).unwrap()),
        };
        self.wait(self.store().register(&registration, today, &mut rand::rng()))
    }

    /// `count` credits, whoever drew them.
    pub fn credits(&self, count: usize) -> Vec<Credit> {
        (0..count).map(|_| random_credit(TODAY.plus(30))).collect()
    }

    /// Draws credits of the smallest denomination, and tells how many there were.
    pub fn draw(&self, session: &Token, wanted: u16, today: Day) -> Result<u16, StoreError> {
        let request = BodyDigest::of(&random::<32>());
        let wanted = Assortment::only(Denomination::Smallest, wanted);
        let drawn = self.wait(self.store().draw_credits(token_hash(session), wanted, request, today))?;
        Ok(drawn.0[0])
    }

    pub fn credit(&self) -> Credit {
        self.credits(1).remove(0)
    }

    pub fn create(&self, message: &CreateBlob) -> Result<(), StoreError> {
        self.create_on(message, TODAY).map(drop)
    }

    /// Makes a blob on a day, and gives its last one.
    pub fn create_on(&self, message: &CreateBlob, today: Day) -> Result<Day, StoreError> {
        let (payment, body) =
            (Payment::of_verified(&message.payment), BodyDigest::of(&codec::encode(message).unwrap()));
        self.wait(self.store().create_blob(message, payment, body, today, &mut rand::rng()))
    }

    pub fn put(&self, blob: &TestBlob, n: u32, chunk: &[u8]) -> Result<(), StoreError> {
        self.wait(self.store().put_chunk(blob.id, n, &blob.write_key, chunk.into(), TODAY, &mut rand::rng()))
    }

    pub fn grow(&self, blob: &TestBlob, message: &GrowBlob) -> Result<(), StoreError> {
        let (payment, body) =
            (Payment::of_verified(&message.payment), BodyDigest::of(&codec::encode(message).unwrap()));
        self.wait(self.store().grow_blob(blob.id, &blob.write_key, message, payment, body, TODAY))
    }

    pub fn finish(&self, blob: &TestBlob, message: &FinishBlob) -> Result<(), StoreError> {
        let finished = self.store().finish_blob(blob.id, &blob.write_key, message, TODAY, &mut rand::rng());
        self.wait(finished).map(drop)
    }

    pub fn ticket(&self, message: &CreateTicket, write_key: &Token) -> Result<(), StoreError> {
        let body = BodyDigest::of(&codec::encode(message).unwrap());
        self.wait(self.store().create_ticket(message, body, write_key, TODAY, &mut rand::rng()))
    }

    pub fn read(&self, blob: &TestBlob, n: u32) -> Result<Vec<u8>, StoreError> {
        self.store().read_chunk(blob.id, n, &blob.reading(), NOW).map(|bytes| bytes.to_vec())
    }

    pub fn create_log(&self, message: &CreateLog) -> Result<(), StoreError> {
        let (payment, body) =
            (Payment::of_verified(&message.payment), BodyDigest::of(&codec::encode(message).unwrap()));
        self.wait(self.store().create_log(message, payment, body, TODAY, &mut rand::rng()))
    }

    pub fn append(&self, log: &TestLog, message: &Append) -> Result<(), StoreError> {
        self.wait(self.store().append(log.space, &log.append_token, message, &mut rand::rng()))
    }

    pub fn grow_log(&self, log: &TestLog, message: &GrowLog) -> Result<(), StoreError> {
        let (payment, body) =
            (Payment::of_verified(&message.payment), BodyDigest::of(&codec::encode(message).unwrap()));
        self.wait(self.store().grow_log(log.space, &log.append_token, message, payment, body, TODAY))
    }

    pub fn read_log(&self, log: &TestLog, from: u64) -> Result<LogPage, StoreError> {
        self.store().read_log(log.space, &log.read_token, from)
    }

    /// A log of one entry.
    pub fn log(&self) -> TestLog {
        let log = TestLog::new();
        self.create_log(&log.create(self.credit())).unwrap();
        log
    }

    /// A finished blob of one small chunk.
    pub fn whole_blob(&self) -> TestBlob {
        let blob = TestBlob::new(1);
        let message = blob.create_whole(self.credit(), SizeClass::SMALLEST);
        self.create(&message).unwrap();
        blob
    }
}

pub fn random_token() -> Token {
    Token::from_bytes(random())
}

/// A credit as a relay would have issued it; whether it did is not the store's to know. It is worth more than any blob here costs.
pub fn random_credit(expires: Day) -> Credit {
    credit_worth(Denomination::Largest, expires)
}

/// The same of another denomination.
pub fn credit_worth(denomination: Denomination, expires: Day) -> Credit {
    Credit::new(denomination, expires.0, random(), random())
}

/// Credits that are worth so many units, as few as possible.
pub fn payment_of(mut units: u32) -> Vec<Credit> {
    let mut payment = Vec::new();
    for denomination in Denomination::ALL.into_iter().rev() {
        let count = units / denomination.units();
        payment.extend((0..count).map(|_| credit_worth(denomination, TODAY.plus(30))));
        units -= count * denomination.units();
    }
    payment
}

pub fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    rand::rng().fill_bytes(&mut bytes);
    bytes
}

pub fn random_bytes(length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    rand::rng().fill_bytes(&mut bytes);
    bytes
}

/// The registration of account `name` with the invitation of the same name.
pub fn registration(name: u8) -> RegisterFinish {
    RegisterFinish {
        invitation: Token::from_bytes([name; 32]),
        account: AccountId::from_bytes([name; 10]),
        upload: [name; 192],
        master_key: vec![name; 115],
        recovery: None,
        keyring: vec![name; 300],
    }
}

/// A blob as its owner knows it.
#[derive(Clone)]
pub struct TestBlob {
    pub id: BlobId,
    pub read_token: Token,
    pub write_key: Token,
    pub chunks: Vec<Vec<u8>>,
    pub manifest: Vec<u8>,
}

impl TestBlob {
    /// `chunks` full chunks (a single one is small), and a small manifest.
    pub fn new(chunks: u32) -> Self {
        let class = if chunks == 1 { SizeClass::SMALLEST } else { SizeClass::FULL };
        Self {
            id: BlobId::from_bytes(random()),
            read_token: random_token(),
            write_key: random_token(),
            chunks: (0..chunks).map(|_| random_bytes(class.sealed())).collect(),
            manifest: random_bytes(SizeClass::SMALLEST.sealed()),
        }
    }

    pub fn reading(&self) -> Authorization {
        Authorization::Bearer(self.read_token.clone())
    }

    pub fn create(&self, credit: Credit) -> CreateBlob {
        CreateBlob {
            blob: self.id,
            payment: vec![credit],
            read_token: token_hash(&self.read_token),
            write_key: token_hash(&self.write_key),
            chunks: u32::try_from(self.chunks.len()).unwrap(),
            whole: None,
        }
    }

    pub fn create_whole(&self, credit: Credit, class: SizeClass) -> CreateBlob {
        let mut chunk = self.chunks[0].clone();
        chunk.resize(class.sealed(), 7);
        let whole = Some(WholeBlob { chunk, manifest: self.manifest.clone() });
        CreateBlob { whole, ..self.create(credit) }
    }

    pub fn finish(&self) -> FinishBlob {
        let mut digest = Sha256::new();
        for chunk in &self.chunks {
            digest.update(Sha256::digest(chunk));
        }
        FinishBlob { chunks_digest: digest.finalize().into(), manifest: self.manifest.clone() }
    }

    pub fn ticket(&self) -> (CreateTicket, Token) {
        let token = random_token();
        let message = CreateTicket {
            ticket: TicketId::from_bytes(random()),
            token: token_hash(&token),
            blob: self.id,
            limits: TicketLimits::default(),
            envelope: random_bytes(TICKET_ENVELOPE),
        };
        (message, token)
    }
}

/// A log as one who writes to it knows it.
#[derive(Clone)]
pub struct TestLog {
    pub space: SpaceId,
    pub read_token: Token,
    pub append_token: Token,
    /// All entries that are to be there.
    pub entries: Vec<ByteBuf>,
}

impl TestLog {
    /// One that starts with one entry.
    pub fn new() -> Self {
        Self {
            space: SpaceId::from_bytes(random()),
            read_token: random_token(),
            append_token: random_token(),
            entries: entries(1, 512),
        }
    }

    pub fn create(&self, credit: Credit) -> CreateLog {
        CreateLog {
            space: self.space,
            payment: vec![credit],
            paid: price::of_log(self.entries.iter().map(|entry| price::of_entry(entry.len())).sum()),
            read_token: token_hash(&self.read_token),
            append_token: token_hash(&self.append_token),
            entries: self.entries.clone(),
        }
    }

    /// Where the log stands with all entries, counted as the protocol says.
    pub fn head(&self) -> LogHead {
        let mut hash = *self.space.as_bytes();
        for entry in &self.entries {
            hash = Sha256::new().chain_update(hash).chain_update(entry).finalize().into();
        }
        LogHead { count: u64::try_from(self.entries.len()).unwrap(), hash }
    }

    /// An append of more entries; they then are among the log's.
    pub fn append(&mut self, more: Vec<ByteBuf>) -> Append {
        let append = Append { expected: self.head(), entries: more };
        self.entries.extend(append.entries.iter().cloned());
        append
    }
}

/// Sealed entries, as far as the relay can tell.
pub fn entries(count: usize, size: usize) -> Vec<ByteBuf> {
    (0..count).map(|_| ByteBuf::from(random_bytes(size))).collect()
}

/// Asserts that a result is the named error of the store.
#[macro_export]
macro_rules! assert_refused {
    ($result:expr, $kind:ident) => {
        assert_refused!($result, $kind, "")
    };
    ($result:expr, $kind:ident, $why:expr) => {{
        let result = $result.map(|_| ());
        assert!(
            matches!(result, Err(nightdrop_store::StoreError::$kind)),
            "{} is not {}: {result:?}",
            $why,
            stringify!($kind)
        );
    }};
}
