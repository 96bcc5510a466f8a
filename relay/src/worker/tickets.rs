//! Tickets.

use super::{
    refusals::refusal_of,
    service::{Inner, Service, blocking, decode, read},
};
use bytes::Bytes;
use nightdrop_store::BodyDigest;
use nightdrop_wire::{
    authorization::Authorization,
    ids::TicketId,
    messages::ticket::{CreateTicket, TakeClaim},
    refusal::Refusal,
    token::Token,
};
use std::sync::Arc;

impl Service {
    /// `POST /v1/tickets`.
    pub(super) async fn create_ticket(&self, write_key: &Token, body: &[u8]) -> Result<Bytes, Refusal> {
        let message: CreateTicket = decode(body)?;
        let created = {
            let Inner { store, environment, .. } = &*self.inner;
            let (today, rng) = (environment.today(), &mut environment.rng());
            store.create_ticket(&message, BodyDigest::of(body), write_key, today, rng)
        };
        created.await.map_err(|error| refusal_of(&error))?;
        Ok(Bytes::new())
    }

    /// `GET /v1/tickets/{ticket}`: the ticket that is shown must be the one that is asked for.
    pub(super) async fn get_ticket(&self, ticket: TicketId, shown: Authorization) -> Result<Bytes, Refusal> {
        match shown {
            Authorization::Ticket(id, token) if id == ticket => {
                let inner = Arc::clone(&self.inner);
                read(move || inner.store.read_ticket(ticket, &token, inner.environment.quarter())).await
            }
            _ => Err(Refusal::Refused),
        }
    }

    /// `POST /v1/tickets/{ticket}/claims`.
    pub(super) async fn take_claim(
        &self,
        ticket: TicketId,
        shown: Authorization,
        body: &[u8],
    ) -> Result<Bytes, Refusal> {
        let TakeClaim { claim } = decode(body)?;
        let Authorization::Ticket(id, token) = shown else { return Err(Refusal::Refused) };
        if id != ticket {
            return Err(Refusal::Refused);
        }
        let inner = Arc::clone(&self.inner);
        let taken = move || Ok(inner.store.take_claim(ticket, &token, claim, inner.environment.quarter()));
        // Whether it can be taken is looked up first, which reads the disk.
        blocking(taken).await?.await.map_err(|error| refusal_of(&error))
    }

    /// `DELETE /v1/tickets/{ticket}`.
    pub(super) async fn end_ticket(&self, ticket: TicketId, write_key: &Token) -> Result<Bytes, Refusal> {
        self.inner.store.end_ticket(ticket, write_key).await.map_err(|error| refusal_of(&error))?;
        Ok(Bytes::new())
    }
}
