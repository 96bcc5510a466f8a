//! The client's side: orders credits, and takes only such as are proved to be like everybody's.

use crate::{CreditError, Suite, info};
use nightdrop_wire::messages::credit::{BLINDED, Credit, Credits, FetchCredits};
use rand08::{CryptoRng, RngCore};
use voprf::{EvaluationElement, Group, PoprfClient, Proof};
use zeroize::Zeroizing;

/// Credits that were asked for. Whoever holds this could tell them apart later: it is erased when dropped.
pub struct Order {
    expires: u32,
    nonces: Vec<Zeroizing<[u8; Credit::NONCE]>>,
    blinds: Vec<PoprfClient<Suite>>,
    request: FetchCredits,
}

impl Order {
    /// Asks for `count` credits that pay until `expires`, which must be [`crate::good_until`] of the day.
    ///
    /// # Errors
    /// [`CreditError::Malformed`] with a probability of one in 2^252.
    pub fn new<R: RngCore + CryptoRng>(count: u16, expires: u32, rng: &mut R) -> Result<Self, CreditError> {
        let mut order = Self {
            expires,
            nonces: Vec::with_capacity(usize::from(count)),
            blinds: Vec::with_capacity(usize::from(count)),
            request: FetchCredits { expires, blinded: Vec::with_capacity(usize::from(count)) },
        };
        for _ in 0..count {
            let mut nonce = Zeroizing::new([0; Credit::NONCE]);
            rng.fill_bytes(nonce.as_mut_slice());
            let blinded = PoprfClient::blind(nonce.as_slice(), rng).map_err(|_| CreditError::Malformed)?;
            order.request.blinded.push(blinded.message.serialize().into());
            order.blinds.push(blinded.state);
            order.nonces.push(nonce);
        }
        Ok(order)
    }

    /// What is sent. It tells the relay how many, and until when, and nothing else.
    #[must_use]
    pub const fn request(&self) -> &FetchCredits {
        &self.request
    }

    /// The credits, if the proof holds for the pinned key. There may be fewer than were asked for: the first ones then.
    ///
    /// # Errors
    /// [`CreditError`]: none of them is to be used.
    pub fn take(mut self, answer: &Credits, pinned: &[u8; BLINDED]) -> Result<Vec<Credit>, CreditError> {
        let key = <Suite as voprf::CipherSuite>::Group::deserialize_elem(pinned)
            .map_err(|_| CreditError::Malformed)?;
        let proof = Proof::deserialize(&answer.proof).map_err(|_| CreditError::Malformed)?;
        let evaluated: Vec<_> = answer
            .evaluated
            .iter()
            .map(|element| EvaluationElement::<Suite>::deserialize(element))
            .collect::<Result<_, _>>()
            .map_err(|_| CreditError::Malformed)?;
        if evaluated.is_empty() || evaluated.len() > self.blinds.len() {
            return Err(CreditError::Unproven);
        }
        self.blinds.truncate(evaluated.len());
        self.nonces.truncate(evaluated.len());
        let info = info(self.expires);
        let inputs: Vec<&[u8]> = self.nonces.iter().map(|nonce| nonce.as_slice()).collect();
        let outputs = PoprfClient::batch_finalize(
            inputs.into_iter(),
            &self.blinds,
            &evaluated,
            &proof,
            key,
            Some(&info),
        )
        .map_err(|_| CreditError::Unproven)?;
        let credit = |(nonce, output): (&Zeroizing<[u8; Credit::NONCE]>, voprf::Result<_>)| {
            let output = Zeroizing::new(<[u8; 64]>::from(output.map_err(|_| CreditError::Malformed)?));
            let mark = output.first_chunk().ok_or(CreditError::Malformed)?;
            Ok(Credit::new(self.expires, **nonce, *mark))
        };
        self.nonces.iter().zip(outputs).map(credit).collect()
    }
}

impl std::fmt::Debug for Order {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Order")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Issuer;
    use rand08::rngs::OsRng;

    const DAY: u32 = 20_019;

    fn issue(issuer: &Issuer, order: &Order, most: usize) -> Credits {
        let FetchCredits { expires, blinded } = order.request();
        let (evaluated, proof) =
            issuer.issue(&blinded[..most.min(blinded.len())], *expires, &mut OsRng).unwrap();
        Credits { evaluated, proof }
    }

    #[test]
    fn what_was_issued_pays_and_nothing_of_it_was_seen_before() {
        let issuer = Issuer::from_seed(&[7; 32]).unwrap();
        let order = Order::new(5, DAY, &mut OsRng).unwrap();
        let answer = issue(&issuer, &order, 5);
        let seen: Vec<[u8; 32]> = [order.request().blinded.as_slice(), &answer.evaluated].concat();
        let credits = order.take(&answer, &issuer.public_key()).unwrap();
        assert_eq!(credits.len(), 5);
        for credit in &credits {
            assert!(issuer.knows(credit));
            assert!(!seen.contains(credit.nonce()) && !seen.contains(credit.mark()));
        }
    }

    #[test]
    fn another_day_nonce_mark_or_relay_does_not_pay() {
        let issuer = Issuer::from_seed(&[7; 32]).unwrap();
        let order = Order::new(1, DAY, &mut OsRng).unwrap();
        let answer = issue(&issuer, &order, 1);
        let credit = order.take(&answer, &issuer.public_key()).unwrap().remove(0);
        assert!(issuer.knows(&credit));
        assert!(!Issuer::from_seed(&[8; 32]).unwrap().knows(&credit));
        for at in 0..Credit::LENGTH {
            let (mut nonce, mut mark) = (*credit.nonce(), *credit.mark());
            let mut expires = credit.expires().to_be_bytes();
            match at {
                0..4 => expires[at] ^= 1,
                4..36 => nonce[at - 4] ^= 1,
                _ => mark[at - 36] ^= 1,
            }
            assert!(!issuer.knows(&Credit::new(u32::from_be_bytes(expires), nonce, mark)), "byte {at}");
        }
    }

    #[test]
    fn fewer_are_taken_and_more_or_none_are_not() {
        let issuer = Issuer::from_seed(&[7; 32]).unwrap();
        let order = Order::new(4, DAY, &mut OsRng).unwrap();
        let answer = issue(&issuer, &order, 3);
        assert_eq!(order.take(&answer, &issuer.public_key()).unwrap().len(), 3);
        let order = Order::new(1, DAY, &mut OsRng).unwrap();
        let mut answer = issue(&issuer, &order, 1);
        answer.evaluated.push(answer.evaluated[0]);
        assert_eq!(order.take(&answer, &issuer.public_key()).err(), Some(CreditError::Unproven));
        let order = Order::new(1, DAY, &mut OsRng).unwrap();
        let answer = Credits { evaluated: Vec::new(), proof: answer.proof };
        assert_eq!(order.take(&answer, &issuer.public_key()).err(), Some(CreditError::Unproven));
    }

    /// A relay that marks an account's credits with a key of their own would know them again: without the proof they are as good as others.
    #[test]
    fn credits_of_a_key_for_one_account_are_not_taken() {
        let (issuer, own) = (Issuer::from_seed(&[7; 32]).unwrap(), Issuer::from_seed(&[9; 32]).unwrap());
        let order = Order::new(2, DAY, &mut OsRng).unwrap();
        let marked = issue(&own, &order, 2);
        let credit = order.take(&marked, &own.public_key()).unwrap().remove(0);
        assert!(
            own.knows(&credit) && !issuer.knows(&credit),
            "the mark works on whoever does not pin the key"
        );
        let order = Order::new(2, DAY, &mut OsRng).unwrap();
        let marked = issue(&own, &order, 2);
        assert_eq!(order.take(&marked, &issuer.public_key()).err(), Some(CreditError::Unproven));
        // One of two is enough to be noticed.
        let order = Order::new(2, DAY, &mut OsRng).unwrap();
        let mut mixed = issue(&issuer, &order, 2);
        mixed.evaluated[1] = issue(&own, &order, 2).evaluated[1];
        assert_eq!(order.take(&mixed, &issuer.public_key()).err(), Some(CreditError::Unproven));
        // So would another last day.
        let order = Order::new(1, DAY, &mut OsRng).unwrap();
        let (evaluated, proof) = issuer.issue(&order.request().blinded, DAY + 7, &mut OsRng).unwrap();
        let other_day = Credits { evaluated, proof };
        assert_eq!(order.take(&other_day, &issuer.public_key()).err(), Some(CreditError::Unproven));
    }

    #[test]
    fn what_is_no_element_is_malformed_and_never_a_panic() {
        let issuer = Issuer::from_seed(&[7; 32]).unwrap();
        for bad in [[0; 32], [0xff; 32]] {
            assert_eq!(issuer.issue(&[bad], DAY, &mut OsRng).err(), Some(CreditError::Malformed));
            let order = Order::new(1, DAY, &mut OsRng).unwrap();
            let good = issue(&issuer, &order, 1);
            let answer = Credits { evaluated: vec![bad], proof: good.proof };
            assert!(order.take(&answer, &issuer.public_key()).is_err());
            let order = Order::new(1, DAY, &mut OsRng).unwrap();
            assert!(order.take(&good, &bad).is_err());
            let order = Order::new(1, DAY, &mut OsRng).unwrap();
            let answer = Credits { evaluated: good.evaluated.clone(), proof: [0xff; 64] };
            assert!(order.take(&answer, &issuer.public_key()).is_err());
        }
        assert_eq!(issuer.issue(&[], DAY, &mut OsRng).err(), Some(CreditError::Malformed));
    }
}
