//! What the operator's commands say to the running worker through `DIR/run/admin.sock`. Never reachable over Tor.
//!
//! A list comes in pages: each names where the next one goes on.

use crate::{
    ids::{AccountId, InvitationId},
    token::{Token, TokenHash},
};
use serde::{Deserialize, Serialize};

/// `POST /admin/v1/invites/new`.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct NewInvitations {
    /// Days until they end, 1 to 365.
    pub days: u16,
    /// How many, 1 to 100.
    pub count: u16,
}

/// Answer to [`NewInvitations`].
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Invitations {
    /// As many as were asked for; each registers one account, once.
    pub invitations: Vec<Token>,
}

/// `POST /admin/v1/invites/list`.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct ListInvitations {
    /// Where the page before said that this one goes on; nothing for the first.
    pub after: Option<TokenHash>,
}

/// Answer to [`ListInvitations`].
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct InvitationPage {
    /// In the order of their hashes.
    pub invitations: Vec<InvitationFacts>,
    /// Where the next page goes on, if there is one.
    pub next: Option<TokenHash>,
}

/// What the relay knows of an invitation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct InvitationFacts {
    /// Names it, and opens nothing.
    pub id: InvitationId,
    /// Last day on which it registers an account: days since 1970-01-01 (UTC).
    pub expires: u32,
    /// Whether it was spent.
    pub spent: bool,
}

/// `POST /admin/v1/invites/revoke`, answered by nothing.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct RevokeInvitation {
    /// Which.
    pub invitation: InvitationId,
}

/// `POST /admin/v1/accounts/list`.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct ListAccounts {
    /// Where the page before said that this one goes on; nothing for the first.
    pub after: Option<AccountId>,
}

/// Answer to [`ListAccounts`].
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct AccountPage {
    /// In the order of their ids.
    pub accounts: Vec<AccountFacts>,
    /// Bytes for which an account without a quota of its own draws credits in a period.
    pub default_quota: u64,
    /// Where the next page goes on, if there is one.
    pub next: Option<AccountId>,
}

/// All that the relay knows of an account and can show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountFacts {
    /// Which.
    pub account: AccountId,
    /// How often its keyring was replaced, and one; nothing if what is stored of it is damaged.
    pub keyring_version: Option<u64>,
    /// Its sessions that are good today.
    pub sessions: u32,
    /// Bytes for which it drew credits in this period.
    pub drawn: u64,
    /// Bytes for which it draws credits in a period, if the operator set that.
    pub quota: Option<u64>,
}

/// `POST /admin/v1/accounts/quota`, answered by nothing.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct SetQuota {
    /// Whose.
    pub account: AccountId,
    /// Bytes in a period; nothing for what the relay gives to everyone.
    pub quota: Option<u64>,
}

/// `POST /admin/v1/accounts/remove`, answered by nothing.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct RemoveAccount {
    /// Which.
    pub account: AccountId,
}
