//! How the relay refuses. A refusal is a status without a body, the same bytes each time.

/// Why the relay refused, as far as it says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Refusal {
    /// The one refusal of whoever shows no valid capability, names what is not there, or sends what is malformed.
    #[error("refused")]
    Refused,
    /// To the holder of a valid capability: what is asked for contradicts what is stored.
    #[error("in conflict with what the relay holds")]
    Conflict,
    /// To the holder of a log's append token: the log stands where they expect it, and what they would append was not paid for.
    #[error("the log is not paid for so much")]
    Unpaid,
    /// On the account plane, after too many logins of this account that were not finished: later. Alike for accounts that do not exist.
    #[error("too many failed logins of this account")]
    TooManyLogins,
    /// The relay has no room for this request now; the same request may succeed later.
    #[error("the relay is busy")]
    Busy,
    /// The relay's storage is full; reading and deleting go on.
    #[error("the relay's storage is full")]
    Full,
}

impl Refusal {
    /// Every refusal.
    pub const ALL: [Self; 6] =
        [Self::Refused, Self::Conflict, Self::Unpaid, Self::TooManyLogins, Self::Busy, Self::Full];

    /// Its HTTP status.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::Refused => 404,
            Self::Conflict => 409,
            Self::Unpaid => 402,
            Self::TooManyLogins => 429,
            Self::Busy => 503,
            Self::Full => 507,
        }
    }

    /// The refusal that a status stands for; `None` for a status that no relay sends.
    #[must_use]
    pub fn from_status(status: u16) -> Option<Self> {
        Self::ALL.into_iter().find(|refusal| refusal.status() == status)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_round_trip() {
        for refusal in Refusal::ALL {
            assert_eq!(Refusal::from_status(refusal.status()), Some(refusal));
        }
        assert_eq!(Refusal::from_status(302), None);
        assert_eq!(Refusal::from_status(200), None);
    }
}
