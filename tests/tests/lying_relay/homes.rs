//! One attack on the reader of a home space, carried out on devices and on readers that lack checks.

use nightdrop_client::{ClientError, ExitCode};
use nightdrop_envelope::{
    capability::BlobCapabilities,
    key::FileKey,
    space::{ChainError, FileRecord, Operation, SpacePath},
};
use nightdrop_tests::{
    lying::{
        Asked, Honest, Lie, Stage,
        lies::KeptLog,
        naive::{self, Check, NaiveHome, OpenHome, Stopped},
        speak,
    },
    memory::{Device, Person, address},
};
use nightdrop_wire::{
    codec,
    endpoint::Endpoint,
    messages::log::{Append, LogHead, LogPage},
};
use serde_bytes::ByteBuf;

pub(crate) fn path(text: &str) -> SpacePath {
    SpacePath::parse(text).unwrap()
}

/// Lists a file; what its blob is does not matter to a log.
pub(crate) fn put(at: &str) -> Operation {
    let capabilities = BlobCapabilities::generate(&mut rand::rng());
    let file =
        FileRecord::new(capabilities, &FileKey::from_bytes([1; 32]), [2; 32], 10, None, [3; 32], u32::MAX);
    Operation::PutFile { path: path(at), file: Box::new(file) }
}

pub(crate) fn rename(from: &str, to: &str) -> Operation {
    Operation::Move { from: path(from), to: path(to) }
}

pub(crate) fn remove(at: &str) -> Operation {
    Operation::Remove { path: path(at) }
}

pub(crate) fn reading(endpoint: &Endpoint) -> bool {
    matches!(endpoint, Endpoint::ReadLog(..))
}

pub(crate) fn appending(endpoint: &Endpoint) -> bool {
    matches!(endpoint, Endpoint::AppendLog(_))
}

/// The client finds this wrong with the history.
pub(crate) fn chain(expected: ChainError) -> impl Fn(&ClientError) -> bool {
    move |error| matches!(error, ClientError::Chain(found) if *found == expected)
}

/// Whose reading is attacked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reader {
    /// The device that wrote the log.
    Remembers,
    /// One that never read it.
    New,
}

/// Somebody with a home space, whose secrets are in the open.
pub(crate) struct Scene {
    pub(crate) stage: Stage,
    pub(crate) person: Person,
    /// Where the account was made.
    pub(crate) device: Device,
    pub(crate) keys: OpenHome,
}

impl Scene {
    /// A home space with these operations after its first entry.
    pub(crate) async fn set(operations: Vec<Operation>) -> Self {
        let stage = Stage::set().await;
        let person = stage.person().await;
        let mut device = Device::first(&person).await;
        device.create().await.unwrap();
        device.append(operations).await.unwrap();
        let account = naive::log_in(&stage.transport, &person.code, &[]).await.unwrap();
        Self { keys: OpenHome::of(&account), stage, person, device }
    }

    /// What the honest relay has.
    pub(crate) async fn log(&self) -> Vec<Vec<u8>> {
        self.stage.liar.tell(Honest);
        let mut entries = Vec::new();
        loop {
            let endpoint = Endpoint::ReadLog(self.keys.space, entries.len() as u64);
            let asked = Asked { authorization: Some(self.keys.reading()), ..Asked::plain(endpoint) };
            let exchange = speak(self.stage.transport.stream(&address()).unwrap(), &asked).await;
            let page: LogPage = codec::decode(&exchange.body).unwrap();
            if page.entries.is_empty() {
                return entries;
            }
            entries.extend(page.entries.into_iter().map(ByteBuf::into_vec));
        }
    }

    /// These entries in place of the honest log, with a head that fits them.
    pub(crate) fn serving(&self, entries: Vec<Vec<u8>>) -> KeptLog {
        KeptLog::serving(self.keys.space, entries)
    }

    /// Appends an entry to the honest log, as whoever heard the append token can: the relay, at least.
    pub(crate) async fn plant(&self, entry: Vec<u8>) {
        let expected = KeptLog::head(self.keys.space, &self.log().await);
        let append = Append { expected, entries: vec![ByteBuf::from(entry)] };
        let asked = Asked {
            endpoint: Endpoint::AppendLog(self.keys.space),
            authorization: Some(self.keys.appending()),
            body: codec::encode(&append).unwrap(),
        };
        let exchange = speak(self.stage.transport.stream(&address()).unwrap(), &asked).await;
        assert_eq!(exchange.status, 200);
    }

    /// What a reader takes for the files that lacks these checks.
    pub(crate) async fn naive(
        &self,
        lie: impl Lie,
        remembered: Option<LogHead>,
        without: &[Check],
    ) -> Result<NaiveHome, Stopped> {
        self.stage.liar.tell(lie);
        naive::read_home(&self.stage.transport, &self.keys, remembered, without).await
    }

    /// The device fails as expected under a lie, and succeeds without it.
    pub(crate) async fn expect_caught(
        &mut self,
        reader: Reader,
        lie: impl Lie,
        expected: impl Fn(&ClientError) -> bool,
    ) {
        let mut new;
        self.stage.liar.tell(Honest);
        let device = match reader {
            Reader::Remembers => &mut self.device,
            Reader::New => {
                new = Device::another(&self.person).await;
                &mut new
            }
        };
        self.stage.liar.tell(lie);
        let error = device.open().await.expect_err("the lie is caught");
        assert!(expected(&error), "{error:?}");
        assert_eq!(error.explanation().exit, ExitCode::Tampered);
        self.stage.liar.tell(Honest);
        device.open().await.unwrap();
    }

    /// The same, and it is exactly these checks that stand against the lie: a reader without them takes something else for the
    /// files, and each one of them alone would have stopped it.
    pub(crate) async fn expect_caught_by<L: Lie>(
        &mut self,
        reader: Reader,
        lie: impl Fn() -> L,
        expected: impl Fn(&ClientError) -> bool,
        checks: &[Check],
    ) {
        self.expect_caught(reader, lie(), expected).await;
        let head = KeptLog::head(self.keys.space, &self.log().await);
        let remembered = (reader == Reader::Remembers).then_some(head);
        let honest = self.naive(Honest, remembered, &[]).await.unwrap();
        assert!(self.naive(lie(), remembered, &[]).await.is_err(), "a whole reader finds it");
        for alone in checks {
            let others: Vec<Check> = checks.iter().copied().filter(|check| check != alone).collect();
            let stopped = self.naive(lie(), remembered, &others).await;
            assert!(stopped.is_err() || stopped.as_ref().unwrap().files == honest.files, "{alone:?} alone");
        }
        let fooled = self.naive(lie(), remembered, checks).await;
        assert!(matches!(&fooled, Ok(taken) if *taken != honest), "the lie has an effect: {fooled:?}");
    }

    /// Paths that a device lists, and what it reports.
    pub(crate) async fn listed(device: &mut Device) -> (Vec<String>, Vec<(u64, String)>) {
        let home = device.open().await.unwrap();
        let files = home.state().files().map(|(path, _)| path.as_str().to_owned()).collect();
        let reports = home.reports().0.iter().map(|report| (report.sequence, report.fault.to_string()));
        (files, reports.collect())
    }
}
