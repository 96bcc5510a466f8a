//! What is sent back: a status, a body, and no header beyond `content-length` and, on the last answer, `connection`.

use bytes::Bytes;
use http_body_util::Full;
use hyper::{
    Response, StatusCode,
    header::{CONNECTION, HeaderValue},
};
use nightdrop_wire::refusal::Refusal;

/// The answer to a request.
pub(crate) type Answer = Response<Full<Bytes>>;

/// A success.
pub(crate) fn success(body: Bytes) -> Answer {
    Response::new(Full::new(body))
}

/// A refusal. `last` if the connection ends with it.
pub(crate) fn refusal(refusal: Refusal, last: bool) -> Answer {
    let mut answer = Response::new(Full::new(Bytes::new()));
    // Every status of a refusal is a valid one; the constant one stands for any that were not.
    *answer.status_mut() = StatusCode::from_u16(refusal.status()).unwrap_or(StatusCode::NOT_FOUND);
    if last {
        answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_has_its_status_and_no_header_of_its_own() {
        for kind in Refusal::ALL {
            let answer = refusal(kind, false);
            assert_eq!(answer.status().as_u16(), kind.status());
            assert!(answer.headers().is_empty());
            assert_eq!(refusal(kind, true).headers().len(), 1);
        }
    }
}
