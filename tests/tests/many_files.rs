//! Commands of somebody with many files: they write checkpoints now and then, after their own work, and clear away those before.
#![allow(clippy::unwrap_used, missing_docs)]

use nightdrop_client::{
    Home,
    agent::{Execute, Invocation, Piece},
    cli::Served,
    console::{BarState, Console},
    transfer,
    transport::AnyTransport,
    unlocked::Unlocked,
};
use nightdrop_envelope::{
    capability::BlobCapabilities,
    key::FileKey,
    space::{FileRecord, Operation, SpacePath},
};
use nightdrop_login::password::Password;
use nightdrop_onion_config::Network;
use nightdrop_tests::memory::{MemoryRelay, MemoryTransport, PASSWORD, Person, address, patient};
use std::{
    fs,
    future::pending,
    io,
    os::unix::ffi::OsStrExt,
    sync::{Arc, Mutex},
};
use tempfile::TempDir;
use zeroize::Zeroizing;

/// Keeps what a command says.
#[derive(Debug, Default)]
struct Screen(Mutex<Vec<String>>);

impl Console for Screen {
    fn result(&self, bytes: &[u8]) -> io::Result<()> {
        self.message(&String::from_utf8_lossy(bytes));
        Ok(())
    }

    fn message(&self, line: &str) {
        self.0.lock().unwrap().push(line.to_owned());
    }

    fn bar(&self, _number: u32, _state: BarState) {}

    fn read_input(&self, _buffer: &mut [u8]) -> io::Result<usize> {
        Ok(0)
    }

    fn ask_secret(&self, _question: &str) -> io::Result<Zeroizing<String>> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

/// Somebody with an account and a device.
struct Stage {
    relay: MemoryRelay,
    person: Person,
    home: Home,
    directory: TempDir,
}

impl Stage {
    async fn set() -> Self {
        let (relay, directory) = (MemoryRelay::start().await, tempfile::tempdir().unwrap());
        let transport = MemoryTransport::to(address(), relay.clone());
        let person = Person::register(&transport, &relay).await.unwrap();
        let home = Home::open(&directory.path().join("home")).unwrap();
        let lock = home.lock().unwrap();
        home.keep_account(&person.code, &lock).unwrap();
        home.keep_memory(&person.memory, &lock).unwrap();
        drop(lock);
        Self { relay, person, home, directory }
    }

    fn transport(&self) -> AnyTransport {
        AnyTransport::new(self.person.transport.clone())
    }

    async fn unlock(&self) -> Arc<Unlocked> {
        let (home, password) = (self.home.clone(), Password::new(PASSWORD));
        let unlocked = Unlocked::unlock(self.transport(), home, &self.person.code, &password, patient());
        Arc::new(unlocked.await.unwrap())
    }

    /// Lists so many files, as if they were stored.
    async fn list(&self, unlocked: &Unlocked, count: usize) {
        let mut space = unlocked.space().await.unwrap();
        let from = space.head().count;
        let put = |n: usize| {
            let path = SpacePath::parse(&format!("from {from}/{n}")).unwrap();
            let capabilities = BlobCapabilities::generate(&mut rand::rng());
            let key = FileKey::from_bytes([1; 32]);
            let file = FileRecord::new(capabilities, &key, [2; 32], 10, None, [3; 32], u32::MAX);
            Operation::PutFile { path, file: Box::new(file) }
        };
        space.append(|_| Ok((0..count).map(put).collect())).await.unwrap();
        unlocked.remember(&space).await.unwrap();
        unlocked.keep_space(space);
    }

    /// Types a command; gives what it said.
    async fn types(&self, unlocked: &Arc<Unlocked>, words: &[&str]) -> Vec<String> {
        let invocation = Invocation {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            arguments: words.iter().map(|word| Piece::new(word.as_bytes())).collect(),
            directory: Piece::new(self.directory.path().as_os_str().as_bytes()),
        };
        let screen = Arc::new(Screen::default());
        let served = Served::new(Arc::clone(unlocked), Network::Live);
        let exit = served.execute(invocation, Arc::<Screen>::clone(&screen), pending()).await;
        let said = screen.0.lock().unwrap().clone();
        assert_eq!(exit, 0, "{words:?}: {said:?}");
        said
    }

    /// Stores a file with this content under this name.
    async fn put(&self, unlocked: &Arc<Unlocked>, name: &str) -> Vec<String> {
        fs::write(self.directory.path().join(name), name).unwrap();
        self.types(unlocked, &["put", name]).await
    }

    async fn checkpoint(&self, unlocked: &Unlocked) -> Option<(u64, FileRecord)> {
        let space = unlocked.space().await.unwrap();
        assert_eq!((space.state().leaving().count(), space.reports().1), (0, 0));
        let checkpoint = space.state().checkpoint().map(|(place, file)| (place, file.clone()));
        unlocked.keep_space(space);
        checkpoint
    }

    async fn is_there(&self, file: &FileRecord) -> bool {
        transfer::is_readable(&self.transport(), &address(), file, &patient()).await.unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_changed_something_writes_a_checkpoint_that_is_due_and_destroys_the_one_before() {
    let stage = Stage::set().await;
    let unlocked = stage.unlock().await;
    stage.put(&unlocked, "first").await;
    stage.list(&unlocked, 600).await;
    stage.types(&unlocked, &["ls"]).await;
    assert!(stage.checkpoint(&unlocked).await.is_none(), "a command that only reads writes none");
    assert_eq!(stage.put(&unlocked, "second").await, ["second stored\n"]);
    let (place, first) = stage.checkpoint(&unlocked).await.unwrap();
    assert_eq!(place, 603, "after its own work");
    assert!(stage.is_there(&first).await);

    stage.list(&unlocked, 600).await;
    stage.put(&unlocked, "third").await;
    let (later, second) = stage.checkpoint(&unlocked).await.unwrap();
    assert_eq!(later, place + 1 + 600 + 1);
    assert_eq!((stage.is_there(&first).await, stage.is_there(&second).await), (false, true));
    unlocked.lock().await.unwrap();

    // A device that begins at it finds what the other has.
    let home = Home::open(&stage.directory.path().join("another")).unwrap();
    let other = Stage { home, directory: tempfile::tempdir().unwrap(), ..stage };
    let unlocked = other.unlock().await;
    assert_eq!(other.types(&unlocked, &["ls"]).await.len(), 1_203);
    other.types(&unlocked, &["mv", "second", "moved"]).await;
    assert_eq!(other.checkpoint(&unlocked).await.unwrap().0, later);
    unlocked.lock().await.unwrap();
    let again = other.unlock().await;
    let listed = other.types(&again, &["ls", "--json"]).await;
    assert!(listed.len() == 1_203 && listed.iter().any(|line| line.contains("\"moved\"")));
    drop(other.relay);
}
