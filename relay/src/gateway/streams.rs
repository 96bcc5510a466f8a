//! Each stream that a client opens gets a connection to the worker, as long as there is a place for it.

use super::{
    copy::copy_both,
    places::{Place, Places},
};
use crate::settings::RelayLimits;
use futures::{Stream, StreamExt};
use nightdrop_onion_config::{Circuit, IncomingStream};
use std::{
    path::{Path, PathBuf},
    pin::pin,
    sync::Arc,
};
use tokio::net::UnixStream;

/// Carries streams until there are no more to come.
pub(crate) async fn carry_all(
    incoming: impl Stream<Item = IncomingStream>,
    worker_socket: PathBuf,
    limits: &RelayLimits,
) {
    let places = Places::new(limits);
    let shared = Arc::new((worker_socket, limits.clone()));
    let mut incoming = pin!(incoming);
    while let Some(stream) = incoming.next().await {
        let Some(place) = places.take(stream.circuit()) else {
            tokio::spawn(stream.refuse());
            continue;
        };
        let shared = Arc::clone(&shared);
        tokio::spawn(async move {
            let (worker_socket, limits) = &*shared;
            tokio::select! {
                () = carry(stream, &place, worker_socket, limits) => {}
                () = place.given_away() => {}
            }
        });
    }
}

/// The worker is asked first: a client that hears "connected" has somebody to talk to.
async fn carry(stream: IncomingStream, place: &Place<Circuit>, worker_socket: &Path, limits: &RelayLimits) {
    let worker = match UnixStream::connect(worker_socket).await {
        Ok(worker) => worker,
        Err(error) => {
            tracing::warn!("the worker takes no connection: {error}");
            return stream.refuse().await;
        }
    };
    match stream.accept().await {
        Ok(client) => copy_both(client, worker, place.activity(), limits).await,
        Err(error) => tracing::debug!("a client left before it was answered: {error}"),
    }
}
