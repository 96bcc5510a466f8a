//! The relay's address as text.

use serde::{Deserialize, Serialize};

/// The address of a version 3 onion service: 56 symbols of RFC 4648 base32, lower case, then `.onion`.
///
/// Only the form is checked here; the transport checks the checksum that is part of the address (Tor's
/// rend-spec-v3, section 6) when it connects.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct OnionAddress(String);

/// The text is not a version 3 onion address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an onion address: 56 letters and digits, then .onion, are expected")]
pub struct NotAnOnionAddress;

impl OnionAddress {
    /// Symbols before `.onion`.
    pub const LABEL_LENGTH: usize = 56;

    /// The whole name, with `.onion`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The 56 symbols before `.onion`, as links and account codes carry them.
    #[must_use]
    pub fn label(&self) -> &str {
        self.0.trim_end_matches(".onion")
    }
}

impl std::str::FromStr for OnionAddress {
    type Err = NotAnOnionAddress;

    /// Accepts the name with or without `.onion`, in either case, with white space around it.
    fn from_str(text: &str) -> Result<Self, NotAnOnionAddress> {
        let name = text.trim().to_ascii_lowercase();
        let label = name.strip_suffix(".onion").unwrap_or(&name);
        let well_formed = label.len() == Self::LABEL_LENGTH
            && label.bytes().all(|symbol| matches!(symbol, b'a'..=b'z' | b'2'..=b'7'))
            // The last byte of an address is its version, 3, whose five low bits are `d`.
            && label.ends_with('d');
        if well_formed { Ok(Self(format!("{label}.onion"))) } else { Err(NotAnOnionAddress) }
    }
}

impl TryFrom<String> for OnionAddress {
    type Error = NotAnOnionAddress;

    fn try_from(text: String) -> Result<Self, NotAnOnionAddress> {
        let address: Self = text.parse()?;
        // On the wire and on disk only the canonical form counts.
        if address.0 == text { Ok(address) } else { Err(NotAnOnionAddress) }
    }
}

impl From<OnionAddress> for String {
    fn from(address: OnionAddress) -> Self {
        address.0
    }
}

impl std::fmt::Display for OnionAddress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// An onion address tells who is spoken to, so it stays out of logs.
impl std::fmt::Debug for OnionAddress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("OnionAddress")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LABEL: &str = "2gzyxa5ihm7nsggfxnu52rck2vv4rvmdlkiu3zzui5du4xyclen53wid";

    #[test]
    fn forms_that_people_paste_are_accepted() -> Result<(), NotAnOnionAddress> {
        let address: OnionAddress = LABEL.parse()?;
        assert_eq!(address.as_str(), format!("{LABEL}.onion"));
        assert_eq!(address.label(), LABEL);
        assert_eq!(format!(" {}.ONION\n", LABEL.to_uppercase()).parse::<OnionAddress>()?, address);
        Ok(())
    }

    #[test]
    fn other_texts_are_refused() {
        for text in [
            "",
            "example.onion",
            &LABEL[1..],
            &format!("{}a", &LABEL[..55]),
            &format!("{LABEL}.onion.example"),
        ] {
            assert_eq!(text.parse::<OnionAddress>(), Err(NotAnOnionAddress), "{text}");
        }
        assert!(OnionAddress::try_from(LABEL.to_owned()).is_err(), "on the wire the suffix is required");
    }
}
