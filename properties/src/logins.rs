//! The relay's side of a login, told anything: it refuses, and nobody is let in.
//!
//! The client's side computes Argon2id for whatever looks like an answer, 64 MiB each time: too slow here. Tests of `login` alter its
//! answers one field at a time.

use crate::{Fixed, texts::relay_address};
use nightdrop_login::{
    LoginContext,
    server::{PendingLogin, Record, ServerSetup},
};
use nightdrop_wire::{
    ids::AccountId,
    messages::account::{
        CREDENTIAL_FINALIZATION, CREDENTIAL_REQUEST, REGISTRATION_REQUEST, REGISTRATION_UPLOAD,
    },
};
use std::sync::LazyLock;

const ACCOUNT: AccountId = AccountId::from_bytes([0x77; 10]);

struct Relay {
    setup: ServerSetup,
    record: Record,
    context: LoginContext,
}

static RELAY: LazyLock<Relay> = LazyLock::new(|| Relay {
    setup: ServerSetup::generate(&mut Fixed::new(0)),
    record: Record::decoy(&mut Fixed::new(1)).unwrap(),
    context: LoginContext::new(&relay_address()),
});

/// The first byte chooses what the rest is: a first message of a registration, its upload, a login's first and third message, or
/// kept secrets.
pub(crate) fn login(input: &[u8]) -> bool {
    let Some((which, rest)) = input.split_first() else { return false };
    match which % 4 {
        0 => rest
            .first_chunk::<REGISTRATION_REQUEST>()
            .is_some_and(|request| RELAY.setup.start_registration(ACCOUNT, request).is_ok()),
        1 => rest.first_chunk::<REGISTRATION_UPLOAD>().is_some_and(upload),
        2 => kept(rest),
        _ => both_messages(rest),
    }
}

fn upload(upload: &[u8; REGISTRATION_UPLOAD]) -> bool {
    let Ok(record) = Record::from_upload(upload) else {
        assert!(Record::from_bytes(upload).is_err());
        return false;
    };
    assert_eq!(record.as_bytes(), upload, "two forms of one record");
    assert!(Record::from_bytes(record.as_bytes()).is_ok());
    // A record that somebody chose answers a login like any other.
    let (_, request) = honest_request();
    assert!(
        PendingLogin::start(&RELAY.setup, &record, ACCOUNT, &RELAY.context, &request, &mut Fixed::new(2))
            .is_ok()
    );
    true
}

fn kept(bytes: &[u8]) -> bool {
    let Ok(setup) = ServerSetup::from_bytes(bytes) else { return false };
    assert_eq!(setup.to_bytes().as_slice(), bytes, "two forms of one set-up");
    true
}

fn both_messages(input: &[u8]) -> bool {
    let (Some(request), Some(finalization)) =
        (input.first_chunk::<CREDENTIAL_REQUEST>(), input.last_chunk::<CREDENTIAL_FINALIZATION>())
    else {
        return false;
    };
    let started = PendingLogin::start(
        &RELAY.setup,
        &RELAY.record,
        ACCOUNT,
        &RELAY.context,
        request,
        &mut Fixed::new(3),
    );
    let Ok((pending, _)) = started else { return false };
    assert!(pending.finish(finalization).is_err(), "somebody was let in");
    true
}

/// A first message as a client with some password sends it.
fn honest_request() -> (nightdrop_login::client::ClientLogin, [u8; CREDENTIAL_REQUEST]) {
    use nightdrop_login::{
        client::ClientLogin,
        password::{AccountKey, Password},
    };
    let (password, key) = (Password::new("any"), AccountKey::from_bytes([1; 16]));
    ClientLogin::start(&password, &key, &mut Fixed::new(4)).unwrap()
}
