//! A disk in memory that records what is asked of it, and what a crash can leave of such a record.

use redb::StorageBackend;
use std::{
    io,
    sync::{Arc, Mutex, MutexGuard},
};

/// Sectors are written wholly or not at all.
const SECTOR: usize = 512;

/// Something that happened, in its order.
#[derive(Debug, Clone)]
pub(super) enum Event {
    Write {
        at: usize,
        data: Arc<[u8]>,
    },
    Length(usize),
    Sync,
    /// A step of the story was begun; its store has been asked.
    Begun,
    /// The step was answered.
    Acknowledged,
}

/// A disk that records.
#[derive(Debug, Clone, Default)]
pub(super) struct RecordingDisk(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    bytes: Vec<u8>,
    events: Vec<Event>,
}

impl RecordingDisk {
    /// A disk that holds `bytes`, nothing of which is in the record.
    pub(super) fn holding(bytes: Vec<u8>) -> Self {
        Self(Arc::new(Mutex::new(State { bytes, events: Vec::new() })))
    }

    /// Notes where the story stands.
    pub(super) fn mark(&self, event: Event) {
        self.state().events.push(event);
    }

    /// What is on the disk.
    pub(super) fn bytes(&self) -> Vec<u8> {
        self.state().bytes.clone()
    }

    /// What happened on it.
    pub(super) fn events(&self) -> Vec<Event> {
        self.state().events.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    fn happen(&self, event: Event) {
        let mut state = self.state();
        apply(&mut state.bytes, &event);
        state.events.push(event);
    }
}

impl StorageBackend for RecordingDisk {
    fn len(&self) -> io::Result<u64> {
        Ok(u64::try_from(self.state().bytes.len()).unwrap())
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let start = usize::try_from(offset).unwrap();
        let state = self.state();
        let bytes = state.bytes.get(start..start + out.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
        out.copy_from_slice(bytes);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.happen(Event::Length(usize::try_from(len).unwrap()));
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        self.happen(Event::Sync);
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.happen(Event::Write { at: usize::try_from(offset).unwrap(), data: data.into() });
        Ok(())
    }
}

/// What an event does to a file. A write beyond its end makes it longer.
fn apply(bytes: &mut Vec<u8>, event: &Event) {
    match event {
        Event::Write { at, data } => {
            let end = at + data.len();
            if bytes.len() < end {
                bytes.resize(end, 0);
            }
            bytes[*at..end].copy_from_slice(data);
        }
        Event::Length(length) => bytes.resize(*length, 0),
        Event::Sync | Event::Begun | Event::Acknowledged => {}
    }
}

/// What a crash left.
pub(super) struct Crash {
    /// Events before it.
    pub(super) after: usize,
    /// How it treated what was not synced.
    pub(super) how: How,
    /// Steps that had been answered.
    pub(super) acknowledged: usize,
    /// Whether one more had been begun.
    pub(super) begun: bool,
    /// The file.
    pub(super) image: Vec<u8>,
}

/// What becomes of that which was written and not synced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum How {
    /// All of it is there, as when only the process ends.
    Kept,
    /// Nothing of it is there.
    Lost,
    /// All is there but the end of the last write.
    Torn,
    /// Some of it is there, written in any order, some of that torn.
    Reordered,
}

/// Gives every crash of a record that began on a disk with `base` to `visit`; of the prefixes only each `stride`-th.
pub(super) fn crashes(base: &[u8], events: &[Event], stride: usize, mut visit: impl FnMut(Crash)) {
    let (mut kept, mut synced) = (base.to_vec(), base.to_vec());
    let mut unsynced: Vec<&Event> = Vec::new();
    let (mut begun, mut acknowledged) = (0, 0);
    let mut seed = Seeded(0x5eed);
    for (n, event) in events.iter().enumerate() {
        let chosen = n % stride == 0 || matches!(event, Event::Acknowledged);
        let torn = chosen.then(|| torn_after(&kept, event, &mut seed)).flatten();
        apply(&mut kept, event);
        match event {
            Event::Write { .. } | Event::Length(_) => unsynced.push(event),
            Event::Sync => unsynced.drain(..).for_each(|event| apply(&mut synced, event)),
            Event::Begun => begun += 1,
            Event::Acknowledged => acknowledged += 1,
        }
        if !chosen {
            continue;
        }
        let mut give = |how, image| {
            visit(Crash { after: n + 1, how, acknowledged, begun: begun > acknowledged, image });
        };
        give(How::Kept, kept.clone());
        if !unsynced.is_empty() {
            give(How::Lost, synced.clone());
            give(How::Reordered, reordered(&synced, &unsynced, &mut seed));
        }
        if let Some(torn) = torn {
            give(How::Torn, torn);
        }
    }
}

/// The file with the beginning of one more write: half of it, or up to the end of some sector.
fn torn_after(before: &[u8], event: &Event, seed: &mut Seeded) -> Option<Vec<u8>> {
    let Event::Write { at, data } = event else { return None };
    let part = torn_part(*at, data, seed)?;
    let mut image = before.to_vec();
    apply(&mut image, &part);
    Some(image)
}

fn torn_part(at: usize, data: &[u8], seed: &mut Seeded) -> Option<Event> {
    let sectors = data.len().div_ceil(SECTOR);
    // The beginning of less than two sectors is nothing.
    let most = sectors.checked_sub(1).filter(|most| *most > 0)?;
    let cut = if seed.below(2) == 0 { sectors.div_ceil(2).min(most) } else { 1 + seed.below(most) };
    Some(Event::Write { at, data: data[..cut * SECTOR].into() })
}

fn reordered(synced: &[u8], unsynced: &[&Event], seed: &mut Seeded) -> Vec<u8> {
    let mut chosen: Vec<_> = unsynced.iter().filter(|_| seed.below(2) == 0).collect();
    for n in (1..chosen.len()).rev() {
        chosen.swap(n, seed.below(n + 1));
    }
    let mut image = synced.to_vec();
    for event in chosen {
        let torn = match event {
            Event::Write { at, data } if seed.below(4) == 0 => torn_part(*at, data, seed),
            _ => None,
        };
        apply(&mut image, torn.as_ref().unwrap_or(event));
    }
    image
}

/// The same numbers each time (SplitMix64).
struct Seeded(u64);

impl Seeded {
    fn below(&mut self, most: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % u64::try_from(most).unwrap()).unwrap()
    }
}
