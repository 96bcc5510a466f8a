//! What is kept of one's list after a command's own work, which it never fails: a checkpoint for other devices, a copy for this one.

use super::opened::Opened;
use crate::ClientError;

/// It costs work and nothing else: what was read in its place is all that it says.
pub(super) const CHECKPOINT_WITHHELD: &str = "the relay does not give the checkpoint of your list as it was stored, so the whole list was read: it is complete. It was lost, withheld or altered there, or a device of yours was cut off while it wrote it";

impl Opened<'_> {
    /// Writes a checkpoint if one is due, and destroys the one before. What goes wrong costs other devices work, and is only a note.
    ///
    /// # Errors
    /// [`ClientError::Chain`] alone: two histories weigh more.
    pub(super) async fn write_checkpoint(&mut self) -> Result<(), ClientError> {
        if !self.space.log().wants_checkpoint() {
            return Ok(());
        }
        let bar = self.printer.bar("Writing a checkpoint of your list, for your other devices");
        bar.wait();
        let written = self.unlocked.write_checkpoint(&mut self.space).await.map(drop);
        bar.done();
        // Also after an error: the entry may be there.
        let done = match (self.remember().await, written) {
            (Err(error), _) | (Ok(()), Err(error)) => Err(error),
            (Ok(()), Ok(())) => self.destroy_leaving().await,
        };
        match done {
            Err(error @ ClientError::Chain(_)) => Err(error),
            Err(error) => {
                self.printer
                    .note(&format!("A checkpoint of your list is not done, and is tried again: {error}"));
                Ok(())
            }
            Ok(()) => Ok(()),
        }
    }

    /// Brings this device's copy to where the list stands.
    pub(super) async fn keep_copy(&self) {
        if let Err(error) = self.unlocked.keep_copy(&self.space).await {
            self.printer.warn(&format!("{error}; the next command reads more of your list from the relay"));
        }
    }

    /// Destroys the last checkpoint at the relay, with the account.
    pub(super) async fn destroy_checkpoint(&self) -> Result<(), ClientError> {
        let Some((_, file)) = self.space.state().checkpoint() else { return Ok(()) };
        match self.destroy(&mut self.lane(), file.blob, &file.write_key).await {
            // Withheld: it may be one that was never finished.
            Ok(()) | Err(ClientError::Withheld) => Ok(()),
            Err(error) => Err(error),
        }
    }
}
