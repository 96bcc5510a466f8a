//! Accepting connections on the two listeners that the supervisor made, until the worker ends.

use super::{
    connection::{Connections, Plane},
    limits::HttpLimits,
    service::Service,
};
use std::{future::Future, sync::Arc, time::Duration};
use tokio::{
    net::{UnixListener, UnixStream},
    sync::{Semaphore, watch},
    task::JoinSet,
};

/// How long to wait after a failed accept: it fails for want of descriptors or memory, which others must give back.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Why the worker ended on its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ServeError {
    /// A commit failed: the store takes no more writes until it is opened again.
    #[error("the store failed to write: start again, which repairs it")]
    StoreFailed,
}

/// Serves clients on `listener` and the operator's commands on `admin`, until `shutdown` is ready or the store fails.
/// What is under way then has `shutdown_grace` to finish.
///
/// # Errors
/// [`ServeError::StoreFailed`].
pub async fn serve(
    listener: UnixListener,
    admin: UnixListener,
    service: Service,
    limits: HttpLimits,
    shutdown: impl Future<Output = ()>,
) -> Result<(), ServeError> {
    let store = service.store().clone();
    let connections = Connections::new(service, limits);
    let (end, ending) = watch::channel(false);
    let until_the_end = async {
        let ended = tokio::select! {
            () = shutdown => Ok(()),
            () = store.failed() => Err(ServeError::StoreFailed),
        };
        end.send_replace(true);
        ended
    };
    let public = Listener { listener, plane: Plane::Public, most: limits.connections };
    let admin = Listener { listener: admin, plane: Plane::Admin, most: limits.admin_connections };
    let (ended, (), ()) = tokio::join!(
        until_the_end,
        public.serve(&connections, ending.clone(), limits.shutdown_grace),
        admin.serve(&connections, ending, limits.shutdown_grace),
    );
    ended
}

struct Listener {
    listener: UnixListener,
    plane: Plane,
    most: usize,
}

impl Listener {
    async fn serve(self, connections: &Connections, ending: watch::Receiver<bool>, grace: Duration) {
        let places = Arc::new(Semaphore::new(self.most));
        let mut open = JoinSet::new();
        let mut end = ending.clone();
        loop {
            tokio::select! {
                () = ended(&mut end) => break,
                Some(_) = open.join_next() => {}
                accepted = self.listener.accept() => match accepted {
                    Ok((stream, _)) => self.admit(stream, connections, &places, &ending, &mut open),
                    Err(error) => {
                        tracing::warn!(kind = ?error.kind(), "cannot accept a connection");
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                    }
                }
            }
        }
        // Those that are not done by then are cut when the set is dropped.
        let _ = tokio::time::timeout(grace, async { while open.join_next().await.is_some() {} }).await;
    }

    /// Serves a connection if there is a place for it; else it is closed at once.
    fn admit(
        &self,
        stream: UnixStream,
        connections: &Connections,
        places: &Arc<Semaphore>,
        ending: &watch::Receiver<bool>,
        open: &mut JoinSet<()>,
    ) {
        let Ok(place) = Arc::clone(places).try_acquire_owned() else { return };
        let (connections, plane, mut ending) = (connections.clone(), self.plane, ending.clone());
        open.spawn(async move {
            connections.serve(stream, plane, ended(&mut ending)).await;
            drop(place);
        });
    }
}

/// Ready once the worker is to end.
async fn ended(ending: &mut watch::Receiver<bool>) {
    // Without a sender there is nobody left who serves.
    let _ = ending.wait_for(|ending| *ending).await;
}
