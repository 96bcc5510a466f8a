//! Names that come from somebody else: they stay where they are put, and look like what they are.

use crate::messages::canonical;
use nightdrop_envelope::{
    file_name::{FileName, MAX_BYTES},
    space::SpacePath,
};
use nightdrop_wire::codec;
use std::path::{Component, Path};

/// The input is tried as a file's name, as a path in a space, and as the encoded form of one.
pub(crate) fn name(input: &[u8]) -> bool {
    let encoded = canonical::<SpacePath>(input);
    let Ok(text) = std::str::from_utf8(input) else { return encoded };
    encoded | is_file_name(text) | is_path(text)
}

fn is_file_name(text: &str) -> bool {
    let Ok(name) = FileName::parse(text) else { return false };
    assert_eq!(name.as_str(), text);
    is_contained(text);
    assert_eq!(SpacePath::from(name.clone()).as_str(), text);
    let hidden_or_option = text.as_bytes().first().is_some_and(|first| b".-~".contains(first));
    assert_eq!(name.is_special(), hidden_or_option);
    true
}

fn is_path(text: &str) -> bool {
    let Ok(path) = SpacePath::parse(text) else { return false };
    let names: Vec<&str> = path.as_str().split('/').collect();
    names.iter().for_each(|name| is_contained(name));
    assert_eq!(Path::new(path.as_str()).components().count(), names.len());
    assert_eq!(Some(&path.file_name()), names.last());
    assert_eq!(SpacePath::parse(path.as_str()).as_ref(), Ok(&path));
    assert_eq!(SpacePath::parse(&format!("/{}/", path.as_str())).as_ref(), Ok(&path));
    let encoded = codec::encode(&path).unwrap();
    assert_eq!(codec::decode::<SpacePath>(&encoded).as_ref(), Ok(&path));
    if let Ok(below) = path.join(&FileName::parse("x").unwrap()) {
        assert!(below.is_below(&path) && !path.is_below(&below) && !path.is_below(&path));
        assert_eq!(below.file_name(), "x");
    }
    true
}

/// Asserts that a name is one component of a path, and shows as it is written.
pub(crate) fn is_contained(name: &str) {
    let mut components = Path::new(name).components();
    assert_eq!(components.next(), Some(Component::Normal(name.as_ref())), "{}", name.escape_debug());
    assert_eq!(components.next(), None, "{}", name.escape_debug());
    assert!(name.len() <= MAX_BYTES);
    assert!(!name.contains(['/', '\\', '\0']));
    assert!(!name.contains(char::is_control), "{}", name.escape_debug());
    // Unicode's property Bidi_Control.
    let reorders = |symbol| matches!(symbol, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    assert!(!name.contains(reorders), "{}", name.escape_debug());
}
