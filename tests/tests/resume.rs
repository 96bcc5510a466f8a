//! A download that is cut off goes on where it was: whatever cut it, whatever the disk lost, and with no chunk fetched twice that is there.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

use nightdrop_client::{
    ClientError,
    transfer::{self, OutputPath, Source},
};
use nightdrop_envelope::space::FileRecord;
use nightdrop_tests::{
    lying::{
        Answer, Asked, Honest, Lie, Stage,
        lies::{FlipBit, on},
    },
    memory::{Person, address, patient},
    system::{RelayProcess, User, make_sample},
};
use nightdrop_wire::{endpoint::Endpoint, refusal::Refusal};
use std::{
    fs,
    path::Path,
    process::Stdio,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

const ANNA: &str = "plum orbit velvet cactus tide";

/// Gives so many chunks, and then is busy; counts what it gave.
#[derive(Clone)]
struct Stops {
    after: u32,
    given: Arc<AtomicU32>,
}

impl Lie for Stops {
    fn answer(&self, asked: &Asked, honest: Answer) -> Answer {
        if !matches!(asked.endpoint, Endpoint::GetChunk(..)) || !honest.is_success() {
            return honest;
        }
        let given = self.given.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |given| {
            (given < self.after).then_some(given + 1)
        });
        if given.is_ok() { honest } else { Answer::new(Refusal::Busy.status(), Vec::new()) }
    }
}

impl Stops {
    fn after(after: u32) -> Self {
        Self { after, given: Arc::default() }
    }

    fn given(&self) -> u32 {
        self.given.load(Ordering::Relaxed)
    }
}

async fn get(person: &Person, file: &FileRecord, path: &Path) -> Result<(), ClientError> {
    let (output, relay, limits) = (OutputPath::new(Some(path)).unwrap(), address(), patient());
    transfer::download_file(&person.transport, &relay, file, &output, &limits, Arc::new(())).await.map(drop)
}

async fn stored(person: &Person, path: &Path) -> FileRecord {
    let (credit, source) = (person.credits(1).await.unwrap().remove(0), Source::open(path, None).unwrap());
    transfer::upload(&person.transport, &address(), source, credit, &patient(), Arc::new(())).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn m27_what_arrived_before_the_line_broke_is_not_fetched_again() {
    let (stage, directory) = (Stage::set().await, tempfile::tempdir().unwrap());
    let person = stage.person().await;
    let sample = directory.path().join("sample");
    make_sample(&sample, 30 << 20).unwrap();
    let file = stored(&person, &sample).await;
    let (out, mut fetched) = (directory.path().join("out"), 0);
    for after in [1, 9, 9] {
        let stops = Stops::after(after);
        stage.liar.tell(stops.clone());
        let broken = get(&person, &file, &out).await.unwrap_err();
        assert!(matches!(broken, ClientError::RelayBusy), "{broken:?}");
        assert!(!out.exists());
        fetched += stops.given();
    }
    let rest = Stops::after(u32::MAX);
    stage.liar.tell(rest.clone());
    get(&person, &file, &out).await.unwrap();
    assert!(fs::read(&out).unwrap() == fs::read(&sample).unwrap());
    let chunks = nightdrop_envelope::layout::Layout::of_size(30 << 20).unwrap().chunks();
    fetched += rest.given();
    // A chunk that came when its stream was ended is fetched again: at most one for each stream of each run that was cut off.
    let limits = patient();
    let streams = u32::try_from(limits.most_lanes * limits.streams_per_lane).unwrap();
    assert!((chunks..=chunks + 3 * streams).contains(&fetched), "{fetched} for {chunks}");
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 2, "nothing else is left");
}

/// What a liar gave ends the download and leaves nothing, also of what was right before.
#[tokio::test(flavor = "multi_thread")]
async fn m15_after_a_lie_nothing_is_kept() {
    let (stage, directory) = (Stage::set().await, tempfile::tempdir().unwrap());
    let person = stage.person().await;
    let sample = directory.path().join("sample");
    make_sample(&sample, 5 << 20).unwrap();
    let file = stored(&person, &sample).await;
    stage.liar.tell(on(|endpoint| matches!(endpoint, Endpoint::GetChunk(_, 4)), FlipBit(99)));
    let lied = get(&person, &file, &directory.path().join("out")).await.unwrap_err();
    assert!(matches!(lied, ClientError::Tampered(_)), "{lied:?}");
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    stage.liar.tell(Honest);
    get(&person, &file, &directory.path().join("out")).await.unwrap();
}

/// The client, killed at any moment, five times in one download.
#[test]
fn a_download_that_is_killed_again_and_again_completes() {
    const SIZE: u64 = 64 << 20;
    let directory = tempfile::tempdir().unwrap();
    let relay = RelayProcess::start(&directory.path().join("relay")).unwrap();
    let anna = User::new(&directory.path().join("anna"), ANNA).unwrap();
    let invite = relay.invite().unwrap();
    anna.run_json(&["register", relay.address(), "--invite", &invite]).unwrap();
    make_sample(&anna.directory().join("sample"), SIZE).unwrap();
    anna.run_json(&["put", "sample"]).unwrap();
    let journal = || {
        let entries = fs::read_dir(anna.directory()).unwrap().map(|entry| entry.unwrap());
        let mut journals = entries.filter(|entry| entry.file_name().to_string_lossy().ends_with(".journal"));
        journals.next().map_or(0, |journal| journal.metadata().unwrap().len() / 28)
    };
    let (began, mut last) = (Instant::now(), 0);
    for kill in 1..=5_u64 {
        let mut child = anna.command(&["get", "sample", "-o", "back"]).unwrap();
        let mut child = child.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        // Somewhat further each time, so that each run has to go on.
        let end = Instant::now() + Duration::from_secs(120);
        while journal() < kill * 10 {
            assert!(Instant::now() < end && child.try_wait().unwrap().is_none(), "it goes on from {last}");
            std::thread::sleep(Duration::from_millis(5));
        }
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(!anna.directory().join("back").exists());
        let now = journal();
        assert!(now >= last, "{now} chunks after {last}");
        last = now;
    }
    anna.run_json(&["get", "sample", "-o", "back"]).unwrap();
    let [back, sample] = ["back", "sample"].map(|name| fs::read(anna.directory().join(name)).unwrap());
    assert!(back == sample);
    assert_eq!(journal(), 0);
    eprintln!("{last} of 72 chunks were there before the last run; {:?} in all", began.elapsed());
}
