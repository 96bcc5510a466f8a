//! Credits pay for what is stored. They are blind tokens: the relay that spends one cannot tell which account drew it.
//!
//! One suite, fixed here and never negotiated: the POPRF of RFC 9497 over ristretto255 with SHA-512.
//!
//! ```text
//! client  nonce (32, random) for each credit
//!         --  expires, blinded elements (32 each)       -->  relay   on the account plane, against the account's quota
//!         <--  evaluated elements (32 each), proof (64)  --  relay   the client checks the proof against the pinned key
//!         credit = expires ‖ nonce ‖ mark,  mark = first 32 bytes of POPRF(key; input = nonce, info)
//! later   --  credit                                     -->  relay   on the data plane: it computes the same mark, and remembers SHA-256(nonce)
//!
//! info = "nightdrop/v1 credit" ‖ expires (4, big-endian)
//! ```
//! What the proof (DLEQ) shows is that all credits are made with one key, the pinned one, and not with another for each account, by which they
//! could be told apart. For the same reason a credit's last day is that of a whole week, the client says which, and the relay may only refuse
//! ([`good_until`]).
//!
//! This crate does no IO; randomness and the day are parameters.
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    forbid(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::unreachable,
        clippy::todo,
        clippy::unimplemented,
        clippy::indexing_slicing,
        clippy::string_slice,
        clippy::get_unwrap
    )
)]

mod issuer;
mod order;

pub use issuer::Issuer;
pub use order::Order;

use nightdrop_wire::{labels, messages::credit::BLINDED};
use voprf::{Group, Ristretto255 as Suite};

/// Days of a week.
const WEEK: u32 = 7;
/// Weeks that a credit pays for, the one in which it is drawn included.
const WEEKS: u32 = 5;

/// Why credits were not made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CreditError {
    /// Something is no group element, or no proof.
    #[error("malformed credits")]
    Malformed,
    /// The proof does not show that the pinned key was used, or there are more credits than were asked for, or none.
    #[error("the relay does not show that these credits are like everybody's")]
    Unproven,
}

/// The last day of credits that are drawn on `today`, in days since 1970-01-01 (UTC): the same for all that are drawn in one week, and 29 to 35
/// days from then on.
#[must_use]
pub const fn good_until(today: u32) -> u32 {
    (today / WEEK).saturating_add(WEEKS).saturating_mul(WEEK).saturating_sub(1)
}

/// Whether a relay issues credits with this last day on `today`: a client's clock may stand in the week before, or in the next.
#[must_use]
pub const fn may_be_drawn(expires: u32, today: u32) -> bool {
    let usual = good_until(today);
    expires == usual || expires == usual.saturating_add(WEEK) || expires == usual.saturating_sub(WEEK)
}

/// Whether these bytes can be an issuing key.
#[must_use]
pub fn is_key(bytes: &[u8; BLINDED]) -> bool {
    <Suite as voprf::CipherSuite>::Group::deserialize_elem(bytes).is_ok()
}

/// What a credit is bound to.
fn info(expires: u32) -> Vec<u8> {
    [labels::CREDIT, expires.to_be_bytes().as_slice()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_credits_of_a_week_end_on_the_same_day() {
        assert_eq!((good_until(0), good_until(6), good_until(7)), (34, 34, 41));
        for today in [0, 20_000, 20_005] {
            assert!((29..=35).contains(&(good_until(today) + 1 - today)));
        }
        assert_eq!(good_until(u32::MAX), u32::MAX - 1, "no overflow");
    }

    #[test]
    fn a_relay_takes_the_weeks_that_a_clock_may_stand_in_and_no_others() {
        let today = 20_000;
        let taken: Vec<u32> = (0..40_000).filter(|expires| may_be_drawn(*expires, today)).collect();
        assert_eq!(taken, [good_until(today - 7), good_until(today), good_until(today + 7)]);
    }

    #[test]
    fn what_is_no_element_is_no_key() {
        assert!(is_key(&Issuer::from_seed(&[1; 32]).unwrap().public_key()));
        assert!(!is_key(&[0; 32]) && !is_key(&[0xff; 32]));
    }

    #[test]
    fn the_last_day_is_bound() {
        assert_eq!(info(0x0102_0304), b"nightdrop/v1 credit\x01\x02\x03\x04");
    }
}
