//! The home space over the network: reading the log, believing what replays, appending by compare-and-swap.

use crate::{
    ClientError,
    limits::ClientLimits,
    payment::Payment,
    random,
    relay::{RelayLane, RequestError},
    transport::Transport,
};
use bytes::Bytes;
use nightdrop_envelope::space::{HomeKeys, Lead, Operation, Replay, Report, State, VerifiedLog};
use nightdrop_wire::{
    authorization::Authorization,
    codec,
    endpoint::Endpoint,
    limits::{ENTRY_SIZES, MAX_ENTRIES, MAX_ENTRIES_BODY, MAX_LOG_ENTRIES},
    messages::log::{Append, CreateLog, LogHead, LogPage},
    onion::OnionAddress,
    refusal::Refusal,
};
use serde_bytes::ByteBuf;

/// Bytes of an append's entries at most; the rest of the body is the head and lengths.
const MAX_APPEND_BYTES: usize = MAX_ENTRIES * 1024;
/// Bytes of a page at most.
const MAX_PAGE: usize = MAX_ENTRIES_BODY;
/// Bytes that one more entry may need in a page: itself, its length, and what a relay may keep free for a longer head.
const ROOM_FOR_AN_ENTRY: usize = LARGEST_ENTRY + 16;
const LARGEST_ENTRY: usize = {
    let [_, _, _, largest] = ENTRY_SIZES;
    largest
};
/// Appends that are tried when other devices write at the same time. Whoever loses has two round trips to the winner's one, so a device that writes
/// without a pause can win many times in a row.
const APPEND_ATTEMPTS: u32 = 1_000;

/// An account's home space, read and verified.
pub struct HomeSpace<T> {
    lane: RelayLane<T>,
    log: VerifiedLog,
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
        let log = match read_on(&mut lane, replay, None).await {
            Err(ClientError::Withheld) if remembered == Some(never_written) => VerifiedLog::empty(keys),
            Err(ClientError::Withheld) if remembered.is_none() => return Err(ClientError::NoHomeSpace),
            log => log?.0,
        };
        Ok(Self { lane, log })
    }

    /// A space that was never written, over a lane of its own.
    #[must_use]
    pub fn never_written(transport: &T, relay: &OnionAddress, keys: HomeKeys, limits: &ClientLimits) -> Self {
        Self { lane: RelayLane::isolated(transport, relay, limits), log: VerifiedLog::empty(keys) }
    }

    /// A space that was read before, over a lane that shares circuits with nothing but this space.
    pub(crate) const fn from_parts(lane: RelayLane<T>, log: VerifiedLog) -> Self {
        Self { lane, log }
    }

    /// What was read.
    pub(crate) const fn log(&self) -> &VerifiedLog {
        &self.log
    }

    /// What it takes to go on later.
    pub(crate) fn into_parts(self) -> (RelayLane<T>, VerifiedLog) {
        (self.lane, self.log)
    }

    /// Reads what was written since; one round trip if nothing was.
    ///
    /// # Errors
    /// As [`Self::open`]; then it stands where it stood.
    pub async fn refresh(&mut self) -> Result<(), ClientError> {
        match read_on(&mut self.lane, self.log.clone().resume(), None).await {
            // Never written, as far as this device knows: it was found so when it was opened.
            Err(ClientError::Withheld) if self.is_new() => {}
            read => self.log = read?.0,
        }
        Ok(())
    }

    /// Reads on, to what another command of this device has seen or past it; or what led from there to where this one began.
    ///
    /// # Errors
    /// As [`Self::open`]; [`ClientError::Chain`] if the relay has shown that command another history. Then it stands where it stood.
    pub async fn read_towards(&mut self, seen: LogHead) -> Result<(), ClientError> {
        if let Some(lead) = self.log.lead_from(&seen) {
            let lead = read_lead(&mut self.lane, self.log.keys(), lead).await?;
            return Ok(self.log.take_lead(lead)?);
        }
        self.log = read_on(&mut self.lane, self.log.clone().resume_towards(seen), None).await?.0;
        Ok(())
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

    /// Makes the space, or reads it if another device was faster.
    ///
    /// # Errors
    /// [`ClientError`]; it can be tried again with another payment.
    pub async fn create(&mut self, payment: Payment) -> Result<(), ClientError> {
        let keys = self.log.keys();
        let (read_token, append_token) = keys.token_hashes();
        let space = keys.space();
        let create = vec![self.log.create()];
        let entries = self.log.seal_next(create, &mut random::system()).map_err(ClientError::Sealing)?;
        let create = CreateLog {
            space,
            payment: payment.show(),
            read_token,
            append_token,
            entries: to_wire(&entries),
        };
        match self.lane.tell(Endpoint::CreateLog, None, &create).await {
            Ok(()) => Ok(self.log.take(&entries)?),
            Err(RequestError::Refused(Refusal::Conflict)) => self.read_further(None).await.map(|_| ()),
            Err(error) => Err(ClientError::upload(error)),
        }
    }

    /// Appends what `decide` makes of the state; it is asked again when another device was faster. Nothing is appended if it
    /// decides on nothing.
    ///
    /// # Errors
    /// What `decide` returns: then nothing more was appended. [`ClientError::ChangedMeanwhile`] if what it decided makes no sense.
    /// [`ClientError::RelayFull`] if the relay takes no more although no other device wrote.
    /// After any other error the entries may have been appended, or some of them: their answer may have been lost.
    pub async fn append(
        &mut self,
        mut decide: impl FnMut(&State) -> Result<Vec<Operation>, ClientError>,
    ) -> Result<(), ClientError> {
        for _ in 0..APPEND_ATTEMPTS {
            let operations = decide(self.log.state())?;
            match self.append_once(operations).await? {
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
    pub(crate) async fn append_here(&mut self, operations: Vec<Operation>) -> Result<bool, ClientError> {
        Ok(matches!(self.append_once(operations).await?, Appended::All))
    }

    async fn append_once(&mut self, operations: Vec<Operation>) -> Result<Appended, ClientError> {
        if let (Some(next), false) = (self.log.state().closed_for(), operations.is_empty()) {
            return Err(ClientError::Closed { next });
        }
        let sealed = self.log.seal_next(operations, &mut random::system());
        let entries = sealed.map_err(|_| ClientError::ChangedMeanwhile("your files".to_owned()))?;
        let authorization = Authorization::Bearer(self.log.keys().append_token().clone());
        let endpoint = Endpoint::AppendLog(self.log.keys().space());
        let mut left = entries.len();
        for batch in batches(&entries) {
            left -= batch.len();
            let append = Append { expected: *self.log.head(), entries: to_wire(batch) };
            match self.lane.tell(endpoint, Some(&authorization), &append).await {
                Ok(()) => self.log.take(batch)?,
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
        let (log, stand) = read_on(&mut self.lane, self.log.clone().resume(), ours).await?;
        if log.head() == self.log.head() {
            // It stands where it was expected, so the relay has no room in it, or says so for ever.
            return Err(ClientError::RelayFull);
        }
        self.log = log;
        Ok(stand)
    }
}

impl<T> std::fmt::Debug for HomeSpace<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("HomeSpace")
    }
}

/// Reads what follows, until the head that the relay claims, and says whether the log goes through `ours`.
async fn read_on<T: Transport>(
    lane: &mut RelayLane<T>,
    mut replay: Replay,
    ours: Option<LogHead>,
) -> Result<(VerifiedLog, bool), ClientError> {
    let mut stand = false;
    loop {
        let (page, bytes) = read_page_and_length(lane, replay.keys(), replay.head().count).await?;
        for entry in &page.entries {
            replay.advance(entry)?;
            stand |= Some(*replay.head()) == ours;
        }
        if replay.head().count >= page.head.count {
            return Ok((replay.finish(&page.head)?, stand));
        }
        require_full(&page, bytes)?;
    }
}

/// Reads what led to where a log begins.
async fn read_lead<T: Transport>(
    lane: &mut RelayLane<T>,
    keys: &HomeKeys,
    mut lead: Lead,
) -> Result<Lead, ClientError> {
    while let Some(from) = lead.next() {
        let (page, bytes) = read_page_and_length(lane, keys, from).await?;
        for entry in &page.entries {
            if lead.next().is_some() {
                lead.advance(entry);
            }
        }
        if lead.next().is_some() {
            require_full(&page, bytes)?;
        }
    }
    Ok(lead)
}

/// The entries from this one on that a page takes. Nothing in them is verified.
///
/// # Errors
/// As [`HomeSpace::open`].
pub(crate) async fn read_page<T: Transport>(
    lane: &mut RelayLane<T>,
    keys: &HomeKeys,
    from: u64,
) -> Result<LogPage, ClientError> {
    read_page_and_length(lane, keys, from).await.map(|(page, _)| page)
}

async fn read_page_and_length<T: Transport>(
    lane: &mut RelayLane<T>,
    keys: &HomeKeys,
    from: u64,
) -> Result<(LogPage, usize), ClientError> {
    let authorization = Authorization::Bearer(keys.read_token().clone());
    let endpoint = Endpoint::ReadLog(keys.space(), from);
    let body = lane.exchange(endpoint, Some(&authorization), Bytes::new(), MAX_PAGE).await;
    let body = body.map_err(ClientError::listed)?;
    let page: LogPage = codec::decode(&body).map_err(|_| ClientError::NotARelay)?;
    require_sound(&page)?;
    Ok((page, body.len()))
}

/// A log is bounded, and so is what a lying relay can make a client read. No log is without the entry that made it.
fn require_sound(page: &LogPage) -> Result<(), ClientError> {
    let sound = (1..=MAX_LOG_ENTRIES).contains(&page.head.count)
        && page.entries.len() <= MAX_ENTRIES
        && page.entries.iter().all(|entry| ENTRY_SIZES.contains(&entry.len()));
    if sound { Ok(()) } else { Err(ClientError::NotARelay) }
}

/// A page that is not the last one holds as much as fits, or a lying relay could make a client ask for every entry by itself.
fn require_full(page: &LogPage, bytes: usize) -> Result<(), ClientError> {
    let full = page.entries.len() == MAX_ENTRIES || bytes + ROOM_FOR_AN_ENTRY > MAX_PAGE;
    if full { Ok(()) } else { Err(ClientError::NotARelay) }
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
