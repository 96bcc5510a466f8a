//! Paying for the room of a list, ahead of what is appended.
//!
//! What always holds: credits are shown for the same room once in a process; what the relay then denies is an error.

use super::{HomeSpace, reading::read_on};
use crate::{
    ClientError,
    list_room::{self, ListRoom, Use},
    payment::Purse,
    relay::RequestError,
    transport::Transport,
};
use nightdrop_wire::{
    authorization::Authorization, endpoint::Endpoint, messages::log::GrowLog, price, refusal::Refusal,
};

/// Payments for one thing at most: a relay that always says that another device was faster must not take all credits.
const MOST_GROWTHS: usize = 8;

impl<T: Transport> HomeSpace<T> {
    /// Units that pay for a space which is made for so many files.
    #[must_use]
    pub fn price_with(files: usize) -> u32 {
        let made = ListRoom::default().with_taken(list_room::expected_of(1));
        made.wanted(list_room::expected_of(files), files).unwrap_or(price::LOG)
    }

    /// Units that are paid for, as the relay says.
    pub(crate) const fn paid(&self) -> u32 {
        self.room.paid()
    }

    /// Whether more should have been paid for than is.
    pub(crate) fn lacks_room(&self) -> bool {
        self.room.wanted(0, self.log.state().count()).is_some()
    }

    /// Pays for room ahead of so many entries, which list so many files more; nothing if there is enough.
    ///
    /// # Errors
    /// [`ClientError::ListUnpaid`] if nothing pays for it: then what is listed could not be removed any more if these were listed, too.
    /// [`ClientError::PaymentDenied`]; as [`Self::open`].
    pub async fn make_room(
        &mut self,
        purse: &impl Purse,
        entries: usize,
        files: usize,
    ) -> Result<(), ClientError> {
        if self.is_new() {
            return Ok(());
        }
        let files = self.log.state().count().saturating_add(files);
        self.grow_for(purse, list_room::expected_of(entries), (files, Use::Paid)).await
    }

    /// Pays for more room, if there is not enough for these entries, beside what is kept free. What it is kept free for takes it without paying.
    ///
    /// # Errors
    /// As [`Self::make_room`].
    pub(super) async fn grow_for(
        &mut self,
        purse: &impl Purse,
        more: u64,
        (files, use_): (usize, Use),
    ) -> Result<(), ClientError> {
        if more == 0 || (use_ == Use::KeptFree && self.room.fits(more)) {
            return Ok(());
        }
        for _ in 0..MOST_GROWTHS {
            let Some(paid) = self.room.wanted(more, files) else { return Ok(()) };
            self.grow(purse, paid).await?;
            if use_ == Use::KeptFree && self.room.fits(more) {
                return Ok(());
            }
        }
        Err(ClientError::RelayBusy)
    }

    /// Pays for the room of the entry that closes the list, if there is none: before anything is paid for the one that follows.
    ///
    /// # Errors
    /// As [`Self::make_room`].
    pub(crate) async fn make_room_to_close(&mut self, purse: &impl Purse) -> Result<(), ClientError> {
        let files = self.log.state().count();
        self.grow_for(purse, list_room::expected_of(1), (files, Use::KeptFree)).await
    }

    /// Pays for so many units in all, or finds that another device has paid: then the log was read further. More is paid for after it in any case, so it
    /// can be tried again until it is enough.
    async fn grow(&mut self, purse: &impl Purse, paid: u32) -> Result<(), ClientError> {
        let payment = match purse.pay(paid.saturating_sub(self.room.paid())).await {
            Err(ClientError::NoCredits) => return Err(ClientError::ListUnpaid),
            payment => payment?,
        };
        let (endpoint, units) = (Endpoint::GrowLog(self.log.keys().space()), payment.units());
        let authorization = Authorization::Bearer(self.log.keys().append_token().clone());
        let grow = GrowLog { held: self.room.paid(), paid, payment: payment.show() };
        match self.lane.tell(endpoint, Some(&authorization), &grow).await {
            Ok(()) => {
                self.room.pay(units);
                Ok(())
            }
            // Another device has paid meanwhile, or an answer was lost; what was shown here is not shown again for something else.
            Err(RequestError::Refused(Refusal::Conflict)) => {
                let room = self.room.with_more_paid();
                let read = read_on(&mut self.lane, self.log.clone().resume(), room, None).await?;
                self.keep(read);
                Ok(())
            }
            Err(error) => Err(ClientError::growth(error)),
        }
    }
}
