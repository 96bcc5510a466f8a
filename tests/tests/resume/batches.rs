//! Uploads that are gone on with together: none of them is in the way of another one.

use crate::{
    cut::Sent,
    desk::{Desk, Ended},
};
use nightdrop_tests::{
    lying::{
        Honest,
        lies::{Swallow, on},
    },
    system::make_sample,
};
use nightdrop_wire::{endpoint::Endpoint, refusal::Refusal};
use serde_json::json;
use std::{fs, path::PathBuf, pin::pin, time::Duration};

const MIB: u64 = 1 << 20;

pub(crate) fn says(ended: &Ended, words: &str) -> bool {
    ended.messages.iter().any(|said| said.contains(words))
}

/// The command, and when so many chunks of it were sent another one, which ends before the first goes on.
pub(crate) async fn overtaken(
    desk: &Desk,
    input: usize,
    words: &[&str],
    chunks: usize,
    other: &[&str],
) -> (Ended, Sent) {
    let mut sent = Sent::default();
    let mut first = pin!(desk.pipes(input, words));
    let watch = async {
        while sent.count() < chunks {
            sent.add(desk.liar().take_asked());
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::select! {
        ended = &mut first => panic!("it was to be overtaken: {ended:?}"),
        () = watch => {}
    }
    desk.succeeds(other).await;
    let _ = desk.sent();
    let ended = first.await;
    (ended, desk.sent())
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_uploads_of_one_name_the_second_waits_until_it_is_free() {
    let desk = Desk::set().await;
    let paths = [desk.file("a/report.pdf", 3 * MIB), desk.file("b/report.pdf", 4 * MIB)];
    for path in ["a/report.pdf", "b/report.pdf"] {
        desk.cut_off(2, &["put", path]).await;
    }
    let _ = desk.sent();
    for done in [&[json!({ "name": "report.pdf", "uploaded": true })][..], &[]] {
        let ended = desk.types(&["transfers", "--resume-all"]).await;
        assert!(ended.exit == 4 && says(&ended, "report.pdf"), "{ended:?}");
        assert_eq!(ended.results, done);
        let sent = desk.sent();
        assert!(sent.blobs().len() <= done.len() && sent.destroyed.is_empty());
        assert_eq!((desk.names().await, desk.journals().len()), (vec!["report.pdf".to_owned()], 1));
    }
    // Which of them is the older one is known to the second.
    let waits = desk.succeeds(&["transfers"]).await.remove(0);
    let [first, second] = paths;
    let is_it = |path: &PathBuf| waits["path"] == json!(path.canonicalize().unwrap());
    assert!(is_it(&first) != is_it(&second));
    let (done, waits) = if is_it(&first) { (second, first) } else { (first, second) };
    desk.expect("report.pdf", &done).await;
    desk.succeeds(&["mv", "report.pdf", "done.pdf"]).await;
    desk.succeeds(&["transfers", "--resume-all"]).await;
    desk.expect("report.pdf", &waits).await;
    desk.expect("done.pdf", &done).await;
    assert_eq!(desk.journals().len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_below_another_one_fails_only_itself() {
    let desk = Desk::set().await;
    desk.file("d", 3 * MIB);
    let last = desk.file("z", 3 * MIB);
    desk.file("x", 3 * MIB);
    for words in [&["put", "d"][..], &["put", "x", "--to", "d"], &["put", "z"]] {
        desk.cut_off(2, words).await;
    }
    let ended = desk.types(&["transfers", "--resume-all"]).await;
    assert!(ended.exit == 4 && says(&ended, "there is a d"), "{ended:?}");
    // Which of the two is the older one is known to the second.
    let names = desk.names().await;
    assert!([["d", "z"], ["d/x", "z"]].iter().any(|either| names == *either), "{names:?}");
    assert_eq!((desk.journals().len(), desk.sent().destroyed.len()), (1, 0));
    desk.expect("z", &last).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_is_taken_meanwhile_costs_only_its_own_file() {
    let desk = Desk::set().await;
    let (large, small) = (desk.file("docs/large", 8 * MIB), desk.file("docs/small", 5 * MIB));
    let faster = desk.file("elsewhere/large", 10);
    let other = ["put", "elsewhere/large", "--to", "docs"];
    let (ended, sent) = overtaken(&desk, 0, &["put", "docs"], 2, &other).await;
    assert!(ended.exit == 4 && says(&ended, "docs/large"), "{ended:?}");
    assert_eq!((sent.destroyed.len(), desk.journals().len()), (1, 0));
    assert_eq!(desk.names().await, ["docs/large", "docs/small"]);
    desk.expect("docs/large", &faster).await;
    desk.expect("docs/small", &small).await;
    assert_eq!(fs::metadata(large).unwrap().len(), 8 * MIB);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_whose_name_is_taken_meanwhile_is_kept() {
    let desk = Desk::set().await;
    let faster = desk.file("elsewhere/stream", 10);
    let size = 12_000_000;
    let words = ["put", "-", "--name", "stream"];
    let (ended, sent) = overtaken(&desk, size, &words, 2, &["put", "elsewhere/stream"]).await;
    assert!(ended.exit == 4 && says(&ended, "is stored and not listed"), "{ended:?}");
    assert_eq!((sent.destroyed.len(), desk.journals().len()), (0, 1));
    desk.expect("stream", &faster).await;
    assert_eq!(desk.types(&["transfers", "--resume-all"]).await.exit, 4);
    assert_eq!((desk.sent().destroyed.len(), desk.journals().len()), (0, 1));
    desk.succeeds(&["mv", "stream", "faster"]).await;
    desk.succeeds(&["transfers", "--resume-all"]).await;
    let content = desk.directory.path().join("content");
    fs::write(&content, vec![7; size]).unwrap();
    desk.expect("stream", &content).await;
    assert_eq!(desk.journals().len(), 0);
}

/// All of the first was sent, it was not finished, and its file changed since.
#[tokio::test(flavor = "multi_thread")]
async fn one_that_cannot_go_on_keeps_no_other_from_it() {
    let desk = Desk::set().await;
    let (path, other) = (desk.file("changes", 3 * MIB), desk.file("stays", 3 * MIB));
    let finishing = |endpoint: &Endpoint| matches!(endpoint, Endpoint::FinishBlob(_));
    desk.liar().tell(on(finishing, Swallow(Refusal::Busy.status())));
    assert_eq!(desk.types(&["put", "changes"]).await.exit, 5);
    desk.liar().tell(Honest);
    desk.cut_off(2, &["put", "stays"]).await;
    make_sample(&path, 2 * MIB).unwrap();
    let ended = desk.types(&["transfers", "--resume-all"]).await;
    assert!(ended.exit == 1 && says(&ended, "is not what it was"), "{ended:?}");
    assert_eq!((desk.names().await, desk.journals().len()), (vec!["stays".to_owned()], 1));
    desk.expect("stays", &other).await;
}
