//! What the tests of the worker share: a worker in memory, a connection to it that sees raw bytes, and a user.
#![allow(dead_code, unreachable_pub)]

use nightdrop_credit::{Order, good_until};
use nightdrop_login::{
    LoginContext,
    client::{ClientLogin, ClientRegistration},
    password::{AccountKey, Password},
};
use nightdrop_relay::worker::{
    Connections, Environment, HttpLimits, Plane, Service, ServiceLimits, issue_invitations, serve,
};
use nightdrop_store::{Day, GuessLimits, Minute, NewSession, Store, StoreLimits, token_hash};
use nightdrop_wire::{
    authorization::Authorization,
    codec,
    denomination::{Assortment, Denomination},
    ids::{AccountId, BlobId, SpaceId, TicketId},
    limits::TICKET_ENVELOPE,
    messages::{
        account::{
            LoggedIn, LoginFinish, LoginStart, LoginStarted, RegisterFinish, RegisterStart, RegisterStarted,
        },
        blob::{CreateBlob, FinishBlob, WholeBlob},
        credit::{Credit, CreditOrder, Credits},
        log::{Append, CreateLog, LogHead, LogPage},
        relay::RelayInfo,
        ticket::{CreateTicket, TicketLimits},
    },
    onion::OnionAddress,
    price,
    size_class::SizeClass,
    token::Token,
};
use rand::Rng;
use rand08::rngs::OsRng;
use serde_bytes::ByteBuf;
use sha2::{Digest, Sha256};
use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
    time::Duration,
};
use tempfile::TempDir;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, duplex},
    net::UnixListener,
    sync::oneshot,
    task::JoinHandle,
    time::timeout,
};

/// The first day of a worker.
pub const TODAY: u32 = 20_000;
pub const ADDRESS: &str = "2gzyxa5ihm7nsggfxnu52rck2vv4rvmdlkiu3zzui5du4xyclen53wid.onion";
/// Longer than anything here takes.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// A worker without its process.
pub struct Worker {
    pub service: Service,
    pub connections: Connections,
    /// The day that the worker believes it is.
    pub day: Arc<AtomicU32>,
    /// The minute that the worker believes it is.
    pub minute: Arc<AtomicU64>,
    pub environment: Environment,
    pub directory: TempDir,
}

impl Worker {
    pub async fn start() -> Self {
        let worker = Self::without_address(HttpLimits::default()).await;
        worker.service.set_address(address()).await.unwrap();
        worker
    }

    pub async fn with_limits(limits: HttpLimits) -> Self {
        let worker = Self::without_address(limits).await;
        worker.service.set_address(address()).await.unwrap();
        worker
    }

    /// A worker that no number of unfinished logins slows down.
    pub async fn patient() -> Self {
        let guesses = GuessLimits { free: u32::MAX, ..GuessLimits::default() };
        let limits = StoreLimits { guesses, ..StoreLimits::default() };
        let worker = Self::on_store(HttpLimits::default(), limits).await;
        worker.service.set_address(address()).await.unwrap();
        worker
    }

    pub async fn without_address(limits: HttpLimits) -> Self {
        Self::on_store(limits, StoreLimits::default()).await
    }

    /// The same account as another one's, to be changed.
    pub fn stranger(&self, other: &User) -> User {
        User {
            account: other.account,
            account_key: other.account_key.clone(),
            ..User::new(other.invitation.clone())
        }
    }

    /// Opens a session without a login.
    pub async fn open_session(&self, account: AccountId, session: &Token, expires: Day) {
        let store = self.service.store();
        let proved_by = store.login_record(account).unwrap().version;
        let session = token_hash(session);
        let new = NewSession { account, session, began: Day(19_000), expires, proved_by };
        store.create_session(new).await.unwrap();
    }

    async fn on_store(limits: HttpLimits, store: StoreLimits) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(&directory.path().join("store"), store).unwrap();
        let day = Arc::new(AtomicU32::new(TODAY));
        let today = Arc::clone(&day);
        let minute = Arc::new(AtomicU64::new(29_000_000));
        let this_minute = Arc::clone(&minute);
        let environment = Environment {
            today: Arc::new(move || Day(today.load(Ordering::Relaxed))),
            minute: Arc::new(move || Minute(this_minute.load(Ordering::Relaxed))),
            ..Environment::system()
        };
        let service = Service::start(store, environment.clone(), ServiceLimits::default()).await.unwrap();
        let connections = Connections::new(service.clone(), limits);
        Self { service, connections, day, minute, environment, directory }
    }

    pub fn connect(&self) -> Connection<DuplexStream> {
        self.connect_to(Plane::Public, 64 * 1024)
    }

    /// A connection with `room` bytes between the two sides.
    pub fn connect_to(&self, plane: Plane, room: usize) -> Connection<DuplexStream> {
        connect(&self.connections, plane, room)
    }

    pub async fn invitation(&self) -> Token {
        issue_invitations(self.service.store(), &self.environment, 7, 1).await.unwrap().remove(0)
    }

    /// A user with an account and a session.
    pub async fn user(&self, connection: &mut Connection<DuplexStream>) -> User {
        let mut user = User::new(self.invitation().await);
        user.register(connection).await;
        user.log_in(connection).await;
        user
    }
}

/// A worker on sockets, as its process runs it.
pub async fn on_sockets(limits: HttpLimits) -> (Worker, PathBuf, oneshot::Sender<()>, JoinHandle<()>) {
    let worker = Worker::with_limits(limits).await;
    let path = worker.directory.path().join("w");
    let listener = UnixListener::bind(&path).unwrap();
    let admin = UnixListener::bind(worker.directory.path().join("a")).unwrap();
    let (end, ended) = oneshot::channel();
    let service = worker.service.clone();
    let serving = tokio::spawn(async move {
        let shutdown = async {
            let _ = ended.await;
        };
        serve(listener, admin, service, limits, shutdown).await.unwrap();
    });
    (worker, path, end, serving)
}

/// A connection with `room` bytes between the two sides.
pub fn connect(connections: &Connections, plane: Plane, room: usize) -> Connection<DuplexStream> {
    let (ours, theirs) = duplex(room);
    let connections = connections.clone();
    let serving = tokio::spawn(async move {
        connections.serve(theirs, plane, std::future::pending()).await;
    });
    Connection { stream: ours, serving: Some(serving) }
}

pub fn address() -> OnionAddress {
    ADDRESS.parse().unwrap()
}

/// A client's end of a connection, byte by byte.
pub struct Connection<S> {
    pub stream: S,
    serving: Option<JoinHandle<()>>,
}

/// An answer: its bytes as they came, and what they say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawAnswer {
    pub head: String,
    pub body: Vec<u8>,
}

impl RawAnswer {
    pub fn status(&self) -> u16 {
        self.head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap()
    }

    /// Names and values of the headers.
    pub fn headers(&self) -> Vec<(&str, &str)> {
        self.head.lines().skip(1).filter_map(|line| line.split_once(": ")).collect()
    }

    /// The body of a success.
    pub fn success(self) -> Vec<u8> {
        assert_eq!(self.status(), 200, "{}", self.head);
        self.body
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    pub fn over(stream: S) -> Self {
        Self { stream, serving: None }
    }

    /// Sends bytes as they are. A connection that ends meanwhile is for the reader to see.
    pub async fn send(&mut self, bytes: &[u8]) {
        let _ = timeout(PATIENCE, self.stream.write_all(bytes)).await.expect("the worker takes bytes");
    }

    /// The next answer; `None` if the connection ended before one came.
    pub async fn answer(&mut self) -> Option<RawAnswer> {
        timeout(PATIENCE, self.read_answer()).await.expect("the worker answers or ends the connection")
    }

    async fn read_answer(&mut self) -> Option<RawAnswer> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(self.stream.read_u8().await.ok()?);
        }
        let head = String::from_utf8(head).unwrap();
        let answer = RawAnswer { head, body: Vec::new() };
        let length = answer.headers().iter().find(|(name, _)| *name == "content-length").unwrap().1;
        let mut body = vec![0; length.parse().unwrap()];
        self.stream.read_exact(&mut body).await.ok()?;
        Some(RawAnswer { body, ..answer })
    }

    /// Whether the worker ends the connection without another byte.
    pub async fn is_ended(&mut self) -> bool {
        let read = timeout(PATIENCE, self.stream.read_u8()).await.expect("the worker ends the connection");
        read.is_err()
    }

    pub async fn exchange(&mut self, request: &[u8]) -> RawAnswer {
        self.send(request).await;
        self.answer().await.expect("an answer")
    }

    pub async fn request(
        &mut self,
        method: &str,
        path: &str,
        shown: Option<&Authorization>,
        body: &[u8],
    ) -> RawAnswer {
        self.exchange(&request(method, path, shown, body)).await
    }

    pub async fn post<T: serde::Serialize>(
        &mut self,
        path: &str,
        shown: Option<&Authorization>,
        message: &T,
    ) -> RawAnswer {
        self.request("POST", path, shown, &codec::encode(message).unwrap()).await
    }

    pub async fn get(&mut self, path: &str, shown: &Authorization) -> RawAnswer {
        self.request("GET", path, Some(shown), &[]).await
    }
}

impl<S> Drop for Connection<S> {
    fn drop(&mut self) {
        if let Some(serving) = self.serving.take() {
            serving.abort();
        }
    }
}

/// The bytes of a request.
pub fn request(method: &str, path: &str, shown: Option<&Authorization>, body: &[u8]) -> Vec<u8> {
    let mut head = format!("{method} {path} HTTP/1.1\r\n");
    if let Some(shown) = shown {
        head += &format!("authorization: {}\r\n", *shown.to_header());
    }
    if !body.is_empty() || method == "POST" || method == "PUT" {
        head += &format!("content-length: {}\r\n", body.len());
    }
    [head.as_bytes(), b"\r\n", body].concat()
}

/// Somebody with an account to be, or one that is.
pub struct User {
    pub account: AccountId,
    pub account_key: AccountKey,
    pub password: Password,
    pub invitation: Token,
    pub session: Option<Token>,
}

impl User {
    pub fn new(invitation: Token) -> Self {
        Self {
            account: AccountId::from_bytes(random()),
            account_key: AccountKey::from_bytes(random()),
            password: Password::new("correct horse battery staple"),
            invitation,
            session: None,
        }
    }

    pub fn context(&self) -> LoginContext {
        LoginContext::new(&address())
    }

    pub fn registration_start(&self) -> (ClientRegistration, RegisterStart) {
        let (state, request) =
            ClientRegistration::start(&self.password, &self.account_key, &mut OsRng).unwrap();
        (state, RegisterStart { invitation: self.invitation.clone(), account: self.account, request })
    }

    /// The second request of a registration, after the first one was answered.
    pub async fn registration<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        connection: &mut Connection<S>,
    ) -> RegisterFinish {
        let (state, start) = self.registration_start();
        let answer = connection.post("/v1/register/1", None, &start).await.success();
        let started: RegisterStarted = codec::decode(&answer).unwrap();
        let (upload, _) =
            state.finish(&started.response, &self.account, &self.context(), &mut OsRng).unwrap();
        RegisterFinish {
            invitation: self.invitation.clone(),
            account: self.account,
            upload,
            master_key: vec![1; 115],
            recovery: None,
            keyring: vec![2; 300],
        }
    }

    pub async fn register<S: AsyncRead + AsyncWrite + Unpin>(&self, connection: &mut Connection<S>) {
        let message = self.registration(connection).await;
        assert!(connection.post("/v1/register/2", None, &message).await.success().is_empty());
    }

    pub fn login(&self) -> (ClientLogin, LoginStart) {
        let (state, request) = ClientLogin::start(&self.password, &self.account_key, &mut OsRng).unwrap();
        (state, LoginStart { account: self.account, request })
    }

    /// The second request of a login, after the first one was answered.
    pub async fn login_finish<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        connection: &mut Connection<S>,
    ) -> LoginFinish {
        let (state, start) = self.login();
        let answer = connection.post("/v1/login/1", None, &start).await.success();
        let started: LoginStarted = codec::decode(&answer).unwrap();
        let (finalization, _) =
            state.finish(&started.response, &self.account, &self.context(), &mut OsRng).unwrap();
        LoginFinish { login: started.login, finalization }
    }

    pub async fn log_in<S: AsyncRead + AsyncWrite + Unpin>(
        &mut self,
        connection: &mut Connection<S>,
    ) -> LoggedIn {
        let finish = self.login_finish(connection).await;
        let answer = connection.post("/v1/login/2", None, &finish).await.success();
        let logged_in: LoggedIn = codec::decode(&answer).unwrap();
        self.session = Some(logged_in.session.clone());
        logged_in
    }

    /// Logs in, if the password is right as far as the client can see.
    pub async fn try_login<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        connection: &mut Connection<S>,
    ) -> Option<LoggedIn> {
        let (state, start) = self.login();
        let answer = connection.post("/v1/login/1", None, &start).await.success();
        let started: LoginStarted = codec::decode(&answer).unwrap();
        let finished = state.finish(&started.response, &self.account, &self.context(), &mut OsRng);
        let finish = LoginFinish { login: started.login, finalization: finished.ok()?.0 };
        let answer = connection.post("/v1/login/2", None, &finish).await.success();
        Some(codec::decode(&answer).unwrap())
    }

    pub fn shown(&self) -> Authorization {
        Authorization::Bearer(self.session.clone().unwrap())
    }

    pub async fn credits<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        connection: &mut Connection<S>,
        count: u16,
    ) -> Vec<Credit> {
        self.credits_worth(connection, Denomination::Large, count).await
    }

    pub async fn credits_worth<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        connection: &mut Connection<S>,
        denomination: Denomination,
        count: u16,
    ) -> Vec<Credit> {
        let wanted = Assortment::only(denomination, count);
        let order = Order::new(wanted, good_until(TODAY), &mut OsRng).unwrap();
        let answer = connection.post("/v1/credits", Some(&self.shown()), order.request()).await;
        let credits = codec::decode::<Credits>(&answer.success()).unwrap();
        order.take(&credits, &issuing_key(connection).await).unwrap()
    }
}

/// An order of credits on the first day of a worker, each worth 16 MiB.
pub fn order(count: u16) -> Order {
    Order::new(Assortment::only(Denomination::Large, count), good_until(TODAY), &mut OsRng).unwrap()
}

/// A request for credits on that day.
pub fn fetch(count: u16) -> CreditOrder {
    order(count).request().clone()
}

pub async fn issuing_key<S: AsyncRead + AsyncWrite + Unpin>(connection: &mut Connection<S>) -> [u8; 32] {
    let answer = connection.request("GET", "/v1/relay", None, &[]).await.success();
    codec::decode::<RelayInfo>(&answer).unwrap().issuing_key
}

/// A blob as its owner knows it.
pub struct TestBlob {
    pub id: BlobId,
    pub read_token: Token,
    pub write_key: Token,
    pub chunks: Vec<Vec<u8>>,
    pub manifest: Vec<u8>,
}

impl TestBlob {
    pub fn new(chunks: u32) -> Self {
        let class = if chunks == 1 { SizeClass::SMALLEST } else { SizeClass::FULL };
        Self {
            id: BlobId::from_bytes(random()),
            read_token: Token::from_bytes(random()),
            write_key: Token::from_bytes(random()),
            chunks: (0..chunks).map(|_| random_bytes(class.sealed())).collect(),
            manifest: random_bytes(SizeClass::SMALLEST.sealed()),
        }
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

    pub fn create_whole(&self, credit: Credit) -> CreateBlob {
        let whole = WholeBlob { chunk: self.chunks[0].clone(), manifest: self.manifest.clone() };
        CreateBlob { whole: Some(whole), ..self.create(credit) }
    }

    pub fn finish(&self) -> FinishBlob {
        let mut digest = Sha256::new();
        for chunk in &self.chunks {
            digest.update(Sha256::digest(chunk));
        }
        FinishBlob { chunks_digest: digest.finalize().into(), manifest: self.manifest.clone() }
    }

    pub fn ticket(&self) -> (CreateTicket, Authorization) {
        let (id, token) = (TicketId::from_bytes(random()), Token::from_bytes(random()));
        let envelope = random_bytes(TICKET_ENVELOPE);
        let (token_hash, limits) = (token_hash(&token), TicketLimits::default());
        let message = CreateTicket { ticket: id, token: token_hash, blob: self.id, limits, envelope };
        (message, Authorization::Ticket(id, token))
    }

    pub fn reading(&self) -> Authorization {
        Authorization::Bearer(self.read_token.clone())
    }

    pub fn writing(&self) -> Authorization {
        Authorization::Bearer(self.write_key.clone())
    }

    pub fn path(&self, rest: &str) -> String {
        format!("/v1/blobs/{}{rest}", self.id)
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
            read_token: Token::from_bytes(random()),
            append_token: Token::from_bytes(random()),
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

    pub fn reading(&self) -> Authorization {
        Authorization::Bearer(self.read_token.clone())
    }

    pub fn appending(&self) -> Authorization {
        Authorization::Bearer(self.append_token.clone())
    }

    pub fn path(&self, rest: &str) -> String {
        format!("/v1/logs/{}{rest}", self.space)
    }

    /// The page from entry `from` on.
    pub async fn page<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        connection: &mut Connection<S>,
        from: u64,
    ) -> LogPage {
        let answer = connection.get(&self.path(&format!("/{from}")), &self.reading()).await;
        codec::decode(&answer.success()).unwrap()
    }
}

/// Sealed entries, as far as the relay can tell.
pub fn entries(count: usize, size: usize) -> Vec<ByteBuf> {
    (0..count).map(|_| ByteBuf::from(random_bytes(size))).collect()
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
