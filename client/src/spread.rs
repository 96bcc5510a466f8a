//! Requests of one kind about many blobs, spread over a few lanes.

use crate::{ClientError, relay::RelayLane};
use std::{future::Future, pin::Pin};
use tokio::task::JoinSet;

/// What is done about one blob.
pub(crate) type Work<T, I, R> =
    for<'l> fn(&'l mut RelayLane<T>, I) -> Pin<Box<dyn Future<Output = Result<R, ClientError>> + Send + 'l>>;

/// What came of it.
pub(crate) struct Spread<T, R> {
    /// What was done.
    pub(crate) done: Vec<R>,
    /// The lanes, for what comes next.
    pub(crate) lanes: Vec<RelayLane<T>>,
    /// The first one; lanes stop at theirs.
    pub(crate) error: Option<ClientError>,
}

/// Does it with each, every lane its share.
pub(crate) async fn spread<T: Send + Sync + 'static, I: Send + 'static, R: Send + 'static>(
    lanes: Vec<RelayLane<T>>,
    mut items: Vec<I>,
    work: Work<T, I, R>,
) -> Spread<T, R> {
    let share = items.len().div_ceil(lanes.len().max(1));
    let mut running = JoinSet::new();
    for lane in lanes {
        let rest = items.split_off(share.min(items.len()));
        running.spawn(one_share(lane, std::mem::replace(&mut items, rest), work));
    }
    let mut spread = Spread { done: Vec::new(), lanes: Vec::new(), error: None };
    while let Some(ended) = running.join_next().await {
        match ended {
            Ok(part) => {
                spread.done.extend(part.done);
                spread.lanes.extend(part.lanes);
                spread.error = spread.error.or(part.error);
            }
            Err(_) => spread.error = spread.error.or(Some(ClientError::Stopped)),
        }
    }
    spread
}

async fn one_share<T: Send + Sync, I: Send, R: Send>(
    mut lane: RelayLane<T>,
    items: Vec<I>,
    work: Work<T, I, R>,
) -> Spread<T, R> {
    let (mut done, mut error) = (Vec::new(), None);
    for item in items {
        match work(&mut lane, item).await {
            Ok(one) => done.push(one),
            Err(first) => {
                error = Some(first);
                break;
            }
        }
    }
    Spread { done, lanes: vec![lane], error }
}
