//! How much room one's list has at the relay, and when more of it is paid for.
//!
//! What always holds: the relay's words are bounded by the number of entries that were verified, so that no relay makes a client pay for more than these
//! could take, and room that was paid for is never paid for again. Payments go ahead of what they are for, to powers of two: a log is paid for a dozen
//! times in its life, at moments that say little. What is listed can be removed again without a further payment: that room is kept free.

use crate::ClientError;
use nightdrop_envelope::space::Operation;
use nightdrop_wire::{
    denomination::UNIT,
    limits::ENTRY_SIZES,
    messages::log::{LogHead, LogRoom},
    price,
};

/// Bytes that most entries take.
const SHORT: u64 = {
    let [short, ..] = ENTRY_SIZES;
    price::of_entry(short)
};
/// Bytes that entries with a long path take.
const MIDDLE: u64 = {
    let [_, middle, ..] = ENTRY_SIZES;
    price::of_entry(middle)
};
/// Bytes that are kept free for what any list may still need: to be closed, tickets that end.
const KEPT_FREE: u64 = 8 * SHORT;
/// Bytes that are kept free for each file: to take it off, whatever it is called, and to note that it is destroyed.
const KEPT_FREE_FOR_A_FILE: u64 = MIDDLE + SHORT;

/// The room of a list.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct ListRoom {
    /// Units that are paid for.
    paid: u32,
    /// Bytes that the entries take.
    taken: u64,
    /// Units that are paid for at least, as this process knows.
    least: u32,
}

impl ListRoom {
    /// Of a list that was made with what takes so many bytes.
    pub(crate) const fn made(paid: u32, taken: u64) -> Self {
        Self { paid, taken, least: paid }
    }

    /// What the relay says of a log that is verified up to this head.
    ///
    /// # Errors
    /// [`ClientError::NotARelay`] if no log of so many entries can be so; [`ClientError::PaymentDenied`] if it denies what this process paid.
    pub(crate) fn told(self, told: LogRoom, head: &LogHead) -> Result<Self, ClientError> {
        let (least, most) = price::bounds_of_entries(head.count);
        let room = Self { paid: told.paid, taken: told.taken, ..self };
        if !(least..=most).contains(&told.taken) || room.left().is_none() {
            return Err(ClientError::NotARelay);
        }
        if told.paid < self.least { Err(ClientError::PaymentDenied) } else { Ok(room) }
    }

    /// Units that are paid for.
    pub(crate) const fn paid(self) -> u32 {
        self.paid
    }

    /// With entries that take so many bytes more.
    pub(crate) const fn with_taken(self, more: u64) -> Self {
        Self { taken: self.taken.saturating_add(more), ..self }
    }

    /// So many units more were paid.
    pub(crate) const fn pay(&mut self, units: u32) {
        self.paid = self.paid.saturating_add(units);
        self.least = self.paid;
    }

    /// The relay says that another device has paid.
    pub(crate) const fn with_more_paid(self) -> Self {
        Self { least: self.paid.saturating_add(1), ..self }
    }

    /// Whether what takes so many bytes fits.
    pub(crate) fn fits(self, more: u64) -> bool {
        self.with_taken(more).left().is_some()
    }

    /// Units that should be paid for in all before so many bytes are appended to a list that then has so many files; `None` if they are.
    pub(crate) fn wanted(self, more: u64, files: usize) -> Option<u32> {
        let wanted = price::of_log(self.with_taken(more).taken.saturating_add(kept_free(files)));
        let step = step(wanted);
        (wanted > self.paid && step > self.paid).then_some(step)
    }

    /// Bytes that are left; `None` if there are more entries than are paid for.
    fn left(self) -> Option<u64> {
        (u64::from(self.paid) * UNIT).checked_sub(self.taken)
    }
}

/// What is paid for in all when so many units are needed.
fn step(units: u32) -> u32 {
    units.checked_next_power_of_two().map_or(price::LONGEST_LOG, |step| step.min(price::LONGEST_LOG))
}

/// Bytes that are kept free in a list of so many files.
fn kept_free(files: usize) -> u64 {
    u64::try_from(files).unwrap_or(u64::MAX).saturating_mul(KEPT_FREE_FOR_A_FILE).saturating_add(KEPT_FREE)
}

/// Bytes that sealed entries take.
pub(crate) fn taken_by(entries: &[Vec<u8>]) -> u64 {
    entries.iter().map(|entry| price::of_entry(entry.len())).sum()
}

/// Bytes that so many operations which list something are taken to need, before they are known.
pub(crate) fn expected_of(operations: usize) -> u64 {
    u64::try_from(operations).unwrap_or(u64::MAX).saturating_mul(SHORT)
}

/// What room entries may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Use {
    /// What is kept free, too: they take something off, or say what was done.
    KeptFree,
    /// What is paid for beside it.
    Paid,
}

/// What room these may take.
pub(crate) fn use_of(operations: &[Operation]) -> Use {
    let takes_off = |operation: &Operation| {
        use Operation as O;
        match operation {
            O::Remove { .. } | O::Destroyed { .. } | O::Unshare { .. } | O::Close { .. } => true,
            // What a rekey began is to come to an end.
            O::Renewed { .. } | O::Lost { .. } => true,
            O::Create { .. } | O::PutFile { .. } | O::Carry { .. } | O::Move { .. } => false,
            O::Share { .. } | O::Checkpoint { .. } | O::Leased { .. } => false,
        }
    };
    if operations.iter().all(takes_off) { Use::KeptFree } else { Use::Paid }
}

/// How many of these list a file.
pub(crate) fn files_listed_by(operations: &[Operation]) -> usize {
    let lists =
        |operation: &&Operation| matches!(operation, Operation::PutFile { .. } | Operation::Carry { .. });
    operations.iter().filter(lists).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(count: u64) -> LogHead {
        LogHead { count, hash: [1; 32] }
    }

    #[test]
    fn what_no_relay_says_of_so_many_entries_is_not_believed() {
        let told = |paid, taken| ListRoom::default().told(LogRoom { paid, taken }, &head(100));
        for taken in [100 * SHORT, 150_000, 100 * 8_352] {
            assert_eq!(told(13, taken).unwrap(), ListRoom { paid: 13, taken, least: 0 });
        }
        for (paid, taken) in
            [(13, 100 * SHORT - 1), (13, 100 * 8_352 + 1), (1, 100 * SHORT), (0, 0), (13, u64::MAX)]
        {
            assert!(matches!(told(paid, taken), Err(ClientError::NotARelay)), "{paid} for {taken}");
        }
    }

    #[test]
    fn what_was_paid_cannot_be_denied() {
        let mut room = ListRoom::default().told(LogRoom { paid: 2, taken: 10 * SHORT }, &head(10)).unwrap();
        let told = |paid| room.with_more_paid().told(LogRoom { paid, taken: 10 * SHORT }, &head(10));
        assert!(matches!(told(2), Err(ClientError::PaymentDenied)), "another device has paid, it says");
        assert_eq!((told(3).unwrap().paid(), told(17).unwrap().paid()), (3, 17));
        room.pay(2);
        let told = |paid| room.told(LogRoom { paid, taken: 10 * SHORT }, &head(10));
        assert!(matches!(told(2), Err(ClientError::PaymentDenied)));
        assert!(matches!(told(3), Err(ClientError::PaymentDenied)));
        assert_eq!((told(4).unwrap().paid(), told(8).unwrap().paid()), (4, 8), "another device may pay more");
    }

    #[test]
    fn payments_double_and_leave_room_to_remove_everything() {
        let (mut room, mut steps) = (ListRoom::made(1, SHORT), Vec::new());
        for file in 1..=20_000 {
            if let Some(paid) = room.wanted(SHORT, file) {
                steps.push(paid);
                room.pay(paid - room.paid());
            }
            room = room.with_taken(SHORT);
            let files = u64::try_from(file).unwrap();
            assert!(room.fits(files * (MIDDLE + SHORT) + KEPT_FREE), "all {file} files can be removed");
        }
        assert_eq!(steps, [2, 4, 8, 16, 32, 64, 128, 256, 512, 1_024, 2_048]);
    }

    #[test]
    fn a_list_as_long_as_any_is_paid_for_and_no_longer_one() {
        let longest = ListRoom::made(price::LONGEST_LOG / 2, u64::from(price::LONGEST_LOG / 2) * UNIT);
        assert!(longest.fits(0) && !longest.fits(1));
        assert_eq!(longest.wanted(1, 0), Some(price::LONGEST_LOG));
        assert_eq!(ListRoom::made(price::LONGEST_LOG, u64::MAX / 2).wanted(u64::MAX, usize::MAX), None);
    }
}
