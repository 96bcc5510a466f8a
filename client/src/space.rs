//! The home space over the network: reading the log, believing what replays, appending by compare-and-swap.

mod growth;
mod reading;

pub(crate) use reading::read_page;
use reading::{Read, read_on};

use crate::{
    ClientError,
    limits::ClientLimits,
    list_room::{self, ListRoom},
    payment::{Payment, Purse},
    random,
    relay::{RelayLane, RequestError},
    transport::Transport,
};
use nightdrop_envelope::space::{HomeKeys, Operation, Replay, Report, State, VerifiedLog};
use nightdrop_wire::{
    authorization::Authorization,
    endpoint::Endpoint,
    limits::MAX_ENTRIES,
    messages::log::{Append, CreateLog, LogHead},
    onion::OnionAddress,
    refusal::Refusal,
};
use serde_bytes::ByteBuf;

/// Bytes of an append's entries at most; the rest of the body is the head and lengths.
const MAX_APPEND_BYTES: usize = MAX_ENTRIES * 1024;
/// Appends that are tried when other devices write at the same time. Whoever loses has two round trips to the winner's one, so a device that writes
/// without a pause can win many times in a row.
const APPEND_ATTEMPTS: u32 = 1_000;

/// An account's home space, read and verified.
pub struct HomeSpace<T> {
    lane: RelayLane<T>,
    log: VerifiedLog,
    room: ListRoom,
}

impl<T: Transport> HomeSpace<T> {
    /// Reads the whole log, over a lane of its own.
    ///
    /// # Errors
    /// [`ClientError::Chain`] if the relay gives another history; [`ClientError::Withheld`] if it denies a space that this
    /// device remembers; [`ClientError::NoHomeSpace`] if it denies one of which this device does not know whether it was ever
    /// written.
    pub async fn open(
        transport: &T,
        relay: &OnionAddress,
        keys: HomeKeys,
        remembered: Option<LogHead>,
        limits: &ClientLimits,
    ) -> Result<Self, ClientError> {
        let lane = RelayLane::isolated(transport, relay, limits);
        Self::open_from(lane, Replay::new(keys, remembered)).await
    }

    /// Reads what follows where a replay stands, over a lane that shares circuits with nothing but this space.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub(crate) async fn open_from(mut lane: RelayLane<T>, replay: Replay) -> Result<Self, ClientError> {
        let (keys, remembered) = (replay.keys().clone(), replay.remembered().copied());
        let never_written = LogHead::before_first(keys.space());
        let unknown = ListRoom::default();
        let (log, room) = match read_on(&mut lane, replay, unknown, None).await {
            Err(ClientError::Withheld) if remembered == Some(never_written) => {
                (VerifiedLog::empty(keys), unknown)
            }
            Err(ClientError::Withheld) if remembered.is_none() => return Err(ClientError::NoHomeSpace),
            read => {
                let Read { log, room, .. } = read?;
                (log, room)
            }
        };
        Ok(Self { lane, log, room })
    }

    /// A space that was never written, over a lane of its own.
    #[must_use]
    pub fn never_written(transport: &T, relay: &OnionAddress, keys: HomeKeys, limits: &ClientLimits) -> Self {
        let (log, room) = (VerifiedLog::empty(keys), ListRoom::default());
        Self { lane: RelayLane::isolated(transport, relay, limits), log, room }
    }

    /// A space that was read before, over a lane that shares circuits with nothing but this space.
    pub(crate) const fn from_parts(lane: RelayLane<T>, log: VerifiedLog, room: ListRoom) -> Self {
        Self { lane, log, room }
    }

    /// What was read.
    pub(crate) const fn log(&self) -> &VerifiedLog {
        &self.log
    }

    /// What it takes to go on later.
    pub(crate) fn into_parts(self) -> (RelayLane<T>, VerifiedLog, ListRoom) {
        (self.lane, self.log, self.room)
    }

    /// Reads what was written since; one round trip if nothing was.
    ///
    /// # Errors
    /// As [`Self::open`]; then it stands where it stood.
    pub async fn refresh(&mut self) -> Result<(), ClientError> {
        match read_on(&mut self.lane, self.log.clone().resume(), self.room, None).await {
            // Never written, as far as this device knows: it was found so when it was opened.
            Err(ClientError::Withheld) if self.is_new() => {}
            read => self.keep(read?),
        }
        Ok(())
    }

    /// Reads on, to what another command of this device has seen or past it; or what led from there to where this one began.
    ///
    /// # Errors
    /// As [`Self::open`]; [`ClientError::Chain`] if the relay has shown that command another history. Then it stands where it stood.
    pub async fn read_towards(&mut self, seen: LogHead) -> Result<(), ClientError> {
        if let Some(lead) = self.log.lead_from(&seen) {
            let lead = reading::read_lead(&mut self.lane, self.log.keys(), lead).await?;
            return Ok(self.log.take_lead(lead)?);
        }
        let replay = self.log.clone().resume_towards(seen);
        let read = read_on(&mut self.lane, replay, self.room, None).await?;
        self.keep(read);
        Ok(())
    }

    fn keep(&mut self, read: Read) {
        (self.log, self.room) = (read.log, read.room);
    }

    /// What the space holds.
    #[must_use]
    pub const fn state(&self) -> &State {
        self.log.state()
    }

    /// Hash of that, which two devices that see the same have in common.
    #[must_use]
    pub const fn state_hash(&self) -> &[u8; 32] {
        self.log.state_hash()
    }

    /// The first entries that are not as an honest device writes them, and how many there are in all.
    #[must_use]
    pub fn reports(&self) -> (&[Report], u64) {
        self.log.reports()
    }

    /// Where the log stands, for the device's memory.
    #[must_use]
    pub const fn head(&self) -> LogHead {
        *self.log.head()
    }

    /// Whether it is as far as what this device has seen otherwise.
    ///
    /// # Errors
    /// [`ClientError::Chain`] if the relay has shown another history there.
    pub fn has_passed(&self, seen: &LogHead) -> Result<bool, ClientError> {
        Ok(self.log.has_passed(seen)?)
    }

    /// Whether the space has to be made, and paid for, before the first entry.
    #[must_use]
    pub const fn is_new(&self) -> bool {
        self.log.head().count == 0
    }

    /// Makes the space, or reads it if another device was faster. All of the payment is for its entries.
    ///
    /// # Errors
    /// [`ClientError`]; it can be tried again with another payment.
    pub async fn create(&mut self, payment: Payment) -> Result<(), ClientError> {
        let keys = self.log.keys();
        let (read_token, append_token) = keys.token_hashes();
        let space = keys.space();
        let create = vec![self.log.create()];
        let entries = self.log.seal_next(create, &mut random::system()).map_err(ClientError::Sealing)?;
        let (paid, room) = (payment.units(), ListRoom::made(payment.units(), list_room::taken_by(&entries)));
        let create = CreateLog {
            space,
            paid,
            payment: payment.show(),
            read_token,
            append_token,
            entries: to_wire(&entries),
        };
        match self.lane.tell(Endpoint::CreateLog, None, &create).await {
            Ok(()) => {
                self.log.take(&entries)?;
                self.room = room;
                Ok(())
            }
            Err(RequestError::Refused(Refusal::Conflict)) => self.read_further(None).await.map(|_| ()),
            Err(error) => Err(ClientError::upload(error)),
        }
    }

    /// Appends what `decide` makes of the state; it is asked again when another device was faster. Nothing is appended if it
    /// decides on nothing. `purse` pays for room when little is left; what takes something off needs none as long as any is left.
    ///
    /// # Errors
    /// What `decide` returns: then nothing more was appended. [`ClientError::ListUnpaid`] if there is no room, and nothing pays for more: nothing was
    /// appended; [`ClientError::PaymentDenied`]. [`ClientError::ChangedMeanwhile`] if what it decided makes no sense.
    /// [`ClientError::RelayFull`] if the relay takes no more although no other device wrote.
    /// After any other error the entries may have been appended, or some of them: their answer may have been lost.
    pub async fn append(
        &mut self,
        purse: &impl Purse,
        mut decide: impl FnMut(&State) -> Result<Vec<Operation>, ClientError>,
    ) -> Result<(), ClientError> {
        for _ in 0..APPEND_ATTEMPTS {
            let operations = decide(self.log.state())?;
            match self.append_once(purse, operations).await? {
                Appended::All => return Ok(()),
                Appended::OtherWasFaster => {}
            }
        }
        Err(ClientError::RelayBusy)
    }

    /// Appends these as the next entries, or nothing: `false` if another device was faster.
    ///
    /// # Errors
    /// As [`Self::append`].
    pub(crate) async fn append_here(
        &mut self,
        purse: &impl Purse,
        operations: Vec<Operation>,
    ) -> Result<bool, ClientError> {
        Ok(matches!(self.append_once(purse, operations).await?, Appended::All))
    }

    async fn append_once(
        &mut self,
        purse: &impl Purse,
        operations: Vec<Operation>,
    ) -> Result<Appended, ClientError> {
        if let (Some(next), false) = (self.log.state().closed_for(), operations.is_empty()) {
            return Err(ClientError::Closed { next });
        }
        let files = self.log.state().count().saturating_add(list_room::files_listed_by(&operations));
        let use_ = list_room::use_of(&operations);
        let sealed = self.log.seal_next(operations, &mut random::system());
        let entries = sealed.map_err(|_| ClientError::ChangedMeanwhile("your files".to_owned()))?;
        let before = *self.log.head();
        self.grow_for(purse, list_room::taken_by(&entries), (files, use_)).await?;
        if *self.log.head() != before {
            return Ok(Appended::OtherWasFaster);
        }
        let authorization = Authorization::Bearer(self.log.keys().append_token().clone());
        let endpoint = Endpoint::AppendLog(self.log.keys().space());
        let mut left = entries.len();
        for batch in batches(&entries) {
            left -= batch.len();
            let append = Append { expected: *self.log.head(), entries: to_wire(batch) };
            match self.lane.tell(endpoint, Some(&authorization), &append).await {
                Ok(()) => {
                    self.log.take(batch)?;
                    self.room = self.room.with_taken(list_room::taken_by(batch));
                }
                // There is room: more was never appended than what is known to fit.
                Err(RequestError::Refused(Refusal::Unpaid)) => return Err(ClientError::PaymentDenied),
                Err(RequestError::Refused(Refusal::Conflict)) => {
                    let stand = self.read_further(Some(self.log.head_after(batch))).await?;
                    return Ok(if stand && left == 0 { Appended::All } else { Appended::OtherWasFaster });
                }
                Err(error) => return Err(ClientError::listed(error)),
            }
        }
        Ok(Appended::All)
    }

    /// Reads what another device appended meanwhile, and says whether the log went through `ours`. A relay that stored one's
    /// own entries and says that it did not must not have them decided again: what is listed already looks taken by others,
    /// and would be destroyed.
    async fn read_further(&mut self, ours: Option<LogHead>) -> Result<bool, ClientError> {
        let read = read_on(&mut self.lane, self.log.clone().resume(), self.room, ours).await?;
        if read.log.head() == self.log.head() {
            // It stands where it was expected, so the relay has no room in it, or says so for ever.
            return Err(ClientError::RelayFull);
        }
        let stand = read.goes_through;
        self.keep(read);
        Ok(stand)
    }
}

impl<T> std::fmt::Debug for HomeSpace<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("HomeSpace")
    }
}

enum Appended {
    All,
    OtherWasFaster,
}

/// Entries in as few requests as the limits allow.
fn batches(entries: &[Vec<u8>]) -> impl Iterator<Item = &[Vec<u8>]> {
    let mut rest = entries;
    std::iter::from_fn(move || {
        let mut bytes = 0;
        let fitting = rest.iter().take(MAX_ENTRIES).take_while(|entry| {
            bytes += entry.len();
            bytes <= MAX_APPEND_BYTES
        });
        let (batch, more) = rest.split_at_checked(fitting.count())?;
        rest = more;
        (!batch.is_empty()).then_some(batch)
    })
}

fn to_wire(entries: &[Vec<u8>]) -> Vec<ByteBuf> {
    entries.iter().cloned().map(ByteBuf::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_keep_order_and_limits() {
        let entries: Vec<Vec<u8>> = (0..600_u16)
            .map(|n| vec![u8::try_from(n % 251).unwrap(); if n % 3 == 0 { 4096 } else { 512 }])
            .collect();
        let batches: Vec<&[Vec<u8>]> = batches(&entries).collect();
        assert_eq!(batches.concat(), entries);
        for batch in batches {
            assert!(batch.len() <= MAX_ENTRIES);
            assert!(batch.iter().map(Vec::len).sum::<usize>() <= MAX_APPEND_BYTES);
        }
        assert_eq!(super::batches(&[]).count(), 0);
    }
}
