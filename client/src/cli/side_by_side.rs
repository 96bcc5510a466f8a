//! Several files at once, each lane taking the next one that nobody has.

use super::{
    failures::Failures,
    opened::Opened,
    print::{Bar, Part},
};
use crate::{
    ClientError, limits::ClientLimits, relay::RelayLane, transfer::Progress, transport::AnyTransport,
};
use nightdrop_envelope::space::SpacePath;
use nightdrop_wire::onion::OnionAddress;
use std::{
    collections::VecDeque,
    future::Future,
    sync::{Arc, Mutex, PoisonError},
};
use tokio::task::JoinSet;

/// What a worker moves files with: the limits are those of one transfer of several.
#[derive(Clone)]
pub(super) struct Way {
    pub(super) transport: AnyTransport,
    pub(super) relay: OnionAddress,
    pub(super) limits: ClientLimits,
    pub(super) progress: Arc<Part>,
}

impl Way {
    /// As transfers take it.
    pub(super) const fn parts(&self) -> (&AnyTransport, &OnionAddress, &ClientLimits) {
        (&self.transport, &self.relay, &self.limits)
    }
}

/// Does `work` with each of these, which have names, over a few lanes; a lane is given back for the next one. Gives what was done, and what failed: after a
/// failure that is not of one file nothing is begun, and what is under way is finished.
pub(super) async fn side_by_side<W, D, F>(
    opened: &Opened<'_>,
    waiting: Vec<(SpacePath, W)>,
    bar: &Bar,
    work: impl Fn(RelayLane<AnyTransport>, Way, W) -> F + Clone + Send + 'static,
) -> (Vec<(SpacePath, D)>, Failures)
where
    W: Send + 'static,
    D: Send + 'static,
    F: Future<Output = Result<(D, RelayLane<AnyTransport>), ClientError>> + Send,
{
    let lanes = opened.limits().lanes.clamp(1, waiting.len().max(1));
    let waiting = Arc::new(Mutex::new(VecDeque::from(waiting)));
    let way = Way {
        transport: opened.transport().clone(),
        relay: opened.relay().clone(),
        limits: opened.limits().one_of_several(),
        progress: Arc::new(bar.part()),
    };
    bar.lanes(lanes);
    let mut running = JoinSet::new();
    for _ in 0..lanes {
        let (mut lane, way, waiting, work) = (opened.lane(), way.clone(), Arc::clone(&waiting), work.clone());
        running.spawn(async move {
            let next = || waiting.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
            let (mut done, mut failures) = (Vec::new(), Failures::default());
            while let Some((name, one)) = next() {
                match work(lane, way.clone(), one).await {
                    Ok((one, free)) => {
                        done.push((name, one));
                        lane = free;
                    }
                    Err(error) => {
                        failures.note(name.as_str(), error);
                        if failures.has_ended() {
                            break;
                        }
                        let (transport, relay, limits) = way.parts();
                        lane = RelayLane::isolated(transport, relay, limits);
                    }
                }
            }
            (done, failures)
        });
    }
    let (mut done, mut failures) = (Vec::new(), Failures::default());
    while let Some(ended) = running.join_next().await {
        match ended {
            Ok((some, failed)) => {
                done.extend(some);
                failures.add(failed);
            }
            Err(_) => failures.end(ClientError::Stopped),
        }
        if failures.has_ended() {
            waiting.lock().unwrap_or_else(PoisonError::into_inner).clear();
        }
    }
    (done, failures)
}
