//! One account on two devices: both see the same files, both write at once and lose nothing, and what a device notices whose
//! own memory was set back.
//!
//! - An append is a compare-and-swap on the head of the home space: who loses reads on and decides again.
//! - A device's memory (`memory` in its home directory) is a lower bound. Set back by a restored backup, it makes the device
//!   notice less, and never makes it lose anything: the log is read to its end all the same.
//! - M28 of the keyring, an older one than remembered, is in `lying_relay/keys.rs`, M04 beside it; a relay that is set back in
//!   the flesh is in `home.rs`.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

use nightdrop_client::{ClientError, ExitCode, Home, account::Session, space::HomeSpace};
use nightdrop_envelope::{
    account_code::AccountCode,
    capability::BlobCapabilities,
    key::FileKey,
    space::{ChainError, FileRecord, Operation, SpacePath},
};
use nightdrop_tests::{
    lying::{
        Asked, Honest, Lie, Stage,
        lies::{Alter, on},
    },
    memory::{Drawing, Empty, MemoryTransport, Person, address, patient},
};
use nightdrop_wire::{
    denomination::{Assortment, Denomination},
    endpoint::Endpoint,
    messages::log::LogPage,
};
use std::{
    collections::BTreeSet,
    path::Path,
    sync::{Arc, Mutex},
};

/// Appends of each device.
const WRITES: u32 = 200;

type Space = HomeSpace<MemoryTransport>;

/// Opens the files of an account as a device with this memory does.
async fn open(
    person: &Person,
    memory: Option<&[u8]>,
) -> Result<(Session<MemoryTransport>, Space), ClientError> {
    let session = person.log_in().await?;
    let remembered = session.open_memory(memory)?.home_head;
    let keys = session.keyring().home_keys();
    let space = HomeSpace::open(&person.transport, &address(), keys, remembered, &patient()).await?;
    Ok((session, space))
}

/// The device where the account was made, with a home space at the relay.
async fn first_device(person: &Person) -> (Session<MemoryTransport>, Space) {
    let (mut session, mut space) = open(person, Some(&person.memory)).await.unwrap();
    let one = Assortment::only(Denomination::Smallest, 1);
    space.create(session.fetch_credits(one).await.unwrap().into()).await.unwrap();
    (session, space)
}

/// A device that has the account code and the password, and remembers nothing.
fn device_with_code_of(person: &Person) -> Person {
    let code = AccountCode::from_text(&person.code.secret_text()).unwrap();
    let recovery = nightdrop_envelope::recovery::RecoveryPhrase::generate(&mut rand::rng());
    let directory = Arc::clone(&person.directory);
    Person { transport: person.transport.clone(), code, recovery, memory: Vec::new(), directory }
}

/// What lists a file of this name. Nobody reads the file, so there need not be one.
fn listing(name: &str) -> Operation {
    let mut rng = rand::rng();
    let (capabilities, key) = (BlobCapabilities::generate(&mut rng), FileKey::generate(&mut rng));
    let file = FileRecord::new(capabilities, &key, [1; 32], 1_000, None, [2; 32], u32::MAX);
    Operation::PutFile { path: SpacePath::parse(name).unwrap(), file: Box::new(file) }
}

fn names(space: &Space) -> BTreeSet<String> {
    space.state().files().map(|(path, _)| path.as_str().to_owned()).collect()
}

/// Lists one file after the other, and pays for the list as it grows; gives how often another device was faster.
async fn write(session: &mut Session<MemoryTransport>, space: &mut Space, device: &str) -> u32 {
    let (purse, mut decisions) = (Drawing::of(session), 0);
    for number in 0..WRITES {
        let operation = listing(&format!("{device}/{number}"));
        let append = space.append(&purse, |_| {
            decisions += 1;
            Ok(vec![operation.clone()])
        });
        append.await.unwrap();
    }
    decisions - WRITES
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_devices_that_write_two_hundred_times_at_once_lose_nothing() {
    let stage = Stage::set().await;
    let person = stage.person().await;
    let (mut ours, mut first) = first_device(&person).await;
    first.append(&Empty, |_| Ok(vec![listing("before")])).await.unwrap();
    let other = device_with_code_of(&person);
    let (mut theirs, mut second) = open(&other, None).await.unwrap();
    assert_eq!(
        names(&second),
        BTreeSet::from(["before".to_owned()]),
        "the second device sees the same files"
    );
    assert_eq!(second.head(), first.head());

    let one = tokio::spawn(async move { (write(&mut ours, &mut first, "first").await, first) });
    let two = tokio::spawn(async move { (write(&mut theirs, &mut second, "second").await, second) });
    let ((one, mut first), (two, mut second)) = (one.await.unwrap(), two.await.unwrap());
    eprintln!("another device was faster {one} and {two} times of {WRITES} each");
    assert!(one > 0 && two > 0, "both lost races, {one} and {two}, or nothing is shown");

    let mut expected = BTreeSet::from(["before".to_owned()]);
    for device in ["first", "second"] {
        expected.extend((0..WRITES).map(|number| format!("{device}/{number}")));
    }
    let (_, fresh) = open(&other, None).await.unwrap();
    assert_eq!(names(&fresh), expected);
    assert_eq!(fresh.head().count, u64::from(2 * WRITES) + 2, "each entry stands once");
    // A device sees what others wrote when it reads on, which writing makes it do.
    for (space, name) in [(&mut first, "last of first"), (&mut second, "last of second")] {
        space.append(&Empty, |_| Ok(vec![listing(name)])).await.unwrap();
        expected.insert(name.to_owned());
    }
    first.append(&Empty, |_| Ok(vec![listing("end")])).await.unwrap();
    expected.insert("end".to_owned());
    let (_, fresh) = open(&other, None).await.unwrap();
    let (_, again) = open(&person, Some(&person.memory)).await.unwrap();
    for space in [&first, &fresh, &again] {
        assert_eq!(names(space), expected);
        assert_eq!(space.head(), first.head());
        assert_eq!(space.reports().1, 0, "every entry is as an honest device writes it");
    }
}

/// A device whose home directory is a real one, with what the commands keep there.
struct Device {
    person: Person,
    home: Home,
}

impl Device {
    fn new(person: Person, directory: &Path) -> Self {
        let home = Home::open(directory).unwrap();
        let lock = home.lock().unwrap();
        home.keep_account(&person.code, &lock).unwrap();
        home.keep_memory(&person.memory, &lock).unwrap();
        drop(lock);
        Self { person, home }
    }

    /// Does what a command does: opens, works, remembers.
    async fn run(&self, listed: Option<&str>) -> Result<Space, ClientError> {
        let memory = self.home.memory()?;
        let (session, mut space) = open(&self.person, memory.as_deref()).await?;
        if let Some(name) = listed {
            space.append(&Empty, |_| Ok(vec![listing(name)])).await?;
        }
        let kept = session.open_memory(memory.as_deref())?;
        self.home.keep_memory(&session.seal_memory(kept, space.head())?, &self.home.lock()?)?;
        Ok(space)
    }

    fn restore(&self, memory: &[u8]) {
        self.home.keep_memory(memory, &self.home.lock().unwrap()).unwrap();
    }
}

/// The relay shows the log as it stands when this is called, whatever follows.
async fn as_it_stands(stage: &Stage, person: &Person) -> Box<dyn Lie> {
    let page: Arc<Mutex<Option<LogPage>>> = Arc::default();
    let seen = Arc::clone(&page);
    let reading = |endpoint: &Endpoint| matches!(endpoint, Endpoint::ReadLog(_, 0));
    let note = move |_: &Asked, page: &mut LogPage| *seen.lock().unwrap() = Some(page.clone());
    stage.liar.tell(on(reading, Alter::<LogPage, _>::by(note)));
    open(person, None).await.unwrap();
    stage.liar.tell(Honest);
    let page = page.lock().unwrap().take().unwrap();
    Box::new(on(
        reading,
        Alter::<LogPage, _>::by(move |_: &Asked, shown: &mut LogPage| shown.clone_from(&page)),
    ))
}

/// C09: `memory` of an older day is restored. With an honest relay nothing is lost, and the device is up to date again with the
/// next command. A relay that is set back as well is noticed as far as the restored memory reaches, and not beyond: that is the
/// limit of a memory that can itself be set back, and the last part pins it down.
#[tokio::test]
async fn c09_a_memory_restored_from_a_backup_loses_nothing_and_is_a_lower_bound() {
    let (stage, directory) = (Stage::set().await, tempfile::tempdir().unwrap());
    let person = stage.person().await;
    first_device(&person).await;
    let device = Device::new(person, &directory.path().join("home"));
    device.run(Some("one")).await.unwrap();
    let before_backup = as_it_stands(&stage, &device.person).await;
    device.run(Some("two")).await.unwrap();
    let backup = device.home.memory().unwrap().unwrap();
    device.run(Some("three")).await.unwrap();
    let after_backup = as_it_stands(&stage, &device.person).await;
    device.run(Some("four")).await.unwrap();
    let newest = device.home.memory().unwrap().unwrap();

    device.restore(&backup);
    let space = device.run(Some("five")).await.unwrap();
    let all = ["one", "two", "three", "four", "five"].map(str::to_owned);
    assert_eq!(names(&space), BTreeSet::from(all), "an older memory hides and overwrites nothing");
    let up_to_date = device.home.memory().unwrap().unwrap();

    let expect_rollback = async |given| {
        let error = device.run(None).await.unwrap_err();
        assert!(
            matches!(error, ClientError::Chain(ChainError::Rollback { given: found, .. }) if found == given),
            "{error:?}"
        );
        assert_eq!(error.explanation().exit, ExitCode::Tampered);
    };
    // The memory is as new as it was, the relay is set back: noticed. Entries: the space itself, then one for each name.
    stage.liar.tell(after_backup);
    expect_rollback(4).await;
    device.restore(&newest);
    expect_rollback(4).await;
    // Both are set back, the relay less far: what the device has seen since its backup is not missed.
    device.restore(&backup);
    let space = device.run(None).await.unwrap();
    assert_eq!(names(&space), BTreeSet::from(["one", "two", "three"].map(str::to_owned)));
    // Both are set back, the relay further: noticed.
    stage.liar.tell(before_backup);
    device.restore(&backup);
    expect_rollback(2).await;
    device.restore(&up_to_date);
    stage.liar.tell(Honest);
    assert_eq!(names(&device.run(None).await.unwrap()).len(), 5, "and the honest relay is believed again");
}

/// C09: another device's or account's memory, or a damaged one, is not taken for no memory.
#[tokio::test]
async fn c09_a_memory_of_another_account_or_a_damaged_one_is_an_error() {
    let (stage, directory) = (Stage::set().await, tempfile::tempdir().unwrap());
    let (person, other) = (stage.person().await, stage.person().await);
    first_device(&person).await;
    let device = Device::new(person, &directory.path().join("home"));
    device.run(Some("one")).await.unwrap();
    let memory = device.home.memory().unwrap().unwrap();
    let mut damaged = memory.clone();
    damaged[80] ^= 1;
    for wrong in [other.memory.clone(), damaged, Vec::new()] {
        device.restore(&wrong);
        let error = device.run(Some("two")).await.err().unwrap();
        assert!(matches!(error, ClientError::DamagedMemory), "{error:?}");
        assert_eq!(device.home.memory().unwrap().unwrap(), wrong, "it is left for its owner to look at");
    }
    device.restore(&memory);
    let space = device.run(None).await.unwrap();
    assert_eq!(names(&space), BTreeSet::from(["one".to_owned()]), "nothing was written meanwhile");
}
