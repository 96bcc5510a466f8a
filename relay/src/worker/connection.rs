//! One connection: HTTP/1.1 by hyper, request after request, each checked, read, answered.
//!
//! After a refusal of a request that has a body the connection ends, whether the body was read or not: nothing is read
//! to be polite, and what follows a refusal does not tell how far the request got.

use super::{
    answer::{Answer, refusal, success},
    limits::HttpLimits,
    memory::{Budget, Share},
    paced_io::{PacedIo, Progress},
    request::{BodyBudgets, Head, Target, Unread, read_body},
    service::Service,
};
use bytes::Bytes;
use hyper::{
    Request,
    body::{Body, Incoming},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use nightdrop_wire::{endpoint::Endpoint, limits::MAX_ENTRIES_BODY, refusal::Refusal, size_class::SizeClass};
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
            answers: Budget::new(limits.answer_memory, limits.memory_wait),
        };
        Self { shared: Arc::new(shared) }
    }

    /// Serves one connection until it ends. Once `ending` is ready, only what is under way is still answered.
    pub async fn serve<S>(&self, stream: S, plane: Plane, ending: impl Future<Output = ()>)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let progress = Progress::default();
        let io = TokioIo::new(PacedIo::new(stream, self.shared.limits, progress.clone()));
        let service = service_fn(move |request| {
            let (shared, progress) = (Arc::clone(&self.shared), progress.clone());
            async move {
                progress.request_began();
                let answer = shared.answer(plane, request).await;
                progress.request_ended();
                answer
            }
        });
        let mut connection = pin!(self.http().serve_connection(io, service));
        let mut ending = pin!(ending);
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
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
            // Counts from the previous answer; `PacedIo` times the head itself.
            .header_read_timeout(limits.idle_time)
            .max_buf_size(limits.head_bytes.max(8 * 1024))
            .max_headers(limits.headers)
            // A chunk goes out from where it lies, with its share of the budget, instead of being copied.
            .writev(true);
        http
    }
}

impl Shared {
    async fn answer(&self, plane: Plane, request: Request<Incoming>) -> Result<Answer, Gone> {
        let has_body = !request.body().is_end_stream();
        match self.handle(plane, request).await {
            Ok(body) => Ok(success(body)),
            Err(Failed::Refused(kind)) => Ok(refusal(kind, has_body)),
            Err(Failed::Gone) => Err(Gone),
        }
    }

    async fn handle(&self, plane: Plane, request: Request<Incoming>) -> Result<Bytes, Failed> {
        let head = Head::check(plane, &request)?;
        let mut room = self.room_for_answer(head.target).await?;
        let (body, _share) = read_body(&head, request.into_body(), &self.limits, &self.requests).await?;
        let answer = match head.target {
            Target::Public(endpoint) => self.service.handle(endpoint, head.authorization, body).await?,
            Target::Admin(endpoint) => self.service.handle_admin(endpoint, &body).await?,
        };
        room.shrink_to(answer.len());
        Ok(room.hold(answer))
    }

    /// Room for the answers that are large; the others are smaller than what a connection buffers anyway.
    async fn room_for_answer(&self, target: Target) -> Result<Share, Failed> {
        let bytes = match target {
            Target::Public(Endpoint::GetChunk(..) | Endpoint::GetHead(_)) => SizeClass::FULL.sealed(),
            Target::Public(Endpoint::ReadLog(..)) => MAX_ENTRIES_BODY,
            Target::Public(_) | Target::Admin(_) => 0,
        };
        self.answers.share(bytes).await.ok_or(Failed::Refused(Refusal::Busy))
    }
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
            Unread::Busy => Self::Refused(Refusal::Busy),
            Unread::Gone => Self::Gone,
        }
    }
}
