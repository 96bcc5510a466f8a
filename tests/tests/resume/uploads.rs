//! Uploads that are cut off, over an honest relay: what is sent again, and what is not.

use crate::cut::{Sent, Stops};
use nightdrop_client::{
    ClientError,
    transfer::{self, Journals, OutputPath, Source, Stored},
};
use nightdrop_envelope::{journal::JournalKey, key::MemoryKey, layout::Layout, space::FileRecord};
use nightdrop_tests::{
    lying::{
        Answer, Asked, Honest, Lie, Stage,
        lies::{Refuse, Say, Swallow, on, once},
    },
    memory::{Person, address, patient},
    system::make_sample,
    uploads,
};
use nightdrop_wire::{endpoint::Endpoint, refusal::Refusal};
use rand::RngExt;
use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use tempfile::TempDir;

const MIB: u64 = 1 << 20;

/// Somebody with a file.
pub(crate) struct Scene {
    pub(crate) stage: Stage,
    pub(crate) person: Person,
    pub(crate) directory: TempDir,
    pub(crate) path: PathBuf,
}

impl Scene {
    pub(crate) async fn set(size: u64) -> Self {
        let (stage, directory) = (Stage::set().await, tempfile::tempdir().unwrap());
        let path = directory.path().join("sample");
        make_sample(&path, size).unwrap();
        let person = stage.person().await;
        Self { stage, person, directory, path }
    }

    pub(crate) fn source(&self) -> Source {
        Source::open(&self.path, None).unwrap()
    }

    pub(crate) async fn put(&self) -> Result<FileRecord, ClientError> {
        self.person.store(self.source()).await
    }

    /// Up to where it would be listed.
    async fn put_unlisted(&self, journals: &Journals) -> Result<Stored, ClientError> {
        let credit = self.person.credits(1).await.unwrap().remove(0);
        let (relay, limits) = (address(), patient());
        let way = (&self.person.transport, &relay, &limits);
        uploads::store_unlisted(way, journals, self.source(), credit, Arc::new(())).await
    }

    /// Cut off after so many chunks.
    pub(crate) async fn put_until(&self, chunks: u32) {
        self.stage.liar.tell(Stops::after(chunks));
        let cut = self.put().await.unwrap_err();
        assert!(matches!(cut, ClientError::RelayBusy), "{cut:?}");
        self.stage.liar.tell(Honest);
        assert_eq!(self.unfinished(), 1);
    }

    pub(crate) fn unfinished(&self) -> usize {
        transfer::unfinished(&self.person.journals()).unwrap().len()
    }

    /// The bytes of the only journal, when nobody writes it any more.
    pub(crate) fn journal(&self) -> Vec<u8> {
        while transfer::unfinished(&self.person.journals()).unwrap()[0].is_running() {
            std::thread::sleep(Duration::from_millis(1));
        }
        let journals = fs::read_dir(self.person.directory.path().join("transfers"));
        fs::read(journals.unwrap().next().unwrap().unwrap().path()).unwrap()
    }

    pub(crate) async fn get(&self, file: &FileRecord) -> Result<Vec<u8>, ClientError> {
        let out = self.directory.path().join("out");
        let output = OutputPath::new(Some(&out)).unwrap();
        let (relay, limits) = (address(), patient());
        let (transport, progress) = (&self.person.transport, Arc::new(()));
        transfer::download_file(transport, &relay, file, &output, &limits, progress).await?;
        let content = fs::read(&out).unwrap();
        fs::remove_file(&out).unwrap();
        Ok(content)
    }

    pub(crate) async fn expect(&self, file: &FileRecord) {
        assert!(self.get(file).await.unwrap() == fs::read(&self.path).unwrap());
        assert_eq!(self.unfinished(), 0);
    }

    /// What clients asked for since the last call.
    pub(crate) fn sent(&self) -> Sent {
        let mut sent = Sent::default();
        sent.add(self.stage.liar.take_asked());
        sent
    }
}

pub(crate) fn chunks(size: u64) -> usize {
    usize::try_from(Layout::of_size(size).unwrap().chunks()).unwrap()
}

/// Chunks that one command has on their way at most.
fn in_flight() -> usize {
    patient().most_lanes * patient().streams_per_lane
}

#[tokio::test(flavor = "multi_thread")]
async fn c08_what_was_stored_before_the_line_broke_is_not_sent_again() {
    let scene = Scene::set(30 * MIB).await;
    let _ = scene.sent();
    for after in [1, 9, 9] {
        scene.put_until(after).await;
    }
    let file = scene.put().await.unwrap();
    let sent = scene.sent();
    scene.expect(&file).await;
    assert_eq!((sent.created, sent.destroyed.len()), (1, 0));
    assert_eq!(sent.blobs().into_iter().collect::<Vec<_>>(), [file.blob]);
    sent.assert_no_nonce_twice();
    // What was on its way when it was cut off may have come, and its answer not; each is asked for as often as one request is tried.
    let most = chunks(30 * MIB) + 3 * in_flight() * patient().attempts as usize;
    assert!((chunks(30 * MIB)..=most).contains(&sent.count()), "{}", sent.count());
}

/// As a process that is killed: nothing of it runs any further, at random moments, five times.
#[tokio::test(flavor = "multi_thread")]
async fn c08_an_upload_that_is_dropped_at_random_moments_completes_and_no_nonce_is_used_twice() {
    let scene = Scene::set(64 * MIB).await;
    let _ = scene.sent();
    let mut sent = Sent::default();
    for _ in 0..5 {
        let (enough, before) = (rand::rng().random_range(1..12), sent.count());
        let watch = async {
            loop {
                sent.add(scene.stage.liar.take_asked());
                if sent.count() >= before + enough {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        tokio::select! {
            ended = scene.put() => panic!("it was to be cut off: {ended:?}"),
            () = watch => {}
        }
        assert_eq!(scene.unfinished(), 1);
    }
    let file = scene.put().await.unwrap();
    sent.add(scene.stage.liar.take_asked());
    scene.expect(&file).await;
    sent.assert_no_nonce_twice();
    assert_eq!((sent.created, sent.blobs().len(), sent.chunks.len()), (1, 1, chunks(64 * MIB)));
    let twice = sent.count() - chunks(64 * MIB);
    // What was on its way and not yet whole is not counted: that is nothing that the relay could have kept.
    assert!(twice * 20 <= chunks(64 * MIB), "more than 5 % was sent twice: {twice}");
    eprintln!("{twice} of {} chunks were sent twice, for 5 cuts", chunks(64 * MIB));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_changed_starts_under_a_new_key_and_blob_and_the_old_one_is_destroyed() {
    for change in ["content", "time", "inode"] {
        let scene = Scene::set(5 * MIB).await;
        scene.put_until(3).await;
        let old = scene.sent().blobs();
        let stamped = fs::metadata(&scene.path).unwrap().modified().unwrap();
        match change {
            "content" => {
                let mut content = fs::read(&scene.path).unwrap();
                content[10] ^= 1;
                // In place, and its time set back.
                fs::write(&scene.path, content).unwrap();
                fs::File::options().write(true).open(&scene.path).unwrap().set_modified(stamped).unwrap();
            }
            "time" => fs::File::options()
                .write(true)
                .open(&scene.path)
                .unwrap()
                .set_modified(stamped - Duration::from_secs(1))
                .unwrap(),
            _ => {
                let copy = scene.directory.path().join("copy");
                fs::copy(&scene.path, &copy).unwrap();
                fs::rename(&copy, &scene.path).unwrap();
            }
        }
        let file = scene.put().await.unwrap();
        let sent = scene.sent();
        assert!(!old.contains(&file.blob) && sent.destroyed == old, "{change}");
        assert_eq!(sent.of(file.blob), chunks(5 * MIB), "{change}: all of it under the new key");
        scene.expect(&file).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_began_before_a_rekey_starts_under_a_new_key_and_blob() {
    let scene = Scene::set(5 * MIB).await;
    scene.put_until(3).await;
    let old = scene.sent().blobs();
    let key = JournalKey::new(MemoryKey::from_bytes([0x5e; 32]), address(), scene.person.code.account());
    let rekeyed = Journals::new(scene.person.directory.path().join("transfers"), key, 2);
    let file = scene.put_unlisted(&rekeyed).await.unwrap().done().unwrap();
    let sent = scene.sent();
    assert!(!old.contains(&file.blob) && sent.destroyed == old && sent.of(file.blob) == chunks(5 * MIB));
    scene.expect(&file).await;
}

/// Between the relay's last word and the list: whatever of it was lost, nothing is sent again.
#[tokio::test(flavor = "multi_thread")]
async fn c08_what_was_stored_and_not_listed_is_stored_once() {
    for size in [5 * MIB, 3_000] {
        let scene = Scene::set(size).await;
        let first = scene.put_unlisted(&scene.person.journals()).await.unwrap().file().clone();
        let _ = scene.sent();
        for _ in 0..2 {
            let again = scene.put_unlisted(&scene.person.journals()).await.unwrap();
            assert_eq!((again.file().blob, again.file().manifest), (first.blob, first.manifest));
        }
        let file = scene.put().await.unwrap();
        let sent = scene.sent();
        assert_eq!((sent.count(), sent.created, sent.destroyed.len()), (0, 0, 0));
        scene.expect(&file).await;
    }
}

/// The relay did it, and its answer never came.
#[tokio::test(flavor = "multi_thread")]
async fn c08_what_was_finished_without_an_answer_is_stored_once() {
    let finishing = |endpoint: &Endpoint| matches!(endpoint, Endpoint::FinishBlob(_) | Endpoint::CreateBlob);
    for size in [5 * MIB, 3_000] {
        let scene = Scene::set(size).await;
        let is_last = move |endpoint: &Endpoint| match endpoint {
            Endpoint::FinishBlob(_) => true,
            endpoint => finishing(endpoint) && size < MIB,
        };
        scene.stage.liar.tell(on(is_last, Refuse(Refusal::Busy)));
        assert!(matches!(scene.put().await, Err(ClientError::RelayBusy)));
        let _ = scene.sent();
        scene.stage.liar.tell(Honest);
        let file = scene.put().await.unwrap();
        let sent = scene.sent();
        assert_eq!((sent.count(), sent.created, sent.destroyed.len()), (0, 0, 0));
        scene.expect(&file).await;
    }
}

/// Does not hear that a blob is to be destroyed, and says that there is none.
struct Deaf<L>(L);

impl<L> Deaf<L> {
    const NOTHING: Swallow = Swallow(Refusal::Refused.status());
}

impl<L: Lie> Lie for Deaf<L> {
    fn ask(&self, asked: &Asked) -> Asked {
        if matches!(asked.endpoint, Endpoint::DestroyBlob(_)) {
            return Self::NOTHING.ask(asked);
        }
        self.0.ask(asked)
    }

    fn answer(&self, asked: &Asked, honest: Answer) -> Answer {
        if matches!(asked.endpoint, Endpoint::DestroyBlob(_)) {
            return Self::NOTHING.answer(asked, honest);
        }
        self.0.answer(asked, honest)
    }
}

/// The one request of a small file comes only after the next run has asked for it: the second one shows the same credits, which are spent, and it is
/// found then.
#[tokio::test(flavor = "multi_thread")]
async fn c08_a_small_file_whose_first_request_comes_late_is_stored_once() {
    let scene = Scene::set(3_000).await;
    let creating = |endpoint: &Endpoint| matches!(endpoint, Endpoint::CreateBlob);
    scene.stage.liar.tell(on(creating, Refuse(Refusal::Busy)));
    assert!(matches!(scene.put().await, Err(ClientError::RelayBusy)));
    let _ = scene.sent();
    let asking = |endpoint: &Endpoint| matches!(endpoint, Endpoint::GetHead(_));
    scene.stage.liar.tell(Deaf(once(asking, Refuse(Refusal::Refused))));
    let file = scene.put().await.unwrap();
    assert_eq!(scene.sent().created, 1, "it was tried, and refused");
    scene.expect(&file).await;
    let other = Scene::set(3_000).await;
    other.stage.liar.tell(on(creating, Say(503)));
    drop(other.put().await.unwrap_err());
    other.stage.liar.tell(Deaf(on(asking, Refuse(Refusal::Refused))));
    let denied = other.put().await.unwrap_err();
    assert!(matches!(denied, ClientError::UploadRefused), "a relay that denies it for ever: {denied:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_journal_is_not_gone_on_with() {
    for at in [100, nightdrop_envelope::journal::SEALED_HEAD + 100] {
        let scene = Scene::set(5 * MIB).await;
        scene.put_until(3).await;
        let old = scene.sent().blobs();
        let journal = fs::read_dir(scene.person.directory.path().join("transfers"));
        let journal = journal.unwrap().next().unwrap().unwrap().path();
        let mut bytes = fs::read(&journal).unwrap();
        bytes[at] ^= 1;
        fs::write(&journal, bytes).unwrap();
        let file = scene.put().await.unwrap();
        let sent = scene.sent();
        assert!(!old.contains(&file.blob) && sent.of(file.blob) == chunks(5 * MIB));
        // Without the head nobody knows what to destroy.
        assert_eq!(sent.destroyed.len(), usize::from(at > 100));
        scene.expect(&file).await;
    }
}

/// The relay forgets a blob that is not finished in time, or was restored from a backup.
#[tokio::test(flavor = "multi_thread")]
async fn what_the_relay_forgot_is_stored_anew() {
    struct Forgets;
    impl Lie for Forgets {
        fn answer(&self, asked: &Asked, honest: Answer) -> Answer {
            match asked.endpoint {
                Endpoint::HeldChunks(..) => Answer::new(Refusal::Refused.status(), Vec::new()),
                _ => honest,
            }
        }
    }
    let scene = Scene::set(5 * MIB).await;
    scene.put_until(3).await;
    let old = scene.sent().blobs();
    scene.stage.liar.tell(Forgets);
    let file = scene.put().await.unwrap();
    assert!(!old.contains(&file.blob));
    scene.expect(&file).await;
}

/// A path that is named in two ways is one file.
#[tokio::test(flavor = "multi_thread")]
async fn the_same_file_by_another_path_goes_on() {
    let scene = Scene::set(5 * MIB).await;
    scene.put_until(3).await;
    let link = scene.directory.path().join("link");
    std::os::unix::fs::symlink(Path::new("sample"), &link).unwrap();
    let old = scene.sent().blobs();
    let file = scene.person.store(Source::open(&link, None).unwrap()).await.unwrap();
    assert!(old.contains(&file.blob) && scene.sent().created == 0);
    scene.expect(&file).await;
}

/// A file that is written all the time: each run would lose what it is paid with.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_paid_for_a_file_that_changed_since_it_was_read() {
    for size in [3_000, 3 * MIB] {
        let scene = Scene::set(size).await;
        let source = scene.source();
        make_sample(&scene.path, size + 1).unwrap();
        let _ = scene.sent();
        let changed = scene.person.store(source).await;
        assert!(matches!(changed, Err(ClientError::FileChanged { .. })), "{changed:?}");
        let sent = scene.sent();
        assert_eq!((sent.created, sent.destroyed.len()), (0, 0));
        assert!(!scene.person.directory.path().join("transfers").exists(), "no payment was written down");
        let file = scene.put().await.unwrap();
        scene.expect(&file).await;
    }
}
