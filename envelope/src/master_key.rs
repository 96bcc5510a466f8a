//! The master key under the encryption key: 32 bytes that a change of the password seals again.

use crate::{
    OpenError,
    context::Context,
    derive::derive,
    key::{EncryptionKey, MasterKey},
    seal::{Kind, open, seal},
};
use nightdrop_wire::{ids::AccountId, labels, onion::OnionAddress};
use rand::CryptoRng;

/// The encryption key, from what OPAQUE exports (64 bytes).
#[must_use]
pub fn encryption_key(export_key: &[u8; 64]) -> EncryptionKey {
    EncryptionKey::from_bytes(derive(export_key, labels::ENCRYPTION_KEY, b""))
}

/// Seals the master key of an account.
///
/// # Errors
/// As [`seal`].
pub fn seal_master_key<R: CryptoRng + ?Sized>(
    master: &MasterKey,
    key: &EncryptionKey,
    relay: &OnionAddress,
    account: AccountId,
    rng: &mut R,
) -> Result<Vec<u8>, OpenError> {
    seal(Kind::MasterKey, key.secret_bytes(), &context(relay, account), master.secret_bytes(), rng)
}

/// Opens the master key that the relay returned.
///
/// # Errors
/// [`OpenError`] for anything but the master key that was sealed for this account with this key. The caller must stop
/// there: making a new key would hand the account to whoever altered the old one.
pub fn open_master_key(
    sealed: &[u8],
    key: &EncryptionKey,
    relay: &OnionAddress,
    account: AccountId,
) -> Result<MasterKey, OpenError> {
    let opened = open(Kind::MasterKey, key.secret_bytes(), &context(relay, account), sealed)?;
    let bytes = opened.as_slice().try_into().map_err(|_| OpenError::Malformed)?;
    Ok(MasterKey::from_bytes(bytes))
}

fn context(relay: &OnionAddress, account: AccountId) -> Context {
    Context::of(&[b"master key", relay.as_str().as_bytes(), account.as_bytes()])
}

#[cfg(test)]
mod tests {
    use super::*;
    use nightdrop_wire::limits::MASTER_KEY_ENVELOPE;

    #[test]
    fn m04_opens_only_for_its_account_and_key() {
        let relay: OnionAddress = "2gzyxa5ihm7nsggfxnu52rck2vv4rvmdlkiu3zzui5du4xyclen53wid".parse().unwrap();
        let account = AccountId::from_bytes([1; 10]);
        let key = encryption_key(&[3; 64]);
        let master = MasterKey::from_bytes([8; 32]);
        let sealed = seal_master_key(&master, &key, &relay, account, &mut rand::rng()).unwrap();
        assert_eq!(sealed.len(), MASTER_KEY_ENVELOPE);
        let opened = open_master_key(&sealed, &key, &relay, account).unwrap();
        assert_eq!(opened.secret_bytes(), master.secret_bytes());
        let other = AccountId::from_bytes([2; 10]);
        assert_eq!(open_master_key(&sealed, &key, &relay, other).err(), Some(OpenError::WrongKey));
        let other = encryption_key(&[4; 64]);
        assert_eq!(open_master_key(&sealed, &other, &relay, account).err(), Some(OpenError::WrongKey));
    }
}
