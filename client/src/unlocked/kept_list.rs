//! What is kept of one's list so that it need not be read again: on this device a copy, at the relay a checkpoint.

use super::Unlocked;
use crate::{ClientError, blocking::blocking, checkpoint, space::HomeSpace, transport::AnyTransport};

impl Unlocked {
    /// Writes a checkpoint if one is due, so that another device need not read the whole list; gives whether it did.
    ///
    /// # Errors
    /// As [`HomeSpace::append`], [`Self::pay`]: no other work depends on it.
    pub async fn write_checkpoint(&self, space: &mut HomeSpace<AnyTransport>) -> Result<bool, ClientError> {
        if !space.log().wants_checkpoint() {
            return Ok(false);
        }
        Box::pin(checkpoint::write((&self.transport, &self.relay, &self.limits), space, self)).await
    }

    /// Whether the relay did not give the last checkpoint as it was stored; told once.
    #[must_use]
    pub fn take_checkpoint_withheld(&self) -> bool {
        self.kept().as_mut().is_some_and(|kept| std::mem::take(&mut kept.checkpoint_withheld))
    }

    /// Brings this device's copy of the home space to where it stands, if that is what the device remembers still. A closed one is not kept: whoever has its
    /// keys is why it was closed.
    ///
    /// # Errors
    /// [`ClientError::File`]: then the next command reads more.
    pub async fn keep_copy(&self, space: &HomeSpace<AnyTransport>) -> Result<(), ClientError> {
        let Some(memory) = self.remembered(&space.head()).filter(|_| !space.is_new()) else { return Ok(()) };
        let mut copy = self.copy.lock().await;
        let (home, log, mut known) = (self.home.clone(), space.log().clone(), std::mem::take(&mut *copy));
        let kept = blocking(move || {
            let lock = home.lock()?;
            // Another command may have seen more, forgotten the account, or replaced the keys that the copy would be sealed under.
            if home.memory()?.is_none_or(|there| there != memory) {
                return Ok(known);
            }
            let kept = match log.state().closed_for() {
                None => known.keep(&home, &log, &lock),
                Some(_) => home.drop_copy(&lock),
            };
            kept.map(|()| known)
        });
        *copy = kept.await??;
        Ok(())
    }
}
