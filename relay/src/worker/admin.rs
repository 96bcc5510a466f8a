//! The operator's commands: through `DIR/run/admin.sock` while the relay runs, directly on the store when none does.

use super::{
    environment::Environment,
    service::{Service, decode, encode},
};
use bytes::Bytes;
use nightdrop_store::{Store, StoreError, token_hash};
use nightdrop_wire::{
    limits::MAX_SMALL_BODY,
    messages::admin::{Invitation, NewInvitation},
    refusal::Refusal,
};

/// Days that an invitation may last.
pub const MAX_INVITATION_DAYS: u16 = 365;

/// What the admin listener understands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AdminEndpoint {
    /// Issues an invitation.
    NewInvitation,
}

impl AdminEndpoint {
    /// The endpoint of a method and a path.
    pub(crate) fn parse(method: &str, path: &str) -> Option<Self> {
        (method == "POST" && path == "/admin/v1/invites").then_some(Self::NewInvitation)
    }

    /// Bytes of the request's body at most.
    pub(crate) const fn max_body(self) -> usize {
        match self {
            Self::NewInvitation => MAX_SMALL_BODY,
        }
    }
}

/// Why no invitation was issued.
#[derive(Debug, thiserror::Error)]
pub enum InvitationError {
    /// The number of days is none that an invitation may last.
    #[error("an invitation lasts 1 to {MAX_INVITATION_DAYS} days")]
    Days,
    /// The store did not take it.
    #[error("the store did not take the invitation")]
    Store(#[from] StoreError),
}

/// Issues an invitation that is good for `days` days from today.
///
/// # Errors
/// [`InvitationError`]; nothing was issued.
pub async fn issue_invitation(
    store: &Store,
    environment: &Environment,
    days: u16,
) -> Result<Invitation, InvitationError> {
    if days == 0 || days > MAX_INVITATION_DAYS {
        return Err(InvitationError::Days);
    }
    let invitation = environment.token();
    let expires = environment.today().plus(u32::from(days));
    store.issue_invitation(token_hash(&invitation), expires).await?;
    Ok(Invitation { invitation })
}

impl Service {
    /// Answers one of the operator's commands.
    pub(super) async fn handle_admin(&self, endpoint: AdminEndpoint, body: &[u8]) -> Result<Bytes, Refusal> {
        match endpoint {
            AdminEndpoint::NewInvitation => {
                let NewInvitation { days } = decode(body)?;
                let inner = &self.inner;
                match issue_invitation(&inner.store, &inner.environment, days).await {
                    Ok(invitation) => encode(&invitation),
                    Err(InvitationError::Days) => Err(Refusal::Refused),
                    Err(InvitationError::Store(error)) => Err(super::refusals::refusal_of(&error)),
                }
            }
        }
    }
}
