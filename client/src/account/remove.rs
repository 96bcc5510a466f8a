//! Removing an account. What it stored on the data plane is destroyed before, by its own keys: the relay does not know what belongs to whom.

use super::login::prove_password;
use crate::{ClientError, limits::ClientLimits, relay::RelayLane, transport::Transport};
use nightdrop_envelope::account_code::AccountCode;
use nightdrop_login::password::Password;
use nightdrop_wire::endpoint::Endpoint;

/// Removes the account at the relay. Its id is never given again.
///
/// # Errors
/// As [`super::log_in`]; [`ClientError::ChangeUnknown`] if the answer was lost: a login that is refused tells that it is gone.
pub async fn remove<T: Transport>(
    transport: &T,
    code: &AccountCode,
    password: &Password,
    limits: &ClientLimits,
) -> Result<(), ClientError> {
    let mut lane = RelayLane::isolated(transport, code.relay(), limits);
    let (login, _export_key) = prove_password(&mut lane, code, password).await?;
    match lane.once().tell(Endpoint::RemoveAccount, None, &login).await {
        Ok(()) => Ok(()),
        Err(error) => Err(match ClientError::login(error) {
            ClientError::Broken => ClientError::ChangeUnknown,
            error => error,
        }),
    }
}
