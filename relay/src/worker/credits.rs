//! Credits: issued blindly with a session, and known again when they are spent, by whoever that is.

use super::{
    refusals::refusal_of,
    service::{Inner, Service, blocking, decode, done, encode, read},
};
use bytes::Bytes;
use nightdrop_credit::may_be_drawn;
use nightdrop_store::{Beforehand, BodyDigest, Payment, Queued, StoreError};
use nightdrop_wire::{
    denomination::Assortment,
    ids::BlobId,
    limits::MAX_CREDITS_PER_PAYMENT,
    messages::credit::{Credit, CreditOrder},
    refusal::Refusal,
    token::{Token, TokenHash},
};
use std::sync::Arc;

impl Service {
    /// `POST /v1/credits`. They are counted before they are made; the same request again makes the same ones.
    pub(super) async fn fetch_credits(&self, session: TokenHash, body: Bytes) -> Result<Bytes, Refusal> {
        let order: CreditOrder = decode(&body)?;
        let today = self.inner.environment.today();
        let wanted = order.assortment().ok_or(Refusal::Refused)?;
        if !may_be_drawn(order.expires, today.0) {
            // Whoever has a session learns that it is not that: the client's clock is wrong, or this one's.
            let store = self.inner.store.clone();
            read(move || store.authenticate(&session, today)).await?;
            return Err(Refusal::Conflict);
        }
        let drawn = self.inner.store.draw_credits(session, wanted, BodyDigest::of(&body), today).await;
        let drawn = drawn.map_err(|error| refusal_of(&error))?;
        self.issue(order, drawn).await
    }

    /// `POST /v1/blobs/{blob}/refund`. They are noted before they are made; the same order again makes the same ones.
    pub(super) async fn refund_blob(
        &self,
        blob: BlobId,
        write_key: Token,
        body: Bytes,
    ) -> Result<Bytes, Refusal> {
        let order: CreditOrder = decode(&body)?;
        let today = self.inner.environment.today();
        let wanted = order.assortment().filter(|_| may_be_drawn(order.expires, today.0));
        let wanted = wanted.ok_or(Refusal::Refused)?;
        let given = self.inner.store.refund(blob, &write_key, wanted, BodyDigest::of(&body), today).await;
        given.map_err(|error| refusal_of(&error))?;
        self.issue(order, wanted).await
    }

    async fn issue(&self, order: CreditOrder, given: Assortment) -> Result<Bytes, Refusal> {
        let inner = Arc::clone(&self.inner);
        let issue = move || {
            let issued = inner.issuer.issue(&order, given, &mut inner.environment.rng());
            issued.map_err(|_| Refusal::Refused)
        };
        // One at a time: a batch is milliseconds of a processor that logins and reads need as well.
        let _turn = self.inner.issuing.lock().await;
        encode(&blocking(issue).await?)
    }
}

impl Inner {
    /// Has a request carried out with what its credits pay, unless the store has found beforehand that it is none or was carried out already.
    pub(super) fn paid<T: Send + 'static>(
        &self,
        before: Result<Beforehand<T>, StoreError>,
        credits: &[Credit],
        carry_out: impl FnOnce(Payment) -> Queued<T>,
    ) -> Result<Queued<T>, Refusal> {
        Ok(match payment(before, credits, |credit| self.issuer.knows(credit))? {
            Paying::Done(so) => done(so),
            Paying::With(payment) => carry_out(payment),
        })
    }
}

/// What comes of a request that pays.
enum Paying<T> {
    /// Nothing is to be paid: what it asks for is so.
    Done(T),
    /// This pays.
    With(Payment),
}

/// No mark is verified of what could not pay in any case: that would be work for nothing, as often as somebody likes.
fn payment<T>(
    before: Result<Beforehand<T>, StoreError>,
    credits: &[Credit],
    knows: impl FnMut(&Credit) -> bool,
) -> Result<Paying<T>, Refusal> {
    match before.map_err(|error| refusal_of(&error))? {
        Beforehand::Done(so) => Ok(Paying::Done(so)),
        Beforehand::MayPay => verified(credits, knows).map(Paying::With),
    }
}

/// What credits pay with, if this relay issued all of them. Whether they were spent, the store knows.
pub(super) fn verified(credits: &[Credit], knows: impl FnMut(&Credit) -> bool) -> Result<Payment, Refusal> {
    let are_ours = credits.len() <= MAX_CREDITS_PER_PAYMENT && credits.iter().all(knows);
    if are_ours { Ok(Payment::of_verified(credits)) } else { Err(Refusal::Refused) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nightdrop_store::{Day, Store, StoreLimits};
    use nightdrop_wire::{
        codec,
        denomination::Denomination::{self, Smallest},
        messages::{
            blob::{CreateBlob, GrowBlob},
            log::{CreateLog, GrowLog},
        },
        price,
        token::TokenHash,
    };
    use serde_bytes::ByteBuf;

    const TODAY: Day = Day(20_000);
    const WRITE_KEY: [u8; 32] = [8; 32];

    fn credit(n: u8, denomination: Denomination, expires: Day) -> Credit {
        Credit::new(denomination, expires.0, [n; 32], [0; 32])
    }

    fn credits(count: u8) -> Vec<Credit> {
        (0..count).map(|n| credit(n, Smallest, TODAY)).collect()
    }

    fn blob(id: u8, payment: Vec<Credit>) -> CreateBlob {
        let write_key = nightdrop_store::token_hash(&Token::from_bytes(WRITE_KEY));
        let read_token = TokenHash::from_bytes([9; 32]);
        CreateBlob {
            blob: BlobId::from_bytes([id; 16]),
            payment,
            read_token,
            write_key,
            chunks: 2,
            whole: None,
        }
    }

    /// How many marks were verified, and whether it pays.
    fn verify<T>(
        before: Result<Beforehand<T>, StoreError>,
        credits: &[Credit],
    ) -> (usize, Result<bool, Refusal>) {
        let mut verified = 0;
        let outcome = payment(before, credits, |_| {
            verified += 1;
            true
        });
        (verified, outcome.map(|paying| matches!(paying, Paying::With(_))))
    }

    fn digest<T: serde::Serialize>(message: &T) -> BodyDigest {
        BodyDigest::of(&codec::encode(message).unwrap())
    }

    #[tokio::test]
    async fn nothing_is_verified_of_what_could_not_pay_or_has_paid() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(&directory.path().join("store"), StoreLimits::default()).unwrap();
        let see = |blob: &CreateBlob| verify(store.before_blob(blob, digest(blob), TODAY), &blob.payment);
        let refused = (0, Err(Refusal::Refused));
        let price = u8::try_from(price::of_open(2).unwrap()).unwrap();

        let good = blob(1, credits(price));
        assert_eq!(see(&good), (usize::from(price), Ok(true)));
        let one_often = vec![credit(1, Smallest, TODAY); MAX_CREDITS_PER_PAYMENT];
        assert_eq!(see(&blob(1, one_often)), refused, "one credit again and again");
        let twice = [credits(price - 1), vec![credit(1, Smallest, TODAY)]].concat();
        assert_eq!(see(&blob(1, twice)), refused, "one twice");
        assert_eq!(see(&blob(1, credits(price - 1))), refused, "too little");
        assert_eq!(see(&blob(1, credits(price + 1))), refused, "one too many");
        let old = [credits(price - 1), vec![credit(200, Smallest, Day(TODAY.0 - 1))]].concat();
        assert_eq!(see(&blob(1, old)), refused, "one is too old");

        let paid = Payment::of_verified(&good.payment);
        store.create_blob(&good, paid, digest(&good), TODAY, &mut rand::rng()).await.unwrap();
        assert_eq!(see(&good), (0, Ok(false)), "the same again");
        assert_eq!(see(&blob(2, credits(price))), refused, "spent");
        let fresh: Vec<_> = (100..100 + price).map(|n| credit(n, Smallest, TODAY)).collect();
        let (count, pays) = see(&blob(1, fresh.clone()));
        assert_eq!((count, pays), (fresh.len(), Ok(true)), "that an id is taken is told to who pays");

        let key = Token::from_bytes(WRITE_KEY);
        let grow = |key: &Token, chunks, payment: &[Credit]| {
            let message = GrowBlob { chunks, payment: payment.to_vec() };
            verify(store.before_growth(good.blob, key, &message, digest(&message), TODAY), payment)
        };
        assert_eq!(grow(&key, 3, &fresh[..16]), (16, Ok(true)));
        assert_eq!(grow(&Token::from_bytes([1; 32]), 3, &fresh[..16]), refused, "another key");
        assert_eq!(grow(&key, 3, &vec![fresh[0].clone(); 16]), refused, "one again and again");
        assert_eq!(grow(&key, 3, &good.payment[..16]), refused, "spent");

        let log = |payment: Vec<Credit>| CreateLog {
            space: nightdrop_wire::ids::SpaceId::from_bytes([1; 32]),
            payment,
            paid: 1,
            read_token: TokenHash::from_bytes([9; 32]),
            append_token: nightdrop_store::token_hash(&Token::from_bytes(WRITE_KEY)),
            entries: vec![ByteBuf::from(vec![1; 512])],
        };
        let see = |log: &CreateLog| verify(store.before_log(log, digest(log), TODAY), &log.payment);
        assert_eq!(see(&log(fresh[..1].to_vec())), (1, Ok(true)));
        assert_eq!(see(&log(vec![fresh[0].clone(); 112])), refused, "one again and again");
        assert_eq!(see(&log(credits(1))), refused, "spent");

        let stored = log(fresh[..1].to_vec());
        let paid = Payment::of_verified(&stored.payment);
        let made = store.create_log(&stored, paid, digest(&stored), TODAY, &mut rand::rng());
        made.await.unwrap();
        let grow = |token: [u8; 32], held, payment: &[Credit]| {
            let message = GrowLog { held, paid: 17, payment: payment.to_vec() };
            let token = Token::from_bytes(token);
            verify(store.before_log_growth(stored.space, &token, &message, digest(&message), TODAY), payment)
        };
        assert_eq!(grow(WRITE_KEY, 1, &fresh[1..17]), (16, Ok(true)));
        assert_eq!(grow([1; 32], 1, &fresh[1..17]), refused, "another token");
        assert_eq!(grow(WRITE_KEY, 1, &vec![fresh[1].clone(); 16]), refused, "one again and again");
        assert_eq!(grow(WRITE_KEY, 1, &good.payment[..16]), refused, "spent");
        assert_eq!(grow(WRITE_KEY, 2, &fresh[1..16]), (0, Err(Refusal::Conflict)), "another sum is paid");
    }
}
