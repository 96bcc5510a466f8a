//! What a command that the agent runs starts from: the account that is open, and who is at which upload.

use super::arguments::Global;
use crate::{
    ClientError,
    transfer::{self, Journals, Run, Unfinished},
    unlocked::Unlocked,
};
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

/// The agent's account, and one run on it.
#[derive(Debug, Clone)]
pub(super) struct InAgent {
    pub(super) unlocked: Arc<Unlocked>,
    pub(super) run: Run,
}

impl InAgent {
    /// The journals of uploads that are not done, as this run uses them.
    pub(super) fn journals(&self) -> Result<Journals, ClientError> {
        Ok(self.unlocked.journals()?.used_by(self.run.clone()))
    }

    /// Whether a command was in the way of what nobody typed.
    const fn gave_way(&self, error: &ClientError) -> bool {
        self.run.is_agents() && matches!(error, ClientError::TransferRunning)
    }

    /// Says how the run ended. Gives how many of its uploads the agent goes on with; this reads the disk.
    pub(super) fn end<R>(&self, outcome: &Result<R, ClientError>) -> usize {
        match outcome {
            Err(error) if error.is_of_the_network() || self.gave_way(error) => {
                if let Ok(journals) = self.journals() {
                    return self.run.was_cut_off(&journals);
                }
                self.run.stopped();
            }
            Err(ClientError::Stopped | ClientError::Locked) => self.run.stopped(),
            _ => self.run.ended(),
        }
        0
    }
}

impl Global {
    /// A command was typed for what lies at these paths. Before it does anything that takes long: from here on the agent keeps away from the uploads of it.
    pub(super) fn wants(&self, paths: &[PathBuf]) {
        let roots: Vec<PathBuf> = paths.iter().map(|path| path.canonicalize().unwrap_or_default()).collect();
        let is_below =
            |path: &Path| roots.iter().any(|root| !root.as_os_str().is_empty() && path.starts_with(root));
        self.look_at_uploads(|one| {
            if one.path().is_some_and(|path| is_below(&path)) {
                one.want();
            }
        });
    }

    /// The same for all uploads that are not done.
    pub(super) fn goes_on_with_all(&self) {
        self.look_at_uploads(|one| {
            let _ = one.is_for_this_run();
        });
    }

    /// A command was typed to drop the upload of this number, or all: also if it does not come to that, nobody goes on with them. Gives where the journal of
    /// that number is: the agent may be done with others before it, and then another one has the number.
    pub(super) fn gives_up(&self, number: Option<usize>) -> Option<PathBuf> {
        let (mut at, mut chosen) = (0, None);
        self.look_at_uploads(|one| {
            at += 1;
            if number == Some(at) {
                chosen = Some(one.journal().to_owned());
            }
            if number.is_none_or(|number| number == at) {
                one.give_up();
            }
        });
        chosen
    }

    /// What cannot be looked at now, the command itself finds out.
    fn look_at_uploads(&self, look: impl FnMut(&Unfinished)) {
        let Some(in_agent) = &self.in_agent else { return };
        let left = in_agent.journals().and_then(|journals| transfer::unfinished(&journals));
        left.unwrap_or_default().iter().for_each(look);
    }
}
