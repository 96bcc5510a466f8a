//! Lies at registration and login.

use crate::logins::{
    answering, expect_no_third_message, failed_login, first_answer, not_a_relay, wrong_password,
};
use nightdrop_client::ClientError;
use nightdrop_login::server::ServerSetup;
use nightdrop_tests::{
    lying::{
        Asked, Honest, Stage,
        lies::{Alter, Append, Flood, Impostor, Replace, Truncate, on},
    },
    memory::{Person, address},
};
use nightdrop_wire::{codec, endpoint::Endpoint, messages::account::RegisterStarted};
use std::{
    sync::{Arc, Mutex},
    time::Instant,
};

/// Bytes of a ristretto255 element, of which the first message of an answer is one.
const ELEMENT: usize = 32;

/// Zero is the identity of ristretto255, which would make the password's hash the same for every password; all ones is no
/// element. The group has no other low order.
#[tokio::test]
async fn m05_identity_and_invalid_elements_at_login_send_no_third_message() {
    let stage = Stage::set().await;
    let person = stage.person().await;
    person.log_in().await.unwrap();
    // The evaluated element, and the relay's key share after masking nonce, masked response and nonce.
    for start in [0, 224] {
        for byte in [0, 0xff] {
            let lie = answering(move |_start, started| started.response[start..start + ELEMENT].fill(byte));
            expect_no_third_message(&stage, &person, lie, not_a_relay).await;
        }
    }
}

#[tokio::test]
async fn m05_identity_and_invalid_elements_at_registration_make_no_account() {
    let stage = Stage::set().await;
    for range in [0..ELEMENT, ELEMENT..2 * ELEMENT] {
        for byte in [0, 0xff] {
            let range = range.clone();
            let change = move |_asked: &Asked, started: &mut RegisterStarted| {
                started.response[range.clone()].fill(byte);
            };
            let which = |endpoint: &Endpoint| matches!(endpoint, Endpoint::RegisterStart);
            stage.liar.tell(on(which, Alter::<RegisterStarted, _>::by(change)));
            let _earlier = stage.liar.take_asked();
            let refused = Person::register(&stage.transport, &stage.honest).await;
            assert!(matches!(refused, Err(ClientError::NotARelay)), "{refused:?}");
            let asked: Vec<_> = stage.liar.take_asked().iter().map(|asked| asked.endpoint).collect();
            assert_eq!(
                asked,
                [Endpoint::RelayInfo, Endpoint::RelayInfo, Endpoint::RegisterStart],
                "no account is made"
            );
        }
    }
    stage.liar.tell(Honest);
    stage.person().await.log_in().await.unwrap();
}

/// No message has a place for parameters of the password's hash; whatever else comes with the answer is refused before
/// anything is computed.
#[tokio::test]
async fn m11_parameters_that_the_relay_adds_to_its_answer_are_refused() {
    let stage = Stage::set().await;
    let person = stage.person().await;
    let weak_argon2 = codec::encode(&(8_u32, 1_u32, 1_u32)).unwrap();
    let mut refused_after = Vec::new();
    for _ in 0..3 {
        let began = Instant::now();
        let lie = on(first_answer, Append(weak_argon2.clone()));
        expect_no_third_message(&stage, &person, lie, not_a_relay).await;
        refused_after.push(began.elapsed());
    }
    let began = Instant::now();
    person.log_in().await.unwrap();
    let hashed_after = began.elapsed();
    assert!(
        refused_after.into_iter().min() < Some(hashed_after),
        "it is refused before the password is hashed"
    );
    for length in [0, 16, 335] {
        expect_no_third_message(&stage, &person, on(first_answer, Truncate(length)), not_a_relay).await;
    }
    expect_no_third_message(&stage, &person, on(first_answer, Replace(vec![0xff; 336])), not_a_relay).await;
}

#[tokio::test]
async fn m25_an_endless_answer_at_login_is_refused() {
    let stage = Stage::set().await;
    let person = stage.person().await;
    for flood in [Flood::Declared((1_u64 << 40).to_string()), Flood::Undeclared, Flood::Chunked] {
        let sent = stage.liar.sent();
        expect_no_third_message(&stage, &person, on(first_answer, flood), not_a_relay).await;
        assert!(stage.liar.sent() - sent < 1 << 20, "the client stops reading");
    }
    person.log_in().await.unwrap();
}

/// The control shows what makes the difference: an impostor that has everything gets the third message.
#[tokio::test]
async fn m13_an_impostor_without_the_relays_keys_or_address_gets_no_third_message() {
    let stage = Stage::set().await;
    let person = stage.person().await;
    let account = person.code.account();
    let elsewhere = "duckduckgogg42xjoc72x3sjasowoarfbgcmvfimaftt6twagswzczad".parse().unwrap();

    let (_, record) = stage.honest.stolen(account);
    let setup = ServerSetup::generate(&mut rand08::rngs::OsRng);
    let own_keys = Impostor { setup, record, address: address() };
    expect_no_third_message(&stage, &person, own_keys, wrong_password).await;

    let (setup, record) = stage.honest.stolen(account);
    let other_relay = Impostor { setup, record, address: elsewhere };
    expect_no_third_message(&stage, &person, other_relay, wrong_password).await;

    let other = stage.person().await;
    let (setup, record) = stage.honest.stolen(other.code.account());
    let other_record = Impostor { setup, record, address: address() };
    expect_no_third_message(&stage, &person, other_record, wrong_password).await;

    let (setup, record) = stage.honest.stolen(account);
    let thief = Impostor { setup, record, address: address() };
    let (_, asked) = failed_login(&stage, &person, thief).await;
    assert!(asked.contains(&Endpoint::LoginFinish), "who stole everything is believed");
}

#[tokio::test]
async fn m13_reflected_and_replayed_messages_get_no_third_message() {
    let stage = Stage::set().await;
    let person = stage.person().await;
    let reflected = answering(|start, started| {
        started.response[..ELEMENT].copy_from_slice(&start.request[..ELEMENT]);
    });
    expect_no_third_message(&stage, &person, reflected, not_a_relay).await;
    let key_share = answering(|start, started| {
        started.response[224..256].copy_from_slice(&start.request[64..96]);
    });
    expect_no_third_message(&stage, &person, key_share, wrong_password).await;

    let kept = Arc::new(Mutex::new(None));
    let copy = Arc::clone(&kept);
    stage.liar.tell(answering(move |_start, started| *copy.lock().unwrap() = Some(started.clone())));
    person.log_in().await.unwrap();
    let earlier = kept.lock().unwrap().take().unwrap();
    let replayed = answering(move |_start, started| started.clone_from(&earlier));
    expect_no_third_message(&stage, &person, replayed, wrong_password).await;
}

/// One bit of each field of the second message: evaluated element, masking nonce, masked response, nonce, key share, MAC.
#[tokio::test]
async fn m15_a_flipped_bit_in_the_second_message_sends_no_third() {
    let stage = Stage::set().await;
    let person = stage.person().await;
    person.log_in().await.unwrap();
    for position in [0, 31, 32, 64, 128, 192, 224, 256, 319] {
        let lie = answering(move |_start, started| started.response[position] ^= 1);
        let refused = |error: &ClientError| wrong_password(error) || not_a_relay(error);
        expect_no_third_message(&stage, &person, lie, refused).await;
    }
}
