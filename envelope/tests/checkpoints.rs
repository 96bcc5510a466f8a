//! Checkpoints: beginning at one comes to the same as the whole log, and nothing that a relay can make passes for one.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

mod common;

use common::{Scene, assert_same, file, names, put};
use nightdrop_envelope::{
    OpenError,
    space::{ChainError, Operation, SpacePath, VerifiedCheckpoint, VerifiedLog, newest_checkpoint},
};
use nightdrop_wire::messages::log::LogHead;

impl Scene {
    fn new() -> Self {
        Self::listing(&["a", "d/b"])
    }

    /// Appends a checkpoint and gives its place and its content.
    fn checkpoint(&mut self) -> (u64, Vec<u8>) {
        let (place, content) = (self.log.head().count, self.log.checkpoint().unwrap().to_vec());
        self.append(vec![checkpoint_of(&content)]);
        (place, content)
    }

    fn opened(&self, place: u64) -> Result<VerifiedCheckpoint, ChainError> {
        VerifiedCheckpoint::open(&self.keys, &self.entries[usize::try_from(place).unwrap()], place)
    }

    /// What a device reads that has verified nothing.
    fn begun_at_checkpoint(&self, content: &[u8], remembered: Option<LogHead>) -> VerifiedLog {
        let place = newest_checkpoint(&self.keys, &self.entries).unwrap();
        let mut replay = self.opened(place).unwrap().replay(self.keys.clone(), content, remembered).unwrap();
        let from = usize::try_from(replay.head().count).unwrap();
        self.entries[from..].iter().for_each(|entry| replay.advance(entry).unwrap());
        replay.finish(self.log.head()).unwrap()
    }
}

fn checkpoint_of(content: &[u8]) -> Operation {
    Operation::Checkpoint { file: Box::new(file(content)) }
}

#[test]
fn beginning_at_the_last_checkpoint_comes_to_the_same_as_the_whole_log() {
    let mut scene = Scene::new();
    assert_eq!(newest_checkpoint(&scene.keys, &scene.entries), None);
    scene.checkpoint();
    scene.stray(vec![0x5a; 512]);
    scene.append(vec![put("c")]);
    let (place, content) = scene.checkpoint();
    assert_eq!(newest_checkpoint(&scene.keys, &scene.entries), Some(place), "it is the newest entry itself");
    assert_same(&scene.begun_at_checkpoint(&content, None), &scene.replayed());
    scene.append(vec![put("e"), Operation::Remove { path: SpacePath::parse("a").unwrap() }]);
    scene.stray(vec![0x5b; 512]);
    let whole = scene.replayed();
    assert_eq!((names(&whole), whole.reports().1), (vec!["c".into(), "d/b".into(), "e".into()], 2));
    assert_same(&scene.begun_at_checkpoint(&content, None), &whole);
    let leaving: Vec<_> = whole.state().leaving().map(|(blob, _)| blob).collect();
    assert_eq!(leaving.len(), 2, "the first checkpoint is to be destroyed, and the removed file");
    // A copy keeps the place, too.
    let (copied, _) = whole.seal_copy(&mut rand::rng()).unwrap();
    let copy = nightdrop_envelope::space::CopiedState::open(&scene.keys, &copied).unwrap();
    let read = copy.replay(scene.keys.clone(), None).unwrap().finish(whole.head()).unwrap();
    assert_same(&read, &whole);
    // What follows is written upon the same state.
    let entries = read.seal_next(vec![put("f")], &mut rand::rng()).unwrap();
    scene.log.take(&entries).unwrap();
    assert_eq!(scene.log.reports().1, 2);
}

#[test]
fn m28_what_a_device_remembers_decides_after_a_checkpoint_too() {
    let mut scene = Scene::new();
    let (place, content) = scene.checkpoint();
    let old = *scene.log.head();
    scene.append(vec![put("c")]);
    let seen = *scene.log.head();
    assert_same(&scene.begun_at_checkpoint(&content, Some(seen)), &scene.replayed());
    let entry = &scene.entries[usize::try_from(place).unwrap()];
    for (remembered, expected) in
        [(None, Ok(())), (Some(seen), Err(ChainError::Rollback { seen: 5, given: 4 }))]
    {
        let mut replay =
            scene.opened(place).unwrap().replay(scene.keys.clone(), &content, remembered).unwrap();
        replay.advance(entry).unwrap();
        assert_eq!(replay.finish(&old).map(|_| ()), expected);
    }
}

/// Who can append and is not the owner: the relay, or whoever heard the token.
#[test]
fn m24_m50_nobody_else_writes_a_checkpoint() {
    let mut scene = Scene::new();
    let (place, content) = scene.checkpoint();
    let mut other = Scene::new();
    other.checkpoint();
    // A checkpoint of another owner's, as the newest entry and in the checkpoint's place.
    let theirs = other.entries.last().unwrap().clone();
    scene.stray(theirs.clone());
    assert_eq!(
        newest_checkpoint(&scene.keys, &scene.entries),
        Some(place),
        "only the owner says where it is"
    );
    assert_same(&scene.begun_at_checkpoint(&content, None), &scene.replayed());
    assert!(VerifiedCheckpoint::open(&other.keys, &theirs, place).is_ok());
    let in_place = VerifiedCheckpoint::open(&scene.keys, &theirs, place);
    assert_eq!(in_place.err(), Some(ChainError::Displaced(place)));
}

#[test]
fn m30_m34_a_checkpoint_elsewhere_or_something_else_in_its_place_is_a_chain_error() {
    let mut scene = Scene::new();
    let (first, _) = scene.checkpoint();
    scene.append(vec![put("c")]);
    let (second, content) = scene.checkpoint();
    assert!(scene.opened(first).is_ok() && scene.opened(second).is_ok());
    for entry in [first, second - 1] {
        let entry = &scene.entries[usize::try_from(entry).unwrap()];
        let opened = VerifiedCheckpoint::open(&scene.keys, entry, second);
        assert_eq!(opened.err(), Some(ChainError::Displaced(second)));
    }
    for nothing in [&[][..], &[0x5a; 512]] {
        let opened = VerifiedCheckpoint::open(&scene.keys, nothing, second);
        assert_eq!(opened.err(), Some(ChainError::Displaced(second)));
    }
    // What follows must go on from it.
    let mut replay = scene.opened(second).unwrap().replay(scene.keys.clone(), &content, None).unwrap();
    assert_eq!(replay.advance(&scene.entries[1]), Err(ChainError::Displaced(second)));
}

#[test]
fn m15_m28_the_content_of_another_checkpoint_is_not_taken() {
    let mut scene = Scene::new();
    let (_, older) = scene.checkpoint();
    scene.append(vec![put("c")]);
    let (place, content) = scene.checkpoint();
    let begin = |content: &[u8]| {
        scene.opened(place).unwrap().replay(scene.keys.clone(), content, None).map(|_| ()).err()
    };
    assert_eq!(begin(&content), None);
    let mut altered = content.clone();
    altered[40] ^= 1;
    for bad in [&older[..], &altered, &content[..content.len() - 1], &[]] {
        assert_eq!(begin(bad), Some(OpenError::Altered));
    }
}

#[test]
fn m50_a_checkpoint_that_disagrees_with_the_log_is_not_sealed() {
    let mut scene = Scene::new();
    let older = scene.log.checkpoint().unwrap().to_vec();
    scene.append(vec![put("c")]);
    let newest = scene.log.checkpoint().unwrap().to_vec();
    let seals = |content: &[u8], before: Vec<Operation>| {
        scene.log.seal_next([before, vec![checkpoint_of(content)]].concat(), &mut rand::rng()).is_ok()
    };
    assert!(seals(&newest, vec![]));
    assert!(!seals(&older, vec![]) && !seals(&newest, vec![put("d")]));
    // What strays were there is part of it.
    scene.stray(vec![0x5a; 512]);
    assert!(scene.log.seal_next(vec![checkpoint_of(&newest)], &mut rand::rng()).is_err());
    scene.checkpoint();
    assert_eq!(scene.replayed().reports().1, 1);
}

#[test]
fn a_checkpoint_is_written_when_enough_came_since_the_last() {
    let mut scene = Scene::new();
    let fill = |scene: &mut Scene, count: usize| {
        let from = scene.log.head().count;
        scene.append((0..count).map(|n| put(&format!("{from}/{n}"))).collect());
    };
    fill(&mut scene, 508);
    assert!(!scene.log.wants_checkpoint(), "511 entries");
    fill(&mut scene, 1);
    assert!(scene.log.wants_checkpoint());
    scene.checkpoint();
    assert!(!scene.log.wants_checkpoint());
    fill(&mut scene, 510);
    assert!(!scene.log.wants_checkpoint());
    fill(&mut scene, 1);
    assert!(scene.log.wants_checkpoint());
    scene.append(vec![Operation::Close { keyring: 2 }]);
    assert!(!scene.log.wants_checkpoint(), "nothing is written to a closed list");
}

#[test]
fn with_many_files_more_has_to_come() {
    let mut scene = Scene::new();
    scene.append((0..8_320).map(|n| put(&n.to_string())).collect());
    scene.checkpoint();
    let sixteenth = scene.log.state().count() / 16;
    scene.append((0..sixteenth + 30).map(|n| put(&format!("more/{n}"))).collect());
    assert!(sixteenth > 515 && !scene.log.wants_checkpoint(), "of all that there are now");
    scene.append((0..10).map(|n| put(&format!("last/{n}"))).collect());
    assert!(scene.log.wants_checkpoint());
}

/// Whoever has the owner's keys and the relay's help can make an entry that never was in the log, and true entries after it lead to the head that is known.
#[test]
fn a_checkpoint_that_never_was_in_the_log_is_none() {
    let mut scene = Scene::new();
    let place = scene.log.head().count;
    // Sealed for this place, with a content of its own, and never appended.
    let (content, mut other) = (scene.log.checkpoint().unwrap().to_vec(), scene.log.clone());
    let never_there = other.seal_next(vec![checkpoint_of(&content)], &mut rand::rng()).unwrap();
    other.take(&never_there).unwrap();
    scene.append(vec![put("c")]);
    let checkpoint = VerifiedCheckpoint::open(&scene.keys, &never_there[0], place).unwrap();
    let begun = || checkpoint.replay(scene.keys.clone(), &content, Some(*scene.log.head())).unwrap();

    let next = &scene.entries[usize::try_from(place).unwrap()];
    assert!(matches!(begun().advance(next), Err(ChainError::Displaced(_))));
    let head = *begun().head();
    let unread = checkpoint.replay(scene.keys.clone(), &content, None).unwrap().finish(&head);
    assert!(matches!(unread, Err(ChainError::Rollback { .. })), "not even before it was to come");
    // The probe can succeed: where it is in the log, it is one.
    let mut there = checkpoint.replay(scene.keys.clone(), &content, None).unwrap();
    there.advance(&never_there[0]).unwrap();
}
