//! The built programs through Tor: the client killed at random moments.

use nightdrop_envelope::journal::{SEALED_HEAD, SEALED_RECORD};
use nightdrop_tests::system::{RelayProcess, User, make_sample};
use rand::RngExt;
use std::{
    fs,
    process::{Child, Stdio},
    time::{Duration, Instant},
};
use tempfile::TempDir;

const ANNA: &str = "plum orbit velvet cactus tide";
const SIZE: u64 = 64 << 20;
/// Of a file of that size.
const CHUNKS: u64 = 72;
/// Chunks that one command has on their way at most.
const IN_FLIGHT: u64 = 16;
const AT_MOST: Duration = Duration::from_secs(300);

pub(crate) struct Scene {
    pub(crate) relay: RelayProcess,
    pub(crate) anna: User,
    _directory: TempDir,
}

impl Scene {
    fn set() -> Self {
        Self::of_size(SIZE)
    }

    pub(crate) fn of_size(size: u64) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let relay = RelayProcess::start(&directory.path().join("relay")).unwrap();
        let anna = User::new(&directory.path().join("anna"), ANNA).unwrap();
        let invite = relay.invite().unwrap();
        anna.run_json(&["register", relay.address(), "--invite", &invite]).unwrap();
        make_sample(&anna.directory().join("sample"), size).unwrap();
        Self { relay, anna, _directory: directory }
    }

    pub(crate) fn start(&self, arguments: &[&str]) -> Child {
        let mut command = self.anna.command(arguments).unwrap();
        let said = fs::File::create(self.anna.home().with_extension("said")).unwrap();
        command.stdout(Stdio::null()).stderr(said).spawn().unwrap()
    }

    /// What the command that was started last has said.
    pub(crate) fn said(&self) -> String {
        fs::read_to_string(self.anna.home().with_extension("said")).unwrap()
    }

    /// Chunks that were sealed so far, each time counted; none if there is no journal.
    pub(crate) fn sealed(&self) -> Option<u64> {
        let mut entries = fs::read_dir(self.anna.home().join("transfers")).ok()?.map_while(Result::ok);
        let journal = entries.find(|entry| !entry.file_name().to_string_lossy().starts_with('.'))?;
        let records = journal.metadata().ok()?.len().checked_sub(SEALED_HEAD as u64)?;
        Some(records / SEALED_RECORD as u64)
    }

    /// Waits until a command has written so much; it must not end before.
    fn wait_for(&self, child: &mut Child, sealed: u64) {
        let end = Instant::now() + AT_MOST;
        while self.sealed().is_none_or(|now| now < sealed) {
            assert!(Instant::now() < end && child.try_wait().unwrap().is_none(), "before {sealed}");
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    pub(crate) fn expect_sample(&self) {
        self.anna.run_json(&["get", "sample", "-o", "back"]).unwrap();
        let [back, sample] =
            ["back", "sample"].map(|name| fs::read(self.anna.directory().join(name)).unwrap());
        assert!(back == sample);
        assert_eq!(self.anna.run(&["ls", "--json"]).unwrap().stdout.lines().count(), 1, "listed once");
        assert_eq!(self.sealed(), None, "nothing is unfinished");
    }
}

#[test]
fn c08_an_upload_that_is_killed_again_and_again_completes() {
    let scene = Scene::set();
    let began = Instant::now();
    for kill in 0..5_u64 {
        let before = scene.sealed().unwrap_or(0);
        let mut child = scene.start(&["put", "sample"]);
        // At a random moment of the run: none ends by itself before the fifth.
        scene.wait_for(&mut child, before + rand::rng().random_range(1..=8));
        std::thread::sleep(Duration::from_millis(rand::rng().random_range(0..60)));
        child.kill().unwrap();
        child.wait().unwrap();
        let listed = scene.anna.run(&["transfers", "--json"]).unwrap();
        let shown: serde_json::Value = serde_json::from_str(listed.stdout.trim()).unwrap();
        assert_eq!((&shown["name"], &shown["state"]), (&"sample".into(), &"interrupted".into()), "{kill}");
    }
    let (mut command, started) = (scene.anna.command(&["put", "sample", "--json"]).unwrap(), Instant::now());
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut sealed = 0;
    while child.try_wait().unwrap().is_none() {
        sealed = scene.sealed().unwrap_or(0).max(sealed);
        std::thread::sleep(Duration::from_millis(2));
    }
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    expect_progress(&String::from_utf8(output.stderr).unwrap(), started.elapsed());
    scene.expect_sample();
    // The last record is that of the end; it may have come and gone unseen.
    let twice = sealed.saturating_sub(CHUNKS);
    assert!(sealed >= CHUNKS && twice <= 5 * IN_FLIGHT, "{sealed} of {CHUNKS}");
    eprintln!("{twice} of {CHUNKS} chunks were sealed twice, for 5 kills; {:?} in all", began.elapsed());
}

/// One object per line, from what was there already to all of it, and not too often.
fn expect_progress(said: &str, took: Duration) {
    let events: Vec<serde_json::Value> =
        said.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(events.iter().all(|event| event["progress"] == "Uploading"), "{said}");
    let (first, last) = (events.first().unwrap(), events.last().unwrap());
    assert_eq!((&first["done"], &last["done"]), (&0.into(), &last["total"]), "{said}");
    assert!(last["lanes"].as_u64().unwrap() >= 1 && last["bytes_per_second"].as_u64().unwrap() > 0, "{said}");
    assert!(events.len() as u64 <= took.as_secs() + 3, "{said}");
}

/// The client, killed at any moment, five times in one download.
#[test]
fn a_download_that_is_killed_again_and_again_completes() {
    let scene = Scene::set();
    let anna = &scene.anna;
    anna.run_json(&["put", "sample"]).unwrap();
    let journal = || {
        let entries = fs::read_dir(anna.directory()).unwrap().map(|entry| entry.unwrap());
        let mut journals = entries.filter(|entry| entry.file_name().to_string_lossy().ends_with(".journal"));
        journals.next().map_or(0, |journal| journal.metadata().unwrap().len() / 28)
    };
    let (began, mut last) = (Instant::now(), 0);
    for kill in 1..=5_u64 {
        let mut child = scene.start(&["get", "sample", "-o", "back"]);
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
    eprintln!("{last} of {CHUNKS} chunks were there before the last run; {:?} in all", began.elapsed());
}
