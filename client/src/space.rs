//! The home space over the network: reading the log, believing what replays, appending by compare-and-swap.

use crate::{
    ClientError,
    limits::ClientLimits,
    random,
    relay::{RelayLane, RequestError},
    transport::Transport,
};
use bytes::Bytes;
use nightdrop_envelope::space::{HomeKeys, Operation, Replay, Report, State};
use nightdrop_wire::{
    authorization::Authorization,
    codec,
    endpoint::Endpoint,
    limits::{MAX_ENTRIES, MAX_ENTRIES_BODY},
    messages::log::{Append, CreateLog, LogHead, LogPage},
    onion::OnionAddress,
    refusal::Refusal,
    token::Token,
};
use serde_bytes::ByteBuf;

/// Bytes of an append's entries at most; the rest of the body is the head and lengths.
const MAX_APPEND_BYTES: usize = MAX_ENTRIES * 1024;
/// Appends that are tried when other devices write at the same time.
const APPEND_ATTEMPTS: u32 = 64;

/// An account's home space, as far as it was read.
pub struct HomeSpace<T> {
    lane: RelayLane<T>,
    replay: Replay,
}

impl<T: Transport> HomeSpace<T> {
    /// Reads the whole log, over a lane of its own. A space that was never written is empty.
    ///
    /// # Errors
    /// [`ClientError::Chain`] if the relay gives another history; [`ClientError::Withheld`] if it denies a space that this
    /// device remembers.
    pub async fn open(
        transport: &T,
        relay: &OnionAddress,
        keys: HomeKeys,
        remembered: Option<LogHead>,
        limits: &ClientLimits,
    ) -> Result<Self, ClientError> {
        let lane = RelayLane::isolated(transport, relay, limits);
        let mut space = Self { lane, replay: Replay::new(keys, remembered) };
        match space.refresh().await {
            Err(ClientError::Withheld) if remembered.is_none() => {}
            outcome => outcome?,
        }
        Ok(space)
    }

    /// Reads what was appended since.
    async fn refresh(&mut self) -> Result<(), ClientError> {
        let authorization = Authorization::Bearer(self.replay.keys().read_token().clone());
        loop {
            let endpoint = Endpoint::ReadLog(self.replay.keys().space(), self.replay.head().count);
            let page =
                self.lane.exchange(endpoint, Some(&authorization), Bytes::new(), MAX_ENTRIES_BODY).await;
            let page: LogPage =
                codec::decode(&page.map_err(ClientError::listed)?).map_err(|_| ClientError::NotARelay)?;
            for entry in &page.entries {
                self.replay.advance(entry)?;
            }
            // A page without entries is the end, whatever the relay claims; then the head decides.
            if page.entries.is_empty() || self.replay.head().count >= page.head.count {
                return Ok(self.replay.require_head(&page.head)?);
            }
        }
    }

    /// What the space holds.
    #[must_use]
    pub const fn state(&self) -> &State {
        self.replay.state()
    }

    /// Entries that somebody else put there, and that have no effect.
    #[must_use]
    pub fn reports(&self) -> &[Report] {
        self.replay.reports()
    }

    /// Where the log stands, for the device's memory; `None` while the space was never written.
    #[must_use]
    pub fn head(&self) -> Option<LogHead> {
        Some(*self.replay.head()).filter(|head| head.count > 0)
    }

    /// Whether the space has to be made, and paid for, before the first entry.
    #[must_use]
    pub fn is_new(&self) -> bool {
        self.replay.head().count == 0
    }

    /// Makes the space.
    ///
    /// # Errors
    /// [`ClientError`]; it can be tried again with another credit.
    pub async fn create(&mut self, credit: Token) -> Result<(), ClientError> {
        let entries = self.replay.seal_next(vec![self.replay.create()], &mut random::system())?;
        let keys = self.replay.keys();
        let (read_token, append_token) = keys.token_hashes();
        let space = keys.space();
        let create = CreateLog { space, credit, read_token, append_token, entries: to_wire(&entries) };
        self.lane.tell(Endpoint::CreateLog, None, &create).await.map_err(ClientError::upload)?;
        self.take(&entries)
    }

    /// Appends what `decide` makes of the state; it is asked again when another device was faster. Nothing is appended if it
    /// decides on nothing.
    ///
    /// # Errors
    /// What `decide` returns, or [`ClientError`]; then nothing of it was appended, or what was appended is a start of it.
    pub async fn append(
        &mut self,
        mut decide: impl FnMut(&State) -> Result<Vec<Operation>, ClientError>,
    ) -> Result<(), ClientError> {
        for _ in 0..APPEND_ATTEMPTS {
            let operations = decide(self.replay.state())?;
            if operations.is_empty() {
                return Ok(());
            }
            let entries = self.replay.seal_next(operations, &mut random::system())?;
            if self.append_sealed(&entries).await? {
                return Ok(());
            }
            self.refresh().await?;
        }
        Err(ClientError::RelayBusy)
    }

    /// `false` if the log stood elsewhere.
    async fn append_sealed(&mut self, entries: &[Vec<u8>]) -> Result<bool, ClientError> {
        let authorization = Authorization::Bearer(self.replay.keys().append_token().clone());
        let endpoint = Endpoint::AppendLog(self.replay.keys().space());
        for batch in batches(entries) {
            let append = Append { expected: *self.replay.head(), entries: to_wire(batch) };
            match self.lane.tell(endpoint, Some(&authorization), &append).await {
                Ok(()) => self.take(batch)?,
                Err(RequestError::Refused(Refusal::Conflict)) => return Ok(false),
                Err(error) => return Err(ClientError::listed(error)),
            }
        }
        Ok(true)
    }

    fn take(&mut self, entries: &[Vec<u8>]) -> Result<(), ClientError> {
        for entry in entries {
            self.replay.advance(entry)?;
        }
        Ok(())
    }
}

impl<T> std::fmt::Debug for HomeSpace<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("HomeSpace")
    }
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
