//! Logs: what a request asks of the store. An append may carry hundreds of entries, each sealed by itself.

use super::service::{Service, decode, encode, prepared, read};
use bytes::Bytes;
use nightdrop_store::BodyDigest;
use nightdrop_wire::{
    ids::SpaceId,
    messages::log::{Append, CreateLog, GrowLog},
    refusal::Refusal,
    token::Token,
};
use std::sync::Arc;

impl Service {
    /// `POST /v1/logs`.
    pub(super) async fn create_log(&self, body: Bytes) -> Result<Bytes, Refusal> {
        let inner = Arc::clone(&self.inner);
        prepared(move || {
            let (message, digest) = (decode::<CreateLog>(&body)?, BodyDigest::of(&body));
            // There is room for one copy of it, and sealing makes the next.
            drop(body);
            let (today, rng) = (inner.environment.today(), &mut inner.environment.rng());
            let before = inner.store.before_log(&message, digest, today);
            inner.paid(before, &message.payment, |payment| {
                inner.store.create_log(&message, payment, digest, today, rng)
            })
        })
        .await
        .map(|()| Bytes::new())
    }

    /// `POST /v1/logs/{space}`.
    pub(super) async fn append_log(
        &self,
        space: SpaceId,
        append_token: Token,
        body: Bytes,
    ) -> Result<Bytes, Refusal> {
        let inner = Arc::clone(&self.inner);
        prepared(move || {
            let message: Append = decode(&body)?;
            drop(body);
            Ok(inner.store.append(space, &append_token, &message, &mut inner.environment.rng()))
        })
        .await
        .map(|()| Bytes::new())
    }

    /// `POST /v1/logs/{space}/grow`.
    pub(super) async fn grow_log(
        &self,
        space: SpaceId,
        append_token: Token,
        body: Bytes,
    ) -> Result<Bytes, Refusal> {
        let inner = Arc::clone(&self.inner);
        prepared(move || {
            let (message, digest) = (decode::<GrowLog>(&body)?, BodyDigest::of(&body));
            let today = inner.environment.today();
            let before = inner.store.before_log_growth(space, &append_token, &message, digest, today);
            inner.paid(before, &message.payment, |payment| {
                inner.store.grow_log(space, &append_token, &message, payment, digest, today)
            })
        })
        .await
        .map(|()| Bytes::new())
    }

    /// `GET /v1/logs/{space}/{from}`.
    pub(super) async fn read_log(
        &self,
        space: SpaceId,
        read_token: Token,
        from: u64,
    ) -> Result<Bytes, Refusal> {
        let inner = Arc::clone(&self.inner);
        let page = read(move || inner.store.read_log(space, &read_token, from)).await?;
        encode(&page)
    }
}
