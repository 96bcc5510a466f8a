//! The recovery phrase: 24 words (BIP-39, English) of 256 random bits, and what comes from it.
//!
//! ```text
//! entropy ─HKDF→ recovery id      where the relay keeps the envelope
//!         ─HKDF→ recovery token   authorizes a new password
//!         ─HKDF→ recovery key     seals master key (32) ‖ account id (10)
//! ```
//! The relay's address goes into each, so that one phrase used at two relays gives nothing to link them by.

use crate::{
    OpenError,
    context::Context,
    derive::derive,
    key::{MasterKey, RecoveryKey, random},
    seal::{Kind, open, seal},
};
use bip39::{Language, Mnemonic};
use nightdrop_wire::{
    ids::{AccountId, RecoveryId},
    labels,
    onion::OnionAddress,
    token::Token,
};
use rand::CryptoRng;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

const ENTROPY: usize = 32;
/// Words of a phrase.
pub const WORDS: usize = 24;

/// The phrase. Erased when dropped; `Debug` shows nothing.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct RecoveryPhrase([u8; ENTROPY]);

/// Why a typed phrase is not one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadPhrase {
    /// Not 24 words.
    #[error("a recovery phrase has {WORDS} words, this one has {0}")]
    WordCount(usize),
    /// A word that is not on the list.
    #[error("word {0} is not on the list of recovery words")]
    UnknownWord(usize),
    /// All words are on the list, but not these in this order.
    #[error("the words are known, but one is wrong or two are swapped (the checksum does not fit)")]
    Checksum,
}

impl RecoveryPhrase {
    /// A new one.
    pub fn generate<R: CryptoRng + ?Sized>(rng: &mut R) -> Self {
        Self(random(rng))
    }

    /// The words, to show once.
    ///
    /// # Errors
    /// [`BadPhrase::Checksum`] never happens: any 256 bits have a phrase.
    pub fn secret_words(&self) -> Result<Zeroizing<String>, BadPhrase> {
        let mnemonic =
            Mnemonic::from_entropy_in(Language::English, &self.0).map_err(|_| BadPhrase::Checksum)?;
        let mut words = Zeroizing::new(String::with_capacity(WORDS * 9));
        for word in mnemonic.words() {
            if !words.is_empty() {
                words.push(' ');
            }
            words.push_str(word);
        }
        Ok(words)
    }

    /// Parses typed words; case and white space are forgiven.
    ///
    /// # Errors
    /// [`BadPhrase`], with the number of the wrong word where it can be told.
    pub fn from_words(words: &str) -> Result<Self, BadPhrase> {
        let words = Zeroizing::new(words.trim().to_lowercase());
        let count = words.split_whitespace().count();
        if count != WORDS {
            return Err(BadPhrase::WordCount(count));
        }
        let mnemonic =
            Mnemonic::parse_in_normalized(Language::English, &words).map_err(|error| match error {
                bip39::Error::UnknownWord(index) => BadPhrase::UnknownWord(index + 1),
                _ => BadPhrase::Checksum,
            })?;
        let entropy = Zeroizing::new(mnemonic.to_entropy());
        entropy.as_slice().try_into().map(Self).map_err(|_| BadPhrase::Checksum)
    }

    /// Where the relay keeps the recovery envelope.
    #[must_use]
    pub fn id(&self, relay: &OnionAddress) -> RecoveryId {
        RecoveryId::from_bytes(derive(&self.0, labels::RECOVERY_ID, relay.as_str().as_bytes()))
    }

    /// What authorizes a new password.
    #[must_use]
    pub fn token(&self, relay: &OnionAddress) -> Token {
        Token::from_bytes(derive(&self.0, labels::RECOVERY_TOKEN, relay.as_str().as_bytes()))
    }

    fn key(&self, relay: &OnionAddress) -> RecoveryKey {
        RecoveryKey::from_bytes(derive(&self.0, labels::RECOVERY_KEY, relay.as_str().as_bytes()))
    }

    /// Seals what the phrase gives back.
    ///
    /// # Errors
    /// As [`seal`].
    pub fn seal<R: CryptoRng + ?Sized>(
        &self,
        master: &MasterKey,
        account: AccountId,
        relay: &OnionAddress,
        rng: &mut R,
    ) -> Result<Vec<u8>, OpenError> {
        let mut contents = Zeroizing::new(Vec::with_capacity(32 + AccountId::LENGTH));
        contents.extend_from_slice(master.secret_bytes());
        contents.extend_from_slice(account.as_bytes());
        seal(Kind::Recovery, self.key(relay).secret_bytes(), &self.context(relay), &contents, rng)
    }

    /// Opens the recovery envelope that the relay returned.
    ///
    /// # Errors
    /// [`OpenError`] for anything but the envelope that was sealed with this phrase for this relay.
    pub fn open(&self, sealed: &[u8], relay: &OnionAddress) -> Result<(MasterKey, AccountId), OpenError> {
        let opened = open(Kind::Recovery, self.key(relay).secret_bytes(), &self.context(relay), sealed)?;
        let (master, account) = opened.split_first_chunk::<32>().ok_or(OpenError::Malformed)?;
        let account = account.try_into().map_err(|_| OpenError::Malformed)?;
        Ok((MasterKey::from_bytes(*master), AccountId::from_bytes(account)))
    }

    fn context(&self, relay: &OnionAddress) -> Context {
        Context::of(&[b"recovery", relay.as_str().as_bytes(), self.id(relay).as_bytes()])
    }
}

impl std::fmt::Debug for RecoveryPhrase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self(_) = self;
        f.write_str("RecoveryPhrase")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn relay() -> OnionAddress {
        "2gzyxa5ihm7nsggfxnu52rck2vv4rvmdlkiu3zzui5du4xyclen53wid".parse().unwrap()
    }

    /// The last vector of BIP-39 for 256 bits of ones.
    #[test]
    fn bip39_vector() {
        let words = RecoveryPhrase([0xff; 32]).secret_words().unwrap();
        assert!(words.starts_with("zoo zoo zoo") && words.ends_with("zoo vote"));
        assert_eq!(words.split(' ').count(), WORDS);
    }

    #[test]
    fn words_round_trip_and_mistakes_are_named() {
        let phrase = RecoveryPhrase::generate(&mut rand::rng());
        let words = phrase.secret_words().unwrap();
        let typed = format!(" {}\n", words.to_uppercase().replace(' ', "  "));
        assert_eq!(RecoveryPhrase::from_words(&typed).unwrap().0, phrase.0);
        let mut wrong: Vec<&str> = words.split(' ').collect();
        wrong[4] = "nightdrop";
        assert_eq!(RecoveryPhrase::from_words(&wrong.join(" ")).err(), Some(BadPhrase::UnknownWord(5)));
        wrong.pop();
        assert_eq!(RecoveryPhrase::from_words(&wrong.join(" ")).err(), Some(BadPhrase::WordCount(23)));
        let repeated = ["abandon"; 24].join(" ");
        assert_eq!(RecoveryPhrase::from_words(&repeated).err(), Some(BadPhrase::Checksum));
        assert_eq!(format!("{phrase:?}"), "RecoveryPhrase");
    }

    #[test]
    fn gives_back_master_key_and_account() {
        let phrase = RecoveryPhrase::generate(&mut rand::rng());
        let (master, account) = (MasterKey::from_bytes([6; 32]), AccountId::from_bytes([7; 10]));
        let sealed = phrase.seal(&master, account, &relay(), &mut rand::rng()).unwrap();
        let (opened, found) = phrase.open(&sealed, &relay()).unwrap();
        assert_eq!((opened.secret_bytes(), found), (master.secret_bytes(), account));
        let other = RecoveryPhrase::generate(&mut rand::rng());
        assert_eq!(other.open(&sealed, &relay()).err(), Some(OpenError::WrongKey));
    }

    #[test]
    fn two_relays_see_nothing_in_common() {
        let phrase = RecoveryPhrase([1; 32]);
        let other = "duckduckgogg42xjoc72x3sjasowoarfbgcmvfimaftt6twagswzczad".parse().unwrap();
        assert_ne!(phrase.id(&relay()), phrase.id(&other));
        assert_ne!(phrase.token(&relay()).secret_bytes(), phrase.token(&other).secret_bytes());
    }
}
