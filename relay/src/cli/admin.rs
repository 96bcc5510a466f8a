//! A command to the running relay: one HTTP/1.1 request through `DIR/run/admin.sock`.

use crate::error::RelayError;
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::{Request, StatusCode, client::conn::http1};
use hyper_util::rt::TokioIo;
use nightdrop_wire::{codec, limits::MAX_SMALL_BODY};
use serde::{Serialize, de::DeserializeOwned};
use std::{path::Path, time::Duration};
use tokio::{net::UnixStream, time::timeout};

/// Sends `message` and waits for the answer, for at most `patience`.
pub(super) fn ask<Q, A>(socket: &Path, path: &str, message: &Q, patience: Duration) -> Result<A, RelayError>
where
    Q: Serialize,
    A: DeserializeOwned + Serialize,
{
    let body = codec::encode(message).map_err(|_| RelayError::AdminMalformed)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|source| RelayError::System { what: "an async runtime", source })?;
    let answer = runtime.block_on(async {
        // Without an answer nothing is known, whatever the reason.
        timeout(patience, post(socket, path, body)).await.unwrap_or(Err(RelayError::AdminUnreachable))
    })?;
    codec::decode(&answer).map_err(|_| RelayError::AdminMalformed)
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
        status => Err(RelayError::AdminRefused { status: status.as_u16() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nightdrop_wire::{
        messages::admin::{Invitation, NewInvitation},
        token::Token,
    };
    use std::{
        io::{Read, Write},
        os::unix::net::UnixListener,
    };

    const PATH: &str = "/admin/v1/invites";

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

    fn invite(directory: &tempfile::TempDir) -> Result<Invitation, RelayError> {
        let message = NewInvitation { days: 3 };
        ask(&directory.path().join("admin.sock"), PATH, &message, Duration::from_secs(5))
    }

    fn ok(body: &[u8]) -> Vec<u8> {
        let mut answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len()).into_bytes();
        answer.extend_from_slice(body);
        answer
    }

    #[test]
    fn an_answer_is_understood() {
        let invitation = Invitation { invitation: Token::from_bytes([7; 32]) };
        let (directory, serving) = relay(ok(&codec::encode(&invitation).unwrap()));
        assert_eq!(invite(&directory).unwrap().invitation.secret_bytes(), &[7; 32]);
        let request = serving.join().unwrap();
        assert!(request.starts_with(b"POST /admin/v1/invites HTTP/1.1\r\n"));
        assert!(request.ends_with(b"\r\n\r\n\x03"));
    }

    #[test]
    fn refusals_malformed_answers_and_silence_are_told_apart() {
        let (directory, _serving) = relay(b"HTTP/1.1 507 Full\r\ncontent-length: 0\r\n\r\n".to_vec());
        assert!(matches!(invite(&directory), Err(RelayError::AdminRefused { status: 507 })));
        let (directory, _serving) = relay(ok(b"short"));
        assert!(matches!(invite(&directory), Err(RelayError::AdminMalformed)));
        let (directory, _serving) = relay(Vec::new());
        assert!(matches!(invite(&directory), Err(RelayError::AdminUnreachable)));
        let nobody = tempfile::tempdir().unwrap();
        assert!(matches!(invite(&nobody), Err(RelayError::AdminUnreachable)));
    }
}
