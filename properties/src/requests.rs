//! What stands before a request's body: method, path, and the `Authorization` header.

use nightdrop_wire::{authorization::Authorization, endpoint::Endpoint};

const METHODS: [&str; 8] = ["GET", "POST", "PUT", "DELETE", "HEAD", "get", "PATCH", ""];

/// The first byte is the method; the rest, up to a line feed, the path; what follows it, the header's value.
pub(crate) fn request(input: &[u8]) -> bool {
    let Some((method, rest)) = input.split_first() else { return false };
    let Ok(text) = std::str::from_utf8(rest) else { return false };
    let (path, header) = text.split_once('\n').unwrap_or((text, ""));
    target(METHODS[usize::from(*method) % METHODS.len()], path) | authorization(header)
}

fn target(method: &str, path: &str) -> bool {
    let Some(endpoint) = Endpoint::parse(method, path) else { return false };
    assert_eq!(endpoint.path(), path, "two paths to one endpoint");
    assert_eq!(endpoint.row().method, method);
    true
}

fn authorization(value: &str) -> bool {
    let Some(shown) = Authorization::from_header(value) else { return false };
    assert_eq!(*shown.to_header(), value, "two forms of one header");
    true
}
