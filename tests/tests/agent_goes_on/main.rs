//! The agent goes on by itself with what the network cut off, and with nothing else.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, missing_docs)]

mod line;
mod scene;

use line::Line;
use nightdrop_client::agent::AgentLimits;
use nightdrop_tests::{
    lying::{
        Honest,
        lies::{Swallow, on},
    },
    system::make_sample,
};
use nightdrop_wire::{endpoint::Endpoint, refusal::Refusal};
use scene::{IDLE, Scene, eager};
use std::time::Duration;

const MIB: u64 = 1 << 20;

#[tokio::test(flavor = "multi_thread")]
async fn what_the_network_cut_off_is_listed_without_a_word_typed() {
    let scene = Scene::set(eager()).await;
    let path = scene.file("sample", 8 * MIB);
    let line = Line::breaks_after(3);
    let told = scene.is_cut_off(&line, &["put", "sample", "--to", "kept"]).await.unwrap();
    assert!(told.starts_with("1 upload(s) that were cut off go on by themselves"), "{told}");
    assert_eq!(scene.status().await.goes_on_with, 1);
    let in_vain = Line::is_dead();
    scene.tell(in_vain.clone());
    in_vain.was_in_vain(5).await;
    assert_eq!(scene.status().await.goes_on_with, 1, "however often it fails");
    let again = scene.is_cut_off(&Line::is_dead(), &["put", "sample", "--to", "kept"]).await;
    assert_eq!(again.as_ref(), Some(&told), "also typed again in vain");
    let _ = scene.sent();
    scene.tell(Honest);
    scene.goes_on_with_nothing().await;
    let sent = scene.sent();
    assert_eq!((sent.created, sent.destroyed.len()), (0, 0));
    assert!(!sent.chunks.is_empty() && line.taken().len() == 3, "the probe sees chunks");
    assert!(sent.chunks.is_disjoint(&line.taken()), "what was acknowledged is not sent again");
    assert_eq!((scene.names().await, scene.journals()), (vec!["first".to_owned(), "kept/sample".into()], 0));
    scene.expect("kept/sample", &path).await;
}

/// A line that breaks every few chunks costs time and nothing else; several files and a directory go on together.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_cut_off_again_and_again_gets_there() {
    let scene = Scene::set(eager()).await;
    let paths = ["one", "two"].map(|name| scene.file(name, 5 * MIB));
    for name in ["one", "two"] {
        assert!(scene.is_cut_off(&Line::breaks_after(2), &["put", name]).await.is_some());
    }
    assert_eq!(scene.status().await.goes_on_with, 2);
    for _ in 0..2 {
        let line = Line::breaks_after(2);
        scene.tell(line.clone());
        line.was_in_vain(1).await;
    }
    scene.tell(Honest);
    scene.goes_on_with_nothing().await;
    for (name, path) in ["one", "two"].iter().zip(&paths) {
        scene.expect(name, path).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_stopped_stays_while_another_one_goes_on() {
    let scene = Scene::set(eager()).await;
    for name in ["stopped", "cut-off"] {
        scene.file(name, 5 * MIB);
    }
    // Both at once: one is stopped when the network has ended the other.
    let silent = Line::falls_silent_after(2);
    scene.tell(silent.clone());
    let cut_off = async {
        silent.was_in_vain(1).await;
        let line = Line::breaks_after(2).silent_for(silent.blobs());
        assert!(scene.is_cut_off(&line, &["put", "cut-off"]).await.is_some());
    };
    let stopped = scene.types_until(&["put", "stopped"], cut_off).await;
    assert_eq!((stopped.exit, stopped.messages.len()), (1, 1), "{stopped:?}");
    scene.tell(Honest);
    scene.goes_on_with_nothing().await;
    assert_eq!((scene.names().await, scene.journals()), (vec!["cut-off".to_owned(), "first".into()], 1));
    assert_eq!(scene.succeeds(&["transfers"]).await[0]["state"], "interrupted");
    scene.succeeds(&["transfers", "--resume-all"]).await;
    assert_eq!(scene.names().await, ["cut-off", "first", "stopped"]);
}

/// The last word counts: before the command came to the upload, while it was at it, and with the command for all of them.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_cut_off_and_then_stopped_stays() {
    let scene = Scene::set(eager()).await;
    scene.file("sample", 5 * MIB);
    for (number, (words, chunks)) in
        [(&["put", "sample"][..], 0), (&["put", "sample"], 1), (&["transfers", "--resume-all"], 0)]
            .into_iter()
            .enumerate()
    {
        assert!(scene.is_cut_off(&Line::breaks_after(1), &["put", "sample"]).await.is_some());
        let silent = Line::falls_silent_after(chunks);
        scene.tell(silent.clone());
        let ended = scene.types_until(words, silent.was_in_vain(1)).await;
        assert_eq!((ended.exit, scene.status().await.goes_on_with), (1, 0), "{words:?}: {ended:?}");
        scene.goes_on_with_another_one(&format!("probe-{number}")).await;
        assert!(!scene.names().await.contains(&"sample".to_owned()), "{words:?}");
    }
    scene.succeeds(&["put", "sample"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_changed_is_not_begun_anew() {
    let scene = Scene::set(eager()).await;
    let path = scene.file("sample", 5 * MIB);
    assert!(scene.is_cut_off(&Line::breaks_after(2), &["put", "sample"]).await.is_some());
    make_sample(&path, 4 * MIB).unwrap();
    let _ = scene.sent();
    scene.tell(Honest);
    scene.goes_on_with_nothing().await;
    assert_eq!((scene.sent(), scene.journals()), (scene::Sent::default(), 1));
    assert_eq!(scene.succeeds(&["transfers"]).await[0]["state"], "interrupted");
    scene.succeeds(&["put", "sample"]).await;
    scene.expect("sample", &path).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_was_taken_meanwhile_costs_its_own_upload_only() {
    let scene = Scene::set(AgentLimits { first_going_on: Duration::from_secs(2), ..eager() }).await;
    for name in ["one", "two"] {
        scene.file(name, 3 * MIB);
        assert!(scene.is_cut_off(&Line::breaks_after(1), &["put", name]).await.is_some());
    }
    scene.tell(Honest);
    scene.succeeds(&["put", "first", "--name", "one"]).await;
    scene.goes_on_with_nothing().await;
    assert_eq!(
        (scene.names().await, scene.journals()),
        (["first", "one", "two"].map(str::to_owned).into(), 1)
    );
    assert_eq!(scene.succeeds(&["transfers"]).await[0]["name"], "one");
}

/// Also when the network ends the command that drops it, before it came to that or within; and while the agent is at it, which gives way.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_dropped_is_not_gone_on_with() {
    let scene = Scene::set(eager()).await;
    scene.file("sample", 12 * MIB);
    for (number, exit) in [5, 5, 0].into_iter().enumerate() {
        assert!(scene.is_cut_off(&Line::breaks_after(2), &["put", "sample"]).await.is_some());
        match number {
            0 => {}
            1 => {
                let destroying = |endpoint: &Endpoint| matches!(endpoint, Endpoint::DestroyBlob(_));
                // It can be gone on with no more than dropped.
                let going_on = |endpoint: &Endpoint| matches!(endpoint, Endpoint::HeldChunks(..));
                let both = move |endpoint: &Endpoint| destroying(endpoint) || going_on(endpoint);
                scene.tell(on(both, Swallow(Refusal::Busy.status())));
            }
            _ => {
                let silent = Line::falls_silent_after(1);
                scene.tell(silent.clone());
                silent.was_in_vain(1).await;
                scene.tell(Honest);
            }
        }
        let ended = scene.types(&["transfers", "drop", "1"]).await;
        assert_eq!((ended.exit, scene.status().await.goes_on_with), (exit, 0), "{number}: {ended:?}");
        scene.goes_on_with_another_one(&format!("probe-{number}")).await;
        assert!(!scene.names().await.contains(&"sample".to_owned()), "{number}");
    }
    assert_eq!(scene.journals(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_for_what_the_agent_is_at_comes_first() {
    let scene = Scene::set(eager()).await;
    let path = scene.file("sample", 5 * MIB);
    for words in [&["put", "sample"][..], &["transfers", "--resume-all"]] {
        assert!(scene.is_cut_off(&Line::breaks_after(1), &["put", "sample"]).await.is_some());
        let silent = Line::falls_silent_after(1);
        scene.tell(silent.clone());
        silent.was_in_vain(1).await;
        assert_eq!(scene.status().await.goes_on_with, 1);
        scene.tell(Honest);
        scene.succeeds(words).await;
        scene.expect("sample", &path).await;
        assert_eq!((scene.status().await.goes_on_with, scene.journals()), (0, 0));
        scene.succeeds(&["rm", "sample"]).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn locking_ends_it_at_once_and_the_next_agent_leaves_it_alone() {
    let mut scene = Scene::set(eager()).await;
    let path = scene.file("sample", 5 * MIB);
    assert!(scene.is_cut_off(&Line::breaks_after(1), &["put", "sample"]).await.is_some());
    let silent = Line::falls_silent_after(1);
    scene.tell(silent.clone());
    silent.was_in_vain(1).await;
    // Its own line would be silent for an hour.
    scene.tell(Honest);
    scene.agent.lock();
    assert!(scene.is_locked().await);
    scene.unlock_again().await;
    assert_eq!((scene.status().await.goes_on_with, scene.journals()), (0, 1));
    scene.goes_on_with_another_one("probe").await;
    assert_eq!((scene.names().await, scene.journals()), (vec!["first".to_owned(), "probe".into()], 1));
    let _ = scene.sent();
    scene.succeeds(&["transfers", "--resume-all"]).await;
    assert_eq!(scene.sent().created, 0, "it goes on where it was");
    scene.expect("sample", &path).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_dead_line_the_agent_locks_itself_as_ever() {
    let mut scene = Scene::set(eager()).await;
    scene.file("sample", 5 * MIB);
    assert!(scene.is_cut_off(&Line::breaks_after(2), &["put", "sample"]).await.is_some());
    for passed in [100, IDLE - 101] {
        scene.pass(passed);
        let dead = Line::is_dead();
        scene.tell(dead.clone());
        dead.was_in_vain(6).await;
    }
    assert!(scene.is_open());
    let status = scene.status().await;
    assert_eq!((status.commands, status.locks_in, status.goes_on_with), (0, Some(1), 1));
    scene.pass(1);
    assert!(scene.is_locked().await);
}

/// As a command is not, as long as the relay takes something.
#[tokio::test(flavor = "multi_thread")]
async fn what_moves_is_not_cut_off_by_idling() {
    let mut scene = Scene::set(eager()).await;
    scene.file("sample", 8 * MIB);
    let dead = Line::breaks_after(1);
    assert!(scene.is_cut_off(&dead, &["put", "sample"]).await.is_some());
    scene.pass(IDLE - 1);
    assert_eq!(scene.status().await.locks_in, Some(1));
    let moving = eager().moving.as_secs();
    scene.tell(Line::falls_silent_after(1));
    scene.locks_in(moving).await;
    scene.pass(moving - 1);
    // Several looks at the clock later it is still open.
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(scene.is_open(), "something moved less than six minutes ago");
    assert_eq!(scene.status().await.locks_in, Some(1));
    scene.pass(1);
    assert!(scene.is_locked().await);
    assert_eq!(scene.journals(), 1);
}

/// All of it was stored: nothing has to be read again. One that was cut off within can only be dropped.
#[tokio::test(flavor = "multi_thread")]
async fn of_a_stream_only_what_was_stored_is_gone_on_with() {
    let scene = Scene::set(eager()).await;
    let listing = |endpoint: &Endpoint| matches!(endpoint, Endpoint::AppendLog(_));
    scene.tell(on(listing, Swallow(Refusal::Busy.status())));
    let ended = scene.types(&["put", "-", "--name", "stream"]).await;
    assert_eq!(ended.exit, 5, "{ended:?}");
    assert!(
        ended.messages.last().unwrap()["warning"].as_str().unwrap().starts_with("1 upload(s)"),
        "{ended:?}"
    );
    scene.tell(Honest);
    scene.goes_on_with_nothing().await;
    assert_eq!((scene.names().await, scene.journals()), (vec!["first".to_owned(), "stream".into()], 0));
}

/// Nothing was begun, so there is nothing to go on with, and nobody is told that there is.
#[tokio::test(flavor = "multi_thread")]
async fn what_left_no_journal_is_not_spoken_of() {
    let scene = Scene::set(eager()).await;
    scene.file("sample", 5 * MIB);
    for words in [&["put", "sample"][..], &["ls"], &["get", "first", "-o", "back"]] {
        assert_eq!(scene.is_cut_off(&Line::is_dead(), words).await, None, "{words:?}");
        assert_eq!(scene.status().await.goes_on_with, 0);
    }
}
