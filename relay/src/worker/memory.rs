//! A budget of bytes: whoever is to hold many at once takes its share first, and gives it back by dropping it.

use bytes::Bytes;
use std::{sync::Arc, time::Duration};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Bytes are counted in units of a kibibyte, so that the semaphore's 32-bit counts suffice.
const UNIT: usize = 1024;

/// Bytes that may be held at once.
#[derive(Debug, Clone)]
pub(crate) struct Budget {
    units: Arc<Semaphore>,
    wait: Duration,
}

/// A share of a budget.
#[derive(Debug)]
pub(crate) struct Share(Option<OwnedSemaphorePermit>);

impl Budget {
    /// A budget of `bytes`; whoever asks for a share waits for `wait` at most.
    pub(crate) fn new(bytes: usize, wait: Duration) -> Self {
        Self { units: Arc::new(Semaphore::new((bytes / UNIT).min(Semaphore::MAX_PERMITS))), wait }
    }

    /// A share for `bytes`; `None` if none came free in time.
    pub(crate) async fn share(&self, bytes: usize) -> Option<Share> {
        let units = u32::try_from(bytes.div_ceil(UNIT)).ok()?;
        if units == 0 {
            return Some(Share(None));
        }
        let permit = Arc::clone(&self.units).acquire_many_owned(units);
        tokio::time::timeout(self.wait, permit).await.ok()?.ok().map(|permit| Share(Some(permit)))
    }
}

impl Share {
    /// Gives back what is more than `bytes`.
    pub(crate) fn shrink_to(&mut self, bytes: usize) {
        let Some(permit) = &mut self.0 else { return };
        let superfluous = permit.num_permits().saturating_sub(bytes.div_ceil(UNIT));
        drop(permit.split(superfluous));
    }

    /// Bytes that give the share back when the last copy of them is gone, wherever a connection keeps it.
    pub(crate) fn hold(self, bytes: Bytes) -> Bytes {
        if self.0.is_none() { bytes } else { Bytes::from_owner(Held { bytes, _share: self }) }
    }
}

struct Held {
    bytes: Bytes,
    _share: Share,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_share_is_refused_until_another_is_given_back() {
        let budget = Budget::new(4 * UNIT, Duration::from_secs(1));
        let first = budget.share(3 * UNIT).await.unwrap();
        assert!(budget.share(2 * UNIT).await.is_none());
        drop(first);
        assert!(budget.share(2 * UNIT).await.is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn held_bytes_keep_their_share_until_the_last_copy_is_gone() {
        let budget = Budget::new(4 * UNIT, Duration::from_secs(1));
        let mut share = budget.share(4 * UNIT).await.unwrap();
        share.shrink_to(3);
        assert_eq!(budget.units.available_permits(), 3);
        let bytes = share.hold(Bytes::from_static(b"abc"));
        let copy = bytes.slice(1..);
        drop(bytes);
        assert_eq!((budget.units.available_permits(), copy.as_ref()), (3, b"bc".as_slice()));
        drop(copy);
        assert_eq!(budget.units.available_permits(), 4);
    }
}
