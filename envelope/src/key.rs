//! Symmetric keys, one type per use, so that a key cannot be used for what another is for.
//!
//! Each is 32 bytes, erased when dropped; `Debug` shows its name only and there is no `Display`.

use rand::CryptoRng;
use zeroize::{Zeroize, ZeroizeOnDrop};

macro_rules! secret_key {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Zeroize, ZeroizeOnDrop)]
        pub struct $name([u8; 32]);

        impl $name {
            /// The key with these bytes.
            #[must_use]
            pub const fn from_bytes(bytes: [u8; 32]) -> Self {
                Self(bytes)
            }

            /// Its bytes, to derive from or to seal.
            #[must_use]
            pub const fn secret_bytes(&self) -> &[u8; 32] {
                &self.0
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                let Self(_) = self;
                f.write_str(stringify!($name))
            }
        }
    };
}

secret_key!(
    /// Seals the master key, and nothing else. From the OPAQUE export key.
    EncryptionKey
);
secret_key!(
    /// Seals the keyring. Random, the same for the account's whole life until it is rekeyed.
    MasterKey
);
secret_key!(
    /// Seals what a device remembers. From the seed of the identity key.
    MemoryKey
);
secret_key!(
    /// Seals the master key for the holder of the recovery phrase.
    RecoveryKey
);
secret_key!(
    /// Root of one file: manifest key and chunk keys come from it. Random per file.
    FileKey
);
secret_key!(
    /// Seals one manifest. From the file key.
    ManifestKey
);
secret_key!(
    /// Seals what a ticket hands out. From the ticket root.
    TicketKey
);

secret_key!(
    /// A link's password after Argon2id, with the salt of its ticket.
    StretchedPassword
);

impl MasterKey {
    /// A new one.
    pub fn generate<R: CryptoRng + ?Sized>(rng: &mut R) -> Self {
        Self(random(rng))
    }
}

impl FileKey {
    /// A new one.
    pub fn generate<R: CryptoRng + ?Sized>(rng: &mut R) -> Self {
        Self(random(rng))
    }
}

/// `N` random bytes.
pub(crate) fn random<const N: usize, R: CryptoRng + ?Sized>(rng: &mut R) -> [u8; N] {
    let mut bytes = [0; N];
    rng.fill_bytes(&mut bytes);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_nothing() {
        assert_eq!(format!("{:?}", EncryptionKey::from_bytes([7; 32])), "EncryptionKey");
        assert_eq!(format!("{:?}", MasterKey::from_bytes([7; 32])), "MasterKey");
        assert_eq!(format!("{:?}", RecoveryKey::from_bytes([7; 32])), "RecoveryKey");
        assert_eq!(format!("{:?}", FileKey::from_bytes([7; 32])), "FileKey");
        assert_eq!(format!("{:?}", ManifestKey::from_bytes([7; 32])), "ManifestKey");
        assert_eq!(format!("{:?}", TicketKey::from_bytes([7; 32])), "TicketKey");
    }
}
