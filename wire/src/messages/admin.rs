//! What the operator's commands say to the running worker through `DIR/run/admin.sock`. Never reachable over Tor.

use crate::token::Token;
use serde::{Deserialize, Serialize};

/// `POST /admin/v1/invites`.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct NewInvitation {
    /// Days until it ends, 1 to 365.
    pub days: u16,
}

/// Answer to [`NewInvitation`].
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Invitation {
    /// Registers one account, once.
    pub invitation: Token,
}
