//! Credits pay for what is stored. They are blind tokens: the relay that spends one cannot tell which account drew it.
//!
//! One suite, fixed here and never negotiated: the POPRF of RFC 9497 over ristretto255 with SHA-512.
//!
//! ```text
//! client  nonce (32, random) for each credit
//!         --  expires; of each denomination blinded elements (32 each)       -->  relay   on the account plane, against the account's quota
//!         <--  of each denomination evaluated elements (32 each), proof (64)  --  relay   the client checks each proof against the pinned key
//!         credit = denomination ‖ expires ‖ nonce ‖ mark,  mark = first 32 bytes of POPRF(key; input = nonce, info)
//! later   --  credits                                     -->  relay   on the data plane: it computes the same marks, and remembers each SHA-256(nonce)
//!
//! info = "nightdrop/v1 credit" ‖ denomination (1) ‖ expires (4, big-endian)
//! ```
//! What the proof (DLEQ) shows is that all credits are made with one key, the pinned one, and not with another for each account, by which they
//! could be told apart. For the same reason a credit's last day is that of a whole season of 13 weeks, the client says which, and the relay may only refuse
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

use nightdrop_wire::{denomination::Denomination, labels, messages::credit::BLINDED, season};
use voprf::{Group, Ristretto255 as Suite};

/// Whole seasons for which a credit pays, after the one in which it is drawn.
const FURTHER: u32 = 2;

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

/// The last day of credits that are drawn on `today`, in days since 1970-01-01 (UTC): the same for all that are drawn in one season, and 183 to
/// 273 days from then on: who draws a quota can spend it for a whole period at least.
#[must_use]
pub const fn good_until(today: u32) -> u32 {
    season::last_day(today, FURTHER)
}

/// Whether a relay issues credits with this last day on `today`: a client's clock may stand in the season before, or in the next.
#[must_use]
pub const fn may_be_drawn(expires: u32, today: u32) -> bool {
    let usual = good_until(today);
    expires == usual
        || expires == usual.saturating_add(season::DAYS)
        || expires == usual.saturating_sub(season::DAYS)
}

/// Whether these bytes can be an issuing key.
#[must_use]
pub fn is_key(bytes: &[u8; BLINDED]) -> bool {
    <Suite as voprf::CipherSuite>::Group::deserialize_elem(bytes).is_ok()
}

/// What a credit is bound to.
fn info(denomination: Denomination, expires: u32) -> Vec<u8> {
    [labels::CREDIT, [denomination.byte()].as_slice(), expires.to_be_bytes().as_slice()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_credits_of_a_season_end_on_the_same_day() {
        assert_eq!((good_until(0), good_until(90), good_until(91)), (272, 272, 363));
        for today in [0, 20_000, 20_050, 20_090] {
            assert!((183..=273).contains(&(good_until(today) + 1 - today)));
        }
        assert_eq!(good_until(u32::MAX), u32::MAX - 1, "no overflow");
    }

    #[test]
    fn a_relay_takes_the_seasons_that_a_clock_may_stand_in_and_no_others() {
        let today = 20_000;
        let taken: Vec<u32> = (0..40_000).filter(|expires| may_be_drawn(*expires, today)).collect();
        assert_eq!(taken, [good_until(today - 91), good_until(today), good_until(today + 91)]);
    }

    #[test]
    fn what_is_no_element_is_no_key() {
        assert!(is_key(&Issuer::from_seed(&[1; 32]).unwrap().public_key()));
        assert!(!is_key(&[0; 32]) && !is_key(&[0xff; 32]));
    }

    #[test]
    fn denomination_and_last_day_are_bound() {
        assert_eq!(info(Denomination::Large, 0x0102_0304), b"nightdrop/v1 credit\x02\x01\x02\x03\x04");
    }
}
