//! Who may send a large body, and who may ask for a large answer: whoever shows what the request needs. It is looked up before room for either is taken, so
//! that strangers hold none of it.
//!
//! A right stands in the head, or, for what credits pay, in the first bytes of the body:
//!
//! ```text
//! CreateBlob = blob (16) ‖ number of credits (1) ‖ credit (69) ‖ …
//! CreateLog  = space (32) ‖ number of credits (1) ‖ credit (69) ‖ …
//! ```
//! The first credit is looked at here: whoever holds one can take some room for some time, as with one credit of their own they might anyhow.

use super::{
    credits::verified,
    service::{Service, bearer, blocking, decode, read},
};
use nightdrop_store::Payment;
use nightdrop_wire::{
    authorization::Authorization,
    endpoint::Endpoint,
    ids::{BlobId, SpaceId},
    limits::MAX_CREDITS_PER_PAYMENT,
    messages::credit::Credit,
    refusal::Refusal,
};

use std::sync::Arc;

/// Bytes of the body's beginning in which the sender's right stands.
pub(crate) const fn right_in_body(endpoint: Endpoint) -> usize {
    match endpoint {
        Endpoint::CreateBlob => BlobId::LENGTH + 1 + Credit::LENGTH,
        Endpoint::CreateLog => SpaceId::LENGTH + 1 + Credit::LENGTH,
        _ => 0,
    }
}

impl Service {
    /// Whether the sender of a large body has a right to what it asks; `beginning` is of [`right_in_body`] bytes.
    ///
    /// # Errors
    /// The refusal that the whole request would get.
    pub(crate) async fn admit(
        &self,
        endpoint: Endpoint,
        shown: Option<&Authorization>,
        beginning: &[u8],
    ) -> Result<(), Refusal> {
        let (store, today) = (self.inner.store.clone(), self.inner.environment.today());
        match endpoint {
            Endpoint::PutChunk(blob, _) | Endpoint::FinishBlob(blob) => {
                let write_key = bearer(shown.cloned())?;
                read(move || store.admit_writer(blob, &write_key, today)).await
            }
            Endpoint::AppendLog(space) => {
                let append_token = bearer(shown.cloned())?;
                read(move || store.admit_appender(space, &append_token)).await
            }
            Endpoint::CreateBlob => {
                let (blob, credit) = id_and_first_credit(beginning)?;
                let payment = self.payment(credit).await?;
                read(move || store.admit_blob(BlobId::from_bytes(blob), &payment, today)).await
            }
            Endpoint::CreateLog => {
                let (space, credit) = id_and_first_credit(beginning)?;
                let payment = self.payment(credit).await?;
                read(move || store.admit_log(SpaceId::from_bytes(space), &payment, today)).await
            }
            // Every other body is small.
            _ => Err(Refusal::Refused),
        }
    }

    /// Whether whoever asks for a large answer has a right to it: looked up before room for the answer is taken.
    ///
    /// # Errors
    /// The refusal that the whole request would get.
    pub(crate) async fn admit_reader(
        &self,
        endpoint: Endpoint,
        shown: Option<&Authorization>,
    ) -> Result<(), Refusal> {
        let (store, environment) = (self.inner.store.clone(), &self.inner.environment);
        match endpoint {
            Endpoint::GetChunk(blob, _) | Endpoint::GetHead(blob) => {
                let shown = shown.cloned().ok_or(Refusal::Refused)?;
                let now = environment.quarter();
                read(move || store.admit_reader(blob, &shown, now)).await
            }
            Endpoint::HeldChunks(blob, _) => {
                let (write_key, today) = (bearer(shown.cloned())?, environment.today());
                read(move || store.admit_writer(blob, &write_key, today)).await
            }
            Endpoint::ReadLog(space, _) => {
                let read_token = bearer(shown.cloned())?;
                read(move || store.admit_log_reader(space, &read_token)).await
            }
            // Every other answer is small.
            _ => Ok(()),
        }
    }

    async fn payment(&self, credit: Credit) -> Result<Payment, Refusal> {
        let inner = Arc::clone(&self.inner);
        blocking(move || verified(&[credit], |credit| inner.issuer.knows(credit))).await
    }
}

fn id_and_first_credit<const N: usize>(bytes: &[u8]) -> Result<([u8; N], Credit), Refusal> {
    let (id, rest) = bytes.split_first_chunk::<N>().ok_or(Refusal::Refused)?;
    // So few that their number is one byte.
    let (count, rest) = rest.split_first().ok_or(Refusal::Refused)?;
    if *count == 0 || usize::from(*count) > MAX_CREDITS_PER_PAYMENT {
        return Err(Refusal::Refused);
    }
    let credit = rest.first_chunk::<{ Credit::LENGTH }>().ok_or(Refusal::Refused)?;
    Ok((*id, decode(credit)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use nightdrop_wire::{
        codec,
        denomination::Denomination,
        messages::{blob::CreateBlob, log::CreateLog},
        token::TokenHash,
    };

    #[test]
    fn id_and_first_credit_are_the_first_bytes_of_the_body() {
        let hash = TokenHash::from_bytes([3; 32]);
        let credit = |byte| Credit::new(Denomination::Large, 7, [byte; 32], [4; 32]);
        let blob = |count: usize| {
            let payment = (2..).take(count).map(credit).collect();
            let blob = BlobId::from_bytes([1; 16]);
            CreateBlob { blob, payment, read_token: hash, write_key: hash, chunks: 1, whole: None }
        };
        let log = CreateLog {
            space: SpaceId::from_bytes([1; 32]),
            payment: vec![credit(2)],
            paid: 1,
            read_token: hash,
            append_token: hash,
            entries: Vec::new(),
        };
        for count in [1, 2, MAX_CREDITS_PER_PAYMENT] {
            let body = codec::encode(&blob(count)).unwrap();
            let (id, credit) = id_and_first_credit::<16>(&body).unwrap();
            assert_eq!((id, credit.nonce(), credit.mark()), ([1; 16], &[2; 32], &[4; 32]));
        }
        let (id, credit) = id_and_first_credit::<32>(&codec::encode(&log).unwrap()).unwrap();
        assert_eq!((id, credit.nonce(), credit.mark()), ([1; 32], &[2; 32], &[4; 32]));
        for count in [0, MAX_CREDITS_PER_PAYMENT + 1, 200] {
            let body = codec::encode(&blob(count)).unwrap();
            assert!(id_and_first_credit::<16>(&body).is_err(), "{count} credits");
        }
        assert!(id_and_first_credit::<16>(&[1; 85]).is_err());
    }
}
