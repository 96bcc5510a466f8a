//! The test vectors of RFC 9807, and that what clients and relays send is what the vectors vouch for.
//!
//! The vectors stretch no key (`KSF: Identity`), the product's suite always runs Argon2id. So the suite here is the product's
//! with a key stretching that is chosen at run time, and the two tests together close the circle:
//! - with `Identity` it gives every byte of the vectors: OPRF, key derivation, envelope, masking and 3DH are the RFC's;
//! - with Argon2id it gives every byte that the product sends, keeps and derives from the same random bytes: the product is that
//!   same protocol, with the account key mixed in, its own context and identities, and its own key stretching.
//!
//! Randomness goes in through the public API only, by a generator that replays bytes. What stays unseen are the intermediate
//! values that opaque-ke shows to nobody but its own tests (the vectors' file lists them). No vector of the RFC uses Argon2id
//! with our parameters: that our Argon2id is the right one is for the `argon2` crate's own vectors to show.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

use hmac::{Hmac, Mac};
use nightdrop_login::{
    LoginContext,
    client::{ClientLogin, ClientRegistration},
    password::{AccountKey, Password},
    server::{PendingLogin, Record, ServerSetup},
};
use nightdrop_wire::{PROTOCOL_VERSION, contexts, ids::AccountId, labels, onion::OnionAddress};
use opaque_ke::{
    CipherSuite, ClientLoginFinishParameters, ClientRegistrationFinishParameters, CredentialFinalization,
    CredentialRequest, CredentialResponse, Identifiers, RegistrationRequest, RegistrationResponse,
    RegistrationUpload, Ristretto255, ServerLogin, ServerLoginParameters, ServerRegistration, TripleDh,
    errors::{InternalError, ProtocolError},
    generic_array::{ArrayLength, GenericArray},
    keypair::PrivateKey,
    ksf::Ksf,
    rand::{CryptoRng, RngCore},
};
use sha2::{Sha256, Sha512};
use std::collections::BTreeMap;

const VECTORS: &str = include_str!("vectors/rfc9807.txt");
const ADDRESS: &str = "2gzyxa5ihm7nsggfxnu52rck2vv4rvmdlkiu3zzui5du4xyclen53wid";

/// Bytes by the name that the RFC gives them.
type Values = BTreeMap<&'static str, Vec<u8>>;

struct Suite;

impl CipherSuite for Suite {
    type OprfCs = Ristretto255;
    type KeyExchange = TripleDh<Ristretto255, Sha512>;
    type Ksf = Stretching;
}

#[derive(Default, Clone, Copy)]
enum Stretching {
    #[default]
    Identity,
    Argon2id,
}

impl Ksf for Stretching {
    fn hash<L: ArrayLength<u8>>(
        &self,
        input: GenericArray<u8, L>,
    ) -> Result<GenericArray<u8, L>, InternalError> {
        match self {
            Self::Identity => Ok(input),
            Self::Argon2id => {
                let params = argon2::Params::new(64 * 1024, 3, 4, Some(L::USIZE)).unwrap();
                let argon2 = argon2::Argon2::new(argon2::Algorithm::Argon2id, argon2::Version::V0x13, params);
                let mut output = GenericArray::default();
                argon2.hash_password_into(&input, labels::ARGON2_SALT, &mut output).unwrap();
                Ok(output)
            }
        }
    }
}

/// A generator that gives these bytes, in this order, and no others.
struct Replay(Vec<u8>);

impl Replay {
    fn of(parts: &[&[u8]]) -> Self {
        Self(parts.concat())
    }

    fn expect_spent(self) {
        assert_eq!(self.0, [], "fewer random bytes were asked for than the protocol needs");
    }
}

impl RngCore for Replay {
    fn next_u32(&mut self) -> u32 {
        let mut bytes = [0; 4];
        self.fill_bytes(&mut bytes);
        u32::from_le_bytes(bytes)
    }

    fn next_u64(&mut self) -> u64 {
        let mut bytes = [0; 8];
        self.fill_bytes(&mut bytes);
        u64::from_le_bytes(bytes)
    }

    fn fill_bytes(&mut self, bytes: &mut [u8]) {
        bytes.copy_from_slice(&self.0.drain(..bytes.len()).collect::<Vec<u8>>());
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), opaque_ke::rand::Error> {
        self.fill_bytes(bytes);
        Ok(())
    }
}

impl CryptoRng for Replay {}

/// The sections of the file, by their heading.
fn vectors() -> BTreeMap<&'static str, Values> {
    let mut vectors = BTreeMap::<_, Values>::new();
    let (mut section, mut name) = ("", "");
    let mut hex = BTreeMap::<_, String>::new();
    for line in VECTORS.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let Some(line) = line.strip_prefix("   ") else {
            section = line.split_once(".  ").unwrap().0;
            continue;
        };
        let digits = match line.split_once(": ") {
            Some((named, digits)) => {
                name = named;
                digits
            }
            None => line,
        };
        hex.entry((section, name)).or_default().push_str(digits);
    }
    for ((section, name), hex) in hex {
        let bytes = hex.as_bytes().chunks(2);
        let bytes =
            bytes.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect();
        vectors.entry(section).or_default().insert(name, bytes);
    }
    vectors
}

/// What gives the blind of these 32 bytes: the suite draws 64 and reduces them.
fn wide(blind: &[u8]) -> Vec<u8> {
    [blind, &[0; 32]].concat()
}

fn identifiers(values: &Values) -> Identifiers<'_> {
    let identity = |name| values.get(name).map(Vec::as_slice);
    Identifiers { client: identity("client_identity"), server: identity("server_identity") }
}

fn server_parameters(values: &Values) -> ServerLoginParameters<'_, '_> {
    ServerLoginParameters { context: Some(&values["Context"]), identifiers: identifiers(values) }
}

/// What a relay's setup is kept as. Its last part, the public key of made-up records, is used by nobody here.
fn setup_bytes(values: &Values) -> Vec<u8> {
    [&values["oprf_seed"], &values["server_private_key"], &values["server_public_key"]]
        .map(Vec::as_slice)
        .concat()
}

/// The relay's random bytes for KE2. The first 64 would mask a made-up record, which is made in any case.
fn relay_randomness(values: &Values) -> Replay {
    let of = |name| values[name].as_slice();
    Replay::of(&[&[0; 64], of("masking_nonce"), of("server_keyshare_seed"), of("server_nonce")])
}

/// Registers and logs in with the given inputs, as the RFC's section 3.1 has it; gives every other value.
fn real(values: &Values, stretching: Stretching) -> Result<Values, ProtocolError> {
    let of = |name: &str| values[name].as_slice();
    let (password, account, ksf) = (of("password"), of("credential_identifier"), Some(&stretching));
    let setup = opaque_ke::ServerSetup::<Suite>::deserialize(&setup_bytes(values))?;

    let mut rng = Replay(wide(of("blind_registration")));
    let client = opaque_ke::ClientRegistration::<Suite>::start(&mut rng, password)?;
    rng.expect_spent();
    let request = client.message.serialize().to_vec();
    let relay = ServerRegistration::start(&setup, RegistrationRequest::deserialize(&request)?, account)?;
    let response = relay.message.serialize().to_vec();
    let mut rng = Replay::of(&[of("envelope_nonce")]);
    let parameters = ClientRegistrationFinishParameters::new(identifiers(values), ksf);
    let message = RegistrationResponse::deserialize(&response)?;
    let registered = client.state.finish(&mut rng, password, message, parameters)?;
    rng.expect_spent();
    let upload = registered.message.serialize().to_vec();
    let record = ServerRegistration::finish(RegistrationUpload::<Suite>::deserialize(&upload)?);

    let mut rng = Replay::of(&[&wide(of("blind_login")), of("client_keyshare_seed"), of("client_nonce")]);
    let client = opaque_ke::ClientLogin::<Suite>::start(&mut rng, password)?;
    rng.expect_spent();
    let ke1 = client.message.serialize().to_vec();
    let mut rng = relay_randomness(values);
    let message = CredentialRequest::deserialize(&ke1)?;
    let relay =
        ServerLogin::start(&mut rng, &setup, Some(record), message, account, server_parameters(values))?;
    rng.expect_spent();
    let ke2 = relay.message.serialize().to_vec();
    let parameters = ClientLoginFinishParameters::new(Some(of("Context")), identifiers(values), ksf);
    let message = CredentialResponse::deserialize(&ke2)?;
    let client = client.state.finish(&mut Replay(Vec::new()), password, message, parameters)?;
    let ke3 = client.message.serialize().to_vec();
    let relay = relay.state.finish(CredentialFinalization::deserialize(&ke3)?, server_parameters(values))?;
    assert_eq!(client.session_key, relay.session_key);
    assert_eq!(client.export_key, registered.export_key);
    Ok(Values::from([
        ("server_public_key", setup.keypair().public().serialize().to_vec()),
        ("client_public_key", upload[..32].to_vec()),
        ("envelope", upload[96..].to_vec()),
        ("registration_request", request),
        ("registration_response", response),
        ("registration_upload", upload),
        ("KE1", ke1),
        ("KE2", ke2),
        ("KE3", ke3),
        ("export_key", client.export_key.to_vec()),
        ("session_key", client.session_key.to_vec()),
    ]))
}

/// Answers KE1 from a record that nobody registered, as the RFC's section 10.9 has it; gives every value that follows.
fn fake(values: &Values) -> Result<Values, ProtocolError> {
    let of = |name: &str| values[name].as_slice();
    let setup = opaque_ke::ServerSetup::<Suite>::deserialize(&setup_bytes(values))?;
    let private = PrivateKey::<Ristretto255>::deserialize(of("client_private_key"))?;
    let record = [of("client_public_key"), of("masking_key"), &[0; 96]].concat();
    let record = ServerRegistration::<Suite>::deserialize(&record)?;
    let mut rng = relay_randomness(values);
    let message = CredentialRequest::deserialize(of("KE1"))?;
    let account = of("credential_identifier");
    let relay =
        ServerLogin::start(&mut rng, &setup, Some(record), message, account, server_parameters(values))?;
    rng.expect_spent();
    // The vector says neither password nor blind. What follows the blinded element depends on neither.
    let (element, rest) = of("KE1").split_at(32);
    let mut rng = Replay::of(&[&[1; 64], of("client_keyshare_seed"), &rest[..32]]);
    let ke1 = opaque_ke::ClientLogin::<Suite>::start(&mut rng, b"any")?.message.serialize();
    rng.expect_spent();
    Ok(Values::from([
        ("server_public_key", setup.keypair().public().serialize().to_vec()),
        ("client_public_key", private.public_key().serialize().to_vec()),
        ("KE1", [element, &ke1[32..]].concat()),
        ("KE2", relay.message.serialize().to_vec()),
    ]))
}

/// Computes what a section says.
fn compute(section: &str, values: &Values) -> Result<Values, ProtocolError> {
    if section.starts_with("C.1.") { real(values, Stretching::Identity) } else { fake(values) }
}

/// Whether all that was computed is what stands in the vector.
fn agree(vector: &Values, computed: &Values) -> bool {
    computed.iter().all(|(name, value)| vector[name] == *value)
}

#[test]
fn every_vector_of_the_suite_is_met() {
    let vectors = vectors();
    assert_eq!(vectors.keys().copied().collect::<Vec<_>>(), ["C.1.1", "C.1.2", "C.2.1"]);
    for (section, vector) in &vectors {
        for (name, computed) in compute(section, vector).unwrap() {
            assert_eq!(computed, vector[name], "{section}: {name}");
        }
    }
}

/// The test of the test: with any one byte of the file changed, it would fail.
#[test]
fn a_changed_byte_anywhere_in_the_vectors_is_found() {
    for (section, vector) in &vectors() {
        let computed = compute(section, vector).unwrap();
        assert!(agree(vector, &computed), "{section} as it is");
        for (name, value) in vector {
            for position in 0..value.len() {
                let mut changed = vector.clone();
                changed.get_mut(name).unwrap()[position] ^= 1;
                // An output need not be computed again: the change is in what it is compared with.
                let is_found = (computed.contains_key(name) && !agree(&changed, &computed))
                    || compute(section, &changed).map_or(true, |computed| !agree(&changed, &computed));
                assert!(is_found, "{section}: byte {position} of {name}");
            }
        }
    }
}

/// The product's client and relay, with the random bytes of the first vector.
#[test]
fn the_product_sends_the_same_bytes_as_the_suite_of_the_vectors_with_argon2id() {
    let vector = vectors().remove("C.1.1").unwrap();
    let (address, account): (OnionAddress, _) = (ADDRESS.parse().unwrap(), AccountId::from_bytes([3; 10]));
    let (text, account_key) = ("correct horse", [4; 16]);

    let mut mixed = Hmac::<Sha256>::new_from_slice(&account_key).unwrap();
    mixed.update(labels::OPAQUE_PASSWORD);
    mixed.update(text.as_bytes());
    let mut values = vector;
    let context = [contexts::LOGIN, &PROTOCOL_VERSION.to_be_bytes(), address.as_str().as_bytes()].concat();
    values.insert("Context", context);
    values.insert("password", mixed.finalize().into_bytes().to_vec());
    values.insert("credential_identifier", account.as_bytes().to_vec());
    values.insert("client_identity", account.as_bytes().to_vec());
    values.insert("server_identity", address.as_str().as_bytes().to_vec());
    let expected = real(&values, Stretching::Argon2id).unwrap();
    let unstretched = real(&values, Stretching::Identity).unwrap();
    assert_ne!(expected["export_key"], unstretched["export_key"], "the stretching makes a difference");

    let of = |name: &str| values[name].as_slice();
    let context = LoginContext::new(&address);
    let (password, account_key) = (Password::new(text), AccountKey::from_bytes(account_key));
    let setup = ServerSetup::from_bytes(&setup_bytes(&values)).unwrap();
    let mut rng = Replay(wide(of("blind_registration")));
    let (client, request) = ClientRegistration::start(&password, &account_key, &mut rng).unwrap();
    let response = setup.start_registration(account, &request).unwrap();
    let mut rng = Replay::of(&[of("envelope_nonce")]);
    let (upload, registered) = client.finish(&response, &account, &context, &mut rng).unwrap();
    let record = Record::from_upload(&upload).unwrap();
    let mut rng = Replay::of(&[&wide(of("blind_login")), of("client_keyshare_seed"), of("client_nonce")]);
    let (client, ke1) = ClientLogin::start(&password, &account_key, &mut rng).unwrap();
    let mut rng = relay_randomness(&values);
    let (relay, ke2) = PendingLogin::start(&setup, &record, account, &context, &ke1, &mut rng).unwrap();
    let (ke3, export) = client.finish(&ke2, &account, &context, &mut Replay(Vec::new())).unwrap();
    relay.finish(&ke3).unwrap();

    assert_eq!(request, *expected["registration_request"]);
    assert_eq!(response, *expected["registration_response"]);
    assert_eq!(upload, *expected["registration_upload"]);
    assert_eq!(record.as_bytes(), &*expected["registration_upload"], "what the relay keeps");
    assert_eq!(ke1, *expected["KE1"]);
    assert_eq!(ke2, *expected["KE2"]);
    assert_eq!(ke3, *expected["KE3"]);
    assert_eq!(export.secret_bytes(), &*expected["export_key"]);
    assert_eq!(registered.secret_bytes(), &*expected["export_key"]);
}
