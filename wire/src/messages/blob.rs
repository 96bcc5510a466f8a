//! Blobs. Chunks and manifests travel as raw bodies where they travel alone.

use crate::{
    ids::{BlobId, TicketId},
    messages::credit::Credit,
    token::TokenHash,
};
use serde::{Deserialize, Serialize};

/// SHA-256 of a sealed chunk.
pub type ChunkHash = [u8; 32];

/// `POST /v1/blobs`: makes a blob. The same bytes may be sent again after a broken connection.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CreateBlob {
    /// Its id.
    pub blob: BlobId,
    /// Pays for it; spent in the same transaction. As many as cover its price ([`crate::price`]), none of which could be left out, and at most
    /// [`crate::limits::MAX_CREDITS_PER_PAYMENT`].
    pub payment: Vec<Credit>,
    /// Who shows the token of this hash may read.
    pub read_token: TokenHash,
    /// Who shows the key of this hash may add chunks, make tickets and destroy.
    pub write_key: TokenHash,
    /// Chunks at most, padding included: 1 to [`crate::limits::MAX_CHUNKS`]. If it is 1, the chunk is of any size class, else all are of the
    /// largest. How many there are is settled when the blob is finished.
    pub chunks: u32,
    /// For a blob of one chunk: stores and finishes it in the same request.
    pub whole: Option<WholeBlob>,
}

/// Answer to `POST /v1/blobs`, `…/finish` and `…/lease`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leased {
    /// The last day on which the blob is there, in days since 1970-01-01 (UTC): then it ends like what is destroyed.
    pub until: u32,
}

/// `POST /v1/blobs/{id}/lease`: pays for a finished blob anew, and makes its lease as long as one that begins today ([`crate::season`]). The same bytes may be
/// sent again. If the lease would not become longer, nothing is spent, and what holds is answered.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ExtendLease {
    /// As in [`CreateBlob`], for what the blob costs with the chunks and the manifest that it has ([`crate::price`]). Empty to ask first: that is a conflict if
    /// the lease would become longer.
    pub payment: Vec<Credit>,
}

/// `POST /v1/blobs/{id}/grow`: pays for more chunks of an unfinished blob. The same bytes may be sent again.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct GrowBlob {
    /// Chunks at most from now on, more than before and at most [`crate::limits::MAX_CHUNKS`].
    pub chunks: u32,
    /// As in [`CreateBlob`], for what its price exceeds what was paid before; empty if it does not.
    pub payment: Vec<Credit>,
}

/// A blob of one chunk, complete.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct WholeBlob {
    /// The sealed chunk; its length is that of a size class.
    #[serde(with = "serde_bytes")]
    pub chunk: Vec<u8>,
    /// The sealed manifest; its length is that of a size class.
    #[serde(with = "serde_bytes")]
    pub manifest: Vec<u8>,
}

/// Answer to `DELETE /v1/blobs/{id}`: the same again is answered alike until what it gives back was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Destroyed {
    /// Units that it gives back: fresh credits of so much worth can be ordered once, with `POST /v1/blobs/{id}/refund` and the write key that it had.
    pub refund: u32,
}

/// `POST /v1/blobs/{id}/renew`: replaces what reads and what changes a blob, and ends all its tickets but those that are named. Shown: the
/// write key that it has, or, after a lost answer, the one that it got: then nothing is changed again.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RenewBlob {
    /// Who shows the token of this hash may read.
    pub read_token: TokenHash,
    /// Who shows the key of this hash may make tickets and destroy.
    pub write_key: TokenHash,
    /// Tickets that stay: at most [`crate::limits::MAX_KEPT_TICKETS`].
    pub tickets: Vec<TicketId>,
}

/// Answer to `GET /v1/blobs/{id}/have/{n}`: the chunks that an unfinished blob holds, from number `n` on, by index; as many as there are, or
/// [`crate::limits::MAX_HELD_CHUNKS`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldChunks {
    /// By index, each once.
    pub chunks: Vec<HeldChunk>,
}

/// A chunk that the relay holds, or says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldChunk {
    /// Which.
    pub index: u32,
    /// SHA-256 of it.
    pub hash: ChunkHash,
}

/// `POST /v1/blobs/{id}/finish`: closes the blob. Refused as a conflict unless the relay holds exactly the chunks of
/// `chunks_digest`. The same bytes may be sent again.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct FinishBlob {
    /// SHA-256 over the [`ChunkHash`]es of all chunks, in order.
    pub chunks_digest: [u8; 32],
    /// The sealed manifest; its length is that of a size class.
    #[serde(with = "serde_bytes")]
    pub manifest: Vec<u8>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        codec,
        limits::{MAX_CHUNKS, MAX_HELD_BODY, MAX_HELD_CHUNKS},
    };

    #[test]
    fn the_longest_page_of_held_chunks_is_as_long_as_its_limit_says() {
        let last = HeldChunk { index: MAX_CHUNKS - 1, hash: [0xff; 32] };
        let page = HeldChunks { chunks: vec![last; MAX_HELD_CHUNKS] };
        assert_eq!(codec::encode(&page).unwrap().len(), MAX_HELD_BODY);
    }
}
