//! The body of a request, given out piece by piece, so that it is known when all of it is on its way.

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
};
use tokio::sync::OwnedSemaphorePermit;

/// Bytes of a piece.
const PIECE: usize = 32 * 1024;

/// A body whose turn ends with its last piece.
pub(crate) struct Outgoing {
    left: Bytes,
    turn: Option<OwnedSemaphorePermit>,
}

impl Outgoing {
    pub(crate) const fn new(bytes: Bytes, turn: Option<OwnedSemaphorePermit>) -> Self {
        Self { left: bytes, turn }
    }
}

impl Body for Outgoing {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let length = self.left.len().min(PIECE);
        let piece = self.left.split_to(length);
        if self.left.is_empty() {
            self.turn = None;
        }
        Poll::Ready((!piece.is_empty()).then(|| Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.left.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left.len() as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;
    use http_body_util::BodyExt;
    use std::sync::Arc;
    use tokio::sync::Semaphore;

    #[test]
    fn the_turn_ends_with_the_last_piece_and_nothing_is_lost() {
        let turns = Arc::new(Semaphore::new(1));
        let turn = Arc::clone(&turns).try_acquire_owned().unwrap();
        let bytes: Vec<u8> = (0..=250).cycle().take(2 * PIECE + 1).collect();
        let mut body = Outgoing::new(Bytes::from(bytes.clone()), Some(turn));
        let (mut out, mut free) = (Vec::new(), Vec::new());
        while let Some(piece) = body.frame().now_or_never().unwrap() {
            out.extend_from_slice(&piece.unwrap().into_data().unwrap());
            free.push(turns.available_permits());
        }
        assert_eq!((out, free), (bytes, vec![0, 0, 1]));
        assert!(body.is_end_stream());
    }
}
