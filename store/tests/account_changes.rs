//! Changes of what opens an account, its recovery, and its removal.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use common::{Fixture, TODAY, random_token, registration};
use nightdrop_store::{AccountChange, BodyDigest, RecordVersion, StoreError, token_hash};
use nightdrop_wire::{
    codec,
    ids::{AccountId, ChangeId, RecoveryId},
    messages::account::{ChangeFinish, Keyring, Recovery, RecoveryChange},
    token::Token,
};

const ACCOUNT: AccountId = AccountId::from_bytes([1; 10]);

fn change(mark: u8, recovery: RecoveryChange) -> ChangeFinish {
    ChangeFinish {
        change: ChangeId::from_bytes([mark; 16]),
        upload: [mark; 192],
        master_key: vec![mark; 115],
        recovery,
        keyring: None,
    }
}

fn recovery(id: u8) -> Recovery {
    let token = token_hash(&Token::from_bytes([id; 32]));
    Recovery { id: RecoveryId::from_bytes([id; 16]), token, envelope: vec![id; 125] }
}

fn version(fixture: &Fixture) -> RecordVersion {
    fixture.store().login_record(ACCOUNT).unwrap().version
}

fn make(fixture: &Fixture, begun_with: RecordVersion, message: &ChangeFinish) -> Result<(), StoreError> {
    let body = BodyDigest::of(&codec::encode(message).unwrap());
    let change = AccountChange { account: ACCOUNT, begun_with, message, body };
    fixture.wait(fixture.store().change_account(&change, &mut rand::rng()))
}

fn find(fixture: &Fixture, id: u8) -> Result<Vec<u8>, StoreError> {
    let token = Token::from_bytes([id; 32]);
    fixture.store().find_recovery(RecoveryId::from_bytes([id; 16]), &token).map(|found| found.envelope)
}

#[test]
fn a_change_replaces_what_opens_the_account_and_ends_its_sessions() {
    let mut fixture = Fixture::new();
    let (session, other) = (token_hash(&fixture.session(1)), token_hash(&fixture.session(2)));
    let before = version(&fixture);
    let message = change(7, RecoveryChange::Keep);
    make(&fixture, before, &message).unwrap();
    make(&fixture, before, &message).expect("the same bytes");
    assert_refused!(make(&fixture, before, &change(8, RecoveryChange::Keep)), Conflict, "begun before");
    fixture.open();
    assert_eq!(*fixture.store().login_record(ACCOUNT).unwrap().record, [7; 192]);
    let envelopes = fixture.store().account_envelopes(ACCOUNT, &version(&fixture)).unwrap();
    assert_eq!(envelopes.master_key, vec![7; 115]);
    assert_eq!((envelopes.keyring.version, envelopes.keyring.envelope), (1, registration(1).keyring));
    assert_refused!(fixture.store().account_envelopes(ACCOUNT, &before), Conflict, "proved by the old one");
    assert_refused!(fixture.store().authenticate(&session, TODAY), Refused);
    assert!(fixture.store().authenticate(&other, TODAY).is_ok(), "another account's");
}

#[test]
fn a_login_that_began_before_a_change_opens_no_session_after_it() {
    let fixture = Fixture::new();
    fixture.session(1);
    let new = |proved_by| nightdrop_store::NewSession {
        account: ACCOUNT,
        session: token_hash(&random_token()),
        began: TODAY,
        expires: TODAY,
        proved_by,
    };
    let before = version(&fixture);
    fixture.wait(fixture.store().create_session(new(before))).unwrap();
    make(&fixture, before, &change(7, RecoveryChange::Keep)).unwrap();
    assert_refused!(fixture.wait(fixture.store().create_session(new(before))), Conflict);
}

#[test]
fn the_keyring_goes_to_its_next_version_only() {
    let fixture = Fixture::new();
    fixture.session(1);
    let with = |mark, version| ChangeFinish {
        keyring: Some(Keyring { version, envelope: vec![mark; 200] }),
        ..change(mark, RecoveryChange::Keep)
    };
    for wrong in [0, 1, 3, u64::MAX] {
        assert_refused!(make(&fixture, version(&fixture), &with(5, wrong)), Conflict, "{wrong}");
    }
    make(&fixture, version(&fixture), &with(6, 2)).unwrap();
    let keyring = fixture.store().account_envelopes(ACCOUNT, &version(&fixture)).unwrap().keyring;
    assert_eq!((keyring.version, keyring.envelope), (2, vec![6; 200]));
}

#[test]
fn a_recovery_is_found_by_id_and_token_until_it_is_replaced_or_removed() {
    let fixture = Fixture::new();
    fixture.session(1);
    fixture.session(2);
    assert_refused!(find(&fixture, 3), Refused, "none yet");
    make(&fixture, version(&fixture), &change(4, RecoveryChange::Replace(recovery(3)))).unwrap();
    let found = fixture.store().find_recovery(RecoveryId::from_bytes([3; 16]), &Token::from_bytes([3; 32]));
    let found = found.unwrap();
    assert_eq!((found.account, found.record, &found.envelope), (ACCOUNT, version(&fixture), &vec![3; 125]));
    assert_eq!(found.keyring.envelope, registration(1).keyring);
    let wrong = fixture.store().find_recovery(RecoveryId::from_bytes([3; 16]), &random_token());
    assert_refused!(wrong, Refused, "another token");

    make(&fixture, version(&fixture), &change(5, RecoveryChange::Keep)).unwrap();
    assert_eq!(find(&fixture, 3).unwrap(), vec![3; 125], "kept");
    make(&fixture, version(&fixture), &change(6, RecoveryChange::Replace(recovery(9)))).unwrap();
    assert_refused!(find(&fixture, 3), Refused, "replaced");
    assert_eq!(find(&fixture, 9).unwrap(), vec![9; 125]);
    make(&fixture, version(&fixture), &change(7, RecoveryChange::Remove)).unwrap();
    assert_refused!(find(&fixture, 9), Refused, "removed");
}

#[test]
fn a_recovery_id_of_another_account_is_not_taken_over() {
    let fixture = Fixture::new();
    fixture.session(1);
    let invitation = Token::from_bytes([2; 32]);
    fixture.wait(fixture.store().issue_invitation(token_hash(&invitation), TODAY)).unwrap();
    let other =
        nightdrop_wire::messages::account::RegisterFinish { recovery: Some(recovery(3)), ..registration(2) };
    fixture.register(&other, TODAY).unwrap();
    assert_refused!(
        make(&fixture, version(&fixture), &change(4, RecoveryChange::Replace(recovery(3)))),
        Conflict
    );
    assert_eq!(find(&fixture, 3).unwrap(), vec![3; 125]);
}

#[test]
fn a_removed_account_leaves_nothing_and_its_id_is_never_given_again() {
    let fixture = Fixture::new();
    let (session, other) = (token_hash(&fixture.session(1)), token_hash(&fixture.session(2)));
    make(&fixture, version(&fixture), &change(4, RecoveryChange::Replace(recovery(3)))).unwrap();
    let session_after = random_token();
    fixture.open_session(ACCOUNT, &session_after).unwrap();
    let (held, decoy) = (version(&fixture), [0xdd; 192]);
    let of_other = fixture.store().login_record(AccountId::from_bytes([2; 10])).unwrap().version;
    assert_refused!(fixture.wait(fixture.store().remove_account(ACCOUNT, Some(of_other))), Conflict);
    assert_eq!(version(&fixture), held, "still there");

    fixture.wait(fixture.store().remove_account(ACCOUNT, Some(held))).unwrap();
    assert_eq!(*fixture.store().login_record(ACCOUNT).unwrap().record, decoy, "as if it had never been");
    assert_refused!(find(&fixture, 3), Refused);
    for gone in [session, token_hash(&session_after)] {
        assert_refused!(fixture.store().authenticate(&gone, TODAY), Refused);
    }
    assert!(fixture.store().authenticate(&other, TODAY).is_ok(), "another account's");
    assert_refused!(fixture.wait(fixture.store().remove_account(ACCOUNT, None)), Refused, "again");
    let invitation = Token::from_bytes([6; 32]);
    fixture.wait(fixture.store().issue_invitation(token_hash(&invitation), TODAY)).unwrap();
    let again = nightdrop_wire::messages::account::RegisterFinish { invitation, ..registration(1) };
    assert_refused!(fixture.register(&again, TODAY), Refused, "the id ended");
}
