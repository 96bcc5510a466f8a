//! Lies about tickets: the way from a link to a file.

use crate::attack::{badly_made, content, expect_caught, honest, small_file, tampered, ticket};
use nightdrop_client::relay::RelayLane;
use nightdrop_client::{ClientError, ExitCode, relay::RequestError, transfer};
use nightdrop_envelope::OpenError;
use nightdrop_tests::{
    lying::{
        Answer, Asked, Honest, Lie, Stage,
        lies::{Append, FlipBit, Refuse, Replace, Substitute, Truncate, on},
        naive::{Check, NaiveReader, Stopped},
    },
    memory::{address, patient},
};
use nightdrop_wire::{endpoint::Endpoint, refusal::Refusal};
use std::sync::atomic::{AtomicBool, Ordering};

/// Most of a ticket's envelope is keys, so a reader without checks ends up with keys that open nothing; where an altered
/// ticket leads somewhere, see `m46`.
#[tokio::test]
async fn m15_a_flipped_bit_anywhere_in_a_ticket_is_an_error() {
    let (stage, file) = (Stage::set().await, small_file());
    stage.store(&[&file]).await;
    for bit in (0..file.envelope.len() * 8).step_by(3) {
        let lie = || on(ticket, FlipBit(bit));
        expect_caught(&stage, &file, lie, tampered(OpenError::WrongHash)).await;
    }
}

#[tokio::test]
async fn m16_m18_a_ticket_of_another_length_is_an_error() {
    let (stage, file) = (Stage::set().await, small_file());
    stage.store(&[&file]).await;
    for length in [0, 66, 82, 162] {
        let lie = || on(ticket, Truncate(length));
        expect_caught(&stage, &file, lie, tampered(OpenError::WrongHash)).await;
    }
    let longer = || on(ticket, Append(vec![0]));
    expect_caught(&stage, &file, longer, |error| matches!(error, ClientError::NotARelay)).await;
}

#[tokio::test]
async fn m34_another_files_ticket_is_an_error() {
    let (stage, file, other) = (Stage::set().await, small_file(), small_file());
    stage.store(&[&file, &other]).await;
    let lie = || on(ticket, Replace(other.envelope.clone()));
    expect_caught(&stage, &file, lie, tampered(OpenError::WrongHash)).await;
    stage.liar.tell(lie());
    let stopped = NaiveReader::without(&stage.transport, &[Check::TicketDigest]).read(&file.link()).await;
    assert_eq!(stopped, Err(Stopped::By(Check::Commitment)), "its key is another, too");
}

/// Before anything was verified a missing ticket may be one that ended: not found.
#[tokio::test]
async fn m38_a_denied_ticket_is_not_found() {
    let (stage, file) = (Stage::set().await, small_file());
    stage.store(&[&file]).await;
    let lie = || on(ticket, Refuse(Refusal::Refused));
    let not_found = |error: &ClientError| {
        matches!(error, ClientError::LinkEnded) && error.explanation().exit == ExitCode::NotFound
    };
    expect_caught(&stage, &file, lie, not_found).await;
}

/// What is listed and denied is withheld, unless the link itself is refused by then: it may have ended meanwhile, and a relay
/// that says so without it being true cannot be told from one that keeps to what the author asked for.
#[tokio::test]
async fn m38_a_relay_that_denies_the_ticket_in_mid_file_says_that_the_link_ended() {
    /// Gives the ticket once, and then nothing.
    #[derive(Default)]
    struct EndTheLink(AtomicBool);
    impl Lie for EndTheLink {
        fn answer(&self, asked: &Asked, honest: Answer) -> Answer {
            let is_first = ticket(&asked.endpoint) && !self.0.swap(true, Ordering::Relaxed);
            if is_first { honest } else { Refuse(Refusal::Refused).answer(asked, honest) }
        }
    }
    let (stage, file) = (Stage::set().await, small_file());
    stage.store(&[&file]).await;
    let ended = |error: &ClientError| matches!(error, ClientError::LinkEnded);
    expect_caught(&stage, &file, EndTheLink::default, ended).await;
}

/// The author works together with the relay: the tag is right under the key of the link, and so is the digest in it, but the
/// envelope is committed to another key. Here the lie is in what is stored, and the relay is honest.
#[tokio::test]
async fn m23_a_ticket_that_is_committed_to_another_key_is_an_error() {
    let (stage, file) = (Stage::set().await, small_file().uncommitted());
    let credit = stage.credits(1).await.remove(0);
    file.store(&stage.transport, credit).await.unwrap();
    let gotten = stage.get(&file.link()).await;
    assert!(badly_made(OpenError::WrongKey)(gotten.expect_error()));
    let reader = |checks| NaiveReader::without(&stage.transport, checks);
    assert_eq!(reader(&[]).read(&file.link()).await, Err(Stopped::By(Check::Commitment)));
    assert_eq!(reader(&[Check::Commitment]).read(&file.link()).await, Ok(honest(&file)));
}

/// An honest relay does not take an id again that ended; whoever had the link does not take other content from one that
/// does.
#[tokio::test]
async fn m52_what_ended_does_not_come_back_with_other_content() {
    let (stage, file) = (Stage::set().await, small_file());
    stage.store(&[&file]).await;
    let mut lane = RelayLane::isolated(&stage.transport, &address(), &patient());
    transfer::destroy(&mut lane, file.blob(), &file.capabilities.write_key).await.unwrap();
    let gotten = stage.get(&file.link()).await;
    assert!(matches!(gotten.expect_error(), ClientError::LinkEnded));

    let again = file.rewritten(&content(1_000));
    let credits = stage.credits(2).await;
    for (credit, file) in credits.into_iter().zip([&again, &file]) {
        let refused = file.store(&stage.transport, credit).await;
        assert!(matches!(refused, Err(RequestError::Refused(Refusal::Conflict))), "{refused:?}");
    }

    let reader = NaiveReader::without(&stage.transport, &[Check::TicketDigest]);
    let brought_back = || Substitute::default().ticket(&again).head(&again).chunks(&again);
    stage.liar.tell(brought_back());
    let gotten = stage.get(&file.link()).await;
    assert!(tampered(OpenError::WrongHash)(gotten.expect_error()));
    assert_eq!(reader.read(&file.link()).await, Ok(honest(&again)), "a reader without it is fooled");
    stage.liar.tell(Honest);
    assert!(reader.read(&file.link()).await.is_err(), "an honest relay has nothing for it");
}

/// At an honest relay not even the owner gives a ticket other content.
#[tokio::test]
async fn m52_a_living_ticket_cannot_be_made_again_either() {
    let (stage, file) = (Stage::set().await, small_file());
    stage.store(&[&file]).await;
    let other = file.rewritten(&content(1_000));
    let mut lane = RelayLane::isolated(&stage.transport, &address(), &patient());
    let make = Endpoint::CreateTicket;
    let refused = lane.tell(make, Some(&other.writing()), &other.create_ticket()).await;
    assert!(matches!(refused, Err(RequestError::Refused(Refusal::Conflict))), "{refused:?}");
    lane.tell(make, Some(&file.writing()), &file.create_ticket()).await.unwrap();
    stage.get(&file.link()).await.expect_content(&file.content);
}
