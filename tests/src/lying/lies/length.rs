//! Lies about how much will come: declared lengths, endless bodies, streams that end or fall silent.

use crate::lying::{After, Answer, Asked, Length, Lie};

/// Another length than that of the body that is sent; then the stream ends.
#[derive(Debug, Clone)]
pub struct Declare(
    /// The value of the header.
    pub String,
);

impl Lie for Declare {
    fn answer(&self, _asked: &Asked, honest: Answer) -> Answer {
        Answer { length: Length::Said(self.0.clone()), after: After::End, ..honest }
    }
}

/// The stream ends within the body.
#[derive(Debug, Clone, Copy)]
pub struct EndAfter(
    /// Bytes of the body that are sent.
    pub usize,
);

impl Lie for EndAfter {
    fn answer(&self, _asked: &Asked, mut honest: Answer) -> Answer {
        let length = Length::Said(honest.body.len().to_string());
        honest.body.truncate(self.0);
        Answer { length, after: After::End, ..honest }
    }
}

/// Within the body nothing more comes, and the stream stays open.
#[derive(Debug, Clone, Copy)]
pub struct FallSilent(
    /// Bytes of the body that are sent.
    pub usize,
);

impl Lie for FallSilent {
    fn answer(&self, asked: &Asked, honest: Answer) -> Answer {
        Answer { after: After::Silence, ..EndAfter(self.0).answer(asked, honest) }
    }
}

/// A body that never ends.
#[derive(Debug, Clone)]
pub enum Flood {
    /// Its length is declared as this.
    Declared(String),
    /// Its length is not declared: it ends with the stream.
    Undeclared,
    /// It comes in HTTP chunks.
    Chunked,
    /// It is not a body: the head itself never ends.
    Head,
}

/// One HTTP chunk of 16 bytes.
const HTTP_CHUNK: &[u8] = b"10\r\n0123456789abcdef\r\n";
const FILLER: &[u8] = &[0; 16 * 1024];

impl Lie for Flood {
    fn answer(&self, _asked: &Asked, honest: Answer) -> Answer {
        let mut answer = Answer { length: Length::Unsaid, after: After::Endless(FILLER), ..honest };
        answer.body = Vec::new();
        match self {
            Self::Declared(length) => answer.length = Length::Said(length.clone()),
            Self::Undeclared => {}
            Self::Chunked => {
                answer.headers.push(("transfer-encoding".to_owned(), "chunked".to_owned()));
                answer.after = After::Endless(HTTP_CHUNK);
            }
            // A head ends with an empty line; a value that never ends keeps it from coming.
            Self::Head => answer.headers.push(("x".to_owned(), "y".repeat(32 << 20))),
        }
        answer
    }
}
