//! Names of stored objects: what has an at-rest key, and what can end for good.
//!
//! ```text
//! kind (1) ‖ id (10 or 16) ‖ zeros up to 17 bytes
//! kind (1) ‖ first 16 bytes of SHA-256(space)            a log
//! ```
//! A space's id is longer than a name, and its maker may choose any of its bytes; whoever wanted to give a log the name
//! of another one's would have to find a second preimage of 128 bits.

use crate::digest::sha256;
use nightdrop_wire::ids::{AccountId, BlobId, RecoveryId, SpaceId, TicketId};

/// Kind and id of one object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ObjectName([u8; Self::LENGTH]);

impl ObjectName {
    /// Length in bytes.
    pub(crate) const LENGTH: usize = 17;

    /// A blob: its chunks and its manifest.
    pub(crate) fn blob(id: BlobId) -> Self {
        Self::new(1, id.as_bytes())
    }

    /// A ticket's envelope.
    pub(crate) fn ticket(id: TicketId) -> Self {
        Self::new(2, id.as_bytes())
    }

    /// An account's OPAQUE record.
    pub(crate) fn login_record(id: AccountId) -> Self {
        Self::new(3, id.as_bytes())
    }

    /// An account's sealed master key.
    pub(crate) fn master_key(id: AccountId) -> Self {
        Self::new(4, id.as_bytes())
    }

    /// An account's keyring.
    pub(crate) fn keyring(id: AccountId) -> Self {
        Self::new(5, id.as_bytes())
    }

    /// A recovery envelope.
    pub(crate) fn recovery(id: RecoveryId) -> Self {
        Self::new(6, id.as_bytes())
    }

    /// The relay's OPAQUE set-up, of which there is one.
    pub(crate) fn server_setup() -> Self {
        Self::new(7, &[])
    }

    /// A log: its entries.
    pub(crate) fn log(space: SpaceId) -> Self {
        Self::new(8, &sha256(&[space.as_bytes()]))
    }

    /// Its bytes.
    pub(crate) const fn bytes(self) -> [u8; Self::LENGTH] {
        self.0
    }

    fn new(kind: u8, id: &[u8]) -> Self {
        let mut name = [0; Self::LENGTH];
        for (place, byte) in name.iter_mut().zip(std::iter::once(&kind).chain(id)) {
            *place = *byte;
        }
        Self(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_two_kinds_differ_even_for_one_id() {
        let (account, id) = (AccountId::from_bytes([9; 10]), [9; 16]);
        let names = [
            ObjectName::blob(BlobId::from_bytes(id)),
            ObjectName::ticket(TicketId::from_bytes(id)),
            ObjectName::recovery(RecoveryId::from_bytes(id)),
            ObjectName::login_record(account),
            ObjectName::master_key(account),
            ObjectName::keyring(account),
            ObjectName::server_setup(),
            ObjectName::log(SpaceId::from_bytes([9; 32])),
        ];
        for (i, name) in names.iter().enumerate() {
            assert!(names.iter().skip(i + 1).all(|other| other != name));
        }
        assert_eq!(names[0].bytes(), [1, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9]);
    }
}
