//! Logs: what is kept of a space. Entries are appended by compare-and-swap on the head, and never change afterwards.
//!
//! Invariants: entry `n` stands at `(space, n)` together with the hash of the chain up to it, and the log's row holds
//! where the chain ends. So neither an append nor knowing a repeated one depends on how long the log is.

use crate::{
    at_rest::{self, AtRestKey, Place},
    at_rest_keys,
    credits::Payment,
    day::Day,
    digest::{BodyDigest, sha256, token_hash},
    error::{Failure, StoreError},
    limits::StoreLimits,
    object::ObjectName,
    operation::Checked,
    room::Need,
    row::{self, Row},
    schema::{ENDED, LogEntryKey, LogEntryRow, LogRow},
    store::{Queued, Store, refused},
    transaction::{Changes, Rows},
};
use nightdrop_wire::{
    ids::SpaceId,
    limits::{ENTRY_SIZES, MAX_ENTRIES, MAX_ENTRIES_BODY},
    messages::log::{Append, CreateLog, LogHead, LogPage, LogRoom},
    price,
    token::{Token, TokenHash},
};
use rand::CryptoRng;
use serde_bytes::ByteBuf;
use std::ops::{ControlFlow, RangeInclusive};

/// Bytes of a page without entries, at most: count, hash, what is paid, what is taken, and how many entries.
const PAGE_OVERHEAD: usize = 10 + 32 + 5 + 10 + 2;
/// Bytes that an entry takes in a page beyond its own: its length.
const ENTRY_OVERHEAD: usize = 2;

impl Store {
    /// Makes a log with its first entries and spends its payment, in one transaction.
    ///
    /// The same body again is answered alike. [`StoreError::Refused`] if the entries are malformed or take more than is to be paid, or the payment is none
    /// for that; [`StoreError::Conflict`] if the id is taken or ended, or a log may not be so long: nothing is then spent.
    #[must_use]
    pub fn create_log(
        &self,
        message: &CreateLog,
        payment: Payment,
        body: BodyDigest,
        today: Day,
        rng: &mut dyn CryptoRng,
    ) -> Queued<()> {
        let new = match NewLog::prepare(message, payment, body, today, rng) {
            Ok(new) => new,
            Err(error) => return refused(error),
        };
        let limits = *self.limits();
        self.queue(new.entries.weight(), move |rows| {
            let held = rows.row::<LogRow>(new.space.as_bytes());
            if matches!(&held, Ok(Some(held)) if held.request == new.row.request) {
                return Ok(Checked::Already(()));
            }
            new.payment.check_unspent(rows, today)?;
            if held?.is_some() || rows.holds(&ENDED, &ObjectName::log(new.space).bytes())? {
                return Err(StoreError::Conflict);
            }
            check_length(&new.row, &limits)?;
            Ok(Checked::Write(move |changes: &Changes<'_>| new.write(changes)))
        })
    }

    /// Appends entries, all or none, if the log stands at the head that the writer expects. Entries that stand right
    /// after that head already are not appended twice.
    ///
    /// [`StoreError::Refused`] without the append token or if the entries are malformed; [`StoreError::Conflict`] if
    /// the log stands elsewhere, or may not be so long; [`StoreError::Unpaid`] if it stands there, and they take more than was paid.
    #[must_use]
    pub fn append(
        &self,
        space: SpaceId,
        append_token: &Token,
        message: &Append,
        rng: &mut dyn CryptoRng,
    ) -> Queued<()> {
        let append_token = token_hash(append_token);
        let entries = match self.seal_entries(space, &append_token, message, rng) {
            Ok(entries) => entries,
            Err(error) => return refused(error),
        };
        let (expected, limits) = (message.expected, *self.limits());
        self.queue_for(Need::Little, entries.weight(), move |rows| {
            let row = appendable(rows, space, &append_token)?;
            if row.head != expected {
                let stand = entries.stand_in(rows, &row.head)?;
                return if stand { Ok(Checked::Already(())) } else { Err(StoreError::Conflict) };
            }
            let row = LogRow {
                head: entries.head,
                bytes: row.bytes.saturating_add(entries.bytes()),
                taken: row.taken.saturating_add(entries.taken),
                ..row
            };
            check_length(&row, &limits)?;
            if price::of_log(row.taken) > row.paid {
                return Err(StoreError::Unpaid);
            }
            Ok(Checked::Write(move |changes: &Changes<'_>| {
                entries.write(changes)?;
                changes.put(space.as_bytes(), &row)
            }))
        })
    }

    /// Entries from number `from` on, as many as a page takes, and where the whole log stands.
    ///
    /// # Errors
    /// [`StoreError::Refused`] unless there is such a log and its read token is shown; [`StoreError::Damaged`],
    /// [`StoreError::Database`].
    pub fn read_log(&self, space: SpaceId, read_token: &Token, from: u64) -> Result<LogPage, StoreError> {
        let snapshot = self.snapshot()?;
        let row = readable(&snapshot, space, read_token)?;
        let key = at_rest_keys::read(&snapshot, ObjectName::log(space))?;
        let room = LogRoom { paid: row.paid, taken: row.taken };
        Ok(LogPage {
            head: row.head,
            room,
            entries: read_page(&snapshot, space, &key, from, row.head.count)?,
        })
    }

    /// Checks as far as it can be seen before the operation's turn, so that nothing is sealed for whoever has no right.
    fn seal_entries(
        &self,
        space: SpaceId,
        append_token: &TokenHash,
        message: &Append,
        rng: &mut dyn CryptoRng,
    ) -> Result<SealedEntries, StoreError> {
        check_form(&message.entries)?;
        let snapshot = self.snapshot()?;
        appendable(&snapshot, space, append_token)?;
        let key = at_rest_keys::read(&snapshot, ObjectName::log(space))?;
        SealedEntries::seal(space, &key, &message.expected, &message.entries, rng)
    }
}

/// The log, to whoever shows its append token.
pub(crate) fn appendable(
    rows: &impl Rows,
    space: SpaceId,
    append_token: &TokenHash,
) -> Result<LogRow, StoreError> {
    let row = rows.guard::<LogRow>(space.as_bytes())?;
    row.filter(|row| row.append_token == *append_token).ok_or(StoreError::Refused)
}

/// The log, to whoever shows its read token.
pub(crate) fn readable(rows: &impl Rows, space: SpaceId, read_token: &Token) -> Result<LogRow, StoreError> {
    let row = rows.guard::<LogRow>(space.as_bytes())?;
    row.filter(|row| row.read_token == token_hash(read_token)).ok_or(StoreError::Refused)
}

/// Whether a log can be made so, with such a payment.
pub(crate) fn check_new(message: &CreateLog, payment: &Payment) -> Result<(), StoreError> {
    check_form(&message.entries)?;
    let pays = (price::of_log(taken_by(&message.entries))..=price::LONGEST_LOG).contains(&message.paid);
    if pays { payment.check_price(message.paid) } else { Err(StoreError::Refused) }
}

/// Bytes that entries take, as their price counts them.
fn taken_by(entries: &[ByteBuf]) -> u64 {
    entries.iter().map(|entry| price::of_entry(entry.len())).sum()
}

/// Whether the entries are as many and as long as entries may be.
fn check_form(entries: &[ByteBuf]) -> Result<(), StoreError> {
    let well_formed = (1..=MAX_ENTRIES).contains(&entries.len())
        && entries.iter().all(|entry| ENTRY_SIZES.contains(&entry.len()));
    if well_formed { Ok(()) } else { Err(StoreError::Refused) }
}

/// Whether a log may be so long.
fn check_length(row: &LogRow, limits: &StoreLimits) -> Result<(), StoreError> {
    let fits = row.head.count <= u64::from(limits.log_entries) && row.bytes <= limits.log_bytes;
    if fits { Ok(()) } else { Err(StoreError::Conflict) }
}

/// The entries from number `from` on that fit a page, of a log that has `count`.
fn read_page(
    rows: &impl Rows,
    space: SpaceId,
    key: &AtRestKey,
    from: u64,
    count: u64,
) -> Result<Vec<ByteBuf>, StoreError> {
    let mut entries = Vec::new();
    let Some(range) = range_of_page(space, from, count) else { return Ok(entries) };
    let (mut next, last) = (range.start().1, range.end().1);
    let (mut room, mut full) = (MAX_ENTRIES_BODY - PAGE_OVERHEAD, false);
    rows.each(&LogEntryRow::TABLE, range, |place, bytes| {
        if place.1 != next {
            return Err(StoreError::Damaged(LogEntryRow::TABLE.name));
        }
        let row: LogEntryRow = row::decode(&place, bytes)?;
        let entry = at_rest::open(key, &entry_place(space, next), row.entry)?;
        let Some(rest) = room.checked_sub(ENTRY_OVERHEAD + entry.len()) else {
            full = true;
            return Ok(ControlFlow::Break(()));
        };
        (room, next) = (rest, next.saturating_add(1));
        entries.push(ByteBuf::from(entry));
        Ok(ControlFlow::Continue(()))
    })?;
    // A log that says that it has them must have them.
    if full || next > last { Ok(entries) } else { Err(StoreError::Damaged(LogEntryRow::TABLE.name)) }
}

/// The places of a page's entries at most; `None` from the end of the log on.
fn range_of_page(space: SpaceId, from: u64, count: u64) -> Option<RangeInclusive<LogEntryKey>> {
    let most = u64::try_from(MAX_ENTRIES).unwrap_or(u64::MAX);
    let last = from.saturating_add(most).min(count).checked_sub(1)?;
    let (first, last) = (u32::try_from(from).ok()?, u32::try_from(last).ok()?);
    (first <= last).then_some((*space.as_bytes(), first)..=(*space.as_bytes(), last))
}

fn entry_place(space: SpaceId, n: u32) -> Place {
    Place { table: LogEntryRow::TABLE.name, object: ObjectName::log(space), index: n }
}

/// A log to be made.
struct NewLog {
    space: SpaceId,
    key: AtRestKey,
    payment: Payment,
    row: LogRow,
    entries: SealedEntries,
}

impl NewLog {
    fn prepare(
        message: &CreateLog,
        payment: Payment,
        body: BodyDigest,
        today: Day,
        rng: &mut dyn CryptoRng,
    ) -> Result<Self, StoreError> {
        check_new(message, &payment)?;
        let key = AtRestKey::generate(rng);
        let before = LogHead::before_first(message.space);
        let entries = SealedEntries::seal(message.space, &key, &before, &message.entries, rng)?;
        let row = LogRow {
            read_token: message.read_token,
            append_token: message.append_token,
            head: entries.head,
            bytes: entries.bytes(),
            taken: entries.taken,
            paid: payment.units(),
            grown_by: None,
            created: today,
            request: body.0,
            receipt: payment.receipt(ObjectName::log(message.space)),
        };
        Ok(Self { space: message.space, key, payment, row, entries })
    }

    fn write(self, changes: &Changes<'_>) -> Result<(), Failure> {
        self.payment.spend(changes)?;
        at_rest_keys::keep(changes, ObjectName::log(self.space), &self.key)?;
        self.entries.write(changes)?;
        changes.put(self.space.as_bytes(), &self.row)
    }
}

/// Entries sealed at rest for their places after a head.
struct SealedEntries {
    rows: Vec<(LogEntryKey, LogEntryRow)>,
    /// Where the log stands with them.
    head: LogHead,
    /// Bytes that they take, as their price counts them.
    taken: u64,
}

impl SealedEntries {
    fn seal(
        space: SpaceId,
        key: &AtRestKey,
        after: &LogHead,
        entries: &[ByteBuf],
        rng: &mut dyn CryptoRng,
    ) -> Result<Self, StoreError> {
        let (mut head, taken) = (*after, taken_by(entries));
        let mut rows = Vec::with_capacity(entries.len());
        for entry in entries {
            // No log is so long, so that none stands where such a writer expects it.
            let n = u32::try_from(head.count).map_err(|_| StoreError::Conflict)?;
            head = LogHead { count: u64::from(n) + 1, hash: sha256(&[&head.hash, entry]) };
            let entry = at_rest::seal(key, &entry_place(space, n), entry, rng)?;
            rows.push(((*space.as_bytes(), n), LogEntryRow { chain: head.hash, entry }));
        }
        Ok(Self { rows, head, taken })
    }

    /// Bytes that they add to a batch.
    fn weight(&self) -> usize {
        self.rows.iter().map(|(_, row)| row.entry.len()).sum()
    }

    /// The same, as a log counts them.
    fn bytes(&self) -> u64 {
        u64::try_from(self.weight()).unwrap_or(u64::MAX)
    }

    /// Whether exactly these entries stand in the log already, right after the head that they were sealed for: the hash
    /// of the chain after the last of them says all.
    fn stand_in(&self, rows: &impl Rows, held: &LogHead) -> Result<bool, StoreError> {
        let Some((last, row)) = self.rows.last() else { return Ok(false) };
        if self.head.count > held.count {
            return Ok(false);
        }
        let stored = rows.row::<LogEntryRow>(last)?;
        Ok(stored.is_some_and(|stored| stored.chain == row.chain))
    }

    fn write(&self, changes: &Changes<'_>) -> Result<(), Failure> {
        self.rows.iter().try_for_each(|(place, row)| changes.put(place, row))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nightdrop_wire::codec;

    #[test]
    fn a_page_is_counted_as_it_is_encoded() {
        let head = LogHead { count: u64::MAX, hash: [0xff; 32] };
        for size in ENTRY_SIZES {
            let entries = vec![ByteBuf::from(vec![1; size]); MAX_ENTRIES];
            let counted = PAGE_OVERHEAD + MAX_ENTRIES * (ENTRY_OVERHEAD + size);
            let room = LogRoom { paid: u32::MAX, taken: u64::MAX };
            assert_eq!(codec::encode(&LogPage { head, room, entries }).unwrap().len(), counted);
        }
    }

    #[test]
    fn a_page_ends_with_the_log() {
        let space = SpaceId::from_bytes([1; 32]);
        let ends =
            |from, count| range_of_page(space, from, count).map(|range| (range.start().1, range.end().1));
        assert_eq!(ends(0, 1), Some((0, 0)));
        assert_eq!(ends(3, 300), Some((3, 258)));
        assert_eq!(ends(299, 300), Some((299, 299)));
        for (from, count) in [(0, 0), (300, 300), (301, 300), (u64::MAX, 300), (1 << 32, 300)] {
            assert_eq!(ends(from, count), None, "{from} of {count}");
        }
    }
}
