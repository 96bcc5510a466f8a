//! Somebody who types commands: a client in this process, over a relay that can be cut off.

use crate::cut::{Sent, Stops};
use nightdrop_client::{
    Home,
    agent::{Execute, Invocation, Piece},
    cli::Served,
    console::{BarState, Console},
    transport::AnyTransport,
    unlocked::Unlocked,
};
use nightdrop_login::password::Password;
use nightdrop_onion_config::Network;
use nightdrop_tests::{
    lying::{Honest, LyingRelay, Stage},
    memory::{PASSWORD, Person, patient},
    system::make_sample,
};
use serde_json::Value;
use std::{
    fs,
    future::pending,
    io,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::Duration,
};
use tempfile::TempDir;
use zeroize::Zeroizing;

/// Somebody at a terminal.
pub(crate) struct Desk {
    pub(crate) stage: Stage,
    person: Person,
    pub(crate) unlocked: Arc<Unlocked>,
    served: Served,
    pub(crate) directory: TempDir,
}

/// How a command ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) exit: u8,
    pub(crate) results: Vec<Value>,
    pub(crate) messages: Vec<String>,
    pub(crate) bars: Vec<BarState>,
}

impl Desk {
    pub(crate) async fn set() -> Self {
        let (stage, directory) = (Stage::set().await, tempfile::tempdir().unwrap());
        let person = stage.person().await;
        let unlocked = unlocked(&person, &directory.path().join("home")).await;
        let served = Served::new(Arc::clone(&unlocked), Network::Live);
        Self { stage, person, unlocked, served, directory }
    }

    pub(crate) fn liar(&self) -> &LyingRelay {
        &self.stage.liar
    }

    pub(crate) fn file(&self, name: &str, size: u64) -> PathBuf {
        let path = self.directory.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        make_sample(&path, size).unwrap();
        path
    }

    pub(crate) async fn types(&self, words: &[&str]) -> Ended {
        self.pipes(usize::MAX, words).await
    }

    /// With so many bytes on standard input.
    pub(crate) async fn pipes(&self, input: usize, words: &[&str]) -> Ended {
        self.carries_out(&self.served, input, words).await
    }

    /// The same account on another device, in the same directory.
    pub(crate) async fn types_elsewhere(&self, words: &[&str]) -> Ended {
        let unlocked = unlocked(&self.person, &self.directory.path().join("other home")).await;
        self.carries_out(&Served::new(unlocked, Network::Live), 0, words).await
    }

    async fn carries_out(&self, served: &Served, input: usize, words: &[&str]) -> Ended {
        let (input, results) = (Mutex::new(input), Mutex::default());
        let screen = Arc::new(Screen { input, results, messages: Mutex::default(), bars: Mutex::default() });
        let words: Vec<&str> = words.iter().copied().chain(["--json"]).collect();
        let invocation = Invocation {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            arguments: words.iter().map(|word| Piece::new(word.as_bytes())).collect(),
            directory: Piece::new(self.directory.path().as_os_str().as_bytes()),
        };
        let console = Arc::clone(&screen) as Arc<dyn Console>;
        let exit = served.execute(invocation, console, pending()).await;
        let results = String::from_utf8(screen.results.lock().unwrap().clone()).unwrap();
        let results = results.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let bars = screen.bars.lock().unwrap().clone();
        Ended { exit, results, messages: screen.messages.lock().unwrap().clone(), bars }
    }

    pub(crate) async fn succeeds(&self, words: &[&str]) -> Vec<Value> {
        let ended = self.types(words).await;
        assert!(ended.exit == 0 && ended.messages.is_empty(), "{words:?}: {ended:?}");
        ended.results
    }

    /// The command, cut off after so many chunks as a line that breaks does.
    pub(crate) async fn cut_off(&self, chunks: u32, words: &[&str]) {
        self.liar().tell(Stops::after(chunks));
        let ended = self.types(words).await;
        assert_eq!(ended.exit, 5, "{ended:?}");
        self.liar().tell(Honest);
    }

    /// The command, ended as by a kill when so many chunks were sent.
    pub(crate) async fn killed(&self, chunks: usize, words: &[&str]) -> Sent {
        let mut sent = Sent::default();
        let watch = async {
            while sent.count() < chunks {
                sent.add(self.liar().take_asked());
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        tokio::select! {
            ended = self.types(words) => panic!("it was to be killed: {ended:?}"),
            () = watch => {}
        }
        self.let_go().await;
        sent
    }

    /// Waits until nothing holds a journal: what a command did on other threads does not end with it here, as it does with a process.
    async fn let_go(&self) {
        let is_held = |path: &PathBuf| fs::File::open(path).unwrap().try_lock().is_err();
        tokio::time::timeout(Duration::from_secs(60), async {
            while self.journals().iter().any(is_held) {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        })
        .await
        .unwrap();
    }

    pub(crate) async fn names(&self) -> Vec<String> {
        let listed = self.succeeds(&["ls"]).await;
        listed.iter().map(|file| file["name"].as_str().unwrap().to_owned()).collect()
    }

    pub(crate) async fn expect(&self, name: &str, path: &Path) {
        self.succeeds(&["get", name, "-o", "back"]).await;
        let back = self.directory.path().join("back");
        assert!(fs::read(&back).unwrap() == fs::read(path).unwrap(), "{name}");
        fs::remove_file(back).unwrap();
    }

    pub(crate) fn sent(&self) -> Sent {
        let mut sent = Sent::default();
        sent.add(self.liar().take_asked());
        sent
    }

    pub(crate) fn journals(&self) -> Vec<PathBuf> {
        let Ok(entries) = fs::read_dir(self.directory.path().join("home/transfers")) else { return vec![] };
        entries.map(|entry| entry.unwrap().path()).collect()
    }
}

async fn unlocked(person: &Person, home: &Path) -> Arc<Unlocked> {
    let home = Home::open(home).unwrap();
    let lock = home.lock().unwrap();
    home.keep_account(&person.code, &lock).unwrap();
    home.keep_memory(&person.memory, &lock).unwrap();
    drop(lock);
    let (transport, password) = (AnyTransport::new(person.transport.clone()), Password::new(PASSWORD));
    let unlocked = Unlocked::unlock(transport, home, &person.code, &password, patient()).await;
    Arc::new(unlocked.unwrap())
}

/// A terminal with so much standard input.
#[derive(Debug)]
struct Screen {
    input: Mutex<usize>,
    results: Mutex<Vec<u8>>,
    messages: Mutex<Vec<String>>,
    bars: Mutex<Vec<BarState>>,
}

impl Console for Screen {
    fn result(&self, bytes: &[u8]) -> io::Result<()> {
        self.results.lock().unwrap().extend_from_slice(bytes);
        Ok(())
    }

    fn message(&self, line: &str) {
        self.messages.lock().unwrap().push(line.to_owned());
    }

    fn bar(&self, _number: u32, state: BarState) {
        self.bars.lock().unwrap().push(state);
    }

    fn read_input(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut left = self.input.lock().unwrap();
        let read = buffer.len().min(*left);
        *left -= read;
        buffer[..read].fill(7);
        Ok(read)
    }

    fn ask_secret(&self, _question: &str) -> io::Result<Zeroizing<String>> {
        Err(io::ErrorKind::NotFound.into())
    }
}
