//! The operator's commands at a worker, and that clients cannot give them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod worker_support;

use nightdrop_relay::worker::{AdminEndpoint, Plane};
use nightdrop_store::token_hash;
use nightdrop_wire::{
    codec,
    ids::{AccountId, InvitationId},
    limits::PERIOD_DAYS,
    messages::admin::{
        AccountFacts, AccountPage, InvitationFacts, InvitationPage, Invitations, ListAccounts,
        ListInvitations, NewInvitations, RemoveAccount, RevokeInvitation, SetQuota,
    },
    token::Token,
};
use serde::{Serialize, de::DeserializeOwned};
use std::sync::atomic::Ordering;
use worker_support::{RawAnswer, TestBlob, User, Worker, fetch, random};

/// What each of the credits here is worth.
const SIXTEEN_MIB: u64 = 16 << 20;

async fn ask<Q: Serialize>(worker: &Worker, endpoint: AdminEndpoint, message: &Q) -> RawAnswer {
    worker.connect_to(Plane::Admin, 1024).post(endpoint.path(), None, message).await
}

async fn told<Q: Serialize, A: Serialize + DeserializeOwned>(
    worker: &Worker,
    endpoint: AdminEndpoint,
    message: &Q,
) -> A {
    codec::decode(&ask(worker, endpoint, message).await.success()).unwrap()
}

async fn invite(worker: &Worker, count: u16) -> Vec<Token> {
    let message = NewInvitations { days: 7, count };
    told::<_, Invitations>(worker, AdminEndpoint::NewInvitations, &message).await.invitations
}

async fn listed(worker: &Worker) -> Vec<InvitationFacts> {
    let (mut all, mut after) = (Vec::new(), None);
    for _ in 0..10 {
        let page: InvitationPage =
            told(worker, AdminEndpoint::ListInvitations, &ListInvitations { after }).await;
        all.extend(page.invitations);
        after = page.next;
        if after.is_none() {
            return all;
        }
    }
    panic!("a list without an end");
}

async fn accounts(worker: &Worker) -> AccountPage {
    told(worker, AdminEndpoint::ListAccounts, &ListAccounts { after: None }).await
}

fn id(invitation: &Token) -> InvitationId {
    InvitationId::of(&token_hash(invitation))
}

async fn revoke(worker: &Worker, invitation: &Token) -> u16 {
    let message = RevokeInvitation { invitation: id(invitation) };
    ask(worker, AdminEndpoint::RevokeInvitation, &message).await.status()
}

#[tokio::test]
async fn the_operator_gives_commands_and_clients_do_not() {
    let worker = Worker::start().await;
    let new = NewInvitations { days: 7, count: 1 };
    let invitation = invite(&worker, 1).await.remove(0);
    User::new(invitation).register(&mut worker.connect()).await;

    for (days, count) in [(0, 1), (366, 1), (7, 0), (7, 101)] {
        let refused = ask(&worker, AdminEndpoint::NewInvitations, &NewInvitations { days, count }).await;
        assert_eq!(refused.status(), 404, "{days} days, {count}");
    }
    let mut connection = worker.connect();
    assert_eq!(connection.post(AdminEndpoint::NewInvitations.path(), None, &new).await.status(), 404);
    let mut admin = worker.connect_to(Plane::Admin, 1024);
    let blob = TestBlob::new(1);
    assert_eq!(admin.get(&blob.path("/head"), &blob.reading()).await.status(), 404);
}

#[tokio::test]
async fn a_list_tells_every_invitation_once_and_no_token() {
    let worker = Worker::start().await;
    let mut issued = Vec::new();
    for _ in 0..3 {
        issued.extend(invite(&worker, 100).await);
    }
    let spender = User::new(issued[7].clone());
    spender.register(&mut worker.connect()).await;

    let listed = listed(&worker).await;
    assert_eq!(listed.len(), 300);
    for invitation in &issued {
        let facts: Vec<_> = listed.iter().filter(|facts| facts.id == id(invitation)).collect();
        assert_eq!(facts.len(), 1);
        let expires = worker.day.load(Ordering::Relaxed) + 7;
        let spent = id(invitation) == id(&issued[7]);
        assert_eq!((facts[0].expires, facts[0].spent), (expires, spent));
    }
    let answer =
        ask(&worker, AdminEndpoint::ListInvitations, &ListInvitations { after: None }).await.success();
    let holds = |part: &[u8]| answer.windows(part.len()).any(|window| window == part);
    assert!(holds(listed[0].id.as_bytes()), "the search finds what is there");
    assert!(issued.iter().all(|token| !holds(&token.secret_bytes()[..8])));
}

#[tokio::test]
async fn a_revoked_invitation_registers_nobody() {
    let worker = Worker::start().await;
    let invitations = invite(&worker, 3).await;
    let [kept, revoked, spent] = invitations.as_slice() else { panic!("three were asked for") };
    User::new(spent.clone()).register(&mut worker.connect()).await;
    let user = User::new(revoked.clone());
    // Begun before it is revoked, and finished after.
    let begun = user.registration(&mut worker.connect()).await;

    assert_eq!(revoke(&worker, revoked).await, 200);
    assert_eq!(revoke(&worker, revoked).await, 404, "there is none any more");
    assert_eq!(revoke(&worker, spent).await, 409, "spent");
    assert_eq!(revoke(&worker, &Token::from_bytes(random())).await, 404, "made up");

    assert_eq!(worker.connect().post("/v1/register/2", None, &begun).await.status(), 404);
    let (_, start) = user.registration_start();
    assert_eq!(worker.connect().post("/v1/register/1", None, &start).await.status(), 404);
    User::new(kept.clone()).register(&mut worker.connect()).await;
    assert!(listed(&worker).await.iter().all(|facts| facts.spent));
}

#[tokio::test]
async fn revoking_and_registering_at_once_have_one_winner() {
    let worker = Worker::start().await;
    for _ in 0..20 {
        let invitation = invite(&worker, 1).await.remove(0);
        let begun = User::new(invitation.clone()).registration(&mut worker.connect()).await;
        let mut connection = worker.connect();
        let before = accounts(&worker).await.accounts.len();
        let (registered, revoked) =
            tokio::join!(connection.post("/v1/register/2", None, &begun), revoke(&worker, &invitation));
        let made = accounts(&worker).await.accounts.len() - before;
        match (registered.status(), revoked) {
            (200, 409) => assert_eq!(made, 1),
            (404, 200) => assert_eq!(made, 0),
            both => panic!("{both:?}"),
        }
    }
}

#[tokio::test]
async fn a_list_of_accounts_tells_what_the_relay_knows() {
    let worker = Worker::start().await;
    assert_eq!(accounts(&worker).await.accounts, []);
    let mut connection = worker.connect();
    let mut user = worker.user(&mut connection).await;
    let other = User::new(worker.invitation().await);
    other.register(&mut connection).await;
    user.log_in(&mut connection).await;
    user.credits(&mut connection, 5).await;

    let page = accounts(&worker).await;
    assert_eq!((page.default_quota, page.next), (32 << 30, None));
    let facts = |account: AccountId, sessions, drawn| AccountFacts {
        account,
        keyring_version: Some(1),
        sessions,
        drawn,
        quota: None,
    };
    let mut expected = vec![facts(user.account, 2, 5 * SIXTEEN_MIB), facts(other.account, 0, 0)];
    expected.sort_by_key(|facts| facts.account);
    assert_eq!(page.accounts, expected);

    worker.day.fetch_add(PERIOD_DAYS, Ordering::Relaxed);
    let later = accounts(&worker).await.accounts;
    assert!(later.iter().all(|facts| (facts.sessions, facts.drawn) == (0, 0)), "sessions end, periods pass");
}

#[tokio::test]
async fn an_account_draws_what_the_operator_says() {
    let worker = Worker::start().await;
    let mut connection = worker.connect();
    let user = worker.user(&mut connection).await;
    let set = async |quota| {
        let message = SetQuota { account: user.account, quota };
        ask(&worker, AdminEndpoint::SetQuota, &message).await.success();
    };
    let draw =
        async |count| worker.connect().post("/v1/credits", Some(&user.shown()), &fetch(count)).await.status();
    assert_eq!(draw(3).await, 200);
    set(Some(4 * SIXTEEN_MIB)).await;
    assert_eq!(draw(2).await, 200, "one of them");
    assert_eq!(draw(1).await, 409, "what was drawn before counts");
    assert_eq!(accounts(&worker).await.accounts[0].quota, Some(4 * SIXTEEN_MIB));
    set(Some(0)).await;
    assert_eq!(draw(1).await, 409);
    set(None).await;
    assert_eq!(draw(64).await, 200, "as many as every account");
    let nobody = SetQuota { account: AccountId::from_bytes(random()), quota: Some(1) };
    assert_eq!(ask(&worker, AdminEndpoint::SetQuota, &nobody).await.status(), 404);
}

#[tokio::test]
async fn a_removed_account_is_gone_and_its_id_is_never_given_again() {
    let worker = Worker::start().await;
    let mut connection = worker.connect();
    let user = worker.user(&mut connection).await;
    let other = worker.user(&mut connection).await;
    let blob = TestBlob::new(1);
    let credit = user.credits(&mut connection, 1).await.remove(0);
    connection.post("/v1/blobs", None, &blob.create_whole(credit)).await.success();
    let quota = SetQuota { account: user.account, quota: Some(7 * SIXTEEN_MIB) };
    ask(&worker, AdminEndpoint::SetQuota, &quota).await.success();
    let pending = user.login_finish(&mut connection).await;

    let remove = RemoveAccount { account: user.account };
    assert!(ask(&worker, AdminEndpoint::RemoveAccount, &remove).await.success().is_empty());
    assert_eq!(ask(&worker, AdminEndpoint::RemoveAccount, &remove).await.status(), 404);
    let left: Vec<_> = accounts(&worker).await.accounts.into_iter().map(|facts| facts.account).collect();
    assert_eq!(left, [other.account]);

    let credits = worker.connect().post("/v1/credits", Some(&user.shown()), &fetch(1)).await;
    assert_eq!(credits.status(), 404, "its sessions ended");
    assert_eq!(worker.connect().post("/v1/login/2", None, &pending).await.status(), 404, "a login under way");
    let again = User { account: user.account, ..User::new(worker.invitation().await) };
    let registration = again.registration(&mut worker.connect()).await;
    assert_eq!(worker.connect().post("/v1/register/2", None, &registration).await.status(), 404);

    // What it stored is tied to no account.
    assert_eq!(worker.connect().get(&blob.path("/0"), &blob.reading()).await.success(), blob.chunks[0]);
    other.credits(&mut worker.connect(), 1).await;
}
