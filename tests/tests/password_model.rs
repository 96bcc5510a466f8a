//! Login is the Secure Remote Password model, by OPAQUE (RFC 9807): each requirement has a test that is named after it.
//!
//! | Requirement | Here, and where else |
//! |---|---|
//! | the password is never transmitted | here: all bytes of a whole life of an account; `lying_relay/{canaries,access}.rs` |
//! | never stored by the client | here: the home directory's files; with the built programs in `home.rs` and `accounts.rs` |
//! | an unknown account cannot be told from a known one | here: bytes and messages; time in `relay/tests/worker_timing.rs` (5,000 interleaved requests each, Welch's t below 4.5) |
//! | a stolen data directory does not log in | here |
//! | the right password alone does not verify, even with the relay's secrets | here |
//! | registration says nothing about other accounts (R02) | here |
//! | malformed, replayed, cross-session messages (R04) | here; altered ones at the client in `lying_relay/accounts.rs` |
//!
//! Each search finds what was planted for it first; each theft shows that the owner gets in.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

use nightdrop_client::{
    ClientError, Home,
    account::{self, RecoveryWish},
};
use nightdrop_credit::{Order, good_until};
use nightdrop_envelope::{account_code::AccountCode, capability::hash_token};
use nightdrop_login::{
    LoginContext,
    client::{ClientLogin, ClientRegistration},
    password::{AccountKey, Password},
    server::{PendingLogin, Record},
};
use nightdrop_store::Day;
use nightdrop_tests::{
    lying::{
        Asked, Canaries, Exchange, Heard, Honest, Stage,
        lies::{Alter, on},
        speak,
    },
    memory::{PASSWORD, Person, address, patient},
    uploads::ONE,
};
use nightdrop_wire::{
    authorization::Authorization,
    codec,
    endpoint::Endpoint,
    ids::{AccountId, LoginId},
    messages::account::{LoggedIn, LoginFinish, LoginStart, LoginStarted, RegisterFinish, RegisterStart},
    token::Token,
};
use rand08::rngs::OsRng;
use std::{
    fs,
    sync::{Arc, Mutex},
    time::SystemTime,
};

const NEW: &str = "walnut ferry cobalt lantern moss";
const WRONG: &str = "plum orbit velvet cactus tidf";

fn passwords() -> Canaries {
    let mut canaries = Canaries::default();
    for password in [PASSWORD, NEW, WRONG] {
        canaries.add_text(password, password);
        for word in password.split(' ').filter(|word| word.len() >= 6) {
            canaries.add_text(word, word);
        }
    }
    canaries
}

fn found(canaries: &Canaries, heard: &[Heard]) -> Vec<String> {
    heard.iter().flat_map(|heard| canaries.found_in(&heard.bytes())).collect()
}

async fn ask(stage: &Stage, endpoint: Endpoint, body: Vec<u8>) -> Exchange {
    speak(stage.transport.stream(&address()).unwrap(), &Asked { body, ..Asked::plain(endpoint) }).await
}

async fn post<T: serde::Serialize>(stage: &Stage, endpoint: Endpoint, message: &T) -> Exchange {
    ask(stage, endpoint, codec::encode(message).unwrap()).await
}

fn account_key(code: &AccountCode) -> AccountKey {
    AccountKey::from_bytes(*code.secret_account_key())
}

/// A login by hand: KE1 sent, KE2 received.
struct ByHand {
    client: ClientLogin,
    started: LoginStarted,
}

async fn begin(stage: &Stage, code: &AccountCode, password: &str) -> ByHand {
    let (client, request) =
        ClientLogin::start(&Password::new(password), &account_key(code), &mut OsRng).unwrap();
    let start = LoginStart { account: code.account(), request };
    let answer = post(stage, Endpoint::LoginStart, &start).await;
    assert_eq!(answer.status, 200);
    ByHand { client, started: codec::decode(&answer.body).unwrap() }
}

impl ByHand {
    fn finish(self, code: &AccountCode) -> LoginFinish {
        let context = LoginContext::new(&address());
        let finished = self.client.finish(&self.started.response, &code.account(), &context, &mut OsRng);
        LoginFinish { login: self.started.login, finalization: finished.unwrap().0 }
    }
}

#[tokio::test]
async fn the_password_is_never_transmitted() {
    let canaries = passwords();
    let probe = Stage::set().await;
    for (name, form) in canaries.forms() {
        let before = probe.liar.heard().len();
        ask(&probe, Endpoint::LoginStart, form.to_vec()).await;
        let heard = &probe.liar.heard()[before..];
        assert!(found(&canaries, heard).iter().any(|found| found == name), "{name} is found when it is sent");
    }

    let stage = Stage::set().await;
    let person = stage.person().await;
    person.log_in().await.unwrap().end().await.unwrap();
    let limits = patient();
    let wrong = account::log_in(&person.transport, &person.code, &Password::new(WRONG), &limits).await;
    assert!(matches!(wrong, Err(ClientError::WrongPassword)), "{wrong:?}");
    let (old, new) = (Password::new(PASSWORD), Password::new(NEW));
    let wish = RecoveryWish::Keep;
    account::change_password(&person.transport, &person.code, &old, &new, wish, &limits).await.unwrap();
    account::recover(&person.transport, &address(), &person.recovery, &old, &limits).await.unwrap();

    let heard = stage.liar.heard();
    let bytes: usize = heard.iter().map(|heard| heard.bytes().len()).sum();
    assert!(heard.len() >= 5 && bytes > 2_000, "{} connections, {bytes} bytes", heard.len());
    assert_eq!(found(&canaries, &heard), Vec::<String>::new());
    assert_eq!(canaries.found_below(stage.honest.directory()), Vec::<String>::new(), "nor kept by the relay");
}

/// All that the commands keep: a pending registration, the account, the memory.
#[tokio::test]
async fn the_password_is_never_stored_by_the_client() {
    let (stage, directory) = (Stage::set().await, tempfile::tempdir().unwrap());
    let path = directory.path().join("home");
    let home = Home::open(&path).unwrap();
    let canaries = passwords();
    let invitation = stage.honest.invitation().await;
    let (password, limits) = (Password::new(PASSWORD), patient());
    let prepared =
        account::prepare(&stage.transport, &address(), invitation, password, true, &limits).await.unwrap();
    let lock = home.lock().unwrap();
    let pending = nightdrop_client::PendingRegistration {
        code: prepared.code.clone(),
        request: prepared.request.clone(),
    };
    home.keep_registration(&pending, &lock).unwrap();
    assert_eq!(canaries.found_below(&path), Vec::<String>::new(), "while the registration is pending");
    account::commit(&stage.transport, &address(), &prepared.request, &limits).await.unwrap();
    home.keep_account(&prepared.code, &lock).unwrap();
    home.keep_memory(&prepared.memory, &lock).unwrap();
    let password = Password::new(PASSWORD);
    let session = account::log_in(&stage.transport, &prepared.code, &password, &limits).await.unwrap();
    assert!(session.open_memory(home.memory().unwrap().as_deref()).is_ok());
    assert_eq!(canaries.found_below(&path), Vec::<String>::new(), "after the login");

    let mut code = Canaries::default();
    code.add_text("account code", &prepared.code.secret_text());
    assert_eq!(code.found_below(&path).len(), 1, "the search finds the one secret that is kept in clear");
    for (name, form) in canaries.forms() {
        fs::write(path.join("planted"), [b"xx", form].concat()).unwrap();
        assert!(canaries.found_below(&path).iter().any(|found| found == name), "{name}");
    }
}

/// Same messages, same lengths, same heads, same refusals; and what repeats for the one repeats for the other.
#[tokio::test]
async fn an_unknown_account_cannot_be_told_from_a_known_one_with_a_wrong_password() {
    let stage = Stage::set().await;
    let person = stage.person().await;
    person.log_in().await.unwrap();
    let unknown = person.code.clone().of_account(AccountId::from_bytes([0x5a; 10]));
    let mut seen = Vec::new();
    for code in [&person.code, &unknown] {
        let (before, _) = (stage.liar.heard().len(), stage.liar.take_asked());
        let refused =
            account::log_in(&person.transport, code, &Password::new(WRONG), &patient()).await.unwrap_err();
        assert!(matches!(refused, ClientError::WrongPassword), "{refused:?}");
        let sent: Vec<usize> = stage.liar.heard()[before..].iter().map(|heard| heard.bytes().len()).collect();
        let asked: Vec<Endpoint> = stage.liar.take_asked().iter().map(|asked| asked.endpoint).collect();
        assert_eq!(asked, [Endpoint::LoginStart]);
        seen.push((sent, asked, refused.to_string()));
    }
    assert_eq!(seen[0], seen[1], "what the user sees, and what is sent");

    // One first message, sent twice for each: which parts of the answer change does not depend on the account.
    let (_, request) =
        ClientLogin::start(&Password::new(WRONG), &account_key(&person.code), &mut OsRng).unwrap();
    let mut shapes = Vec::new();
    for account in [person.code.account(), unknown.account()] {
        let start = LoginStart { account, request };
        let one = post(&stage, Endpoint::LoginStart, &start).await;
        let two = post(&stage, Endpoint::LoginStart, &start).await;
        let [first, second]: [LoginStarted; 2] =
            [&one, &two].map(|answer| codec::decode(&answer.body).unwrap());
        let same = |range: std::ops::Range<usize>| first.response[range.clone()] == second.response[range];
        // Evaluated element, masking nonce, masked response, nonce, key share, MAC.
        let parts = [0..32, 32..64, 64..192, 192..224, 224..256, 256..320].map(same);
        assert_eq!(parts, [true, false, false, false, false, false]);
        let finish = LoginFinish { login: first.login, finalization: [3; 64] };
        let refused = post(&stage, Endpoint::LoginFinish, &finish).await;
        assert_ne!(refused.status, 200);
        shapes.push((
            (one.status, one.headers, one.body.len()),
            (two.status, two.headers, two.body.len()),
            (refused.status, refused.headers, refused.body),
        ));
    }
    assert_eq!(shapes[0], shapes[1]);
}

/// Who has the record, and even the OPRF seed and the relay's keys, and guesses the right password at once, still cannot tell
/// that it is right: the account key is mixed in, and is nowhere at the relay.
#[tokio::test]
async fn the_right_password_alone_does_not_verify_with_the_relays_secrets() {
    let stage = Stage::set().await;
    let person = stage.person().await;
    person.log_in().await.unwrap();
    let account = person.code.account();
    let (setup, record) = stage.honest.stolen(account);
    let verifies = |password: &str, key: AccountKey| {
        let context = LoginContext::new(&address());
        let (client, request) = ClientLogin::start(&Password::new(password), &key, &mut OsRng).unwrap();
        let (relay, response) =
            PendingLogin::start(&setup, &record, account, &context, &request, &mut OsRng).unwrap();
        let finished = client.finish(&response, &account, &context, &mut OsRng);
        finished.is_ok_and(|(finalization, _)| relay.finish(&finalization).is_ok())
    };
    assert!(verifies(PASSWORD, account_key(&person.code)), "password and account key together do");
    assert!(!verifies(WRONG, account_key(&person.code)));
    let mut guesses = vec![[0; 16], [0xff; 16]];
    guesses.push(std::array::from_fn(|n| record.as_bytes()[n]));
    guesses.push(std::array::from_fn(|n| setup.to_bytes()[n]));
    let mut nearly = *person.code.secret_account_key();
    nearly[15] ^= 1;
    guesses.push(nearly);
    for key in guesses {
        assert!(!verifies(PASSWORD, AccountKey::from_bytes(key)));
    }
    let mut key = Canaries::default();
    key.add_bytes("account key", person.code.secret_account_key());
    assert_eq!(key.found_below(stage.honest.directory()), Vec::<String>::new());
    fs::write(stage.honest.directory().join("planted"), person.code.secret_account_key()).unwrap();
    assert_eq!(key.found_below(stage.honest.directory()).len(), 1, "the search finds it where it is");
}

/// What a thief of the disk has is replayed: the record, the decoy, the hash of a session, a session that ended.
#[tokio::test]
async fn a_stolen_data_directory_does_not_log_in() {
    let stage = Stage::set().await;
    let person = stage.person().await;
    let kept: Arc<Mutex<Option<Token>>> = Arc::default();
    let copy = Arc::clone(&kept);
    let note = move |_: &Asked, logged_in: &mut LoggedIn| {
        *copy.lock().unwrap() = Some(logged_in.session.clone());
    };
    let handover = |endpoint: &Endpoint| matches!(endpoint, Endpoint::LoginFinish);
    stage.liar.tell(on(handover, Alter::<LoggedIn, _>::by(note)));
    let session = person.log_in().await.unwrap();
    stage.liar.tell(Honest);
    let token = kept.lock().unwrap().take().unwrap();
    let today = Day::of(SystemTime::now()).0;
    let let_in = async |token: &Token| {
        let asked = Asked {
            endpoint: Endpoint::FetchCredits,
            authorization: Some(Authorization::Bearer(token.clone()).to_header().to_string()),
            body: codec::encode(Order::new(ONE, good_until(today), &mut OsRng).unwrap().request()).unwrap(),
        };
        speak(stage.transport.stream(&address()).unwrap(), &asked).await.status == 200
    };
    assert!(let_in(&token).await, "the owner is let in");
    let mut canaries = Canaries::default();
    canaries.add_bytes("session", token.secret_bytes());
    assert_eq!(canaries.found_below(stage.honest.directory()), Vec::<String>::new(), "it is not on the disk");
    assert!(
        !let_in(&Token::from_bytes(*hash_token(&token).as_bytes())).await,
        "its hash, which is, is no token"
    );
    session.end().await.unwrap();
    assert!(!let_in(&token).await, "an old session is over");

    let honest = begin(&stage, &person.code, PASSWORD).await.finish(&person.code);
    assert_eq!(post(&stage, Endpoint::LoginFinish, &honest).await.status, 200, "the owner gets in by hand");
    let (_, record) = stage.honest.stolen(person.code.account());
    let (_, decoy) = stage.honest.stolen(AccountId::from_bytes([0x5a; 10]));
    assert_ne!(record.as_bytes(), decoy.as_bytes());
    for stolen in [&record, &decoy] {
        for window in stolen.as_bytes().windows(64) {
            let login = begin(&stage, &person.code, WRONG).await.started.login;
            let finish = LoginFinish { login, finalization: window.try_into().unwrap() };
            assert_ne!(post(&stage, Endpoint::LoginFinish, &finish).await.status, 200);
        }
        impostor_is_refused(&stage, &person, stolen).await;
    }
    person.log_in().await.unwrap();
}

/// A thief runs a relay of their own from the stolen record to learn a third message, and shows that one to the real relay.
async fn impostor_is_refused(stage: &Stage, person: &Person, stolen: &Record) {
    let context = LoginContext::new(&address());
    let account = person.code.account();
    let (setup, _) = stage.honest.stolen(account);
    let ByHand { started, .. } = begin(stage, &person.code, WRONG).await;
    let (client, request) =
        ClientLogin::start(&Password::new(PASSWORD), &AccountKey::from_bytes([0; 16]), &mut OsRng).unwrap();
    let (_, response) = PendingLogin::start(&setup, stolen, account, &context, &request, &mut OsRng).unwrap();
    assert!(client.finish(&response, &account, &context, &mut OsRng).is_err(), "it opens for nobody");
    // A record of the thief's own making, under the stolen seed, logs in where it is kept and nowhere else.
    let (own, key) = (Password::new(NEW), AccountKey::from_bytes([9; 16]));
    let (client, request) = ClientRegistration::start(&own, &key, &mut OsRng).unwrap();
    let response = setup.start_registration(account, &request).unwrap();
    let (upload, _) = client.finish(&response, &account, &context, &mut OsRng).unwrap();
    let own_record = Record::from_upload(&upload).unwrap();
    let (client, request) = ClientLogin::start(&own, &key, &mut OsRng).unwrap();
    let (relay, response) =
        PendingLogin::start(&setup, &own_record, account, &context, &request, &mut OsRng).unwrap();
    let (finalization, _) = client.finish(&response, &account, &context, &mut OsRng).unwrap();
    relay.finish(&finalization).unwrap();
    let finish = LoginFinish { login: started.login, finalization };
    assert_ne!(post(stage, Endpoint::LoginFinish, &finish).await.status, 200);
}

/// R02: the first step answers alike for a free and a taken id, with or without an invitation; the second makes no second
/// account, and who tries spends the invitation.
#[tokio::test]
async fn r02_registration_says_nothing_about_other_accounts() {
    let stage = Stage::set().await;
    let person = stage.person().await;
    let (taken, free) = (person.code.account(), AccountId::from_bytes([0x5a; 10]));
    let (_, request) =
        ClientRegistration::start(&Password::new(NEW), &AccountKey::from_bytes([9; 16]), &mut OsRng).unwrap();
    let (good, bad) = (stage.honest.invitation().await, Token::from_bytes([7; 32]));
    for (invitation, status) in [(&good, 200), (&bad, 404)] {
        let start = |account| RegisterStart { invitation: invitation.clone(), account, request };
        let mut answers = Vec::new();
        for account in [taken, free] {
            let answer = post(&stage, Endpoint::RegisterStart, &start(account)).await;
            let again = post(&stage, Endpoint::RegisterStart, &start(account)).await;
            assert_eq!(answer.body, again.body, "stateless for both");
            answers.push((answer.status, answer.headers, answer.body.len()));
        }
        assert_eq!(answers[0], answers[1]);
        assert_eq!(answers[0].0, status);
    }

    // The only answer that differs costs an invitation for each id, of 80 random bits.
    let password = Password::new(NEW);
    let prepared =
        account::prepare(&stage.transport, &address(), good.clone(), password, false, &patient()).await;
    let request: RegisterFinish = codec::decode(&prepared.unwrap().request).unwrap();
    let onto = |account| RegisterFinish { account, ..request.clone() };
    let answer_to_taken = post(&stage, Endpoint::RegisterFinish, &onto(taken)).await;
    let answer_to_free = post(&stage, Endpoint::RegisterFinish, &onto(free)).await;
    assert_eq!(answer_to_taken.status, 404);
    assert_eq!(
        (answer_to_taken.status, answer_to_taken.headers, answer_to_taken.body),
        (answer_to_free.status, answer_to_free.headers, answer_to_free.body),
        "the invitation is spent"
    );
    person.log_in().await.unwrap();
}

/// R04: malformed, replayed and cross-session messages of a login.
#[tokio::test]
async fn r04_malformed_replayed_and_cross_session_messages_do_not_log_in() {
    let stage = Stage::set().await;
    let (anna, ben) = (stage.person().await, stage.person().await);
    let refused = async |finish: &LoginFinish| {
        let status = post(&stage, Endpoint::LoginFinish, finish).await.status;
        assert_eq!(status, 404);
    };

    let finish = begin(&stage, &anna.code, PASSWORD).await.finish(&anna.code);
    assert_eq!(post(&stage, Endpoint::LoginFinish, &finish).await.status, 200, "the honest case");
    refused(&finish).await;
    // The third message of an earlier login, in a later one.
    let later = begin(&stage, &anna.code, PASSWORD).await.started.login;
    refused(&LoginFinish { login: later, ..finish.clone() }).await;
    // Two logins at once, with their third messages exchanged: of one account, and of two.
    for other in [&anna.code, &ben.code] {
        let one = begin(&stage, &anna.code, PASSWORD).await.finish(&anna.code);
        let two = begin(&stage, other, PASSWORD).await.finish(other);
        refused(&LoginFinish { login: one.login, ..two.clone() }).await;
        refused(&LoginFinish { login: two.login, ..one.clone() }).await;
        refused(&one).await;
    }
    refused(&LoginFinish { login: LoginId::from_bytes([7; 16]), ..finish.clone() }).await;

    let (_, request) =
        ClientLogin::start(&Password::new(PASSWORD), &account_key(&anna.code), &mut OsRng).unwrap();
    let start = codec::encode(&LoginStart { account: anna.code.account(), request }).unwrap();
    assert_eq!(ask(&stage, Endpoint::LoginStart, start.clone()).await.status, 200);
    let mut malformed = vec![Vec::new(), start[..start.len() - 1].to_vec(), [&start[..], &[0]].concat()];
    for (position, byte) in [(0, 0), (0, 0xff), (64, 0), (64, 0xff)] {
        let mut elements = request;
        elements[position..position + 32].fill(byte);
        let start = LoginStart { account: anna.code.account(), request: elements };
        malformed.push(codec::encode(&start).unwrap());
    }
    for body in malformed {
        let answer = ask(&stage, Endpoint::LoginStart, body).await;
        assert!(matches!(answer.status, 400..500) && answer.body.is_empty(), "{answer:?}");
    }
    let finish = begin(&stage, &anna.code, PASSWORD).await.finish(&anna.code);
    let whole = codec::encode(&finish).unwrap();
    for body in [Vec::new(), whole[..whole.len() - 1].to_vec(), [&whole[..], &[0]].concat()] {
        assert_ne!(ask(&stage, Endpoint::LoginFinish, body).await.status, 200);
    }
    assert_eq!(post(&stage, Endpoint::LoginFinish, &finish).await.status, 200, "they spent nothing");
}
