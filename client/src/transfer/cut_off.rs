//! Which uploads the agent goes on with by itself: those that the network cut off, in a run that nobody stopped.
//!
//! A run is a command, or the agent by itself, at its uploads. All of this is in memory only. What always holds:
//! - The last run that was at an upload decides. If the network ended that run, the upload waits for the agent; after every other end it waits for nobody.
//! - A command comes before the agent: what it is on its way to is not gone on with meanwhile, and the agent's own run ends for it.
//! - What no run of this process was at waits for nobody: whoever left it may have been stopped by its user.

use super::{journal::Journals, unfinished};
use nightdrop_wire::ids::BlobId;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::watch;

/// Hears of everything that the relay took of an upload.
pub type Moved = Arc<dyn Fn() + Send + Sync>;

/// Where the uploads of a process are. Clones are the same.
#[derive(Debug, Clone, Default)]
pub struct CutOff {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    /// Tells that a command left some to the agent.
    news: watch::Sender<()>,
    /// The last of the agent's own runs that is to end because a command wants what it is at.
    wanted: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct State {
    /// How many runs there were.
    runs: u64,
    /// The agent's, while there is one.
    agents: Option<u64>,
    uploads: BTreeMap<BlobId, Place>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Waits for the agent.
    Waiting,
    /// It waited, and this run is on its way to it.
    WantedBy(u64),
    /// This run was at it last, and is not over.
    With(u64),
}

/// A command, or the agent by itself, at its uploads. Clones are the same.
#[derive(Clone)]
pub struct Run {
    cut_off: CutOff,
    number: u64,
    /// Of the agent's own run alone.
    moved: Option<Moved>,
}

impl CutOff {
    /// The run of a command.
    #[must_use]
    pub fn command(&self) -> Run {
        let mut state = self.state();
        state.runs += 1;
        Run { cut_off: self.clone(), number: state.runs, moved: None }
    }

    /// The agent's own run, with all that waits; none if nothing does. `moved` hears of what the relay takes.
    #[must_use]
    pub fn by_itself(&self, moved: Moved) -> Option<Run> {
        let mut state = self.state();
        let number = state.runs + 1;
        let mut waiting = state.uploads.values_mut().filter(|place| **place == Place::Waiting).peekable();
        waiting.peek()?;
        waiting.for_each(|place| *place = Place::With(number));
        (state.runs, state.agents) = (number, Some(number));
        Some(Run { cut_off: self.clone(), number, moved: Some(moved) })
    }

    /// Whether any waits for the agent.
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        self.state().uploads.values().any(|place| *place == Place::Waiting)
    }

    /// How many the agent goes on with, or is at.
    #[must_use]
    pub fn count(&self) -> usize {
        let state = self.state();
        let agents = state.agents.map(Place::With);
        state.uploads.values().filter(|place| **place == Place::Waiting || Some(**place) == agents).count()
    }

    /// Hears whenever a command left some to the agent.
    #[must_use]
    pub fn news(&self) -> watch::Receiver<()> {
        self.shared.news.subscribe()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing that is done under this lock leaves it half done.
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Run {
    /// Whether it is the agent's own, which nobody typed and nobody hears.
    #[must_use]
    pub const fn is_agents(&self) -> bool {
        self.moved.is_some()
    }

    /// A command that was typed for this upload has not come to it yet: the agent keeps away from it as long, and if the command is stopped, for good.
    pub(super) fn wants(&self, blob: BlobId) {
        let mut state = self.cut_off.state();
        let place = state.uploads.get(&blob).copied();
        if place == Some(Place::Waiting) || self.has_priority(&state, place) {
            state.uploads.insert(blob, Place::WantedBy(self.number));
        }
    }

    /// Whether the upload is with the agent's own run, which then ends.
    fn has_priority(&self, state: &State, place: Option<Place>) -> bool {
        let Some(agents) = state.agents.filter(|agents| place == Some(Place::With(*agents))) else {
            return false;
        };
        self.cut_off.shared.wanted.send_replace(agents);
        true
    }

    /// Returns when this run, the agent's own, is to end because a command wants what it is at.
    pub async fn gives_way(&self) {
        let mut wanted = self.cut_off.shared.wanted.subscribe();
        // The sender is that of `cut_off`.
        let _ = wanted.wait_for(|run| *run == self.number).await;
    }

    /// Whether this run is to go on with the upload: a command with every one, and from then on what ends the command decides, unless another run is at the
    /// upload; the agent with those that are left to it.
    pub(super) fn goes_on_with(&self, blob: BlobId) -> bool {
        let mut state = self.cut_off.state();
        let place = state.uploads.get(&blob).copied();
        if self.is_agents() {
            return place == Some(Place::With(self.number));
        }
        if !matches!(place, Some(Place::With(_))) || self.has_priority(&state, place) {
            state.uploads.insert(blob, Place::With(self.number));
        }
        true
    }

    /// The journal of the upload is locked, to go on with it. `false` if the agent is too late, because a command was there since.
    pub(super) fn takes(&self, blob: BlobId) -> bool {
        let mut state = self.cut_off.state();
        let mine = Place::With(self.number);
        if self.is_agents() && state.uploads.get(&blob) != Some(&mine) {
            return false;
        }
        state.uploads.insert(blob, mine);
        true
    }

    /// The upload has a new journal, locked.
    pub(crate) fn begins(&self, blob: BlobId) {
        self.cut_off.state().uploads.insert(blob, Place::With(self.number));
    }

    /// This run does not go on with it, and the network is not why.
    pub(crate) fn leaves(&self, blob: BlobId) {
        let mut state = self.cut_off.state();
        if state.uploads.get(&blob) == Some(&Place::With(self.number)) {
            state.uploads.remove(&blob);
        }
    }

    /// The upload is to be dropped: whatever comes of that, nobody goes on with it.
    pub(crate) fn drops(&self, blob: BlobId) {
        let mut state = self.cut_off.state();
        let place = state.uploads.remove(&blob);
        self.has_priority(&state, place);
    }

    /// The relay took something of an upload.
    pub(super) fn moved(&self) {
        self.moved.iter().for_each(|moved| moved());
    }

    /// It did what it was to do, or failed for a reason of its own.
    pub fn ended(&self) {
        self.end(|_, is_wanted| is_wanted);
    }

    /// Its user stopped it, or the account was locked: the agent goes on with nothing that it was at, or on its way to.
    pub fn stopped(&self) {
        self.end(|_, _| false);
    }

    /// The network ended it. What it was at, or on its way to, waits for the agent, if it can be gone on with; gives how many that are.
    pub fn was_cut_off(&self, journals: &Journals) -> usize {
        // What cannot be looked at is left to its user.
        let left = unfinished(journals).unwrap_or_default();
        let left: BTreeSet<BlobId> =
            left.iter().filter(|one| one.can_go_on()).filter_map(super::Unfinished::blob).collect();
        self.leaves_to_agent(|blob| left.contains(&blob))
    }

    pub(crate) fn leaves_to_agent(&self, can_go_on: impl Fn(BlobId) -> bool) -> usize {
        self.end(|blob, is_wanted| is_wanted || can_go_on(blob))
    }

    /// Ends it: those that `waits` says so of wait for the agent; it is told whether the run was only on its way to them. Gives how many they are.
    fn end(&self, waits: impl Fn(BlobId, bool) -> bool) -> usize {
        let mut state = self.cut_off.state();
        let (with, wanted) = (Place::With(self.number), Place::WantedBy(self.number));
        let mut count = 0;
        state.uploads.retain(|blob, place| {
            if *place != with && *place != wanted {
                return true;
            }
            let stays = waits(*blob, *place == wanted);
            if stays {
                *place = Place::Waiting;
                count += 1;
            }
            stays
        });
        if state.agents == Some(self.number) {
            state.agents = None;
        }
        drop(state);
        if count > 0 && !self.is_agents() {
            self.cut_off.shared.news.send_replace(());
        }
        count
    }
}

impl std::fmt::Debug for Run {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Run").field(&self.number).finish()
    }
}

#[cfg(test)]
mod tests;
