//! Names of things at the relay. Ids are not secrets: they stand in paths and may be shown.

use crate::{
    text::{self, NotBase32},
    token::TokenHash,
};
use serde::{Deserialize, Serialize};

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $bytes:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub struct $name([u8; $bytes]);

        impl $name {
            /// Length in bytes.
            pub const LENGTH: usize = $bytes;

            /// The id of these bytes.
            #[must_use]
            pub const fn from_bytes(bytes: [u8; $bytes]) -> Self {
                Self(bytes)
            }

            /// Its bytes.
            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; $bytes] {
                &self.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&text::encode(&self.0))
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }

        impl std::str::FromStr for $name {
            type Err = NotBase32;

            fn from_str(text: &str) -> Result<Self, NotBase32> {
                text::decode_array(text).map(Self)
            }
        }
    };
}

id!(
    /// An account: 80 random bits, made by the client, too sparse to enumerate.
    AccountId,
    10
);
id!(
    /// A stored blob: random, made by the client.
    BlobId,
    16
);
id!(
    /// A ticket: derived from the ticket secret.
    TicketId,
    16
);
id!(
    /// Where the recovery envelope of an account is found: derived from the recovery phrase and the relay's address.
    RecoveryId,
    16
);
id!(
    /// A login between its two requests: random, made by the relay.
    LoginId,
    16
);
id!(
    /// A change of what opens an account, between its two requests: random, made by the relay.
    ChangeId,
    16
);
id!(
    /// A session, as its owner sees it in a list: the first half of its token's hash, which opens nothing.
    SessionId,
    16
);
id!(
    /// An invitation, as its issuer sees it in a list: the first bytes of its token's hash, which open nothing.
    InvitationId,
    5
);
id!(
    /// A space: SHA-256 over what its first entry says.
    SpaceId,
    32
);

impl InvitationId {
    /// The id of the invitation whose token has this hash.
    #[must_use]
    pub const fn of(token: &TokenHash) -> Self {
        let [a, b, c, d, e, ..] = *token.as_bytes();
        Self([a, b, c, d, e])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_form_round_trips_and_has_one_length() -> Result<(), NotBase32> {
        let id = BlobId::from_bytes([0xa7; 16]);
        assert_eq!(id.to_string().parse::<BlobId>()?, id);
        assert_eq!(id.to_string().len(), 26);
        assert_eq!(format!("{}0", id).parse::<BlobId>(), Err(NotBase32));
        assert_eq!("".parse::<BlobId>(), Err(NotBase32));
        Ok(())
    }
}
