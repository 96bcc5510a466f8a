//! Logging in under a lie: what the lies change, and what must follow.

use nightdrop_client::{ClientError, ExitCode};
use nightdrop_envelope::OpenError;
use nightdrop_tests::{
    lying::{
        Asked, Honest, Lie, Stage,
        lies::{Alter, on},
    },
    memory::Person,
};
use nightdrop_wire::{
    codec,
    endpoint::Endpoint,
    messages::account::{LoggedIn, LoginStart, LoginStarted},
};

pub(crate) fn first_answer(endpoint: &Endpoint) -> bool {
    matches!(endpoint, Endpoint::LoginStart)
}

pub(crate) fn handover(endpoint: &Endpoint) -> bool {
    matches!(endpoint, Endpoint::LoginFinish)
}

/// Changes what the relay hands over after a login.
pub(crate) fn handing_over(change: impl Fn(&mut LoggedIn) + Send + Sync + 'static) -> impl Lie {
    on(handover, Alter::<LoggedIn, _>::by(move |_asked: &Asked, logged_in| change(logged_in)))
}

/// Changes the second message of a login.
pub(crate) fn answering(change: impl Fn(&LoginStart, &mut LoginStarted) + Send + Sync + 'static) -> impl Lie {
    let change = move |asked: &Asked, started: &mut LoginStarted| {
        change(&codec::decode(&asked.body).unwrap(), started);
    };
    on(first_answer, Alter::<LoginStarted, _>::by(change))
}

/// Logs in under a lie; gives the error and what was asked.
pub(crate) async fn failed_login(
    stage: &Stage,
    person: &Person,
    lie: impl Lie,
) -> (ClientError, Vec<Endpoint>) {
    stage.liar.tell(lie);
    let _earlier = stage.liar.take_asked();
    let error = person.log_in().await.expect_err("the lie is caught");
    let asked = stage.liar.take_asked();
    stage.liar.tell(Honest);
    (error, asked.into_iter().map(|asked| asked.endpoint).collect())
}

/// The login fails with this check, and nothing is made in the place of what did not open.
pub(crate) async fn expect_tampered(stage: &Stage, person: &Person, lie: impl Lie, with: &[OpenError]) {
    let (error, asked) = failed_login(stage, person, lie).await;
    assert!(matches!(&error, ClientError::Tampered(found) if with.contains(found)), "{error:?}");
    assert_eq!(error.explanation().exit, ExitCode::Tampered);
    assert_eq!(asked, [Endpoint::LoginStart, Endpoint::LoginFinish], "nothing is sent after it");
}

/// The login fails before its third message, which would be what a password can be tried against.
pub(crate) async fn expect_no_third_message(
    stage: &Stage,
    person: &Person,
    lie: impl Lie,
    expected: impl Fn(&ClientError) -> bool,
) {
    let (error, asked) = failed_login(stage, person, lie).await;
    assert!(expected(&error), "{error:?}");
    assert_eq!(asked, [Endpoint::LoginStart], "no third message");
}

pub(crate) fn wrong_password(error: &ClientError) -> bool {
    matches!(error, ClientError::WrongPassword)
}

pub(crate) fn not_a_relay(error: &ClientError) -> bool {
    matches!(error, ClientError::NotARelay)
}
