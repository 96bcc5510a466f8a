//! Secrets to look for in what must not hold them, in every form that a program might have written them.

use memchr::memmem;
use nightdrop_wire::text;
use std::{fmt::Write, path::Path};

/// Named secrets, each in several forms.
#[derive(Debug, Default)]
pub struct Canaries {
    forms: Vec<(String, Vec<u8>)>,
}

impl Canaries {
    /// A secret that is bytes: looked for as they are, in hexadecimal and in the base32 of ids and tokens.
    pub fn add_bytes(&mut self, name: &str, secret: &[u8]) {
        let mut hex = String::new();
        for byte in secret {
            write!(hex, "{byte:02x}").unwrap();
        }
        self.add_form(name, "bytes", secret);
        self.add_form(name, "hex", hex.as_bytes());
        self.add_form(name, "base32", text::encode(secret).as_bytes());
    }

    /// A secret that is text: looked for as it is, and as UTF-16.
    pub fn add_text(&mut self, name: &str, secret: &str) {
        let wide: Vec<u8> = secret.encode_utf16().flat_map(u16::to_le_bytes).collect();
        self.add_form(name, "text", secret.as_bytes());
        self.add_form(name, "UTF-16", &wide);
    }

    fn add_form(&mut self, name: &str, form: &str, bytes: &[u8]) {
        assert!(bytes.len() >= 6, "{name} is so short that it may be found by chance");
        self.forms.push((format!("{name} as {form}"), bytes.to_owned()));
    }

    /// Every form, as bytes, for whoever plants them.
    pub fn forms(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.forms.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice()))
    }

    /// Which are in `haystack`.
    #[must_use]
    pub fn found_in(&self, haystack: &[u8]) -> Vec<String> {
        let found = self.forms.iter().filter(|(_, bytes)| memmem::find(haystack, bytes).is_some());
        found.map(|(name, _)| name.clone()).collect()
    }

    /// Which are in names or contents of files below `directory`.
    #[must_use]
    pub fn found_below(&self, directory: &Path) -> Vec<String> {
        let mut found = Vec::new();
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            found.extend(self.found_in(path.as_os_str().as_encoded_bytes()));
            if path.is_dir() {
                found.extend(self.found_below(&path));
            } else {
                found.extend(self.found_in(&std::fs::read(&path).unwrap()));
            }
        }
        found
    }
}
