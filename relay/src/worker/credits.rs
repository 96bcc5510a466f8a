//! Credits: issued blindly with a session, and known again when they are spent, by whoever that is.

use super::{
    refusals::refusal_of,
    service::{Inner, Service, blocking, decode, encode, read},
};
use bytes::Bytes;
use nightdrop_credit::may_be_drawn;
use nightdrop_store::{BodyDigest, Payment};
use nightdrop_wire::{
    limits::MAX_CREDITS_PER_REQUEST,
    messages::credit::{Credit, Credits, FetchCredits},
    refusal::Refusal,
    token::TokenHash,
};
use std::sync::Arc;

impl Service {
    /// `POST /v1/credits`. They are counted before they are made; the same request again makes the same ones.
    pub(super) async fn fetch_credits(&self, session: TokenHash, body: Bytes) -> Result<Bytes, Refusal> {
        let FetchCredits { expires, mut blinded } = decode(&body)?;
        let today = self.inner.environment.today();
        let wanted = u32::try_from(blinded.len()).unwrap_or(u32::MAX);
        if wanted == 0 || wanted > u32::from(MAX_CREDITS_PER_REQUEST) {
            return Err(Refusal::Refused);
        }
        if !may_be_drawn(expires, today.0) {
            // Whoever has a session learns that it is not that: the client's clock is wrong, or this one's.
            let store = self.inner.store.clone();
            read(move || store.authenticate(&session, today)).await?;
            return Err(Refusal::Conflict);
        }
        let drawn = self.inner.store.draw_credits(session, wanted, BodyDigest::of(&body), today).await;
        let drawn = drawn.map_err(|error| refusal_of(&error))?;
        blinded.truncate(usize::try_from(drawn).unwrap_or(usize::MAX));
        let inner = Arc::clone(&self.inner);
        let issue = move || {
            let issued = inner.issuer.issue(&blinded, expires, &mut inner.environment.rng());
            issued.map_err(|_| Refusal::Refused)
        };
        // One at a time: a batch is milliseconds of a processor that logins and reads need as well.
        let _turn = self.inner.issuing.lock().await;
        let (evaluated, proof) = blocking(issue).await?;
        encode(&Credits { evaluated, proof })
    }
}

impl Inner {
    /// What a credit pays with, if this relay issued it. Whether it was spent, the store knows.
    pub(super) fn payment(&self, credit: &Credit) -> Result<Payment, Refusal> {
        if self.issuer.knows(credit) { Ok(Payment::of_verified(credit)) } else { Err(Refusal::Refused) }
    }
}
