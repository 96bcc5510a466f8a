//! Entries that the owner's devices did not write, stored in the log for good: they have no effect, every device says so, and
//! the log goes on.

use crate::homes::{Scene, put, rename};
use nightdrop_envelope::space::Operation;
use nightdrop_tests::{
    lying::{
        Honest,
        naive::{Check, Entry, OpenHome},
    },
    memory::Device,
};
use nightdrop_wire::limits::ENVELOPE_OVERHEAD;

/// A stray is stored; all devices list and report alike, a reader without these checks does not, and the log goes on.
async fn expect_without_effect(scene: &mut Scene, entry: Vec<u8>, fault: &str, checks: &[Check]) {
    let before = Scene::listed(&mut scene.device).await;
    let at = scene.log().await.len() as u64;
    scene.plant(entry).await;
    scene.stage.liar.tell(Honest);
    let mut second = Device::another(&scene.person).await;
    let (files, mut reports) = Scene::listed(&mut scene.device).await;
    assert_eq!(
        Scene::listed(&mut second).await,
        (files.clone(), reports.clone()),
        "every device says the same"
    );
    assert_eq!(files, before.0, "nothing is listed, removed or moved");
    assert_eq!(reports.pop(), Some((at, fault.to_owned())));
    assert_eq!(reports, before.1);

    let whole = scene.naive(Honest, None, &[]).await.unwrap();
    assert_eq!(whole.files.keys().cloned().collect::<Vec<_>>(), files);
    for alone in checks {
        let others: Vec<Check> = checks.iter().copied().filter(|check| check != alone).collect();
        assert_eq!(scene.naive(Honest, None, &others).await, Ok(whole.clone()), "{alone:?} alone finds it");
    }
    if !checks.is_empty() {
        let fooled = scene.naive(Honest, None, checks).await.unwrap();
        assert_ne!(fooled.files, whole.files, "it would have had an effect");
    }

    second.append(vec![put(&format!("after {at}"))]).await.unwrap();
    let (files, _) = Scene::listed(&mut scene.device).await;
    assert!(files.contains(&format!("after {at}")), "the log goes on");
}

/// A home space and the entry that its owner would write next, for an outsider to spoil; unspoilt it has its effect.
async fn scene() -> (Scene, Entry) {
    let scene = Scene::set(vec![put("a"), put("b")]).await;
    let log = scene.log().await;
    let next = scene.keys.next(&log, put("planted"));
    let kept = scene.serving([&log[..], &[scene.keys.seal(&next)]].concat());
    assert_eq!(scene.naive(kept.clone(), None, &[]).await.unwrap().files.len(), 3);
    let mut reader = Device::another(&scene.person).await;
    assert_eq!(Scene::listed(&mut reader).await, (vec!["a".into(), "b".into(), "planted".into()], vec![]));
    scene.stage.liar.tell(Honest);
    (scene, next)
}

async fn other_home() -> OpenHome {
    Scene::set(vec![put("theirs")]).await.keys
}

const DOES_NOT_OPEN: &str = "does not open";

#[tokio::test]
async fn m24_what_an_outsider_makes_is_not_listed_and_is_reported() {
    let (mut scene, next) = scene().await;
    let other = other_home().await;
    expect_without_effect(&mut scene, vec![0x5a; 512], DOES_NOT_OPEN, &[]).await;
    let theirs = other.seal(&Entry { author: other.owner(), space: other.space, ..next });
    expect_without_effect(&mut scene, theirs, DOES_NOT_OPEN, &[]).await;
}

#[tokio::test]
async fn m24_m50_an_entry_by_somebody_who_can_read_is_not_listed_and_is_reported() {
    let (mut scene, next) = scene().await;
    let other = other_home().await;
    let own_name = Entry { author: other.owner(), ..next };
    let sealed = scene.keys.seal_signed_by(&other, &own_name);
    expect_without_effect(&mut scene, sealed, "is not by the owner", &[Check::Author]).await;
    let next = scene.keys.next(&scene.log().await, put("planted"));
    let sealed = scene.keys.seal_signed_by(&other, &next);
    expect_without_effect(&mut scene, sealed, "has a wrong signature", &[Check::Signature]).await;
    let no_entry = scene.keys.seal_plaintext(&[7; 512 - ENVELOPE_OVERHEAD]);
    expect_without_effect(&mut scene, no_entry, DOES_NOT_OPEN, &[]).await;
}

/// The owner signed it, for another place: whoever reads both could carry it over.
#[tokio::test]
async fn m30_m34_an_entry_for_another_space_epoch_or_version_is_not_listed_and_is_reported() {
    let (mut scene, _) = scene().await;
    let other = other_home().await;
    for change in [
        |entry: &mut Entry, other: &OpenHome| entry.space = other.space,
        |entry: &mut Entry, _: &OpenHome| entry.epoch = 1,
        |entry: &mut Entry, _: &OpenHome| entry.suite = 2,
    ] {
        let mut next = scene.keys.next(&scene.log().await, put("planted"));
        change(&mut next, &other);
        let sealed = scene.keys.seal(&next);
        expect_without_effect(&mut scene, sealed, DOES_NOT_OPEN, &[Check::Space]).await;
    }
}

#[tokio::test]
async fn m15_m23_m34_an_altered_entry_is_not_listed_and_is_reported() {
    let (mut scene, _) = scene().await;
    // Suite, kind, and the last byte of the tag.
    for (position, checks) in
        [(1, &[Check::Kind, Check::Tag][..]), (2, &[Check::Kind, Check::Tag]), (usize::MAX, &[Check::Tag])]
    {
        let next = scene.keys.next(&scene.log().await, put("planted"));
        let mut sealed = scene.keys.seal(&next);
        let position = position.min(sealed.len() - 1);
        sealed[position] ^= 1;
        expect_without_effect(&mut scene, sealed, DOES_NOT_OPEN, checks).await;
    }
    let next = scene.keys.next(&scene.log().await, put("planted"));
    let sealed = scene.keys.seal_committed_to(&[9; 32], &next);
    expect_without_effect(&mut scene, sealed, DOES_NOT_OPEN, &[Check::Commitment]).await;
}

/// By the owner's own key: a faulty device.
#[tokio::test]
async fn m50_an_entry_that_makes_no_sense_has_no_effect_and_is_reported() {
    let (mut scene, _) = scene().await;
    let again = Operation::Create { owner: [7; 32], random: [7; 32] };
    let below = put("a/below");
    for (operation, checks) in
        [(rename("a", "b"), &[Check::Sense][..]), (below, &[Check::Sense]), (again, &[])]
    {
        let sealed = scene.keys.seal(&scene.keys.next(&scene.log().await, operation));
        expect_without_effect(&mut scene, sealed, "makes no sense", checks).await;
    }
}
