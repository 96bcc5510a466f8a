//! A relay that took an account's record, or made one up, and answers logins itself.

use crate::lying::{Answer, Asked, Lie};
use nightdrop_login::{
    LoginContext,
    server::{PendingLogin, Record, ServerSetup},
};
use nightdrop_wire::{
    codec,
    endpoint::Endpoint,
    ids::LoginId,
    messages::account::{LoginStart, LoginStarted},
    onion::OnionAddress,
};
use rand08::rngs::OsRng;

/// Answers the first message of each login with keys and a record of its own choice.
#[derive(Debug)]
pub struct Impostor {
    /// Its login secrets.
    pub setup: ServerSetup,
    /// What it holds of the account.
    pub record: Record,
    /// Which relay it believes, or says, to be.
    pub address: OnionAddress,
}

impl Lie for Impostor {
    fn answer(&self, asked: &Asked, honest: Answer) -> Answer {
        if asked.endpoint != Endpoint::LoginStart {
            return honest;
        }
        let LoginStart { account, request } = codec::decode(&asked.body).unwrap();
        let context = LoginContext::new(&self.address);
        let (_, response) =
            PendingLogin::start(&self.setup, &self.record, account, &context, &request, &mut OsRng).unwrap();
        let started = LoginStarted { login: LoginId::from_bytes([7; 16]), response };
        Answer::new(200, codec::encode(&started).unwrap())
    }
}
