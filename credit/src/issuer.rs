//! The relay's side: issues credits without seeing them, and knows its own when they come back.

use crate::{CreditError, Suite, info};
use nightdrop_wire::{
    denomination::Assortment,
    labels,
    messages::credit::{BLINDED, Credit, CreditOrder, Credits, IssuedPart, MARK, PROOF},
};
use rand08::{CryptoRng, RngCore};
use subtle::ConstantTimeEq;
use voprf::{BlindedElement, Group, PoprfServer};
use zeroize::Zeroizing;

/// The relay's issuing key. There is one, for all accounts and for as long as the relay exists.
pub struct Issuer(PoprfServer<Suite>);

impl Issuer {
    /// Length of a seed in bytes.
    pub const SEED: usize = 32;

    /// The key of a random seed (`DeriveKeyPair` of RFC 9497).
    ///
    /// # Errors
    /// [`CreditError::Malformed`] for one of 2^256 seeds.
    pub fn from_seed(seed: &[u8; Self::SEED]) -> Result<Self, CreditError> {
        PoprfServer::new_from_seed(seed, labels::ISSUING_KEY).map(Self).map_err(|_| CreditError::Malformed)
    }

    /// What clients check proofs with.
    #[must_use]
    pub fn public_key(&self) -> [u8; BLINDED] {
        <Suite as voprf::CipherSuite>::Group::serialize_elem(self.0.get_public_key()).into()
    }

    /// Evaluates the first of what is ordered, as many of each denomination as are granted, and proves for each denomination that it was done
    /// with this key.
    ///
    /// # Errors
    /// [`CreditError::Malformed`] if the order is, or nothing is granted.
    pub fn issue<R: RngCore + CryptoRng>(
        &self,
        order: &CreditOrder,
        granted: Assortment,
        rng: &mut R,
    ) -> Result<Credits, CreditError> {
        order.assortment().ok_or(CreditError::Malformed)?;
        let mut parts = Vec::with_capacity(order.parts.len());
        for (denomination, count) in granted.parts() {
            let ordered = order.parts.iter().find(|part| part.denomination == denomination);
            let Some(ordered) = ordered.filter(|_| count > 0) else { continue };
            let most = usize::from(count).min(ordered.blinded.len());
            let blinded = ordered.blinded.get(..most).unwrap_or_default();
            let (evaluated, proof) = self.evaluate(blinded, &info(denomination, order.expires), rng)?;
            parts.push(IssuedPart { denomination, evaluated, proof });
        }
        if parts.is_empty() { Err(CreditError::Malformed) } else { Ok(Credits { parts }) }
    }

    fn evaluate<R: RngCore + CryptoRng>(
        &self,
        blinded: &[[u8; BLINDED]],
        info: &[u8],
        rng: &mut R,
    ) -> Result<(Vec<[u8; BLINDED]>, [u8; PROOF]), CreditError> {
        let blinded: Vec<_> = blinded
            .iter()
            .map(|element| BlindedElement::<Suite>::deserialize(element))
            .collect::<Result<_, _>>()
            .map_err(|_| CreditError::Malformed)?;
        let issued = self.0.batch_blind_evaluate(rng, &blinded, Some(info));
        let issued = issued.map_err(|_| CreditError::Malformed)?;
        let evaluated = issued.messages.iter().map(|element| element.serialize().into()).collect();
        let proof = issued.proof.serialize().as_slice().try_into().map_err(|_| CreditError::Malformed)?;
        Ok((evaluated, proof))
    }

    /// Whether a credit was issued with this key for the denomination and the last day that stand in it. Takes the same time for any mark.
    #[must_use]
    pub fn knows(&self, credit: &Credit) -> bool {
        mark(&self.0, credit.nonce(), &info(credit.denomination(), credit.expires()))
            .is_some_and(|mark| mark.as_slice().ct_eq(credit.mark()).into())
    }
}

impl std::fmt::Debug for Issuer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Issuer")
    }
}

fn mark(key: &PoprfServer<Suite>, nonce: &[u8], info: &[u8]) -> Option<Zeroizing<[u8; MARK]>> {
    let output = Zeroizing::new(<[u8; 64]>::from(key.evaluate(nonce, Some(info)).ok()?));
    output.first_chunk().copied().map(Zeroizing::new)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes<const N: usize>(hex: &str) -> [u8; N] {
        let byte = |at: usize| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).unwrap();
        std::array::from_fn(byte)
    }

    /// RFC 9497, A.1.3: ristretto255-SHA512 in POPRF mode, test vectors 1 and 2.
    #[test]
    fn the_suite_is_that_of_the_rfc() {
        let key = PoprfServer::<Suite>::new_from_seed(&[0xa3; 32], b"test key").unwrap();
        let issuer = Issuer(key);
        let public = "c647bef38497bc6ec077c22af65b696efa43bff3b4a1975a3e8e0a1c5a79d631";
        assert_eq!(issuer.public_key(), bytes(public));
        let output = "ca688351e88afb1d841fde4401c79efebb2eb75e7998fa9737bd5a82a152406d";
        assert_eq!(*mark(&issuer.0, &[0], b"test info").unwrap(), bytes(output));
        let blinded: [u8; 32] = bytes("c8713aa89241d6989ac142f22dba30596db635c772cbf25021fdd8f3d461f715");
        let blinded = [BlindedElement::<Suite>::deserialize(&blinded).unwrap()];
        let issued =
            issuer.0.batch_blind_evaluate(&mut rand08::rngs::OsRng, &blinded, Some(b"test info")).unwrap();
        let evaluated = "1a4b860d808ff19624731e67b5eff20ceb2df3c3c03b906f5693e2078450d874";
        assert_eq!(issued.messages[0].serialize().as_slice(), bytes::<32>(evaluated));
    }

    #[test]
    fn debug_shows_nothing() {
        assert_eq!(format!("{:?}", Issuer::from_seed(&[1; 32]).unwrap()), "Issuer");
    }
}
