//! One connection: HTTP/1.1 by hyper, request after request, each checked, read, answered.
//!
//! After a refusal of a request that has a body the connection ends, whether the body was read or not: nothing is read
//! to be polite, and what follows a refusal does not tell how far the request got.

use super::{
    answer::{Answer, refusal, success},
    limits::HttpLimits,
    memory::Budget,
    paced_io::PacedIo,
    peer::Peer,
    request::{Body, BodyBudgets, Head, Target, Unread, is_large, read_body},
    service::Service,
    works::{NotDone, Works},
};
use bytes::Bytes;
use hyper::{
    Request,
    body::{Body as _, Incoming},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use nightdrop_wire::{
    endpoint::Endpoint,
    limits::{MAX_ENTRIES_BODY, MAX_HELD_BODY},
    refusal::Refusal,
    size_class::SizeClass,
};
use std::{future::Future, pin::pin, sync::Arc};
use tokio::io::{AsyncRead, AsyncWrite};

/// Which requests a connection may make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plane {
    /// Those of clients.
    Public,
    /// Those of the operator.
    Admin,
}

/// Serves connections of any transport; all of them share one service and one set of budgets.
#[derive(Debug, Clone)]
pub struct Connections {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    service: Service,
    limits: HttpLimits,
    requests: BodyBudgets,
    answers: Budget,
    works: Works,
}

/// The peer was too slow or went away in mid-request: there is nobody to answer.
#[derive(Debug, thiserror::Error)]
#[error("the request did not arrive")]
struct Gone;

impl Connections {
    /// Connections to a service.
    #[must_use]
    pub fn new(service: Service, limits: HttpLimits) -> Self {
        let shared = Shared {
            service,
            limits,
            requests: BodyBudgets::new(&limits),
            answers: Budget::new(limits.answer_memory, &limits),
            works: Works::new(&limits),
        };
        Self { shared: Arc::new(shared) }
    }

    /// Serves one connection until it ends. Once `ending` is ready, only what is under way is still answered.
    pub async fn serve<S>(&self, stream: S, plane: Plane, ending: impl Future<Output = ()>)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let peer = Peer::default();
        let io = TokioIo::new(PacedIo::new(stream, self.shared.limits, peer.clone()));
        let known = peer.clone();
        let service = service_fn(move |request| {
            let (shared, peer) = (Arc::clone(&self.shared), known.clone());
            async move {
                peer.request_began();
                let answer = shared.answer(plane, request, &peer).await;
                peer.request_ended();
                answer
            }
        });
        let mut connection = pin!(self.http().serve_connection(io, service));
        let mut ending = pin!(ending);
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            () = peer.ended() => return,
            () = ending.as_mut() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = ended {
            tracing::debug!(timeout = error.is_timeout(), "a connection ended early");
        }
    }

    fn http(&self) -> http1::Builder {
        let limits = &self.shared.limits;
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new())
            .auto_date_header(false)
            // It would count from when an answer is known, however long the peer takes it: `PacedIo` keeps the time.
            .header_read_timeout(None)
            .max_buf_size(limits.head_bytes.max(8 * 1024))
            .max_headers(limits.headers)
            // A chunk goes out from where it lies, with its share of the budget, instead of being copied.
            .writev(true);
        http
    }
}

impl Shared {
    async fn answer(&self, plane: Plane, request: Request<Incoming>, peer: &Peer) -> Result<Answer, Gone> {
        let has_body = !request.body().is_end_stream();
        match self.handle(plane, request, peer).await {
            Ok(body) => Ok(success(body)),
            Err(Failed::Refused(kind)) => Ok(refusal(kind, has_body)),
            Err(Failed::Gone) => Err(Gone),
        }
    }

    async fn handle(&self, plane: Plane, request: Request<Incoming>, peer: &Peer) -> Result<Bytes, Failed> {
        let head = Head::check(plane, &request)?;
        let answer_bytes = large_answer(head.target);
        if let (Target::Public(endpoint), 1..) = (head.target, answer_bytes) {
            self.service.admit_reader(endpoint, head.authorization.as_ref()).await?;
        }
        let mut room = self.answers.share(answer_bytes).await.ok_or(Failed::Refused(Refusal::Busy))?;
        let body = self.read_body(&head, request.into_body(), peer).await?;
        let large_body = if is_large(head.length) { head.length } else { 0 };
        let work = work(self.service.clone(), head, body);
        let (answer, room) = self
            .works
            .run(large_body.max(answer_bytes), async move {
                let answer = work.await;
                room.shrink_to(answer.as_ref().map_or(0, Bytes::len));
                (answer, room)
            })
            .await?;
        Ok(room.hold(answer?, peer))
    }

    async fn read_body(&self, head: &Head, body: Incoming, peer: &Peer) -> Result<Body, Failed> {
        let admit = async |beginning: &[u8]| match head.target {
            Target::Public(endpoint) => {
                self.service.admit(endpoint, head.authorization.as_ref(), beginning).await
            }
            // The operator's bodies are small.
            Target::Admin(_) => Err(Refusal::Refused),
        };
        Ok(read_body(head, body, peer, &self.limits, &self.requests, admit).await?)
    }
}

/// Bytes of an answer at most if it is large; the others are smaller than what a connection buffers anyway.
const fn large_answer(target: Target) -> usize {
    match target {
        Target::Public(Endpoint::GetChunk(..) | Endpoint::GetHead(_)) => SizeClass::FULL.sealed(),
        Target::Public(Endpoint::ReadLog(..)) => MAX_ENTRIES_BODY,
        Target::Public(Endpoint::HeldChunks(..)) => MAX_HELD_BODY,
        Target::Public(_) | Target::Admin(_) => 0,
    }
}

/// Does what is asked. The body's room is held to the end, by when the store has what came in it.
async fn work(service: Service, head: Head, body: Body) -> Result<Bytes, Refusal> {
    let Body { bytes, share } = body;
    let answer = match head.target {
        Target::Public(endpoint) => service.handle(endpoint, head.authorization, bytes).await,
        Target::Admin(endpoint) => service.handle_admin(endpoint, &bytes).await,
    };
    drop(share);
    answer
}

/// Why a request has no answer but a refusal, or none at all.
enum Failed {
    Refused(Refusal),
    Gone,
}

impl From<Refusal> for Failed {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<Unread> for Failed {
    fn from(unread: Unread) -> Self {
        match unread {
            Unread::Refused(refusal) => Self::Refused(refusal),
            Unread::Gone => Self::Gone,
        }
    }
}

impl From<NotDone> for Failed {
    fn from(_: NotDone) -> Self {
        Self::Refused(Refusal::Busy)
    }
}
