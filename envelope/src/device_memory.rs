//! What a device remembers of its account, so that an older state is noticed: sealed under the master key.
//!
//! ```text
//! plaintext: length (4) ‖ postcard of DeviceMemory ‖ zeros, 128 bytes in all
//! ```

use crate::{
    OpenError,
    context::Context,
    key::MasterKey,
    padded::{pad, unpad},
    seal::{Kind, open, seal},
};
use nightdrop_wire::{codec, ids::AccountId, messages::log::LogHead, onion::OnionAddress};
use rand::CryptoRng;
use serde::{Deserialize, Serialize};

const PLAINTEXT: usize = 128;

/// The newest that this device has seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct DeviceMemory {
    /// Version of the keyring.
    pub keyring_version: u64,
    /// Head of the home space. Without entries on the device where the account was made, which knows that there are none yet;
    /// `None` on a device that does not know.
    pub home_head: Option<LogHead>,
}

impl DeviceMemory {
    /// The newer of two memories of one account, part by part: what two commands at once have seen.
    #[must_use]
    pub fn newer(self, other: Self) -> Self {
        let count = |memory: &Self| memory.home_head.map(|head| head.count);
        let home_head = if count(&self) >= count(&other) { self.home_head } else { other.home_head };
        Self { keyring_version: self.keyring_version.max(other.keyring_version), home_head }
    }

    /// Seals it for this device's disk.
    ///
    /// # Errors
    /// As [`seal`].
    pub fn seal<R: CryptoRng + ?Sized>(
        &self,
        master: &MasterKey,
        relay: &OnionAddress,
        account: AccountId,
        rng: &mut R,
    ) -> Result<Vec<u8>, OpenError> {
        let plaintext = pad(&codec::encode(self).map_err(|_| OpenError::Malformed)?, PLAINTEXT)?;
        seal(Kind::DeviceMemory, master.secret_bytes(), &context(relay, account), &plaintext, rng)
    }

    /// Opens what [`Self::seal`] made.
    ///
    /// # Errors
    /// [`OpenError`] for anything else.
    pub fn open(
        sealed: &[u8],
        master: &MasterKey,
        relay: &OnionAddress,
        account: AccountId,
    ) -> Result<Self, OpenError> {
        let plaintext = open(Kind::DeviceMemory, master.secret_bytes(), &context(relay, account), sealed)?;
        if plaintext.len() != PLAINTEXT {
            return Err(OpenError::Malformed);
        }
        codec::decode(unpad(&plaintext)?).map_err(|_| OpenError::Malformed)
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
        let (master, account) = (MasterKey::from_bytes([2; 32]), AccountId::from_bytes([1; 10]));
        let head = LogHead { count: u64::MAX, hash: [9; 32] };
        let memory = DeviceMemory { keyring_version: u64::MAX, home_head: Some(head) };
        let sealed = memory.seal(&master, &relay, account, &mut rand::rng()).unwrap();
        assert_eq!(DeviceMemory::open(&sealed, &master, &relay, account), Ok(memory));
        let older = DeviceMemory { keyring_version: 3, home_head: Some(LogHead { count: 7, hash: [1; 32] }) };
        assert_eq!((memory.newer(older), older.newer(memory)), (memory, memory));
        assert_eq!(DeviceMemory::default().newer(older), older);
        let other = AccountId::from_bytes([3; 10]);
        assert_eq!(DeviceMemory::open(&sealed, &master, &relay, other), Err(OpenError::WrongKey));
    }
}
