//! Credits: issued blindly with a session, and known again when they are spent, by whoever that is.

use super::{
    refusals::refusal_of,
    service::{Inner, Service, blocking, decode, encode, read},
};
use bytes::Bytes;
use nightdrop_credit::may_be_drawn;
use nightdrop_store::{BodyDigest, Payment};
use nightdrop_wire::{
    denomination::Assortment,
    ids::BlobId,
    limits::MAX_CREDITS_PER_PAYMENT,
    messages::credit::{Credit, CreditOrder},
    refusal::Refusal,
    token::{Token, TokenHash},
};
use std::sync::Arc;

impl Service {
    /// `POST /v1/credits`. They are counted before they are made; the same request again makes the same ones.
    pub(super) async fn fetch_credits(&self, session: TokenHash, body: Bytes) -> Result<Bytes, Refusal> {
        let order: CreditOrder = decode(&body)?;
        let today = self.inner.environment.today();
        let wanted = order.assortment().ok_or(Refusal::Refused)?;
        if !may_be_drawn(order.expires, today.0) {
            // Whoever has a session learns that it is not that: the client's clock is wrong, or this one's.
            let store = self.inner.store.clone();
            read(move || store.authenticate(&session, today)).await?;
            return Err(Refusal::Conflict);
        }
        let drawn = self.inner.store.draw_credits(session, wanted, BodyDigest::of(&body), today).await;
        let drawn = drawn.map_err(|error| refusal_of(&error))?;
        self.issue(order, drawn).await
    }

    /// `POST /v1/blobs/{blob}/refund`. They are noted before they are made; the same order again makes the same ones.
    pub(super) async fn refund_blob(
        &self,
        blob: BlobId,
        write_key: Token,
        body: Bytes,
    ) -> Result<Bytes, Refusal> {
        let order: CreditOrder = decode(&body)?;
        let today = self.inner.environment.today();
        let wanted = order.assortment().filter(|_| may_be_drawn(order.expires, today.0));
        let wanted = wanted.ok_or(Refusal::Refused)?;
        let given = self.inner.store.refund(blob, &write_key, wanted, BodyDigest::of(&body), today).await;
        given.map_err(|error| refusal_of(&error))?;
        self.issue(order, wanted).await
    }

    async fn issue(&self, order: CreditOrder, given: Assortment) -> Result<Bytes, Refusal> {
        let inner = Arc::clone(&self.inner);
        let issue = move || {
            let issued = inner.issuer.issue(&order, given, &mut inner.environment.rng());
            issued.map_err(|_| Refusal::Refused)
        };
        // One at a time: a batch is milliseconds of a processor that logins and reads need as well.
        let _turn = self.inner.issuing.lock().await;
        encode(&blocking(issue).await?)
    }
}

impl Inner {
    /// What credits pay with, if this relay issued all of them. Whether they were spent, the store knows.
    pub(super) fn payment(&self, credits: &[Credit]) -> Result<Payment, Refusal> {
        let are_ours = credits.len() <= MAX_CREDITS_PER_PAYMENT
            && credits.iter().all(|credit| self.issuer.knows(credit));
        if are_ours { Ok(Payment::of_verified(credits)) } else { Err(Refusal::Refused) }
    }
}
