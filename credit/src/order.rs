//! The client's side: orders credits, and takes only such as are proved to be like everybody's.

use crate::{CreditError, Suite, info};
use nightdrop_wire::{
    denomination::{Assortment, Denomination},
    messages::credit::{BLINDED, Credit, CreditOrder, Credits, IssuedPart, OrderedPart},
};
use rand08::{CryptoRng, RngCore};
use voprf::{EvaluationElement, Group, PoprfClient, Proof};
use zeroize::Zeroizing;

type Nonce = Zeroizing<[u8; Credit::NONCE]>;
type Key = <<Suite as voprf::CipherSuite>::Group as Group>::Elem;

/// Credits that were asked for. Whoever holds this could tell them apart later: it is erased when dropped.
pub struct Order {
    parts: Vec<Part>,
    request: CreditOrder,
}

/// What is ordered of one denomination.
struct Part {
    denomination: Denomination,
    nonces: Vec<Nonce>,
    blinds: Vec<PoprfClient<Suite>>,
}

impl Order {
    /// Asks for credits that pay until `expires`, which must be [`crate::good_until`] of the day.
    ///
    /// # Errors
    /// [`CreditError::Malformed`] with a probability of one in 2^252, and if no order can be for so many or for none.
    pub fn new<R: RngCore + CryptoRng>(
        assortment: Assortment,
        expires: u32,
        rng: &mut R,
    ) -> Result<Self, CreditError> {
        let mut order = Self { parts: Vec::new(), request: CreditOrder { expires, parts: Vec::new() } };
        for (denomination, count) in assortment.parts().filter(|(_, count)| *count > 0) {
            let (part, blinded) = Part::blind(denomination, count, rng)?;
            order.request.parts.push(OrderedPart { denomination, blinded });
            order.parts.push(part);
        }
        if order.request.assortment() == Some(assortment) { Ok(order) } else { Err(CreditError::Malformed) }
    }

    /// What is sent. It tells the relay how many of each denomination, and until when, and nothing else.
    #[must_use]
    pub const fn request(&self) -> &CreditOrder {
        &self.request
    }

    /// The credits, if the proofs hold for the pinned key. There may be fewer than were asked for, as an honest relay gives what a quota is still enough for:
    /// all of the first denominations, some of the next, and then none. Another choice would mark whoever pays with it.
    ///
    /// # Errors
    /// [`CreditError`]: none of them is to be used.
    pub fn take(self, answer: &Credits, pinned: &[u8; BLINDED]) -> Result<Vec<Credit>, CreditError> {
        let key = <Suite as voprf::CipherSuite>::Group::deserialize_elem(pinned)
            .map_err(|_| CreditError::Malformed)?;
        let Self { parts, request: CreditOrder { expires, .. } } = self;
        let (mut ordered, mut credits, mut is_short) = (parts.into_iter(), Vec::new(), false);
        for issued in &answer.parts {
            let next = ordered.next().filter(|part| part.denomination == issued.denomination && !is_short);
            let part = next.ok_or(CreditError::Unproven)?;
            is_short = issued.evaluated.len() < part.nonces.len();
            credits.extend(part.take(issued, expires, key)?);
        }
        if credits.is_empty() { Err(CreditError::Unproven) } else { Ok(credits) }
    }
}

impl Part {
    fn blind<R: RngCore + CryptoRng>(
        denomination: Denomination,
        count: u16,
        rng: &mut R,
    ) -> Result<(Self, Vec<[u8; BLINDED]>), CreditError> {
        let mut part = Self { denomination, nonces: Vec::new(), blinds: Vec::new() };
        let mut blinded = Vec::with_capacity(usize::from(count));
        for _ in 0..count {
            let mut nonce = Zeroizing::new([0; Credit::NONCE]);
            rng.fill_bytes(nonce.as_mut_slice());
            let result = PoprfClient::blind(nonce.as_slice(), rng).map_err(|_| CreditError::Malformed)?;
            blinded.push(result.message.serialize().into());
            part.blinds.push(result.state);
            part.nonces.push(nonce);
        }
        Ok((part, blinded))
    }

    fn take(mut self, issued: &IssuedPart, expires: u32, key: Key) -> Result<Vec<Credit>, CreditError> {
        let proof = Proof::deserialize(&issued.proof).map_err(|_| CreditError::Malformed)?;
        let evaluated: Vec<_> = issued
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
        let info = info(self.denomination, expires);
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
        let credit = |(nonce, output): (&Nonce, voprf::Result<_>)| {
            let output = Zeroizing::new(<[u8; 64]>::from(output.map_err(|_| CreditError::Malformed)?));
            let mark = output.first_chunk().ok_or(CreditError::Malformed)?;
            Ok(Credit::new(self.denomination, expires, **nonce, *mark))
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
    const SMALL: Denomination = Denomination::Small;

    fn order(count: u16) -> Order {
        Order::new(Assortment::only(SMALL, count), DAY, &mut OsRng).unwrap()
    }

    fn issue(issuer: &Issuer, order: &Order, most: u16) -> Credits {
        issuer.issue(order.request(), Assortment([most; 4]), &mut OsRng).unwrap()
    }

    /// The parts of an answer to an order of one denomination.
    fn only(credits: Credits) -> (Vec<[u8; BLINDED]>, [u8; 64]) {
        let IssuedPart { evaluated, proof, .. } = credits.parts.into_iter().next().unwrap();
        (evaluated, proof)
    }

    fn answer(evaluated: Vec<[u8; BLINDED]>, proof: [u8; 64]) -> Credits {
        Credits { parts: vec![IssuedPart { denomination: SMALL, evaluated, proof }] }
    }

    #[test]
    fn what_was_issued_pays_and_nothing_of_it_was_seen_before() {
        let issuer = Issuer::from_seed(&[7; 32]).unwrap();
        let assortment = Assortment([5, 0, 2, 1]);
        let order = Order::new(assortment, DAY, &mut OsRng).unwrap();
        let answer = issue(&issuer, &order, 5);
        let mut seen: Vec<[u8; 32]> = Vec::new();
        seen.extend(order.request().parts.iter().flat_map(|part| &part.blinded));
        seen.extend(answer.parts.iter().flat_map(|part| &part.evaluated));
        let credits = order.take(&answer, &issuer.public_key()).unwrap();
        for (denomination, count) in assortment.parts() {
            let given = credits.iter().filter(|credit| credit.denomination() == denomination).count();
            assert_eq!(given, usize::from(count));
        }
        for credit in &credits {
            assert!(issuer.knows(credit));
            assert!(!seen.contains(credit.nonce()) && !seen.contains(credit.mark()));
        }
    }

    #[test]
    fn another_denomination_day_nonce_mark_or_relay_does_not_pay() {
        let issuer = Issuer::from_seed(&[7; 32]).unwrap();
        let order = order(1);
        let answer = issue(&issuer, &order, 1);
        let credit = order.take(&answer, &issuer.public_key()).unwrap().remove(0);
        assert!(issuer.knows(&credit));
        assert!(!Issuer::from_seed(&[8; 32]).unwrap().knows(&credit));
        for denomination in Denomination::ALL.into_iter().filter(|other| *other != SMALL) {
            let shown = Credit::new(denomination, credit.expires(), *credit.nonce(), *credit.mark());
            assert!(!issuer.knows(&shown), "shown as {denomination:?}");
        }
        for at in 1..Credit::LENGTH {
            let (mut nonce, mut mark) = (*credit.nonce(), *credit.mark());
            let mut expires = credit.expires().to_be_bytes();
            match at {
                1..5 => expires[at - 1] ^= 1,
                5..37 => nonce[at - 5] ^= 1,
                _ => mark[at - 37] ^= 1,
            }
            assert!(
                !issuer.knows(&Credit::new(SMALL, u32::from_be_bytes(expires), nonce, mark)),
                "byte {at}"
            );
        }
    }

    #[test]
    fn fewer_are_taken_and_more_or_none_are_not() {
        let issuer = Issuer::from_seed(&[7; 32]).unwrap();
        let four = order(4);
        let three = issue(&issuer, &four, 3);
        assert_eq!(four.take(&three, &issuer.public_key()).unwrap().len(), 3);
        let one = order(1);
        let (mut evaluated, proof) = only(issue(&issuer, &one, 1));
        evaluated.push(evaluated[0]);
        let taken = one.take(&answer(evaluated, proof), &issuer.public_key());
        assert_eq!(taken.err(), Some(CreditError::Unproven));
        for none in [Credits { parts: Vec::new() }, answer(Vec::new(), proof)] {
            assert_eq!(order(1).take(&none, &issuer.public_key()).err(), Some(CreditError::Unproven));
        }
    }

    /// A relay that gives another denomination than was ordered could tell its receiver by it; and one twice has no place.
    #[test]
    fn credits_of_another_denomination_or_twice_of_one_are_not_taken() {
        let issuer = Issuer::from_seed(&[7; 32]).unwrap();
        let mixed = || Order::new(Assortment([1, 1, 0, 0]), DAY, &mut OsRng).unwrap();
        let good = mixed();
        let honest = issue(&issuer, &good, 1);
        assert_eq!(good.take(&honest, &issuer.public_key()).unwrap().len(), 2);
        type Lie = fn(&mut CreditOrder, &mut Vec<IssuedPart>, &Issuer);
        let lies: [Lie; 4] = [
            |_, parts, _| parts.swap(0, 1),
            |_, parts, _| parts.push(parts[1].clone()),
            |_, parts, _| parts[1].denomination = Denomination::Large,
            |order, parts, issuer| {
                // A true proof, of the larger denomination.
                order.parts[1].denomination = Denomination::Large;
                *parts = issuer.issue(order, Assortment([1; 4]), &mut OsRng).unwrap().parts;
                parts[1].denomination = Denomination::Small;
            },
        ];
        for lie in lies {
            let order = mixed();
            let mut answer = issue(&issuer, &order, 1);
            lie(&mut order.request().clone(), &mut answer.parts, &issuer);
            assert_eq!(order.take(&answer, &issuer.public_key()).err(), Some(CreditError::Unproven));
        }
    }

    /// A relay that marks an account's credits with a key of their own would know them again: without the proof they are as good as others.
    #[test]
    fn credits_of_a_key_for_one_account_are_not_taken() {
        let (issuer, own) = (Issuer::from_seed(&[7; 32]).unwrap(), Issuer::from_seed(&[9; 32]).unwrap());
        let two = order(2);
        let marked = issue(&own, &two, 2);
        let credit = two.take(&marked, &own.public_key()).unwrap().remove(0);
        assert!(
            own.knows(&credit) && !issuer.knows(&credit),
            "the mark works on whoever does not pin the key"
        );
        let two = order(2);
        let marked = issue(&own, &two, 2);
        assert_eq!(two.take(&marked, &issuer.public_key()).err(), Some(CreditError::Unproven));
        // One of two is enough to be noticed.
        let two = order(2);
        let (mut evaluated, proof) = only(issue(&issuer, &two, 2));
        evaluated[1] = only(issue(&own, &two, 2)).0[1];
        let taken = two.take(&answer(evaluated, proof), &issuer.public_key());
        assert_eq!(taken.err(), Some(CreditError::Unproven));
        // So would another last day.
        let one = order(1);
        let later = CreditOrder { expires: DAY + 7, ..one.request().clone() };
        let other_day = issuer.issue(&later, Assortment([1; 4]), &mut OsRng).unwrap();
        assert_eq!(one.take(&other_day, &issuer.public_key()).err(), Some(CreditError::Unproven));
    }

    #[test]
    fn what_is_no_element_is_malformed_and_never_a_panic() {
        let issuer = Issuer::from_seed(&[7; 32]).unwrap();
        let (evaluated, proof) = only(issue(&issuer, &order(1), 1));
        for bad in [[0; 32], [0xff; 32]] {
            let mut ordered = order(1).request().clone();
            ordered.parts[0].blinded = vec![bad];
            let issued = issuer.issue(&ordered, Assortment([1; 4]), &mut OsRng);
            assert_eq!(issued.err(), Some(CreditError::Malformed));
            assert!(order(1).take(&answer(vec![bad], proof), &issuer.public_key()).is_err());
            assert!(order(1).take(&answer(evaluated.clone(), proof), &bad).is_err());
            assert!(order(1).take(&answer(evaluated.clone(), [0xff; 64]), &issuer.public_key()).is_err());
        }
        let none = issuer.issue(order(1).request(), Assortment::default(), &mut OsRng);
        assert_eq!(none.err(), Some(CreditError::Malformed));
        assert!(Order::new(Assortment::default(), DAY, &mut OsRng).is_err());
        assert!(Order::new(Assortment([129, 0, 0, 0]), DAY, &mut OsRng).is_err());
    }
}
