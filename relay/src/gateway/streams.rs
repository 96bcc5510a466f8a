//! Each stream that a client opens gets a connection to the worker, as long as there is room.

use super::copy::copy_both;
use crate::settings::RelayLimits;
use futures::{Stream, StreamExt};
use nightdrop_onion_config::IncomingStream;
use std::{
    path::{Path, PathBuf},
    pin::pin,
    sync::Arc,
};
use tokio::{net::UnixStream, sync::Semaphore};

/// Carries streams until there are no more to come.
pub(crate) async fn carry_all(
    incoming: impl Stream<Item = IncomingStream>,
    worker_socket: PathBuf,
    limits: &RelayLimits,
) {
    let room = Arc::new(Semaphore::new(limits.streams));
    let shared = Arc::new((worker_socket, limits.clone()));
    let mut incoming = pin!(incoming);
    while let Some(stream) = incoming.next().await {
        let Ok(place) = Arc::clone(&room).try_acquire_owned() else {
            tokio::spawn(stream.refuse());
            continue;
        };
        let shared = Arc::clone(&shared);
        tokio::spawn(async move {
            let (worker_socket, limits) = &*shared;
            carry(stream, worker_socket, limits).await;
            drop(place);
        });
    }
}

/// The worker is asked first: a client that hears "connected" has somebody to talk to.
async fn carry(stream: IncomingStream, worker_socket: &Path, limits: &RelayLimits) {
    let worker = match UnixStream::connect(worker_socket).await {
        Ok(worker) => worker,
        Err(error) => {
            tracing::warn!("the worker takes no connection: {error}");
            return stream.refuse().await;
        }
    };
    match stream.accept().await {
        Ok(client) => copy_both(client, worker, limits).await,
        Err(error) => tracing::debug!("a client left before it was answered: {error}"),
    }
}
