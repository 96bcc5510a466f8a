//! The lying relay: an honest relay behind one lie at a time.
//!
//! ```text
//! client ⇄ LyingRelay ─ Lie::ask ─→ MemoryRelay
//!                     ←─ Lie::answer ─
//! ```
//! Three things make a lie an experiment, and a test does all three:
//! - without it the same run passes ([`Honest`]);
//! - with it the client gives the right error and leaves no file;
//! - with it a reader that lacks the check it aims at is fooled ([`naive`]), so that it is a lie and not a broken relay.
//!
//! A new attack is a type of its own in [`lies`] that implements [`Lie`], or [`lies::on`] around one that is there.
//! Nothing in the product knows of this module.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "what cannot be set up fails the test that wants it"
)]

mod answer;
mod asked;
mod canaries;
mod http;
mod known_file;
mod lie;
pub mod lies;
pub mod naive;
mod record;
mod relay;
mod stage;

pub use answer::{After, Answer, Length};
pub use asked::Asked;
pub use canaries::Canaries;
pub use http::{Exchange, speak};
pub use known_file::KnownFile;
pub use lie::{Honest, Lie};
pub use record::Heard;
pub use relay::LyingRelay;
pub use stage::{Gotten, Stage};
