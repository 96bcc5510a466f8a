//! A request of a client, parsed as far as a lie may want to look at it or change it.

use super::http::Message;
use nightdrop_wire::endpoint::Endpoint;

/// A request on its way to the honest relay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// Where it goes.
    pub endpoint: Endpoint,
    /// The value of its `Authorization` header.
    pub authorization: Option<String>,
    /// Its body.
    pub body: Vec<u8>,
}

impl Asked {
    /// A request that shows nothing and has no body.
    #[must_use]
    pub const fn plain(endpoint: Endpoint) -> Self {
        Self { endpoint, authorization: None, body: Vec::new() }
    }

    /// What a message asks for; `None` if it is no request of the protocol.
    pub(super) fn parse(message: &Message) -> Option<Self> {
        let mut words = message.start.split(' ');
        let endpoint = Endpoint::parse(words.next()?, words.next()?)?;
        let authorization = message.header("authorization").map(str::to_owned);
        Some(Self { endpoint, authorization, body: message.body.clone() })
    }

    /// The bytes of the request.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let mut head = format!("{} {} HTTP/1.1\r\n", self.endpoint.row().method, self.endpoint.path());
        if let Some(authorization) = &self.authorization {
            head += &format!("authorization: {authorization}\r\n");
        }
        if self.endpoint.row().max_body > 0 {
            head += &format!("content-length: {}\r\n", self.body.len());
        }
        [head.as_bytes(), b"\r\n", &self.body].concat()
    }
}
