//! An answer as a lie leaves it: it need not be one that HTTP allows.

/// What the client will hear.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// Headers beside `content-length`.
    pub headers: Vec<(String, String)>,
    /// What the head says of the body.
    pub length: Length,
    /// The body, as far as it is sent.
    pub body: Vec<u8>,
    /// What follows the body.
    pub after: After,
}

/// What the head of an answer says of the length of its body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Length {
    /// The length of the body that is sent.
    OfBody,
    /// Something else.
    Said(String),
    /// Nothing.
    Unsaid,
}

/// What happens after an answer's body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum After {
    /// The next request is read.
    NextRequest,
    /// The stream ends.
    End,
    /// Nothing, and the stream stays open.
    Silence,
    /// The same bytes again and again, as long as somebody takes them.
    Endless(&'static [u8]),
}

impl Answer {
    /// An answer with a body and nothing odd about it.
    #[must_use]
    pub const fn new(status: u16, body: Vec<u8>) -> Self {
        Self { status, headers: Vec::new(), length: Length::OfBody, body, after: After::NextRequest }
    }

    /// Whether the relay did what it was asked.
    #[must_use]
    pub const fn is_success(&self) -> bool {
        self.status == 200
    }

    /// The bytes up to what follows the body.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let mut head = format!("HTTP/1.1 {} \r\n", self.status);
        for (name, value) in &self.headers {
            head += &format!("{name}: {value}\r\n");
        }
        match &self.length {
            Length::OfBody => head += &format!("content-length: {}\r\n", self.body.len()),
            Length::Said(length) => head += &format!("content-length: {length}\r\n"),
            Length::Unsaid => {}
        }
        [head.as_bytes(), b"\r\n", &self.body].concat()
    }
}
