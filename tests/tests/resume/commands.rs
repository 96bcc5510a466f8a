//! `put`, `transfers` and what comes between, as they are typed.

use crate::{
    cut::{Sent, Stops},
    desk::Desk,
};
use nightdrop_client::{
    console::BarState,
    transfer::{self, Source},
};
use nightdrop_envelope::space::SpacePath;
use nightdrop_tests::{
    lying::{
        Honest,
        lies::{Refuse, Swallow, on},
    },
    system::make_sample,
};
use nightdrop_wire::{endpoint::Endpoint, refusal::Refusal};
use serde_json::{Value, json};
use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt,
};

const MIB: u64 = 1 << 20;

/// What `transfers drop` tells of so many that the relay has no more, and so many of which nothing was known.
fn dropped(at_relay: u64, damaged: u64) -> Value {
    json!({ "dropped": at_relay + damaged, "at_relay": at_relay, "listed": 0, "damaged": damaged })
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_cut_off_is_listed_and_gone_on_with() {
    let desk = Desk::set().await;
    let path = desk.file("sample", 6 * MIB);
    desk.cut_off(3, &["put", "sample", "--to", "kept"]).await;
    let shown = desk.succeeds(&["transfers"]).await;
    assert_eq!(shown.len(), 1);
    for (field, value) in [
        ("number", json!(1)),
        ("direction", json!("upload")),
        ("state", json!("interrupted")),
        ("name", json!("kept/sample")),
        ("path", json!(path.canonicalize().unwrap())),
        ("size", json!(6 * MIB)),
    ] {
        assert_eq!(shown[0][field], value, "{field}");
    }
    let sent = shown[0]["sent"].as_u64().unwrap();
    assert!((3 * (MIB - 200)..=6 * MIB).contains(&sent), "{sent}");
    assert!(shown[0]["began"].as_u64().unwrap() > 1_700_000_000);
    let _ = desk.sent();
    let stored = desk.succeeds(&["transfers", "--resume-all"]).await;
    assert_eq!(stored, [json!({ "name": "kept/sample", "uploaded": true })]);
    let again = desk.sent();
    assert_eq!((again.created, again.destroyed.len()), (0, 0));
    assert_eq!((desk.names().await, desk.journals().len()), (vec!["kept/sample".to_owned()], 0));
    desk.expect("kept/sample", &path).await;
    assert_eq!(desk.succeeds(&["transfers"]).await.len(), 0);
    assert_eq!(desk.succeeds(&["transfers", "--resume-all"]).await.len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn c08_the_same_command_goes_on_after_a_kill() {
    let desk = Desk::set().await;
    let path = desk.file("sample", 12 * MIB);
    for chunks in [2, 3, 2] {
        desk.killed(chunks, &["put", "sample"]).await;
    }
    assert_eq!(desk.succeeds(&["put", "sample"]).await, [json!({ "name": "sample", "uploaded": true })]);
    assert_eq!((desk.names().await, desk.journals().len()), (vec!["sample".to_owned()], 0));
    desk.expect("sample", &path).await;
    assert_eq!(desk.succeeds(&["put", "sample"]).await, [json!({ "name": "sample", "uploaded": false })]);
}

#[tokio::test(flavor = "multi_thread")]
async fn c08_a_directory_goes_on_within_its_files_too() {
    let desk = Desk::set().await;
    let sizes = [("docs/a", 3_000), ("docs/b/large", 8 * MIB), ("docs/b/small", 10), ("docs/c", 5 * MIB)];
    let paths = sizes.map(|(name, size)| desk.file(name, size));
    let mut sent = Sent::default();
    for _ in 0..2 {
        sent.chunks.extend(desk.killed(4, &["put", "docs"]).await.chunks);
    }
    desk.cut_off(2, &["put", "docs"]).await;
    let stored = desk.succeeds(&["put", "docs"]).await;
    assert_eq!(stored.len(), 4);
    sent.add(desk.liar().take_asked());
    // One of which the relay never heard is ended there before it is made, under the same names.
    assert_eq!(sent.blobs().len(), 2, "none was begun anew");
    sent.assert_no_nonce_twice();
    assert_eq!(desk.names().await, sizes.map(|(name, _)| name));
    for ((name, _), path) in sizes.iter().zip(&paths) {
        desk.expect(name, path).await;
    }
    assert_eq!(desk.journals().len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_dropped_is_destroyed_at_the_relay() {
    let desk = Desk::set().await;
    desk.file("one", 3 * MIB);
    desk.file("other", 4 * MIB);
    for name in ["one", "other"] {
        desk.cut_off(2, &["put", name]).await;
    }
    let _ = desk.sent();
    let destroying = |endpoint: &Endpoint| matches!(endpoint, Endpoint::DestroyBlob(_));
    desk.liar().tell(on(destroying, Refuse(Refusal::Busy)));
    assert_eq!(desk.types(&["transfers", "drop", "1"]).await.exit, 5);
    assert_eq!(desk.journals().len(), 2, "it can be dropped later");
    desk.liar().tell(Honest);
    assert_eq!(desk.succeeds(&["transfers", "drop", "1"]).await, [dropped(1, 0)]);
    assert_eq!(desk.sent().destroyed.len(), 1);
    assert_eq!(desk.succeeds(&["transfers"]).await.len(), 1);
    assert_eq!(desk.types(&["transfers", "drop", "2"]).await.exit, 3);
    // Also when the relay says that it has no such blob.
    desk.liar().tell(on(destroying, Refuse(Refusal::Refused)));
    assert_eq!(desk.succeeds(&["transfers", "drop", "--all"]).await, [dropped(1, 0)]);
    assert_eq!(desk.journals().len(), 0);
    desk.liar().tell(Honest);
    for words in [&["transfers", "drop"][..], &["transfers", "drop", "1", "--all"]] {
        // The agent's side says that it is no command of its version, as the caller would have refused it.
        assert_ne!(desk.types(words).await.exit, 0, "{words:?}");
    }
}

/// Between listing a file and forgetting its journal: it is not stored or listed twice, and never destroyed.
#[tokio::test(flavor = "multi_thread")]
async fn c08_what_is_listed_and_has_a_journal_is_done() {
    let desk = Desk::set().await;
    let path = desk.file("sample", 3 * MIB);
    let finishing = |endpoint: &Endpoint| matches!(endpoint, Endpoint::FinishBlob(_));
    desk.liar().tell(on(finishing, Refuse(Refusal::Busy)));
    assert_eq!(desk.types(&["put", "sample"]).await.exit, 5);
    desk.liar().tell(Honest);
    let journal = desk.journals().remove(0);
    let (kept, aside) = (fs::read(&journal).unwrap(), desk.directory.path().join("aside"));
    fs::copy(&journal, &aside).unwrap();
    desk.succeeds(&["put", "sample"]).await;
    for words in
        [&["put", "sample"][..], &["transfers", "drop", "--all"], &["transfers", "--resume-all"], &["ls"]]
    {
        assert!(!journal.exists());
        fs::copy(&aside, &journal).unwrap();
        assert!(fs::read(&journal).unwrap() == kept);
        let _ = desk.sent();
        desk.succeeds(words).await;
        let sent = desk.sent();
        assert_eq!((sent.created, sent.count(), sent.destroyed.len()), (0, 0, 0), "{words:?}");
        assert_eq!(desk.names().await, ["sample"]);
    }
    assert!(!journal.exists());
    desk.expect("sample", &path).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_changed_is_not_gone_on_with_unless_it_is_put_again() {
    let desk = Desk::set().await;
    let path = desk.file("sample", 4 * MIB);
    desk.cut_off(2, &["put", "sample"]).await;
    make_sample(&path, 3 * MIB).unwrap();
    let _ = desk.sent();
    let ended = desk.types(&["transfers", "--resume-all"]).await;
    assert!(
        ended.exit == 1 && ended.messages.iter().any(|said| said.contains("is not what it was")),
        "{ended:?}"
    );
    assert_eq!((desk.sent().count(), desk.journals().len()), (0, 1));
    fs::rename(&path, desk.directory.path().join("elsewhere")).unwrap();
    assert_eq!(desk.types(&["transfers", "--resume-all"]).await.exit, 1, "it is gone");
    fs::rename(desk.directory.path().join("elsewhere"), &path).unwrap();
    desk.succeeds(&["put", "sample"]).await;
    assert_eq!((desk.sent().destroyed.len(), desk.journals().len()), (1, 0));
    desk.expect("sample", &path).await;
}

/// What a bar, or a program, is told of a transfer: how far it is, of how much, over how many lanes.
#[tokio::test(flavor = "multi_thread")]
async fn progress_is_told_from_nothing_to_all_of_it() {
    let desk = Desk::set().await;
    desk.file("docs/a", 6 * MIB);
    desk.file("docs/b", 3_000);
    desk.file("sample", 6 * MIB);
    for (words, lanes) in [
        (&["put", "sample"][..], 2..=4),
        (&["put", "docs"], 2..=2),
        (&["get", "sample", "-o", "back"], 1..=4),
        (&["get", "docs", "-o", "all"], 2..=2),
    ] {
        let ended = desk.types(words).await;
        assert_eq!(ended.exit, 0, "{ended:?}");
        let told = ended.bars.iter().filter_map(|bar| match bar {
            BarState::Bytes { position, length, lanes } => Some((*position, *length, *lanes)),
            _ => None,
        });
        let told: Vec<(u64, u64, u32)> = told.collect();
        assert!(told[0].0 == 0 && told.iter().all(|(position, length, _)| position <= length), "{told:?}");
        let most = told.iter().map(|(position, ..)| *position).max().unwrap();
        let (_, length, used) = *told.last().unwrap();
        assert!(most == length && length >= 6 * MIB && lanes.contains(&used), "{words:?}: {told:?}");
        assert!(ended.bars.contains(&BarState::Done));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_was_cut_off_can_only_be_dropped() {
    let desk = Desk::set().await;
    desk.killed(3, &["put", "-", "--name", "stream"]).await;
    let shown = desk.succeeds(&["transfers"]).await;
    assert_eq!(
        (&shown[0]["name"], &shown[0]["state"], &shown[0]["size"]),
        (&json!("stream"), &json!("lost"), &Value::Null)
    );
    let ended = desk.types(&["transfers", "--resume-all"]).await;
    assert!(ended.exit == 1 && ended.messages.iter().any(|said| said.contains("cannot be gone on with")));
    let _ = desk.sent();
    desk.succeeds(&["transfers", "drop", "1"]).await;
    assert_eq!((desk.sent().destroyed.len(), desk.journals().len()), (1, 0));
    assert_eq!(desk.names().await, [""; 0]);
}

/// All of it was stored; what is missing is its place in the list, for which nothing needs to be read again.
#[tokio::test(flavor = "multi_thread")]
async fn c08_a_stream_that_was_stored_and_not_listed_is_listed() {
    let desk = Desk::set().await;
    desk.file("first", 10);
    desk.succeeds(&["put", "first"]).await;
    for (name, size) in [("long", 3_000_000), ("short", 3_000)] {
        let listing = |endpoint: &Endpoint| matches!(endpoint, Endpoint::AppendLog(_));
        desk.liar().tell(on(listing, Swallow(Refusal::Busy.status())));
        assert_eq!(desk.pipes(size, &["put", "-", "--name", name]).await.exit, 5);
        desk.liar().tell(Honest);
        let shown = desk.succeeds(&["transfers"]).await;
        assert_eq!((&shown[0]["state"], &shown[0]["size"]), (&json!("interrupted"), &json!(size)));
        let _ = desk.sent();
        desk.succeeds(&["transfers", "--resume-all"]).await;
        let sent = desk.sent();
        assert_eq!((sent.created, sent.count(), sent.destroyed.len(), desk.journals().len()), (0, 0, 0, 0));
        let content = desk.directory.path().join(name);
        fs::write(&content, vec![7; size]).unwrap();
        desk.expect(name, &content).await;
    }
    assert_eq!(desk.names().await, ["first", "long", "short"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_command_at_a_time_is_at_an_upload() {
    let desk = Desk::set().await;
    let path = desk.file("sample", 4 * MIB);
    desk.cut_off(2, &["put", "sample"]).await;
    let (source, name) = (Source::open(&path, None).unwrap(), SpacePath::parse("sample").unwrap());
    let held = transfer::find(&desk.unlocked.journals().unwrap(), source, name, None).unwrap();
    assert_eq!(desk.succeeds(&["transfers"]).await[0]["state"], "running");
    for words in [&["put", "sample"][..], &["transfers", "--resume-all"], &["transfers", "drop", "1"]] {
        let ended = desk.types(words).await;
        assert!(
            ended.exit == 4 && ended.messages.iter().any(|said| said.contains("another command")),
            "{ended:?}"
        );
    }
    drop(held);
    desk.succeeds(&["put", "sample"]).await;
    desk.expect("sample", &path).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_journal_that_does_not_open_is_told_and_fails_nothing() {
    let desk = Desk::set().await;
    let path = desk.file("sample", 3 * MIB);
    desk.cut_off(2, &["put", "sample"]).await;
    let journal = desk.journals().remove(0);
    let mut bytes = fs::read(&journal).unwrap();
    bytes[80] ^= 1;
    fs::write(&journal, bytes).unwrap();
    let ended = desk.types(&["ls"]).await;
    assert!(ended.exit == 0 && ended.messages.iter().any(|said| said.contains("damaged")), "{ended:?}");
    let ended = desk.types(&["transfers"]).await;
    assert_eq!((ended.exit, &ended.results[0]["state"]), (0, &json!("damaged")));
    let ended = desk.types(&["put", "sample"]).await;
    assert_eq!((ended.exit, desk.journals().len()), (0, 0));
    desk.expect("sample", &path).await;
}

/// The old blob is destroyed; until the new one has a journal, the old journal stands for the upload.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_begun_anew_is_not_forgotten_before_its_successor_has_a_journal() {
    let desk = Desk::set().await;
    let path = desk.file("sample", 4 * MIB);
    desk.cut_off(2, &["put", "sample"]).await;
    make_sample(&path, 3 * MIB).unwrap();
    let _ = desk.sent();
    // No credit is left, and none can be drawn.
    fs::remove_file(desk.directory.path().join("home/credits")).unwrap();
    desk.liar().tell(on(|endpoint| matches!(endpoint, Endpoint::FetchCredits), Refuse(Refusal::Busy)));
    assert_eq!(desk.types(&["put", "sample"]).await.exit, 5);
    let sent = desk.sent();
    assert_eq!((sent.destroyed.len(), sent.created, desk.journals().len()), (1, 0, 1));
    assert_eq!(desk.succeeds(&["transfers"]).await[0]["state"], "interrupted");
    desk.liar().tell(Honest);
    desk.succeeds(&["put", "sample"]).await;
    assert_eq!((desk.names().await, desk.journals().len()), (vec!["sample".to_owned()], 0));
    desk.expect("sample", &path).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_whose_last_answer_was_lost_is_listed_later() {
    let desk = Desk::set().await;
    let finishing = |endpoint: &Endpoint| matches!(endpoint, Endpoint::FinishBlob(_));
    let creating = |endpoint: &Endpoint| matches!(endpoint, Endpoint::CreateBlob);
    desk.file("first", 10);
    desk.succeeds(&["put", "first"]).await;
    for (name, size) in [("long", 3_000_000), ("short", 3_000)] {
        // What is short is made and finished in one request.
        if name == "long" {
            desk.liar().tell(on(finishing, Refuse(Refusal::Busy)));
        } else {
            desk.liar().tell(on(creating, Refuse(Refusal::Busy)));
        }
        let _ = desk.sent();
        let ended = desk.pipes(size, &["put", "-", "--name", name]).await;
        let told = ended.messages.iter().any(|said| said.contains("transfers --resume-all"));
        assert!(ended.exit == 5 && told, "{ended:?}");
        assert_eq!((desk.sent().destroyed.len(), desk.journals().len()), (0, 1));
        desk.liar().tell(Honest);
        desk.succeeds(&["transfers", "--resume-all"]).await;
        let sent = desk.sent();
        assert_eq!((sent.created, sent.destroyed.len(), desk.journals().len()), (0, 0, 0));
        let content = desk.directory.path().join(name);
        fs::write(&content, vec![7; size]).unwrap();
        desk.expect(name, &content).await;
    }
}

/// Before its end, or when the relay does not take the end, nothing can come of it.
#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_cannot_be_finished_is_destroyed() {
    let desk = Desk::set().await;
    let finishing = |endpoint: &Endpoint| matches!(endpoint, Endpoint::FinishBlob(_));
    for is_cut_off in [true, false] {
        if is_cut_off {
            desk.liar().tell(Stops::after(2));
        } else {
            desk.liar().tell(on(finishing, Swallow(Refusal::Conflict.status())));
        }
        let _ = desk.sent();
        assert_ne!(desk.pipes(4_000_000, &["put", "-", "--name", "other"]).await.exit, 0);
        assert_eq!((desk.sent().destroyed.len(), desk.journals().len()), (1, 0), "{is_cut_off}");
        desk.liar().tell(Honest);
    }
}

/// Restored from a backup with other rights, linked, or put there by somebody: each is told, dropped as it stands, and fails nothing.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_journal_is_dropped_and_never_followed() {
    let desk = Desk::set().await;
    desk.file("sample", 3 * MIB);
    desk.cut_off(2, &["put", "sample"]).await;
    let journal = desk.journals().remove(0);
    let transfers = journal.parent().unwrap();
    let target = desk.file("target", 10);
    std::os::unix::fs::symlink(&target, transfers.join("link")).unwrap();
    fs::hard_link(&target, transfers.join("second")).unwrap();
    fs::copy(&journal, transfers.join("open")).unwrap();
    fs::set_permissions(transfers.join("open"), Permissions::from_mode(0o644)).unwrap();
    fs::create_dir(transfers.join("directory")).unwrap();
    let ended = desk.types(&["transfers"]).await;
    let states: Vec<&str> = ended.results.iter().map(|shown| shown["state"].as_str().unwrap()).collect();
    assert_eq!((ended.exit, states), (0, vec!["interrupted", "damaged", "damaged", "damaged"]));
    for told in ["3 unfinished upload(s) is damaged", "1 directories"] {
        assert!(ended.messages.iter().any(|said| said.contains(told)), "{ended:?}");
    }
    let ended = desk.types(&["transfers", "drop", "--all"]).await;
    assert_eq!((ended.exit, ended.results), (0, vec![dropped(1, 3)]));
    assert_eq!(desk.journals(), [transfers.join("directory")]);
    assert_eq!(fs::metadata(&target).unwrap().len(), 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn how_many_were_dropped_is_told_before_one_that_is_running() {
    let desk = Desk::set().await;
    let path = desk.file("one", 3 * MIB);
    desk.file("other", 3 * MIB);
    for name in ["one", "other"] {
        desk.cut_off(2, &["put", name]).await;
    }
    let (source, name) = (Source::open(&path, None).unwrap(), SpacePath::parse("one").unwrap());
    let held = transfer::find(&desk.unlocked.journals().unwrap(), source, name, None).unwrap();
    let ended = desk.types(&["transfers", "drop", "--all"]).await;
    assert_eq!((ended.exit, ended.results), (4, vec![dropped(1, 0)]));
    drop(held);
    assert_eq!(desk.succeeds(&["transfers", "drop", "--all"]).await, [dropped(1, 0)]);
}
