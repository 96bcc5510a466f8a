//! Texts that people copy and paste: base32, addresses, tokens, links, account codes, recovery phrases.

use crate::{Fixed, alteration::altered};
use nightdrop_envelope::{
    account_code::AccountCode, link::FileLink, recovery::RecoveryPhrase, ticket::TicketSecret,
};
use nightdrop_wire::{
    ids::{AccountId, BlobId, SpaceId},
    onion::OnionAddress,
    text,
    token::Token,
};

pub(crate) const RELAY: &str = "2gzyxa5ihm7nsggfxnu52rck2vv4rvmdlkiu3zzui5du4xyclen53wid";

pub(crate) fn relay_address() -> OnionAddress {
    RELAY.parse().unwrap()
}

/// Any text is tried as everything that is read from text. What a program wrote has one form; what a person types is brought to it.
pub(crate) fn text(input: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(input) else { return false };
    base32(text)
        | written::<AccountId>(text)
        | written::<BlobId>(text)
        | written::<SpaceId>(text)
        | address(text)
        | token(text)
        | is_link(text)
        | is_account_code(text)
        | is_phrase(text)
}

/// The first byte chooses link, code or phrase; it is made of the next bytes, edited as the last ones say, and read.
pub(crate) fn copied_text(input: &[u8]) -> bool {
    let Some((which, rest)) = input.split_first() else { return false };
    let Some((bytes, edits)) = rest.split_first_chunk::<32>() else { return false };
    let (good, read): (_, fn(&str) -> bool) = match which % 3 {
        0 => {
            let mut envelope = [0; 16];
            envelope.copy_from_slice(&bytes[16..]);
            let secret = TicketSecret::from_bytes(*bytes);
            let (needs_password, counts_downloads) = (which & 4 != 0, which & 8 != 0);
            let relay = relay_address();
            let link = FileLink { relay, secret, envelope, needs_password, counts_downloads };
            (link.secret_text(), is_link)
        }
        1 => {
            let mut rng = Fixed::new(u32::from(bytes[0]));
            (AccountCode::generate(relay_address(), &mut rng).secret_text(), is_account_code)
        }
        _ => {
            let phrase = RecoveryPhrase::generate(&mut Fixed::new(u32::from(bytes[0])));
            (phrase.secret_words().unwrap(), is_phrase)
        }
    };
    assert!(read(&good), "what was written is not read");
    let bad = altered(good.as_bytes(), edits);
    std::str::from_utf8(&bad).is_ok_and(read)
}

fn base32(text: &str) -> bool {
    let Ok(bytes) = text::decode_typed(text) else {
        assert!(text::decode(text).is_err(), "the strict reader accepts what the forgiving one refuses");
        return false;
    };
    let canonical = text::encode(&bytes);
    assert_eq!(text::decode(&canonical), Ok(bytes.clone()));
    match text::decode(text) {
        Ok(strict) => assert!(strict == bytes && canonical == text, "two forms of one value"),
        Err(_) => assert_ne!(canonical, text),
    }
    true
}

fn written<T: std::str::FromStr + ToString>(text: &str) -> bool {
    let Ok(value) = text.parse::<T>() else { return false };
    assert_eq!(value.to_string(), text, "two forms of one value");
    true
}

fn address(text: &str) -> bool {
    let Ok(address) = text.parse::<OnionAddress>() else {
        assert!(OnionAddress::try_from(text.to_owned()).is_err());
        return false;
    };
    assert_eq!(address.as_str(), format!("{}.onion", address.label()));
    assert_eq!(address.label().len(), OnionAddress::LABEL_LENGTH);
    for form in [address.as_str(), address.label()] {
        assert_eq!(form.parse().as_ref(), Ok(&address));
    }
    assert_eq!(OnionAddress::try_from(text.to_owned()).is_ok(), text == address.as_str());
    true
}

fn token(text: &str) -> bool {
    let Ok(token) = Token::from_typed_text(text) else {
        assert!(Token::from_text(text).is_err());
        return false;
    };
    let canonical = token.secret_text();
    assert_eq!(Token::from_text(&canonical).unwrap().secret_bytes(), token.secret_bytes());
    assert_eq!(Token::from_text(text).is_ok(), *canonical == text);
    true
}

fn is_link(text: &str) -> bool {
    let Ok(link) = FileLink::from_text(text) else { return false };
    let printed = link.secret_text();
    let again = FileLink::from_text(&printed).unwrap();
    assert_eq!(again.secret_text(), printed);
    assert_eq!((&again.relay, again.envelope), (&link.relay, link.envelope));
    let flags = |link: &FileLink| (link.needs_password, link.counts_downloads);
    assert_eq!(flags(&again), flags(&link));
    assert_eq!(again.secret.secret_bytes(), link.secret.secret_bytes());
    assert_eq!(forgiven(text), *printed);
    true
}

fn is_account_code(text: &str) -> bool {
    let Ok(code) = AccountCode::from_text(text) else { return false };
    let printed = code.secret_text();
    let again = AccountCode::from_text(&printed).unwrap();
    assert_eq!(again.secret_text(), printed);
    assert_eq!((again.relay(), again.account()), (code.relay(), code.account()));
    assert_eq!(again.secret_account_key(), code.secret_account_key());
    assert_eq!(forgiven(text), *printed);
    true
}

/// A pasted text without what is forgiven: white space around it, upper case, and mistaken symbols behind the relay's name.
fn forgiven(text: &str) -> String {
    let text = text.trim().to_ascii_lowercase();
    let (place, code) = text.rsplit_once('/').unwrap();
    let code: String = code
        .chars()
        .map(|symbol| match symbol {
            'o' => '0',
            'i' | 'l' => '1',
            other => other,
        })
        .collect();
    format!("{place}/{code}")
}

fn is_phrase(text: &str) -> bool {
    let Ok(phrase) = RecoveryPhrase::from_words(text) else { return false };
    let words = phrase.secret_words().unwrap();
    let typed: Vec<String> = text.split_whitespace().map(str::to_lowercase).collect();
    assert_eq!(*words, typed.join(" "));
    assert_eq!(RecoveryPhrase::from_words(&words).unwrap().secret_words().as_ref(), Ok(&words));
    true
}
