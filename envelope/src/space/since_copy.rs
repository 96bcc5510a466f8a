//! What had an effect since the state was copied to the device, as long as that is little.

use super::{Operation, State};
use rpds::VectorSync;

/// Operations that had an effect, in order, each with the entry that it stood in. A clone costs nothing.
#[derive(Debug, Clone)]
pub(super) struct SinceCopy {
    /// Entries before the first of them.
    from: u64,
    operations: VectorSync<(u64, Operation)>,
}

impl SinceCopy {
    /// Changes that are worth copying by themselves, whatever the state holds.
    const LEAST: usize = 256;
    /// Of what the state holds, that part.
    const FRACTION: usize = 8;

    /// Nothing yet, from the entry with this number on.
    pub(super) fn beginning_with(from: u64) -> Self {
        Self { from, operations: VectorSync::new_sync() }
    }

    /// Operations beside the copy of a state, at most: beyond that the state is better copied again. So what one operation costs, on average, does not
    /// depend on what the state holds.
    pub(super) fn most(state: &State) -> usize {
        Self::LEAST.max(state.count() / Self::FRACTION)
    }

    /// The entry with this number had an effect on the state.
    pub(super) fn add(&mut self, sequence: u64, operation: Operation, state: &State) {
        self.operations.push_back_mut((sequence, operation));
        if self.operations.len() > Self::most(state) {
            *self = Self::beginning_with(sequence.saturating_add(1));
        }
    }

    /// What had an effect after so many entries; `None` if not all of it is known.
    pub(super) fn after(&self, count: u64) -> Option<impl Iterator<Item = &(u64, Operation)>> {
        let later = self.operations.iter().filter(move |(sequence, _)| *sequence >= count);
        (self.from <= count).then_some(later)
    }
}
