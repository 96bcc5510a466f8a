//! The copy of a home space that a device keeps: it opens to what was copied, and nothing that a thief of the disk makes of it is taken for anything.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

mod common;

use common::{Scene, assert_same, names, put};
use nightdrop_envelope::{
    OpenError,
    space::{ChainError, CopiedState, Operation, SpacePath, VerifiedLog},
};
use nightdrop_wire::messages::log::LogHead;

/// Of nobody's key.
const STRAY: [u8; 512] = [0x5a; 512];

impl Scene {
    fn new() -> Self {
        Self::listing(&[])
    }

    fn whole(&self) -> Vec<u8> {
        self.log.seal_copy(&mut rand::rng()).unwrap().0
    }

    fn opened(&self, whole: &[u8], changes: &[&Vec<u8>]) -> Result<CopiedState, OpenError> {
        let mut copy = CopiedState::open(&self.keys, whole)?;
        changes.iter().try_for_each(|changes| copy.add(&self.keys, changes))?;
        Ok(copy)
    }

    /// Goes on from a copy with what an honest relay gives.
    fn read_on(&self, copy: CopiedState, remembered: Option<LogHead>) -> Result<VerifiedLog, ChainError> {
        let mut replay = copy.replay(self.keys.clone(), remembered).unwrap();
        let from = usize::try_from(replay.head().count).unwrap();
        self.entries[from..].iter().try_for_each(|entry| replay.advance(entry))?;
        replay.finish(self.log.head())
    }
}

#[test]
fn a_copy_its_changes_and_what_came_since_are_the_log() {
    let mut scene = Scene::new();
    scene.append(vec![put("a"), put("d/b"), put("d/c")]);
    scene.stray(STRAY.to_vec());
    let (whole, copied) = scene.log.seal_copy(&mut rand::rng()).unwrap();
    assert_eq!((copied.head, copied.changes), (*scene.log.head(), 0));
    scene.append(vec![Operation::Remove { path: SpacePath::parse("a").unwrap() }]);
    let (first, copied) = scene.log.seal_changes(&copied, &mut rand::rng()).unwrap().unwrap();
    scene.stray(STRAY.to_vec());
    scene.append(vec![put("a"), put("e")]);
    let (second, copied) = scene.log.seal_changes(&copied, &mut rand::rng()).unwrap().unwrap();
    assert_eq!((copied.head, copied.changes), (*scene.log.head(), 3));
    scene.append(vec![put("f")]);

    let all = scene.replayed();
    assert_eq!((names(&all).len(), all.reports().1), (5, 2));
    for changes in [&[][..], &[&first], &[&first, &second]] {
        let copy = scene.opened(&whole, changes).unwrap();
        assert_same(&scene.read_on(copy, None).unwrap(), &all);
    }
    // What is read on from a copy goes on as any log.
    let copy = scene.opened(&whole, &[&first, &second]).unwrap();
    let log = scene.read_on(copy, None).unwrap();
    let known = log.state().file(&SpacePath::parse("d/b").unwrap()).unwrap().clone();
    let again = Operation::PutFile { path: SpacePath::parse("g").unwrap(), file: Box::new(known) };
    assert!(log.seal_next(vec![again], &mut rand::rng()).is_err(), "no blob is listed twice");
    let entries = log.seal_next(vec![put("g")], &mut rand::rng()).unwrap();
    scene.entries.extend(entries.clone());
    scene.log.take(&entries).unwrap();
    let copy = scene.opened(&whole, &[]).unwrap();
    assert_eq!(scene.read_on(copy, None).unwrap().reports().1, 2, "it was written upon the same state");
}

#[test]
fn changes_are_copied_as_long_as_they_are_few_and_of_this_log() {
    let mut scene = Scene::new();
    let files = |name: &str, count: usize| (0..count).map(|n| put(&format!("{name}/{n}"))).collect();
    let (whole, copied) = scene.log.seal_copy(&mut rand::rng()).unwrap();
    let mut fork = VerifiedLog::empty(scene.keys.clone());
    for operations in [vec![fork.create()], vec![put("theirs")]] {
        let entries = fork.seal_next(operations, &mut rand::rng()).unwrap();
        fork.take(&entries).unwrap();
    }
    let (_, theirs) = fork.seal_copy(&mut rand::rng()).unwrap();
    scene.append(files("a", 200));
    assert!(scene.log.seal_changes(&theirs, &mut rand::rng()).unwrap().is_none(), "of another history");
    let (first, copied) = scene.log.seal_changes(&copied, &mut rand::rng()).unwrap().unwrap();
    scene.append(files("b", 54));
    let (second, copied) = scene.log.seal_changes(&copied, &mut rand::rng()).unwrap().unwrap();
    assert_eq!(copied.changes, 254);
    assert_eq!(scene.opened(&whole, &[&first, &second]).unwrap().copied(), copied);
    let copy = scene.opened(&whole, &[&first, &second]).unwrap();
    let mut log = scene.read_on(copy, None).unwrap();
    let entries = log.seal_next(files("c", 2), &mut rand::rng()).unwrap();
    log.take(&entries).unwrap();
    assert!(log.seal_changes(&copied, &mut rand::rng()).unwrap().is_some());
    let entries = log.seal_next(vec![put("d")], &mut rand::rng()).unwrap();
    log.take(&entries).unwrap();
    assert!(
        log.seal_changes(&copied, &mut rand::rng()).unwrap().is_none(),
        "the whole is better copied again"
    );
}

/// A file that was removed and destroyed leaves no trace in the list but its blob, which does not come back.
#[test]
fn m36_a_copy_knows_what_is_gone() {
    let mut scene = Scene::new();
    let gone = put("a");
    scene.append(vec![gone.clone(), Operation::Remove { path: SpacePath::parse("a").unwrap() }]);
    let leaving: Vec<_> = scene.log.state().leaving().map(|(blob, _)| blob).collect();
    scene.append(leaving.into_iter().map(|blob| Operation::Destroyed { blob }).collect());
    let log = scene.read_on(scene.opened(&scene.whole(), &[]).unwrap(), None).unwrap();
    assert_eq!((log.state().count(), log.state().leaving().count()), (0, 0));
    assert!(log.seal_next(vec![put("a")], &mut rand::rng()).is_ok());
    assert!(log.seal_next(vec![gone], &mut rand::rng()).is_err());
}

#[test]
fn m15_a_copy_that_is_altered_cut_off_or_in_another_order_does_not_open() {
    let mut scene = Scene::new();
    scene.append(vec![put("a")]);
    let (whole, copied) = scene.log.seal_copy(&mut rand::rng()).unwrap();
    scene.append(vec![put("b")]);
    let (first, copied) = scene.log.seal_changes(&copied, &mut rand::rng()).unwrap().unwrap();
    scene.append(vec![put("c")]);
    let (second, _) = scene.log.seal_changes(&copied, &mut rand::rng()).unwrap().unwrap();
    assert!(scene.opened(&whole, &[&first, &second]).is_ok());
    for position in (0..whole.len()).step_by(97).chain([whole.len() - 1]) {
        let mut bad = whole.clone();
        bad[position] ^= 1;
        assert!(scene.opened(&bad, &[]).is_err(), "byte {position}");
        assert!(scene.opened(&whole[..position], &[]).is_err(), "length {position}");
    }
    for changes in [&[&second][..], &[&first, &first], &[&second, &first], &[&whole]] {
        assert!(scene.opened(&whole, changes).is_err());
    }
    assert!(scene.opened(&first, &[]).is_err());
    let mut copy = scene.opened(&whole, &[&first]).unwrap();
    let before = copy.copied();
    assert!(copy.add(&scene.keys, &first).is_err());
    assert_eq!(copy.copied(), before, "what does not follow changes nothing");
    copy.add(&scene.keys, &second).unwrap();
}

#[test]
fn m34_a_copy_of_another_space_does_not_open() {
    let [mut scene, other] = [Scene::new(), Scene::new()];
    scene.append(vec![put("a")]);
    let (whole, copied) = scene.log.seal_copy(&mut rand::rng()).unwrap();
    scene.append(vec![put("b")]);
    let (changes, _) = scene.log.seal_changes(&copied, &mut rand::rng()).unwrap().unwrap();
    assert!(CopiedState::open(&scene.keys, &whole).unwrap().add(&scene.keys, &changes).is_ok());
    assert_eq!(CopiedState::open(&other.keys, &whole).err(), Some(OpenError::WrongKey));
    let mut theirs = CopiedState::open(&other.keys, &other.whole()).unwrap();
    assert_eq!(theirs.add(&scene.keys, &changes), Err(OpenError::WrongKey));
}

#[test]
fn m28_what_is_read_must_lead_past_the_copy_and_past_what_is_remembered() {
    let mut scene = Scene::new();
    scene.append(vec![put("a")]);
    let (old, old_head) = (scene.whole(), *scene.log.head());
    scene.append(vec![put("b")]);
    let (whole, head) = (scene.whole(), *scene.log.head());
    let opened = |whole: &[u8]| scene.opened(whole, &[]).unwrap();
    let finish = |copy: CopiedState, remembered, claimed: &LogHead| {
        copy.replay(scene.keys.clone(), remembered).unwrap().finish(claimed).map(|_| ())
    };
    assert_eq!(finish(opened(&whole), Some(head), &head), Ok(()));
    // An older log than the copy: with memory, with older memory, without one.
    for remembered in [Some(head), Some(old_head), None] {
        let back = finish(opened(&whole), remembered, &old_head);
        assert_eq!(back, Err(ChainError::Rollback { seen: 3, given: 2 }), "{remembered:?}");
    }
    // Rollback behind the copy: somebody put back an older one. What is remembered decides; without that an older log would be believed.
    assert_eq!(finish(opened(&old), None, &old_head), Ok(()));
    let back = finish(opened(&old), Some(head), &old_head);
    assert_eq!(back, Err(ChainError::Rollback { seen: 3, given: 2 }));
    assert_same(&scene.read_on(opened(&old), Some(head)).unwrap(), &scene.log);
    // Another history than the copy's.
    let forked = LogHead { hash: [9; 32], ..head };
    let other = finish(opened(&whole), None, &forked);
    assert_eq!(other, Err(ChainError::Rollback { seen: 3, given: 3 }));
    assert!(opened(&whole).replay(scene.keys.clone(), Some(forked)).is_none(), "such a copy is no help");
}

/// The relay gives a longer log that does not go on from where the copy stands.
#[test]
fn m29_m30_entries_that_do_not_continue_a_copy_are_a_chain_error() {
    let mut scene = Scene::new();
    scene.append(vec![put("a")]);
    let common = (scene.entries.clone(), scene.log.clone());
    scene.append(vec![put("ours")]);
    let whole = scene.whole();
    let (entries, log) = common;
    let mut fork = Scene { keys: scene.keys.clone(), entries, log };
    fork.append(vec![put("theirs"), put("more"), put("and more")]);
    let honest = scene.opened(&whole, &[]).unwrap();
    assert!(scene.read_on(honest, None).is_ok());
    let copy = scene.opened(&whole, &[]).unwrap();
    assert_eq!(fork.read_on(copy, None).err(), Some(ChainError::Displaced(3)));
}

#[test]
fn lengths_tell_little_and_many_changes_make_a_whole_copy_better() {
    let mut scene = Scene::new();
    let empty = scene.whole().len();
    scene.append(vec![put("a"), put("b")]);
    assert_eq!(scene.whole().len(), empty, "a few files are not told from none");
    let (whole, copied) = scene.log.seal_copy(&mut rand::rng()).unwrap();
    scene.log = scene.read_on(scene.opened(&whole, &[]).unwrap(), None).unwrap();
    let changes = |log: &VerifiedLog| log.seal_changes(&copied, &mut rand::rng()).unwrap();
    scene.append(vec![put("c")]);
    assert_eq!(changes(&scene.log).unwrap().0.len(), empty);
    scene.append((0..255).map(|n| put(&format!("d/{n}"))).collect());
    assert_eq!(changes(&scene.log).unwrap().1.changes, 256);
    scene.append(vec![put("e")]);
    assert!(changes(&scene.log).is_none());
    // Those of a larger state may be more.
    scene.append((0..2_800).map(|n| put(&format!("f/{n}"))).collect());
    let (whole, copied) = scene.log.seal_copy(&mut rand::rng()).unwrap();
    scene.log = scene.read_on(scene.opened(&whole, &[]).unwrap(), None).unwrap();
    scene.append((0..380).map(|n| put(&format!("g/{n}"))).collect());
    assert!(scene.log.seal_changes(&copied, &mut rand::rng()).unwrap().is_some());
}
