//! Invitations, accounts, sessions, credits, and the relay's identity.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use common::{Fixture, TODAY, random, random_token, registration};
use nightdrop_store::{BodyDigest, Day, StoreLimits, token_hash};
use nightdrop_wire::{
    denomination::{Assortment, Denomination, UNIT},
    ids::{AccountId, InvitationId, RecoveryId},
    limits::PERIOD_DAYS,
    messages::account::{Recovery, RegisterFinish},
    onion::OnionAddress,
    token::{Token, TokenHash},
};

const ADDRESS: &str = "2gzyxa5ihm7nsggfxnu52rck2vv4rvmdlkiu3zzui5du4xyclen53wid.onion";
const OTHER: &str = "vww6ybal4bd7szmgncyruucpgfkqahzddi37ktceo3ah7ngmcopnpyyd.onion";

fn invite(fixture: &Fixture, name: u8) {
    let invitation = token_hash(&Token::from_bytes([name; 32]));
    fixture.wait(fixture.store().issue_invitation(invitation, TODAY.plus(7))).unwrap();
}

fn with_recovery(name: u8, id: [u8; 16]) -> RegisterFinish {
    let recovery = Recovery {
        id: RecoveryId::from_bytes(id),
        token: TokenHash::from_bytes([name; 32]),
        envelope: vec![name; 125],
    };
    RegisterFinish { recovery: Some(recovery), ..registration(name) }
}

#[test]
fn a_registration_keeps_what_opens_the_account() {
    let fixture = Fixture::new();
    invite(&fixture, 1);
    let message = with_recovery(1, [1; 16]);
    fixture.register(&message, TODAY).unwrap();
    fixture.open_session(message.account, &random_token()).unwrap();
    let version = |account| fixture.store().login_record(account).unwrap().version;
    let (held, of_nobody) = (version(message.account), version(AccountId::from_bytes([9; 10])));
    let envelopes = fixture.store().account_envelopes(message.account, &held).unwrap();
    assert_eq!(envelopes.master_key, message.master_key);
    assert_eq!((envelopes.keyring.version, envelopes.keyring.envelope), (1, message.keyring));
    let nobody = AccountId::from_bytes([9; 10]);
    assert_refused!(fixture.store().account_envelopes(nobody, &of_nobody), Refused);
    assert_refused!(fixture.store().account_envelopes(message.account, &of_nobody), Conflict);
}

#[test]
fn an_invitation_registers_one_account_once() {
    let fixture = Fixture::new();
    invite(&fixture, 1);
    let invitation = token_hash(&Token::from_bytes([1; 32]));
    fixture.store().check_invitation(&invitation, TODAY.plus(7)).expect("its last day");
    assert_refused!(fixture.store().check_invitation(&invitation, TODAY.plus(8)), Refused, "expired");
    assert_refused!(fixture.register(&registration(1), TODAY.plus(8)), Refused, "expired");
    let made_up = RegisterFinish { invitation: random_token(), ..registration(1) };
    assert_refused!(fixture.register(&made_up, TODAY), Refused, "made up");

    fixture.register(&registration(1), TODAY).unwrap();
    fixture.register(&registration(1), TODAY).expect("the same bytes");
    fixture.register(&registration(1), TODAY.plus(100)).expect("the same bytes, late");
    let other = RegisterFinish { account: AccountId::from_bytes([2; 10]), ..registration(1) };
    assert_refused!(fixture.register(&other, TODAY), Refused, "spent");
    assert_refused!(fixture.store().check_invitation(&invitation, TODAY), Refused, "spent");
    assert_refused!(fixture.wait(fixture.store().issue_invitation(invitation, TODAY)), Conflict);
}

#[test]
fn a_revoked_invitation_is_issued_again_by_nothing() {
    let fixture = Fixture::new();
    let store = fixture.store();
    let (revoked, other) = (Token::from_bytes([1; 32]), Token::from_bytes([2; 32]));
    let (hash, kept) = (token_hash(&revoked), token_hash(&other));
    let listed = || {
        let (list, _) = store.list_invitations(None, 10).unwrap();
        list.into_iter().map(|facts| facts.id).collect::<Vec<_>>()
    };
    for hash in [hash, kept] {
        fixture.wait(store.issue_invitation(hash, TODAY.plus(1))).unwrap();
    }
    fixture.wait(store.revoke_invitation(InvitationId::of(&hash))).unwrap();
    assert_refused!(store.check_invitation(&hash, TODAY), Refused, "revoked");
    assert_refused!(
        fixture.wait(store.issue_invitation(hash, TODAY.plus(1))),
        Conflict,
        "the same work again"
    );
    assert_refused!(store.check_invitation(&hash, TODAY), Refused, "still revoked");
    assert_refused!(fixture.register(&registration(1), TODAY), Refused, "still revoked");
    assert_eq!(listed(), [InvitationId::of(&kept)]);
    assert_refused!(fixture.wait(store.revoke_invitation(InvitationId::of(&hash))), Refused, "there is none");
    fixture.register(&registration(2), TODAY).expect("the other one");
    assert_refused!(fixture.wait(store.revoke_invitation(InvitationId::of(&kept))), Conflict, "it was spent");
}

#[test]
fn a_taken_account_or_recovery_id_is_refused_and_spends_the_invitation() {
    let fixture = Fixture::new();
    for name in 1..=4 {
        invite(&fixture, name);
    }
    fixture.register(&with_recovery(1, [1; 16]), TODAY).unwrap();
    let same_account = RegisterFinish { account: AccountId::from_bytes([1; 10]), ..registration(2) };
    let same_recovery = with_recovery(3, [1; 16]);
    for (name, taken) in [(2, &same_account), (3, &same_recovery)] {
        assert_refused!(fixture.register(taken, TODAY), Refused, "taken");
        assert_refused!(fixture.register(taken, TODAY), Refused, "the same bytes again");
        let invitation = token_hash(&Token::from_bytes([name; 32]));
        assert_refused!(fixture.store().check_invitation(&invitation, TODAY), Refused, "spent");
        assert_refused!(fixture.register(&registration(name), TODAY), Refused, "free ids with a spent one");
    }
    fixture.open_session(AccountId::from_bytes([1; 10]), &random_token()).unwrap();
    let record = fixture.store().login_record(AccountId::from_bytes([1; 10])).unwrap();
    assert_eq!(*record.record, [1; 192], "the first one's");
    fixture.register(&with_recovery(4, [2; 16]), TODAY).expect("free ids");
}

#[test]
fn an_unknown_account_has_the_decoys_record() {
    let fixture = Fixture::new();
    let decoy = [0xdd; 192];
    fixture.wait(fixture.store().create_identity(b"setup", &decoy, &mut rand::rng())).unwrap();
    fixture.session(1);
    assert_eq!(*fixture.store().login_record(AccountId::from_bytes([1; 10])).unwrap().record, [1; 192]);
    for _ in 0..3 {
        assert_eq!(*fixture.store().login_record(AccountId::from_bytes(random())).unwrap().record, decoy);
    }
}

#[test]
fn the_identity_is_written_once_and_kept() {
    let mut fixture = Fixture::new();
    assert!(fixture.store().identity().unwrap().is_none());
    let address: OnionAddress = ADDRESS.parse().unwrap();
    assert_refused!(fixture.wait(fixture.store().pin_address(address.clone())), Conflict, "no identity yet");

    fixture.wait(fixture.store().create_identity(b"setup", &[1; 192], &mut rand::rng())).unwrap();
    let again = fixture.store().create_identity(b"other", &[2; 192], &mut rand::rng());
    assert_refused!(fixture.wait(again), Conflict);
    assert!(fixture.store().identity().unwrap().unwrap().address.is_none());

    fixture.wait(fixture.store().pin_address(address.clone())).unwrap();
    fixture.wait(fixture.store().pin_address(address.clone())).expect("the same address");
    let other = fixture.store().pin_address(OTHER.parse().unwrap());
    assert_refused!(fixture.wait(other), OtherAddress);

    fixture.open();
    let identity = fixture.store().identity().unwrap().unwrap();
    assert_eq!((identity.server_setup.as_slice(), identity.address), (b"setup".as_slice(), Some(address)));
    assert_eq!(format!("{:?}", fixture.store().identity().unwrap()), "Some(RelayIdentity)");
}

#[test]
fn a_session_is_good_until_it_ends() {
    let fixture = Fixture::new();
    let session = token_hash(&fixture.session(1));
    let store = fixture.store();
    let account = AccountId::from_bytes([1; 10]);
    assert_eq!(store.authenticate(&session, TODAY.plus(30)).unwrap(), account);
    assert_refused!(store.authenticate(&session, TODAY.plus(31)), Refused, "expired");
    assert_refused!(store.authenticate(&token_hash(&random_token()), TODAY), Refused, "made up");
    assert_refused!(fixture.wait(store.end_sessions(session, TODAY.plus(31))), Refused, "expired");
    fixture.wait(store.end_sessions(session, TODAY)).unwrap();
    assert_refused!(store.authenticate(&session, TODAY), Refused, "ended");
    assert_refused!(fixture.wait(store.end_sessions(session, TODAY)), Refused, "ended");
}

#[test]
fn sessions_are_listed_and_ended_by_their_owner_only() {
    let fixture = Fixture::new();
    let store = fixture.store();
    let (first, other) = (token_hash(&fixture.session(1)), token_hash(&fixture.session(2)));
    let (second, third) = (random_token(), random_token());
    for session in [&second, &third] {
        fixture.open_session(AccountId::from_bytes([1; 10]), session).unwrap();
    }
    let (second, third) = (token_hash(&second), token_hash(&third));
    let list = store.list_sessions(&second, TODAY).unwrap();
    assert_eq!(list.iter().map(|session| session.asking).collect::<Vec<_>>(), [false, true, false]);
    assert!(list.iter().all(|session| (session.began, session.expires) == (TODAY.0, TODAY.0 + 30)));
    assert_refused!(store.list_sessions(&token_hash(&random_token()), TODAY), Refused, "made up");
    assert_refused!(store.list_sessions(&second, TODAY.plus(31)), Refused, "expired");

    fixture.wait(store.end_session(other, TODAY, list[0].id)).expect("another account's id ends nothing");
    assert!(store.authenticate(&first, TODAY).is_ok());
    fixture.wait(store.end_session(second, TODAY, list[0].id)).unwrap();
    assert_refused!(store.authenticate(&first, TODAY), Refused, "ended");
    assert_eq!(store.list_sessions(&second, TODAY).unwrap().len(), 2);
    fixture.wait(store.end_sessions(second, TODAY)).unwrap();
    assert_refused!(store.authenticate(&third, TODAY), Refused, "all ended");
    assert!(store.authenticate(&other, TODAY).is_ok());
}

#[test]
fn one_session_too_many_ends_the_oldest() {
    let fixture = Fixture::new();
    let oldest = token_hash(&fixture.session(1));
    let account = AccountId::from_bytes([1; 10]);
    let store = fixture.store();
    let others: Vec<_> = (0..32).map(|_| random_token()).collect();
    for (n, session) in others.iter().enumerate() {
        assert_eq!(store.authenticate(&oldest, TODAY).is_ok(), n < 32, "before session {n}");
        fixture.open_session(account, session).unwrap();
    }
    assert_refused!(store.authenticate(&oldest, TODAY), Refused);
    assert!(others.iter().all(|session| store.authenticate(&token_hash(session), TODAY).is_ok()));
    let nobody = AccountId::from_bytes([7; 10]);
    assert_refused!(fixture.open_session(nobody, &random_token()), Refused, "no account");
    assert_refused!(fixture.open_session(account, &others[0]), Conflict, "in use");
}

/// A relay whose accounts draw 1,000 credits of the smallest denomination in a period.
fn fixture_of_small_quota() -> Fixture {
    let mut fixture = Fixture::new();
    fixture.open_with(StoreLimits { quota_bytes: 1_000 * UNIT, ..StoreLimits::default() });
    fixture
}

/// The first day of the period after this one.
const NEXT_PERIOD: Day = Day((TODAY.0 / PERIOD_DAYS + 1) * PERIOD_DAYS);

#[test]
fn an_account_draws_its_quota_in_each_period() {
    let fixture = fixture_of_small_quota();
    let (session, other) = (fixture.session(1), fixture.session(2));
    let draw = |session: &Token, count, day| fixture.draw(session, count, day);
    assert_eq!(draw(&session, 998, TODAY).unwrap(), 998);
    assert_eq!(draw(&session, 5, Day(NEXT_PERIOD.0 - 1)).unwrap(), 2, "what is left, on its last day");
    assert_refused!(draw(&session, 1, TODAY), QuotaReached);
    assert_eq!(draw(&other, 1, TODAY).unwrap(), 1, "another account");
    assert_eq!(draw(&session, 2_000, NEXT_PERIOD).unwrap(), 1_000, "another period");
    assert_refused!(draw(&random_token(), 1, TODAY), Refused, "no session");
}

#[test]
fn what_is_drawn_counts_by_its_worth() {
    let fixture = fixture_of_small_quota();
    let session = token_hash(&fixture.session(1));
    let draw = |request: &[u8], wanted| {
        let drawn = fixture.store().draw_credits(session, wanted, BodyDigest::of(request), TODAY);
        fixture.wait(drawn)
    };
    assert_eq!(draw(b"one", Assortment([1, 2, 0, 0])).unwrap(), Assortment([1, 2, 0, 0]));
    // 967 units are left.
    assert_eq!(draw(b"two", Assortment([7, 0, 9, 9])).unwrap(), Assortment([7, 0, 3, 0]));
    assert_refused!(draw(b"three", Assortment([0, 0, 1, 1])), QuotaReached);
    assert_eq!(draw(b"four", Assortment([0, 13, 0, u16::MAX])).unwrap(), Assortment([0, 12, 0, 0]));
    assert_refused!(draw(b"five", Assortment([1, 1, 1, 1])), QuotaReached);
}

#[test]
fn a_draw_whose_answer_was_lost_counts_once() {
    let fixture = fixture_of_small_quota();
    let session = token_hash(&fixture.session(1));
    let draw = |request: &[u8], wanted, today| {
        let wanted = Assortment::only(Denomination::Smallest, wanted);
        let drawn = fixture.store().draw_credits(session, wanted, BodyDigest::of(request), today);
        fixture.wait(drawn).map(|drawn| drawn.0[0])
    };
    assert_eq!(draw(b"first", 900, TODAY).unwrap(), 900);
    assert_eq!(draw(b"first", 900, TODAY).unwrap(), 900, "the same request");
    for _ in 0..17 {
        assert_eq!(draw(b"second", 900, TODAY).unwrap(), 100);
    }
    assert_refused!(
        draw(b"second", 900, TODAY),
        QuotaReached,
        "whoever hears no answer so often does not listen"
    );
    assert_refused!(draw(b"first", 900, TODAY), QuotaReached, "it is not the last one any more");
    assert_eq!(draw(b"second", 900, NEXT_PERIOD).unwrap(), 900, "another period");
}

/// R10: whoever draws at once from one account gets its quota and no more.
#[test]
fn r10_draws_at_once_never_exceed_the_quota() {
    let fixture = fixture_of_small_quota();
    let session = token_hash(&fixture.session(1));
    let draws: Vec<_> = (0..64_u8)
        .map(|n| {
            let wanted = Assortment([16, 3, 0, 0]);
            fixture.runtime.spawn(fixture.store().draw_credits(session, wanted, BodyDigest::of(&[n]), TODAY))
        })
        .collect();
    let drawn = draws.into_iter().map(|draw| fixture.wait(draw).unwrap().unwrap_or_default());
    assert_eq!(drawn.map(Assortment::units).sum::<u64>(), 1_000);
}
