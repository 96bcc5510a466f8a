//! Streams that clients open to the onion service.
//!
//! Only a `BEGIN` for the service's one port gets this far. Whoever asks for anything else speaks no version of this
//! protocol: the whole circuit is closed, as other onion services do, so that a scan learns nothing.

use crate::{
    Circuit, TorError, TorLimits, TorStream,
    circuit::{OpenStream, until_unused},
    error::chain,
};
use futures::{FutureExt, Stream, StreamExt};
use std::{future::ready, time::Duration};
use tokio::time::timeout;
use tor_cell::relaycell::msg::{Connected, End};
use tor_hsservice::{RendRequest, StreamRequest};
use tor_proto::stream::IncomingStreamRequest;

/// A stream that a client asks for. Dropping it without an answer leaves the client waiting: accept or refuse.
#[derive(Debug)]
pub struct IncomingStream {
    request: StreamRequest,
    circuit: Circuit,
    open: OpenStream,
}

impl IncomingStream {
    /// The circuit that it came by.
    #[must_use]
    pub const fn circuit(&self) -> Circuit {
        self.circuit
    }

    /// Tells the client that the stream stands.
    ///
    /// # Errors
    /// [`TorError::Internal`] when the circuit has gone meanwhile.
    pub async fn accept(self) -> Result<TorStream, TorError> {
        match self.request.accept(Connected::new_empty()).await {
            Ok(stream) => Ok(TorStream::incoming(stream, self.open)),
            Err(error) => Err(TorError::Internal(chain(&error))),
        }
    }

    /// Ends this stream only; the client may try again.
    pub async fn refuse(self) {
        // An error means that the circuit has gone, and with it the stream.
        let _gone = self.request.reject(End::new_misc()).await;
    }
}

/// All streams of all circuits, of which at most [`TorLimits::service_circuits`] are served at once.
pub(crate) fn incoming<R>(
    rendezvous: R,
    port: u16,
    limits: &TorLimits,
) -> impl Stream<Item = IncomingStream> + use<R>
where
    R: Stream<Item = RendRequest>,
{
    let (most, meeting, unused) = (limits.service_circuits, limits.rendezvous, limits.circuit_unused);
    rendezvous
        .enumerate()
        .flat_map_unordered(most, move |(n, request)| {
            let streams = streams_of(request, meeting).flatten_stream().boxed();
            Box::pin(until_unused(streams, unused).map(move |stream| (Circuit(n), stream)))
        })
        .filter_map(move |(circuit, (request, open))| ready(admit(request, port, circuit, open)))
}

async fn streams_of(request: RendRequest, limit: Duration) -> impl Stream<Item = StreamRequest> {
    match timeout(limit, request.accept()).await {
        Ok(Ok(streams)) => streams.left_stream(),
        Ok(Err(error)) => {
            // Clients give up at any time; at this level only somebody who looks for it should see it.
            tracing::debug!("a rendezvous failed: {}", chain(&error));
            futures::stream::empty().right_stream()
        }
        Err(_elapsed) => {
            tracing::debug!("a rendezvous took too long");
            futures::stream::empty().right_stream()
        }
    }
}

fn admit(request: StreamRequest, port: u16, circuit: Circuit, open: OpenStream) -> Option<IncomingStream> {
    match request.request() {
        IncomingStreamRequest::Begin(begin) if begin.port() == port => {
            Some(IncomingStream { request, circuit, open })
        }
        _ => {
            // An error means that the circuit has gone already.
            let _gone = request.shutdown_circuit();
            None
        }
    }
}
