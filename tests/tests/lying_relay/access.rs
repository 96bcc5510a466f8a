//! Lies while what opens an account is changed: password, recovery phrase.

use nightdrop_client::{
    ClientError,
    account::{self, NewAccess, RecoveryWish},
};
use nightdrop_envelope::OpenError;
use nightdrop_login::password::Password;
use nightdrop_tests::{
    lying::{
        Asked, Honest, Lie, Stage,
        lies::{Alter, Say, Swallow, on},
    },
    memory::{PASSWORD, Person, address, patient},
};
use nightdrop_wire::{
    endpoint::Endpoint,
    messages::account::{PasswdStarted, RecoverStarted},
};

const NEW: &str = "walnut ferry cobalt lantern moss";

async fn change(person: &Person, wish: RecoveryWish) -> Result<NewAccess, ClientError> {
    let (old, new) = (Password::new(PASSWORD), Password::new(NEW));
    account::change_password(&person.transport, &person.code, &old, &new, wish, &patient()).await
}

async fn recover(person: &Person) -> Result<NewAccess, ClientError> {
    let new = Password::new(NEW);
    account::recover(&person.transport, &address(), &person.recovery, &new, &patient()).await
}

async fn opens(person: &Person, code: &nightdrop_envelope::account_code::AccountCode, with: &str) -> bool {
    account::log_in(&person.transport, code, &Password::new(with), &patient()).await.is_ok()
}

fn passwd(change: impl Fn(&mut PasswdStarted) + Send + Sync + 'static) -> impl Lie {
    let which = |endpoint: &Endpoint| matches!(endpoint, Endpoint::PasswdStart);
    on(which, Alter::<PasswdStarted, _>::by(move |_asked: &Asked, started| change(started)))
}

fn recovering(change: impl Fn(&mut RecoverStarted) + Send + Sync + 'static) -> impl Lie {
    let which = |endpoint: &Endpoint| matches!(endpoint, Endpoint::RecoverStart);
    on(which, Alter::<RecoverStarted, _>::by(move |_asked: &Asked, started| change(started)))
}

fn finished(endpoint: &Endpoint) -> bool {
    matches!(endpoint, Endpoint::ChangeFinish)
}

#[tokio::test]
async fn an_honest_change_leaves_one_password_and_all_that_was_stored() {
    let stage = Stage::set().await;
    let person = stage.person().await;
    let before = person.log_in().await.unwrap();
    change(&person, RecoveryWish::Keep).await.unwrap();
    assert!(!opens(&person, &person.code, PASSWORD).await && opens(&person, &person.code, NEW).await);
    let after =
        account::log_in(&person.transport, &person.code, &Password::new(NEW), &patient()).await.unwrap();
    assert!(after.open_memory(Some(&person.memory)).is_ok(), "the master key is the same");
    assert_eq!(after.keyring().version(), before.keyring().version());
}

#[tokio::test]
async fn an_honest_recovery_gives_a_new_code_and_the_phrase_stays_good_until_it_is_replaced() {
    let stage = Stage::set().await;
    let person = stage.person().await;
    let access = recover(&person).await.unwrap();
    assert_eq!(access.code.account(), person.code.account());
    assert!(opens(&person, &access.code, NEW).await);
    assert!(!opens(&person, &person.code, NEW).await, "the old code opens nothing");
    let again = recover(&person).await.unwrap();
    let (new, limits) = (Password::new(NEW), patient());
    let wish = RecoveryWish::Replace;
    let replaced =
        account::change_password(&person.transport, &again.code, &new, &new, wish, &limits).await.unwrap();
    let refused = recover(&person).await;
    assert!(matches!(refused, Err(ClientError::PhraseRefused)), "{refused:?}");
    let phrase = replaced.recovery.unwrap();
    account::recover(&person.transport, &address(), &phrase, &new, &limits).await.unwrap();
}

/// What the relay hands over is opened before anything is sealed in its place.
#[tokio::test]
async fn m04_an_altered_master_key_or_keyring_ends_a_change_before_anything_is_replaced() {
    let stage = Stage::set().await;
    let person = stage.person().await;
    for position in [0, 3, 35, 67, 114] {
        stage.liar.tell(passwd(move |started| started.master_key[position] ^= 1));
        let _earlier = stage.liar.take_asked();
        let refused = change(&person, RecoveryWish::Keep).await;
        assert!(matches!(refused, Err(ClientError::Tampered(_))), "{refused:?}");
        assert!(stage.liar.take_asked().iter().all(|asked| !finished(&asked.endpoint)));
        stage.liar.tell(passwd(move |started| started.keyring.envelope[position] ^= 1));
        let refused = change(&person, RecoveryWish::Keep).await;
        assert!(matches!(refused, Err(ClientError::Tampered(_))), "{refused:?}");
        assert!(stage.liar.take_asked().iter().all(|asked| !finished(&asked.endpoint)));
    }
    stage.liar.tell(Honest);
    assert!(opens(&person, &person.code, PASSWORD).await);
}

#[tokio::test]
async fn m04_an_altered_or_another_accounts_recovery_envelope_is_an_error() {
    let stage = Stage::set().await;
    let (person, other) = (stage.person().await, stage.person().await);
    for position in [0, 3, 35, 67, 124] {
        stage.liar.tell(recovering(move |started| started.envelope[position] ^= 1));
        let _earlier = stage.liar.take_asked();
        let refused = recover(&person).await;
        assert!(matches!(refused, Err(ClientError::Tampered(_))), "{refused:?}");
        assert!(stage.liar.take_asked().iter().all(|asked| !finished(&asked.endpoint)));
    }
    let kept = std::sync::Arc::new(std::sync::Mutex::new(None));
    let copy = std::sync::Arc::clone(&kept);
    stage.liar.tell(recovering(move |started| *copy.lock().unwrap() = Some(started.clone())));
    recover(&other).await.unwrap();
    let theirs = kept.lock().unwrap().take().unwrap();
    stage.liar.tell(recovering(move |started| started.envelope.clone_from(&theirs.envelope)));
    let refused = recover(&person).await;
    assert!(matches!(refused, Err(ClientError::Tampered(OpenError::WrongKey))), "{refused:?}");
}

/// The answer is lost, or lies: a login with the new password finds out what is so.
#[tokio::test]
async fn a_change_whose_answer_is_refused_is_found_out_by_a_login() {
    let stage = Stage::set().await;
    let person = stage.person().await;
    for status in [404, 409, 503] {
        stage.liar.tell(on(finished, Say(status)));
        change_back_and_forth(&person).await;
    }
    stage.liar.tell(on(finished, Swallow(404)));
    let refused = change(&person, RecoveryWish::Keep).await;
    assert!(matches!(refused, Err(ClientError::ChangeRefused)), "{refused:?}");
    stage.liar.tell(Honest);
    assert!(opens(&person, &person.code, PASSWORD).await, "nothing was changed");
}

/// The password stays, so that a login with it tells nothing: what tells is the key of the new record.
#[tokio::test]
async fn a_new_phrase_that_was_not_taken_is_not_shown_as_good() {
    let stage = Stage::set().await;
    let person = stage.person().await;
    let same = Password::new(PASSWORD);
    let (wish, limits) = (RecoveryWish::Replace, patient());
    stage.liar.tell(on(finished, Swallow(404)));
    let refused =
        account::change_password(&person.transport, &person.code, &same, &same, wish, &limits).await;
    assert!(matches!(refused, Err(ClientError::ChangeRefused)), "{refused:?}");
    stage.liar.tell(Honest);
    account::change_password(&person.transport, &person.code, &same, &same, wish, &limits).await.unwrap();
}

/// The relay makes the change and says something else.
async fn change_back_and_forth(person: &Person) {
    let (old, new) = (Password::new(PASSWORD), Password::new(NEW));
    for (from, to) in [(&old, &new), (&new, &old)] {
        let (wish, limits) = (RecoveryWish::Keep, patient());
        let made = account::change_password(&person.transport, &person.code, from, to, wish, &limits).await;
        assert!(made.is_ok(), "{made:?}");
    }
}

/// M40: whatever the relay gets, neither passwords nor words nor keys are in it.
#[tokio::test]
async fn m40_no_password_phrase_or_code_is_in_what_the_relay_gets() {
    let stage = Stage::set().await;
    let person = stage.person().await;
    let _earlier = stage.liar.take_asked();
    change(&person, RecoveryWish::Replace).await.unwrap();
    let phrase = person.recovery.secret_words().unwrap();
    let _gone = recover(&person).await;
    let code = person.code.secret_text();
    let key = person.code.secret_account_key();
    let sent: Vec<Vec<u8>> = stage.liar.take_asked().into_iter().map(|asked| asked.body.to_vec()).collect();
    assert!(sent.iter().any(|body| !body.is_empty()));
    let account = person.code.account();
    let found = |canary: &[u8]| sent.iter().any(|body| memchr::memmem::find(body, canary).is_some());
    assert!(found(account.as_bytes()), "the search finds what is there");
    for canary in [PASSWORD.as_bytes(), NEW.as_bytes(), phrase.as_bytes(), code.as_bytes(), key] {
        assert!(!found(canary));
    }
    for word in [PASSWORD, NEW] {
        assert!(word.split(' ').all(|word| word.len() < 5 || !found(word.as_bytes())));
    }
}
