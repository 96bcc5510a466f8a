//! A command to the running relay: one HTTP/1.1 request through `DIR/run/admin.sock`.

use crate::error::RelayError;
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::{Request, StatusCode, client::conn::http1};
use hyper_util::rt::TokioIo;
use nightdrop_wire::{limits::MAX_SMALL_BODY, refusal::Refusal};
use std::{path::Path, time::Duration};
use tokio::{net::UnixStream, time::timeout};

/// Sends `body` and waits for the answer, for at most `patience`.
pub(super) async fn ask(
    socket: &Path,
    path: &str,
    body: Vec<u8>,
    patience: Duration,
) -> Result<Bytes, RelayError> {
    // Without an answer nothing is known, whatever the reason.
    timeout(patience, post(socket, path, body)).await.unwrap_or(Err(RelayError::AdminUnreachable))
}

async fn post(socket: &Path, path: &str, body: Vec<u8>) -> Result<Bytes, RelayError> {
    let stream = UnixStream::connect(socket).await.map_err(|_| RelayError::AdminUnreachable)?;
    let (mut sender, connection) =
        http1::handshake(TokioIo::new(stream)).await.map_err(|_| RelayError::AdminUnreachable)?;
    // Ends with this runtime.
    tokio::spawn(connection);
    let request = Request::post(path)
        .header(hyper::header::HOST, "relay")
        .body(Full::new(Bytes::from(body)))
        .map_err(|_| RelayError::AdminMalformed)?;
    let response = sender.send_request(request).await.map_err(|_| RelayError::AdminUnreachable)?;
    match response.status() {
        StatusCode::OK => {
            let body = Limited::new(response.into_body(), MAX_SMALL_BODY).collect().await;
            body.map(|body| body.to_bytes()).map_err(|_| RelayError::AdminMalformed)
        }
        status => {
            let refusal = Refusal::from_status(status.as_u16());
            Err(refusal.map_or(RelayError::AdminMalformed, RelayError::OperatorRefused))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        io::{Read, Write},
        os::unix::net::UnixListener,
    };

    const PATH: &str = "/admin/v1/invites/new";

    /// A relay that gives one answer, and the request that it got.
    fn relay(answer: Vec<u8>) -> (tempfile::TempDir, std::thread::JoinHandle<Vec<u8>>) {
        let directory = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(directory.path().join("admin.sock")).unwrap();
        let serving = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = vec![0; 4096];
            let length = stream.read(&mut request).unwrap();
            request.truncate(length);
            stream.write_all(&answer).unwrap();
            request
        });
        (directory, serving)
    }

    async fn asked(directory: &tempfile::TempDir) -> Result<Bytes, RelayError> {
        ask(&directory.path().join("admin.sock"), PATH, vec![3, 1], Duration::from_secs(5)).await
    }

    fn ok(body: &[u8]) -> Vec<u8> {
        let mut answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len()).into_bytes();
        answer.extend_from_slice(body);
        answer
    }

    #[tokio::test]
    async fn an_answer_is_understood() {
        let (directory, serving) = relay(ok(b"answer"));
        assert_eq!(asked(&directory).await.unwrap(), b"answer".as_slice());
        let request = serving.join().unwrap();
        assert!(request.starts_with(b"POST /admin/v1/invites/new HTTP/1.1\r\n"));
        assert!(request.ends_with(b"\r\n\r\n\x03\x01"));
    }

    #[tokio::test]
    async fn refusals_malformed_answers_and_silence_are_told_apart() {
        let (directory, _serving) = relay(b"HTTP/1.1 507 Full\r\ncontent-length: 0\r\n\r\n".to_vec());
        assert!(matches!(asked(&directory).await, Err(RelayError::OperatorRefused(Refusal::Full))));
        let (directory, _serving) = relay(b"HTTP/1.1 302 Found\r\ncontent-length: 0\r\n\r\n".to_vec());
        assert!(matches!(asked(&directory).await, Err(RelayError::AdminMalformed)));
        let (directory, _serving) = relay(ok(&[0; MAX_SMALL_BODY + 1]));
        assert!(matches!(asked(&directory).await, Err(RelayError::AdminMalformed)));
        let (directory, _serving) = relay(Vec::new());
        assert!(matches!(asked(&directory).await, Err(RelayError::AdminUnreachable)));
        let nobody = tempfile::tempdir().unwrap();
        assert!(matches!(asked(&nobody).await, Err(RelayError::AdminUnreachable)));
    }
}
