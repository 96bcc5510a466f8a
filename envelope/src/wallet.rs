//! The credits that a device holds, drawn and not spent yet: sealed for its disk, and as long however many there are.
//!
//! ```text
//! plaintext: length (4) ‖ postcard of the credits ‖ zeros, 65,536 bytes in all
//! ```

use crate::{
    OpenError,
    context::Context,
    key::MemoryKey,
    padded::{pad_message, unpad_message},
    seal::{Kind, open, seal},
};
use nightdrop_wire::{ids::AccountId, messages::credit::Credit, onion::OnionAddress};
use rand::CryptoRng;

const PLAINTEXT: usize = 65_536;

/// Credits, oldest first.
#[derive(Debug, Default)]
pub struct Wallet {
    /// None of them was shown to anybody.
    pub credits: Vec<Credit>,
}

impl Wallet {
    /// Credits that it has room for.
    pub const MOST: usize = 949;

    /// Seals it for this device's disk.
    ///
    /// # Errors
    /// [`OpenError::Inconsistent`] with more than [`Self::MOST`]; as [`seal`].
    pub fn seal<R: CryptoRng + ?Sized>(
        &self,
        key: &MemoryKey,
        relay: &OnionAddress,
        account: AccountId,
        rng: &mut R,
    ) -> Result<Vec<u8>, OpenError> {
        let plaintext = pad_message(&self.credits, PLAINTEXT)?;
        seal(Kind::Wallet, key.secret_bytes(), &context(relay, account), &plaintext, rng)
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
        let plaintext = open(Kind::Wallet, key.secret_bytes(), &context(relay, account), sealed)?;
        let credits = unpad_message(&plaintext, PLAINTEXT)?;
        Ok(Self { credits })
    }
}

fn context(relay: &OnionAddress, account: AccountId) -> Context {
    Context::of(&[b"wallet", relay.as_str().as_bytes(), account.as_bytes()])
}

#[cfg(test)]
mod tests {
    use super::*;
    use nightdrop_wire::denomination::Denomination;

    fn wallet(count: usize) -> Wallet {
        Wallet {
            credits: (0..count)
                .map(|_| Credit::new(Denomination::Largest, u32::MAX, [0xff; 32], [0xff; 32]))
                .collect(),
        }
    }

    #[test]
    fn opens_for_its_account_only_and_is_as_long_however_much_it_holds() {
        let relay = "2gzyxa5ihm7nsggfxnu52rck2vv4rvmdlkiu3zzui5du4xyclen53wid".parse().unwrap();
        let (key, account) = (MemoryKey::from_bytes([2; 32]), AccountId::from_bytes([1; 10]));
        let seal = |count| wallet(count).seal(&key, &relay, account, &mut rand::rng());
        let full = seal(Wallet::MOST).unwrap();
        assert_eq!(full.len(), seal(0).unwrap().len());
        assert_eq!(seal(Wallet::MOST + 1).err(), Some(OpenError::Inconsistent));
        let opened = Wallet::open(&full, &key, &relay, account).unwrap();
        assert_eq!(opened.credits.len(), Wallet::MOST);
        assert!(opened.credits.iter().all(|credit| credit.nonce() == &[0xff; 32]));
        let other = AccountId::from_bytes([3; 10]);
        assert_eq!(Wallet::open(&full, &key, &relay, other).err(), Some(OpenError::WrongKey));
        assert_eq!(format!("{:?}", wallet(1)), "Wallet { credits: [Credit] }");
    }
}
