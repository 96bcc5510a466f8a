//! Commands of somebody with many files: they write checkpoints now and then, after their own work, and clear away those before; and they pay for the
//! list as it grows, as long as there is something to pay with.
#![allow(clippy::unwrap_used, missing_docs)]

use nightdrop_client::{
    ClientError, Home,
    account::RecoveryWish,
    agent::{Execute, Invocation, Piece},
    cli::Served,
    console::{BarState, Console},
    relay::RelayLane,
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
use nightdrop_wire::denomination::UNIT;
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
        space.append(unlocked, |_| Ok((0..count).map(put).collect())).await.unwrap();
        unlocked.remember(&space).await.unwrap();
        unlocked.keep_space(space);
    }

    /// Types a command that succeeds; gives what it said.
    async fn types(&self, unlocked: &Arc<Unlocked>, words: &[&str]) -> Vec<String> {
        let (exit, said) = self.tries(unlocked, words).await;
        assert_eq!(exit, 0, "{words:?}: {said:?}");
        said
    }

    /// Types a command; gives how it ended, and what it said.
    async fn tries(&self, unlocked: &Arc<Unlocked>, words: &[&str]) -> (u8, Vec<String>) {
        let invocation = Invocation {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            arguments: words.iter().map(|word| Piece::new(word.as_bytes())).collect(),
            directory: Piece::new(self.directory.path().as_os_str().as_bytes()),
        };
        let screen = Arc::new(Screen::default());
        let served = Served::new(Arc::clone(unlocked), Network::Live);
        let exit = served.execute(invocation, Arc::<Screen>::clone(&screen), pending()).await;
        let said = screen.0.lock().unwrap().clone();
        (exit, said)
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
        let mut lane = RelayLane::isolated(&self.transport(), &address(), &patient());
        transfer::is_readable(&mut lane, file).await.unwrap()
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
    home.keep_account(&stage.person.code, &home.lock().unwrap()).unwrap();
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

/// Names of so many small files, which are written down.
fn small_files(stage: &Stage, count: usize) -> Vec<String> {
    let names: Vec<String> = (0..count).map(|n| format!("small {n}")).collect();
    names.iter().for_each(|name| fs::write(stage.directory.path().join(name), name).unwrap());
    names
}

/// Each small file costs a unit, and so does a list of eleven.
#[tokio::test(flavor = "multi_thread")]
async fn who_has_used_up_the_quota_lists_nothing_more_and_removes_everything() {
    let stage = Stage::set().await;
    stage.relay.set_quota(stage.person.code.account(), 12 * UNIT).await;
    let unlocked = stage.unlock().await;
    let names = small_files(&stage, 12);
    for name in &names[..11] {
        stage.types(&unlocked, &["put", name]).await;
    }
    let refused = |(exit, said): (u8, Vec<String>), why: &str| {
        assert_eq!(exit, 4, "{said:?}");
        assert!(said.iter().any(|line| line.contains(why)), "{said:?}");
    };
    refused(stage.tries(&unlocked, &["put", &names[11]]).await, "no credits to pay for more of your list");
    // What changes the list goes on until no more would be left than removing takes.
    let mut moved = 0;
    let last = loop {
        let to = format!("moved {moved}");
        let from = if moved == 0 { names[0].clone() } else { format!("moved {}", moved - 1) };
        let (exit, said) = stage.tries(&unlocked, &["mv", &from, &to]).await;
        if exit != 0 {
            refused((exit, said), "`nightdrop rm`");
            break from;
        }
        moved += 1;
    };
    assert!((1..20).contains(&moved), "{moved}");
    assert_eq!(stage.types(&unlocked, &["ls"]).await.len(), 11);
    // One by one, which takes two entries each.
    for name in names[1..11].iter().chain([&last]) {
        stage.types(&unlocked, &["rm", name]).await;
    }
    let space = unlocked.space().await.unwrap();
    assert_eq!((space.state().files().count(), space.state().leaving().count()), (0, 0));
    unlocked.keep_space(space);
    refused(stage.tries(&unlocked, &["put", &names[11]]).await, "no more credits");
    stage.relay.set_quota(stage.person.code.account(), 40 * UNIT).await;
    stage.types(&unlocked, &["put", &names[11]]).await;
    unlocked.lock().await.unwrap();
}

/// What a large file gives back pays for the list.
#[tokio::test(flavor = "multi_thread")]
async fn a_removed_file_pays_for_the_list() {
    let stage = Stage::set().await;
    stage.relay.set_quota(stage.person.code.account(), (1 + 65 + 10) * UNIT).await;
    let unlocked = stage.unlock().await;
    fs::write(stage.directory.path().join("large"), vec![7; 3_500_000]).unwrap();
    stage.types(&unlocked, &["put", "large"]).await;
    let names = small_files(&stage, 12);
    for name in &names[..10] {
        stage.types(&unlocked, &["put", name]).await;
    }
    assert_eq!(stage.tries(&unlocked, &["put", &names[10]]).await.0, 4);
    stage.types(&unlocked, &["rm", "large"]).await;
    for name in &names[10..] {
        stage.types(&unlocked, &["put", name]).await;
    }
    assert_eq!(stage.types(&unlocked, &["ls"]).await.len(), 12);
    unlocked.lock().await.unwrap();
}

/// The list that follows is paid for as a whole, with more than was at hand.
#[tokio::test(flavor = "multi_thread")]
async fn a_rekey_pays_for_a_long_list_with_what_it_draws() {
    let stage = Stage::set().await;
    let unlocked = stage.unlock().await;
    stage.put(&unlocked, "first").await;
    stage.list(&unlocked, 400).await;
    let mut space = unlocked.space().await.unwrap();
    stage.home.drop_credits(&stage.home.lock().unwrap()).unwrap();
    let password = Password::new(PASSWORD);
    unlocked.rekey(&mut space, &password, RecoveryWish::Keep).await.unwrap();
    drop((space, unlocked));
    let again = stage.unlock().await;
    let space = again.space().await.unwrap();
    assert_eq!((space.state().files().count(), space.reports().1), (401, 0));
    again.keep_space(space);
    again.lock().await.unwrap();
}

/// Without credits it changes nothing, and with some it goes on.
#[tokio::test(flavor = "multi_thread")]
async fn a_rekey_that_cannot_be_paid_for_changes_nothing() {
    let stage = Stage::set().await;
    stage.relay.set_quota(stage.person.code.account(), 12 * UNIT).await;
    let unlocked = stage.unlock().await;
    for name in &small_files(&stage, 11) {
        stage.types(&unlocked, &["put", name]).await;
    }
    let mut space = unlocked.space().await.unwrap();
    let password = Password::new(PASSWORD);
    let error = unlocked.rekey(&mut space, &password, RecoveryWish::Keep).await.unwrap_err();
    assert!(matches!(error, ClientError::NoCredits), "{error:?}");
    assert!(space.state().closed_for().is_none());
    stage.relay.set_quota(stage.person.code.account(), 40 * UNIT).await;
    let rekeyed = unlocked.rekey(&mut space, &password, RecoveryWish::Keep).await.unwrap();
    assert_eq!((rekeyed.files, rekeyed.left), (11, 0));
}
