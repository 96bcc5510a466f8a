//! Credits: what pays for a blob or a log. Drawn blindly on the account plane, spent on the data plane (RFC 9497, POPRF; crate `credit`).

use crate::{
    denomination::{Assortment, Denomination},
    limits::MAX_CREDITS_PER_ORDER,
};
use serde::{Deserialize, Serialize};
use serde_big_array::BigArray;
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// Bytes of a blinded or evaluated group element, and of the issuing key.
pub const BLINDED: usize = 32;
/// Bytes of the proof that the pinned key was used.
pub const PROOF: usize = 64;
/// Bytes of a credit's mark.
pub const MARK: usize = 32;

/// One credit. It pays once, until its last day. Erased when dropped; `Debug` shows nothing.
///
/// ```text
/// denomination (1) ‖ expires (4, big-endian: the last day, in days since 1970-01-01 UTC) ‖ nonce (32) ‖ mark (32)
/// ```
#[derive(Clone, Zeroize, ZeroizeOnDrop, Serialize, Deserialize)]
pub struct Credit {
    #[zeroize(skip)]
    denomination: Denomination,
    #[serde(with = "postcard::fixint::be")]
    expires: u32,
    nonce: [u8; Self::NONCE],
    mark: [u8; MARK],
}

impl Credit {
    /// Length in bytes.
    pub const LENGTH: usize = 1 + 4 + Self::NONCE + MARK;
    /// Bytes of the nonce.
    pub const NONCE: usize = 32;

    /// A credit of these parts.
    #[must_use]
    pub const fn new(
        denomination: Denomination,
        expires: u32,
        nonce: [u8; Self::NONCE],
        mark: [u8; MARK],
    ) -> Self {
        Self { denomination, expires, nonce, mark }
    }

    /// What it is worth.
    #[must_use]
    pub const fn denomination(&self) -> Denomination {
        self.denomination
    }

    /// The last day on which it pays, in days since 1970-01-01 (UTC).
    #[must_use]
    pub const fn expires(&self) -> u32 {
        self.expires
    }

    /// What its client drew at random; spending it shows it for the first time.
    #[must_use]
    pub const fn nonce(&self) -> &[u8; Self::NONCE] {
        &self.nonce
    }

    /// What the relay computes from the rest, and only the relay.
    #[must_use]
    pub const fn mark(&self) -> &[u8; MARK] {
        &self.mark
    }
}

impl PartialEq for Credit {
    fn eq(&self, other: &Self) -> bool {
        let same = self.nonce.ct_eq(&other.nonce) & self.mark.ct_eq(&other.mark);
        (self.denomination, self.expires) == (other.denomination, other.expires) && same.into()
    }
}

impl Eq for Credit {}

impl std::fmt::Debug for Credit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { denomination: _, expires: _, nonce: _, mark: _ } = self;
        f.write_str("Credit")
    }
}

/// An order of credits, for the account that shows a session (`POST /v1/credits`). The same body again in the same period draws nothing more.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CreditOrder {
    /// Their last day, which is the client's to say and one of few that a relay takes.
    #[serde(with = "postcard::fixint::be")]
    pub expires: u32,
    /// What is ordered of each denomination: ascending, each once, together 1 to [`MAX_CREDITS_PER_ORDER`] elements.
    pub parts: Vec<OrderedPart>,
}

/// What is ordered of one denomination.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct OrderedPart {
    /// What each is worth.
    pub denomination: Denomination,
    /// Blinded elements, at least one.
    pub blinded: Vec<[u8; BLINDED]>,
}

impl CreditOrder {
    /// What is ordered; nothing if the parts are not as they have to be.
    #[must_use]
    pub fn assortment(&self) -> Option<Assortment> {
        let mut ordered = Assortment::default();
        let mut places = Denomination::ALL.into_iter().zip(&mut ordered.0);
        for part in &self.parts {
            let (_, place) = places.find(|(denomination, _)| *denomination == part.denomination)?;
            *place = u16::try_from(part.blinded.len()).ok().filter(|count| *count > 0)?;
        }
        (1..=MAX_CREDITS_PER_ORDER).contains(&ordered.count()).then_some(ordered)
    }
}

/// Answer to a [`CreditOrder`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credits {
    /// What is given of each denomination that something is given of, in the order's order.
    pub parts: Vec<IssuedPart>,
}

/// What is given of one denomination.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IssuedPart {
    /// What each is worth.
    pub denomination: Denomination,
    /// Evaluated elements: of all that were ordered, or of the first ones.
    pub evaluated: Vec<[u8; BLINDED]>,
    /// Shows that the relay's one issuing key was used for all of them.
    #[serde(with = "BigArray")]
    pub proof: [u8; PROOF],
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec;

    #[test]
    fn a_credit_has_one_length_and_shows_nothing() {
        let credit = Credit::new(Denomination::Large, 0x0102_0304, [5; 32], [6; 32]);
        let bytes = codec::encode(&credit).unwrap_or_default();
        assert_eq!(bytes.len(), Credit::LENGTH);
        assert_eq!(bytes.get(..6), Some([2, 1, 2, 3, 4, 5].as_slice()));
        assert_eq!(format!("{credit:?}"), "Credit");
    }

    #[test]
    fn an_order_names_each_denomination_once_in_their_order_and_is_bounded() {
        let order = |parts: &[(Denomination, usize)]| CreditOrder {
            expires: 1,
            parts: parts
                .iter()
                .map(|(denomination, count)| OrderedPart {
                    denomination: *denomination,
                    blinded: vec![[0; BLINDED]; *count],
                })
                .collect(),
        };
        let (one, two) = (Denomination::Smallest, Denomination::Large);
        assert_eq!(order(&[(one, 3), (two, 1)]).assortment(), Some(Assortment([3, 0, 1, 0])));
        assert_eq!(order(&[(one, MAX_CREDITS_PER_ORDER)]).assortment().map(Assortment::count), Some(128));
        let bad: [&[(Denomination, usize)]; 6] = [
            &[],
            &[(one, 0)],
            &[(one, 1), (two, 0)],
            &[(two, 1), (one, 1)],
            &[(one, 1), (one, 1)],
            &[(one, MAX_CREDITS_PER_ORDER), (two, 1)],
        ];
        assert!(bad.iter().all(|bad| order(bad).assortment().is_none()));
    }
}
