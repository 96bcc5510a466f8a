//! The keyring: the few long-lived secrets that the master key seals. All else lives in the home space.
//!
//! ```text
//! plaintext: length (4) ‖ postcard of Contents ‖ zeros, 512 bytes in all
//! ```
//! Its version is bound into the seal. A relay can still return an older pair of version and envelope; that is found by
//! comparing the version with what the device remembers.
//!
//! A rekey gives the account the next one: under another master key, with another home space and sharing key, and the same identity.

use crate::{
    OpenError,
    context::Context,
    derive::derive,
    identity::IdentityKey,
    key::{MasterKey, MemoryKey, random},
    padded::{pad_message, unpad_message},
    seal::{Kind, open, seal},
    space::HomeKeys,
};
use nightdrop_wire::{
    ids::AccountId,
    labels,
    messages::{account, log::LogHead},
    onion::OnionAddress,
};
use rand::CryptoRng;
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

const PLAINTEXT: usize = 512;

/// An opened keyring. Erased when dropped; `Debug` shows nothing.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct Keyring {
    version: u64,
    contents: Contents,
}

/// Field order is the byte order.
#[derive(Zeroize, ZeroizeOnDrop, Serialize, Deserialize)]
struct Contents {
    /// Seed of the identity key (Ed25519, RFC 8032).
    identity_seed: [u8; 32],
    /// Seed of the sharing key (X-Wing, draft-connolly-cfrg-xwing-kem).
    sharing_seed: [u8; 32],
    /// Secret of the home space.
    home_secret: [u8; 32],
    /// Head of the home space when this keyring was made: a lower bound for a device without memory.
    #[zeroize(skip)]
    home_head: Option<LogHead>,
    /// The key that the relay issues credits with: the same for everybody, as this account was told when it was made.
    #[zeroize(skip)]
    issuing_key: [u8; 32],
    /// Day on which it was made: days since 1970-01-01 (UTC), by the clock of the device that made it.
    day: u32,
}

impl Keyring {
    /// The first keyring of an account, which pins the relay's issuing key.
    pub fn generate<R: CryptoRng + ?Sized>(issuing_key: [u8; 32], day: u32, rng: &mut R) -> Self {
        let contents = Contents {
            identity_seed: random(rng),
            sharing_seed: random(rng),
            home_secret: random(rng),
            home_head: None,
            issuing_key,
            day,
        };
        Self { version: 1, contents }
    }

    /// The keyring of the account under another master key, with a home space of its own, which begins empty.
    ///
    /// # Errors
    /// [`OpenError::Inconsistent`] if no version is left.
    pub fn rekeyed<R: CryptoRng + ?Sized>(&self, day: u32, rng: &mut R) -> Result<Self, OpenError> {
        let contents = Contents {
            identity_seed: self.contents.identity_seed,
            sharing_seed: random(rng),
            home_secret: random(rng),
            home_head: None,
            issuing_key: self.contents.issuing_key,
            day,
        };
        let version = self.version.checked_add(1).ok_or(OpenError::Inconsistent)?;
        Ok(Self { version, contents })
    }

    /// The same with the head of the home space that was made for it.
    #[must_use]
    pub fn with_home_head(mut self, head: LogHead) -> Self {
        self.contents.home_head = Some(head);
        self
    }

    /// Head of the home space when this keyring was made.
    #[must_use]
    pub const fn home_head(&self) -> Option<LogHead> {
        self.contents.home_head
    }

    /// The relay's issuing key, as it was pinned.
    #[must_use]
    pub const fn issuing_key(&self) -> &[u8; 32] {
        &self.contents.issuing_key
    }

    /// Day on which it was made: days since 1970-01-01 (UTC).
    #[must_use]
    pub const fn day(&self) -> u32 {
        self.contents.day
    }

    /// Seals what a device of this account remembers. It stays through a rekey, so that a device notices an older keyring after one, too.
    #[must_use]
    pub fn memory_key(&self) -> MemoryKey {
        MemoryKey::from_bytes(derive(&self.contents.identity_seed, labels::DEVICE_MEMORY_KEY, b""))
    }

    /// Counts up from 1 with each replacement.
    #[must_use]
    pub const fn version(&self) -> u64 {
        self.version
    }

    /// The keys of the account's home space.
    #[must_use]
    pub fn home_keys(&self) -> HomeKeys {
        let identity = IdentityKey::from_seed(&Zeroizing::new(self.contents.identity_seed));
        HomeKeys::new(identity, &self.contents.home_secret)
    }

    /// Seals it for the relay.
    ///
    /// # Errors
    /// As [`seal`].
    pub fn seal<R: CryptoRng + ?Sized>(
        &self,
        master: &MasterKey,
        relay: &OnionAddress,
        account: AccountId,
        rng: &mut R,
    ) -> Result<account::Keyring, OpenError> {
        let plaintext = pad_message(&self.contents, PLAINTEXT)?;
        let context = context(relay, account, self.version);
        let envelope = seal(Kind::Keyring, master.secret_bytes(), &context, &plaintext, rng)?;
        Ok(account::Keyring { version: self.version, envelope })
    }

    /// Opens what the relay returned.
    ///
    /// # Errors
    /// [`OpenError`] for anything but a keyring of this account, sealed with this master key under this version.
    pub fn open(
        sealed: &account::Keyring,
        master: &MasterKey,
        relay: &OnionAddress,
        account: AccountId,
    ) -> Result<Self, OpenError> {
        let context = context(relay, account, sealed.version);
        let plaintext = open(Kind::Keyring, master.secret_bytes(), &context, &sealed.envelope)?;
        let contents = unpad_message(&plaintext, PLAINTEXT)?;
        Ok(Self { version: sealed.version, contents })
    }
}

impl std::fmt::Debug for Keyring {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { version: _, contents: _ } = self;
        f.write_str("Keyring")
    }
}

fn context(relay: &OnionAddress, account: AccountId, version: u64) -> Context {
    Context::of(&[b"keyring", relay.as_str().as_bytes(), account.as_bytes(), &version.to_be_bytes()])
}

#[cfg(test)]
mod tests {
    use super::*;
    use nightdrop_wire::limits::MAX_KEYRING_ENVELOPE;

    #[test]
    fn a_rekeyed_one_keeps_the_identity_and_nothing_else() {
        let (old, master) = (Keyring::generate([6; 32], 1, &mut rand::rng()), MasterKey::from_bytes([2; 32]));
        let new = old.rekeyed(u32::MAX, &mut rand::rng()).unwrap();
        assert_eq!((new.version(), new.day(), new.home_head()), (2, u32::MAX, None));
        assert_eq!(old.memory_key().secret_bytes(), new.memory_key().secret_bytes());
        let (before, after) = (old.home_keys(), new.home_keys());
        assert_eq!(before.owner(), after.owner());
        assert_ne!(before.space(), after.space());
        assert_ne!(before.read_token().secret_bytes(), after.read_token().secret_bytes());
        assert_ne!(before.append_token().secret_bytes(), after.append_token().secret_bytes());
        assert_ne!(old.contents.sharing_seed, new.contents.sharing_seed);
        let mut last = Keyring::generate([6; 32], 1, &mut rand::rng());
        last.version = u64::MAX;
        assert!(last.rekeyed(1, &mut rand::rng()).is_err());
        // The largest there is fits.
        let relay = "2gzyxa5ihm7nsggfxnu52rck2vv4rvmdlkiu3zzui5du4xyclen53wid".parse().unwrap();
        let full = new.with_home_head(LogHead { count: u64::MAX, hash: [7; 32] });
        let account = AccountId::from_bytes([1; 10]);
        let sealed = full.seal(&master, &relay, account, &mut rand::rng()).unwrap();
        let opened = Keyring::open(&sealed, &master, &relay, account).unwrap();
        assert_eq!((opened.home_head(), opened.day()), (full.home_head(), u32::MAX));
        assert_eq!(opened.issuing_key(), &[6; 32], "it stays pinned");
    }

    #[test]
    fn m04_m28_opens_only_as_what_it_was_sealed_as() {
        let relay: OnionAddress = "2gzyxa5ihm7nsggfxnu52rck2vv4rvmdlkiu3zzui5du4xyclen53wid".parse().unwrap();
        let (account, master) = (AccountId::from_bytes([1; 10]), MasterKey::from_bytes([2; 32]));
        let keyring = Keyring::generate([6; 32], 20_000, &mut rand::rng());
        let sealed = keyring.seal(&master, &relay, account, &mut rand::rng()).unwrap();
        assert!(sealed.envelope.len() <= MAX_KEYRING_ENVELOPE);
        let opened = Keyring::open(&sealed, &master, &relay, account).unwrap();
        assert_eq!(opened.version(), 1);
        assert_eq!(opened.contents.identity_seed, keyring.contents.identity_seed);

        let second = keyring.rekeyed(2, &mut rand::rng()).unwrap();
        let second = second.seal(&master, &relay, account, &mut rand::rng()).unwrap();
        assert_eq!(Keyring::open(&second, &master, &relay, account).unwrap().version(), 2);

        let renumbered = account::Keyring { version: 2, ..sealed.clone() };
        assert_eq!(Keyring::open(&renumbered, &master, &relay, account).err(), Some(OpenError::WrongKey));
        let other = AccountId::from_bytes([9; 10]);
        assert_eq!(Keyring::open(&sealed, &master, &relay, other).err(), Some(OpenError::WrongKey));
        assert_eq!(format!("{keyring:?}"), "Keyring");
    }
}
