//! What pays for one thing: credits chosen from those at hand, which go back if nobody was shown them.
//!
//! A payment covers its price, and none of its credits could be left out. Since each denomination is worth a whole number of the next smaller ones, the
//! largest that fit give the exact price whenever some of them do.

use crate::ClientError;
use nightdrop_wire::{
    denomination::{Assortment, Denomination},
    limits::MAX_CREDITS_PER_PAYMENT,
    messages::credit::Credit,
};
use std::sync::{Arc, Mutex, PoisonError};

/// What everybody draws who has nothing at hand: 292 MiB.
pub(crate) const STANDARD: Assortment = Assortment([64, 32, 16, 0]);
/// Of one denomination, what everybody draws who has too few of it: the largest in such steps as the file that needs them takes.
const REFILL: Assortment = Assortment([64, 32, 16, 16]);
/// The largest steps that are drawn at once: 16 GiB.
const MOST_STEPS: u16 = 4;

/// Where payments come from.
pub trait Purse: Sync {
    /// A payment of this price, in units.
    ///
    /// # Errors
    /// [`ClientError::NoCredits`] if there is none; whatever else keeps credits from being drawn.
    fn pay(&self, price: u32) -> impl Future<Output = Result<Payment, ClientError>> + Send;
}

/// Credits that pay for one thing. Those that nobody was shown go back to where they were taken from.
#[derive(Default)]
pub struct Payment {
    credits: Vec<Credit>,
    unspent: Unspent,
}

/// Where credits are that were taken and not shown.
#[derive(Clone, Default)]
pub(crate) struct Unspent(Arc<Mutex<Vec<Credit>>>);

impl Unspent {
    /// A payment that comes back here.
    pub(crate) fn payment(&self, credits: Vec<Credit>) -> Payment {
        Payment { credits, unspent: self.clone() }
    }

    /// Takes what came back.
    pub(crate) fn take(&self) -> Vec<Credit> {
        // Nothing that is done under this lock leaves it half done.
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn give(&self, credits: Vec<Credit>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend(credits);
    }
}

impl Payment {
    /// The credits, to be shown: they never go back.
    pub(crate) fn show(mut self) -> Vec<Credit> {
        std::mem::take(&mut self.credits)
    }

    /// From now on they stand somewhere else, and do not go back: the same credits in two places would be shown for two things.
    pub(crate) fn stands_elsewhere(&mut self) {
        self.unspent = Unspent::default();
    }

    /// The credits, not to be shown yet.
    pub(crate) fn credits(&self) -> &[Credit] {
        &self.credits
    }

    /// What it is worth, in units.
    pub(crate) fn units(&self) -> u32 {
        self.credits.iter().fold(0, |sum, credit| sum.saturating_add(credit.denomination().units()))
    }
}

impl From<Vec<Credit>> for Payment {
    /// Of credits that come from nowhere.
    fn from(credits: Vec<Credit>) -> Self {
        Self { credits, unspent: Unspent::default() }
    }
}

impl From<Credit> for Payment {
    fn from(credit: Credit) -> Self {
        vec![credit].into()
    }
}

impl Drop for Payment {
    fn drop(&mut self) {
        if !self.credits.is_empty() {
            self.unspent.give(std::mem::take(&mut self.credits));
        }
    }
}

impl std::fmt::Debug for Payment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { credits: _, unspent: _ } = self;
        f.write_str("Payment")
    }
}

/// Takes credits of exactly this worth, of each denomination the oldest; none if there are none of this worth.
pub(crate) fn take_exactly(credits: &mut Vec<Credit>, price: u32) -> Option<Vec<Credit>> {
    let (chosen, missing) = largest_that_fit(credits, price);
    if missing > 0 || chosen.len() > MAX_CREDITS_PER_PAYMENT { None } else { Some(remove(credits, chosen)) }
}

/// The same, of more than this worth if there are none of exactly this one.
pub(crate) fn take_covering(credits: &mut Vec<Credit>, price: u32) -> Option<Vec<Credit>> {
    let (mut chosen, missing) = largest_that_fit(credits, price);
    let mut surplus = 0;
    if missing > 0 {
        // Every one that is worth less than what is missing is chosen already.
        let rest = credits.iter().enumerate().filter(|(place, _)| !chosen.contains(place));
        let (place, larger) = rest.min_by_key(|(_, credit)| credit.denomination())?;
        surplus = larger.denomination().units().checked_sub(missing)?;
        chosen.push(place);
    }
    // The smallest come last but for that one.
    let worth = |place: &usize| credits.get(*place).map_or(0, |credit| credit.denomination().units());
    chosen.sort_unstable_by_key(|place| worth(place));
    chosen.retain(|place| {
        let can_go = worth(place) <= surplus;
        surplus -= if can_go { worth(place) } else { 0 };
        !can_go
    });
    if chosen.len() > MAX_CREDITS_PER_PAYMENT { None } else { Some(remove(credits, chosen)) }
}

/// What is drawn so that a price can be paid exactly that these credits do not pay: as much as everybody draws whom the same denomination lacks.
pub(crate) fn to_draw(credits: &[Credit], price: u32) -> Assortment {
    if credits.is_empty() {
        return STANDARD;
    }
    let (_, missing) = largest_that_fit(credits, price);
    let lacking = Denomination::ALL.into_iter().rev().find(|one| one.units() <= missing);
    let lacking = lacking.unwrap_or(Denomination::Smallest);
    let refill = refill(lacking);
    if lacking < Denomination::Largest {
        return refill;
    }
    let steps = u64::from(missing).div_ceil(refill.units());
    let steps = u16::try_from(steps).unwrap_or(u16::MAX).clamp(1, MOST_STEPS);
    Assortment(refill.0.map(|count| count * steps))
}

/// What is drawn of one denomination when too few of it are left.
pub(crate) fn refill(denomination: Denomination) -> Assortment {
    Assortment::only(denomination, REFILL.of(denomination))
}

/// Places of the largest credits that fit a price, and what is then missing.
fn largest_that_fit(credits: &[Credit], price: u32) -> (Vec<usize>, u32) {
    let (mut chosen, mut missing) = (Vec::new(), price);
    for denomination in Denomination::ALL.into_iter().rev() {
        let all = credits.iter().enumerate().filter(|(_, credit)| credit.denomination() == denomination);
        for (place, _) in all.take(usize::try_from(missing / denomination.units()).unwrap_or(usize::MAX)) {
            chosen.push(place);
            missing -= denomination.units();
        }
    }
    (chosen, missing)
}

fn remove(credits: &mut Vec<Credit>, mut places: Vec<usize>) -> Vec<Credit> {
    places.sort_unstable();
    let mut removed: Vec<Credit> = places.into_iter().rev().map(|place| credits.remove(place)).collect();
    // What is worth most comes first, whatever order they lay in.
    removed.sort_by_key(|credit| std::cmp::Reverse(credit.denomination()));
    removed
}

#[cfg(test)]
mod tests {
    use super::*;
    use nightdrop_wire::{limits::MAX_CHUNKS, price};

    fn credits(assortment: Assortment) -> Vec<Credit> {
        let many = |(denomination, count): (Denomination, u16)| {
            (0..count).map(move |n| Credit::new(denomination, 7, [n.to_be_bytes()[1]; 32], [0; 32]))
        };
        assortment.parts().flat_map(many).collect()
    }

    fn assortment(credits: &[Credit]) -> Assortment {
        let count = |one| credits.iter().filter(|credit| credit.denomination() == one).count();
        Assortment(Denomination::ALL.map(|one| u16::try_from(count(one)).unwrap()))
    }

    #[test]
    fn the_standard_pays_everyday_prices_exactly() {
        for price in [1, 3, 17, 257, 1_601, 4_000] {
            let mut held = credits(STANDARD);
            let paid = take_exactly(&mut held, price).unwrap();
            assert_eq!(assortment(&paid).units(), u64::from(price));
            assert_eq!(assortment(&held).units() + u64::from(price), STANDARD.units());
        }
        assert!(take_exactly(&mut credits(Assortment([15, 0, 1, 0])), 16).is_none());
        assert!(take_exactly(&mut credits(Assortment([200, 0, 0, 0])), 113).is_none(), "too many");
    }

    #[test]
    fn what_covers_a_price_has_nothing_that_could_be_left_out() {
        let covering = |held, price| {
            let mut held = credits(Assortment(held));
            let before = held.len();
            let paid = take_covering(&mut held, price)?;
            assert_eq!(paid.len() + held.len(), before);
            let (worth, smallest) = (assortment(&paid).units(), paid.last()?.denomination().units());
            assert!(worth >= u64::from(price) && worth - u64::from(smallest) < u64::from(price));
            Some(assortment(&paid).0)
        };
        assert_eq!(covering([1, 1, 0, 0], 17), Some([1, 1, 0, 0]));
        assert_eq!(covering([0, 2, 0, 0], 17), Some([0, 2, 0, 0]));
        assert_eq!(covering([3, 0, 1, 0], 16), Some([0, 0, 1, 0]));
        assert_eq!(covering([15, 1, 1, 0], 33), Some([0, 0, 1, 0]));
        assert_eq!(covering([0, 0, 0, 1], 1), Some([0, 0, 0, 1]));
        assert_eq!(covering([5, 0, 0, 0], 6), None);
        assert_eq!(covering([0; 4], 1), None);
    }

    #[test]
    fn what_lacks_is_drawn_in_the_steps_of_everybody() {
        assert_eq!(to_draw(&[], 1), STANDARD);
        assert_eq!(to_draw(&[], 4_096), STANDARD);
        let held = credits(Assortment([2, 40, 0, 0]));
        assert_eq!(to_draw(&held, 3), refill(Denomination::Smallest));
        assert_eq!(to_draw(&held, 643), refill(Denomination::Smallest));
        assert_eq!(to_draw(&held, 660), refill(Denomination::Small));
        assert_eq!(to_draw(&held, 4_000), refill(Denomination::Large));
        assert_eq!(to_draw(&held, 4_096 + 642), Assortment([0, 0, 0, 16]));
        let longest = price::of_open(MAX_CHUNKS).unwrap();
        assert_eq!(to_draw(&held, longest), Assortment([0, 0, 0, 64]));
    }

    #[test]
    fn what_was_not_shown_comes_back_and_what_was_does_not() {
        let unspent = Unspent::default();
        drop(unspent.payment(credits(Assortment([2, 0, 0, 0]))));
        let shown = unspent.payment(credits(Assortment([1, 1, 0, 0])));
        assert_eq!((shown.units(), format!("{shown:?}")), (17, "Payment".to_owned()));
        assert_eq!(shown.show().len(), 2);
        assert_eq!(unspent.take().len(), 2);
        let mut noted = unspent.payment(credits(Assortment([2, 0, 0, 0])));
        noted.stands_elsewhere();
        drop(noted);
        assert!(unspent.take().is_empty());
    }
}
