//! Lies about claims: the first request of a download that is counted.

use crate::attack::{any_chunk, content, long_file, small_file, tampered};
use bytes::Bytes;
use nightdrop_client::{ClientError, ExitCode, relay::RelayLane};
use nightdrop_envelope::{OpenError, capability::hash_token};
use nightdrop_tests::{
    lying::{
        Answer, Asked, Honest, KnownFile, Lie, Stage,
        lies::{Refuse, Replace, Substitute, on, once},
        speak,
    },
    memory::{address, patient},
};
use nightdrop_wire::{
    authorization::Authorization,
    codec,
    endpoint::Endpoint,
    messages::ticket::{CreateTicket, TakeClaim, TicketLimits},
    refusal::Refusal,
    token::Token,
};

fn claims(endpoint: &Endpoint) -> bool {
    matches!(endpoint, Endpoint::TakeClaim(_))
}

/// A file that is stored, with so many downloads.
async fn stored(stage: &Stage, file: KnownFile, downloads: u16) -> KnownFile {
    let file = file.counted(downloads);
    let credit = stage.credits(1).await.remove(0);
    file.store(&stage.transport, credit).await.unwrap();
    file
}

/// Whether somebody who knows the link can have one more download.
async fn one_is_left(stage: &Stage, file: &KnownFile) -> bool {
    let root = file.secret.root();
    let asked = Asked {
        endpoint: Endpoint::TakeClaim(root.id()),
        authorization: Some(root.authorization().to_header().to_string()),
        body: codec::encode(&TakeClaim { claim: hash_token(&random_token()) }).unwrap(),
    };
    stage.liar.tell(Honest);
    let stream = stage.transport.stream(&address()).unwrap();
    speak(stream, &asked).await.status == 200
}

/// How many seeds of claims the reader keeps.
fn kept(stage: &Stage) -> usize {
    std::fs::read_dir(stage.reader()).unwrap().count()
}

fn random_token() -> Token {
    Token::from_bytes(content(32).try_into().unwrap())
}

fn ended(error: &ClientError) -> bool {
    matches!(error, ClientError::LinkEnded) && error.explanation().exit == ExitCode::NotFound
}

#[tokio::test]
async fn each_download_counts_and_the_next_one_finds_nothing() {
    let stage = Stage::set().await;
    let file = stored(&stage, small_file(), 2).await;
    for _ in 0..2 {
        stage.get(&file.link()).await.expect_content(&file.content);
        assert_eq!(kept(&stage), 0, "a download that is done keeps nothing");
    }
    let gotten = stage.get(&file.link()).await;
    assert!(ended(gotten.expect_error()));
    assert_eq!(kept(&stage), 0);
}

/// The claim is there before the relay hears of it, and whoever is cut off takes the same one again.
#[tokio::test]
async fn m27_what_was_cut_off_goes_on_with_its_claim_and_counts_once() {
    let stage = Stage::set().await;
    let file = stored(&stage, long_file(), 2).await;
    stage
        .liar
        .tell(on(|endpoint: &Endpoint| matches!(endpoint, Endpoint::GetChunk(_, 2)), Refuse(Refusal::Busy)));
    for _ in 0..3 {
        let gotten = stage.get(&file.link()).await;
        assert!(matches!(gotten.expect_error(), ClientError::RelayBusy));
        assert_eq!(kept(&stage), 1);
    }
    stage.liar.tell(Honest);
    stage.get(&file.link()).await.expect_content(&file.content);
    assert!(one_is_left(&stage, &file).await, "four attempts were one download");
    assert!(!one_is_left(&stage, &file).await);
}

/// The honest relay does what it is asked; nobody hears of it.
struct Lose;
impl Lie for Lose {
    fn answer(&self, _: &Asked, honest: Answer) -> Answer {
        Answer { status: 0, ..honest }
    }
}

#[tokio::test]
async fn an_answer_that_is_lost_takes_no_other_download() {
    let stage = Stage::set().await;
    let file = stored(&stage, small_file(), 2).await;
    stage.liar.tell(on(claims, Lose));
    let gotten = stage.get(&file.link()).await;
    assert!(matches!(gotten.expect_error(), ClientError::Broken));
    assert_eq!(kept(&stage), 1, "it may have been taken");
    stage.liar.tell(once(claims, Lose));
    stage.get(&file.link()).await.expect_content(&file.content);
    assert!(one_is_left(&stage, &file).await, "all of that was one download");
    assert!(!one_is_left(&stage, &file).await);
}

/// Denied: as if the link had ended, and nothing is kept of what was never taken.
#[tokio::test]
async fn m38_a_denied_claim_is_not_found() {
    let stage = Stage::set().await;
    let file = stored(&stage, small_file(), 1).await;
    stage.liar.tell(on(claims, Refuse(Refusal::Refused)));
    // The honest relay behind has taken it, which the liar hides.
    let gotten = stage.get(&file.link()).await;
    assert!(ended(gotten.expect_error()));
    assert_eq!(kept(&stage), 0);
}

/// Denied after it was given: that is withheld, or the link has ended; the claim is kept, and reads once the relay is honest.
#[tokio::test]
async fn m38_a_relay_that_denies_what_was_claimed_costs_no_other_download() {
    let stage = Stage::set().await;
    let file = stored(&stage, small_file(), 1).await;
    stage.liar.tell(on(any_chunk, Refuse(Refusal::Refused)));
    let gotten = stage.get(&file.link()).await;
    assert!(matches!(gotten.expect_error(), ClientError::Withheld), "the claim is good all the same");
    let all: fn(&Endpoint) -> bool = |endpoint| claims(endpoint) || any_chunk(endpoint);
    stage.liar.tell(on(all, Refuse(Refusal::Refused)));
    assert!(ended(stage.get(&file.link()).await.expect_error()));
    assert_eq!(kept(&stage), 1, "one that was taken is kept");
    stage.liar.tell(Honest);
    stage.get(&file.link()).await.expect_content(&file.content);
}

#[tokio::test]
async fn m34_another_tickets_envelope_for_a_claim_is_an_error() {
    let stage = Stage::set().await;
    let (file, other) = (stored(&stage, small_file(), 2).await, stored(&stage, small_file(), 2).await);
    for envelope in [other.envelope.clone(), vec![7; other.envelope.len()]] {
        stage.liar.tell(on(claims, Replace(envelope)));
        let gotten = stage.get(&file.link()).await;
        assert!(tampered(OpenError::WrongHash)(gotten.expect_error()));
    }
    stage.liar.tell(Honest);
    stage.get(&file.link()).await.expect_content(&file.content);
    assert!(one_is_left(&stage, &file).await, "all of that was one download");
}

/// Limits are the honest relay's to keep: one that does not count gives more, and no other content.
#[tokio::test]
async fn a_relay_that_does_not_count_gives_more_and_nothing_else() {
    let stage = Stage::set().await;
    let file = stored(&stage, small_file(), 1).await;
    stage.get(&file.link()).await.expect_content(&file.content);
    assert!(ended(stage.get(&file.link()).await.expect_error()), "the honest relay counts");
    stage.liar.tell(Substitute::default().ticket(&file).head(&file).chunks(&file));
    stage.get(&file.link()).await.expect_content(&file.content);
    let other = file.rewritten(&content(1_000));
    stage.liar.tell(Substitute::default().ticket(&other).head(&other).chunks(&other));
    assert!(tampered(OpenError::WrongHash)(stage.get(&file.link()).await.expect_error()));
}

/// M52, for claims: what was used up does not come back under another count, and a claim of one reader is nothing to another.
#[tokio::test]
async fn m52_what_is_used_up_cannot_be_made_again() {
    let stage = Stage::set().await;
    let file = stored(&stage, small_file(), 1).await;
    stage.get(&file.link()).await.expect_content(&file.content);
    let mut lane = RelayLane::isolated(&stage.transport, &address(), &patient());
    let more = CreateTicket { limits: TicketLimits::default(), ..file.create_ticket() };
    let made = lane.tell(Endpoint::CreateTicket, Some(&file.writing()), &more).await;
    assert!(made.is_err(), "{made:?}");
    let root = file.secret.root();
    let claim = Authorization::Claim(root.id(), root.token(), random_token());
    let read = lane.exchange(Endpoint::GetChunk(file.blob(), 0), Some(&claim), Bytes::new(), 5_000).await;
    assert!(read.is_err());
}

/// A busy relay, asked again at once.
#[tokio::test]
async fn a_claim_is_asked_for_again_after_a_passing_refusal() {
    let stage = Stage::set().await;
    let file = stored(&stage, small_file(), 1).await;
    stage.liar.tell(once(claims, Refuse(Refusal::Busy)));
    stage.get(&file.link()).await.expect_content(&file.content);
    assert!(!one_is_left(&stage, &file).await);
}
