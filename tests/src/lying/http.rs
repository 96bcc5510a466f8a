//! As much of HTTP/1.1 as two honest parties need to be read and repeated: a head, and a body of declared length.
//!
//! It believes whatever it is told, for it reads the honest relay, our own client, and for readers that are naive on
//! purpose. It must never be used to judge anything.

use super::{Asked, record::Heard};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

const HEAD_END: &[u8] = b"\r\n\r\n";
const READ: usize = 64 * 1024;

/// A request or an answer.
#[derive(Debug)]
pub(super) struct Message {
    /// The first line.
    pub(super) start: String,
    /// Names, in lower case, and values.
    headers: Vec<(String, String)>,
    /// The body.
    pub(super) body: Vec<u8>,
}

impl Message {
    fn parse_head(head: &[u8]) -> Option<Self> {
        let head = std::str::from_utf8(head).ok()?;
        let mut lines = head.split("\r\n");
        let start = lines.next()?.to_owned();
        let headers = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            .collect();
        Some(Self { start, headers, body: Vec::new() })
    }

    /// The value of a header.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
    }

    fn length(&self) -> usize {
        self.header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0)
    }
}

/// Reads messages from one side of a stream, and keeps every byte that came if asked to.
pub(super) struct MessageReader<S> {
    stream: S,
    unread: Vec<u8>,
    heard: Option<Heard>,
}

impl<S: AsyncRead + Unpin> MessageReader<S> {
    pub(super) const fn new(stream: S, heard: Option<Heard>) -> Self {
        Self { stream, unread: Vec::new(), heard }
    }

    /// The next message; `None` if the stream ended before it was whole.
    pub(super) async fn next(&mut self) -> Option<Message> {
        let end = loop {
            match self.unread.windows(HEAD_END.len()).position(|window| window == HEAD_END) {
                Some(end) => break end,
                None => self.fill().await?,
            }
        };
        let mut message = Message::parse_head(&self.unread[..end])?;
        let body = end + HEAD_END.len();
        let whole = body + message.length();
        while self.unread.len() < whole {
            self.fill().await?;
        }
        message.body = self.unread[body..whole].to_vec();
        self.unread.drain(..whole);
        Some(message)
    }

    /// What came so far and belongs to no whole message.
    fn rest(&self) -> &[u8] {
        &self.unread
    }

    async fn fill(&mut self) -> Option<()> {
        let before = self.unread.len();
        self.unread.reserve(READ);
        let read = self.stream.read_buf(&mut self.unread).await.ok()?;
        if let Some(heard) = &self.heard {
            heard.add(&self.unread[before..]);
        }
        (read > 0).then_some(())
    }
}

/// One request over a stream of its own, by somebody who believes every answer.
#[derive(Debug)]
pub struct Exchange {
    /// The answer's status, or 0 if none came.
    pub status: u16,
    /// The head as it came, with its headers.
    pub headers: Vec<(String, String)>,
    /// As much of the body as came.
    pub body: Vec<u8>,
}

impl Exchange {
    /// The value of a header.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
    }
}

/// Sends a request and takes what comes: an answer that breaks off counts as far as it came.
pub async fn speak<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S, asked: &Asked) -> Exchange {
    // A relay that refuses before it has read all is to be heard, too.
    let _ = stream.write_all(&asked.to_bytes()).await;
    let mut reader = MessageReader::new(stream, None);
    let message = match reader.next().await {
        Some(message) => message,
        None => broken_off(reader.rest()),
    };
    let status = message.start.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    Exchange { status, headers: message.headers, body: message.body }
}

fn broken_off(bytes: &[u8]) -> Message {
    let end = bytes.windows(HEAD_END.len()).position(|window| window == HEAD_END).unwrap_or(bytes.len());
    let mut message = Message::parse_head(&bytes[..end]).unwrap();
    message.body = bytes.get(end + HEAD_END.len()..).unwrap_or_default().to_vec();
    message
}
