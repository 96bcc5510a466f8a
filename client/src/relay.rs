//! Requests to a relay over one lane: HTTP/1.1 on a stream of the transport, made again when the line breaks.
//!
//! What always holds: an answer longer than expected is an error before it is read; a redirect, a status that no relay
//! sends and a body of another form are errors; nothing is ever followed.

use crate::{counted_io::CountedIo, limits::ClientLimits, outgoing::Outgoing, transport::Transport};
use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::{Request, body::Incoming, client::conn::http1};
use hyper_util::rt::TokioIo;
use nightdrop_onion_config::{Lane, TorError};
use nightdrop_wire::{
    authorization::Authorization,
    codec::{self, Malformed},
    endpoint::Endpoint,
    onion::OnionAddress,
    refusal::Refusal,
};
use serde::{Serialize, de::DeserializeOwned};
use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU64, Ordering},
};
use tokio::{sync::OwnedSemaphorePermit, task::JoinHandle, time::timeout};

/// Bytes of an answer that is a control body at most.
pub(crate) const MAX_CONTROL_ANSWER: usize = 64 * 1024;

/// Bytes of a connection that are buffered each way, beside Tor's own buffers.
const BUFFERED: usize = 64 * 1024;

/// Why a request got no usable answer.
#[derive(Debug, thiserror::Error)]
pub enum RequestError {
    /// No stream to the relay.
    #[error(transparent)]
    Transport(#[from] TorError),
    /// The stream broke, or the answer did not come in time.
    #[error("the connection to the relay broke")]
    Broken,
    /// The relay refused.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The relay sent what no relay sends.
    #[error("the relay sent an answer that no honest relay sends")]
    Invalid,
}

impl From<Malformed> for RequestError {
    fn from(_: Malformed) -> Self {
        Self::Invalid
    }
}

/// How often a lane that has never worked tries again when there is no way into Tor.
const DOWN_AT_FIRST: u32 = 3;

impl RequestError {
    /// Whether the same request may succeed over a new connection. On a lane that has worked, an outage of the line or of the
    /// relay is taken for passing, too; on a new one, that of the line for a few seconds: Tor had just found a way in.
    const fn is_passing(&self, has_worked: bool, failed: u32) -> bool {
        match self {
            Self::Broken
            | Self::Refused(Refusal::Busy)
            | Self::Transport(TorError::ServiceUnreachable | TorError::StreamRefused) => true,
            Self::Transport(TorError::NetworkDown { .. }) => has_worked || failed < DOWN_AT_FIRST,
            Self::Transport(TorError::ServiceNotFound) => has_worked,
            Self::Transport(_) | Self::Refused(_) | Self::Invalid => false,
        }
    }
}

/// One lane to one relay. It connects when it is first used and again after a failure.
pub struct RelayLane<T> {
    transport: T,
    relay: OnionAddress,
    lane: Lane,
    limits: ClientLimits,
    connection: Option<Connection>,
    /// Whether anything came through, on this one or on those of the same transfer.
    has_worked: Arc<AtomicBool>,
    /// Bytes that all its streams have moved, both ways.
    traffic: Arc<AtomicU64>,
}

impl<T: Transport> RelayLane<T> {
    /// A lane that shares circuits with no other.
    #[must_use]
    pub fn isolated(transport: &T, relay: &OnionAddress, limits: &ClientLimits) -> Self {
        Self {
            transport: transport.clone(),
            relay: relay.clone(),
            lane: Lane::isolated(),
            limits: limits.clone(),
            connection: None,
            has_worked: Arc::default(),
            traffic: Arc::default(),
        }
    }

    /// Another lane of the same transfer: it shares no circuit with this one, but what is known of the line.
    pub(crate) fn sibling(&self) -> Self {
        Self { lane: Lane::isolated(), traffic: Arc::default(), ..self.another() }
    }

    /// Gives up its circuit, which may hang.
    pub(crate) fn renew(&mut self) {
        self.connection = None;
        self.lane = Lane::isolated();
    }

    /// One more stream on this lane's circuit.
    pub(crate) fn another(&self) -> Self {
        Self {
            transport: self.transport.clone(),
            relay: self.relay.clone(),
            lane: self.lane.clone(),
            limits: self.limits.clone(),
            connection: None,
            has_worked: Arc::clone(&self.has_worked),
            traffic: Arc::clone(&self.traffic),
        }
    }

    /// So many streams on this lane's circuit, the first of which is this one.
    pub(crate) fn streams(self, count: usize) -> Vec<Self> {
        let others: Vec<Self> = (1..count).map(|_| self.another()).collect();
        std::iter::once(self).chain(others).collect()
    }

    /// Counts the bytes that all its streams have moved, both ways.
    pub(crate) fn traffic(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.traffic)
    }

    /// Connects before there is anything to ask. If that fails, the first request tries again, and says why if it fails, too.
    pub(crate) async fn open_ahead(&mut self) {
        if self.connection.is_none() {
            self.connection = self.connect(0).await.ok();
        }
    }

    /// This lane for one request that is tried once: for what may not be repeated, and for cleaning up.
    #[must_use]
    pub fn once(mut self) -> Self {
        self.limits.attempts = 1;
        self
    }

    /// Sends a control body and decodes the control body that answers.
    ///
    /// # Errors
    /// [`RequestError`], after as many attempts as the limits allow.
    pub async fn call<Q: Serialize, A: Serialize + DeserializeOwned>(
        &mut self,
        endpoint: Endpoint,
        authorization: Option<&Authorization>,
        request: &Q,
    ) -> Result<A, RequestError> {
        let body = Bytes::from(codec::encode(request)?);
        let answer = self.exchange(endpoint, authorization, body, MAX_CONTROL_ANSWER).await?;
        Ok(codec::decode(&answer)?)
    }

    /// Sends a control body that is answered by nothing.
    ///
    /// # Errors
    /// As [`Self::call`].
    pub async fn tell<Q: Serialize>(
        &mut self,
        endpoint: Endpoint,
        authorization: Option<&Authorization>,
        request: &Q,
    ) -> Result<(), RequestError> {
        let body = Bytes::from(codec::encode(request)?);
        self.exchange(endpoint, authorization, body, 0).await.map(|_empty| ())
    }

    /// Sends a raw body (or none) and gives the raw answer, of at most `longest` bytes.
    ///
    /// # Errors
    /// As [`Self::call`].
    pub async fn exchange(
        &mut self,
        endpoint: Endpoint,
        authorization: Option<&Authorization>,
        body: Bytes,
        longest: usize,
    ) -> Result<Vec<u8>, RequestError> {
        self.exchange_in_turn(endpoint, authorization, body, longest, None).await
    }

    /// The same, with a turn that ends as soon as the next request may be sent on the lane's circuit, so that it never idles: when all of the body is
    /// on its way, or, if an answer is expected, when half of that is here.
    ///
    /// # Errors
    /// As [`Self::call`].
    pub(crate) async fn exchange_in_turn(
        &mut self,
        endpoint: Endpoint,
        authorization: Option<&Authorization>,
        body: Bytes,
        longest: usize,
        mut turn: Option<OwnedSemaphorePermit>,
    ) -> Result<Vec<u8>, RequestError> {
        let mut failed = 0;
        loop {
            let once = (body.clone(), longest, turn.take());
            match self.attempt(endpoint, authorization, once, failed).await {
                Err(error)
                    if error.is_passing(self.has_worked.load(Ordering::Relaxed), failed)
                        && failed + 1 < self.limits.attempts =>
                {
                    failed += 1;
                    // The circuit itself may be what hangs, and Tor would give it again for the same lane.
                    self.lane = Lane::isolated();
                    tokio::time::sleep(self.limits.retry_after(failed)).await;
                }
                outcome => return outcome,
            }
        }
    }

    async fn attempt(
        &mut self,
        endpoint: Endpoint,
        authorization: Option<&Authorization>,
        once: (Bytes, usize, Option<OwnedSemaphorePermit>),
        failed: u32,
    ) -> Result<Vec<u8>, RequestError> {
        // Taken out, so that a connection on which anything failed is never used again.
        let mut connection = match self.connection.take() {
            Some(connection) if connection.is_open() => connection,
            _ => self.connect(failed).await?,
        };
        let exchange = connection.exchange(endpoint, authorization, once);
        let outcome =
            timeout(self.limits.request, exchange).await.map_err(|_elapsed| RequestError::Broken)?;
        if outcome.is_ok() {
            self.connection = Some(connection);
            self.has_worked.store(true, Ordering::Relaxed);
        }
        outcome
    }

    async fn connect(&self, failed: u32) -> Result<Connection, RequestError> {
        // On a slow line, too, one attempt must at last be given enough time.
        let limit = self.limits.connect.saturating_mul(failed.saturating_add(1));
        let connecting = self.transport.connect(&self.relay, &self.lane);
        let stream = timeout(limit, connecting).await.map_err(|_elapsed| RequestError::Broken)??;
        Connection::open(CountedIo::new(stream, self.traffic())).await
    }
}

impl<T> std::fmt::Debug for RelayLane<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RelayLane")
    }
}

/// One HTTP connection and the task that drives it, which ends with it.
struct Connection {
    sender: http1::SendRequest<Outgoing>,
    driver: JoinHandle<()>,
}

impl Connection {
    async fn open<S>(stream: S) -> Result<Self, RequestError>
    where
        S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Send + Unpin + 'static,
    {
        let http = http1::Builder::new().max_buf_size(BUFFERED).handshake(TokioIo::new(stream)).await;
        let (sender, connection) = http.map_err(|_| RequestError::Broken)?;
        let driver = tokio::spawn(async move {
            // How it ended shows in the request that was under way.
            let _ = connection.await;
        });
        Ok(Self { sender, driver })
    }

    fn is_open(&self) -> bool {
        !self.sender.is_closed()
    }

    async fn exchange(
        &mut self,
        endpoint: Endpoint,
        authorization: Option<&Authorization>,
        (body, longest, turn): (Bytes, usize, Option<OwnedSemaphorePermit>),
    ) -> Result<Vec<u8>, RequestError> {
        let (sending, reading) = if longest == 0 { (turn, None) } else { (None, turn) };
        let request = http_request(endpoint, authorization, Outgoing::new(body, sending))?;
        self.sender.ready().await.map_err(|_| RequestError::Broken)?;
        let response = self.sender.send_request(request).await.map_err(|_| RequestError::Broken)?;
        let status = response.status().as_u16();
        if status != 200 {
            return Err(Refusal::from_status(status).map_or(RequestError::Invalid, RequestError::Refused));
        }
        let answer = read_answer(response.into_body(), longest, reading).await?;
        // Only when all of the body is sent, too: a relay that answers before it has read must not hold the rest, and what waits for that.
        let _ = self.sender.ready().await;
        Ok(answer)
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

fn http_request(
    endpoint: Endpoint,
    authorization: Option<&Authorization>,
    body: Outgoing,
) -> Result<Request<Outgoing>, RequestError> {
    // HTTP/1.1 demands a host; a constant says nothing about who asks for what.
    let mut request =
        Request::builder().method(endpoint.row().method).uri(endpoint.path()).header("host", "nightdrop");
    if let Some(authorization) = authorization {
        request = request.header("authorization", authorization.to_header().as_str());
    }
    request.body(body).map_err(|_| RequestError::Invalid)
}

/// Reads an answer of declared length, which is checked before there is room made for it. The turn ends half-way.
async fn read_answer(
    mut body: Incoming,
    longest: usize,
    mut turn: Option<OwnedSemaphorePermit>,
) -> Result<Vec<u8>, RequestError> {
    use hyper::body::Body;
    let declared = body.size_hint().exact().and_then(|length| usize::try_from(length).ok());
    let length = declared.filter(|length| *length <= longest).ok_or(RequestError::Invalid)?;
    let mut answer = Vec::with_capacity(length);
    while let Some(frame) = body.frame().await {
        let data = frame.map_err(|_| RequestError::Broken)?.into_data().map_err(|_| RequestError::Invalid)?;
        if answer.len() + data.len() > length {
            return Err(RequestError::Invalid);
        }
        answer.extend_from_slice(&data);
        if answer.len() >= length / 2 {
            turn = None;
        }
    }
    drop(turn);
    if answer.len() == length { Ok(answer) } else { Err(RequestError::Broken) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nightdrop_wire::ids::BlobId;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

    /// Answers as soon as it has the head of a request, and reads the body only if it is `honest`.
    #[derive(Clone)]
    struct Hasty {
        honest: bool,
    }

    impl Transport for Hasty {
        type Stream = DuplexStream;

        async fn connect(&self, _: &OnionAddress, _: &Lane) -> Result<DuplexStream, TorError> {
            let (ours, mut relay) = duplex(16 * 1024);
            let honest = self.honest;
            tokio::spawn(async move {
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    head.push(relay.read_u8().await?);
                }
                relay.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await?;
                if honest {
                    tokio::io::copy(&mut relay, &mut tokio::io::sink()).await?;
                }
                std::future::pending::<()>().await;
                std::io::Result::Ok(())
            });
            Ok(ours)
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_before_the_body_is_taken_is_none() {
        let relay = "2gzyxa5ihm7nsggfxnu52rck2vv4rvmdlkiu3zzui5du4xyclen53wid".parse().unwrap();
        for (honest, expected) in [(true, true), (false, false)] {
            let mut lane = RelayLane::isolated(&Hasty { honest }, &relay, &ClientLimits::default()).once();
            let body = Bytes::from(vec![7; 1 << 20]);
            let endpoint = Endpoint::PutChunk(BlobId::from_bytes([1; 16]), 0);
            let answer = lane.exchange(endpoint, None, body, 0).await;
            assert_eq!(answer.is_ok(), expected, "{answer:?}");
        }
    }
}
