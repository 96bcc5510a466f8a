//! What the worker does without being asked: once a day it clears away what is over.

use super::service::Service;
use nightdrop_store::Day;

/// Sweeps the store whenever a day has begun that it was not swept on, until it is dropped.
pub(super) async fn upkeep(service: Service) {
    let pause = service.store().limits().sweep_pause;
    let mut swept: Option<Day> = None;
    loop {
        let today = service.inner.environment.today();
        if swept != Some(today) {
            match service.store().sweep(today).await {
                Ok(cleared) => {
                    tracing::debug!(cleared, "cleared away what is over");
                    swept = Some(today);
                }
                Err(error) => tracing::error!(%error, "what is over could not be cleared away"),
            }
        }
        tokio::time::sleep(pause).await;
    }
}
