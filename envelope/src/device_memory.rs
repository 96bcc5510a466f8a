//! What a device remembers of its account, so that an older state is noticed: sealed under a key that outlives a rekey.
//!
//! ```text
//! plaintext: length (4) ‖ postcard of DeviceMemory ‖ zeros, 128 bytes in all
//! ```

use crate::{
    OpenError,
    context::Context,
    key::MemoryKey,
    padded::{pad_message, unpad_message},
    seal::{Kind, open, seal},
};
use nightdrop_wire::{ids::AccountId, messages::log::LogHead, onion::OnionAddress};
use rand::CryptoRng;
use serde::{Deserialize, Serialize};

const PLAINTEXT: usize = 128;

/// The newest that this device has seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct DeviceMemory {
    /// Version of the keyring.
    pub keyring_version: u64,
    /// Head of the home space. Without entries on the device where the account was made, which knows that there are none yet;
    /// `None` on a device that does not know. Of the home space of the keyring of that version: each rekey begins another one.
    pub home_head: Option<LogHead>,
}

impl DeviceMemory {
    /// The newer of two memories of one account: what two commands at once have seen.
    #[must_use]
    pub fn newer(self, other: Self) -> Self {
        let stand = |memory: &Self| (memory.keyring_version, memory.home_head.map(|head| head.count));
        if stand(&self) >= stand(&other) { self } else { other }
    }

    /// Seals it for this device's disk.
    ///
    /// # Errors
    /// As [`seal`].
    pub fn seal<R: CryptoRng + ?Sized>(
        &self,
        key: &MemoryKey,
        relay: &OnionAddress,
        account: AccountId,
        rng: &mut R,
    ) -> Result<Vec<u8>, OpenError> {
        let plaintext = pad_message(self, PLAINTEXT)?;
        seal(Kind::DeviceMemory, key.secret_bytes(), &context(relay, account), &plaintext, rng)
    }

    /// Opens what [`Self::seal`] made.
    ///
    /// # Errors
    /// [`OpenError`] for anything else.
    pub fn open(
        sealed: &[u8],
        key: &MemoryKey,
        relay: &OnionAddress,
        account: AccountId,
    ) -> Result<Self, OpenError> {
        let plaintext = open(Kind::DeviceMemory, key.secret_bytes(), &context(relay, account), sealed)?;
        unpad_message(&plaintext, PLAINTEXT)
    }
}

fn context(relay: &OnionAddress, account: AccountId) -> Context {
    Context::of(&[b"device memory", relay.as_str().as_bytes(), account.as_bytes()])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opens_for_its_account_only() {
        let relay = "2gzyxa5ihm7nsggfxnu52rck2vv4rvmdlkiu3zzui5du4xyclen53wid".parse().unwrap();
        let (key, account) = (MemoryKey::from_bytes([2; 32]), AccountId::from_bytes([1; 10]));
        let head = LogHead { count: u64::MAX, hash: [9; 32] };
        let memory = DeviceMemory { keyring_version: u64::MAX, home_head: Some(head) };
        let sealed = memory.seal(&key, &relay, account, &mut rand::rng()).unwrap();
        assert_eq!(DeviceMemory::open(&sealed, &key, &relay, account), Ok(memory));
        let older = DeviceMemory { keyring_version: 3, home_head: Some(LogHead { count: 7, hash: [1; 32] }) };
        let earlier =
            DeviceMemory { keyring_version: 2, home_head: Some(LogHead { count: 9, hash: [1; 32] }) };
        assert_eq!(
            (earlier.newer(older), older.newer(earlier)),
            (older, older),
            "a rekey begins another log"
        );
        assert_eq!((memory.newer(older), older.newer(memory)), (memory, memory));
        assert_eq!(DeviceMemory::default().newer(older), older);
        let other = AccountId::from_bytes([3; 10]);
        assert_eq!(DeviceMemory::open(&sealed, &key, &relay, other), Err(OpenError::WrongKey));
    }
}
