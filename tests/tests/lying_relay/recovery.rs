//! Lies about what an account is made of: what the relay stores of it in place of what it was sent, and the envelope that a
//! recovery phrase opens.

use nightdrop_client::{ClientError, ExitCode};
use nightdrop_envelope::OpenError;
use nightdrop_tests::{
    lying::{
        Asked, Honest, Stage,
        lies::{AskInstead, on},
    },
    memory::{Person, address},
};
use nightdrop_wire::{codec, endpoint::Endpoint, messages::account::RegisterFinish};

fn registering(endpoint: &Endpoint) -> bool {
    matches!(endpoint, Endpoint::RegisterFinish)
}

/// A person whose account the relay makes of something else than it was sent.
async fn registered_with(
    stage: &Stage,
    change: impl Fn(&mut RegisterFinish) + Send + Sync + 'static,
) -> Person {
    let altered = move |asked: Asked| {
        let mut request: RegisterFinish = codec::decode(&asked.body).unwrap();
        change(&mut request);
        Asked { body: codec::encode(&request).unwrap(), ..asked }
    };
    stage.liar.tell(on(registering, AskInstead(altered)));
    let person = stage.person().await;
    stage.liar.tell(Honest);
    person
}

/// A person, and what the relay was sent to make the account.
async fn registration(stage: &Stage) -> (Person, RegisterFinish) {
    stage.liar.tell(Honest);
    let _earlier = stage.liar.take_asked();
    let person = stage.person().await;
    let sent = stage.liar.take_asked().into_iter().find(|asked| registering(&asked.endpoint)).unwrap();
    (person, codec::decode(&sent.body).unwrap())
}

#[tokio::test]
async fn m04_m15_an_account_that_is_stored_otherwise_than_it_was_sent_does_not_open() {
    let stage = Stage::set().await;
    let (honest, other) = registration(&stage).await;
    honest.log_in().await.unwrap();
    type Change = Box<dyn Fn(&mut RegisterFinish) + Send + Sync>;
    let changes: [(Change, OpenError); 4] = [
        (Box::new(|request| request.master_key[114] ^= 1), OpenError::Altered),
        (Box::new(|request| request.keyring[100] ^= 1), OpenError::Altered),
        {
            let theirs = other.master_key.clone();
            (Box::new(move |request| request.master_key.clone_from(&theirs)), OpenError::WrongKey)
        },
        {
            let theirs = other.keyring.clone();
            (Box::new(move |request| request.keyring.clone_from(&theirs)), OpenError::WrongKey)
        },
    ];
    for (change, expected) in changes {
        let person = registered_with(&stage, change).await;
        let error = person.log_in().await.expect_err("what is stored is not what was sealed");
        assert!(matches!(&error, ClientError::Tampered(found) if *found == expected), "{error:?}");
        assert_eq!(error.explanation().exit, ExitCode::Tampered);
    }
    let person = registered_with(&stage, move |request| request.upload = other.upload).await;
    let error = person.log_in().await.expect_err("the record is another password's");
    assert!(matches!(error, ClientError::WrongPassword), "{error:?}");
}

#[tokio::test]
async fn m04_m15_m34_a_recovery_envelope_opens_only_as_what_it_was_sealed_as() {
    let stage = Stage::set().await;
    let (person, sent) = registration(&stage).await;
    let (_, theirs) = registration(&stage).await;
    let envelope = sent.recovery.unwrap().envelope;
    let (_, account) = person.recovery.open(&envelope, &address()).unwrap();
    assert_eq!(account, person.code.account(), "the honest case");
    for bit in 0..envelope.len() * 8 {
        let mut altered = envelope.clone();
        altered[bit / 8] ^= 1 << (bit % 8);
        let expected = match bit / 8 {
            0..2 => OpenError::UnknownSuite,
            2 => OpenError::WrongKind,
            3..67 => OpenError::WrongKey,
            _ => OpenError::Altered,
        };
        assert_eq!(person.recovery.open(&altered, &address()).err(), Some(expected), "bit {bit}");
    }
    for length in 0..envelope.len() {
        assert!(person.recovery.open(&envelope[..length], &address()).is_err(), "{length} bytes");
    }
    let elsewhere = "duckduckgogg42xjoc72x3sjasowoarfbgcmvfimaftt6twagswzczad".parse().unwrap();
    assert_eq!(person.recovery.open(&envelope, &elsewhere).err(), Some(OpenError::WrongKey));
    let others = [
        (theirs.recovery.unwrap().envelope, OpenError::WrongKey),
        (sent.master_key, OpenError::WrongKind),
        (sent.keyring, OpenError::WrongKind),
    ];
    for (other, expected) in others {
        assert_eq!(person.recovery.open(&other, &address()).err(), Some(expected));
    }
}
