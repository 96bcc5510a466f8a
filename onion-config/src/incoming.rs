//! Streams that clients open to the onion service.
//!
//! Only a `BEGIN` for the service's one port gets this far. Whoever asks for anything else speaks no version of this
//! protocol: the whole circuit is closed, as other onion services do, so that a scan learns nothing.

use crate::{TorError, TorStream, error::chain};
use futures::{FutureExt, Stream, StreamExt};
use std::future::ready;
use tor_cell::relaycell::msg::{Connected, End};
use tor_hsservice::{RendRequest, StreamRequest};
use tor_proto::stream::IncomingStreamRequest;

/// A stream that a client asks for. Dropping it without an answer leaves the client waiting: accept or refuse.
#[derive(Debug)]
pub struct IncomingStream(StreamRequest);

impl IncomingStream {
    /// Tells the client that the stream stands.
    ///
    /// # Errors
    /// [`TorError::Internal`] when the circuit has gone meanwhile.
    pub async fn accept(self) -> Result<TorStream, TorError> {
        match self.0.accept(Connected::new_empty()).await {
            Ok(stream) => Ok(TorStream::new(stream)),
            Err(error) => Err(TorError::Internal(chain(&error))),
        }
    }

    /// Ends this stream only; the client may try again.
    pub async fn refuse(self) {
        // An error means that the circuit has gone, and with it the stream.
        let _gone = self.0.reject(End::new_misc()).await;
    }
}

/// All streams of all circuits, of which at most `circuits` are served at once.
pub(crate) fn incoming(
    rendezvous: impl Stream<Item = RendRequest>,
    port: u16,
    circuits: usize,
) -> impl Stream<Item = IncomingStream> {
    rendezvous
        .flat_map_unordered(circuits, |request| Box::pin(streams_of(request).flatten_stream()))
        .filter_map(move |request| ready(admit(request, port)))
}

async fn streams_of(request: RendRequest) -> impl Stream<Item = StreamRequest> {
    match request.accept().await {
        Ok(streams) => streams.left_stream(),
        Err(error) => {
            // Clients give up at any time; at this level only somebody who looks for it should see it.
            tracing::debug!("a rendezvous failed: {}", chain(&error));
            futures::stream::empty().right_stream()
        }
    }
}

fn admit(request: StreamRequest, port: u16) -> Option<IncomingStream> {
    match request.request() {
        IncomingStreamRequest::Begin(begin) if begin.port() == port => Some(IncomingStream(request)),
        _ => {
            // An error means that the circuit has gone already.
            let _gone = request.shutdown_circuit();
            None
        }
    }
}
