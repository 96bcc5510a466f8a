//! The link to one file: what its owner hands to whoever is to read it, without an account.
//!
//! ```text
//! nightdrop:file/<relay: 56 symbols>/<base32 of:>
//! version and flags (1) ‖ ticket secret (32) ‖ digest of the ticket's envelope (16) ‖ checksum (3)
//!
//!  7   6   5   4   3   2   1        0
//! ┌───────────────┬───────┬────────┬──────────┐
//! │ version, 1    │ 0   0 │ counts │ password │
//! └───────────────┴───────┴────────┴──────────┘
//! ```
//! `password`: the ticket's root needs a password. `counts`: each download is counted, and needs a claim. The flags say what to ask
//! for; whoever changes one gets a link to a ticket that does not exist, or that refuses.

pub use crate::checksum::BadText;
use crate::{
    checksum,
    ticket::{DIGEST, EnvelopeDigest, TicketSecret},
};
use nightdrop_wire::onion::OnionAddress;
use zeroize::Zeroizing;

/// How every link begins, of whatever kind.
pub const SCHEME: &str = "nightdrop:";
/// How every link to a file begins.
pub const PREFIX: &str = "nightdrop:file/";
const VERSION: u8 = 1 << 4;
const PASSWORD_FLAG: u8 = 1;
const COUNTS_FLAG: u8 = 2;
const PAYLOAD: usize = 1 + TicketSecret::LENGTH + DIGEST;

/// A parsed link. It is a secret: who has it can read the file. `Debug` shows nothing.
pub struct FileLink {
    /// Where the file is.
    pub relay: OnionAddress,
    /// What gives id, token and key of the ticket.
    pub secret: TicketSecret,
    /// Binds the ticket's envelope.
    pub envelope: EnvelopeDigest,
    /// Whether the secret alone does not give them.
    pub needs_password: bool,
    /// Whether each download needs a claim.
    pub counts_downloads: bool,
}

impl FileLink {
    /// Its text form.
    #[must_use]
    pub fn secret_text(&self) -> Zeroizing<String> {
        let mut payload = Zeroizing::new(Vec::with_capacity(PAYLOAD));
        let flag = |set: bool, flag: u8| if set { flag } else { 0 };
        let flags = flag(self.needs_password, PASSWORD_FLAG) | flag(self.counts_downloads, COUNTS_FLAG);
        payload.push(VERSION | flags);
        payload.extend_from_slice(self.secret.secret_bytes());
        payload.extend_from_slice(&self.envelope);
        checksum::to_text(PREFIX, &self.relay, &payload)
    }

    /// Parses a text that was pasted.
    ///
    /// # Errors
    /// [`BadText`]: nothing is sent anywhere for a link that fails here.
    pub fn from_text(text: &str) -> Result<Self, BadText> {
        let (relay, payload) = checksum::from_text::<PAYLOAD>(PREFIX, text)?;
        let (&[flags], rest) = payload.split_first_chunk::<1>().ok_or(BadText::Form)?;
        if flags & !(PASSWORD_FLAG | COUNTS_FLAG) != VERSION {
            return Err(BadText::Version);
        }
        let (secret, digest) = rest.split_first_chunk().ok_or(BadText::Form)?;
        let envelope = digest.try_into().map_err(|_| BadText::Form)?;
        Ok(Self {
            relay,
            secret: TicketSecret::from_bytes(*secret),
            envelope,
            needs_password: flags & PASSWORD_FLAG != 0,
            counts_downloads: flags & COUNTS_FLAG != 0,
        })
    }
}

impl std::fmt::Debug for FileLink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { relay: _, secret: _, envelope: _, needs_password: _, counts_downloads: _ } = self;
        f.write_str("FileLink")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link() -> FileLink {
        FileLink {
            relay: "2gzyxa5ihm7nsggfxnu52rck2vv4rvmdlkiu3zzui5du4xyclen53wid".parse().unwrap(),
            secret: TicketSecret::from_bytes([3; 32]),
            envelope: [4; 16],
            needs_password: false,
            counts_downloads: false,
        }
    }

    #[test]
    fn survives_pasting_with_white_space_and_in_upper_case() {
        let text = link().secret_text();
        assert!(!text.contains(['#', ' ']));
        for pasted in [text.to_string(), format!(" \n{}\r\n", *text), text.to_uppercase()] {
            assert_eq!(FileLink::from_text(&pasted).unwrap().secret_text(), text);
        }
        assert_eq!(format!("{:?}", link()), "FileLink");
    }

    #[test]
    fn one_wrong_symbol_or_another_length_is_found() {
        let text = link().secret_text();
        for position in 0..text.len() {
            let mut wrong = text.as_bytes().to_vec();
            wrong[position] = if wrong[position] == b'5' { b'6' } else { b'5' };
            assert!(FileLink::from_text(&String::from_utf8(wrong).unwrap()).is_err());
            assert!(FileLink::from_text(&text[..position]).is_err());
        }
        assert!(FileLink::from_text(&format!("{}0", *text)).is_err());
    }

    #[test]
    fn flags_are_kept_and_others_are_said_to_be_newer() {
        for (needs_password, counts_downloads) in [(false, false), (false, true), (true, false), (true, true)]
        {
            let text = FileLink { needs_password, counts_downloads, ..link() }.secret_text();
            let parsed = FileLink::from_text(&text).unwrap();
            assert_eq!((parsed.needs_password, parsed.counts_downloads), (needs_password, counts_downloads));
            assert_eq!(parsed.secret_text(), text);
        }
        let with_flags = |flags: u8| {
            let mut payload = [0; PAYLOAD];
            payload[0] = flags;
            FileLink::from_text(&checksum::to_text(PREFIX, &link().relay, &payload)).err()
        };
        for flags in 0..=u8::MAX {
            let known = (VERSION..VERSION + 4).contains(&flags);
            assert_eq!(with_flags(flags), (!known).then_some(BadText::Version), "{flags:#010b}");
        }
    }
}
