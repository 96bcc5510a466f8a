//! Trying out operations on a state: what they come to, without a copy of what the state holds.

use super::{
    Operation, State,
    state::{Undo, WithoutSense},
};

/// A state with operations that are not appended yet. When it is dropped, on whatever way, the state is as it was before.
pub(super) struct Draft<'a> {
    state: &'a mut State,
    undo: Vec<Undo>,
}

impl<'a> Draft<'a> {
    /// Begins to try out operations.
    pub(super) const fn on(state: &'a mut State) -> Self {
        Self { state, undo: Vec::new() }
    }

    /// Hash of the state with the operations so far.
    pub(super) const fn hash(&self) -> &[u8; 32] {
        self.state.hash()
    }

    /// Carries out one more.
    pub(super) fn apply(&mut self, operation: Operation) -> Result<(), WithoutSense> {
        self.undo.push(self.state.apply(operation)?);
        Ok(())
    }
}

impl Drop for Draft<'_> {
    fn drop(&mut self) {
        while let Some(undo) = self.undo.pop() {
            self.state.undo(undo);
        }
    }
}
