//! What holds for any bytes.
//!
//! A [`Property`] is a function of bytes that panics if something does not hold: a decoder that panics, accepts two forms of one
//! value, opens what was altered, or lets a name out of its directory. Three callers share it: `make fuzz` (bytes that reach new
//! code), `tests/random.rs` (bytes and sequences at random, shrunk when one fails) and `tests/corpus.rs` (what the first two found
//! worth keeping, on every run).
//!
//! Most of what matters lies behind a seal that no fuzzer can forge. So a property also plays the author: it seals the bytes with
//! the right key, as whoever holds that key could, and decodes what comes out.
//!
//! A property is a function of its input alone: keys, nonces and ids come from [`Fixed`].
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "what does not hold panics: that is what a property is for"
)]

mod alteration;
mod contents;
mod entries;
mod fixed;
mod layouts;
mod logins;
mod manifests;
mod messages;
mod names;
mod relay;
mod requests;
mod seals;
mod texts;

pub use fixed::Fixed;

/// Something that holds for any bytes.
#[derive(Debug, Clone, Copy)]
pub struct Property {
    /// Name of its fuzz target and of its corpus.
    pub name: &'static str,
    /// Panics if it does not hold for the bytes. Tells whether they were accepted as what the property is about, so that a corpus
    /// can show that it reaches further than the first check.
    pub holds: fn(&[u8]) -> bool,
}

/// Every property.
pub const ALL: [Property; 13] = [
    Property { name: "message", holds: messages::message },
    Property { name: "request", holds: requests::request },
    Property { name: "text", holds: texts::text },
    Property { name: "copied_text", holds: texts::copied_text },
    Property { name: "envelope", holds: seals::envelope },
    Property { name: "chunk", holds: seals::chunk },
    Property { name: "manifest", holds: manifests::manifest },
    Property { name: "contents", holds: contents::contents },
    Property { name: "entries", holds: entries::entries },
    Property { name: "name", holds: names::name },
    Property { name: "layout", holds: layouts::layout },
    Property { name: "login", holds: logins::login },
    Property { name: "relay", holds: relay::relay },
];

/// The property of that name.
#[must_use]
pub fn named(name: &str) -> Option<Property> {
    ALL.into_iter().find(|property| property.name == name)
}
