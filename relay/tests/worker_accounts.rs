//! What opens an account, as the worker changes it: password, recovery, sessions, removal, and the back-off after failed logins.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod worker_support;

use nightdrop_login::{client::ClientRegistration, password::Password};
use nightdrop_store::token_hash;
use nightdrop_wire::{
    codec,
    ids::{AccountId, ChangeId, RecoveryId, SessionId},
    messages::account::{
        ChangeFinish, LoginFinish, PasswdStart, PasswdStarted, RecoverStart, RecoverStarted, Recovery,
        RecoveryChange, RegisterFinish, Sessions,
    },
    token::Token,
};
use rand08::rngs::OsRng;
use std::sync::atomic::Ordering;
use tokio::io::DuplexStream;
use worker_support::{Connection, User, Worker, random};

type Client = Connection<DuplexStream>;

/// The second half of a change, for the password to be.
fn finish_change(
    user: &User,
    state: ClientRegistration,
    change: ChangeId,
    response: &[u8; 64],
    recovery: RecoveryChange,
) -> ChangeFinish {
    let (upload, _) = state.finish(response, &user.account, &user.context(), &mut OsRng).unwrap();
    ChangeFinish { change, upload, master_key: vec![9; 115], recovery, keyring: None }
}

/// Proves the user's password, and begins a change to `new`.
async fn begin(user: &User, new: &Password, connection: &mut Client) -> (ClientRegistration, PasswdStarted) {
    let login = user.login_finish(connection).await;
    let (state, request) = ClientRegistration::start(new, &user.account_key, &mut OsRng).unwrap();
    let answer = connection.post("/v1/passwd", None, &PasswdStart { login, request }).await.success();
    (state, codec::decode(&answer).unwrap())
}

/// Changes the password of a user, who knows only the new one then.
async fn change(
    user: &mut User,
    new: &str,
    recovery: RecoveryChange,
    connection: &mut Client,
) -> ChangeFinish {
    let new = Password::new(new);
    let (state, started) = begin(user, &new, connection).await;
    let finish = finish_change(user, state, started.change, &started.response, recovery);
    connection.post("/v1/change", None, &finish).await.success();
    user.password = new;
    finish
}

fn recovery(name: u8) -> (Recovery, RecoverStart) {
    let token = Token::from_bytes([name; 32]);
    let id = RecoveryId::from_bytes([name; 16]);
    let kept = Recovery { id, token: token_hash(&token), envelope: vec![name; 125] };
    (kept, RecoverStart { recovery: id, token, request: [0; 32] })
}

#[tokio::test]
async fn a_changed_password_logs_in_and_the_old_one_does_not() {
    let worker = Worker::start().await;
    let mut connection = worker.connect();
    let mut user = worker.user(&mut connection).await;
    let (old_session, old) = (user.shown(), user.password.secret_text().to_owned());
    let (_, started) = begin(&user, &user.password, &mut connection).await;
    assert_eq!((started.master_key, started.keyring.version), (vec![1; 115], 1), "what opens the account");

    let finish = change(&mut user, "a new and long password", RecoveryChange::Keep, &mut connection).await;
    connection.post("/v1/change", None, &finish).await.success();
    assert_eq!(user.log_in(&mut connection).await.master_key, vec![9; 115]);
    let other = ChangeFinish { master_key: vec![8; 115], ..finish };
    assert_eq!(connection.post("/v1/change", None, &other).await.status(), 409, "another body, too late");

    let mut connection = worker.connect();
    let refused = connection.request("GET", "/v1/sessions", Some(&old_session), &[]).await;
    assert_eq!(refused.status(), 404, "sessions from before");
    let with_old = User { password: Password::new(&old), ..worker.stranger(&user) };
    assert!(
        with_old.try_login(&mut worker.connect()).await.is_none(),
        "the client itself sees that it is wrong"
    );
}

#[tokio::test]
async fn a_change_needs_a_login_of_its_own_and_a_sound_message() {
    let worker = Worker::start().await;
    let mut connection = worker.connect();
    let user = worker.user(&mut connection).await;
    let new = Password::new("a new and long password");
    let (state, request) = ClientRegistration::start(&new, &user.account_key, &mut OsRng).unwrap();
    let login = user.login_finish(&mut connection).await;
    let wrong = LoginFinish { login: login.login, finalization: [5; 64] };
    assert_eq!(
        connection.post("/v1/passwd", None, &PasswdStart { login: wrong, request }).await.status(),
        404
    );
    let mut connection = worker.connect();
    let taken = PasswdStart { login, request };
    assert_eq!(connection.post("/v1/passwd", None, &taken).await.status(), 404, "a login is taken once");

    let mut connection = worker.connect();
    let (other_state, started) = begin(&user, &new, &mut connection).await;
    drop(state);
    let sound = finish_change(&user, other_state, started.change, &started.response, RecoveryChange::Keep);
    let unsound = [
        ChangeFinish { change: ChangeId::from_bytes(random()), ..sound.clone() },
        ChangeFinish { master_key: vec![9; 116], ..sound.clone() },
        ChangeFinish { upload: [0xff; 192], ..sound.clone() },
        ChangeFinish {
            recovery: RecoveryChange::Replace(Recovery { envelope: vec![3; 124], ..recovery(3).0 }),
            ..sound.clone()
        },
    ];
    for message in unsound {
        assert_eq!(worker.connect().post("/v1/change", None, &message).await.status(), 404);
    }
    connection.post("/v1/change", None, &sound).await.success();
}

#[tokio::test]
async fn of_two_changes_that_began_together_one_is_made() {
    let worker = Worker::start().await;
    let mut connection = worker.connect();
    let user = worker.user(&mut connection).await;
    let (one, two) = (Password::new("the first new password"), Password::new("the second new password"));
    let first = begin(&user, &one, &mut connection).await;
    let second = begin(&user, &two, &mut connection).await;
    let finish = |(state, started): (ClientRegistration, PasswdStarted)| {
        finish_change(&user, state, started.change, &started.response, RecoveryChange::Keep)
    };
    connection.post("/v1/change", None, &finish(second)).await.success();
    assert_eq!(connection.post("/v1/change", None, &finish(first)).await.status(), 409);
    let user = User { password: two, ..worker.stranger(&user) };
    assert!(user.try_login(&mut worker.connect()).await.is_some());
}

#[tokio::test]
async fn a_recovery_phrase_sets_a_password_and_an_unknown_one_is_refused() {
    let worker = Worker::start().await;
    let mut connection = worker.connect();
    let mut user = User::new(worker.invitation().await);
    let (kept, start) = recovery(3);
    let message = RegisterFinish { recovery: Some(kept), ..user.registration(&mut connection).await };
    connection.post("/v1/register/2", None, &message).await.success();

    let new = Password::new("a password after all");
    let (state, request) = ClientRegistration::start(&new, &user.account_key, &mut OsRng).unwrap();
    let honest = RecoverStart { request, ..start };
    for wrong in [
        RecoverStart { token: Token::from_bytes(random()), ..honest.clone() },
        RecoverStart { recovery: RecoveryId::from_bytes(random()), ..honest.clone() },
    ] {
        let refused = worker.connect().post("/v1/recover", None, &wrong).await;
        assert_eq!((refused.status(), refused.body.len()), (404, 0));
    }
    let answer = connection.post("/v1/recover", None, &honest).await.success();
    let started: RecoverStarted = codec::decode(&answer).unwrap();
    assert_eq!((started.envelope, started.keyring.envelope), (vec![3; 125], vec![2; 300]));
    let finish = finish_change(&user, state, started.change, &started.response, RecoveryChange::Keep);
    connection.post("/v1/change", None, &finish).await.success();
    user.password = new;
    user.log_in(&mut connection).await;

    let (replacing, other_start) = recovery(4);
    change(&mut user, "yet another password", RecoveryChange::Replace(replacing), &mut connection).await;
    assert_eq!(worker.connect().post("/v1/recover", None, &honest).await.status(), 404, "replaced");
    let other = RecoverStart { request, ..other_start };
    worker.connect().post("/v1/recover", None, &other).await.success();
}

#[tokio::test]
async fn sessions_are_listed_and_revoked_and_a_revoked_one_is_refused_like_an_unknown_one() {
    let worker = Worker::start().await;
    let mut connection = worker.connect();
    let mut user = worker.user(&mut connection).await;
    let first = user.shown();
    let second = user.log_in(&mut connection).await;
    let list = connection.request("GET", "/v1/sessions", Some(&user.shown()), &[]).await.success();
    let list: Sessions = codec::decode(&list).unwrap();
    assert_eq!(list.sessions.iter().map(|facts| facts.asking).collect::<Vec<_>>(), [false, true]);
    assert_eq!(list.sessions[1].id, second.id);
    let end = |id: SessionId| format!("/v1/sessions/{id}");
    connection.request("DELETE", &end(list.sessions[0].id), Some(&user.shown()), &[]).await.success();
    let revoked = worker.connect().request("GET", "/v1/sessions", Some(&first), &[]).await;
    let made_up = nightdrop_wire::authorization::Authorization::Bearer(Token::from_bytes(random()));
    let unknown = worker.connect().request("GET", "/v1/sessions", Some(&made_up), &[]).await;
    assert_eq!((revoked.status(), &revoked), (404, &unknown));
    connection.request("GET", "/v1/sessions", Some(&user.shown()), &[]).await.success();
}

#[tokio::test]
async fn a_removed_account_is_answered_like_one_that_never_was() {
    let worker = Worker::start().await;
    let mut connection = worker.connect();
    let user = worker.user(&mut connection).await;
    let login = user.login_finish(&mut connection).await;
    connection.post("/v1/remove", None, &login).await.success();
    assert_eq!(worker.connect().request("GET", "/v1/sessions", Some(&user.shown()), &[]).await.status(), 404);
    let gone = worker.connect().post("/v1/login/1", None, &user.login().1).await;
    let never = User { account: AccountId::from_bytes(random()), ..worker.stranger(&user) };
    let never = worker.connect().post("/v1/login/1", None, &never.login().1).await;
    assert_eq!((gone.status(), gone.head, gone.body.len()), (200, never.head, never.body.len()));
    assert!(user.try_login(&mut worker.connect()).await.is_none());
}

#[tokio::test]
async fn r03_unfinished_logins_slow_down_alike_whether_the_account_exists_or_not() {
    let worker = Worker::start().await;
    let mut connection = worker.connect();
    let user = worker.user(&mut connection).await;
    let stranger = User { account: AccountId::from_bytes(random()), ..worker.stranger(&user) };
    let mut refused = Vec::new();
    for somebody in [&user, &stranger] {
        for _ in 0..5 {
            worker.connect().post("/v1/login/1", None, &somebody.login().1).await.success();
        }
        refused.push(worker.connect().post("/v1/login/1", None, &somebody.login().1).await);
    }
    assert_eq!(refused[0], refused[1]);
    assert_eq!((refused[0].status(), refused[0].body.len()), (429, 0));

    let mut connection = worker.connect();
    let bystander = worker.user(&mut connection).await;
    assert!(bystander.try_login(&mut connection).await.is_some(), "nobody else waits");
    worker.minute.fetch_add(1, Ordering::Relaxed);
    assert!(user.try_login(&mut connection).await.is_some(), "the owner, a minute later");
    for _ in 0..5 {
        connection.post("/v1/login/1", None, &user.login().1).await.success();
    }
}

/// The relay's half of the hash is the same at registration: asking for it there is guessing, too.
#[tokio::test]
async fn r03_registering_an_id_again_and_again_counts_as_guessing_at_it() {
    let worker = Worker::start().await;
    let mut connection = worker.connect();
    let user = worker.user(&mut connection).await;
    let thief = User { invitation: worker.invitation().await, ..worker.stranger(&user) };
    for _ in 0..5 {
        worker.connect().post("/v1/register/1", None, &thief.registration_start().1).await.success();
    }
    assert_eq!(
        worker.connect().post("/v1/register/1", None, &thief.registration_start().1).await.status(),
        429
    );
    assert_eq!(worker.connect().post("/v1/login/1", None, &user.login().1).await.status(), 429);
}
