//! Lies about which entries there are and in which order: the heads fit, and only the entries tell.

use crate::homes::{Reader, Scene, chain, put, remove, rename};
use nightdrop_client::ClientError;
use nightdrop_envelope::space::ChainError;
use nightdrop_tests::{
    lying::{Honest, naive::Check},
    memory::Device,
};

/// Entries whose order matters: create, put, move, put.
async fn scene() -> (Scene, Vec<Vec<u8>>) {
    let scene = Scene::set(vec![put("a"), rename("a", "b"), put("a")]).await;
    let log = scene.log().await;
    assert_eq!(log.len(), 4);
    (scene, log)
}

#[tokio::test]
async fn m24_m30_dropped_reordered_replaced_and_inserted_entries_are_chain_errors() {
    let (mut scene, log) = scene().await;
    let stray = vec![0x5a; 512];
    let mut reordered = log.clone();
    reordered.swap(2, 3);
    let mut replaced = log.clone();
    replaced[2] = stray.clone();
    let dropped = [&log[..2], &log[3..]].concat();
    let inserted = [&log[..2], &[stray], &log[2..]].concat();
    for (entries, at) in [(dropped, 2), (reordered, 2), (replaced, 3), (inserted, 3)] {
        let kept = scene.serving(entries);
        let displaced = chain(ChainError::Displaced(at));
        scene.expect_caught_by(Reader::New, || kept.clone(), displaced, &[Check::Place]).await;
        scene.expect_caught(Reader::Remembers, kept, |error| matches!(error, ClientError::Chain(_))).await;
    }
}

#[tokio::test]
async fn m30_m34_m36_an_entry_that_is_repeated_brings_nothing_back() {
    let mut scene = Scene::set(vec![put("a"), remove("a")]).await;
    let log = scene.log().await;
    let kept = scene.serving([&log[..], &log[1..2]].concat());
    let displaced = || chain(ChainError::Displaced(3));
    let checks = [Check::Place, Check::Sense];
    scene.expect_caught_by(Reader::New, || kept.clone(), displaced(), &checks).await;
    scene.expect_caught_by(Reader::Remembers, || kept.clone(), displaced(), &checks).await;
}

#[tokio::test]
async fn m28_m36_an_older_log_is_a_rollback_for_who_saw_a_newer_one() {
    let mut scene = Scene::set(vec![put("a"), remove("a")]).await;
    let log = scene.log().await;
    for given in 1..3 {
        let kept = scene.serving(log[..given].to_vec());
        let rollback = chain(ChainError::Rollback { seen: 3, given: given as u64 });
        let checks = [Check::Memory];
        if given == 2 {
            scene.expect_caught_by(Reader::Remembers, || kept.clone(), rollback, &checks).await;
        } else {
            scene.expect_caught(Reader::Remembers, kept, rollback).await;
        }
    }
}

/// A new device has nothing to compare with, so that it believes an older log until another device tells.
#[tokio::test]
async fn m28_a_newer_log_is_read_on_and_an_older_one_is_never_again_taken() {
    let mut scene = Scene::set(vec![put("a")]).await;
    let older = scene.log().await;
    let mut second = Device::another(&scene.person).await;
    scene.stage.liar.tell(scene.serving(older.clone()));
    assert_eq!(Scene::listed(&mut second).await.0, ["a"]);
    scene.stage.liar.tell(Honest);
    scene.device.append(vec![put("b")]).await.unwrap();
    assert_eq!(Scene::listed(&mut second).await.0, ["a", "b"]);
    scene.stage.liar.tell(scene.serving(older));
    let error = second.open().await.expect_err("it has seen a newer one");
    assert!(chain(ChainError::Rollback { seen: 3, given: 2 })(&error), "{error:?}");
}

#[tokio::test]
async fn m29_two_histories_are_an_error_when_heads_meet_and_are_never_merged() {
    let mut scene = Scene::set(vec![put("a")]).await;
    let mut second = Device::another(&scene.person).await;
    second.open().await.unwrap();
    let kept = scene.serving(scene.log().await);
    scene.device.append(vec![put("ours")]).await.unwrap();
    scene.stage.liar.tell(kept.clone());
    second.append(vec![put("theirs")]).await.unwrap();
    assert_eq!(Scene::listed(&mut second).await.0, ["a", "theirs"], "each sees a history of its own");
    scene.stage.liar.tell(Honest);
    assert_eq!(Scene::listed(&mut scene.device).await.0, ["a", "ours"]);

    let fork = || chain(ChainError::Rollback { seen: 3, given: 3 });
    let error = second.open().await.expect_err("the heads meet");
    assert!(fork()(&error), "{error:?}");
    scene.expect_caught_by(Reader::Remembers, || kept.clone(), fork(), &[Check::Memory]).await;
    // What was written after one history, after the other.
    let merged = scene.serving([scene.log().await, kept.entries()[2..].to_vec()].concat());
    let displaced = || chain(ChainError::Displaced(3));
    scene.expect_caught_by(Reader::Remembers, || merged.clone(), displaced(), &[Check::Place]).await;
    scene.expect_caught_by(Reader::New, || merged.clone(), displaced(), &[Check::Place]).await;
}

/// The id of a space depends on its first entry, so nothing else can be what is under it.
#[tokio::test]
async fn m30_m52_another_log_under_the_same_id_is_an_error() {
    let mut scene = Scene::set(vec![put("a")]).await;
    let other = Scene::set(vec![put("b")]).await;
    for entries in [other.log().await, vec![vec![0x5a; 512]; 3]] {
        let kept = scene.serving(entries);
        for reader in [Reader::New, Reader::Remembers] {
            scene.expect_caught(reader, kept.clone(), chain(ChainError::NoBeginning)).await;
        }
        let no_beginning = chain(ChainError::NoBeginning);
        scene.expect_caught_by(Reader::New, || kept.clone(), no_beginning, &[Check::Beginning]).await;
    }
    // Made again by a device of the same owner, as if it were new: the key is the same, the history is not.
    let log = scene.log().await;
    let again = scene.keys.seal(&scene.keys.next(&log[..1], put("c")));
    let kept = scene.serving(vec![log[0].clone(), again]);
    let rollback = chain(ChainError::Rollback { seen: 2, given: 2 });
    scene.expect_caught_by(Reader::Remembers, || kept.clone(), rollback, &[Check::Memory]).await;
}
