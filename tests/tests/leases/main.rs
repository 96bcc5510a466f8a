//! Leases, as a client keeps them: extended in time and paid once, believed as far as they can be so, and what is over is said to be.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, missing_docs)]

#[allow(dead_code, reason = "the same desk as for uploads")]
#[path = "../resume/cut.rs"]
mod cut;
#[allow(dead_code, reason = "the same desk as for uploads")]
#[path = "../resume/desk.rs"]
mod desk;
mod over_tor;

use desk::Desk;
use nightdrop_envelope::space::{Lease, LeaseNews, Operation};
use nightdrop_store::Day;
use nightdrop_tests::lying::{
    Answer, Asked, Honest, Lie,
    lies::{Refuse, Swallow, on},
};
use nightdrop_wire::{
    codec,
    date::Date,
    endpoint::Endpoint,
    messages::{
        blob::{ExtendLease, Leased},
        credit::Credit,
    },
    refusal::Refusal,
    season,
};
use serde_json::Value;
use std::time::SystemTime;

fn today() -> u32 {
    Day::of(SystemTime::now()).0
}

/// The latest day that a client believes.
fn latest() -> u32 {
    season::end_of_lease(today())
}

/// Says another last day than holds, wherever one is told.
#[derive(Debug, Clone, Copy)]
struct Says(u32);

impl Lie for Says {
    fn answer(&self, asked: &Asked, honest: Answer) -> Answer {
        let tells = matches!(
            asked.endpoint,
            Endpoint::CreateBlob | Endpoint::FinishBlob(_) | Endpoint::ExtendLease(_)
        );
        if tells && honest.status == 200 { leased(self.0) } else { honest }
    }
}

/// Wants to be paid, whatever holds, and answers so what is paid.
#[derive(Debug, Clone, Copy)]
struct Wants(Option<u32>);

impl Lie for Wants {
    fn answer(&self, asked: &Asked, honest: Answer) -> Answer {
        match (payment(asked), self.0) {
            (None, _) => honest,
            (Some(paid), _) if paid.is_empty() => Answer::new(Refusal::Conflict.status(), Vec::new()),
            (Some(_), Some(until)) => leased(until),
            (Some(_), None) => Answer::new(Refusal::Refused.status(), Vec::new()),
        }
    }
}

/// Makes no lease longer than this when it is asked.
#[derive(Debug, Clone, Copy)]
struct Caps(u32);

impl Lie for Caps {
    fn answer(&self, asked: &Asked, honest: Answer) -> Answer {
        if payment(asked).is_some() && honest.status == 200 { leased(self.0) } else { honest }
    }
}

fn leased(until: u32) -> Answer {
    Answer::new(200, codec::encode(&Leased { until }).unwrap())
}

/// What is shown for a longer lease.
fn payment(asked: &Asked) -> Option<Vec<Credit>> {
    let is_one = matches!(asked.endpoint, Endpoint::ExtendLease(_));
    is_one.then(|| codec::decode::<ExtendLease>(&asked.body).unwrap().payment)
}

/// Somebody with a stored file of which the relay said this last day.
async fn stored(until: u32) -> Desk {
    let desk = Desk::set().await;
    desk.file("sample", 3_000);
    desk.liar().tell(Says(until));
    desk.succeeds(&["put", "sample"]).await;
    desk.liar().tell(Honest);
    let _ = desk.liar().take_asked();
    desk
}

/// Payments that were shown for longer leases; empty ones are questions.
async fn extend(desk: &Desk) -> Vec<Vec<Credit>> {
    let _ = desk.liar().take_asked();
    desk.unlocked.extend_some_leases().await;
    desk.liar().take_asked().iter().filter_map(payment).collect()
}

async fn info(desk: &Desk) -> Value {
    let ended = desk.types(&["info", "sample"]).await;
    assert_eq!(ended.exit, 0, "{ended:?}");
    ended.results[0].clone()
}

async fn expect_kept(desk: &Desk, until: u32, is_extended: bool) {
    let info = info(desk).await;
    assert_eq!(info["kept_until"], Date::of_day(until).to_string());
    assert_eq!(info["is_extended"], is_extended);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_that_is_due_is_extended_for_one_payment() {
    let desk = stored(today() + 60).await;
    expect_kept(&desk, today() + 60, true).await;
    desk.stage.honest.set_ahead(season::DAYS);
    let shown = extend(&desk).await;
    assert_eq!(shown.iter().map(Vec::len).collect::<Vec<_>>(), [0, 1], "asked, and paid");
    expect_kept(&desk, latest(), true).await;
    assert!(extend(&desk).await.is_empty(), "it is due no more");
    desk.succeeds(&["get", "sample", "-o", "back"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_paid_for_what_holds_and_nothing_asked_before_it_is_due() {
    let desk = stored(today() + 60).await;
    let shown = extend(&desk).await;
    assert_eq!(shown.iter().map(Vec::len).collect::<Vec<_>>(), [0], "asked only");
    expect_kept(&desk, latest(), true).await;
    let early = stored(today() + season::DAYS).await;
    assert!(extend(&early).await.is_empty());
    expect_kept(&early, today() + season::DAYS, true).await;
}

/// As after a crash between the answer and the note of it.
#[tokio::test(flavor = "multi_thread")]
async fn who_lost_the_answer_is_told_what_holds_and_pays_nothing_twice() {
    let desk = stored(today() + 60).await;
    desk.stage.honest.set_ahead(season::DAYS);
    let asking = extend_then_lose(&desk).await;
    assert_eq!(asking.iter().filter(|shown| !shown.is_empty()).count(), 2, "sent again as it was");
    assert_eq!(asking[1], asking[2], "the same credit both times");
    expect_kept(&desk, today() + 60, true).await;
    let shown = extend(&desk).await;
    assert_eq!(shown.iter().map(Vec::len).collect::<Vec<_>>(), [0], "asked only");
    expect_kept(&desk, latest(), true).await;
}

/// The answer to what was paid is lost, and that to the question is not.
async fn extend_then_lose(desk: &Desk) -> Vec<Vec<Credit>> {
    struct Loses;
    impl Lie for Loses {
        fn answer(&self, asked: &Asked, honest: Answer) -> Answer {
            match payment(asked) {
                Some(paid) if !paid.is_empty() => Answer::new(0, Vec::new()),
                _ => honest,
            }
        }
    }
    desk.liar().tell(Loses);
    let shown = extend(desk).await;
    desk.liar().tell(Honest);
    shown
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_is_believed_as_far_as_it_can_be_so() {
    for (said, believed) in
        [(u32::MAX, latest()), (latest() + 1, latest()), (0, today()), (today() - 1, today())]
    {
        let desk = stored(said).await;
        // Asked, it may say anything again; and every command asks for what ends within days.
        desk.liar().tell(Says(said));
        expect_kept(&desk, believed, believed == latest()).await;
        extend(&desk).await;
        let kept = info(&desk).await["kept_until"].clone();
        assert_eq!(kept, Date::of_day(believed).to_string(), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_that_takes_and_gives_nothing_is_paid_once() {
    let until = today() + 60;
    let desk = stored(until).await;
    desk.liar().tell(Wants(Some(until)));
    assert_eq!(extend(&desk).await.iter().map(Vec::len).collect::<Vec<_>>(), [0, 1]);
    expect_kept(&desk, until, false).await;
    assert!(extend(&desk).await.is_empty(), "never again");
    // One that says that it was not paid at all is told from that: perhaps its clock is wrong, or this one.
    let desk = stored(until).await;
    desk.liar().tell(Wants(None));
    assert_eq!(extend(&desk).await.iter().map(Vec::len).collect::<Vec<_>>(), [0, 1]);
    expect_kept(&desk, until, true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_maximum_age_is_asked_for_once_and_costs_nothing() {
    let until = today() + 20;
    let desk = stored(until).await;
    desk.liar().tell(Says(until));
    assert_eq!(extend(&desk).await.iter().map(Vec::len).collect::<Vec<_>>(), [0]);
    assert!(extend(&desk).await.is_empty(), "it is known");
    let ended = desk.types(&["ls"]).await;
    assert!(ended.exit == 0 && ended.messages.len() == 1, "{ended:?}");
    assert!(ended.messages[0].contains("does not extend them"), "{ended:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_ends_soon_is_told_and_a_failure_to_extend_changes_nothing() {
    let desk = stored(today() + 27).await;
    let ended = desk.types(&["ls"]).await;
    assert!(ended.exit == 0 && ended.messages.len() == 1, "{ended:?}");
    let first = Date::of_day(today() + 27).to_string();
    assert!(ended.messages[0].starts_with("{\"warning\"") && ended.messages[0].contains(&first), "{ended:?}");
    let extending = |endpoint: &Endpoint| matches!(endpoint, Endpoint::ExtendLease(_));
    desk.liar().tell(on(extending, Refuse(Refusal::Busy)));
    extend(&desk).await;
    desk.liar().tell(on(extending, Swallow(Refusal::Full.status())));
    extend(&desk).await;
    desk.liar().tell(Honest);
    expect_kept(&desk, today() + 27, true).await;
    extend(&desk).await;
    desk.succeeds(&["ls"]).await;
}

/// Whatever a command does: its owner may do nothing but read for months.
#[tokio::test(flavor = "multi_thread")]
async fn what_ends_within_days_is_extended_by_any_command() {
    for (days, is_extended) in [(10, true), (20, false)] {
        let desk = stored(today() + days).await;
        desk.stage.honest.set_ahead(season::DAYS);
        desk.types(&["ls"]).await;
        let until = if is_extended { latest() } else { today() + days };
        expect_kept(&desk, until, true).await;
    }
}

/// A relay whose clock is wrong for a day must not make its users give up their files.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_relay_denies_is_not_written_off() {
    for ahead in [4 * season::DAYS, 0] {
        let desk = stored(today() + 10).await;
        // Over by its clock, or not to be made longer by it.
        desk.stage.honest.set_ahead(ahead);
        desk.liar().tell(Caps(today() + 10));
        assert_eq!(extend(&desk).await.iter().map(Vec::len).collect::<Vec<_>>(), [0], "nothing is paid");
        expect_kept(&desk, today() + 10, false).await;
        desk.liar().tell(Honest);
        desk.stage.honest.set_ahead(season::DAYS);
        let shown = extend(&desk).await;
        assert_eq!(shown.iter().map(Vec::len).collect::<Vec<_>>(), [0, 1], "it is asked again, and paid");
        expect_kept(&desk, latest(), true).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_over_is_said_to_be_and_taken_off_the_list() {
    for days_ago in [1, 30] {
        let desk = stored(today() + 10).await;
        desk.types(&["get", "sample", "-o", "back"]).await;
        assert!(desk.directory.path().join("back").exists());
        desk.stage.honest.set_ahead(3 * season::DAYS);
        desk.stage.honest.sweep().await;
        let yesterday = today() - days_ago;
        note_end(&desk, yesterday).await;
        let asked = if days_ago == 1 { vec![0] } else { vec![] };
        for _ in 0..2 {
            let shown: Vec<usize> = extend(&desk).await.iter().map(Vec::len).collect();
            assert_eq!(
                shown, asked,
                "{days_ago} days ago: asked while the relay may have it, and nothing paid"
            );
        }
        let yesterday = Date::of_day(yesterday).to_string();
        for command in [&["get", "sample", "-o", "again"][..], &["share", "sample", "--link"]] {
            let ended = desk.types(command).await;
            assert_eq!(ended.exit, 3, "{ended:?}");
            assert!(ended.messages.iter().any(|line| line.contains(&yesterday)), "{ended:?}");
        }
        let ended = desk.types(&["rm", "sample"]).await;
        assert!(ended.exit == 0 && ended.messages.len() == 1, "{ended:?}");
        assert!(ended.messages[0].contains("over"), "{ended:?}");
        assert!(desk.names().await.is_empty());
    }
}

/// The relay may have been off when it ended, and not have cleared it away yet.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_just_over_is_asked_for_and_had_again() {
    let desk = stored(today() + 10).await;
    desk.stage.honest.set_ahead(season::DAYS);
    note_end(&desk, today() - 1).await;
    let shown = extend(&desk).await;
    assert_eq!(shown.iter().map(Vec::len).collect::<Vec<_>>(), [0, 1], "asked, and paid");
    expect_kept(&desk, latest(), true).await;
    desk.succeeds(&["get", "sample", "-o", "back"]).await;
}

/// As if so much time had passed: the only file is known to have been kept until then.
async fn note_end(desk: &Desk, until: u32) {
    let mut space = desk.unlocked.space().await.unwrap();
    let blob = space.state().files().next().unwrap().1.blob;
    let news = LeaseNews { blob, lease: Lease::until(until) };
    let noted = space.append(&*desk.unlocked, |_| Ok(vec![Operation::Leased { blobs: vec![news] }])).await;
    noted.unwrap();
    desk.unlocked.keep_space(space);
}
