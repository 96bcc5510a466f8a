//! Registration and login between an honest client and an honest relay, and with one of them lying.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

use nightdrop_login::{
    LoginContext, LoginError,
    client::{ClientLogin, ClientRegistration, ExportKey},
    password::{AccountKey, Password},
    server::{PendingLogin, Record, ServerSetup},
};
use nightdrop_wire::{ids::AccountId, onion::OnionAddress};
use rand08::rngs::OsRng;

const HERE: &str = "2gzyxa5ihm7nsggfxnu52rck2vv4rvmdlkiu3zzui5du4xyclen53wid";
const ELSEWHERE: &str = "duckduckgogg42xjoc72x3sjasowoarfbgcmvfimaftt6twagswzczad";
const ACCOUNT: AccountId = AccountId::from_bytes([3; 10]);
const KEY: AccountKey = AccountKey::from_bytes([4; 16]);

struct Relay {
    setup: ServerSetup,
    record: Record,
    context: LoginContext,
}

fn context(label: &str) -> LoginContext {
    LoginContext::new(&label.parse::<OnionAddress>().unwrap())
}

fn register(password: &str) -> (Relay, ExportKey) {
    let setup = ServerSetup::generate(&mut OsRng);
    let (state, request) = ClientRegistration::start(&Password::new(password), &KEY, &mut OsRng).unwrap();
    let response = setup.start_registration(ACCOUNT, &request).unwrap();
    let (upload, export) = state.finish(&response, &ACCOUNT, &context(HERE), &mut OsRng).unwrap();
    (Relay { setup, record: Record::from_upload(&upload).unwrap(), context: context(HERE) }, export)
}

impl Relay {
    fn answer(&self, request: &[u8; 96]) -> (PendingLogin, [u8; 320]) {
        PendingLogin::start(&self.setup, &self.record, ACCOUNT, &self.context, request, &mut OsRng).unwrap()
    }
}

fn start(password: &str, key: &AccountKey) -> (ClientLogin, [u8; 96]) {
    ClientLogin::start(&Password::new(password), key, &mut OsRng).unwrap()
}

#[test]
fn the_right_password_logs_in_and_gives_the_export_key_of_the_registration() {
    let (relay, registered) = register("correct horse");
    let (client, request) = start("correct horse", &KEY);
    let (pending, response) = relay.answer(&request);
    let (finalization, export) = client.finish(&response, &ACCOUNT, &relay.context, &mut OsRng).unwrap();
    assert_eq!(export.secret_bytes(), registered.secret_bytes());
    assert_eq!(pending.finish(&finalization).unwrap().account(), ACCOUNT);
}

#[test]
fn a_wrong_password_a_wrong_account_key_or_another_address_sends_no_third_message() {
    let (relay, _) = register("correct horse");
    for (password, key, address) in [
        ("wrong horse", KEY, HERE),
        ("correct horse", AccountKey::from_bytes([5; 16]), HERE),
        ("correct horse", KEY, ELSEWHERE),
    ] {
        let (client, request) = start(password, &key);
        let (_, response) = relay.answer(&request);
        let finished = client.finish(&response, &ACCOUNT, &context(address), &mut OsRng);
        assert_eq!(finished.err(), Some(LoginError::Refused), "{password} {address}");
    }
}

#[test]
fn an_account_of_another_id_does_not_open() {
    let (relay, _) = register("correct horse");
    let other = AccountId::from_bytes([9; 10]);
    let (client, request) = start("correct horse", &KEY);
    let (_, response) =
        PendingLogin::start(&relay.setup, &relay.record, other, &relay.context, &request, &mut OsRng)
            .unwrap();
    assert_eq!(client.finish(&response, &other, &relay.context, &mut OsRng).err(), Some(LoginError::Refused));
}

#[test]
fn the_decoy_answers_like_a_record_and_opens_for_nobody() {
    let (mut relay, _) = register("correct horse");
    relay.record = Record::decoy(&mut OsRng).unwrap();
    let (client, request) = start("correct horse", &KEY);
    let (_, response) = relay.answer(&request);
    assert_eq!(
        client.finish(&response, &ACCOUNT, &relay.context, &mut OsRng).err(),
        Some(LoginError::Refused)
    );
}

#[test]
fn m13_another_relays_keys_are_refused() {
    let (relay, _) = register("correct horse");
    let thief = Relay {
        setup: ServerSetup::generate(&mut OsRng),
        record: relay.record.clone(),
        context: relay.context,
    };
    let (client, request) = start("correct horse", &KEY);
    let (_, response) = thief.answer(&request);
    assert_eq!(
        client.finish(&response, &ACCOUNT, &thief.context, &mut OsRng).err(),
        Some(LoginError::Refused)
    );
}

#[test]
fn m13_a_reflected_message_is_refused() {
    let (relay, _) = register("correct horse");
    let (client, request) = start("correct horse", &KEY);
    let (_, mut response) = relay.answer(&request);
    response[..32].copy_from_slice(&request[..32]);
    assert_eq!(
        client.finish(&response, &ACCOUNT, &relay.context, &mut OsRng).err(),
        Some(LoginError::Reflected)
    );
}

#[test]
fn a_flipped_bit_anywhere_in_the_second_message_is_refused() {
    let (relay, _) = register("correct horse");
    // One position in each field: evaluated element, masking nonce, masked key and envelope, nonce, key, MAC.
    for position in [0, 40, 70, 100, 150, 200, 240, 270, 319] {
        let (client, request) = start("correct horse", &KEY);
        let (_, mut response) = relay.answer(&request);
        response[position] ^= 1;
        assert!(
            client.finish(&response, &ACCOUNT, &relay.context, &mut OsRng).is_err(),
            "position {position}"
        );
    }
}

#[test]
fn a_flipped_bit_anywhere_in_the_third_message_is_refused() {
    let (relay, _) = register("correct horse");
    let (client, request) = start("correct horse", &KEY);
    let (_, response) = relay.answer(&request);
    let (finalization, _) = client.finish(&response, &ACCOUNT, &relay.context, &mut OsRng).unwrap();
    for position in 0..finalization.len() {
        let (pending, _) = relay.answer(&request);
        let mut altered = finalization;
        altered[position] ^= 1;
        assert_eq!(pending.finish(&altered).err(), Some(LoginError::Refused));
    }
}

#[test]
fn a_third_message_of_another_login_is_refused() {
    let (relay, _) = register("correct horse");
    let (client, request) = start("correct horse", &KEY);
    let (_, response) = relay.answer(&request);
    let (finalization, _) = client.finish(&response, &ACCOUNT, &relay.context, &mut OsRng).unwrap();
    let (other, _) = relay.answer(&request);
    assert_eq!(other.finish(&finalization).err(), Some(LoginError::Refused));
}

#[test]
fn m05_identity_and_invalid_group_elements_are_refused() {
    let (relay, _) = register("correct horse");
    for element in [[0; 32], [0xff; 32]] {
        assert_eq!(relay.setup.start_registration(ACCOUNT, &element).err(), Some(LoginError::Malformed));
        let (_, mut request) = start("correct horse", &KEY);
        request[..32].copy_from_slice(&element);
        let pending =
            PendingLogin::start(&relay.setup, &relay.record, ACCOUNT, &relay.context, &request, &mut OsRng);
        assert_eq!(pending.err(), Some(LoginError::Malformed));
        let (client, request) = start("correct horse", &KEY);
        let (_, mut response) = relay.answer(&request);
        response[..32].copy_from_slice(&element);
        let finished = client.finish(&response, &ACCOUNT, &relay.context, &mut OsRng);
        assert_eq!(finished.err(), Some(LoginError::Malformed));
    }
}

#[test]
fn what_the_relay_keeps_survives_a_round_trip() {
    let (relay, _) = register("correct horse");
    let kept = Relay {
        setup: ServerSetup::from_bytes(&relay.setup.to_bytes()).unwrap(),
        record: Record::from_bytes(relay.record.as_bytes()).unwrap(),
        context: relay.context.clone(),
    };
    let (client, request) = start("correct horse", &KEY);
    let (pending, response) = kept.answer(&request);
    let (finalization, _) = client.finish(&response, &ACCOUNT, &kept.context, &mut OsRng).unwrap();
    assert!(pending.finish(&finalization).is_ok());
    assert!(Record::from_bytes(&[0; 191]).is_err());
    assert!(ServerSetup::from_bytes(&[0; 10]).is_err());
    let longer = [relay.setup.to_bytes().as_slice(), &[0]].concat();
    assert_eq!(ServerSetup::from_bytes(&longer).err(), Some(LoginError::Malformed));
}
