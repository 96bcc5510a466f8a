//! Reading a log, page by page, and believing what replays.

use crate::{ClientError, list_room::ListRoom, relay::RelayLane, transport::Transport};
use bytes::Bytes;
use nightdrop_envelope::space::{HomeKeys, Lead, Replay, VerifiedLog};
use nightdrop_wire::{
    authorization::Authorization,
    codec,
    endpoint::Endpoint,
    limits::{ENTRY_SIZES, MAX_ENTRIES, MAX_ENTRIES_BODY, MAX_LOG_ENTRIES},
    messages::log::{LogHead, LogPage},
};

/// Bytes of a page at most.
const MAX_PAGE: usize = MAX_ENTRIES_BODY;
/// Bytes that one more entry may need in a page: itself, its length, and what a relay may keep free for a longer head and more room.
const ROOM_FOR_AN_ENTRY: usize = LARGEST_ENTRY + 32;
const LARGEST_ENTRY: usize = {
    let [_, _, _, largest] = ENTRY_SIZES;
    largest
};

/// What was read.
pub(super) struct Read {
    pub(super) log: VerifiedLog,
    pub(super) room: ListRoom,
    /// Whether the log goes through the head that was asked for.
    pub(super) goes_through: bool,
}

/// Reads what follows, until the head that the relay claims. `room` is what was known of the room before.
pub(super) async fn read_on<T: Transport>(
    lane: &mut RelayLane<T>,
    mut replay: Replay,
    room: ListRoom,
    ours: Option<LogHead>,
) -> Result<Read, ClientError> {
    let mut goes_through = false;
    loop {
        let (page, bytes) = read_page_and_length(lane, replay.keys(), replay.head().count).await?;
        for entry in &page.entries {
            replay.advance(entry)?;
            goes_through |= Some(*replay.head()) == ours;
        }
        if replay.head().count >= page.head.count {
            let log = replay.finish(&page.head)?;
            let room = room.told(page.room, log.head())?;
            return Ok(Read { log, room, goes_through });
        }
        require_full(&page, bytes)?;
    }
}

/// Reads what led to where a log begins.
pub(super) async fn read_lead<T: Transport>(
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
/// As [`super::HomeSpace::open`].
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
