//! Uploads that replace: each replaces what had the name when it began, and nothing that came since.

use crate::{
    batches::{overtaken, says},
    desk::Desk,
};
use nightdrop_tests::lying::{
    Honest,
    lies::{Refuse, on},
};
use nightdrop_wire::{endpoint::Endpoint, refusal::Refusal};
use serde_json::json;
use std::{fs, path::PathBuf};

const MIB: u64 = 1 << 20;

/// A desk where `name` is listed.
async fn with_listed(name: &str) -> Desk {
    let desk = Desk::set().await;
    let first = desk.file("first", 2_000);
    desk.succeeds(&["put", "first", "--name", name]).await;
    desk.expect(name, &first).await;
    desk
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_cut_off_still_replaces_what_it_began_over() {
    let desk = with_listed("sample").await;
    for (size, words) in [(4, &["transfers", "--resume-all"][..]), (5, &["put", "sample", "--replace"])] {
        let path = desk.file("sample", size * MIB);
        desk.cut_off(2, &["put", "sample", "--replace"]).await;
        let _ = desk.sent();
        assert_eq!(desk.succeeds(words).await, [json!({ "name": "sample", "uploaded": true })]);
        let sent = desk.sent();
        assert_eq!((sent.created, sent.destroyed.len(), desk.journals().len()), (0, 1, 0), "{words:?}");
        assert_eq!(desk.names().await, ["sample"]);
        desk.expect("sample", &path).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_to_be_replaced_and_has_left_the_name_is_in_nobodys_way() {
    let desk = with_listed("sample").await;
    let path = desk.file("sample", 4 * MIB);
    desk.cut_off(2, &["put", "sample", "--replace"]).await;
    desk.succeeds(&["mv", "sample", "kept"]).await;
    desk.succeeds(&["transfers", "--resume-all"]).await;
    desk.expect("kept", &desk.directory.path().join("first")).await;
    desk.expect("sample", &path).await;
}

/// The dump of one night was stored, its last answer lost; that of the next night is listed since.
#[tokio::test(flavor = "multi_thread")]
async fn an_old_stream_never_takes_the_place_of_a_newer_file() {
    let desk = with_listed("dump").await;
    let newer = desk.file("newer", 5_000);
    for (size, ending) in [(3_000_000, true), (3_000, false)] {
        let last = move |endpoint: &Endpoint| match endpoint {
            Endpoint::FinishBlob(_) => ending,
            Endpoint::CreateBlob => !ending,
            _ => false,
        };
        desk.liar().tell(on(last, Refuse(Refusal::Busy)));
        let ended = desk.pipes(size, &["put", "-", "--name", "dump", "--replace"]).await;
        assert_eq!((ended.exit, desk.journals().len()), (5, 1), "{ended:?}");
        desk.liar().tell(Honest);
        desk.succeeds(&["put", "newer", "--name", "dump", "--replace"]).await;
        let _ = desk.sent();
        let ended = desk.types(&["transfers", "--resume-all"]).await;
        assert!(ended.exit == 4 && says(&ended, "there is another dump"), "{ended:?}");
        assert_eq!((desk.sent().destroyed.len(), desk.journals().len()), (0, 1));
        desk.expect("dump", &newer).await;
        // Its owner decides: both are kept.
        desk.succeeds(&["mv", "dump", "newer"]).await;
        desk.succeeds(&["transfers", "--resume-all"]).await;
        let content = desk.directory.path().join("content");
        fs::write(&content, vec![7; size]).unwrap();
        desk.expect("dump", &content).await;
        desk.expect("newer", &newer).await;
        desk.succeeds(&["rm", "newer"]).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_device_put_meanwhile_is_not_overwritten() {
    let desk = with_listed("sample").await;
    let path = desk.file("sample", 4 * MIB);
    desk.cut_off(2, &["put", "sample", "--replace"]).await;
    let theirs = desk.file("theirs", 3_000);
    let ended = desk.types_elsewhere(&["put", "theirs", "--name", "sample", "--replace"]).await;
    assert_eq!(ended.exit, 0, "{ended:?}");
    let _ = desk.sent();
    for words in [&["transfers", "--resume-all"][..], &["put", "sample", "--replace"]] {
        let ended = desk.types(words).await;
        assert!(ended.exit == 4 && says(&ended, "there is another sample"), "{ended:?}");
        assert!(ended.messages.iter().any(|said| said.contains("not overwritten")), "{ended:?}");
        let sent = desk.sent();
        assert_eq!((sent.created, sent.count(), sent.destroyed.len()), (0, 0, 0), "{words:?}");
        assert_eq!(desk.journals().len(), 1);
        desk.expect("sample", &theirs).await;
        let _ = desk.sent();
    }
    desk.succeeds(&["mv", "sample", "theirs"]).await;
    desk.succeeds(&["put", "sample", "--replace"]).await;
    let sent = desk.sent();
    assert_eq!((sent.created, sent.destroyed.len(), desk.journals().len()), (0, 0, 0), "it went on");
    desk.expect("theirs", &theirs).await;
    desk.expect("sample", &path).await;
}

/// A file that changed here and there since its upload was cut off.
#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_changed_on_both_sides_is_not_overwritten_either() {
    let desk = with_listed("sample").await;
    desk.file("sample", 4 * MIB);
    desk.cut_off(2, &["put", "sample", "--replace"]).await;
    let theirs = desk.file("theirs", 3_000);
    assert_eq!(desk.types_elsewhere(&["put", "theirs", "--name", "sample", "--replace"]).await.exit, 0);
    let path = desk.file("sample", 3 * MIB);
    let ended = desk.types(&["put", "sample", "--replace"]).await;
    assert!(ended.exit == 4 && says(&ended, "there is another sample"), "{ended:?}");
    desk.expect("sample", &theirs).await;
    desk.succeeds(&["transfers", "drop", "--all"]).await;
    // A decision of its own, of somebody who was told.
    desk.succeeds(&["put", "sample", "--replace"]).await;
    desk.expect("sample", &path).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_put_while_a_long_command_runs_is_not_overwritten_by_it() {
    let desk = with_listed("sample").await;
    desk.file("sample", 8 * MIB);
    let faster = desk.file("elsewhere/sample", 10);
    let other = ["put", "elsewhere/sample", "--replace"];
    let (ended, _) = overtaken(&desk, 0, &["put", "sample", "--replace"], 2, &other).await;
    assert!(ended.exit == 4 && says(&ended, "there is another sample"), "{ended:?}");
    desk.expect("sample", &faster).await;
}

/// The name is of a later batch: the command has not come to it when another one replaces its file.
#[tokio::test(flavor = "multi_thread")]
async fn a_directory_replaces_what_was_there_when_its_command_began() {
    let desk = Desk::set().await;
    for n in 0..60 {
        desk.file(&format!("docs/{n:02}"), 10);
    }
    desk.succeeds(&["put", "docs"]).await;
    desk.file("docs/00", 8 * MIB);
    desk.file("docs/58", 20);
    desk.file("docs/59", 20);
    let faster = desk.file("elsewhere/59", 30);
    let other = ["put", "elsewhere/59", "--to", "docs", "--replace"];
    // The first ones have changed, so that this one comes in the second batch.
    for n in 1..58 {
        desk.file(&format!("docs/{n:02}"), 11);
    }
    let (ended, _) = overtaken(&desk, 0, &["put", "docs", "--replace"], 2, &other).await;
    assert!(ended.exit == 4 && says(&ended, "there is another docs/59"), "{ended:?}");
    desk.expect("docs/59", &faster).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_that_would_replace_one_file_only_one_does() {
    let desk = with_listed("report").await;
    let paths = [desk.file("a/report", 3 * MIB), desk.file("b/report", 4 * MIB)];
    for path in ["a/report", "b/report"] {
        desk.cut_off(2, &["put", path, "--replace"]).await;
    }
    for done in [1, 0] {
        let ended = desk.types(&["transfers", "--resume-all"]).await;
        assert!(ended.exit == 4 && says(&ended, "there is another report"), "{ended:?}");
        assert_eq!(
            (ended.results.len(), desk.sent().destroyed.len(), desk.journals().len()),
            (done, done, 1)
        );
    }
    // Which of them is the older one is known to the second.
    let waits = desk.succeeds(&["transfers"]).await.remove(0);
    let is_it = |path: &&PathBuf| waits["path"] != json!(path.canonicalize().unwrap());
    desk.expect("report", paths.iter().find(is_it).unwrap()).await;
}
