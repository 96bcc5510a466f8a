//! What a destroyed blob gives back: fresh credits, ordered blindly with the write key that it had, and without a session.
//!
//! The order lives in this process only. Whoever is killed between order and answer has lost what the blob would have given back.

use crate::{ClientError, blocking::blocking, clock, random, relay::RelayLane, transport::Transport};
use nightdrop_credit::{Order, good_until};
use nightdrop_wire::{
    authorization::Authorization,
    denomination::{Assortment, Denomination},
    endpoint::Endpoint,
    ids::BlobId,
    limits::MAX_CREDITS_PER_ORDER,
    messages::credit::{BLINDED, Credit, Credits},
    token::Token,
};
use std::sync::{Arc, Mutex, PoisonError};

/// What a relay says that a blob gives back.
#[derive(Debug)]
pub struct Refund {
    blob: BlobId,
    write_key: Token,
    units: u32,
}

/// What is given back for blobs that were destroyed, and was not asked for yet. Clones are the same.
#[derive(Debug, Clone, Default)]
pub struct Refunds(Arc<Mutex<Vec<Refund>>>);

impl Refunds {
    /// Notes one, if it is worth anything.
    pub fn note(&self, refund: Refund) {
        if refund.units > 0 {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).push(refund);
        }
    }

    /// Takes all.
    #[must_use]
    pub fn take(&self) -> Vec<Refund> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Refund {
    pub(super) const fn new(blob: BlobId, write_key: Token, units: u32) -> Self {
        Self { blob, write_key, units }
    }

    /// Units that the relay says it gives back.
    #[must_use]
    pub const fn units(&self) -> u32 {
        self.units
    }

    /// Asks for it.
    ///
    /// # Errors
    /// [`ClientError::Withheld`] if the relay does not give it; [`ClientError::MarkedCredits`] if it gives other credits than everybody's.
    pub async fn claim<T: Transport>(
        self,
        lane: &mut RelayLane<T>,
        pinned: &[u8; BLINDED],
    ) -> Result<Vec<Credit>, ClientError> {
        let Self { blob, write_key, units } = self;
        let order = Order::new(fewest(units), good_until(clock::today()), &mut random::for_login());
        let order = order.map_err(|_| ClientError::Stopped)?;
        let shown = Authorization::Bearer(write_key);
        let answer: Credits = lane
            .call(Endpoint::RefundBlob(blob), Some(&shown), order.request())
            .await
            .map_err(ClientError::listed)?;
        let pinned = *pinned;
        Ok(blocking(move || order.take(&answer, &pinned)).await??)
    }
}

/// The fewest credits of this worth, as many as an order takes.
fn fewest(mut units: u32) -> Assortment {
    let mut assortment = Assortment::default();
    let mut room = u32::try_from(MAX_CREDITS_PER_ORDER).unwrap_or(u32::MAX);
    for (place, denomination) in assortment.0.iter_mut().zip(Denomination::ALL).rev() {
        let count = (units / denomination.units()).min(room);
        room -= count;
        units -= count * denomination.units();
        *place = u16::try_from(count).unwrap_or(u16::MAX);
    }
    assortment
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_given_back_is_asked_for_in_the_fewest_credits() {
        assert_eq!(fewest(0), Assortment::default());
        assert_eq!(fewest(15), Assortment([15, 0, 0, 0]));
        assert_eq!(fewest(1_600), Assortment([0, 4, 6, 0]));
        assert_eq!(fewest(262_159), Assortment([15, 0, 0, 64]));
        assert_eq!(fewest(u32::MAX), Assortment([0, 0, 0, 128]), "whatever a relay says");
        assert_eq!(fewest(128 * 4_096 - 1).count(), 128);
    }

    #[test]
    fn what_is_worth_nothing_is_not_noted() {
        let refunds = Refunds::default();
        for units in [0, 3, 0] {
            refunds.note(Refund::new(BlobId::from_bytes([1; 16]), Token::from_bytes([2; 32]), units));
        }
        assert_eq!(refunds.take().iter().map(Refund::units).collect::<Vec<_>>(), [3]);
        assert!(refunds.take().is_empty());
    }
}
