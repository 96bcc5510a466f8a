//! Sessions: listed and ended by whoever shows one of them.

use super::{
    refusals::refusal_of,
    service::{Inner, Service, encode, read},
};
use bytes::Bytes;
use nightdrop_wire::{ids::SessionId, messages::account::Sessions, refusal::Refusal, token::TokenHash};
use std::sync::Arc;

impl Service {
    /// `GET /v1/sessions`.
    pub(super) async fn list_sessions(&self, shown: TokenHash) -> Result<Bytes, Refusal> {
        let inner = Arc::clone(&self.inner);
        let sessions = read(move || inner.store.list_sessions(&shown, inner.environment.today())).await?;
        encode(&Sessions { sessions })
    }

    /// `DELETE /v1/sessions`.
    pub(super) async fn end_sessions(&self, shown: TokenHash) -> Result<Bytes, Refusal> {
        let Inner { store, environment, .. } = &*self.inner;
        store.end_sessions(shown, environment.today()).await.map_err(|error| refusal_of(&error))?;
        Ok(Bytes::new())
    }

    /// `DELETE /v1/sessions/{session}`.
    pub(super) async fn end_session(&self, shown: TokenHash, ended: SessionId) -> Result<Bytes, Refusal> {
        let Inner { store, environment, .. } = &*self.inner;
        store.end_session(shown, environment.today(), ended).await.map_err(|error| refusal_of(&error))?;
        Ok(Bytes::new())
    }
}
