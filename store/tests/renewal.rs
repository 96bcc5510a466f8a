//! Renewing a blob: who held its read token and write key before has nothing of it after.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod common;

use common::{Fixture, NOW, TODAY, TestBlob, random_token};
use nightdrop_store::{StoreError, token_hash};
use nightdrop_wire::{authorization::Authorization, messages::blob::RenewBlob, token::Token};

fn renew(fixture: &Fixture, blob: &TestBlob, shown: &Token, message: &RenewBlob) -> Result<(), StoreError> {
    fixture.wait(fixture.store().renew_blob(blob.id, shown, message))
}

fn renewal(read_token: &Token, write_key: &Token) -> RenewBlob {
    RenewBlob { read_token: token_hash(read_token), write_key: token_hash(write_key), tickets: Vec::new() }
}

#[test]
fn what_read_and_changed_a_blob_before_does_so_no_more() {
    let fixture = Fixture::new();
    let blob = fixture.whole_blob();
    let (ticket, token) = blob.ticket();
    fixture.ticket(&ticket, &blob.write_key).unwrap();
    let (planted, planted_token) = blob.ticket();
    fixture.ticket(&planted, &blob.write_key).unwrap();
    let (read_token, write_key) = (random_token(), random_token());
    let message = RenewBlob { tickets: vec![ticket.ticket], ..renewal(&read_token, &write_key) };

    assert!(matches!(renew(&fixture, &blob, &random_token(), &message), Err(StoreError::Refused)));
    let token_of_reader = Token::from_bytes(*blob.read_token.secret_bytes());
    assert!(matches!(renew(&fixture, &blob, &token_of_reader, &message), Err(StoreError::Refused)));
    assert_eq!(fixture.read(&blob, 0).unwrap(), blob.chunks[0], "nothing has changed yet");

    renew(&fixture, &blob, &blob.write_key, &message).unwrap();
    assert!(
        fixture.read(&blob, 0).is_err()
            && fixture.store().read_manifest(blob.id, &blob.reading(), NOW).is_err()
    );
    let (another, _) = blob.ticket();
    assert!(matches!(fixture.ticket(&another, &blob.write_key), Err(StoreError::Refused)));
    let destroyed = fixture.wait(fixture.store().destroy_blob(blob.id, &blob.write_key, TODAY));
    assert!(matches!(destroyed, Err(StoreError::Refused)));
    assert!(matches!(renew(&fixture, &blob, &blob.write_key, &message), Err(StoreError::Refused)));

    let reading = Authorization::Bearer(read_token);
    assert_eq!(fixture.store().read_chunk(blob.id, 0, &reading, NOW).unwrap(), blob.chunks[0]);
    assert_eq!(fixture.store().read_manifest(blob.id, &reading, NOW).unwrap(), blob.manifest);
    assert!(fixture.store().read_ticket(ticket.ticket, &token, NOW).is_ok(), "it was named");
    assert!(fixture.store().read_ticket(planted.ticket, &planted_token, NOW).is_err(), "it was not");
    fixture.wait(fixture.store().end_ticket(planted.ticket, &write_key)).unwrap();
    fixture.ticket(&another, &write_key).unwrap();
    fixture.wait(fixture.store().destroy_blob(blob.id, &write_key, TODAY)).unwrap();
}

#[test]
fn the_same_again_is_answered_alike_to_the_new_key_only() {
    let mut fixture = Fixture::new();
    let blob = fixture.whole_blob();
    let (read_token, write_key) = (random_token(), random_token());
    let message = renewal(&read_token, &write_key);
    renew(&fixture, &blob, &blob.write_key, &message).unwrap();
    fixture.close();
    fixture.open();
    renew(&fixture, &blob, &write_key, &message).unwrap();
    let other = RenewBlob { read_token: token_hash(&random_token()), ..message };
    assert!(matches!(renew(&fixture, &blob, &write_key, &other), Err(StoreError::Conflict)));
    let ticket = blob.ticket().0.ticket;
    let many = RenewBlob { tickets: vec![ticket; 481], ..other };
    assert!(matches!(renew(&fixture, &blob, &write_key, &many), Err(StoreError::Refused)));
    assert!(fixture.store().read_chunk(blob.id, 0, &Authorization::Bearer(read_token), NOW).is_ok());
}
