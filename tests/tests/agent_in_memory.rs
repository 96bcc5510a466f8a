//! The agent without Tor and without processes: its socket protocol, over a relay in memory.
//!
//! Here a caller is a task and its terminal a list; what is between the two is the product's own.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

use nightdrop_client::{
    ClientError, Home,
    agent::{self, Agent, AgentLimits, Claim, IdleLimit, Invocation, Piece, TorStatus},
    cli::Served,
    console::{BarState, Console},
    transport::AnyTransport,
    unlocked::Unlocked,
};
use nightdrop_envelope::device_memory::DeviceMemory;
use nightdrop_login::password::Password;
use nightdrop_onion_config::Network;
use nightdrop_tests::{
    memory::{Host, MemoryRelay, MemoryTransport, PASSWORD, Person, address, patient},
    system::program,
};
use nightdrop_wire::messages::log::LogHead;
use std::{
    fs,
    future::{Future, pending},
    io,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
        mpsc::{Receiver, Sender, channel},
    },
    time::{Duration, Instant},
};
use tempfile::TempDir;
use tokio::{io::DuplexStream, sync::watch, task::JoinHandle, time::timeout};
use zeroize::Zeroizing;

/// No wait in here takes this long unless something is broken.
const AT_MOST: Duration = Duration::from_secs(60);

/// A person whose account an agent keeps open.
struct Stage {
    relay: MemoryRelay,
    person: Person,
    gate: Gate,
    home: Home,
    agent: Agent<Served>,
    serving: JoinHandle<()>,
    clock: Arc<AtomicU64>,
    directory: TempDir,
}

/// Seconds that the agent may idle, by the clock of the test.
const IDLE: u64 = 900;

impl Stage {
    async fn set() -> Self {
        Self::set_with(AgentLimits { idle_check: Duration::from_millis(5), ..AgentLimits::default() }).await
    }

    async fn set_with(limits: AgentLimits) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let relay = MemoryRelay::start().await;
        let gate = Gate::before(relay.clone());
        let transport = MemoryTransport::to(address(), gate.clone());
        let person = Person::register(&transport, &relay).await.unwrap();
        let home = Home::open(&directory.path().join("home")).unwrap();
        let lock = home.lock().unwrap();
        home.keep_account(&person.code, &lock).unwrap();
        home.keep_memory(&person.memory, &lock).unwrap();
        let transport = AnyTransport::new(transport);
        let password = Password::new(PASSWORD);
        let unlocked = Unlocked::unlock(transport, home.clone(), &person.code, &password, patient()).await;
        let unlocked = Arc::new(unlocked.unwrap());
        let listening = Claim::take(&home).unwrap().unwrap().listen(&home, None).unwrap();
        let clock = Arc::new(AtomicU64::new(1000));
        let tells = Arc::clone(&clock);
        let agent = Agent::new(
            Served::new(Arc::clone(&unlocked), Network::Live),
            unlocked,
            || TorStatus { percent: 100, hint: String::new() },
            false,
            IdleLimit::after(Duration::from_secs(IDLE)),
            Arc::new(move || Duration::from_secs(tells.load(Ordering::SeqCst))),
            limits,
        );
        let serves = agent.clone();
        let serving = tokio::spawn(async move { serves.serve(listening).await });
        Self { relay, person, gate, home, agent, serving, clock, directory }
    }

    fn file(&self, name: &str, content: &[u8]) -> PathBuf {
        let path = self.directory.path().join(name);
        fs::write(&path, content).unwrap();
        path
    }

    fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Types a command in a directory, at a terminal of its own.
    async fn types_at(
        &self,
        terminal: &Arc<Screen>,
        directory: &Path,
        words: &[&str],
        interrupted: impl Future<Output = ()>,
    ) -> Result<Option<u8>, ClientError> {
        let stream = agent::connect(&self.home).await.unwrap();
        let console = Arc::clone(terminal) as Arc<dyn Console>;
        let limits = AgentLimits::default();
        let call = agent::call(stream, invocation(directory, words), console, interrupted, &limits);
        timeout(AT_MOST, call).await.unwrap()
    }

    async fn types(&self, words: &[&str]) -> (u8, Arc<Screen>) {
        let terminal = Arc::new(Screen::default());
        let exit = self.types_at(&terminal, self.path(), words, pending()).await.unwrap().unwrap();
        (exit, terminal)
    }

    /// What a command that succeeds prints, as lines of JSON.
    async fn json(&self, words: &[&str]) -> Vec<serde_json::Value> {
        let (exit, terminal) = self.types(&[words, &["--json"]].concat()).await;
        assert_eq!((exit, terminal.messages()), (0, vec![]), "{words:?}");
        terminal.results().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    async fn names(&self) -> Vec<String> {
        self.json(&["ls"]).await.iter().map(|file| file["name"].as_str().unwrap().to_owned()).collect()
    }

    /// So many seconds go by.
    fn pass(&self, seconds: u64) {
        self.clock.fetch_add(seconds, Ordering::SeqCst);
    }

    async fn is_locked(&mut self) -> bool {
        timeout(AT_MOST, &mut self.serving).await.unwrap().unwrap();
        agent::connect(&self.home).await.is_none()
    }
}

fn invocation(directory: &Path, words: &[&str]) -> Invocation {
    Invocation {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        arguments: words.iter().map(|word| Piece::new(word.as_bytes())).collect(),
        directory: Piece::new(directory.as_os_str().as_bytes()),
    }
}

/// A terminal that keeps what it is shown. Its keyboard is a channel; without one there is no input.
#[derive(Default)]
struct Screen {
    results: Mutex<Vec<u8>>,
    messages: Mutex<Vec<String>>,
    keyboard: Mutex<Option<Receiver<Vec<u8>>>>,
    asked: watch::Sender<u32>,
}

impl Screen {
    fn with_keyboard() -> (Arc<Self>, Sender<Vec<u8>>) {
        let (types, keyboard) = channel();
        (Arc::new(Self { keyboard: Mutex::new(Some(keyboard)), ..Self::default() }), types)
    }

    fn results(&self) -> String {
        String::from_utf8(self.results.lock().unwrap().clone()).unwrap()
    }

    fn messages(&self) -> Vec<String> {
        self.messages.lock().unwrap().clone()
    }

    async fn was_asked(&self) {
        timeout(AT_MOST, self.asked.subscribe().wait_for(|asked| *asked > 0)).await.unwrap().unwrap();
    }
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

    fn read_input(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.asked.send_modify(|asked| *asked += 1);
        let keyboard = self.keyboard.lock().unwrap();
        let typed = keyboard.as_ref().and_then(|keyboard| keyboard.recv().ok()).unwrap_or_default();
        buffer[..typed.len()].copy_from_slice(&typed);
        Ok(typed.len())
    }

    fn ask_secret(&self, question: &str) -> io::Result<Zeroizing<String>> {
        self.message(question);
        let keyboard = self.keyboard.lock().unwrap();
        let typed = keyboard.as_ref().and_then(|keyboard| keyboard.recv().ok());
        typed
            .map(|typed| Zeroizing::new(String::from_utf8(typed).unwrap()))
            .ok_or(io::ErrorKind::NotFound.into())
    }
}

impl std::fmt::Debug for Screen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Screen")
    }
}

/// Before a relay: while it is shut, streams wait.
#[derive(Clone)]
struct Gate {
    relay: Arc<MemoryRelay>,
    /// Whether it is open, and how many wait.
    waiting: Arc<watch::Sender<(bool, usize)>>,
}

impl Gate {
    fn before(relay: MemoryRelay) -> Self {
        Self { relay: Arc::new(relay), waiting: Arc::new(watch::Sender::new((true, 0))) }
    }

    fn shut(&self) {
        self.waiting.send_replace((false, 0));
    }

    fn open(&self) {
        self.waiting.send_replace((true, 0));
    }

    async fn somebody_waits(&self) {
        let mut waiting = self.waiting.subscribe();
        timeout(AT_MOST, waiting.wait_for(|(_, count)| *count > 0)).await.unwrap().unwrap();
    }
}

impl Host for Gate {
    fn accept(&self, stream: DuplexStream) {
        let (relay, mut waiting) = (Arc::clone(&self.relay), self.waiting.subscribe());
        self.waiting.send_modify(|(open, count)| *count += usize::from(!*open));
        tokio::spawn(async move {
            waiting.wait_for(|(open, _)| *open).await.unwrap();
            relay.accept(stream);
        });
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_run_in_the_agent_as_they_do_without_it() {
    let stage = Stage::set().await;
    let content: Vec<u8> = (0..3_000_000_u32).map(|n| n.to_le_bytes()[0]).collect();
    stage.file("large", &content);
    stage.file("notes", b"notes");
    assert_eq!(stage.names().await, Vec::<String>::new());
    let put = stage.json(&["put", "large", "notes", "--to", "docs"]).await;
    assert_eq!(put.len(), 2);
    assert_eq!(stage.names().await, ["docs/large", "docs/notes"]);
    let again = &stage.json(&["put", "notes", "--to", "docs"]).await[0];
    assert_eq!(again["uploaded"], false);

    // Where a command was typed is what its paths are relative to.
    let elsewhere = stage.path().join("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    let terminal = Arc::new(Screen::default());
    let got = stage.types_at(&terminal, &elsewhere, &["get", "docs/large", "-o", "back"], pending()).await;
    assert_eq!(got.unwrap(), Some(0), "{:?}", terminal.messages());
    assert_eq!(fs::read(elsewhere.join("back")).unwrap(), content);
    let got = stage.types_at(&terminal, &elsewhere, &["get", "docs/notes"], pending()).await;
    assert_eq!(got.unwrap(), Some(0));
    assert_eq!(fs::read(elsewhere.join("notes")).unwrap(), b"notes");

    // Links, also by standard input, which is the caller's.
    let shared = &stage.json(&["share", "docs/notes", "--link"]).await[0];
    let link = shared["link"].as_str().unwrap();
    stage.json(&["get", link, "-o", "by-link"]).await;
    assert_eq!(fs::read(stage.path().join("by-link")).unwrap(), b"notes");
    let (terminal, types) = Screen::with_keyboard();
    types.send(format!("{link}\n").into_bytes()).unwrap();
    types.send(Vec::new()).unwrap();
    let got = stage.types_at(&terminal, stage.path(), &["get", "-", "-o", "by-input"], pending()).await;
    assert_eq!(got.unwrap(), Some(0), "{:?}", terminal.messages());
    assert_eq!(fs::read(stage.path().join("by-input")).unwrap(), b"notes");

    stage.json(&["mv", "docs", "archive"]).await;
    stage.json(&["unshare", "archive/notes"]).await;
    stage.json(&["rm", "archive/notes"]).await;
    assert_eq!(stage.names().await, ["archive/large"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_have_the_same_words_and_exit_codes() {
    let stage = Stage::set().await;
    let (exit, terminal) = stage.types(&["get", "absent"]).await;
    assert_eq!((exit, terminal.results()), (3, String::new()));
    assert!(terminal.messages()[0].contains("there is no absent among your files"));
    let (exit, terminal) = stage.types(&["get", "absent", "--json"]).await;
    let told: serde_json::Value = serde_json::from_str(&terminal.messages()[0]).unwrap();
    assert_eq!((exit, &told["exit"]), (3, &3.into()));
    let (exit, _) = stage.types(&["put", "absent"]).await;
    assert_eq!(exit, 1);
}

/// A small command is one round trip: no login, no new stream.
#[tokio::test(flavor = "multi_thread")]
async fn ls_opens_no_stream() {
    let stage = Stage::set().await;
    stage.file("notes", b"notes");
    stage.json(&["put", "notes"]).await;
    let before = stage.person.transport.asked().len();
    for _ in 0..5 {
        assert_eq!(stage.names().await, ["notes"]);
    }
    assert_eq!(stage.person.transport.asked().len(), before);
    stage.json(&["get", "notes", "-o", "back"]).await;
    assert_eq!(stage.person.transport.asked().len(), before + 1, "the probe counts streams");
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_at_once_are_as_devices_at_once() {
    let stage = Stage::set().await;
    let names: Vec<String> = (0..6).map(|n| format!("file-{n}")).collect();
    for name in &names {
        stage.file(name, name.as_bytes());
    }
    stage.json(&["put", "file-0"]).await;
    let puts = names.iter().map(|name| async { stage.json(&["put", name]).await });
    futures::future::join_all(puts).await;
    assert_eq!(stage.names().await, names);
}

/// What `kill`, a closed terminal or a lost connection does: the caller is gone, the transfer goes on.
#[tokio::test(flavor = "multi_thread")]
async fn a_transfer_goes_on_when_its_caller_is_gone() {
    let stage = Stage::set().await;
    stage.file("first", b"makes the space");
    stage.json(&["put", "first"]).await;
    stage.file("notes", b"notes");
    stage.gate.shut();
    let stream = agent::connect(&stage.home).await.unwrap();
    let words = invocation(stage.path(), &["put", "notes"]);
    let caller = tokio::spawn(async move {
        let terminal = Arc::new(Screen::default());
        agent::call(stream, words, terminal, pending(), &AgentLimits::default()).await
    });
    stage.gate.somebody_waits().await;
    caller.abort();
    assert!(caller.await.unwrap_err().is_cancelled());
    stage.gate.open();
    let listed = async {
        while stage.names().await != ["first", "notes"] {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(AT_MOST, listed).await.unwrap();
}

/// Ctrl-C, on the other hand, ends it.
#[tokio::test(flavor = "multi_thread")]
async fn a_transfer_that_is_interrupted_ends() {
    let stage = Stage::set().await;
    stage.file("first", b"makes the space");
    stage.json(&["put", "first"]).await;
    stage.file("notes", b"notes");
    stage.gate.shut();
    let terminal = Arc::new(Screen::default());
    let interrupted = stage.gate.somebody_waits();
    let exit = stage.types_at(&terminal, stage.path(), &["put", "notes"], interrupted).await.unwrap();
    assert_eq!(exit, Some(1));
    assert!(terminal.messages()[0].contains("interrupted"), "{:?}", terminal.messages());
    stage.gate.open();
    assert_eq!(stage.names().await, ["first"]);

    // Also while it waits for standard input.
    let (terminal, _types) = Screen::with_keyboard();
    let asked = Arc::clone(&terminal);
    let interrupted = async move { asked.was_asked().await };
    let exit = stage.types_at(&terminal, stage.path(), &["get", "-"], interrupted).await;
    assert!(matches!(exit, Ok(Some(1))), "{exit:?}");
}

/// So long nobody reads: no command takes that long by itself.
const STUCK: Duration = Duration::from_secs(30);

/// A pipe of which nobody reads.
#[derive(Debug)]
struct Stuck {
    written: watch::Sender<bool>,
    read: Mutex<Receiver<()>>,
}

impl Console for Stuck {
    fn result(&self, _bytes: &[u8]) -> io::Result<()> {
        self.written.send_replace(true);
        let _ = self.read.lock().unwrap().recv_timeout(STUCK);
        Ok(())
    }

    fn message(&self, _line: &str) {}

    fn bar(&self, _number: u32, _state: BarState) {}

    fn read_input(&self, _buffer: &mut [u8]) -> io::Result<usize> {
        Ok(0)
    }

    fn ask_secret(&self, _question: &str) -> io::Result<Zeroizing<String>> {
        Err(io::ErrorKind::NotFound.into())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_ends_a_command_whose_output_nobody_reads() {
    let stage = Stage::set().await;
    stage.file("notes", b"notes");
    stage.json(&["put", "notes"]).await;
    let (reads, read) = channel();
    let stuck = Arc::new(Stuck { written: watch::Sender::new(false), read: Mutex::new(read) });
    let mut written = stuck.written.subscribe();
    let interrupted = async move { drop(written.wait_for(|written| *written).await.unwrap()) };
    let stream = agent::connect(&stage.home).await.unwrap();
    let words = invocation(stage.path(), &["ls"]);
    let begun = Instant::now();
    let ended = agent::call(stream, words, stuck, interrupted, &AgentLimits::default()).await;
    assert!(matches!(ended, Err(ClientError::Stopped)), "{ended:?}");
    assert!(begun.elapsed() < STUCK, "it waited for a reader");
    drop(reads);
    assert_eq!(stage.names().await, ["notes"]);
}

/// What such a path means depends on the process that opens it, which is not the one where it was typed.
#[tokio::test(flavor = "multi_thread")]
async fn descriptors_of_the_caller_are_not_looked_for_in_the_agent() {
    let stage = Stage::set().await;
    let notes = stage.file("notes", b"notes");
    let input = stage.path().join("input");
    std::os::unix::fs::symlink("/dev/stdin", &input).unwrap();
    let nightdrop = |words: &[&str]| {
        let mut command = std::process::Command::new(program("nightdrop").unwrap());
        command.arg("--home").arg(stage.home.path()).args(words).current_dir(stage.path());
        command.stdin(fs::File::open(&notes).unwrap()).output().unwrap()
    };
    for words in [
        &["put", "/dev/stdin", "--name", "x"][..],
        &["put", "/dev/fd/0", "--name", "x"],
        &["put", "notes", "/proc/self/fd/0"],
        &["put", "input"],
        &["get", "notes", "-o", "/dev/fd/1"],
        &["--network", "/dev/fd/0", "ls"],
    ] {
        let refused = nightdrop(words);
        let said = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert_eq!(refused.status.code(), Some(2), "{words:?}: {said}");
        assert!(said.contains("is another file for the agent") && said.contains("nightdrop lock"), "{said}");
    }
    assert_eq!(stage.names().await, Vec::<String>::new());
    // The password file is not read where the account is open.
    let put = nightdrop(&["--password-file", "/dev/stdin", "put", "notes"]);
    assert!(put.status.success(), "{}", String::from_utf8_lossy(&put.stderr));
    assert_eq!(stage.names().await, ["notes"]);
}

/// Another process of this device has seen entries that the relay does not show to the agent.
#[tokio::test(flavor = "multi_thread")]
async fn another_history_than_the_device_was_shown_meanwhile_ends_the_command() {
    for ahead in [1, 50] {
        let stage = Stage::set().await;
        stage.file("notes", b"notes");
        stage.json(&["put", "notes"]).await;
        let session = stage.person.log_in().await.unwrap();
        let seen = session.open_memory(stage.home.memory().unwrap().as_deref()).unwrap();
        let other = LogHead { count: seen.home_head.unwrap().count + ahead, hash: [7; 32] };
        let memory = session.seal_memory(DeviceMemory::default(), other).unwrap();
        stage.home.keep_memory(&memory, &stage.home.lock().unwrap()).unwrap();
        let (exit, terminal) = stage.types(&["put", "notes", "--name", "copy"]).await;
        assert_eq!(exit, 6, "{:?}", terminal.messages());
        assert!(terminal.messages()[0].contains("another history"), "{:?}", terminal.messages());
        let kept = session.open_memory(stage.home.memory().unwrap().as_deref()).unwrap();
        assert_eq!(kept.home_head, Some(other), "what was seen is not forgotten");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn it_locks_itself_after_idling_and_not_while_a_command_runs() {
    let mut stage = Stage::set().await;
    stage.file("first", b"makes the space");
    stage.json(&["put", "first"]).await;
    stage.pass(IDLE - 1);
    let status = agent::status(agent::connect(&stage.home).await.unwrap(), &AgentLimits::default()).await;
    assert_eq!(status.unwrap().locks_in, Some(1));
    assert_eq!(stage.names().await, ["first"], "a command is use");
    stage.file("notes", b"notes");
    stage.gate.shut();
    let put = async {
        let put = stage.types(&["put", "notes"]);
        let late = async {
            stage.gate.somebody_waits().await;
            stage.clock.fetch_add(10 * IDLE, Ordering::SeqCst);
            let status =
                agent::status(agent::connect(&stage.home).await.unwrap(), &AgentLimits::default()).await;
            let status = status.unwrap();
            assert_eq!((status.commands, status.locks_in), (1, None));
            // Several looks at the clock later it is still open.
            tokio::time::sleep(Duration::from_millis(50)).await;
            stage.gate.open();
        };
        tokio::join!(put, late).0
    };
    assert_eq!(put.await.0, 0);
    assert_eq!(stage.names().await, ["first", "notes"]);
    stage.pass(IDLE);
    assert!(stage.is_locked().await);
}

/// A status line that asks all the time is no use of the account.
#[tokio::test(flavor = "multi_thread")]
async fn asking_for_the_status_postpones_no_lock() {
    let limits = AgentLimits { idle_check: Duration::from_secs(1), ..AgentLimits::default() };
    let mut stage = Stage::set_with(limits).await;
    stage.pass(IDLE);
    let home = stage.home.clone();
    let asks = tokio::spawn(async move {
        loop {
            if let Some(stream) = agent::connect(&home).await {
                agent::status(stream, &AgentLimits::default()).await;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
    assert!(stage.is_locked().await);
    asks.abort();
}

/// It is looked at the clock now and then only, and not at all while the machine sleeps.
#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_comes_after_the_idle_limit_finds_the_account_locked() {
    let limits = AgentLimits { idle_check: Duration::from_secs(3600), ..AgentLimits::default() };
    let mut stage = Stage::set_with(limits).await;
    stage.pass(IDLE - 1);
    assert_eq!(stage.names().await, Vec::<String>::new(), "in time");
    stage.pass(IDLE);
    let terminal = Arc::new(Screen::default());
    let refused = stage.types_at(&terminal, stage.path(), &["ls"], pending()).await;
    assert!(matches!(refused, Err(ClientError::Locked)), "{refused:?}");
    assert!(stage.is_locked().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn locking_ends_commands_and_the_session() {
    let mut stage = Stage::set().await;
    stage.file("first", b"makes the space");
    stage.json(&["put", "first"]).await;
    stage.file("notes", b"notes");
    stage.gate.shut();
    let put = async {
        let lock = async {
            stage.gate.somebody_waits().await;
            let stream = agent::connect(&stage.home).await.unwrap();
            agent::lock(stream, &AgentLimits::default()).await.unwrap();
        };
        tokio::join!(stage.types(&["put", "notes"]), lock).0
    };
    let (exit, terminal) = put.await;
    assert_eq!(exit, 4);
    assert!(terminal.messages()[0].contains("the agent was locked"), "{:?}", terminal.messages());
    assert!(stage.is_locked().await);
    assert!(Claim::take(&stage.home).unwrap().is_some(), "another agent can start");
}

/// Another device ended the session. Only the password opens another one, so the agent locks and says so.
#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_the_relay_ended_locks_the_agent() {
    let mut stage = Stage::set().await;
    stage.file("notes", b"notes");
    // One session more than an account may have ends the oldest.
    for _ in 0..32 {
        drop(stage.person.log_in().await.unwrap());
    }
    let (exit, terminal) = stage.types(&["put", "notes"]).await;
    assert_eq!(exit, 4);
    assert!(terminal.messages()[0].contains("the relay has ended this session"), "{:?}", terminal.messages());
    assert!(stage.is_locked().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_request_is_not_served_and_harms_nobody() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let limits = AgentLimits { greeting: Duration::from_millis(200), ..AgentLimits::default() };
    let stage = Stage::set_with(limits).await;
    // Four gigabytes, nothing, half a request, a request that is none.
    for bytes in [&[0xff; 8][..], &[], &[0, 0], &[0, 0, 0, 2, 9, 9]] {
        let mut stream = agent::connect(&stage.home).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        let mut answer = Vec::new();
        // Closed without an answer; a reset is one, too.
        let _ = timeout(AT_MOST, stream.read_to_end(&mut answer)).await.unwrap();
        assert!(answer.is_empty());
    }
    // Commands that are none for the agent, and words that mean something only elsewhere.
    for words in [&["logout", "-y"][..], &["agent"], &["unlock"], &["frobnicate"], &[]] {
        let (exit, terminal) = stage.types(words).await;
        assert_eq!(exit, 1, "{words:?}");
        assert!(terminal.messages()[0].contains("another version"));
    }
    let mut newer = invocation(stage.path(), &["ls"]);
    newer.version = "999.0.0".to_owned();
    let stream = agent::connect(&stage.home).await.unwrap();
    let terminal = Arc::new(Screen::default());
    let refused = agent::call(stream, newer, terminal, pending(), &AgentLimits::default()).await;
    assert!(matches!(refused, Err(ClientError::AgentOtherVersion)));
    assert_eq!(stage.names().await, Vec::<String>::new(), "honest callers are served");
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_at_once_are_bounded() {
    let limits = AgentLimits { commands: 1, ..AgentLimits::default() };
    let stage = Stage::set_with(limits).await;
    let (terminal, types) = Screen::with_keyboard();
    let waits = stage.types_at(&terminal, stage.path(), &["get", "-"], pending());
    let second = async {
        terminal.was_asked().await;
        let refused = stage.types_at(&Arc::new(Screen::default()), stage.path(), &["ls"], pending()).await;
        assert!(matches!(refused, Err(ClientError::AgentBusy)), "{refused:?}");
        types.send(b"absent\n".to_vec()).unwrap();
        types.send(Vec::new()).unwrap();
    };
    let (first, ()) = tokio::join!(waits, second);
    assert_eq!(first.unwrap(), Some(3));
    assert_eq!(stage.names().await, Vec::<String>::new());
}

/// Nothing that is decrypted, and no key, is in the home directory after a session with the agent.
#[tokio::test(flavor = "multi_thread")]
async fn the_home_directory_holds_no_key_and_no_name() {
    let mut stage = Stage::set().await;
    let content = b"a sentence that is stored nowhere in clear";
    let outside = stage.path().join("outside");
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("meeting-minutes"), content).unwrap();
    stage.json(&["put", "outside/meeting-minutes"]).await;
    let link = stage.json(&["share", "meeting-minutes", "--link"]).await[0]["link"].clone();
    stage.json(&["get", "meeting-minutes", "-o", "outside/back"]).await;
    let session = stage.person.log_in().await.unwrap();
    let keys = session.keyring().home_keys();
    let mut canaries = vec![
        PASSWORD.as_bytes().to_vec(),
        content.to_vec(),
        b"meeting-minutes".to_vec(),
        link.as_str().unwrap().rsplit('/').next().unwrap().as_bytes().to_vec(),
    ];
    for token in [keys.read_token(), keys.append_token()] {
        let bytes = token.secret_bytes();
        canaries.push(bytes.to_vec());
        canaries.push(token.secret_text().as_bytes().to_vec());
        canaries.push(bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>().into_bytes());
    }
    let home = stage.home.path().to_owned();
    assert_eq!(found(&home, &canaries), Vec::<PathBuf>::new());
    stage.agent.lock();
    assert!(stage.is_locked().await);
    assert_eq!(found(&home, &canaries), Vec::<PathBuf>::new());
    fs::write(home.join("planted"), &canaries[4]).unwrap();
    assert_eq!(found(&home, &canaries), [home.join("planted")], "the search finds what is there");
    drop(stage.relay);
}

/// Files below a directory that hold one of these, or are called so.
fn found(directory: &Path, canaries: &[Vec<u8>]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let mut searched = path.as_os_str().as_bytes().to_vec();
        if path.is_dir() {
            found.extend(self::found(&path, canaries));
        } else if path.is_file() {
            searched.extend(fs::read(&path).unwrap());
        }
        if canaries.iter().any(|canary| memchr::memmem::find(&searched, canary).is_some()) {
            found.push(path);
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn a_links_password_is_asked_for_where_the_command_was_typed() {
    const WORDS: &str = "lantern gravel sonnet brisk otter";
    let stage = Stage::set().await;
    stage.file("notes", b"the notes");
    stage.file("words", WORDS.as_bytes());
    stage.json(&["put", "notes"]).await;
    let share = ["share", "notes", "--link", "--downloads", "1", "--expires", "2h"];
    let shared = stage.json(&[&share[..], &["--link-password-file", "words"]].concat()).await.remove(0);
    let link = shared["link"].as_str().unwrap();
    assert_eq!((&shared["downloads"], &shared["needs_password"]), (&1.into(), &true.into()));
    assert_eq!(shared["ends"].as_u64().unwrap() % 900, 0, "to the quarter of an hour");

    let get = ["get", link, "-o", "back"];
    let nobody = Arc::new(Screen::default());
    let alone = stage.types_at(&nobody, stage.path(), &get, pending()).await;
    assert!(matches!(alone, Err(ClientError::NoTerminal)), "{alone:?}");
    for (typed, expected) in [("other words", 3), (WORDS, 0)] {
        let (terminal, types) = Screen::with_keyboard();
        types.send(typed.as_bytes().to_vec()).unwrap();
        let exit = stage.types_at(&terminal, stage.path(), &get, pending()).await.unwrap().unwrap();
        assert_eq!(exit, expected, "{typed}: {:?}", terminal.messages());
        assert!(terminal.messages()[0].contains("Password of the link"), "{:?}", terminal.messages());
    }
    assert_eq!(fs::read(stage.path().join("back")).unwrap(), b"the notes");
    assert_eq!(fs::read_dir(stage.home.path().join("claims")).unwrap().count(), 0);
    fs::remove_file(stage.path().join("back")).unwrap();
    let (exit, _) = stage.types(&["get", link, "-o", "back", "--link-password-file", "words"]).await;
    assert_eq!(exit, 3, "its only download was taken, and the wrong password took none");

    let info = stage.json(&["info", "notes"]).await.remove(0);
    assert_eq!((&info["links"][0]["link"], &info["links"][0]["downloads"]), (&shared["link"], &1.into()));
    let made = stage.json(&["share", "notes", "--link", "--generate"]).await.remove(0);
    stage.file("words", made["password"].as_str().unwrap().as_bytes());
    let link = made["link"].as_str().unwrap();
    let got = stage.json(&["get", link, "-o", "back", "--link-password-file", "words"]).await.remove(0);
    assert_eq!(got["size"], 9);
    stage.file("words", b"hunter2");
    let (exit, _) = stage.types(&["share", "notes", "--link", "--link-password-file", "words"]).await;
    assert_eq!(exit, 4, "easy to guess");
    assert_eq!(stage.json(&["unshare", "notes"]).await[0]["ended"], 2);
}
