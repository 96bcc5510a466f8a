//! Text forms that people copy: a payload with a checksum, so that a wrong symbol is found before anything is sent.
//!
//! ```text
//! <prefix><relay: 56 symbols>/<base32 of: payload ‖ checksum (3)>
//! checksum = first bytes of SHA-256("prefix" ‖ relay ‖ payload)
//! ```
//!
//! It finds mistakes, not attacks: whoever can change the text can change the checksum.

use nightdrop_wire::{onion::OnionAddress, text};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

const CHECKSUM: usize = 3;

/// Why a pasted text is not what it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadText {
    /// It starts with something else.
    #[error("it does not start with {0}")]
    Prefix(&'static str),
    /// The part that names the relay is wrong.
    #[error("the relay's address in it is not an onion address")]
    Relay,
    /// Too short, too long, or with symbols that cannot occur.
    #[error("it is cut off, or a symbol in it is wrong")]
    Form,
    /// A symbol is wrong.
    #[error("a symbol in it is wrong (the checksum does not fit)")]
    Checksum,
    /// Made by a newer program.
    #[error("it was made by a newer version of Nightdrop")]
    Version,
}

/// The text of `payload` at `relay`.
pub(crate) fn to_text(prefix: &'static str, relay: &OnionAddress, payload: &[u8]) -> Zeroizing<String> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(payload.len() + CHECKSUM));
    bytes.extend_from_slice(payload);
    bytes.extend_from_slice(&checksum(prefix, relay, payload));
    Zeroizing::new(format!("{prefix}{}/{}", relay.label(), *Zeroizing::new(text::encode(&bytes))))
}

/// Relay and payload of a text; white space around it and upper case are forgiven.
pub(crate) fn from_text<const N: usize>(
    prefix: &'static str,
    text: &str,
) -> Result<(OnionAddress, Zeroizing<[u8; N]>), BadText> {
    let text = Zeroizing::new(text.trim().to_ascii_lowercase());
    let rest = text.strip_prefix(prefix).ok_or(BadText::Prefix(prefix))?;
    let (relay, code) = rest.split_once('/').ok_or(BadText::Form)?;
    // Alone it may have white space around it, here it stands in the midst of a text.
    if relay.contains(char::is_whitespace) {
        return Err(BadText::Relay);
    }
    let relay: OnionAddress = relay.parse().map_err(|_| BadText::Relay)?;
    if code.len() != ((N + CHECKSUM) * 8).div_ceil(5) {
        return Err(BadText::Form);
    }
    let bytes = Zeroizing::new(text::decode_typed(code).map_err(|_| BadText::Form)?);
    let (payload, sum) = bytes.split_last_chunk::<CHECKSUM>().ok_or(BadText::Form)?;
    if checksum(prefix, &relay, payload) != *sum {
        return Err(BadText::Checksum);
    }
    let payload: [u8; N] = payload.try_into().map_err(|_| BadText::Form)?;
    Ok((relay, Zeroizing::new(payload)))
}

fn checksum(prefix: &str, relay: &OnionAddress, payload: &[u8]) -> [u8; CHECKSUM] {
    let mut hash = Sha256::new();
    hash.update(prefix);
    hash.update(relay.label());
    hash.update(payload);
    let full: [u8; 32] = hash.finalize().into();
    let [a, b, c, ..] = full;
    [a, b, c]
}
