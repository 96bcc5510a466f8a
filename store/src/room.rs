//! Room on the disk: what may still be written, so that the disk never becomes full under a commit. redb gives a file
//! up at the first write that finds no space, and with it everything that is queued.
//!
//! ```text
//! free space of the disk      what may be written
//! above the reserve           everything
//! above a half of it          what fits into pages of the file that are free for use again ([`Gauge`])
//! above a quarter             what is needed to make room by hand: sessions, entries of logs
//! above a sixteenth           ends, and the removal of what ended, in steps that are as small as they have to be
//! below                       nothing
//! ```
//! That pages of the file are free for use again is guessed, so it never counts beyond a floor below which there is
//! another half of the reserve, and not at all for ends: to copy a page before it is given up takes a page that is there.
//! Reading goes on in any case. What is refused for want of room is refused before anything of it is written, and only
//! to whoever has shown what lets them write ([`crate::operation`]).

use std::{io, os::unix::fs::MetadataExt, path::Path};

/// What the disk has at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// Free bytes of the disk, as far as this program may use them.
    pub free: u64,
    /// Bytes of the disk that the store's file takes.
    pub file: u64,
}

/// Asks for the room; called before each commit.
pub type AskRoom = dyn Fn() -> io::Result<Room> + Send;

impl Room {
    /// What the system says of a file and the disk that it is on.
    pub(crate) fn of(file: &Path) -> io::Result<Self> {
        let disk = nix::sys::statvfs::statvfs(file)?;
        // `stat` counts in units of 512 bytes, whatever the disk's own are.
        let taken = std::fs::metadata(file)?.blocks().saturating_mul(512);
        let free = disk.blocks_available().saturating_mul(disk.fragment_size());
        Ok(Self { free, file: taken })
    }
}

/// How urgent it is to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    /// What grows.
    Room,
    /// What is small, and without which nobody could make room.
    Little,
    /// What makes room.
    Least,
}

/// Pages that an operation changes besides those of its weight: of a few tables, from leaf to root.
const PAGES_OF_OPERATION: u64 = 32 * 4096;

/// The weight of so many rows that stand anywhere in their tables: for each, its page is written anew and one above it.
pub(crate) const fn scattered(rows: usize) -> usize {
    rows.saturating_mul(2 * 4096)
}

/// What one batch may still write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Budget {
    room: u64,
    little: u64,
    least: u64,
}

impl Budget {
    /// The budget on a disk with so many free bytes, beside those that are free within the file.
    fn of(free: u64, reusable: u64, reserve: u64) -> Self {
        let above = |floor| free.saturating_sub(floor);
        Self {
            room: above(reserve).max(reusable.min(above(reserve / 2))),
            little: above(reserve / 4),
            least: above(reserve / 16),
        }
    }

    /// Nothing may be written.
    pub(crate) const NOTHING: Self = Self { room: 0, little: 0, least: 0 };

    /// Whether an operation of this weight may be written; if so, it is taken off.
    pub(crate) fn admits(&mut self, need: Need, weight: usize) -> bool {
        // A value that is not of a size class takes up to twice its size in pages, and rewritten pages are noted, merged
        // and split.
        let weight = u64::try_from(weight).unwrap_or(u64::MAX);
        let cost = weight.saturating_mul(2).saturating_add(PAGES_OF_OPERATION);
        let left = match need {
            Need::Room => self.room,
            Need::Little => self.little,
            Need::Least => self.least,
        };
        if cost > left {
            return false;
        }
        for left in [&mut self.room, &mut self.little, &mut self.least] {
            *left = left.saturating_sub(cost);
        }
        true
    }
}

/// Bytes that a batch must have added to say anything about how pages are used again.
const TELLING: i64 = 32 * 1024;

/// How much of the file is free for use again. redb does not say, so it is learnt: whenever the file took more of the
/// disk for what was written, nothing in it had been free for that; and each byte that ends from then on is.
#[derive(Debug, Default)]
pub(crate) struct Gauge {
    /// Bytes of the file that are neither in use nor of use; unknown until the file has grown once.
    unusable: Option<u64>,
    /// Bytes of the disk that the file took when it was asked last.
    file: u64,
    /// Bytes that were added since then.
    added: i64,
}

impl Gauge {
    /// What may be written, when the disk has this room and `held` bytes of the file are in use.
    pub(crate) fn budget(&mut self, room: Room, held: u64, reserve: u64) -> Budget {
        let grown = i64::try_from(room.file.saturating_sub(self.file)).unwrap_or(i64::MAX);
        if self.file > 0 && self.added >= TELLING && grown >= self.added / 2 {
            self.unusable = Some(room.file.saturating_sub(held));
        }
        (self.file, self.added) = (room.file, 0);
        let unusable = self.unusable.unwrap_or(held / 50 + reserve / 8);
        Budget::of(room.free, room.file.saturating_sub(held.saturating_add(unusable)), reserve)
    }

    /// Notes what was written.
    pub(crate) fn wrote(&mut self, volume: i64) {
        self.added = self.added.saturating_add(volume);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;
    const RESERVE: u64 = 64 * MIB;

    fn admitted(free: u64, file: u64, held: u64) -> [bool; 3] {
        let budget = Gauge::default().budget(Room { free, file }, held, RESERVE);
        [Need::Room, Need::Little, Need::Least].map(|need| { budget }.admits(need, 1 << 20))
    }

    #[test]
    fn the_fuller_the_disk_the_less_is_written() {
        for (free, expected) in [
            (80, [true, true, true]),
            (65, [false, true, true]),
            (20, [false, true, true]),
            (17, [false, false, true]),
            (8, [false, false, true]),
            (5, [false, false, false]),
            (0, [false, false, false]),
        ] {
            assert_eq!(admitted(free * MIB, 100 * MIB, 100 * MIB), expected, "{free} MiB free");
        }
    }

    #[test]
    fn pages_that_are_free_again_are_used_until_half_of_the_reserve_is_gone() {
        assert!(!admitted(60 * MIB, 100 * MIB, 100 * MIB)[0]);
        assert!(admitted(60 * MIB, 100 * MIB, 50 * MIB)[0]);
        assert!(!admitted(33 * MIB, 100 * MIB, 50 * MIB)[0]);
        assert_eq!(admitted(3 * MIB, 100 * MIB, 50 * MIB), [false; 3], "ends do not rely on a guess");
    }

    #[test]
    fn a_file_that_grew_had_nothing_to_use_again_and_what_ends_from_then_on_is() {
        let mut gauge = Gauge::default();
        let mut reuses = |file: u64, held: u64, added: i64| {
            let budget = gauge.budget(Room { free: 40 * MIB, file: file * MIB }, held * MIB, RESERVE);
            gauge.wrote(added);
            { budget }.admits(Need::Room, 1 << 20)
        };
        let mib = i64::try_from(MIB).unwrap();
        assert!(reuses(100, 80, mib), "at first it is guessed");
        assert!(!reuses(101, 81, 0), "it grew by all that was added");
        assert!(reuses(101, 71, 0), "10 MiB ended");
        assert!(reuses(101, 71, mib), "they do not pass");
        assert!(reuses(101, 72, 8 * mib), "nor when a part is used again");
        assert!(!reuses(101, 80, 0), "until all are");
    }

    #[test]
    fn what_is_admitted_is_taken_off() {
        let mut budget = Budget::of(RESERVE + 20 * MIB, 0, RESERVE);
        let admitted = (0..100).take_while(|_| budget.admits(Need::Room, 1 << 20)).count();
        assert_eq!(admitted, 9);
        assert!(budget.admits(Need::Little, 1 << 20));
        assert!(!{ Budget::NOTHING }.admits(Need::Least, 0));
    }
}
