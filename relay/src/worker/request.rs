//! One request: what its head may be, and how its body is read. All is refused that a client of ours never sends.

use super::{
    admin::AdminEndpoint,
    admission::right_in_body,
    connection::Plane,
    limits::HttpLimits,
    memory::{Budget, Share},
    peer::Peer,
};
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::{
    Request, Version,
    body::{Body as _, Frame, Incoming},
    header::{AUTHORIZATION, CONTENT_LENGTH, EXPECT, HeaderMap, HeaderName, TRANSFER_ENCODING, UPGRADE},
};
use nightdrop_wire::{
    authorization::Authorization, endpoint::Endpoint, limits::MAX_SMALL_BODY, refusal::Refusal,
};
use tokio::time::{Instant, timeout, timeout_at};

/// What a request is for.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Target {
    /// Something that clients ask for.
    Public(Endpoint),
    /// One of the operator's commands.
    Admin(AdminEndpoint),
}

impl Target {
    fn of(plane: Plane, method: &str, path: &str) -> Option<Self> {
        match plane {
            Plane::Public => Endpoint::parse(method, path).map(Self::Public),
            Plane::Admin => AdminEndpoint::parse(method, path).map(Self::Admin),
        }
    }

    const fn max_body(self) -> usize {
        match self {
            Self::Public(endpoint) => endpoint.row().max_body,
            Self::Admin(endpoint) => endpoint.max_body(),
        }
    }
}

/// The head of a request, once everything about it is right.
#[derive(Debug)]
pub(crate) struct Head {
    /// What it is for.
    pub(crate) target: Target,
    /// What it shows.
    pub(crate) authorization: Option<Authorization>,
    /// Bytes of its body, which is no more than the target allows.
    pub(crate) length: usize,
}

impl Head {
    /// Checks a head. Nothing of the body has been read.
    pub(crate) fn check(plane: Plane, request: &Request<Incoming>) -> Result<Self, Refusal> {
        let headers = request.headers();
        let odd = [TRANSFER_ENCODING, EXPECT, UPGRADE].iter().any(|name| headers.contains_key(name));
        if odd || request.version() != Version::HTTP_11 {
            return Err(Refusal::Refused);
        }
        // The whole of it: no scheme, no host, no query.
        let path = request.uri().to_string();
        let target = Target::of(plane, request.method().as_str(), &path).ok_or(Refusal::Refused)?;
        let length = declared_length(headers, target.max_body())?;
        // What hyper will read is what was declared, or the two of us read the head differently.
        if request.body().size_hint().exact() != u64::try_from(length).ok() {
            return Err(Refusal::Refused);
        }
        let authorization = match single(headers, &AUTHORIZATION)? {
            Some(value) => Some(Authorization::from_header(value).ok_or(Refusal::Refused)?),
            None => None,
        };
        Ok(Self { target, authorization, length })
    }

    /// Bytes of a large body in which its sender's right stands.
    const fn right_in_body(&self) -> usize {
        match self.target {
            Target::Public(endpoint) => right_in_body(endpoint),
            Target::Admin(_) => 0,
        }
    }
}

/// The value of a header that comes once or not at all.
fn single<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Result<Option<&'h str>, Refusal> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => value.to_str().map(Some).map_err(|_| Refusal::Refused),
        (Some(_), Some(_)) => Err(Refusal::Refused),
    }
}

/// The declared length of the body: where there may be a body it must be declared, and within the limit.
fn declared_length(headers: &HeaderMap, most: usize) -> Result<usize, Refusal> {
    let Some(text) = single(headers, &CONTENT_LENGTH)? else {
        return if most == 0 { Ok(0) } else { Err(Refusal::Refused) };
    };
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let length = text.parse().ok().filter(|length| digits && *length <= most);
    length.ok_or(Refusal::Refused)
}

/// Why a body was not read.
#[derive(Debug)]
pub(crate) enum Unread {
    /// There is no memory for it now, or its sender has no right.
    Refused(Refusal),
    /// The peer was too slow, went away, or sent something else than it declared.
    Gone,
}

/// What bodies in memory are counted against.
#[derive(Debug, Clone)]
pub(crate) struct BodyBudgets {
    small: Budget,
    large: Budget,
}

impl BodyBudgets {
    pub(crate) fn new(limits: &HttpLimits) -> Self {
        Self {
            small: Budget::new(limits.connections * MAX_SMALL_BODY, limits),
            large: Budget::new(limits.request_memory, limits),
        }
    }
}

/// A body and its share of a budget.
#[derive(Debug)]
pub(crate) struct Body {
    pub(crate) bytes: Bytes,
    pub(crate) share: Share,
}

/// Whether a body is one of those that are counted, and that only who has a right may send.
pub(crate) const fn is_large(length: usize) -> bool {
    length > MAX_SMALL_BODY
}

/// Reads the body that the head declared, against the budgets, the deadline and the pace. Of a large one, only so much
/// is read at first as shows its sender's right; `admit` looks at that.
pub(crate) async fn read_body(
    head: &Head,
    body: Incoming,
    peer: &Peer,
    limits: &HttpLimits,
    budgets: &BodyBudgets,
    admit: impl AsyncFnOnce(&[u8]) -> Result<(), Refusal>,
) -> Result<Body, Unread> {
    let reading = async {
        let mut arriving = Arriving { body, length: head.length, bytes: BytesMut::new(), limits: *limits };
        let mut share = take(&budgets.small, head.length.min(MAX_SMALL_BODY)).await?;
        if is_large(head.length) {
            arriving.read(head.right_in_body()).await?;
            admit(&arriving.bytes).await.map_err(Unread::Refused)?;
            share = take(&budgets.large, head.length).await?;
        }
        share.watch(peer);
        arriving.read(head.length).await?;
        share.unwatch();
        Ok(Body { bytes: arriving.bytes.freeze(), share })
    };
    timeout(limits.body_time, reading).await.unwrap_or(Err(Unread::Gone))
}

async fn take(budget: &Budget, bytes: usize) -> Result<Share, Unread> {
    budget.share(bytes).await.ok_or(Unread::Refused(Refusal::Busy))
}

/// A body of which a part is there.
struct Arriving {
    body: Incoming,
    length: usize,
    bytes: BytesMut,
    limits: HttpLimits,
}

impl Arriving {
    /// Reads until so much is there; a little more may come with it.
    async fn read(&mut self, enough: usize) -> Result<(), Unread> {
        self.bytes.reserve(enough.saturating_sub(self.bytes.len()));
        let (mut window_end, mut before) = (Instant::now() + self.limits.pace_window, self.bytes.len());
        while self.bytes.len() < enough {
            match timeout_at(window_end, self.body.frame()).await {
                Ok(None) => return Err(Unread::Gone),
                Ok(Some(frame)) => self.take(frame.map_err(|_| Unread::Gone)?)?,
                // Too little came within the window: the room is for those who send.
                Err(_elapsed) if self.bytes.len() - before < self.limits.pace_floor => {
                    return Err(Unread::Gone);
                }
                Err(_elapsed) => {
                    (window_end, before) = (window_end + self.limits.pace_window, self.bytes.len());
                }
            }
        }
        Ok(())
    }

    fn take(&mut self, frame: Frame<Bytes>) -> Result<(), Unread> {
        // Trailers belong to chunked bodies, which no head passes with.
        let data = frame.into_data().map_err(|_| Unread::Gone)?;
        if data.len() > self.length.saturating_sub(self.bytes.len()) {
            return Err(Unread::Gone);
        }
        self.bytes.extend_from_slice(&data);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::header::HeaderValue;

    fn lengths(values: &[&'static str]) -> HeaderMap {
        values.iter().map(|value| (CONTENT_LENGTH, HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn a_declared_length_within_the_limit_passes() {
        assert_eq!(declared_length(&lengths(&["100"]), 100), Ok(100));
        assert_eq!(declared_length(&lengths(&["0"]), 0), Ok(0));
        assert_eq!(declared_length(&lengths(&[]), 0), Ok(0));
    }

    #[test]
    fn other_lengths_are_refused() {
        for values in [
            ["101"].as_slice(),
            &["4294967296"],
            &["18446744073709551616"],
            &["-1"],
            &["+1"],
            &["1 "],
            &[""],
            &["1", "1"],
            &[],
        ] {
            assert_eq!(declared_length(&lengths(values), 100), Err(Refusal::Refused), "{values:?}");
        }
        assert_eq!(declared_length(&lengths(&["1"]), 0), Err(Refusal::Refused));
    }
}
