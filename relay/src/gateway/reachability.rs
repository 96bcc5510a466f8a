//! Finds out whether clients can reach the relay, by doing what they do: the gateway connects to its own address.
//!
//! Arti's own word is only a reason to look: it calls a service reachable before its directories answer, and after a
//! restart may never call it reachable although it is.

use super::event::Event;
use crate::settings::ProbeLimits;
use futures::{Stream, StreamExt};
use nightdrop_onion_config::{OnionService, Reachability, Tor};
use nightdrop_wire::{ONION_PORT, onion::OnionAddress};
use std::time::Duration;
use tokio::time::sleep;

/// Watches for ever and says when the relay becomes reachable and when it no longer is.
pub(super) async fn watch(tor: &Tor, service: &OnionService, limits: ProbeLimits, say: impl Fn(&Event)) {
    let mut hints = service.reachability();
    let mut judgement = Judgement::new(limits);
    let mut pause = limits.first_retry;
    loop {
        tokio::select! {
            () = sleep(pause) => {}
            () = good_sign(&mut hints), if !judgement.reachable => {}
        }
        let outcome = tor.probe(service, ONION_PORT).await;
        if let Err(error) = &outcome {
            tracing::info!("the relay did not reach itself: {error}");
        }
        match judgement.probed(outcome.is_ok()) {
            Some(Change::Reachable) => say(&reachable(service.address())),
            Some(Change::Unreachable) => say(&Event::Unreachable {}),
            None => {}
        }
        pause = judgement.pause();
    }
}

fn reachable(address: &OnionAddress) -> Event {
    Event::Reachable { address: address.clone() }
}

/// Returns when Arti calls the service reachable; never once the service has ended.
async fn good_sign(hints: &mut (impl Stream<Item = Reachability> + Unpin)) {
    while let Some(hint) = hints.next().await {
        match hint {
            Reachability::Reachable => return,
            Reachability::Troubled(problem) => tracing::info!("the onion service has trouble: {problem}"),
            Reachability::Pending => {}
        }
    }
    std::future::pending::<()>().await;
}

/// What the probes so far say. Pure: it neither waits nor connects.
#[derive(Debug)]
struct Judgement {
    limits: ProbeLimits,
    reachable: bool,
    failures: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Change {
    Reachable,
    Unreachable,
}

impl Judgement {
    const fn new(limits: ProbeLimits) -> Self {
        Self { limits, reachable: false, failures: 0 }
    }

    /// One more probe was made.
    fn probed(&mut self, reached: bool) -> Option<Change> {
        self.failures = if reached { 0 } else { self.failures.saturating_add(1) };
        let reachable = reached || (self.reachable && self.failures < self.limits.failures);
        let before = std::mem::replace(&mut self.reachable, reachable);
        match (before, reachable) {
            (false, true) => Some(Change::Reachable),
            (true, false) => Some(Change::Unreachable),
            _ => None,
        }
    }

    /// How long to wait before the next one.
    fn pause(&self) -> Duration {
        let Some(doublings) = self.failures.checked_sub(1) else { return self.limits.interval };
        let retry = self.limits.first_retry.saturating_mul(2_u32.saturating_pow(doublings));
        retry.min(self.limits.longest_retry)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: ProbeLimits = ProbeLimits {
        first_retry: Duration::from_secs(1),
        longest_retry: Duration::from_secs(5),
        interval: Duration::from_secs(600),
        failures: 3,
    };

    fn changes(probes: &[bool]) -> Vec<Option<Change>> {
        let mut judgement = Judgement::new(LIMITS);
        probes.iter().map(|reached| judgement.probed(*reached)).collect()
    }

    #[test]
    fn one_success_makes_it_reachable_and_is_said_once() {
        assert_eq!(changes(&[false, true, true]), [None, Some(Change::Reachable), None]);
    }

    #[test]
    fn only_failures_in_a_row_make_it_unreachable() {
        let up = Some(Change::Reachable);
        assert_eq!(changes(&[true, false, false, true, false, false]), [up, None, None, None, None, None]);
        assert_eq!(
            changes(&[true, false, false, false, false, true]),
            [up, None, None, Some(Change::Unreachable), None, up]
        );
    }

    #[test]
    fn it_looks_again_soon_after_a_failure_and_seldom_after_a_success() {
        let mut judgement = Judgement::new(LIMITS);
        let pauses = [false, false, false, false, true, false].map(|reached| {
            judgement.probed(reached);
            judgement.pause().as_secs()
        });
        assert_eq!(pauses, [1, 2, 4, 5, 600, 1]);
    }
}
