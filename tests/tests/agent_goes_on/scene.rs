//! Somebody who types commands at an agent, over a relay whose line can break.

use crate::line::Line;
use nightdrop_client::{
    ClientError, Home,
    agent::{self, Agent, AgentLimits, AgentStatus, Claim, IdleLimit, Invocation, Piece, TorStatus},
    cli::Served,
    console::{BarState, Console},
    limits::ClientLimits,
    transport::AnyTransport,
    unlocked::Unlocked,
};
use nightdrop_login::password::Password;
use nightdrop_onion_config::Network;
use nightdrop_tests::{
    lying::{Asked, Honest, Lie, Stage},
    memory::{PASSWORD, Person, patient},
    system::make_sample,
};
use nightdrop_wire::{endpoint::Endpoint, ids::BlobId};
use serde_json::Value;
use std::{
    collections::BTreeSet,
    fs,
    future::{Future, pending},
    io,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tempfile::TempDir;
use tokio::{task::JoinHandle, time::timeout};
use zeroize::Zeroizing;

/// No wait in here takes this long unless something is broken.
pub(crate) const AT_MOST: Duration = Duration::from_secs(120);
/// Seconds that the agent may idle, by the clock of the test.
pub(crate) const IDLE: u64 = 900;

pub(crate) struct Scene {
    pub(crate) stage: Stage,
    person: Person,
    home: Home,
    directory: TempDir,
    clock: Arc<AtomicU64>,
    limits: AgentLimits,
    pub(crate) agent: Agent<Served>,
    serving: JoinHandle<()>,
}

/// How a command ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) exit: u8,
    pub(crate) results: Vec<Value>,
    pub(crate) messages: Vec<Value>,
}

/// What was asked of the relay.
#[derive(Default, Debug, PartialEq, Eq)]
pub(crate) struct Sent {
    pub(crate) created: usize,
    pub(crate) chunks: BTreeSet<(BlobId, u32)>,
    pub(crate) destroyed: BTreeSet<BlobId>,
}

/// An agent that goes on as soon as can be.
pub(crate) fn eager() -> AgentLimits {
    AgentLimits {
        first_going_on: Duration::from_millis(20),
        longest_going_on: Duration::from_millis(40),
        idle_check: Duration::from_millis(5),
        ..AgentLimits::default()
    }
}

impl Scene {
    pub(crate) async fn set(limits: AgentLimits) -> Self {
        let (stage, directory) = (Stage::set().await, tempfile::tempdir().unwrap());
        let person = stage.person().await;
        let home = Home::open(&directory.path().join("home")).unwrap();
        let lock = home.lock().unwrap();
        home.keep_account(&person.code, &lock).unwrap();
        home.keep_memory(&person.memory, &lock).unwrap();
        drop(lock);
        let clock = Arc::new(AtomicU64::new(1000));
        let (agent, serving) = unlock(&person, &home, &clock, &limits).await;
        let scene = Self { stage, person, home, directory, clock, limits, agent, serving };
        // The list is there, and credits are at hand.
        scene.file("first", 10);
        scene.succeeds(&["put", "first"]).await;
        let _ = scene.sent();
        scene
    }

    /// The agent that comes after one that was locked.
    pub(crate) async fn unlock_again(&mut self) {
        (self.agent, self.serving) = unlock(&self.person, &self.home, &self.clock, &self.limits).await;
    }

    pub(crate) fn file(&self, name: &str, size: u64) -> PathBuf {
        let path = self.directory.path().join(name);
        make_sample(&path, size).unwrap();
        path
    }

    /// From now on the line is this one.
    pub(crate) fn tell(&self, line: impl Lie) {
        self.stage.liar.tell(line);
    }

    /// Types a command, which is stopped as by Ctrl-C when `stopped` is done.
    pub(crate) async fn types_until(&self, words: &[&str], stopped: impl Future<Output = ()>) -> Ended {
        let screen = Arc::new(Screen::default());
        let words = words.iter().copied().chain(["--json"]);
        let invocation = Invocation {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            arguments: words.map(|word| Piece::new(word.as_bytes())).collect(),
            directory: Piece::new(self.directory.path().as_os_str().as_bytes()),
        };
        let stream = agent::connect(&self.home).await.unwrap();
        let console = Arc::clone(&screen) as Arc<dyn Console>;
        let limits = AgentLimits::default();
        let call = agent::call(stream, invocation, console, stopped, &limits);
        let exit = match timeout(AT_MOST, call).await.unwrap() {
            Ok(exit) => exit.unwrap(),
            Err(ClientError::Locked) => 4,
            Err(error) => panic!("{error}"),
        };
        let results = String::from_utf8(screen.results.lock().unwrap().clone()).unwrap();
        let results = results.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let messages = screen.messages.lock().unwrap();
        let messages = messages.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
        Ended { exit, results, messages }
    }

    pub(crate) async fn types(&self, words: &[&str]) -> Ended {
        self.types_until(words, pending()).await
    }

    pub(crate) async fn succeeds(&self, words: &[&str]) -> Vec<Value> {
        let ended = self.types(words).await;
        assert!(ended.exit == 0 && ended.messages.is_empty(), "{words:?}: {ended:?}");
        ended.results
    }

    /// Types a command that the network ends on this line, which stays as it is. Gives what its user is told the agent does.
    pub(crate) async fn is_cut_off(&self, line: &Line, words: &[&str]) -> Option<String> {
        self.tell(line.clone());
        let ended = self.types(words).await;
        assert!(ended.exit == 5 && ended.messages[0]["exit"] == 5, "{words:?}: {ended:?}");
        let told = ended.messages.get(1).map(|told| told["warning"].as_str().unwrap().to_owned());
        assert!(ended.messages.len() <= 2, "{ended:?}");
        told
    }

    pub(crate) async fn names(&self) -> Vec<String> {
        let listed = self.succeeds(&["ls"]).await;
        listed.iter().map(|file| file["name"].as_str().unwrap().to_owned()).collect()
    }

    pub(crate) async fn status(&self) -> AgentStatus {
        let stream = agent::connect(&self.home).await.unwrap();
        agent::status(stream, &AgentLimits::default()).await.unwrap()
    }

    /// Nothing is typed until the agent goes on with no upload any more. Asking it is no use of the account.
    pub(crate) async fn goes_on_with_nothing(&self) {
        self.is_so(|status| status.goes_on_with == 0).await;
    }

    /// Waits until the agent would lock itself after so many seconds.
    pub(crate) async fn locks_in(&self, seconds: u64) {
        self.is_so(|status| status.locks_in == Some(seconds)).await;
    }

    async fn is_so(&self, so: impl Fn(AgentStatus) -> bool) {
        let until = async {
            while !so(self.status().await) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(AT_MOST, until).await.unwrap();
    }

    /// The agent goes on with another upload, to the end: so it would have with whatever else it goes on with.
    pub(crate) async fn goes_on_with_another_one(&self, name: &str) {
        self.file(name, 3 << 20);
        assert!(self.is_cut_off(&Line::breaks_after(1), &["put", name]).await.is_some());
        self.tell(Honest);
        self.goes_on_with_nothing().await;
        assert!(self.names().await.contains(&name.to_owned()));
    }

    pub(crate) async fn expect(&self, name: &str, path: &Path) {
        self.succeeds(&["get", name, "-o", "back"]).await;
        let back = self.directory.path().join("back");
        assert!(fs::read(&back).unwrap() == fs::read(path).unwrap(), "{name}");
        fs::remove_file(back).unwrap();
    }

    /// What was asked of the relay since the last time.
    pub(crate) fn sent(&self) -> Sent {
        let mut sent = Sent::default();
        for Asked { endpoint, .. } in self.stage.liar.take_asked() {
            match endpoint {
                Endpoint::CreateBlob => sent.created += 1,
                Endpoint::PutChunk(blob, index) => {
                    sent.chunks.insert((blob, index));
                }
                Endpoint::DestroyBlob(blob) => {
                    sent.destroyed.insert(blob);
                }
                _ => {}
            }
        }
        sent
    }

    pub(crate) fn journals(&self) -> usize {
        fs::read_dir(self.home.transfers()).unwrap().count()
    }

    /// So many seconds go by.
    pub(crate) fn pass(&self, seconds: u64) {
        self.clock.fetch_add(seconds, Ordering::SeqCst);
    }

    pub(crate) async fn is_locked(&mut self) -> bool {
        timeout(AT_MOST, &mut self.serving).await.unwrap().unwrap();
        agent::connect(&self.home).await.is_none()
    }

    pub(crate) fn is_open(&self) -> bool {
        !self.serving.is_finished()
    }
}

async fn unlock(
    person: &Person,
    home: &Home,
    clock: &Arc<AtomicU64>,
    limits: &AgentLimits,
) -> (Agent<Served>, JoinHandle<()>) {
    let transport = AnyTransport::new(person.transport.clone());
    // What falls silent does so for longer than any test takes.
    let client = ClientLimits { request: Duration::from_secs(3_600), ..patient() };
    let password = Password::new(PASSWORD);
    let unlocked = Unlocked::unlock(transport, home.clone(), &person.code, &password, client);
    let unlocked = Arc::new(unlocked.await.unwrap());
    let listening = Claim::take(home).unwrap().unwrap().listen(home, None).unwrap();
    let tells = Arc::clone(clock);
    let agent = Agent::new(
        Served::new(Arc::clone(&unlocked), Network::Live),
        unlocked,
        || TorStatus { percent: 100, hint: String::new() },
        false,
        IdleLimit::after(Duration::from_secs(IDLE)),
        Arc::new(move || Duration::from_secs(tells.load(Ordering::SeqCst))),
        limits.clone(),
    );
    let serves = agent.clone();
    (agent, tokio::spawn(async move { serves.serve(listening).await }))
}

/// A terminal that keeps what it is shown.
#[derive(Debug, Default)]
struct Screen {
    results: Mutex<Vec<u8>>,
    messages: Mutex<Vec<String>>,
}

impl Console for Screen {
    fn result(&self, bytes: &[u8]) -> io::Result<()> {
        self.results.lock().unwrap().extend_from_slice(bytes);
        Ok(())
    }

    fn message(&self, line: &str) {
        self.messages.lock().unwrap().push(line.to_owned());
    }

    fn bar(&self, _number: u32, _state: BarState) {}

    fn read_input(&self, _buffer: &mut [u8]) -> io::Result<usize> {
        Ok(0)
    }

    fn ask_secret(&self, _question: &str) -> io::Result<Zeroizing<String>> {
        Err(io::ErrorKind::NotFound.into())
    }
}
