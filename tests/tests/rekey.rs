//! Rekey: with everything that a stolen device held, nothing that is written afterwards can be read, added or destroyed; and a rekey
//! that is cut off anywhere loses nothing. Each right that is taken away is first seen to be there.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, missing_docs)]

use bytes::Bytes;
use nightdrop_client::{
    ClientError, ExitCode,
    account::{self, NextKeyring, RecoveryWish, Rekeyed, Rekeying, Session},
    relay::{RelayLane, RequestError},
    renewal::renew_carried,
    space::HomeSpace,
    transfer::{self, OutputPath},
};
use nightdrop_envelope::{
    capability::{BlobCapabilities, hash_token},
    comparison::comparison_code,
    key::{FileKey, MasterKey},
    keyring::Keyring,
    link::FileLink,
    master_key::{encryption_key, open_master_key},
    space::{FileRecord, HomeKeys, Operation, Replay, SpacePath, TicketRecord},
};
use nightdrop_login::{
    LoginContext,
    client::ClientLogin,
    password::{AccountKey, Password},
};
use nightdrop_tests::{
    lying::{
        Answer, Asked, Honest, Lie, Stage,
        lies::{KeptLog, Refuse, Swallow, on},
    },
    memory::{Drawing, Empty, MemoryTransport, PASSWORD, Person, address, patient},
    uploads,
};
use nightdrop_wire::{
    authorization::Authorization,
    codec,
    endpoint::Endpoint,
    limits::MAX_ENTRIES_BODY,
    messages::{
        account::{LoggedIn, LoginFinish, LoginStart, LoginStarted},
        blob::RenewBlob,
        log::{LogHead, LogPage},
    },
    refusal::Refusal,
    token::TokenHash,
};
use rand08::rngs::OsRng;
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

type Lane = RelayLane<MemoryTransport>;
type Space = HomeSpace<MemoryTransport>;

/// A device: its session, its home space, what it remembers.
struct Device {
    session: Session<MemoryTransport>,
    space: Space,
    memory: Vec<u8>,
}

impl Device {
    async fn open(person: &Person, memory: Option<&[u8]>) -> Result<Self, ClientError> {
        let session = person.log_in().await?;
        let kept = session.open_memory(memory)?;
        let keys = session.keyring().home_keys();
        let space = HomeSpace::open(&person.transport, &address(), keys, kept.home_head, &patient()).await?;
        let memory = session.seal_memory(kept, space.head())?;
        Ok(Self { session, space, memory })
    }

    /// The first device of a person, with so many files, the first of which is shared by a link.
    async fn with_files(person: &Person, count: usize) -> (Self, FileLink) {
        let mut device = Self::open(person, Some(&person.memory)).await.unwrap();
        let credit = device.session.fetch_credits(uploads::ONE).await.unwrap();
        device.space.create(credit.into()).await.unwrap();
        let mut link = None;
        for n in 0..count {
            let (file, first) = stored(person, &format!("file {n}")).await;
            device.put(&format!("docs/{n}"), &file).await;
            if n == 0 {
                let ticket = ticket(person, &file).await;
                let share = Operation::Share { path: path("docs/0"), ticket: ticket.clone() };
                device.space.append(&Empty, |_| Ok(vec![share.clone()])).await.unwrap();
                link = Some(ticket.link(&address()));
            }
            drop(first);
        }
        (device, link.unwrap())
    }

    async fn put(&mut self, name: &str, file: &FileRecord) {
        let put = Operation::PutFile { path: path(name), file: Box::new(file.clone()) };
        self.space.append(&Empty, |_| Ok(vec![put.clone()])).await.unwrap();
    }

    /// What the command does once all sessions have ended.
    async fn rekey(&mut self, person: &Person) -> Result<Rekeyed, ClientError> {
        let (password, wish, limits) = (Password::new(PASSWORD), RecoveryWish::Replace, patient());
        let Self { session, space, memory } = self;
        let transport = &person.transport;
        let next = NextKeyring::after(session)?;
        let purse = Drawing::of(session);
        let rekeying = Rekeying::prepare(transport, next, space, &password, &purse, &limits).await?;
        rekeying.close(space, &purse).await?;
        *memory = session.seal_memory(session.open_memory(Some(memory))?, space.head())?;
        let rekeyed = rekeying.finish(transport, space, &password, wish, &Empty, &limits).await?;
        memory.clone_from(&rekeyed.memory);
        Ok(rekeyed)
    }

    async fn renew(&mut self, person: &Person) -> Result<usize, ClientError> {
        let Self { session, space, .. } = self;
        let purse = Drawing::of(session);
        let lost = renew_carried(&person.transport, &address(), space, &purse, &patient(), &()).await?;
        Ok(lost.len())
    }

    fn files(&self) -> Vec<(String, FileRecord)> {
        let files = self.space.state().files();
        files.map(|(path, file)| (path.as_str().to_owned(), file.clone())).collect()
    }
}

fn path(text: &str) -> SpacePath {
    SpacePath::parse(text).unwrap()
}

async fn stored(person: &Person, content: &str) -> (FileRecord, FileLink) {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("file");
    std::fs::write(&file, content).unwrap();
    person.put(&file).await.unwrap()
}

async fn ticket(person: &Person, file: &FileRecord) -> TicketRecord {
    transfer::make_ticket(&mut lane(person), &address(), file, transfer::TicketTerms::default())
        .await
        .unwrap()
}

fn lane(person: &Person) -> Lane {
    RelayLane::isolated(&person.transport, &address(), &patient())
}

async fn content(person: &Person, file: &FileRecord) -> Result<String, ClientError> {
    let directory = tempfile::tempdir().unwrap();
    let output = OutputPath::new(Some(&directory.path().join("out"))).unwrap();
    let (transport, limits) = (&person.transport, patient());
    let done = transfer::download_file(transport, &address(), file, &output, &limits, Arc::new(())).await?;
    Ok(std::fs::read_to_string(done.path.unwrap()).unwrap())
}

async fn content_of_link(stage: &Stage, link: &FileLink) -> Result<String, ClientError> {
    let gotten = stage.get(link).await;
    gotten.outcome.map(|done| std::fs::read_to_string(done.path.unwrap()).unwrap())
}

/// All that was on a device when it was stolen, unlocked.
struct Thief {
    session: Session<MemoryTransport>,
    master: MasterKey,
    keys: HomeKeys,
    files: Vec<(String, FileRecord)>,
    head: LogHead,
}

/// What a thief can do.
#[derive(Debug, PartialEq, Eq)]
struct Powers {
    session: bool,
    reads: bool,
    shares: bool,
    renews: bool,
    opens_keyring: bool,
    reads_list: bool,
}

const ALL: Powers =
    Powers { session: true, reads: true, shares: true, renews: true, opens_keyring: true, reads_list: true };
const NONE: Powers = Powers {
    session: false,
    reads: false,
    shares: false,
    renews: false,
    opens_keyring: false,
    reads_list: false,
};

impl Thief {
    async fn steal(person: &Person) -> Self {
        let Device { session, space, .. } = Device::open(person, None).await.unwrap();
        let files = space.state().files().map(|(path, file)| (path.as_str().to_owned(), file.clone()));
        let (files, head, keys) = (files.collect(), space.head(), session.keyring().home_keys());
        let (master, _) = handed_over(person).await;
        Self { session, master, keys, files, head }
    }

    /// Tries everything on every file, and with a relay's help on the keyring and on the newest list of files. What is tried changes nothing.
    async fn powers(&mut self, person: &Person) -> Powers {
        let mut powers = Powers {
            session: self.session.list().await.is_ok(),
            opens_keyring: self.opens_keyring(person).await,
            reads_list: self.reads_list(person).await,
            ..NONE
        };
        for (_, file) in &self.files {
            powers.reads |= content(person, file).await.is_ok();
            powers.shares |=
                transfer::make_ticket(&mut lane(person), &address(), file, transfer::TicketTerms::default())
                    .await
                    .is_ok();
            // To what it is: a power, and no change.
            let same = RenewBlob {
                read_token: hash_token(&file.read_token),
                write_key: hash_token(&file.write_key),
                tickets: Vec::new(),
            };
            powers.renews |= renew_as(person, file, &same).await.is_ok();
        }
        powers
    }

    async fn opens_keyring(&self, person: &Person) -> bool {
        let (_, sealed) = handed_over(person).await;
        Keyring::open(&sealed, &self.master, &address(), person.code.account()).is_ok()
    }

    /// The owner's log, as the relay would give it to an accomplice.
    async fn reads_list(&self, person: &Person) -> bool {
        let entries = newest_log(person).await;
        let mut replay = Replay::new(self.keys.clone(), None);
        entries.iter().all(|entry| replay.advance(entry).is_ok())
    }
}

async fn renew_as(person: &Person, file: &FileRecord, message: &RenewBlob) -> Result<(), RequestError> {
    let authorization = Authorization::Bearer(file.write_key.clone());
    lane(person).tell(Endpoint::RenewBlob(file.blob), Some(&authorization), message).await
}

/// What the relay keeps of the account, as a login with the password gets it, and the master key in it.
async fn handed_over(person: &Person) -> (MasterKey, nightdrop_wire::messages::account::Keyring) {
    let (account, password) = (person.code.account(), Password::new(PASSWORD));
    let key = || AccountKey::from_bytes(*person.code.secret_account_key());
    let (state, request) = ClientLogin::start(&password, &key(), &mut OsRng).unwrap();
    let mut lane = lane(person);
    let start = LoginStart { account, request };
    let started: LoginStarted = lane.call(Endpoint::LoginStart, None, &start).await.unwrap();
    let context = LoginContext::new(&address());
    let (finalization, export) = state.finish(&started.response, &account, &context, &mut OsRng).unwrap();
    let finish = LoginFinish { login: started.login, finalization };
    let got: LoggedIn = lane.call(Endpoint::LoginFinish, None, &finish).await.unwrap();
    let encryption = encryption_key(export.secret_bytes());
    let master = open_master_key(&got.master_key, &encryption, &address(), account).unwrap();
    (master, got.keyring)
}

/// The entries of the home space that the account has now, as the relay has them.
async fn newest_log(person: &Person) -> Vec<Vec<u8>> {
    let keys = person.log_in().await.unwrap().keyring().home_keys();
    let authorization = Authorization::Bearer(keys.read_token().clone());
    let endpoint = Endpoint::ReadLog(keys.space(), 0);
    let body = lane(person).exchange(endpoint, Some(&authorization), Bytes::new(), MAX_ENTRIES_BODY).await;
    let page: LogPage = codec::decode(&body.unwrap()).unwrap();
    assert_eq!(page.entries.len() as u64, page.head.count);
    page.entries.into_iter().map(serde_bytes::ByteBuf::into_vec).collect()
}

#[tokio::test]
async fn with_all_that_a_stolen_device_held_nothing_written_afterwards_is_read_added_or_destroyed() {
    let stage = Stage::set().await;
    let person = stage.person().await;
    let (mut device, link) = Device::with_files(&person, 3).await;
    let mut thief = Thief::steal(&person).await;
    assert_eq!(thief.powers(&person).await, ALL, "what is to be taken away is there");

    let rekeyed = device.rekey(&person).await.unwrap();
    assert_eq!(rekeyed.files, 3);
    assert_eq!(rekeyed.access.code.secret_text(), person.code.secret_text());
    let mut device = Device::open(&person, Some(&device.memory)).await.unwrap();
    assert_eq!(device.renew(&person).await.unwrap(), 0);
    assert_eq!(device.space.state().renewing().count(), 0);
    let (later, _) = stored(&person, "later").await;
    device.put("later", &later).await;
    assert_eq!(thief.powers(&person).await, NONE);

    // To the old list anything can be added; nobody looks there any more.
    let (relay, limits, keys) = (address(), patient(), thief.keys.clone());
    let old = HomeSpace::open(&person.transport, &relay, keys, Some(thief.head), &limits).await;
    let mut old = old.unwrap();
    assert_eq!(old.state().closed_for(), Some(2));
    let put = Operation::PutFile { path: path("planted"), file: Box::new(later.clone()) };
    let refused = old.append(&Empty, |_| Ok(vec![put.clone()])).await;
    assert!(matches!(refused, Err(ClientError::Closed { next: 2 })), "{refused:?}");

    let device = Device::open(&person, Some(&device.memory)).await.unwrap();
    let names: Vec<String> = device.files().into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["docs/0", "docs/1", "docs/2", "later"]);
    for (n, (_, file)) in device.files().iter().take(3).enumerate() {
        assert_eq!(content(&person, file).await.unwrap(), format!("file {n}"));
    }
    assert_eq!(content_of_link(&stage, &link).await.unwrap(), "file 0", "links stay");
    let listed = device.space.state().file(&path("docs/0")).unwrap().tickets.clone();
    assert_eq!(listed.len(), 1);
    let write_key = &device.space.state().file(&path("docs/0")).unwrap().write_key;
    transfer::end_ticket(&mut lane(&person), listed[0].id(), write_key).await.unwrap();
    assert!(matches!(content_of_link(&stage, &link).await, Err(ClientError::LinkEnded)));
}

/// He lists what no device would, and makes tickets that nobody listed: neither keeps the owner from a rekey, nor outlives it.
#[tokio::test]
async fn what_a_thief_plants_before_keeps_nobody_from_a_rekey() {
    let stage = Stage::set().await;
    let person = stage.person().await;
    let (mut device, link) = Device::with_files(&person, 2).await;
    let thief = Thief::steal(&person).await;
    let planted = ticket(&person, &thief.files[1].1).await.link(&address());
    assert_eq!(content_of_link(&stage, &planted).await.unwrap(), "file 1");
    let invented = FileRecord::new(
        BlobCapabilities::generate(&mut rand::rng()),
        &FileKey::from_bytes([1; 32]),
        [1; 32],
        1,
        None,
        [1; 32],
        u32::MAX,
    );
    device.put("invented", &invented).await;
    device.space.append(&Empty, |_| Ok(vec![Operation::Remove { path: path("invented") }])).await.unwrap();

    let rekeyed = device.rekey(&person).await.unwrap();
    assert_eq!((rekeyed.files, rekeyed.left), (2, 1));
    let mut device = Device::open(&person, Some(&device.memory)).await.unwrap();
    assert_eq!(device.renew(&person).await.unwrap(), 0);
    assert!(matches!(content_of_link(&stage, &planted).await, Err(ClientError::LinkEnded)));
    assert_eq!(content_of_link(&stage, &link).await.unwrap(), "file 0", "what is listed stays");
}

#[tokio::test]
async fn the_recovery_phrase_from_before_opens_nothing_and_the_new_one_does() {
    let stage = Stage::set().await;
    let person = stage.person().await;
    let (mut device, _) = Device::with_files(&person, 1).await;
    let phrase = device.rekey(&person).await.unwrap().access.recovery.unwrap();
    let new = Password::new("walnut ferry cobalt lantern moss");
    let recover =
        async |phrase| account::recover(&person.transport, &address(), phrase, &new, &patient()).await;
    let refused = recover(&person.recovery).await;
    assert!(matches!(refused, Err(ClientError::PhraseRefused)), "{refused:?}");
    let code = recover(&phrase).await.unwrap().code;
    let session = account::log_in(&person.transport, &code, &new, &patient()).await.unwrap();
    assert_eq!(session.keyring().version(), 2);
}

/// Each has seen the other's files, and none has to be told.
#[tokio::test]
async fn another_device_goes_on_with_what_it_remembers() {
    let stage = Stage::set().await;
    let person = stage.person().await;
    let (mut device, _) = Device::with_files(&person, 2).await;
    let other = Device::open(&person, None).await.unwrap();
    device.rekey(&person).await.unwrap();
    let mut other = other;
    let refused = other.session.fetch_credits(uploads::ONE).await;
    assert!(matches!(refused, Err(ClientError::SessionEnded)), "{refused:?}");
    other.space.refresh().await.unwrap();
    assert_eq!(other.space.state().closed_for(), Some(2));

    let mut other = Device::open(&person, Some(&other.memory)).await.unwrap();
    other.renew(&person).await.unwrap();
    assert_eq!(other.files().len(), 2);
    // Its memory is of the new list, and notices an older one.
    let kept = other.session.open_memory(Some(&other.memory)).unwrap();
    assert_eq!((kept.keyring_version, kept.home_head.map(|head| head.count > 0)), (2, Some(true)));

    // Several rekeys later, too.
    for _ in 0..2 {
        Device::open(&person, None).await.unwrap().rekey(&person).await.unwrap();
    }
    let late = Device::open(&person, Some(&other.memory)).await.unwrap();
    assert_eq!((late.session.keyring().version(), late.files().len()), (4, 2));
}

/// A relay that says that it did everything, and did nothing: the device that ran the rekey does not believe it, and neither does one that has
/// seen what followed.
#[tokio::test]
async fn m28_a_relay_that_goes_back_behind_a_rekey_is_noticed() {
    let stage = Stage::set().await;
    let person = stage.person().await;
    let (mut device, _) = Device::with_files(&person, 1).await;
    let changes = |endpoint: &Endpoint| matches!(endpoint, Endpoint::ChangeFinish);
    stage.liar.tell(on(changes, Swallow(200)));
    device.rekey(&person).await.unwrap();
    stage.liar.tell(Honest);
    let noticed = Device::open(&person, Some(&device.memory)).await.err().unwrap();
    assert!(matches!(noticed, ClientError::OlderKeyring { seen: 2, given: 1 }), "{noticed:?}");
    assert_eq!(noticed.explanation().exit, ExitCode::Tampered);

    // One that closes the list, and then serves it as it was.
    let person = stage.person().await;
    let (mut device, _) = Device::with_files(&person, 1).await;
    let keys = device.session.keyring().home_keys();
    let before = newest_log(&person).await;
    stage.liar.tell(on(changes, Swallow(404)));
    assert!(matches!(device.rekey(&person).await, Err(ClientError::ChangeRefused)));
    stage.liar.tell(KeptLog::serving(keys.space(), before));
    let noticed = Device::open(&person, Some(&device.memory)).await.err().unwrap();
    assert!(matches!(noticed, ClientError::Chain(_)), "{noticed:?}");
}

/// Wherever it is cut off: the list can be read, nothing is lost, and running it again finishes it.
#[tokio::test]
async fn a_rekey_that_the_relay_does_not_finish_is_run_again() {
    let stage = Stage::set().await;
    let person = stage.person().await;
    let (mut device, _) = Device::with_files(&person, 2).await;
    let begins = |endpoint: &Endpoint| matches!(endpoint, Endpoint::CreateLog);
    let appends = |endpoint: &Endpoint| matches!(endpoint, Endpoint::AppendLog(_));
    let changes = |endpoint: &Endpoint| matches!(endpoint, Endpoint::ChangeFinish);
    let cuts: [(&str, Box<dyn Lie>); 3] = [
        ("the end of the old list", Box::new(on(appends, Swallow(503)))),
        ("the new list", Box::new(on(begins, Refuse(Refusal::Full)))),
        ("the change", Box::new(on(changes, Swallow(404)))),
    ];
    for (which, cut) in cuts {
        stage.liar.tell(cut);
        let failed = device.rekey(&person).await;
        stage.liar.tell(Honest);
        assert!(failed.is_err(), "{which}: {failed:?}");
        device = Device::open(&person, Some(&device.memory)).await.unwrap();
        assert_eq!(device.session.keyring().version(), 1, "{which}");
        assert_eq!(device.files().len(), 2, "{which}");
    }
    // What the list was closed for shows that there is, or should be, a newer keyring (M49); nothing is written meanwhile.
    assert_eq!(device.space.state().closed_for(), Some(2));
    let refused = device.space.append(&Empty, |_| Ok(vec![Operation::Remove { path: path("docs/0") }])).await;
    let refused = refused.unwrap_err();
    assert!(matches!(refused, ClientError::Closed { next: 2 }), "{refused:?}");
    assert_eq!(refused.explanation().exit, ExitCode::Tampered);

    device.rekey(&person).await.unwrap();
    let mut device = Device::open(&person, Some(&device.memory)).await.unwrap();
    assert_eq!((device.session.keyring().version(), device.renew(&person).await.unwrap()), (2, 0));
    for (n, (_, file)) in device.files().iter().enumerate() {
        assert_eq!(content(&person, file).await.unwrap(), format!("file {n}"));
    }
}

/// Renews honestly as often as it says, and then breaks: before the relay hears, or after.
struct Breaks {
    left: AtomicUsize,
    after: bool,
}

impl Lie for Breaks {
    fn ask(&self, asked: &Asked) -> Asked {
        let renewing = matches!(asked.endpoint, Endpoint::RenewBlob(_));
        if renewing && !self.after && self.left.load(Ordering::Relaxed) == 0 {
            return Asked::plain(Endpoint::EndSessions);
        }
        asked.clone()
    }

    fn answer(&self, asked: &Asked, honest: Answer) -> Answer {
        if !matches!(asked.endpoint, Endpoint::RenewBlob(_)) {
            return honest;
        }
        let left = self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
        if left.is_ok() { honest } else { Answer::new(Refusal::Busy.status(), Vec::new()) }
    }
}

#[tokio::test]
async fn renewing_that_is_cut_off_anywhere_is_gone_on_with() {
    const FILES: usize = 4;
    let stage = Stage::set().await;
    for after in [false, true] {
        let person = stage.person().await;
        let (mut device, _) = Device::with_files(&person, FILES).await;
        device.rekey(&person).await.unwrap();
        for left in [0, 1, 0] {
            let mut device = Device::open(&person, None).await.unwrap();
            stage.liar.tell(Breaks { left: AtomicUsize::new(left), after });
            let broken = device.renew(&person).await;
            stage.liar.tell(Honest);
            assert!(matches!(broken, Err(ClientError::RelayBusy)), "{broken:?}");
        }
        let mut device = Device::open(&person, None).await.unwrap();
        assert!(device.space.state().renewing().count() > 0, "there is something left to do");
        assert_eq!(device.renew(&person).await.unwrap(), 0);
        for (n, (_, file)) in device.files().iter().enumerate() {
            assert_eq!(content(&person, file).await.unwrap(), format!("file {n}"));
        }
    }
}

/// A thief may be faster; then the owner is told which files are affected, and the others are safe.
#[tokio::test]
async fn what_a_thief_destroyed_or_took_over_before_is_told() {
    let stage = Stage::set().await;
    let person = stage.person().await;
    let (mut device, _) = Device::with_files(&person, 3).await;
    let thief = Thief::steal(&person).await;
    device.rekey(&person).await.unwrap();
    let (destroyed, taken) = (&thief.files[0].1, &thief.files[1].1);
    transfer::destroy(&mut lane(&person), destroyed.blob, &destroyed.write_key).await.unwrap();
    let his = RenewBlob {
        read_token: TokenHash::from_bytes([1; 32]),
        write_key: TokenHash::from_bytes([2; 32]),
        tickets: Vec::new(),
    };
    renew_as(&person, taken, &his).await.unwrap();

    let mut device = Device::open(&person, None).await.unwrap();
    assert_eq!(device.renew(&person).await.unwrap(), 2);
    let files = device.files();
    for n in [0, 1] {
        let withheld = content(&person, &files[n].1).await;
        assert!(matches!(withheld, Err(ClientError::Withheld)), "{withheld:?}");
        assert!(device.space.state().lost().any(|(lost, _)| lost == files[n].1.blob));
        assert!(device.space.state().held(files[n].1.blob).is_some(), "what may still open it is kept");
    }
    assert!(device.space.state().held(files[2].1.blob).is_none());
    assert_eq!(content(&person, &files[2].1).await.unwrap(), "file 2");
    assert_eq!(device.renew(&person).await.unwrap(), 0, "told once");
}

/// What a new device shows differs from what another one shows, when the relay sets one of them back.
#[tokio::test]
async fn m49_the_comparison_code_tells_an_older_state_from_a_newer_one() {
    let stage = Stage::set().await;
    let person = stage.person().await;
    let (mut device, _) = Device::with_files(&person, 1).await;
    let code =
        |device: &Device| comparison_code(device.session.keyring().version(), device.space.state_hash());
    let before = code(&device);
    let (file, _) = stored(&person, "more").await;
    device.put("more", &file).await;
    let new = Device::open(&person, None).await.unwrap();
    assert_eq!(code(&new), code(&device), "two devices that see the same show the same");

    // A relay that withholds the newest entry from a device without memory.
    let keys = new.session.keyring().home_keys();
    let entries = newest_log(&person).await;
    let older = KeptLog::serving(keys.space(), entries[..entries.len() - 1].to_vec());
    stage.liar.tell(older);
    let set_back = Device::open(&person, None).await.unwrap();
    assert_eq!(code(&set_back), before);
    assert_ne!(code(&set_back), code(&device));
    // What it adds itself changes nothing of the code, so it cannot look for a log that gives the right one.
    let padded = [&entries[..entries.len() - 1], &[vec![7; 512]]].concat();
    stage.liar.tell(KeptLog::serving(keys.space(), padded));
    let padded = Device::open(&person, None).await.unwrap();
    assert_eq!((code(&padded), padded.space.reports().1), (before.clone(), 1));
    let noticed = Device::open(
        &person,
        Some(&device.session.seal_memory(Default::default(), device.space.head()).unwrap()),
    )
    .await;
    assert!(matches!(noticed.err(), Some(ClientError::Chain(_))), "a device with memory notices by itself");
}
