//! Blobs: what a request asks of the store. Sealing at rest takes milliseconds, so it is done away from the threads
//! that serve connections; waiting for the commit is not.

use super::{
    refusals::refusal_of,
    service::{Service, blocking, decode, encode, prepared, read},
};
use bytes::{Bytes, BytesMut};
use nightdrop_store::{BodyDigest, Day};
use nightdrop_wire::{
    authorization::Authorization,
    ids::BlobId,
    messages::blob::{CreateBlob, Destroyed, ExtendLease, FinishBlob, GrowBlob, Leased, RenewBlob},
    refusal::Refusal,
    token::Token,
};
use std::sync::Arc;

impl Service {
    /// `POST /v1/blobs`.
    pub(super) async fn create_blob(&self, body: Bytes) -> Result<Bytes, Refusal> {
        let inner = Arc::clone(&self.inner);
        prepared(move || {
            let (message, digest) = (decode::<CreateBlob>(&body)?, BodyDigest::of(&body));
            // There is room for one copy of it, and sealing makes the next.
            drop(body);
            let (today, rng) = (inner.environment.today(), &mut inner.environment.rng());
            let before = inner.store.before_blob(&message, digest, today);
            inner.paid(before, &message.payment, |payment| {
                inner.store.create_blob(&message, payment, digest, today, rng)
            })
        })
        .await
        .and_then(leased)
    }

    /// `POST /v1/blobs/{blob}/grow`.
    pub(super) async fn grow_blob(
        &self,
        blob: BlobId,
        write_key: Token,
        body: Bytes,
    ) -> Result<Bytes, Refusal> {
        let inner = Arc::clone(&self.inner);
        prepared(move || {
            let (message, digest) = (decode::<GrowBlob>(&body)?, BodyDigest::of(&body));
            let today = inner.environment.today();
            let before = inner.store.before_growth(blob, &write_key, &message, digest, today);
            inner.paid(before, &message.payment, |payment| {
                inner.store.grow_blob(blob, &write_key, &message, payment, digest, today)
            })
        })
        .await
        .map(|()| Bytes::new())
    }

    /// `POST /v1/blobs/{blob}/lease`.
    pub(super) async fn extend_lease(
        &self,
        blob: BlobId,
        write_key: Token,
        body: Bytes,
    ) -> Result<Bytes, Refusal> {
        let inner = Arc::clone(&self.inner);
        prepared(move || {
            let (message, digest) = (decode::<ExtendLease>(&body)?, BodyDigest::of(&body));
            let today = inner.environment.today();
            let before = inner.store.before_lease(blob, &write_key, &message, digest, today);
            inner.paid(before, &message.payment, |payment| {
                inner.store.extend_lease(blob, &write_key, payment, digest, today)
            })
        })
        .await
        .and_then(leased)
    }

    /// `PUT /v1/blobs/{blob}/{n}`.
    pub(super) async fn put_chunk(
        &self,
        blob: BlobId,
        n: u32,
        write_key: Token,
        body: Bytes,
    ) -> Result<Bytes, Refusal> {
        let inner = Arc::clone(&self.inner);
        prepared(move || {
            // The body is nobody else's, so this is no copy.
            let chunk = BytesMut::from(body);
            let (today, rng) = (inner.environment.today(), &mut inner.environment.rng());
            Ok(inner.store.put_chunk(blob, n, &write_key, chunk, today, rng))
        })
        .await
        .map(|()| Bytes::new())
    }

    /// `POST /v1/blobs/{blob}/finish`.
    pub(super) async fn finish_blob(
        &self,
        blob: BlobId,
        write_key: Token,
        body: Bytes,
    ) -> Result<Bytes, Refusal> {
        let inner = Arc::clone(&self.inner);
        prepared(move || {
            let message: FinishBlob = decode(&body)?;
            drop(body);
            let (today, rng) = (inner.environment.today(), &mut inner.environment.rng());
            Ok(inner.store.finish_blob(blob, &write_key, &message, today, rng))
        })
        .await
        .and_then(leased)
    }

    /// `GET /v1/blobs/{blob}/have/{n}`.
    pub(super) async fn held_chunks(
        &self,
        blob: BlobId,
        from: u32,
        write_key: Token,
    ) -> Result<Bytes, Refusal> {
        let inner = Arc::clone(&self.inner);
        blocking(move || {
            let held = inner.store.held_chunks(blob, &write_key, from, inner.environment.today());
            encode(&held.map_err(|error| refusal_of(&error))?)
        })
        .await
    }

    /// `GET /v1/blobs/{blob}/{n}`.
    pub(super) async fn get_chunk(
        &self,
        blob: BlobId,
        n: u32,
        shown: Authorization,
    ) -> Result<Bytes, Refusal> {
        let inner = Arc::clone(&self.inner);
        read(move || inner.store.read_chunk(blob, n, &shown, inner.environment.quarter())).await
    }

    /// `GET /v1/blobs/{blob}/head`.
    pub(super) async fn get_head(&self, blob: BlobId, shown: Authorization) -> Result<Bytes, Refusal> {
        let inner = Arc::clone(&self.inner);
        read(move || inner.store.read_manifest(blob, &shown, inner.environment.quarter())).await
    }

    /// `POST /v1/blobs/{blob}/renew`.
    pub(super) async fn renew_blob(
        &self,
        blob: BlobId,
        write_key: &Token,
        body: &[u8],
    ) -> Result<Bytes, Refusal> {
        let message: RenewBlob = decode(body)?;
        let renewed = self.inner.store.renew_blob(blob, write_key, &message);
        renewed.await.map_err(|error| refusal_of(&error))?;
        Ok(Bytes::new())
    }

    /// `DELETE /v1/blobs/{blob}`.
    pub(super) async fn destroy_blob(&self, blob: BlobId, write_key: &Token) -> Result<Bytes, Refusal> {
        let destroyed = self.inner.store.destroy_blob(blob, write_key, self.inner.environment.today());
        let refund = destroyed.await.map_err(|error| refusal_of(&error))?;
        encode(&Destroyed { refund })
    }
}

fn leased(until: Day) -> Result<Bytes, Refusal> {
    encode(&Leased { until: until.0 })
}
