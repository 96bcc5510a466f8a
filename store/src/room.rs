//! Room on the disk: what may still be written, so that the disk never becomes full under a commit. redb gives a file
//! up at the first write that finds no space, and with it everything that is queued.
//!
//! ```text
//! free space of the disk      what may be written
//! above the reserve           everything
//! above a half of it          what fits into pages of the file that are free for use again ([`Gauge`])
//! above a quarter             what is needed to make room by hand: sessions, entries of logs; and longer leases
//! above a sixteenth           ends, what they give back, and the removal of what ended, in steps that are as small as they have to be
//! below                       nothing
//! ```
//! That pages of the file are free for use again is guessed, so it never counts beyond a floor below which there is
//! another half of the reserve, and not at all for ends: to copy a page before it is given up takes a page that is there.
//! The operator may cap what the store holds, whatever the disk has; then less is written, of all but ends, sessions and longer leases: of sessions an account
//! has a bounded number, and without one nobody could end anything; a longer lease leaves a few spent credits, far less than what it was paid for takes.
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
    /// The same, and bounded by something else, such as the number of accounts or what is stored already: the operator's cap does not bind it.
    Bounded,
    /// What makes room, or takes none.
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
    bounded: u64,
    least: u64,
}

impl Budget {
    /// The budget on a disk with so many free bytes, beside those that are free within the file.
    fn of(free: u64, reusable: u64, reserve: u64) -> Self {
        let above = |floor| free.saturating_sub(floor);
        Self {
            room: above(reserve).max(reusable.min(above(reserve / 2))),
            little: above(reserve / 4),
            bounded: above(reserve / 4),
            least: above(reserve / 16),
        }
    }

    /// The same in a store that holds so many bytes, and may hold `most`: what makes room is always written, and what is bounded in another way; and the rest of what is needed
    /// to make room by hand for a sixteenth beyond that, or beyond what it held at first: a list has to go on for something to be taken off it.
    pub(crate) fn capped(self, held: u64, held_at_first: u64, most: u64) -> Self {
        let below = |most: u64| most.saturating_sub(held);
        Self {
            room: self.room.min(below(most)),
            little: self.little.min(below(most.max(held_at_first).saturating_add(most / 16))),
            ..self
        }
    }

    /// Nothing may be written.
    pub(crate) const NOTHING: Self = Self { room: 0, little: 0, bounded: 0, least: 0 };

    /// Whether an operation of this weight may be written; if so, it is taken off.
    pub(crate) fn admits(&mut self, need: Need, weight: usize) -> bool {
        // A value that is not of a size class takes up to twice its size in pages, and rewritten pages are noted, merged
        // and split.
        let weight = u64::try_from(weight).unwrap_or(u64::MAX);
        let cost = weight.saturating_mul(2).saturating_add(PAGES_OF_OPERATION);
        let left = match need {
            Need::Room => self.room,
            Need::Little => self.little,
            Need::Bounded => self.bounded,
            Need::Least => self.least,
        };
        if cost > left {
            return false;
        }
        for left in [&mut self.room, &mut self.little, &mut self.bounded, &mut self.least] {
            *left = left.saturating_sub(cost);
        }
        true
    }
}

/// How much of the file is free for use again. redb does not say, so it is counted: what ends may be used again, and what
/// is written uses it. That the file takes more of the disk for it does not say that nothing in it was free: redb takes
/// a page that was never written, and that its size fits, before it splits a larger one that is free again. So growth is
/// charged like use, byte for byte, and not twice: what ended is room for as much, wherever redb puts that. Such growth
/// comes out of the upper half of the reserve; where that is gone, nothing is used again until the disk has more room.
#[derive(Debug, Default)]
pub(crate) struct Gauge {
    /// What the disk was asked last; `None` before that.
    last: Option<Known>,
}

#[derive(Debug, Clone, Copy)]
struct Known {
    /// Bytes of the disk that the file took.
    file: u64,
    /// Bytes of the file that were in use.
    held: u64,
    /// Bytes of the file that are neither in use nor counted upon.
    unusable: u64,
}

impl Gauge {
    /// What may be written, when the disk has this room and `held` bytes of the file are in use.
    pub(crate) fn budget(&mut self, room: Room, held: u64, reserve: u64) -> Budget {
        Budget::of(room.free, self.reusable(room.file, held, reserve), reserve)
    }

    fn reusable(&mut self, file: u64, held: u64, reserve: u64) -> u64 {
        let unheld = file.saturating_sub(held);
        // At first it is guessed.
        let unusable = self.last.map_or(held / 50 + reserve / 8, |last| {
            let grown = file.saturating_sub(last.file);
            let for_nothing = grown.saturating_sub(held.saturating_sub(last.held));
            last.unusable.saturating_add(grown).saturating_add(for_nothing)
        });
        // What came to be in use was usable.
        let unusable = unusable.min(unheld);
        self.last = Some(Known { file, held, unusable });
        unheld.saturating_sub(unusable)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;
    const RESERVE: u64 = 64 * MIB;

    fn admitted(free: u64, file: u64, held: u64) -> [bool; 4] {
        let budget = Gauge::default().budget(Room { free, file }, held, RESERVE);
        [Need::Room, Need::Little, Need::Bounded, Need::Least].map(|need| { budget }.admits(need, 1 << 20))
    }

    #[test]
    fn the_fuller_the_disk_the_less_is_written() {
        for (free, expected) in [
            (80, [true; 4]),
            (65, [false, true, true, true]),
            (20, [false, true, true, true]),
            (17, [false, false, false, true]),
            (8, [false, false, false, true]),
            (5, [false; 4]),
            (0, [false; 4]),
        ] {
            assert_eq!(admitted(free * MIB, 100 * MIB, 100 * MIB), expected, "{free} MiB free");
        }
    }

    #[test]
    fn beyond_the_cap_little_is_written_for_a_while_and_sessions_and_ends_always() {
        let admitted = |held: u64| {
            let budget = Budget::of(1 << 40, 0, RESERVE).capped(held * MIB, 0, 160 * MIB);
            [Need::Room, Need::Little, Need::Bounded, Need::Least]
                .map(|need| { budget }.admits(need, 1 << 20))
        };
        assert_eq!(admitted(0), [true; 4]);
        assert_eq!(admitted(157), [true; 4]);
        assert_eq!(admitted(158), [false, true, true, true]);
        assert_eq!(admitted(167), [false, true, true, true]);
        assert_eq!(admitted(168), [false, false, true, true]);
        assert_eq!(admitted(1 << 40), [false, false, true, true]);
        let uncapped = Budget::of(80 * MIB, 0, RESERVE);
        assert_eq!(uncapped.capped(50 * MIB, 0, u64::MAX), uncapped, "the disk is what bounds it");
        let lowered = |held: u64| {
            let budget = Budget::of(1 << 40, 0, RESERVE).capped(held * MIB, 500 * MIB, 160 * MIB);
            [Need::Room, Need::Little].map(|need| { budget }.admits(need, 1 << 20))
        };
        assert_eq!(lowered(500), [false, true], "a cap that was lowered");
        assert_eq!(lowered(508), [false, false]);
    }

    #[test]
    fn pages_that_are_free_again_are_used_until_half_of_the_reserve_is_gone() {
        assert!(!admitted(60 * MIB, 100 * MIB, 100 * MIB)[0]);
        assert!(admitted(60 * MIB, 100 * MIB, 50 * MIB)[0]);
        assert!(!admitted(33 * MIB, 100 * MIB, 50 * MIB)[0]);
        assert_eq!(admitted(3 * MIB, 100 * MIB, 50 * MIB), [false; 4], "ends do not rely on a guess");
    }

    /// How many MiB of the file may be used again after each step: how many it takes, and how many are in use.
    fn reusable(steps: &[(u64, u64)]) -> Vec<u64> {
        let mut gauge = Gauge::default();
        let mut ask = |file: u64, held: u64| gauge.reusable(file * MIB, held * MIB, RESERVE) / MIB;
        steps.iter().map(|(file, held)| ask(*file, *held)).collect()
    }

    #[test]
    fn a_file_that_is_filled_has_nothing_to_use_again_until_something_ends() {
        assert_eq!(reusable(&[(1, 0), (11, 10), (60, 59), (100, 99)]), [0; 4]);
        assert_eq!(reusable(&[(100, 99), (100, 89), (100, 90), (100, 99), (100, 94)]), [0, 10, 9, 0, 5]);
        assert_eq!(reusable(&[(100, 80), (100, 90), (100, 100)]), [10, 0, 0], "at first it is guessed");
    }

    #[test]
    fn what_ended_is_room_for_as_much_wherever_it_is_written() {
        let (ended, grown) = ((100, 89), (103, 92));
        assert_eq!(reusable(&[(100, 99), ended, grown]), [0, 10, 7], "three in new pages");
        assert_eq!(reusable(&[(100, 99), ended, (100, 92)]), [0, 10, 7], "three in pages of what ended");
        assert_eq!(reusable(&[(100, 99), ended, grown, (103, 99)]), [0, 10, 7, 0], "and the rest");
        assert_eq!(reusable(&[(100, 99), ended, grown, (103, 99), (103, 94)]), [0, 10, 7, 0, 5]);
        assert_eq!(reusable(&[(100, 99), ended, (105, 89), (120, 89)]), [0, 10, 5, 0], "growth for nothing");
    }

    #[test]
    fn what_was_written_off_and_is_in_use_after_all_is_room_again_when_it_ends() {
        assert_eq!(reusable(&[(100, 99), (110, 99), (110, 109), (110, 99)]), [0, 0, 0, 10]);
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
