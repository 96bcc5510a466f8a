//! What a relay says of itself to anybody, and invitations that are earned instead of given.

use crate::{
    ids::AccountId,
    limits::{WORK_CHALLENGE, WORK_SOLUTION},
    messages::credit::BLINDED,
    token::Token,
};
use serde::{Deserialize, Serialize};
use serde_big_array::BigArray;

/// Answer to `GET /v1/relay`: as long for every relay and at any time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RelayInfo {
    /// Version of the protocol.
    #[serde(with = "postcard::fixint::be")]
    pub version: u16,
    /// Who can register.
    pub registration: Registration,
    /// Leading zero bits of each part of the work that earns an invitation, where registration is open.
    pub work: u8,
    /// What the work is done on: the last second at which it counts, and the relay's mark. Of worth to nobody where registration
    /// is not open.
    #[serde(with = "BigArray")]
    pub challenge: [u8; WORK_CHALLENGE],
    /// Bytes of stored room for which an account draws credits in a period ([`crate::limits::PERIOD_DAYS`]), unless the operator set something
    /// else for it.
    #[serde(with = "postcard::fixint::be")]
    pub quota: u64,
    /// The one key that all credits are issued with; clients pin it.
    pub issuing_key: [u8; BLINDED],
    /// Days that a session lasts.
    #[serde(with = "postcard::fixint::be")]
    pub session_days: u32,
}

/// Who can register.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Registration {
    /// Who was given an invitation by the operator.
    Invite,
    /// Who was given one, or earns one.
    Open,
    /// Nobody.
    Closed,
}

/// `POST /v1/invitations`: asks for an invitation in return for work.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct EarnInvitation {
    /// The account to be, which the work was done for.
    pub account: AccountId,
    /// What it was done on.
    #[serde(with = "BigArray")]
    pub challenge: [u8; WORK_CHALLENGE],
    /// The work.
    #[serde(with = "BigArray")]
    pub solution: [u8; WORK_SOLUTION],
}

/// Answer to [`EarnInvitation`]: the same for the same account and challenge.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct EarnedInvitation {
    /// Registers one account, once, until the next day has passed.
    pub invitation: Token,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::{self, Malformed};

    #[test]
    fn every_relay_says_as_much_and_an_unknown_mode_is_an_error() -> Result<(), Malformed> {
        let largest = RelayInfo {
            version: u16::MAX,
            registration: Registration::Closed,
            work: u8::MAX,
            challenge: [0xff; WORK_CHALLENGE],
            quota: u64::MAX,
            issuing_key: [0xff; BLINDED],
            session_days: u32::MAX,
        };
        let smallest = RelayInfo {
            version: 0,
            registration: Registration::Invite,
            work: 0,
            challenge: [0; WORK_CHALLENGE],
            quota: 0,
            issuing_key: [0; BLINDED],
            session_days: 0,
        };
        let mut bytes = codec::encode(&largest)?;
        assert_eq!(bytes.len(), codec::encode(&smallest)?.len());
        assert_eq!(codec::decode(&bytes), Ok(largest));
        for mode in bytes.iter_mut().skip(2).take(1) {
            *mode = 3;
        }
        assert_eq!(codec::decode::<RelayInfo>(&bytes), Err(Malformed));
        Ok(())
    }
}
