//! The account code: what a person keeps to log in on another device, beside the password.
//!
//! ```text
//! nightdrop:account/<relay: 56 symbols>/<base32 of:>
//! version (1) ‖ account id (10) ‖ account key (16) ‖ checksum (3)
//! ```

pub use crate::checksum::BadText;
use crate::{checksum, key::random};
use nightdrop_wire::{ids::AccountId, onion::OnionAddress};
use rand::CryptoRng;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

const PREFIX: &str = "nightdrop:account/";
const VERSION: u8 = 1;
const ACCOUNT_KEY: usize = 16;
const PAYLOAD: usize = 1 + AccountId::LENGTH + ACCOUNT_KEY;

/// Relay, account id and account key. The account key is a secret; `Debug` shows nothing.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct AccountCode {
    #[zeroize(skip)]
    relay: OnionAddress,
    #[zeroize(skip)]
    account: AccountId,
    account_key: [u8; ACCOUNT_KEY],
}

impl AccountCode {
    /// The code of a new account at `relay`.
    pub fn generate<R: CryptoRng + ?Sized>(relay: OnionAddress, rng: &mut R) -> Self {
        Self { relay, account: AccountId::from_bytes(random(rng)), account_key: random(rng) }
    }

    /// The same code for another account id: for an account that is found only after its code's key was needed.
    #[must_use]
    pub fn of_account(mut self, account: AccountId) -> Self {
        self.account = account;
        self
    }

    /// Where the account is.
    #[must_use]
    pub const fn relay(&self) -> &OnionAddress {
        &self.relay
    }

    /// Its id.
    #[must_use]
    pub const fn account(&self) -> AccountId {
        self.account
    }

    /// The key that is mixed into the password.
    #[must_use]
    pub const fn secret_account_key(&self) -> &[u8; ACCOUNT_KEY] {
        &self.account_key
    }

    /// Its text form.
    #[must_use]
    pub fn secret_text(&self) -> Zeroizing<String> {
        let mut payload = Zeroizing::new(Vec::with_capacity(PAYLOAD));
        payload.push(VERSION);
        payload.extend_from_slice(self.account.as_bytes());
        payload.extend_from_slice(&self.account_key);
        checksum::to_text(PREFIX, &self.relay, &payload)
    }

    /// Parses a text that was typed or pasted.
    ///
    /// # Errors
    /// [`BadText`]: nothing is sent anywhere for a code that fails here.
    pub fn from_text(text: &str) -> Result<Self, BadText> {
        let (relay, payload) = checksum::from_text::<PAYLOAD>(PREFIX, text)?;
        let (&[version], rest) = payload.split_first_chunk::<1>().ok_or(BadText::Form)?;
        if version != VERSION {
            return Err(BadText::Version);
        }
        let (account, key) = rest.split_first_chunk::<{ AccountId::LENGTH }>().ok_or(BadText::Form)?;
        let account_key = key.try_into().map_err(|_| BadText::Form)?;
        Ok(Self { relay, account: AccountId::from_bytes(*account), account_key })
    }
}

impl std::fmt::Debug for AccountCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { relay: _, account: _, account_key: _ } = self;
        f.write_str("AccountCode")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code() -> AccountCode {
        let relay = "2gzyxa5ihm7nsggfxnu52rck2vv4rvmdlkiu3zzui5du4xyclen53wid".parse().unwrap();
        AccountCode { relay, account: AccountId::from_bytes([1; 10]), account_key: [2; 16] }
    }

    #[test]
    fn text_round_trips_however_it_is_pasted() {
        let text = code().secret_text();
        for pasted in [text.to_string(), format!("\n  {}\t", *text), text.to_uppercase()] {
            let parsed = AccountCode::from_text(&pasted).unwrap();
            assert_eq!(parsed.secret_text(), text);
        }
        assert_eq!(format!("{:?}", code()), "AccountCode");
    }

    /// Refused, or read as the very same code, because what was typed is forgiven.
    fn is_harmless(typed: &str) -> bool {
        AccountCode::from_text(typed).map_or(true, |read| read.secret_text() == code().secret_text())
    }

    #[test]
    fn one_wrong_symbol_anywhere_is_found() {
        let text = code().secret_text();
        let mut refused = 0;
        for position in 0..text.len() {
            for symbol in (b' '..=b'~').map(char::from) {
                let mut wrong = text.to_string();
                wrong.replace_range(position..=position, symbol.encode_utf8(&mut [0; 4]));
                assert!(is_harmless(&wrong), "{wrong}");
                refused += usize::from(AccountCode::from_text(&wrong).is_err());
            }
        }
        assert!(refused > text.len() * 90, "almost all of them are refused: {refused}");
    }

    #[test]
    fn symbols_in_the_wrong_order_are_found() {
        let text = code().secret_text();
        for position in 1..text.len() {
            let mut wrong = text.as_bytes().to_vec();
            wrong.swap(position - 1, position);
            let same = *wrong == *text.as_bytes();
            let parsed = AccountCode::from_text(&String::from_utf8(wrong).unwrap());
            assert_eq!(parsed.is_ok(), same, "{position}");
        }
    }

    #[test]
    fn a_missing_or_added_symbol_is_found() {
        let text = code().secret_text();
        for position in 0..text.len() {
            let mut shorter = text.to_string();
            shorter.remove(position);
            assert!(AccountCode::from_text(&shorter).is_err(), "{shorter}");
        }
        for position in 1..text.len() {
            for symbol in ('0'..='9').chain('a'..='z').chain(['/', ':', '-', ' ']) {
                let mut longer = text.to_string();
                longer.insert(position, symbol);
                // White space that pasting brings changes nothing.
                let harmless = |code: AccountCode| symbol == ' ' && *code.secret_text() == *text;
                assert!(AccountCode::from_text(&longer).map_or(true, harmless), "{longer}");
            }
        }
        for length in 0..text.len() {
            assert!(AccountCode::from_text(&text[..length]).is_err());
        }
    }

    #[test]
    fn a_newer_version_is_said_to_be_one() {
        let newer = checksum::to_text(PREFIX, code().relay(), &[2; PAYLOAD]);
        assert_eq!(AccountCode::from_text(&newer).err(), Some(BadText::Version));
    }
}
