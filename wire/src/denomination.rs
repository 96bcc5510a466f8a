//! What a credit is worth, and so many of each worth.
//!
//! Room is counted in units of 64 KiB. Each denomination is worth sixteen of the one before, so that a payment is short and of a few credits none
//! has to be worth exactly what it pays for.

use serde::{Deserialize, Serialize};

/// Bytes of stored room that one unit pays for.
pub const UNIT: u64 = 64 * 1024;

/// What one credit is worth. The order of the variants is their byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Denomination {
    /// 64 KiB.
    Smallest,
    /// 1 MiB.
    Small,
    /// 16 MiB.
    Large,
    /// 256 MiB.
    Largest,
}

impl Denomination {
    /// How many there are.
    pub const COUNT: usize = 4;
    /// All of them, the smallest first.
    pub const ALL: [Self; Self::COUNT] = [Self::Smallest, Self::Small, Self::Large, Self::Largest];

    /// Units of [`UNIT`] bytes.
    #[must_use]
    pub const fn units(self) -> u32 {
        1 << (4 * self.byte())
    }

    /// As it stands in messages.
    #[must_use]
    pub const fn byte(self) -> u8 {
        match self {
            Self::Smallest => 0,
            Self::Small => 1,
            Self::Large => 2,
            Self::Largest => 3,
        }
    }
}

/// So many credits of each denomination, the smallest first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Assortment(pub [u16; Denomination::COUNT]);

impl Assortment {
    /// Only credits of one denomination.
    #[must_use]
    pub fn only(denomination: Denomination, count: u16) -> Self {
        Self(Denomination::ALL.map(|one| if one == denomination { count } else { 0 }))
    }

    /// Each denomination with how many there are of it, the smallest first.
    pub fn parts(self) -> impl Iterator<Item = (Denomination, u16)> {
        Denomination::ALL.into_iter().zip(self.0)
    }

    /// How many there are of one denomination.
    #[must_use]
    pub const fn of(self, denomination: Denomination) -> u16 {
        let Self([smallest, small, large, largest]) = self;
        match denomination {
            Denomination::Smallest => smallest,
            Denomination::Small => small,
            Denomination::Large => large,
            Denomination::Largest => largest,
        }
    }

    /// How many credits these are.
    #[must_use]
    pub fn count(self) -> usize {
        self.0.into_iter().map(usize::from).sum()
    }

    /// What they are worth together, in units: no number of credits that can be named is worth more than that holds.
    #[must_use]
    pub fn units(self) -> u64 {
        self.parts().map(|(denomination, count)| u64::from(count) * u64::from(denomination.units())).sum()
    }

    /// Those of them that `units` are enough for: of the smallest as many as possible, then of the next.
    #[must_use]
    pub fn within(self, mut units: u64) -> Self {
        let mut some = [0; Denomination::COUNT];
        for (place, (denomination, count)) in some.iter_mut().zip(self.parts()) {
            let worth = u64::from(denomination.units());
            *place = count.min(u16::try_from(units / worth).unwrap_or(u16::MAX));
            units -= u64::from(*place) * worth;
        }
        Self(some)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec;

    #[test]
    fn each_is_worth_sixteen_of_the_one_before() {
        assert_eq!(Denomination::ALL.map(Denomination::units), [1, 16, 256, 4096]);
        for (byte, denomination) in (0..).zip(Denomination::ALL) {
            assert_eq!(denomination.byte(), byte);
            assert_eq!(codec::encode(&denomination).unwrap_or_default(), [byte]);
        }
        assert!(codec::decode::<Denomination>(&[4]).is_err());
    }

    #[test]
    fn what_is_not_enough_for_all_is_enough_for_the_smaller_ones() {
        let all = Assortment([3, 2, 1, 1]);
        assert_eq!((all.count(), all.units()), (7, 3 + 32 + 256 + 4096));
        assert_eq!(Denomination::ALL.map(|one| all.of(one)), all.0);
        assert_eq!(all.within(u64::MAX), all);
        assert_eq!(all.within(0), Assortment::default());
        assert_eq!(all.within(2), Assortment([2, 0, 0, 0]));
        assert_eq!(all.within(3 + 16 + 15), Assortment([3, 1, 0, 0]));
        assert_eq!(all.within(3 + 32 + 256), Assortment([3, 2, 1, 0]));
        assert_eq!(Assortment([u16::MAX; 4]).units(), u64::from(u16::MAX) * 4369);
    }

    #[test]
    fn one_denomination_alone() {
        assert_eq!(Assortment::only(Denomination::Large, 7), Assortment([0, 0, 7, 0]));
    }
}
