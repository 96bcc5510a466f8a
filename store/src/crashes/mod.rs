//! Crashes: a run of the store is recorded write by write, and a store is opened on everything that a crash could have
//! left of it, at any moment and in any order of what was not synced; then on everything that a second crash could
//! have left of that opening.
//!
//! What counts as right: every step that was answered is there, byte by byte in every table; a step that was begun is
//! there wholly or not at all; nothing else is there; and the store takes writes.

mod record;
mod story;

use crate::{
    StoreError,
    row::name_of,
    schema::{META, VOLUME},
};
use nightdrop_wire::token::TokenHash;
use record::{Crash, Event, How, RecordingDisk, crashes};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::OnceLock,
};
use story::{Contents, Key, Parts, Step, Story, contents, open, tell};

/// Of how many prefixes of the record one is tried.
const STRIDE: usize = 3;
/// Crashes after which a second one is tried, one of each stretch of the story.
const SECOND_CRASHES: usize = 12;

impl Story {
    /// Whether these contents are right when `acknowledged` steps were answered and, if `begun`, one more was not.
    fn judge(&self, found: &Contents, acknowledged: usize, begun: bool) -> Result<(), String> {
        let before = &self.contents[acknowledged];
        let Some(step) = self.steps.get(acknowledged).filter(|_| begun) else {
            return same(found, before, |_| true);
        };
        let after = &self.contents[acknowledged + 1];
        same(found, before, |key| before.get(key) == after.get(key))?;
        let mut parts = BTreeMap::<_, Part>::new();
        for key in changed(before, after) {
            if is_volume(key) && !matches!(step.parts, Parts::One) {
                continue;
            }
            let part = parts.entry(step.parts.of(key)).or_default();
            part.old |= found.get(key) == before.get(key);
            part.new |= found.get(key) == after.get(key);
            part.neither |= found.get(key) != before.get(key) && found.get(key) != after.get(key);
        }
        if parts.values().any(|part| part.neither || part.old && part.new) {
            return Err(format!("step {acknowledged} ({}) is there by halves", step.name));
        }
        Ok(())
    }

    /// Opens what a crash left, judges it, and writes to it.
    fn survives(&self, crash: &Crash) -> Result<(), String> {
        let disk = RecordingDisk::holding(crash.image.clone());
        let context = |error: String| {
            format!("{:?} after {} of {} events: {error}", crash.how, crash.after, self.events.len())
        };
        let store = open(&disk).map_err(|error| context(format!("{error:?}")))?;
        self.judge(&contents(&store), crash.acknowledged, crash.begun).map_err(context)?;
        let probe = wait(store.issue_invitation(TokenHash::from_bytes([0xee; 32]), crate::Day(1)));
        probe.map_err(|error: StoreError| context(format!("it takes no write: {error:?}")))
    }
}

impl Parts {
    /// Which part of the step an entry belongs to.
    fn of<'k>(&self, key: &'k Key) -> (usize, Option<&'k Key>) {
        let stands_in = |name: &Vec<u8>| key.1.windows(name.len()).any(|window| window == name);
        match self {
            Self::One => (0, None),
            Self::Each => (0, Some(key)),
            Self::Named(names) => {
                let owner = names.iter().position(|names| names.iter().any(stands_in));
                owner.map_or((names.len(), Some(key)), |owner| (owner, None))
            }
        }
    }
}

/// The keys under which the two differ.
fn changed<'c>(before: &'c Contents, after: &'c Contents) -> BTreeSet<&'c Key> {
    before.keys().chain(after.keys()).filter(|key| before.get(*key) != after.get(*key)).collect()
}

/// Whether this is the count of bytes in use, which changes with every commit, whichever operations share it.
fn is_volume(key: &Key) -> bool {
    *key == (name_of(&META), vec![VOLUME])
}

#[derive(Clone, Default)]
struct Part {
    old: bool,
    new: bool,
    neither: bool,
}

/// Whether both hold the same under every key that counts.
fn same(found: &Contents, expected: &Contents, counts: impl Fn(&Key) -> bool) -> Result<(), String> {
    let differs = |key: &&Key| counts(key) && found.get(*key) != expected.get(*key);
    match found.keys().chain(expected.keys()).find(differs) {
        None => Ok(()),
        Some(key) => Err(format!(
            "an entry of {} is {}",
            key.0,
            match (found.contains_key(key), expected.contains_key(key)) {
                (true, true) => "not what was acknowledged",
                (true, false) => "there and should not",
                _ => "gone",
            }
        )),
    }
}

fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

fn story() -> &'static Story {
    static STORY: OnceLock<Story> = OnceLock::new();
    STORY.get_or_init(tell)
}

#[test]
fn at_every_crash_what_was_acknowledged_is_there_and_nothing_by_halves() {
    let story = story();
    let mut tried = [(How::Kept, 0), (How::Lost, 0), (How::Torn, 0), (How::Reordered, 0)];
    crashes(&story.base, &story.events, STRIDE, |crash| {
        story.survives(&crash).unwrap_or_else(|error| panic!("{error}"));
        tried.iter_mut().filter(|(how, _)| *how == crash.how).for_each(|(_, count)| *count += 1);
    });
    assert!(tried.iter().all(|(_, count)| *count > 60), "{tried:?}");
}

#[test]
fn a_second_crash_while_the_store_is_opened_loses_nothing_more() {
    let story = story();
    let stretch = story.events.len() / SECOND_CRASHES + 1;
    let mut first: Vec<Crash> = Vec::new();
    crashes(&story.base, &story.events, 1, |crash| {
        let place = crash.after / stretch;
        let wanted = [How::Kept, How::Lost, How::Torn, How::Reordered][place % 4];
        if crash.begun && crash.how == wanted && first.iter().all(|other| other.after / stretch != place) {
            first.push(crash);
        }
    });
    assert!(first.len() >= SECOND_CRASHES * 3 / 4, "{}", first.len());
    let mut tried = 0;
    for crash in first {
        let disk = RecordingDisk::holding(crash.image.clone());
        // Opening, whatever it finishes, and closing.
        let store = open(&disk).unwrap();
        contents(&store);
        drop(store);
        crashes(&crash.image, &disk.events(), 1, |second| {
            let again = Crash { acknowledged: crash.acknowledged, begun: crash.begun, ..second };
            story.survives(&again).unwrap_or_else(|error| panic!("opened after {}: {error}", crash.after));
            tried += 1;
        });
    }
    assert!(tried > 500, "{tried}");
}

/// The steps that write, by their place.
fn writing_steps(story: &Story) -> impl Iterator<Item = (usize, &Step)> {
    story.steps.iter().enumerate().filter(|(n, _)| story.contents[*n] != story.contents[n + 1])
}

#[test]
fn a_sync_that_is_ignored_is_found_in_every_step() {
    let story = story();
    let mut found = 0;
    for (n, step) in writing_steps(story) {
        let mut acknowledged = 0;
        let ignoring: Vec<_> = story
            .events
            .iter()
            .filter(|event| {
                acknowledged += usize::from(matches!(event, Event::Acknowledged));
                acknowledged != n || !matches!(event, Event::Sync)
            })
            .take_while({
                let mut seen = 0;
                move |event| {
                    let before = seen;
                    seen += usize::from(matches!(event, Event::Acknowledged));
                    before <= n
                }
            })
            .cloned()
            .collect();
        let mut lost = false;
        crashes(&story.base, &ignoring, usize::MAX, |crash| {
            if crash.how == How::Lost && crash.acknowledged == n + 1 {
                lost |= story.survives(&crash).is_err();
            }
        });
        assert!(lost, "step {n} ({}) is acknowledged, was never synced, and is not missed", step.name);
        found += 1;
    }
    assert!(found > 20, "{found}");
}

#[test]
fn half_an_operation_a_foreign_entry_and_a_changed_one_are_found() {
    let story = story();
    let mut found = 0;
    for (n, step) in writing_steps(story) {
        let (before, after) = (&story.contents[n], &story.contents[n + 1]);
        story.judge(before, n, true).unwrap();
        story.judge(after, n, true).unwrap();
        assert!(story.judge(before, n + 1, false).is_err(), "{} is missed", step.name);
        let mut foreign = before.clone();
        foreign.insert(("spent_credits", vec![0xaa; 32]), vec![1]);
        assert!(story.judge(&foreign, n, true).is_err(), "{}", step.name);
        let mut changed = changed(before, after);
        changed.retain(|key| !is_volume(key));
        let Some((key, value)) = changed.iter().find_map(|key| Some((*key, after.get(*key)?))) else {
            continue;
        };
        let mut altered = after.clone();
        altered.entry(key.clone()).and_modify(|value| value.push(0));
        assert!(story.judge(&altered, n, true).is_err(), "{}", step.name);
        if changed.iter().filter(|other| step.parts.of(other) == step.parts.of(key)).count() > 1 {
            let mut half = before.clone();
            half.insert(key.clone(), value.clone());
            assert!(story.judge(&half, n, true).is_err(), "{}", step.name);
            found += 1;
        }
    }
    assert!(found > 8, "{found}");
}
