//! Who may send a large body: whoever shows what the request needs. It is looked up before room for the body is taken, so
//! that strangers hold none of it.
//!
//! A right stands in the head, or, for what a credit pays, in the first bytes of the body:
//!
//! ```text
//! CreateBlob = blob (16) ‖ credit (32) ‖ …
//! CreateLog  = space (32) ‖ credit (32) ‖ …
//! ```

use super::service::{Service, bearer, read};
use nightdrop_wire::{
    authorization::Authorization,
    endpoint::Endpoint,
    ids::{BlobId, SpaceId},
    refusal::Refusal,
    token::Token,
};

/// Bytes of a token.
const TOKEN: usize = 32;

/// Bytes of the body's beginning in which the sender's right stands.
pub(crate) const fn right_in_body(endpoint: Endpoint) -> usize {
    match endpoint {
        Endpoint::CreateBlob => BlobId::LENGTH + TOKEN,
        Endpoint::CreateLog => SpaceId::LENGTH + TOKEN,
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
                read(move || store.admit_writer(blob, &write_key)).await
            }
            Endpoint::AppendLog(space) => {
                let append_token = bearer(shown.cloned())?;
                read(move || store.admit_appender(space, &append_token)).await
            }
            Endpoint::CreateBlob => {
                let (blob, credit) = id_and_token(beginning)?;
                read(move || store.admit_blob(BlobId::from_bytes(blob), &credit, today)).await
            }
            Endpoint::CreateLog => {
                let (space, credit) = id_and_token(beginning)?;
                read(move || store.admit_log(SpaceId::from_bytes(space), &credit, today)).await
            }
            // Every other body is small.
            _ => Err(Refusal::Refused),
        }
    }
}

fn id_and_token<const N: usize>(bytes: &[u8]) -> Result<([u8; N], Token), Refusal> {
    let (id, rest) = bytes.split_first_chunk::<N>().ok_or(Refusal::Refused)?;
    let token = rest.first_chunk::<TOKEN>().ok_or(Refusal::Refused)?;
    Ok((*id, Token::from_bytes(*token)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use nightdrop_wire::{
        codec,
        messages::{blob::CreateBlob, log::CreateLog},
        token::TokenHash,
    };

    #[test]
    fn id_and_credit_are_the_first_bytes_of_the_body() {
        let (credit, hash) = (Token::from_bytes([2; 32]), TokenHash::from_bytes([3; 32]));
        let blob = CreateBlob {
            blob: BlobId::from_bytes([1; 16]),
            credit: credit.clone(),
            read_token: hash,
            write_key: hash,
            chunks: 1,
            whole: None,
        };
        let log = CreateLog {
            space: SpaceId::from_bytes([1; 32]),
            credit,
            read_token: hash,
            append_token: hash,
            entries: Vec::new(),
        };
        let (id, token) = id_and_token::<16>(&codec::encode(&blob).unwrap()).unwrap();
        assert_eq!((id, token.secret_bytes()), ([1; 16], &[2; 32]));
        let (id, token) = id_and_token::<32>(&codec::encode(&log).unwrap()).unwrap();
        assert_eq!((id, token.secret_bytes()), ([1; 32], &[2; 32]));
        assert!(id_and_token::<16>(&[1; 47]).is_err());
    }
}
