//! Lies about what a relay hands over after a login: the sealed master key and the keyring.

use crate::logins::{expect_tampered, handing_over};
use nightdrop_client::{ClientError, ExitCode};
use nightdrop_envelope::{OpenError, device_memory::DeviceMemory};
use nightdrop_tests::{
    lying::{
        Honest, Stage,
        naive::{self, Check, Stopped},
    },
    memory::Person,
};
use nightdrop_wire::messages::account::LoggedIn;
use std::sync::{Arc, Mutex};

/// Where what an envelope holds begins, after its header.
const HEADER: usize = 67;

/// What an honest relay hands over to this person.
async fn handed_over_to(stage: &Stage, person: &Person) -> LoggedIn {
    let kept = Arc::new(Mutex::new(None));
    let copy = Arc::clone(&kept);
    stage.liar.tell(handing_over(move |logged_in| *copy.lock().unwrap() = Some(logged_in.clone())));
    person.log_in().await.unwrap();
    stage.liar.tell(Honest);
    kept.lock().unwrap().take().unwrap()
}

#[tokio::test]
async fn m04_m15_an_altered_master_key_or_keyring_is_an_error_and_nothing_is_made_in_its_place() {
    let stage = Stage::set().await;
    let person = stage.person().await;
    let before = naive::log_in(&stage.transport, &person.code, &[]).await.unwrap();
    let checks = [
        (0, OpenError::UnknownSuite),
        (2, OpenError::WrongKind),
        (3, OpenError::WrongKey),
        (35, OpenError::WrongKey),
        (HEADER, OpenError::Altered),
        (114, OpenError::Altered),
    ];
    for (position, expected) in checks {
        let lie = handing_over(move |logged_in| logged_in.master_key[position] ^= 1);
        expect_tampered(&stage, &person, lie, &[expected]).await;
        let lie = handing_over(move |logged_in| logged_in.keyring.envelope[position] ^= 1);
        expect_tampered(&stage, &person, lie, &[expected]).await;
    }
    assert_eq!(
        naive::log_in(&stage.transport, &person.code, &[]).await,
        Ok(before),
        "the account is untouched"
    );

    // After header and length the keyring begins with the seed of the identity key.
    let lie = || handing_over(|logged_in| logged_in.keyring.envelope[HEADER + 4] ^= 1);
    expect_tampered(&stage, &person, lie(), &[OpenError::Altered]).await;
    stage.liar.tell(lie());
    assert_eq!(naive::log_in(&stage.transport, &person.code, &[]).await, Err(Stopped::By(Check::Tag)));
    let fooled = naive::log_in(&stage.transport, &person.code, &[Check::Tag]).await.unwrap();
    assert_ne!(fooled.identity, before.identity, "who does not look at the tag takes another identity");
}

/// Another account's keys are sealed under keys that this person does not have, so nobody could be fooled.
#[tokio::test]
async fn m04_m34_another_accounts_keys_are_an_error() {
    let stage = Stage::set().await;
    let (person, other) = (stage.person().await, stage.person().await);
    let theirs = handed_over_to(&stage, &other).await;
    let LoggedIn { master_key, keyring, .. } = theirs;
    let both = (Some(master_key.clone()), Some(keyring.clone()));
    for (master_key, keyring) in [both, (Some(master_key), None), (None, Some(keyring))] {
        let lie = handing_over(move |logged_in| {
            if let Some(master_key) = &master_key {
                logged_in.master_key.clone_from(master_key);
            }
            if let Some(keyring) = &keyring {
                logged_in.keyring.clone_from(keyring);
            }
        });
        expect_tampered(&stage, &person, lie, &[OpenError::WrongKey]).await;
    }
}

/// The version is part of what the seal is bound to; a relay can still give an older pair of both, which is found by who
/// remembers a newer one.
#[tokio::test]
async fn m28_a_keyring_under_another_version_number_is_an_error() {
    let stage = Stage::set().await;
    let person = stage.person().await;
    for version in [0, 2, u64::MAX] {
        let lie = handing_over(move |logged_in| logged_in.keyring.version = version);
        expect_tampered(&stage, &person, lie, &[OpenError::WrongKey]).await;
    }
}

/// The relay gives version 1, sealed as it should be, and this device has seen a later one.
#[tokio::test]
async fn m28_an_older_keyring_than_this_device_has_seen_is_an_error() {
    let stage = Stage::set().await;
    let person = stage.person().await;
    let session = person.log_in().await.unwrap();
    let memory = session.open_memory(Some(&person.memory)).unwrap();
    assert_eq!((memory.keyring_version, session.keyring().version()), (1, 1), "the honest case");
    let seen = DeviceMemory { keyring_version: 2, ..memory };
    let remembered = session.seal_memory(seen, memory.home_head.unwrap()).unwrap();
    let error = session.open_memory(Some(&remembered)).unwrap_err();
    assert!(matches!(error, ClientError::OlderKeyring { seen: 2, given: 1 }), "{error:?}");
    assert_eq!(error.explanation().exit, ExitCode::Tampered);
}

#[tokio::test]
async fn m34_a_keyring_in_the_master_keys_place_is_an_error() {
    let stage = Stage::set().await;
    let person = stage.person().await;
    let lie = handing_over(|logged_in| logged_in.master_key.clone_from(&logged_in.keyring.envelope));
    expect_tampered(&stage, &person, lie, &[OpenError::WrongKind]).await;
    let lie = handing_over(|logged_in| logged_in.keyring.envelope.clone_from(&logged_in.master_key));
    expect_tampered(&stage, &person, lie, &[OpenError::WrongKind]).await;
}

#[tokio::test]
async fn m05_empty_zero_and_cut_keys_are_errors() {
    let stage = Stage::set().await;
    let person = stage.person().await;
    let refused = [OpenError::Malformed, OpenError::UnknownSuite, OpenError::Altered];
    for bytes in [Vec::new(), vec![0; 115], vec![0; 4_096]] {
        let zeros = bytes.clone();
        let lie = handing_over(move |logged_in| logged_in.master_key.clone_from(&zeros));
        expect_tampered(&stage, &person, lie, &refused).await;
        let lie = handing_over(move |logged_in| logged_in.keyring.envelope.clone_from(&bytes));
        expect_tampered(&stage, &person, lie, &refused).await;
    }
    let lie = handing_over(|logged_in| logged_in.master_key.truncate(114));
    expect_tampered(&stage, &person, lie, &refused).await;
    let lie = handing_over(|logged_in| logged_in.keyring.envelope.truncate(HEADER + 16));
    expect_tampered(&stage, &person, lie, &refused).await;
}
