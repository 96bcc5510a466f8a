//! Credits, drawn with a session.

use super::{
    refusals::refusal_of,
    service::{Inner, Service, decode, encode},
};
use bytes::Bytes;
use nightdrop_store::token_hash;
use nightdrop_wire::{
    limits::MAX_CREDITS_PER_REQUEST,
    messages::credit::{Credits, FetchCredits},
    refusal::Refusal,
    token::TokenHash,
};

impl Service {
    /// `POST /v1/credits`.
    pub(super) async fn fetch_credits(&self, session: TokenHash, body: &[u8]) -> Result<Bytes, Refusal> {
        let FetchCredits { count } = decode(body)?;
        if count == 0 || count > MAX_CREDITS_PER_REQUEST {
            return Err(Refusal::Refused);
        }
        let Inner { store, environment, limits, .. } = &*self.inner;
        let tokens: Vec<_> = (0..count).map(|_| environment.token()).collect();
        let hashes = tokens.iter().map(token_hash).collect();
        let today = environment.today();
        let issued = store.issue_credits(session, hashes, today, today.plus(limits.credit_days));
        issued.await.map_err(|error| refusal_of(&error))?;
        encode(&Credits { tokens })
    }
}
