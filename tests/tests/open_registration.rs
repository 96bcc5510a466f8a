//! Registering without an invitation, over a relay in memory, and a relay that lies about it.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, missing_docs)]

use nightdrop_client::{
    ClientError,
    account::{self, OpenRelay, Prepared},
};
use nightdrop_login::password::Password;
use nightdrop_relay::worker::{RegistrationLimits, ServiceLimits};
use nightdrop_tests::memory::{Host, MemoryRelay, MemoryTransport, PASSWORD, address, patient};
use nightdrop_wire::{
    PROTOCOL_VERSION, codec,
    limits::{MAX_WORK, WORK_CHALLENGE},
    messages::relay::{Registration, RelayInfo},
};
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

/// Little work: what is tested is not its amount.
fn limits(registration: Registration) -> ServiceLimits {
    let registration =
        RegistrationLimits { registration, work: 8, earned_per_hour: 1, ..RegistrationLimits::default() };
    ServiceLimits { registration, ..ServiceLimits::default() }
}

async fn register(transport: &MemoryTransport) -> Result<(Prepared, Vec<u8>), ClientError> {
    let open = OpenRelay::ask(transport, &address(), &patient()).await?;
    let told = Arc::new(Mutex::new(Vec::new()));
    let tell = Arc::clone(&told);
    let progress = Arc::new(move |percent| tell.lock().unwrap().push(percent));
    let prepared = open.prepare(Password::new(PASSWORD), true, progress).await?;
    account::commit(transport, &address(), &prepared.request, &patient()).await?;
    let told = told.lock().unwrap().clone();
    Ok((prepared, told))
}

#[tokio::test]
async fn everyone_registers_at_an_open_relay_until_the_hour_is_used_up() {
    let relay = MemoryRelay::with_limits(limits(Registration::Open)).await;
    let transport = MemoryTransport::to(address(), relay);
    let (prepared, told) = register(&transport).await.unwrap();
    assert_eq!((told.first(), told.last()), (Some(&0), Some(&100)));
    assert!(told.is_sorted());
    account::log_in(&transport, &prepared.code, &Password::new(PASSWORD), &patient()).await.unwrap();
    let second = register(&transport).await;
    assert!(matches!(second, Err(ClientError::RegistrationsUsedUp)));
}

#[tokio::test]
async fn elsewhere_the_client_says_what_is_needed() {
    let by_invitation = MemoryRelay::with_limits(limits(Registration::Invite)).await;
    let refused = register(&MemoryTransport::to(address(), by_invitation)).await;
    assert!(matches!(refused, Err(ClientError::InvitationNeeded)));
    let closed = MemoryRelay::with_limits(limits(Registration::Closed)).await;
    let refused = register(&MemoryTransport::to(address(), closed)).await;
    assert!(matches!(refused, Err(ClientError::RegistrationClosed)));
}

/// Says something of itself and refuses all else; remembers what it was asked.
#[derive(Clone, Default)]
struct Liar {
    says: Vec<u8>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Host for Liar {
    fn accept(&self, mut stream: DuplexStream) {
        let liar = self.clone();
        tokio::spawn(async move {
            let mut request = vec![0; 4096];
            while let Ok(length @ 1..) = stream.read(&mut request).await {
                let line = String::from_utf8_lossy(&request[..length]).lines().next().unwrap().to_owned();
                let is_first = line.starts_with("GET /v1/relay ");
                liar.asked.lock().unwrap().push(line);
                let (status, body) =
                    if is_first { (200, liar.says.as_slice()) } else { (404, [].as_slice()) };
                let head = format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\n\r\n", body.len());
                if stream.write_all(&[head.as_bytes(), body].concat()).await.is_err() {
                    return;
                }
            }
        });
    }
}

/// What the client makes of a relay that says this, and whether it asked for an invitation.
async fn against(says: Vec<u8>) -> (ClientError, bool) {
    let liar = Liar { says, ..Liar::default() };
    let outcome = register(&MemoryTransport::to(address(), liar.clone())).await;
    let asked = liar.asked.lock().unwrap().iter().any(|line| line.starts_with("POST /v1/invitations "));
    (outcome.err().unwrap(), asked)
}

#[tokio::test]
async fn absurd_work_and_unknown_modes_are_refused_before_any_work() {
    let honest = RelayInfo {
        version: PROTOCOL_VERSION,
        registration: Registration::Open,
        work: 8,
        challenge: [1; WORK_CHALLENGE],
        quota: 1_000,
        issuing_key: [2; 32],
        session_days: 30,
    };
    let bytes = codec::encode(&honest).unwrap();
    let (error, asked) = against(bytes.clone()).await;
    assert!(matches!(error, ClientError::WorkRefused) && asked, "what is not absurd is worked for: {error}");

    let absurd = RelayInfo { work: MAX_WORK + 1, ..honest.clone() };
    let (error, asked) = against(codec::encode(&absurd).unwrap()).await;
    assert!(matches!(error, ClientError::AbsurdWork) && !asked, "{error}");

    let mut unknown = bytes.clone();
    unknown[2] = 3;
    let newer = codec::encode(&RelayInfo { version: PROTOCOL_VERSION + 1, ..honest }).unwrap();
    let longer = [bytes.as_slice(), &[0]].concat();
    for (name, says) in [
        ("a mode that nobody knows", unknown),
        ("another protocol", newer),
        ("a byte more", longer),
        ("much more", vec![0; 100_000]),
        ("nothing", Vec::new()),
    ] {
        let (error, asked) = against(says).await;
        assert!(matches!(error, ClientError::NotARelay) && !asked, "{name}: {error}");
    }
}
