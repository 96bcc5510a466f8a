//! Keys and tokens of a space.

use crate::{
    capability::hash_token,
    derive::derive,
    identity::{Identity, IdentityKey},
};
use nightdrop_wire::{
    contexts,
    ids::SpaceId,
    labels,
    token::{Token, TokenHash},
};
use sha2::{Digest, Sha256};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

/// The epoch of every home: a rekeyed one is another space.
const FIRST_EPOCH: u32 = 0;

/// Everything that reads and writes the home space of an account: all of it comes from the keyring.
///
/// ```text
/// home secret ─HKDF→ random value of the first entry
///             ─HKDF→ epoch key ─HKDF→ entry key, read token
///             ─HKDF→ append token
///             ─HKDF→ key of the copy that a device keeps
/// space id = SHA-256("nightdrop/v1 space" ‖ owner's identity ‖ random value)
/// ```
#[derive(Clone)]
pub struct HomeKeys {
    pub(super) identity: IdentityKey,
    pub(super) entry_key: EntryKey,
    pub(super) copy_key: CopyKey,
    pub(super) random: [u8; 32],
    read_token: Token,
    append_token: Token,
    space: SpaceId,
}

/// Seals what a device copies of the state.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub(super) struct CopyKey(pub(super) [u8; 32]);

/// Seals the entries of one epoch.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub(super) struct EntryKey(pub(super) [u8; 32]);

impl HomeKeys {
    pub(crate) fn new(identity: IdentityKey, home_secret: &[u8; 32]) -> Self {
        let epoch = FIRST_EPOCH.to_be_bytes();
        let epoch_key: Zeroizing<[u8; 32]> =
            Zeroizing::new(derive(home_secret, labels::HOME_EPOCH_KEY, &epoch));
        let random = derive(home_secret, labels::HOME_RANDOM, b"");
        Self {
            copy_key: CopyKey(derive(home_secret, labels::HOME_COPY_KEY, b"")),
            entry_key: EntryKey(derive(epoch_key.as_slice(), labels::ENTRY_KEY, b"")),
            read_token: Token::from_bytes(derive(epoch_key.as_slice(), labels::SPACE_READ_TOKEN, b"")),
            append_token: Token::from_bytes(derive(home_secret, labels::HOME_APPEND_TOKEN, &epoch)),
            space: space_id(&identity.identity(), &random),
            random,
            identity,
        }
    }

    /// The space.
    #[must_use]
    pub const fn space(&self) -> SpaceId {
        self.space
    }

    /// Who owns it.
    #[must_use]
    pub fn owner(&self) -> Identity {
        self.identity.identity()
    }

    /// Reads the log.
    #[must_use]
    pub const fn read_token(&self) -> &Token {
        &self.read_token
    }

    /// Appends to the log.
    #[must_use]
    pub const fn append_token(&self) -> &Token {
        &self.append_token
    }

    /// What the relay gets to know of both tokens: read, append.
    #[must_use]
    pub fn token_hashes(&self) -> (TokenHash, TokenHash) {
        (hash_token(&self.read_token), hash_token(&self.append_token))
    }

    pub(super) const fn epoch() -> u32 {
        FIRST_EPOCH
    }
}

impl std::fmt::Debug for HomeKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            identity: _,
            entry_key: _,
            copy_key: _,
            random: _,
            read_token: _,
            append_token: _,
            space: _,
        } = self;
        f.write_str("HomeKeys")
    }
}

/// The id of the space whose first entry names this owner and this random value.
pub(super) fn space_id(owner: &Identity, random: &[u8; 32]) -> SpaceId {
    let mut hash = Sha256::new();
    hash.update(contexts::SPACE);
    hash.update(owner.as_bytes());
    hash.update(random);
    SpaceId::from_bytes(hash.finalize().into())
}
