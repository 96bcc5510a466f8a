//! The operator's commands: through `DIR/run/admin.sock` while the relay runs, directly on the store when none does. Both
//! ways end in [`operate`].
//!
//! What they show is what the relay can know: counts, days and ids, never a token.

use super::{
    environment::Environment,
    refusals::refusal_of,
    service::{Service, decode, encode, read},
};
use bytes::Bytes;
use nightdrop_store::{Queued, Store, StoreError, token_hash};
use nightdrop_wire::{
    limits::MAX_SMALL_BODY,
    messages::admin::{
        AccountPage, InvitationPage, Invitations, ListAccounts, ListInvitations, NewInvitations,
        RemoveAccount, RevokeInvitation, SetQuota,
    },
    refusal::Refusal,
    token::Token,
};

/// Days that an invitation may last.
pub const MAX_INVITATION_DAYS: u16 = 365;
/// Invitations that are issued at once.
pub const MAX_INVITATIONS: u16 = 100;
/// Invitations on one page of a list: a page stays well below the longest small body.
const INVITATIONS_PER_PAGE: usize = 256;
/// Accounts on one page of a list.
const ACCOUNTS_PER_PAGE: usize = 128;

/// What the admin listener understands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AdminEndpoint {
    /// Issues invitations.
    NewInvitations,
    /// Lists invitations.
    ListInvitations,
    /// Ends an invitation.
    RevokeInvitation,
    /// Lists accounts.
    ListAccounts,
    /// Says for how many bytes an account draws credits in a period.
    SetQuota,
    /// Removes an account.
    RemoveAccount,
}

impl AdminEndpoint {
    const ALL: [Self; 6] = [
        Self::NewInvitations,
        Self::ListInvitations,
        Self::RevokeInvitation,
        Self::ListAccounts,
        Self::SetQuota,
        Self::RemoveAccount,
    ];

    /// Its path; its method is `POST`.
    #[must_use]
    pub const fn path(self) -> &'static str {
        match self {
            Self::NewInvitations => "/admin/v1/invites/new",
            Self::ListInvitations => "/admin/v1/invites/list",
            Self::RevokeInvitation => "/admin/v1/invites/revoke",
            Self::ListAccounts => "/admin/v1/accounts/list",
            Self::SetQuota => "/admin/v1/accounts/quota",
            Self::RemoveAccount => "/admin/v1/accounts/remove",
        }
    }

    /// The endpoint of a method and a path.
    pub(crate) fn parse(method: &str, path: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|endpoint| method == "POST" && path == endpoint.path())
    }

    /// Bytes of the request's body at most.
    pub(crate) const fn max_body(self) -> usize {
        MAX_SMALL_BODY
    }
}

/// Carries one of the operator's commands out.
///
/// # Errors
/// [`Refusal::Refused`] if what is named is not there or the body is malformed, [`Refusal::Conflict`] if its state forbids it.
pub async fn operate(
    store: &Store,
    environment: &Environment,
    endpoint: AdminEndpoint,
    body: &[u8],
) -> Result<Bytes, Refusal> {
    let held = store.clone();
    match endpoint {
        AdminEndpoint::NewInvitations => {
            let NewInvitations { days, count } = decode(body)?;
            match issue_invitations(store, environment, days, count).await {
                Ok(invitations) => encode(&Invitations { invitations }),
                Err(InvitationError::Store(error)) => Err(refusal_of(&error)),
                Err(InvitationError::Days | InvitationError::Count) => Err(Refusal::Refused),
            }
        }
        AdminEndpoint::ListInvitations => {
            let ListInvitations { after } = decode(body)?;
            let (invitations, next) =
                read(move || held.list_invitations(after, INVITATIONS_PER_PAGE)).await?;
            encode(&InvitationPage { invitations, next })
        }
        AdminEndpoint::RevokeInvitation => {
            let RevokeInvitation { invitation } = decode(body)?;
            done(store.revoke_invitation(invitation)).await
        }
        AdminEndpoint::ListAccounts => {
            let ListAccounts { after } = decode(body)?;
            let (today, default_quota) = (environment.today(), store.limits().quota_bytes);
            let (accounts, next) = read(move || held.list_accounts(after, ACCOUNTS_PER_PAGE, today)).await?;
            encode(&AccountPage { accounts, default_quota, next })
        }
        AdminEndpoint::SetQuota => {
            let SetQuota { account, quota } = decode(body)?;
            done(store.set_quota(account, quota)).await
        }
        AdminEndpoint::RemoveAccount => {
            let RemoveAccount { account } = decode(body)?;
            done(store.remove_account(account, None)).await
        }
    }
}

async fn done(work: Queued<()>) -> Result<Bytes, Refusal> {
    work.await.map_err(|error| refusal_of(&error))?;
    Ok(Bytes::new())
}

/// Why no invitation was issued.
#[derive(Debug, thiserror::Error)]
pub enum InvitationError {
    /// The number of days is none that an invitation may last.
    #[error("an invitation lasts 1 to {MAX_INVITATION_DAYS} days")]
    Days,
    /// The number of invitations is none that can be issued at once.
    #[error("1 to {MAX_INVITATIONS} invitations are issued at once")]
    Count,
    /// The store did not take it.
    #[error("the store did not take the invitation")]
    Store(#[from] StoreError),
}

/// Issues `count` invitations that are good for `days` days from today: all of them or none.
///
/// # Errors
/// [`InvitationError`]; nothing was issued.
pub async fn issue_invitations(
    store: &Store,
    environment: &Environment,
    days: u16,
    count: u16,
) -> Result<Vec<Token>, InvitationError> {
    if days == 0 || days > MAX_INVITATION_DAYS {
        return Err(InvitationError::Days);
    }
    if count == 0 || count > MAX_INVITATIONS {
        return Err(InvitationError::Count);
    }
    let invitations: Vec<Token> = (0..count).map(|_| environment.token()).collect();
    let expires = environment.today().plus(u32::from(days));
    store.issue_invitations(invitations.iter().map(token_hash).collect(), expires).await?;
    Ok(invitations)
}

impl Service {
    /// Answers one of the operator's commands.
    pub(super) async fn handle_admin(&self, endpoint: AdminEndpoint, body: &[u8]) -> Result<Bytes, Refusal> {
        operate(&self.inner.store, &self.inner.environment, endpoint, body).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_has_a_path_of_its_own() {
        for endpoint in AdminEndpoint::ALL {
            assert_eq!(AdminEndpoint::parse("POST", endpoint.path()), Some(endpoint));
            assert_eq!(AdminEndpoint::parse("GET", endpoint.path()), None);
        }
        assert_eq!(AdminEndpoint::parse("POST", "/admin/v1/invites"), None);
    }
}
