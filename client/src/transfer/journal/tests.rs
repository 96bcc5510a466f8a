//! Journals on a disk: whatever of them is there, torn or damaged.

use super::{directory::LEFT_OVER, kept::most_records, *};
use nightdrop_envelope::{
    capability::BlobCapabilities,
    journal::{Origin, Stamp},
    key::{FileKey, MemoryKey},
};
use nightdrop_wire::ids::AccountId;
use std::{fs, os::unix::fs::MetadataExt, time::Duration};
use tempfile::TempDir;

const FROM: &[u8] = b"/home/anna/minutes of the meeting.txt";
const TO: &str = "meetings/minutes.txt";

fn journals(directory: &TempDir) -> Journals {
    let relay = "2gzyxa5ihm7nsggfxnu52rck2vv4rvmdlkiu3zzui5du4xyclen53wid".parse().unwrap();
    let key = JournalKey::new(MemoryKey::from_bytes([2; 32]), relay, AccountId::from_bytes([1; 10]));
    Journals::new(directory.path().join("transfers"), key, 1)
}

fn name() -> SpacePath {
    SpacePath::parse(TO).unwrap()
}

/// Of a file of two chunks.
fn head(origin: bool) -> JournalHead {
    let stamp = Stamp { size: 2_000_000, modified: (1, 2), changed: (3, 4), inode: (5, 6) };
    let origin = origin.then(|| Origin { path: FROM.to_vec(), stamp, content: [7; 32] });
    let capabilities = BlobCapabilities::generate(&mut rand::rng());
    JournalHead::new((1, 1_000), capabilities, &FileKey::from_bytes([9; 32]), (name(), None), origin)
}

const END: JournalRecord =
    JournalRecord::Finish { manifest: [3; 32], content: [4; 32], size: 2_000_000, modified: None };

/// What is in a journal: chunks, each with a number that stands for how it was sealed, and how many ends.
type State = (Vec<(u32, u8)>, usize);

fn state(kept: &Kept) -> State {
    let chunks = kept.chunks.iter().flat_map(|(index, sealings)| {
        sealings.iter().map(|(nonce, hash)| {
            assert!(nonce.iter().chain(hash).all(|byte| byte == &nonce[0]));
            (*index, nonce[0])
        })
    });
    assert!(kept.ends.iter().all(|end| *end == END));
    (chunks.collect(), kept.ends.len())
}

/// A journal with three chunks, one of them sealed twice, and an end; its states in order, and where it is.
fn written(journals: &Journals) -> (Vec<State>, PathBuf) {
    let journal = journals.begin(head(true), None).unwrap();
    let mut states = vec![(vec![], 0)];
    for (index, number) in [(1, 1), (0, 2), (1, 3)] {
        journal.note_chunk(index, [number; 24], [number; 32]).unwrap();
        states.push({
            let (mut chunks, ends): State = states.last().unwrap().clone();
            chunks.push((index, number));
            chunks.sort_unstable();
            (chunks, ends)
        });
    }
    journal.note_end(&END).unwrap();
    let (chunks, _) = states.last().unwrap().clone();
    states.push((chunks, 1));
    (states, journal.path)
}

fn kept(journals: &Journals) -> Option<Journal> {
    match journals.find(FROM, &name()).unwrap() {
        Found::Kept(journal) => Some(*journal),
        Found::Nothing => None,
        Found::Damaged(_) => panic!("damaged"),
    }
}

#[test]
fn what_was_written_is_there_and_nothing_of_it_in_clear() {
    let directory = tempfile::tempdir().unwrap();
    let journals = journals(&directory);
    let (states, path) = written(&journals);
    let journal = kept(&journals).unwrap();
    assert_eq!(state(journal.kept()), *states.last().unwrap());
    assert!(journal.kept().is_sound && journal.head().origin.as_ref().unwrap().path == FROM);
    let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o777;
    assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
    let bytes = fs::read(&path).unwrap();
    assert_eq!(bytes.len(), SEALED_HEAD + 4 * SEALED_RECORD);
    let blob = journal.head().blob;
    for secret in
        [&b"minutes"[..], b"meeting", blob.as_bytes(), blob.to_string().as_bytes(), &[9; 32], &[1; 24]]
    {
        assert!(!bytes.windows(secret.len()).any(|window| window == secret));
        assert!(!path.as_os_str().as_encoded_bytes().windows(secret.len()).any(|part| part == secret));
    }
    journal.remove().unwrap();
    assert!(kept(&journals).is_none());
}

#[test]
fn c08_every_prefix_reads_as_an_earlier_state_or_as_nothing_and_is_gone_on_with() {
    let directory = tempfile::tempdir().unwrap();
    let journals = journals(&directory);
    let (states, path) = written(&journals);
    let bytes = fs::read(&path).unwrap();
    let around = |at: usize| at.saturating_sub(2)..at + 3;
    let borders = (0..5).flat_map(|records| around(SEALED_HEAD + records * SEALED_RECORD));
    let lengths = (0..SEALED_HEAD).step_by(97).chain(borders).chain((SEALED_HEAD..bytes.len()).step_by(7));
    for length in lengths.filter(|length| *length <= bytes.len()) {
        fs::write(&path, &bytes[..length]).unwrap();
        let Some(whole) = length.checked_sub(SEALED_HEAD) else {
            assert!(kept(&journals).is_none() && !path.exists(), "{length}");
            fs::write(&path, &bytes).unwrap();
            fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
            continue;
        };
        let journal = kept(&journals).unwrap();
        assert!(journal.kept().is_sound, "{length}");
        let expected = &states[whole / SEALED_RECORD];
        assert_eq!(state(journal.kept()), *expected, "{length}");
        journal.note_chunk(5, [9; 24], [9; 32]).unwrap();
        drop(journal);
        let (mut chunks, ends) = expected.clone();
        chunks.push((5, 9));
        let further = kept(&journals).unwrap();
        assert_eq!((state(further.kept()), further.kept().is_sound), ((chunks, ends), true), "{length}");
    }
}

#[test]
fn what_a_disk_lost_and_gives_as_zeros_was_never_written() {
    let directory = tempfile::tempdir().unwrap();
    let journals = journals(&directory);
    let (states, path) = written(&journals);
    let bytes = fs::read(&path).unwrap();
    for records in 0..4 {
        let mut lost = bytes.clone();
        lost[SEALED_HEAD + records * SEALED_RECORD..].fill(0);
        lost.extend([0; 3 * SEALED_RECORD + 5]);
        fs::write(&path, &lost).unwrap();
        let journal = kept(&journals).unwrap();
        assert_eq!((state(journal.kept()), journal.kept().is_sound), (states[records].clone(), true));
    }
}

#[test]
fn a_flipped_byte_is_damage_and_never_another_key_or_chunk() {
    let directory = tempfile::tempdir().unwrap();
    let journals = journals(&directory);
    let (states, path) = written(&journals);
    let bytes = fs::read(&path).unwrap();
    for at in (0..SEALED_HEAD).step_by(61).chain(SEALED_HEAD..bytes.len()) {
        let mut bad = bytes.clone();
        bad[at] ^= 1;
        fs::write(&path, &bad).unwrap();
        match (journals.find(FROM, &name()).unwrap(), at.checked_sub(SEALED_HEAD)) {
            (Found::Damaged(_), None) => {}
            (Found::Kept(journal), Some(record)) => {
                assert!(!journal.kept().is_sound, "{at}");
                assert_eq!(state(journal.kept()), states[record / SEALED_RECORD], "{at}");
            }
            (found, _) => panic!("{at}: {found:?}"),
        }
        assert!(matches!(fs::read(&path), Ok(left) if left == bad), "damage is left as it is");
        fs::write(&path, &bytes).unwrap();
    }
    let (one, other) = (SEALED_HEAD..SEALED_HEAD + SEALED_RECORD, SEALED_HEAD + SEALED_RECORD);
    let swapped = [&bytes[..one.start], &bytes[other..other + SEALED_RECORD], &bytes[one.clone()]].concat();
    fs::write(&path, swapped).unwrap();
    assert!(!kept(&journals).unwrap().kept().is_sound, "records in each other's places");
    fs::write(&path, [&bytes[..one.end], &bytes[one]].concat()).unwrap();
    assert!(!kept(&journals).unwrap().kept().is_sound, "a record that stands there twice");
}

#[test]
fn what_does_not_open_is_counted_and_can_be_forgotten() {
    let directory = tempfile::tempdir().unwrap();
    let journals = journals(&directory);
    let (_, path) = written(&journals);
    let mut bytes = fs::read(&path).unwrap();
    bytes[100] ^= 1;
    fs::write(&path, bytes).unwrap();
    assert_eq!(journals.settle(|_| true).unwrap(), 1);
    assert!(path.exists() && journals.all().unwrap()[0].head.is_none());
    let Found::Damaged(damaged) = journals.find(FROM, &name()).unwrap() else { panic!() };
    damaged.remove().unwrap();
    assert_eq!(journals.settle(|_| true).unwrap(), 0);
}

#[test]
fn a_journal_under_the_name_of_another_one_is_damage() {
    let directory = tempfile::tempdir().unwrap();
    let journals = journals(&directory);
    let (_, path) = written(&journals);
    let other = path.with_file_name(journals.shared.key.file_name(b"/another", &name()));
    fs::rename(&path, &other).unwrap();
    assert!(matches!(journals.find(b"/another", &name()), Ok(Found::Damaged(_))));
    assert!(journals.all().unwrap()[0].head.is_none());
    fs::rename(&other, &path).unwrap();
    assert!(kept(&journals).is_some());
}

#[test]
fn one_command_at_a_time_has_a_journal() {
    let directory = tempfile::tempdir().unwrap();
    let journals = journals(&directory);
    let journal = journals.begin(head(true), None).unwrap();
    assert!(matches!(journals.find(FROM, &name()), Err(ClientError::TransferRunning)));
    assert!(matches!(journals.begin(head(true), None), Err(ClientError::TransferRunning)));
    let seen = journals.all().unwrap();
    assert!(seen.len() == 1 && seen[0].is_running());
    assert_eq!(journals.settle(|_| true).unwrap(), 0);
    assert!(journal.path.exists(), "whoever is at it removes it");
    drop(journal);
    assert!(!seen[0].is_running());
    journals.settle(|blob| blob != seen[0].head.as_ref().unwrap().0.blob).unwrap();
    assert_eq!(journals.all().unwrap().len(), 1, "it is not listed");
    journals.settle(|blob| blob == seen[0].head.as_ref().unwrap().0.blob).unwrap();
    assert_eq!(journals.all().unwrap().len(), 0, "it is");
    assert!(!seen[0].is_running());
}

#[test]
fn streams_have_journals_of_their_own_and_no_place() {
    let directory = tempfile::tempdir().unwrap();
    let journals = journals(&directory);
    drop((journals.begin(head(false), None).unwrap(), journals.begin(head(false), None).unwrap()));
    assert_eq!(journals.all().unwrap().len(), 2);
    assert!(kept(&journals).is_none());
}

#[test]
fn a_journal_of_too_many_runs_is_not_gone_on_with() {
    let directory = tempfile::tempdir().unwrap();
    let journals = journals(&directory);
    let journal = journals.begin(head(true), None).unwrap();
    let most = most_records(journal.head());
    assert_eq!(most, 4 * 2 + 1_024);
    for _ in 0..most {
        journal.note_chunk(0, [1; 24], [1; 32]).unwrap();
    }
    drop(journal);
    let journal = kept(&journals).unwrap();
    assert!(journal.kept().is_sound);
    journal.note_chunk(0, [1; 24], [1; 32]).unwrap();
    drop(journal);
    assert!(!kept(&journals).unwrap().kept().is_sound);
}

/// What the relay sees of a blob is its id.
#[test]
fn the_name_of_a_journal_of_a_stream_tells_nothing_of_its_blob() {
    let directory = tempfile::tempdir().unwrap();
    let journals = journals(&directory);
    let journal = journals.begin(head(false), None).unwrap();
    let (name, blob) = (journal.path.file_name().unwrap().to_owned(), journal.head().blob);
    assert_eq!(name.len(), journals.shared.key.file_name(FROM, &self::name()).len());
    assert_ne!(name.to_str().unwrap(), blob.to_string());
    let other = JournalKey::new(
        MemoryKey::from_bytes([3; 32]),
        "2gzyxa5ihm7nsggfxnu52rck2vv4rvmdlkiu3zzui5du4xyclen53wid".parse().unwrap(),
        AccountId::from_bytes([1; 10]),
    );
    let other = Journals::new(directory.path().join("other"), other, 1);
    assert_ne!(other.shared.name_of(journal.head()).as_str(), name, "it needs the memory key");
}

#[test]
fn a_journal_that_took_the_place_of_a_listed_one_stays() {
    let directory = tempfile::tempdir().unwrap();
    let journals = journals(&directory);
    drop(journals.begin(head(true), None).unwrap());
    // Listed when it is read, and another one when it is locked.
    let asked = std::cell::Cell::new(0);
    let listed = |_| asked.replace(asked.get() + 1) == 0;
    assert_eq!(journals.settle(listed).unwrap(), 0);
    assert_eq!((asked.get(), journals.all().unwrap().len()), (2, 1));
    journals.settle(|_| true).unwrap();
    assert_eq!(journals.all().unwrap().len(), 0);
}

#[test]
fn what_a_killed_beginning_left_is_removed_when_nobody_is_at_it() {
    let directory = tempfile::tempdir().unwrap();
    let journals = journals(&directory);
    drop(journals.begin(head(false), None).unwrap());
    let at = |name: &str| directory.path().join("transfers").join(name);
    let make = |name: &str, age: Duration| {
        let file = own_file::open_or_make(&at(name)).unwrap();
        file.set_modified(std::time::SystemTime::now() - age).unwrap();
        file
    };
    let (old, new) = (LEFT_OVER + Duration::from_secs(60), Duration::ZERO);
    drop((make(".unfinished-old", old), make(".unfinished-new", new), make(".another", old)));
    let locked = lock(make(".unfinished-locked", old), &at(".unfinished-locked")).unwrap();
    drop(journals.begin(head(false), None).unwrap());
    let stays = [".unfinished-old", ".unfinished-new", ".another", ".unfinished-locked"]
        .map(|name| at(name).exists());
    assert_eq!(stays, [false, true, true, true]);
    drop(locked);
    drop(journals.begin(head(false), None).unwrap());
    assert!(!at(".unfinished-locked").exists());
}

#[test]
fn only_who_has_its_lock_takes_the_place_of_a_journal() {
    let directory = tempfile::tempdir().unwrap();
    let journals = journals(&directory);
    let old = journals.begin(head(true), None).unwrap();
    assert!(matches!(journals.begin(head(true), None), Err(ClientError::TransferRunning)));
    let new = journals.begin(head(true), Some(&old)).unwrap();
    drop(old);
    let seen = journals.all().unwrap();
    assert_eq!(seen.len(), 1);
    assert!(seen[0].head.as_ref().unwrap().0.blob == new.head().blob && seen[0].is_running());
}
