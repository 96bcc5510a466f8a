//! What is done for a request once it is there, to its end: a peer that goes away ends neither the work nor what it holds.
//!
//! Decoding, sealing and reading each make a copy of what is large, and the store another that takes the body's place.
//! So a work takes room for one copy of whatever it handles, and gives it back, with the room of the body, when it is done.

use super::{limits::HttpLimits, memory::Budget};
use std::{future::Future, sync::Arc};
use tokio::{sync::Semaphore, time::timeout};

/// The works under way.
#[derive(Debug)]
pub(crate) struct Works {
    /// As many as there are connections, so that only those wait who come after others that went away.
    turns: Arc<Semaphore>,
    copies: Budget,
    limits: HttpLimits,
}

/// There is no room for a work now, or it ended abruptly.
#[derive(Debug)]
pub(crate) struct NotDone;

impl Works {
    pub(crate) fn new(limits: &HttpLimits) -> Self {
        Self {
            turns: Arc::new(Semaphore::new(limits.connections + limits.admin_connections)),
            copies: Budget::new(limits.work_memory, limits),
            limits: *limits,
        }
    }

    /// Does `work`, which handles `large` bytes, whether or not anybody still waits for it.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        large: usize,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Result<T, NotDone> {
        let turn = timeout(self.limits.memory_wait, Arc::clone(&self.turns).acquire_owned()).await;
        let turn = turn.map_err(|_elapsed| NotDone)?.map_err(|_closed| NotDone)?;
        let copy = self.copies.share(large).await.ok_or(NotDone)?;
        let done = tokio::spawn(async move {
            let done = work.await;
            drop((turn, copy));
            done
        });
        done.await.map_err(|_| {
            tracing::error!("a request's work ended abruptly");
            NotDone
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use tokio::{sync::oneshot, task::yield_now};

    #[tokio::test(start_paused = true)]
    async fn who_goes_away_leaves_the_work_and_its_room_taken_until_it_is_done() {
        let limits = HttpLimits {
            work_memory: 4096,
            connections: 1,
            admin_connections: 1,
            memory_wait: Duration::from_secs(1),
            ..HttpLimits::default()
        };
        let works = Arc::new(Works::new(&limits));
        let (end, ended) = oneshot::channel::<()>();
        let (body, body_is_gone) = oneshot::channel::<()>();
        let under_way = {
            let works = Arc::clone(&works);
            tokio::spawn(async move {
                let work = async move {
                    let _ = ended.await;
                    drop(body);
                };
                works.run(4096, work).await
            })
        };
        yield_now().await;
        under_way.abort();
        assert!(under_way.await.unwrap_err().is_cancelled());
        assert!(works.run(4096, async {}).await.is_err(), "its room is still taken");
        assert!(works.run(0, async {}).await.is_ok(), "what is small passes");
        end.send(()).unwrap();
        assert!(body_is_gone.await.is_err(), "what the work held is gone");
        assert!(works.run(4096, async {}).await.is_ok());
    }
}
