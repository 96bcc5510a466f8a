//! Lies by serving what somebody else made, in place of what its author stored.

use crate::lying::{Answer, Asked, KnownFile, Lie};
use nightdrop_wire::endpoint::Endpoint;

/// Serves these in place of whatever the honest relay has.
#[derive(Debug, Clone, Default)]
pub struct Substitute {
    ticket: Option<Vec<u8>>,
    head: Option<Vec<u8>>,
    chunks: Vec<Vec<u8>>,
}

impl Substitute {
    /// The ticket's envelope of `file` from here on.
    #[must_use]
    pub fn ticket(self, file: &KnownFile) -> Self {
        Self { ticket: Some(file.envelope.clone()), ..self }
    }

    /// The head of `file` from here on.
    #[must_use]
    pub fn head(self, file: &KnownFile) -> Self {
        Self { head: Some(file.manifest.clone()), ..self }
    }

    /// The chunks of `file` from here on.
    #[must_use]
    pub fn chunks(self, file: &KnownFile) -> Self {
        Self { chunks: file.chunks.clone(), ..self }
    }
}

impl Lie for Substitute {
    fn answer(&self, asked: &Asked, honest: Answer) -> Answer {
        let other = match asked.endpoint {
            Endpoint::GetTicket(_) | Endpoint::TakeClaim(_) => self.ticket.as_ref(),
            Endpoint::GetHead(_) => self.head.as_ref(),
            Endpoint::GetChunk(_, n) => self.chunks.get(n as usize),
            _ => None,
        };
        other.map_or(honest, |body| Answer::new(200, body.clone()))
    }
}
