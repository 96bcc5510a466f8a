//! Credits: what a blob's creation is paid with. Plain single-use tokens for the time being: a relay that logs
//! can tell which session fetched the token that paid for a blob.

use crate::token::Token;
use serde::{Deserialize, Serialize};

/// `POST /v1/credits`.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct FetchCredits {
    /// How many, 1 to [`crate::limits::MAX_CREDITS_PER_REQUEST`].
    pub count: u16,
}

/// Answer to [`FetchCredits`].
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Credits {
    /// As many as were asked for; each pays for one blob, once.
    pub tokens: Vec<Token>,
}
