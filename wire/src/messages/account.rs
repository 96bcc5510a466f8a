//! Registration and login. The OPAQUE messages (RFC 9807) are opaque bytes of fixed length here; crate `login` reads
//! them.

use crate::{
    ids::{AccountId, ChangeId, LoginId, RecoveryId, SessionId},
    token::{Token, TokenHash},
};
use serde::{Deserialize, Serialize};
use serde_big_array::BigArray;

/// Bytes of an OPAQUE registration request.
pub const REGISTRATION_REQUEST: usize = 32;
/// Bytes of an OPAQUE registration response.
pub const REGISTRATION_RESPONSE: usize = 64;
/// Bytes of an OPAQUE registration upload, which is also the stored record.
pub const REGISTRATION_UPLOAD: usize = 192;
/// Bytes of the first login message (KE1).
pub const CREDENTIAL_REQUEST: usize = 96;
/// Bytes of the second login message (KE2).
pub const CREDENTIAL_RESPONSE: usize = 320;
/// Bytes of the third login message (KE3).
pub const CREDENTIAL_FINALIZATION: usize = 64;

/// `POST /v1/register/1`: asks for the relay's half of the password's hash. Spends nothing.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RegisterStart {
    /// The invitation that will be spent.
    pub invitation: Token,
    /// The account to be.
    pub account: AccountId,
    /// OPAQUE registration request.
    pub request: [u8; REGISTRATION_REQUEST],
}

/// Answer to [`RegisterStart`].
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RegisterStarted {
    /// OPAQUE registration response.
    #[serde(with = "BigArray")]
    pub response: [u8; REGISTRATION_RESPONSE],
}

/// `POST /v1/register/2`: makes the account, in one transaction. The same bytes may be sent again after a broken
/// connection and are then answered alike.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RegisterFinish {
    /// The invitation to spend.
    pub invitation: Token,
    /// The account to make.
    pub account: AccountId,
    /// OPAQUE registration upload.
    #[serde(with = "BigArray")]
    pub upload: [u8; REGISTRATION_UPLOAD],
    /// Master key, sealed under the encryption key.
    #[serde(with = "serde_bytes")]
    pub master_key: Vec<u8>,
    /// How the account is found and opened again by the recovery phrase.
    pub recovery: Option<Recovery>,
    /// Keyring version 1, sealed under the master key.
    #[serde(with = "serde_bytes")]
    pub keyring: Vec<u8>,
}

/// What the relay keeps for the holder of the recovery phrase.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recovery {
    /// Where it is found.
    pub id: RecoveryId,
    /// Hash of the token that authorizes a new password.
    pub token: TokenHash,
    /// Master key and account id, sealed under the recovery key.
    #[serde(with = "serde_bytes")]
    pub envelope: Vec<u8>,
}

/// `POST /v1/login/1`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct LoginStart {
    /// Who logs in.
    pub account: AccountId,
    /// First message (KE1).
    #[serde(with = "BigArray")]
    pub request: [u8; CREDENTIAL_REQUEST],
}

/// Answer to [`LoginStart`], alike for accounts that exist and those that do not.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct LoginStarted {
    /// Names this login in the third message.
    pub login: LoginId,
    /// Second message (KE2).
    #[serde(with = "BigArray")]
    pub response: [u8; CREDENTIAL_RESPONSE],
}

/// `POST /v1/login/2`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct LoginFinish {
    /// As the relay named it.
    pub login: LoginId,
    /// Third message (KE3).
    #[serde(with = "BigArray")]
    pub finalization: [u8; CREDENTIAL_FINALIZATION],
}

/// Answer to [`LoginFinish`]: the session and what opens the account.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct LoggedIn {
    /// Bearer of the account plane.
    pub session: Token,
    /// Names the session where sessions are listed and ended.
    pub id: SessionId,
    /// Master key, sealed under the encryption key.
    #[serde(with = "serde_bytes")]
    pub master_key: Vec<u8>,
    /// The keyring.
    pub keyring: Keyring,
}

/// `POST /v1/passwd`: begins a change of what opens an account. The third message of a login that was made for this shows that it is the owner
/// who asks, so a stolen session does not suffice.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PasswdStart {
    /// The third message of a login; it opens no session.
    pub login: LoginFinish,
    /// OPAQUE registration request with the password to be.
    pub request: [u8; REGISTRATION_REQUEST],
}

/// Answer to [`PasswdStart`].
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PasswdStarted {
    /// Names this change in its second half.
    pub change: ChangeId,
    /// OPAQUE registration response.
    #[serde(with = "BigArray")]
    pub response: [u8; REGISTRATION_RESPONSE],
    /// Master key, sealed under the encryption key of the password that was proved.
    #[serde(with = "serde_bytes")]
    pub master_key: Vec<u8>,
    /// The keyring.
    pub keyring: Keyring,
}

/// `POST /v1/recover`: begins a change of what opens an account, for the holder of its recovery phrase.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RecoverStart {
    /// Where the recovery envelope is.
    pub recovery: RecoveryId,
    /// Authorizes the change.
    pub token: Token,
    /// OPAQUE registration request with the password to be.
    pub request: [u8; REGISTRATION_REQUEST],
}

/// Answer to [`RecoverStart`].
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RecoverStarted {
    /// Names this change in its second half.
    pub change: ChangeId,
    /// OPAQUE registration response.
    #[serde(with = "BigArray")]
    pub response: [u8; REGISTRATION_RESPONSE],
    /// Master key and account id, sealed under the recovery key.
    #[serde(with = "serde_bytes")]
    pub envelope: Vec<u8>,
    /// The keyring.
    pub keyring: Keyring,
}

/// `POST /v1/change`: changes what opens the account, in one transaction, and ends all its sessions. The same bytes may be sent
/// again after a broken connection and are then answered alike. A conflict if something else changed the account since this change
/// began.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ChangeFinish {
    /// As the relay named it.
    pub change: ChangeId,
    /// OPAQUE registration upload: the new record.
    #[serde(with = "BigArray")]
    pub upload: [u8; REGISTRATION_UPLOAD],
    /// Master key, sealed under the new encryption key.
    #[serde(with = "serde_bytes")]
    pub master_key: Vec<u8>,
    /// What becomes of the recovery phrase.
    pub recovery: RecoveryChange,
    /// The next keyring, if it changes: its version is the next one.
    pub keyring: Option<Keyring>,
}

/// What becomes of the recovery phrase.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum RecoveryChange {
    /// It stays.
    Keep,
    /// Another one takes its place; the old one opens nothing any more.
    Replace(Recovery),
    /// It opens nothing any more.
    Remove,
}

/// Answer to `GET /v1/sessions`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sessions {
    /// Oldest first.
    pub sessions: Vec<SessionFacts>,
}

/// What the relay knows of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionFacts {
    /// Names it, and opens nothing.
    pub id: SessionId,
    /// Day on which it began: days since 1970-01-01 (UTC).
    pub began: u32,
    /// Last day on which it is good.
    pub expires: u32,
    /// Whether it is the one that asks.
    pub asking: bool,
}

/// A sealed keyring and its version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Keyring {
    /// Counts up from 1 with each replacement; bound into the seal.
    pub version: u64,
    /// Sealed under the master key.
    #[serde(with = "serde_bytes")]
    pub envelope: Vec<u8>,
}
