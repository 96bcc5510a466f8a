//! Answers that no relay sends: redirects, odd statuses, absurd lengths, floods.

use crate::attack::{any_chunk, expect_caught, head, small_file, ticket};
use nightdrop_client::{ClientError, ExitCode};
use nightdrop_tests::{
    lying::{
        Asked, Honest, Lie, LyingRelay, Stage,
        lies::{Declare, Flood, Headers, Say, on},
        speak,
    },
    memory::{Host, MemoryRelay, MemoryTransport, address},
};
use nightdrop_wire::{endpoint::Endpoint, onion::OnionAddress};

const ELSEWHERE: &str = "duckduckgogg42xjoc72x3sjasowoarfbgcmvfimaftt6twagswzczad.onion";

/// Bytes of an answer that a client may have taken before it gave up: what was on its way, what HTTP buffers for a head,
/// for each attempt and lane; a flood is many times that.
const TAKEN_AT_MOST: u64 = 4 << 20;
/// Bytes of address space that the whole test may need; what is declared is many times that.
const ROOM_AT_MOST: u64 = 8 << 30;

fn not_a_relay(error: &ClientError) -> bool {
    matches!(error, ClientError::NotARelay) && error.explanation().exit == ExitCode::Tampered
}

/// A naive client does what the headers say, and is led elsewhere.
async fn led_to(transport: &MemoryTransport, endpoint: Endpoint) -> Option<OnionAddress> {
    let exchange = speak(transport.stream(&address()).unwrap(), &Asked::plain(endpoint)).await;
    let host = exchange.header("location")?.strip_prefix("http://")?.split('/').next()?.parse().ok()?;
    transport.stream(&host).ok().map(|_stream| host)
}

#[tokio::test]
async fn m41_a_redirect_or_another_host_is_never_followed() {
    let elsewhere: OnionAddress = ELSEWHERE.parse().unwrap();
    let honest = MemoryRelay::start().await;
    let liar = LyingRelay::before(honest.clone());
    let hosts: Vec<(_, Box<dyn Host>)> =
        vec![(address(), Box::new(liar.clone())), (elsewhere.clone(), Box::new(honest.clone()))];
    let stage = Stage::of(honest, liar, MemoryTransport::to_all(hosts));
    let file = small_file();
    stage.store(&[&file]).await;
    for status in [300, 301, 302, 303, 305, 307, 308, 421] {
        for name in ["location", "refresh", "alt-svc"] {
            let value = format!("http://{ELSEWHERE}/v1/tickets/");
            let headers = vec![(name.to_owned(), value)];
            for which in [ticket, head, any_chunk] {
                let lie = || on(which, Headers { status, headers: headers.clone() });
                expect_caught(&stage, &file, lie, not_a_relay).await;
            }
        }
    }
    // The headers alone, over an answer that is right, lead nowhere either.
    let headers = vec![("alt-svc".to_owned(), format!("h2=\"{ELSEWHERE}:80\""))];
    stage.liar.tell(Headers { status: 200, headers });
    stage.get(&file.link()).await.expect_content(&file.content);
    let asked = stage.transport.asked();
    assert!(asked.iter().all(|asked| *asked == address()), "no other address is ever asked for");

    let endpoint = Endpoint::GetTicket(file.secret.root().id());
    let headers = vec![("location".to_owned(), format!("http://{ELSEWHERE}{}", endpoint.path()))];
    stage.liar.tell(Headers { status: 307, headers });
    assert_eq!(led_to(&stage.transport, endpoint).await, Some(elsewhere), "a naive client is led there");
}

#[tokio::test]
async fn m15_a_status_that_no_relay_sends_is_an_error() {
    let (stage, file) = (Stage::set().await, small_file());
    stage.store(&[&file]).await;
    for status in [201, 202, 203, 206, 226, 400, 401, 403, 405, 416, 451, 500, 502, 599] {
        for which in [ticket, head, any_chunk] {
            expect_caught(&stage, &file, || on(which, Say(status)), not_a_relay).await;
        }
    }
}

/// The client gives up with `expected`, takes no more than it must, and makes no room for what was only declared.
async fn expect_bounded(lie: impl Fn() -> Box<dyn Lie>, expected: impl Fn(&ClientError) -> bool) {
    let (stage, file) = (Stage::set().await, small_file());
    stage.store(&[&file]).await;
    for which in [ticket, head, any_chunk] {
        let sent = stage.liar.sent();
        stage.liar.tell(on(which, lie()));
        let gotten = stage.get(&file.link()).await;
        let error = gotten.expect_error();
        assert!(expected(error), "{error:?}");
        assert!(stage.liar.sent() - sent < TAKEN_AT_MOST, "the client stops reading");
        assert!(address_space() < ROOM_AT_MOST, "no room is made for what is declared");
    }
    stage.liar.tell(Honest);
    stage.get(&file.link()).await.expect_content(&file.content);
}

/// The most address space that this process ever had, in bytes.
fn address_space() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmPeak:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
}

#[tokio::test]
async fn m25_an_absurd_declared_length_is_refused_before_room_is_made() {
    for length in ["1099511627776", "9223372036854775808"] {
        expect_bounded(|| Box::new(Flood::Declared(length.to_owned())), not_a_relay).await;
        expect_bounded(|| Box::new(Declare(length.to_owned())), not_a_relay).await;
    }
}

#[tokio::test]
async fn m25_a_body_without_a_declared_length_is_refused() {
    expect_bounded(|| Box::new(Flood::Undeclared), not_a_relay).await;
    expect_bounded(|| Box::new(Flood::Chunked), not_a_relay).await;
}

/// What is no HTTP cannot be told from a line that breaks: it is tried again, and then given up.
#[tokio::test]
async fn m25_a_head_that_never_ends_or_makes_no_sense_is_given_up() {
    let broken = |error: &ClientError| matches!(error, ClientError::Broken);
    expect_bounded(|| Box::new(Flood::Head), broken).await;
    // The first is 2^64 - 1, which HTTP libraries keep for lengths that nobody knows.
    for length in ["18446744073709551615", "18446744073709551616", "-1", "1e3", ""] {
        expect_bounded(|| Box::new(Declare(length.to_owned())), broken).await;
    }
}
