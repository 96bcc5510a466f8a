//! The copy of a verified log's state that a device keeps, so that opening it again costs what came since.
//!
//! ```text
//! state:   envelope of kind CopiedState,   for the space:                length (4) ‖ postcard of Whole   ‖ zeros
//! changes: envelope of kind CopiedChanges, for the space and a position: length (4) ‖ postcard of Changes ‖ zeros
//! ```
//! The key comes from the home secret, so a copy ends with a rekey. Changes belong to the head after which they came, so that they open after
//! nothing else: a copy is one state and then changes in their order, or the beginning of that.
//!
//! Nothing in it is verified again: what opens was sealed by a device of the owner's that had verified it. It only ever saves work: it says where the
//! log went through, and the entries that the relay gives have to go on from there.
//!
//! What is sealed is padded, so that its length has few leading bits ([Padmé](crate::layout)), and is never below 4 KiB.

use super::{
    HomeKeys, Operation, Replay, State, VerifiedLog, replay::Reports, since_copy::SinceCopy, trail::Trail,
};
use crate::{
    OpenError,
    context::Context,
    layout::padme,
    padded::{self, pad, unpad},
    seal::{Kind, open, seal},
};
use nightdrop_wire::{codec, messages::log::LogHead};
use rand::CryptoRng;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use zeroize::Zeroizing;

/// Bytes of what is sealed, at least.
const SMALLEST: usize = 4_096;

/// The whole state. Field order is the byte order.
#[derive(Serialize, Deserialize)]
pub(super) struct Whole {
    pub(super) head: LogHead,
    pub(super) reports: Reports,
    pub(super) state: State,
}

/// What had an effect after a head, and where that leads.
#[derive(Serialize, Deserialize)]
struct Changes {
    head: LogHead,
    reports: Reports,
    /// Each with the entry that it stood in.
    operations: Vec<(u64, Operation)>,
    /// Of the state after them.
    state: [u8; 32],
}

/// How far a copy is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Copied {
    /// Where the log stood.
    pub head: LogHead,
    /// Operations that it holds beside the state.
    pub changes: usize,
}

/// A copy as it is read.
#[derive(Debug)]
pub struct CopiedState {
    copied: Copied,
    reports: Reports,
    state: State,
}

impl CopiedState {
    /// Opens the state.
    ///
    /// # Errors
    /// [`OpenError`] if it is not one of this space.
    pub fn open(keys: &HomeKeys, sealed: &[u8]) -> Result<Self, OpenError> {
        let whole: Whole = unseal(Kind::CopiedState, keys, &state_context(keys), sealed)?;
        let Whole { head, reports, state } = whole;
        Ok(Self::of(Copied { head, changes: 0 }, reports, state))
    }

    /// With a state as it was written.
    pub(super) fn of(copied: Copied, reports: Reports, state: State) -> Self {
        Self { copied, reports, state: state.with_places() }
    }

    /// Opens the changes that come next.
    ///
    /// # Errors
    /// [`OpenError`] if they do not follow; then it stays as it was.
    pub fn add(&mut self, keys: &HomeKeys, sealed: &[u8]) -> Result<(), OpenError> {
        let context = changes_context(keys, &self.copied.head);
        let Changes { head, reports, operations, state: hash } =
            unseal(Kind::CopiedChanges, keys, &context, sealed)?;
        let (mut state, changes) = (self.state.clone(), self.copied.changes + weight(&operations));
        for (sequence, operation) in operations {
            state.apply(sequence, operation).map_err(|_| OpenError::Inconsistent)?;
        }
        if *state.hash() != hash {
            return Err(OpenError::Inconsistent);
        }
        *self = Self { copied: Copied { head, changes }, reports, state };
        Ok(())
    }

    /// How far it is.
    #[must_use]
    pub const fn copied(&self) -> Copied {
        self.copied
    }

    /// Goes on from here, on a device that remembers having seen `remembered`; what is read next must lead past both. `None` if the two contradict each
    /// other: then the copy is no help.
    #[must_use]
    pub fn replay(self, keys: HomeKeys, remembered: Option<LogHead>) -> Option<Replay> {
        let Self { copied: Copied { head, changes: _ }, reports, state } = self;
        let remembered = match remembered {
            Some(seen) if seen.count > head.count => seen,
            Some(seen) if seen.count == head.count && seen.hash != head.hash => return None,
            _ => head,
        };
        let mut trail = Trail::beginning_with(head.count);
        trail.reach(&head);
        let since = SinceCopy::beginning_with(head.count);
        Some(Replay {
            keys,
            head,
            began: head,
            trail,
            state,
            reports,
            remembered: Some(remembered),
            since,
            must_come: None,
        })
    }
}

impl VerifiedLog {
    /// Seals the whole state. Costs what the space holds.
    ///
    /// # Errors
    /// As [`seal`].
    pub fn seal_copy<R: CryptoRng + ?Sized>(&self, rng: &mut R) -> Result<(Vec<u8>, Copied), OpenError> {
        let Replay { keys, head, reports, state, .. } = &self.replay;
        let whole = Whole { head: *head, reports: reports.clone(), state: state.clone() };
        let sealed = sealed(Kind::CopiedState, keys, &state_context(keys), &whole, rng)?;
        Ok((sealed, Copied { head: *head, changes: 0 }))
    }

    /// Seals what came after a copy. `None` if that is not known, or so much that the whole state is better copied again.
    ///
    /// # Errors
    /// As [`seal`].
    pub fn seal_changes<R: CryptoRng + ?Sized>(
        &self,
        copied: &Copied,
        rng: &mut R,
    ) -> Result<Option<(Vec<u8>, Copied)>, OpenError> {
        let Replay { keys, head, reports, state, trail, since, .. } = &self.replay;
        let Some(operations) = since.after(copied.head.count) else { return Ok(None) };
        let operations: Vec<(u64, Operation)> = operations.cloned().collect();
        let changes = copied.changes + weight(&operations);
        if changes > SinceCopy::most(state) || !matches!(trail.require(&copied.head, head), Ok(true)) {
            return Ok(None);
        }
        let changes_after =
            Changes { head: *head, reports: reports.clone(), operations, state: *state.hash() };
        let context = changes_context(keys, &copied.head);
        let sealed = sealed(Kind::CopiedChanges, keys, &context, &changes_after, rng)?;
        Ok(Some((sealed, Copied { head: *head, changes })))
    }
}

/// What a piece of changes counts for: strays, without any operation, make pieces, too.
fn weight(operations: &[(u64, Operation)]) -> usize {
    operations.len().max(1)
}

fn sealed<M: Serialize, R: CryptoRng + ?Sized>(
    kind: Kind,
    keys: &HomeKeys,
    context: &Context,
    message: &M,
    rng: &mut R,
) -> Result<Vec<u8>, OpenError> {
    let body = Zeroizing::new(codec::encode(message).map_err(|_| OpenError::Malformed)?);
    let needed = body.len().saturating_add(padded::OVERHEAD).max(SMALLEST);
    let length = usize::try_from(padme(needed as u64)).map_err(|_| OpenError::Inconsistent)?;
    seal(kind, &keys.copy_key.0, context, &pad(&body, length)?, rng)
}

fn unseal<M: Serialize + DeserializeOwned>(
    kind: Kind,
    keys: &HomeKeys,
    context: &Context,
    sealed: &[u8],
) -> Result<M, OpenError> {
    let plaintext = open(kind, &keys.copy_key.0, context, sealed)?;
    codec::decode(unpad(&plaintext)?).map_err(|_| OpenError::Malformed)
}

fn state_context(keys: &HomeKeys) -> Context {
    Context::of(&[b"copied state", keys.space().as_bytes()])
}

fn changes_context(keys: &HomeKeys, after: &LogHead) -> Context {
    let count = after.count.to_be_bytes();
    Context::of(&[b"copied changes", keys.space().as_bytes(), &count, &after.hash])
}
