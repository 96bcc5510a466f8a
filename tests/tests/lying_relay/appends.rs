//! Lies while something is appended.

use crate::homes::{Scene, appending, chain, put, reading};
use nightdrop_client::{ClientError, ExitCode};
use nightdrop_envelope::space::ChainError;
use nightdrop_tests::{
    lying::{
        Answer, Asked, Honest, Lie,
        lies::{KeptLog, Refuse, Replace, Swallow, on},
        naive::Check,
    },
    memory::Empty,
};
use nightdrop_wire::{codec, endpoint::Endpoint, messages::log::Append, refusal::Refusal};
use serde_bytes::ByteBuf;

/// What was asked since the last call: appends, and pages of the log.
fn asked(scene: &Scene) -> (usize, usize) {
    let asked = scene.stage.liar.take_asked();
    let count = |which: fn(&Endpoint) -> bool| asked.iter().filter(|asked| which(&asked.endpoint)).count();
    (count(appending), count(reading))
}

async fn names(scene: &mut Scene) -> Vec<String> {
    scene.stage.liar.tell(Honest);
    Scene::listed(&mut scene.device).await.0
}

#[tokio::test]
async fn m17_m28_an_append_that_is_acknowledged_and_dropped_is_found_by_the_next_command() {
    let mut scene = Scene::set(vec![put("a")]).await;
    let log = scene.log().await;
    let _earlier = scene.stage.liar.take_asked();
    scene.stage.liar.tell(on(appending, Swallow(200)));
    scene.device.append(vec![put("b")]).await.unwrap();
    let sent = scene.stage.liar.take_asked().into_iter().find(|asked| appending(&asked.endpoint)).unwrap();
    let sent: Append = codec::decode(&sent.body).unwrap();
    scene.stage.liar.tell(Honest);
    let error = scene.device.open().await.expect_err("it remembers what was acknowledged");
    assert!(chain(ChainError::Rollback { seen: 3, given: 2 })(&error), "{error:?}");
    assert_eq!(error.explanation().exit, ExitCode::Tampered);

    let entries: Vec<_> = log.into_iter().chain(sent.entries.into_iter().map(ByteBuf::into_vec)).collect();
    let remembered = Some(KeptLog::head(scene.keys.space, &entries));
    assert!(scene.naive(Honest, remembered, &[]).await.is_err());
    let fooled = scene.naive(Honest, remembered, &[Check::Memory]).await.unwrap();
    assert_eq!(fooled.files.len(), 1, "who does not remember misses nothing");
    // Whoever gives it back is an honest relay again.
    scene.stage.liar.tell(scene.serving(entries));
    assert_eq!(Scene::listed(&mut scene.device).await.0, ["a", "b"]);
}

#[tokio::test]
async fn a_conflict_for_ever_is_given_up_at_once_and_nothing_is_appended() {
    let mut scene = Scene::set(vec![put("a")]).await;
    let _earlier = asked(&scene);
    scene.stage.liar.tell(on(appending, Swallow(Refusal::Conflict.status())));
    let error = scene.device.append(vec![put("b")]).await.expect_err("no other device wrote");
    assert!(matches!(error, ClientError::RelayFull), "{error:?}");
    assert_eq!(asked(&scene), (1, 2), "one append, and one page before and after it");
    assert_eq!(names(&mut scene).await, ["a"]);
    scene.device.append(vec![put("b")]).await.unwrap();
    assert_eq!(names(&mut scene).await, ["a", "b"]);
}

/// Every append comes second to an entry of somebody else.
struct Overtake(KeptLog);

impl Lie for Overtake {
    fn ask(&self, asked: &Asked) -> Asked {
        self.0.ask(asked)
    }

    fn answer(&self, asked: &Asked, honest: Answer) -> Answer {
        if appending(&asked.endpoint) {
            self.0.push(vec![0x5a; 512]);
        }
        self.0.answer(asked, honest)
    }
}

#[tokio::test]
async fn being_overtaken_for_ever_is_given_up_in_the_end() {
    let mut scene = Scene::set(vec![put("a")]).await;
    let kept = scene.serving(scene.log().await);
    let _earlier = asked(&scene);
    scene.stage.liar.tell(Overtake(kept));
    let error = scene.device.append(vec![put("b")]).await.expect_err("somebody is always faster");
    assert!(matches!(error, ClientError::RelayBusy), "{error:?}");
    assert_eq!(asked(&scene), (1_000, 1_001));
}

/// The client must not decide again, for what it listed itself would look taken by another device, and be destroyed.
#[tokio::test]
async fn an_append_that_is_carried_out_and_called_a_conflict_counts_once() {
    let mut scene = Scene::set(vec![put("a")]).await;
    let _earlier = asked(&scene);
    scene.stage.liar.tell(on(appending, Refuse(Refusal::Conflict)));
    let mut home = scene.device.open().await.unwrap();
    let mut decided = 0;
    let operation = put("b");
    home.append(&Empty, |_state| {
        decided += 1;
        Ok(vec![operation.clone()])
    })
    .await
    .unwrap();
    assert_eq!((decided, asked(&scene)), (1, (1, 2)));
    assert_eq!(names(&mut scene).await, ["a", "b"]);
    assert_eq!(scene.log().await.len(), 3, "it is there once");
}

#[tokio::test]
async fn an_answer_to_an_append_that_no_relay_sends_is_an_error() {
    let mut scene = Scene::set(vec![put("a")]).await;
    let head = KeptLog::head(scene.keys.space, &scene.log().await);
    scene.stage.liar.tell(on(appending, Replace(codec::encode(&head).unwrap())));
    let error = scene.device.append(vec![put("b")]).await.expect_err("a head is no answer");
    assert!(matches!(error, ClientError::NotARelay), "{error:?}");
    scene.stage.liar.tell(on(appending, Swallow(Refusal::Refused.status())));
    let error = scene.device.append(vec![put("c")]).await.expect_err("it holds the append token");
    assert!(matches!(error, ClientError::Withheld), "{error:?}");
    assert_eq!(names(&mut scene).await, ["a", "b"], "the first was appended, the second was not");
}

/// Stores what it is sent, twice.
struct Twice(KeptLog);

impl Lie for Twice {
    fn ask(&self, asked: &Asked) -> Asked {
        self.0.ask(asked)
    }

    fn answer(&self, asked: &Asked, honest: Answer) -> Answer {
        let answer = self.0.answer(asked, honest);
        if appending(&asked.endpoint) {
            self.0.push(self.0.entries().pop().unwrap());
        }
        answer
    }
}

#[tokio::test]
async fn m17_m30_an_append_that_is_stored_twice_is_a_chain_error() {
    let mut scene = Scene::set(vec![put("a")]).await;
    let kept = scene.serving(scene.log().await);
    scene.stage.liar.tell(Twice(kept.clone()));
    scene.device.append(vec![put("b")]).await.unwrap();
    let error = scene.device.open().await.expect_err("it was sent once");
    assert!(chain(ChainError::Displaced(3))(&error), "{error:?}");
    // As a naive reader without a sense for what is where would have it: the same file, put again.
    assert!(scene.naive(kept.clone(), None, &[]).await.is_err());
    let fooled = scene.naive(kept.clone(), None, &[Check::Place]).await.unwrap();
    assert_eq!((fooled.files.len(), fooled.strays), (2, 1));
}
