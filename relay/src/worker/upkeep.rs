//! What the worker does without being asked: once a day it clears away what is over.

use super::service::Service;
use nightdrop_store::{Day, StoreError, Trust};
use std::time::Duration;

/// Looks at the clock now and then, and sweeps the store on each day that is believed, once, until it is dropped.
pub(super) async fn upkeep(service: Service) {
    let pause = service.store().limits().sweep_pause;
    let (mut looked, mut done): (Option<Duration>, Done) = (None, Done::default());
    loop {
        let (now, today) = (service.inner.environment.since_boot(), service.inner.environment.today());
        let ran = looked.map(|looked| now.saturating_sub(looked));
        match service.trust_in_clock(ran).await {
            Ok(trust) => {
                looked = Some(now);
                done.on(&service, today, trust).await;
            }
            Err(error) => tracing::error!(%error, "what the clock says could not be kept"),
        }
        tokio::time::sleep(pause).await;
    }
}

/// The days on which something was done.
#[derive(Default)]
struct Done {
    swept: Option<Day>,
    warned: Option<Day>,
}

impl Done {
    async fn on(&mut self, service: &Service, today: Day, trust: Trust) {
        match trust {
            Trust::Believed if self.swept != Some(today) => match service.store().sweep(today).await {
                Ok(cleared) => {
                    self.swept = Some(today);
                    tracing::debug!(cleared, "cleared away what is over");
                }
                Err(error) => tracing::error!(%error, "what is over could not be cleared away"),
            },
            Trust::Watched if self.warned != Some(today) => {
                self.warned = Some(today);
                tracing::warn!(
                    "the clock is days ahead of when this relay last saw it: nothing is cleared away until it went on steadily for a week; \
                     a clock that is wrong is to be set right before then, or all that is over by it is lost"
                );
            }
            Trust::Believed | Trust::Soon | Trust::Watched => {}
        }
    }
}

impl Service {
    /// What is thought of the day that the clock tells. The relay ran for so long since this was last asked; `None` for the first time.
    ///
    /// # Errors
    /// As [`nightdrop_store::Store::trust`].
    pub async fn trust_in_clock(&self, ran: Option<Duration>) -> Result<Trust, StoreError> {
        self.store().trust(self.inner.environment.minute(), ran).await
    }
}
