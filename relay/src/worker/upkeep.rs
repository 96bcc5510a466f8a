//! What the worker does without being asked: once a day it clears away what is over.

use super::service::Service;
use nightdrop_store::{Day, StoreError};

/// Sweeps the store whenever a day has begun that it was not swept on, until it is dropped.
pub(super) async fn upkeep(service: Service) {
    let pause = service.store().limits().sweep_pause;
    let mut swept: Option<Day> = None;
    loop {
        let today = service.inner.environment.today();
        if swept != Some(today) {
            match service.clear_away().await {
                Ok(true) => swept = Some(today),
                Ok(false) => {
                    tracing::warn!(
                        "the clock is weeks ahead of when this relay last saw it: nothing is cleared away for a week; \
                         a clock that is wrong is to be set right before then, or all that is over by it is lost"
                    );
                    swept = Some(today);
                }
                Err(error) => tracing::error!(%error, "what is over could not be cleared away"),
            }
        }
        tokio::time::sleep(pause).await;
    }
}

impl Service {
    /// Clears away what is over by today, if the clock is to be believed; says whether it is.
    ///
    /// # Errors
    /// As [`nightdrop_store::Store::sweep`].
    pub async fn clear_away(&self) -> Result<bool, StoreError> {
        let (store, today) = (self.store(), self.inner.environment.today());
        if store.believed_from(today).await? > today {
            return Ok(false);
        }
        let cleared = store.sweep(today).await?;
        tracing::debug!(cleared, "cleared away what is over");
        Ok(true)
    }
}
