//! What is seen of a request that pays, before the marks of its credits are verified: to verify one takes as long as several look-ups, and a list has up
//! to 112. So whoever shows what cannot pay costs the relay none of that, and whoever sends the same request again neither.
//!
//! Every operation checks the same again when its turn comes.

use crate::{
    blobs,
    credits::Payment,
    day::Day,
    digest::{BodyDigest, token_hash},
    error::StoreError,
    growth,
    lease::{self, Extension},
    log_growth, logs,
    row::Row,
    schema::{BlobRow, LogRow},
    store::Store,
    transaction::Rows,
};
use nightdrop_wire::{
    ids::{BlobId, SpaceId},
    messages::{
        blob::{CreateBlob, ExtendLease, GrowBlob},
        log::{CreateLog, GrowLog},
    },
    token::Token,
};

/// What is seen of a request that pays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Beforehand<T = ()> {
    /// What it asks for is so already, mostly because this very request was answered before: its credits are spent.
    Done(T),
    /// Its credits pay, if this relay issued them.
    MayPay,
}

impl Store {
    /// What is seen of [`Store::create_blob`].
    ///
    /// # Errors
    /// [`StoreError::Refused`] if the request is malformed, or its credits could not pay even if they were genuine. Whether the id is taken is not told.
    pub fn before_blob(
        &self,
        message: &CreateBlob,
        body: BodyDigest,
        today: Day,
    ) -> Result<Beforehand<Day>, StoreError> {
        let (payment, moment) = (Payment::unverified(&message.payment), self.on(today));
        payment.check_price(blobs::price_of(message)?)?;
        self.before(message.blob.as_bytes(), &payment, today, |row: BlobRow| {
            (row.request == body.0 && moment.has(&row)).then(|| moment.last_day(&row))
        })
    }

    /// What is seen of [`Store::create_log`].
    ///
    /// # Errors
    /// As [`Store::before_blob`].
    pub fn before_log(
        &self,
        message: &CreateLog,
        body: BodyDigest,
        today: Day,
    ) -> Result<Beforehand, StoreError> {
        let payment = Payment::unverified(&message.payment);
        logs::check_new(message, &payment)?;
        self.before(message.space.as_bytes(), &payment, today, |row: LogRow| {
            (row.request == body.0).then_some(())
        })
    }

    /// What is seen of [`Store::grow_blob`].
    ///
    /// # Errors
    /// Those of [`Store::grow_blob`]: whoever has the write key may know how its blob stands.
    pub fn before_growth(
        &self,
        id: BlobId,
        write_key: &Token,
        message: &GrowBlob,
        body: BodyDigest,
        today: Day,
    ) -> Result<Beforehand, StoreError> {
        let payment = Payment::unverified(&message.payment);
        let grown = growth::check(
            &self.snapshot()?,
            id,
            &token_hash(write_key),
            message.chunks,
            &payment,
            body,
            self.on(today),
        )?;
        Ok(if grown.is_some() { Beforehand::MayPay } else { Beforehand::Done(()) })
    }

    /// What is seen of [`Store::extend_lease`].
    ///
    /// # Errors
    /// Those of [`Store::extend_lease`].
    pub fn before_lease(
        &self,
        id: BlobId,
        write_key: &Token,
        message: &ExtendLease,
        body: BodyDigest,
        today: Day,
    ) -> Result<Beforehand<Day>, StoreError> {
        let (payment, moment) = (Payment::unverified(&message.payment), self.on(today));
        let extension = lease::check(&self.snapshot()?, id, &token_hash(write_key), &payment, body, moment)?;
        Ok(match extension {
            Extension::Extends(_) => Beforehand::MayPay,
            Extension::Holds(until) => Beforehand::Done(until),
        })
    }

    /// What is seen of [`Store::grow_log`].
    ///
    /// # Errors
    /// Those of [`Store::grow_log`]: whoever has the append token may know how the log stands.
    pub fn before_log_growth(
        &self,
        space: SpaceId,
        append_token: &Token,
        message: &GrowLog,
        body: BodyDigest,
        today: Day,
    ) -> Result<Beforehand, StoreError> {
        let payment = Payment::unverified(&message.payment);
        let append_token = token_hash(append_token);
        let snapshot = self.snapshot()?;
        let units = (message.held, message.paid);
        let grown = log_growth::check(&snapshot, space, &append_token, units, &payment, body, today)?;
        Ok(if grown.is_some() { Beforehand::MayPay } else { Beforehand::Done(()) })
    }

    fn before<R: Row, T>(
        &self,
        id: &R::Key,
        payment: &Payment,
        today: Day,
        was_made_so: impl FnOnce(R) -> Option<T>,
    ) -> Result<Beforehand<T>, StoreError> {
        let snapshot = self.snapshot()?;
        // Both are looked up whatever the other says, so that time does not tell whether the id is taken.
        let pays = payment.check_unspent(&snapshot, today);
        let made = match snapshot.row::<R>(id) {
            // Told by the operation, to whoever pays.
            Err(StoreError::Damaged(_)) => Ok(None),
            row => row.map(|row| row.and_then(was_made_so)),
        };
        match made? {
            Some(so) => Ok(Beforehand::Done(so)),
            None => pays.map(|()| Beforehand::MayPay),
        }
    }
}
