//! Logins that were begun and not finished: what slows down whoever guesses passwords.
//!
//! ```text
//! begin   counts one failure more, and is refused while the account's back-off lasts
//! finish  forgets the account's failures
//! ```
//! The table has a fixed size, so that invented account ids cannot grow it: [`ROWS`] × [`SLOTS`] counters, of which an account id has
//! one in each row, at a keyed place that nobody else can compute. The least of its counters is its number of failures, so another
//! account's failures count for it only if they share a counter with it in every row; a failure raises only the counters that stand at the least
//! (a count-min sketch with conservative update: Estan and Varghese, "New Directions in Traffic Measurement and Accounting", 2002).
//! An account that does not exist has counters like any other.
//!
//! The table stands in memory and is written behind: waiting for the disk would make every login slower, and its time hard to tell from
//! others'. A crash forgets the failures of the last commit's time, some milliseconds. The delay is bounded: nobody can keep an owner out for good.

use crate::{
    digest::sha256,
    error::StoreError,
    limits::GuessLimits,
    operation::Checked,
    room::{Need, scattered},
    row::{self, Row},
    schema::{GuessRow, IdentityRow, ONLY},
    store::Store,
    transaction::{Changes, Rows},
};
use nightdrop_wire::{ids::AccountId, quarter::QuarterHour};
use std::{
    collections::{BTreeSet, HashMap},
    ops::ControlFlow,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{SystemTime, UNIX_EPOCH},
};

/// Counters that each account has.
const ROWS: u32 = 4;
/// Counters of one row.
const SLOTS: u32 = 65_536;
/// Counters that one write changes at most: however many have changed, a little room is enough to go on.
const COUNTERS_PER_WRITE: usize = 64;

/// A point in time: minutes since 1970-01-01 (UTC).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub struct Minute(pub u64);

impl Minute {
    /// The minute of a point in time; the first one for a clock that stands before 1970.
    #[must_use]
    pub fn of(time: SystemTime) -> Self {
        Self(time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs() / 60))
    }

    /// The quarter of an hour that it lies in.
    #[must_use]
    pub fn quarter(self) -> QuarterHour {
        QuarterHour(u32::try_from(self.0 / 15).unwrap_or(u32::MAX))
    }
}

/// Too many logins of this account were begun and not finished: it has to wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many logins were not finished")]
pub struct TooManyGuesses;

/// The counters of all accounts, real or not. Clones share them.
#[derive(Clone)]
pub struct Guesses {
    store: Store,
    key: [u8; 32],
    table: Arc<Mutex<Table>>,
}

#[derive(Default)]
struct Table {
    counters: HashMap<u32, GuessRow>,
    /// Places whose counters are not written yet.
    dirty: BTreeSet<u32>,
    /// Whether somebody writes.
    writing: bool,
}

impl Guesses {
    /// Those that the store keeps.
    ///
    /// # Errors
    /// [`StoreError::Refused`] if the store has no identity yet; [`StoreError::Database`].
    pub fn load(store: &Store) -> Result<Self, StoreError> {
        let snapshot = store.snapshot()?;
        let key = snapshot.row::<IdentityRow>(&ONLY)?.ok_or(StoreError::Refused)?.guess_key;
        let mut counters = HashMap::new();
        snapshot.each(&GuessRow::TABLE, 0..=u32::MAX, |place, bytes| {
            // A damaged counter counts nothing: it must not keep anybody out.
            if let Ok(counter) = row::decode::<GuessRow>(&place, bytes) {
                counters.insert(place, counter);
            }
            Ok(ControlFlow::Continue(()))
        })?;
        let table = Table { counters, ..Table::default() };
        Ok(Self { store: store.clone(), key, table: Arc::new(Mutex::new(table)) })
    }

    /// Counts a login that begins now as a failure, until it is finished.
    ///
    /// # Errors
    /// [`TooManyGuesses`] while the account has to wait: then nothing is counted.
    pub fn begin(&self, account: AccountId, now: Minute) -> Result<(), TooManyGuesses> {
        let limits = &self.store.limits().guesses;
        let mut table = self.table();
        let own = table.of(self.places(account), now, limits);
        if own.must_wait(now, limits) {
            return Err(TooManyGuesses);
        }
        let raised = GuessRow { failures: own.failures.saturating_add(1), last: now };
        for place in own.least {
            table.counters.insert(place, raised);
            table.dirty.insert(place);
        }
        Ok(())
    }

    /// Forgets the failures of an account whose login was finished.
    pub fn finish(&self, account: AccountId, now: Minute) {
        let limits = &self.store.limits().guesses;
        let mut table = self.table();
        // Counters that stand higher were raised by others.
        for place in table.of(self.places(account), now, limits).least {
            table.counters.remove(&place);
            table.dirty.insert(place);
        }
    }

    /// Writes what has changed, unless somebody does already: then that one goes on until nothing is left.
    ///
    /// # Errors
    /// As every write; what was not written is tried again with the next change.
    pub async fn keep(&self) -> Result<(), StoreError> {
        let Some(mut turn) = Turn::take(self) else { return Ok(()) };
        while let Some(changed) = turn.next() {
            let weight = scattered(changed.len());
            let written = self.store.queue_for(Need::Little, weight, move |_| {
                Ok(Checked::Write(move |changes: &Changes<'_>| {
                    for (place, counter) in changed {
                        match counter {
                            Some(counter) => changes.put(&place, &counter)?,
                            None => changes.remove(&GuessRow::TABLE, &place)?,
                        }
                    }
                    Ok(())
                }))
            });
            written.await?;
        }
        Ok(())
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn places(&self, account: AccountId) -> impl Iterator<Item = u32> {
        (0..ROWS).map(move |row| place(&self.key, row, account))
    }
}

impl std::fmt::Debug for Guesses {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Guesses")
    }
}

/// The turn of the one who writes. However it ends, by an error or by not being waited for, what it took and did not
/// write is taken by the next.
struct Turn<'g> {
    guesses: &'g Guesses,
    /// Places that are being written.
    taken: BTreeSet<u32>,
    /// Whether it has ended by finding nothing to write.
    over: bool,
}

impl<'g> Turn<'g> {
    /// A turn, unless it is somebody else's.
    fn take(guesses: &'g Guesses) -> Option<Self> {
        let taken = std::mem::replace(&mut guesses.table().writing, true);
        (!taken).then(|| Self { guesses, taken: BTreeSet::new(), over: false })
    }

    /// Counters that have changed, or `None` for one that is gone. If none has, the turn is over in the same moment: whoever
    /// changes one after that gets a turn.
    fn next(&mut self) -> Option<Vec<(u32, Option<GuessRow>)>> {
        let mut table = self.guesses.table();
        let next = std::iter::from_fn(|| table.dirty.pop_first());
        self.taken = next.take(COUNTERS_PER_WRITE).collect();
        if self.taken.is_empty() {
            (table.writing, self.over) = (false, true);
            return None;
        }
        Some(self.taken.iter().map(|place| (*place, table.counters.get(place).copied())).collect())
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if !self.over {
            let mut table = self.guesses.table();
            table.dirty.append(&mut self.taken);
            table.writing = false;
        }
    }
}

/// What the table says of one account.
struct Own {
    /// Failures in a row.
    failures: u32,
    /// When the last one was.
    last: Minute,
    /// Places of the counters that stand at this number.
    least: Vec<u32>,
}

impl Table {
    fn of(&self, places: impl Iterator<Item = u32>, now: Minute, limits: &GuessLimits) -> Own {
        let mut own = Own { failures: u32::MAX, last: Minute(0), least: Vec::new() };
        for place in places {
            let kept = self.counters.get(&place);
            let remembered = kept.filter(|kept| now.0.saturating_sub(kept.last.0) < limits.forget_minutes);
            let counter = remembered.copied().unwrap_or(GuessRow { failures: 0, last: Minute(0) });
            if counter.failures < own.failures || own.least.is_empty() {
                own = Own { failures: counter.failures, last: counter.last, least: Vec::new() };
            }
            if counter.failures == own.failures {
                own.last = own.last.min(counter.last);
                own.least.push(place);
            }
        }
        own
    }
}

impl Own {
    fn must_wait(&self, now: Minute, limits: &GuessLimits) -> bool {
        // A clock that was set back must not keep anybody out for longer than the delay.
        let waited = now.0.checked_sub(self.last.0).unwrap_or(u64::MAX);
        waited < limits.delay_minutes(self.failures)
    }
}

/// Where the account's counter of a row stands.
fn place(key: &[u8; 32], row: u32, account: AccountId) -> u32 {
    let hash = sha256(&[key, &row.to_be_bytes(), account.as_bytes()]);
    let [a, b, c, d, ..] = hash;
    row * SLOTS + u32::from_be_bytes([a, b, c, d]) % SLOTS
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::common::Fixture;

    #[test]
    fn what_changes_when_a_turn_has_found_nothing_more_gets_a_turn() {
        let fixture = Fixture::new();
        fixture.session(1);
        let guesses = Guesses::load(fixture.store()).unwrap();
        guesses.begin(AccountId::from_bytes([1; 10]), Minute(1)).unwrap();
        let mut turn = Turn::take(&guesses).unwrap();
        assert_eq!(turn.next().map(|changed| changed.len()), Some(4));
        guesses.finish(AccountId::from_bytes([1; 10]), Minute(1));
        assert!(Turn::take(&guesses).is_none(), "it goes on until nothing is left");
        assert_eq!(turn.next().map(|changed| changed.len()), Some(4));
        assert!(turn.next().is_none());
        guesses.begin(AccountId::from_bytes([1; 10]), Minute(1)).unwrap();
        let mut next = Turn::take(&guesses).expect("nobody else would write it");
        drop(turn);
        assert!(Turn::take(&guesses).is_none(), "the one that is over ends no other");
        assert_eq!(next.next().map(|changed| changed.len()), Some(4));
        drop(next);
        assert_eq!(guesses.table().dirty.len(), 4, "what was taken and not written");
        assert!(Turn::take(&guesses).is_some());
    }

    #[test]
    fn places_stay_in_their_row_and_differ_by_key() {
        let account = AccountId::from_bytes([7; 10]);
        for row in 0..ROWS {
            let own = place(&[1; 32], row, account);
            assert_eq!(own / SLOTS, row);
            assert_ne!(own, place(&[2; 32], row, account));
        }
    }

    #[test]
    fn delays_begin_after_the_fifth_double_and_are_bounded() {
        let limits = GuessLimits::default();
        let delays: Vec<u64> = (0..12).map(|failures| limits.delay_minutes(failures)).collect();
        assert_eq!(delays, [0, 0, 0, 0, 0, 1, 2, 4, 8, 15, 15, 15]);
        assert_eq!(limits.delay_minutes(u32::MAX), 15);
    }
}
