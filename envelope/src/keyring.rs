//! The keyring: the few long-lived secrets that the master key seals. All else lives in the home space.
//!
//! ```text
//! plaintext: length (4) ‖ postcard of Contents ‖ zeros, 512 bytes in all
//! ```
//! Its version is bound into the seal. A relay can still return an older pair of version and envelope; that is found by
//! comparing the version with what the device remembers.

use crate::{
    OpenError,
    context::Context,
    identity::IdentityKey,
    key::{MasterKey, random},
    padded::{pad, unpad},
    seal::{Kind, open, seal},
    space::HomeKeys,
};
use nightdrop_wire::{codec, ids::AccountId, messages::account, onion::OnionAddress};
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
    /// Last head of the home space that the account's devices agreed on: sequence number and hash.
    home_head: Option<(u64, [u8; 32])>,
}

impl Keyring {
    /// The first keyring of an account.
    pub fn generate<R: CryptoRng + ?Sized>(rng: &mut R) -> Self {
        let contents = Contents {
            identity_seed: random(rng),
            sharing_seed: random(rng),
            home_secret: random(rng),
            home_head: None,
        };
        Self { version: 1, contents }
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
        let body = Zeroizing::new(codec::encode(&self.contents).map_err(|_| OpenError::Malformed)?);
        let plaintext = pad(&body, PLAINTEXT)?;
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
        if plaintext.len() != PLAINTEXT {
            return Err(OpenError::Malformed);
        }
        let contents = codec::decode(unpad(&plaintext)?).map_err(|_| OpenError::Malformed)?;
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
    fn m04_m28_opens_only_as_what_it_was_sealed_as() {
        let relay: OnionAddress = "2gzyxa5ihm7nsggfxnu52rck2vv4rvmdlkiu3zzui5du4xyclen53wid".parse().unwrap();
        let (account, master) = (AccountId::from_bytes([1; 10]), MasterKey::from_bytes([2; 32]));
        let keyring = Keyring::generate(&mut rand::rng());
        let sealed = keyring.seal(&master, &relay, account, &mut rand::rng()).unwrap();
        assert!(sealed.envelope.len() <= MAX_KEYRING_ENVELOPE);
        let opened = Keyring::open(&sealed, &master, &relay, account).unwrap();
        assert_eq!(opened.version(), 1);
        assert_eq!(opened.contents.identity_seed, keyring.contents.identity_seed);

        let mut second = Keyring::generate(&mut rand::rng());
        second.version = 2;
        let second = second.seal(&master, &relay, account, &mut rand::rng()).unwrap();
        assert_eq!(Keyring::open(&second, &master, &relay, account).unwrap().version(), 2);

        let renumbered = account::Keyring { version: 2, ..sealed.clone() };
        assert_eq!(Keyring::open(&renumbered, &master, &relay, account).err(), Some(OpenError::WrongKey));
        let other = AccountId::from_bytes([9; 10]);
        assert_eq!(Keyring::open(&sealed, &master, &relay, other).err(), Some(OpenError::WrongKey));
        assert_eq!(format!("{keyring:?}"), "Keyring");
    }
}
