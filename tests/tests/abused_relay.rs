//! Strangers who hold every stream that they get, over a private Tor network: honest users are served all the same.
//!
//! The hostile client is Arti through `onion-config`. Worker and client are the built programs; the gateway is the library's,
//! so that a flood can be shown that keeps everybody out: as many circuits as there are places.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, missing_docs)]

use nightdrop_onion_config::{Lane, Network, Role, Tor, TorError, TorLimits, TorSettings, TorStream};
use nightdrop_relay::{
    data_directory::DataDirectory,
    gateway::{GatewaySettings, event::Event, serve},
    settings::RelayLimits,
};
use nightdrop_tests::system::{User, WorkerProcess, invite, make_sample, network_file};
use nightdrop_wire::{ONION_PORT, onion::OnionAddress};
use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    sync::mpsc,
    task::{JoinHandle, JoinSet},
    time::{sleep, timeout},
};

/// Longer than anything here takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(150);
const PASSWORD: &str = "plum orbit velvet cactus tide";
/// Streams of one hostile circuit, a few less than would end it.
const EACH: usize = 60;
/// Places of a relay that a flood of circuits fills.
const FEW: usize = 16;
/// What the flood says on a stream so that it counts as used: refused, and no reason to end the connection.
const ASK: &[u8] = b"GET /v1/nothing HTTP/1.1\r\n\r\n";

fn tor_settings(directory: &Path, role: Role) -> TorSettings {
    let network = Network::load(Some(&network_file().unwrap())).unwrap();
    TorSettings { directory: directory.to_owned(), network, role, limits: TorLimits::default() }
}

async fn client(directory: &Path) -> Tor {
    Tor::bootstrap(tor_settings(directory, Role::Client), |_| {}).await.unwrap()
}

/// A relay: worker process, and a gateway with limits of the test's choice.
struct Relay {
    address: OnionAddress,
    invitation: String,
    worker: WorkerProcess,
    gateway: JoinHandle<()>,
}

impl Relay {
    async fn start(data: &Path, limits: RelayLimits) -> Self {
        let directory = DataDirectory::prepare(data).unwrap();
        let invitation = invite(data).unwrap();
        let tor = tor_settings(&directory.tor(), Role::Relay);
        let address = Tor::service_address(&tor).unwrap();
        let worker = WorkerProcess::start(data, address.clone()).unwrap();
        let settings = GatewaySettings { tor, data: directory, limits };
        let (said, mut heard) = mpsc::unbounded_channel();
        let gateway = tokio::spawn(async move {
            let say = move |event: &Event| drop(said.send(event.clone()));
            serve(settings, say).await.unwrap();
        });
        let reachable = async {
            while !matches!(heard.recv().await.expect("the gateway runs"), Event::Reachable { .. }) {}
        };
        timeout(PATIENCE, reachable).await.unwrap();
        // Whoever says something more is not held up.
        tokio::spawn(async move { while heard.recv().await.is_some() {} });
        Self { address, invitation, worker, gateway }
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.gateway.abort();
    }
}

/// Opens `each` streams on each of `circuits` circuits, uses each once, and keeps them.
async fn hold_streams(tor: &Tor, relay: &Relay, circuits: usize, each: usize) -> Vec<TorStream> {
    let mut opening = JoinSet::new();
    for _ in 0..circuits {
        let (tor, address, lane) = (tor.clone(), relay.address.clone(), Lane::isolated());
        opening.spawn(async move {
            let mut held = Vec::new();
            // The first one builds the circuit that the others share.
            held.extend(open(&tor, &address, &lane).await);
            let others = (1..each).map(|_| open(&tor, &address, &lane));
            held.extend(futures::future::join_all(others).await.into_iter().flatten());
            held
        });
    }
    opening.join_all().await.into_iter().flatten().collect()
}

/// A stream on which the worker has answered; `None` if it was refused or ended before.
async fn open(tor: &Tor, address: &OnionAddress, lane: &Lane) -> Option<TorStream> {
    let mut stream = tor.connect(address, ONION_PORT, lane).await.ok()?;
    stream.write_all(ASK).await.ok()?;
    stream.flush().await.ok()?;
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).await.ok()?;
    (&answer == b"HTTP/1.1 404").then_some(stream)
}

/// How many of these are still open.
async fn still_open(held: &mut [TorStream]) -> usize {
    let mut open = 0;
    for stream in held {
        // The rest of the answer may be waiting; an ended stream says so at once.
        let mut rest = [0; 256];
        let ended = loop {
            match timeout(Duration::from_millis(1), stream.read(&mut rest)).await {
                Err(_elapsed) => break false,
                Ok(Ok(count)) if count > 0 => {}
                Ok(_) => break true,
            }
        };
        open += usize::from(!ended);
    }
    open
}

/// `nightdrop put` and `get` of a file of a megabyte; how long they took.
async fn put_and_get(user: &User, name: &'static str) -> [Duration; 2] {
    let user = user.clone();
    tokio::task::spawn_blocking(move || {
        make_sample(&user.directory().join(name), 1_000_000).unwrap();
        let start = Instant::now();
        let put = user.run_json(&["put", name, "--link"]).unwrap();
        let up = start.elapsed();
        let back = format!("{name}.back");
        user.run_json(&["get", put["link"].as_str().unwrap(), "-o", &back]).unwrap();
        let read = |name: &str| std::fs::read(user.directory().join(name)).unwrap();
        assert!(read(name) == read(&back));
        [up, start.elapsed() - up]
    })
    .await
    .unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_holds_all_streams_gives_them_to_honest_users() {
    let directory = tempfile::tempdir().unwrap();
    let hostile = client(&directory.path().join("hostile")).await;
    let honest = client(&directory.path().join("honest")).await;
    let places = RelayLimits::default().streams;
    let circuits = places.div_ceil(EACH) + 1;

    // One stream on each of as many circuits as there are places, none of which is ever quiet: nobody else gets anything.
    let limits = RelayLimits { streams: FEW, stream_quiet: Duration::MAX, ..RelayLimits::default() };
    let relay = Relay::start(&directory.path().join("few"), limits).await;
    assert!(open(&honest, &relay.address, &Lane::isolated()).await.is_some(), "the honest case");
    let mut held = hold_streams(&hostile, &relay, FEW, 1).await;
    let sockets = relay.worker.sockets().unwrap();
    println!("flood of {} streams, one a circuit; {sockets} sockets at the worker", held.len());
    assert!(held.len() >= FEW - 2 && sockets >= FEW - 2, "the flood reaches the relay");
    assert_eq!(still_open(&mut held).await, held.len());
    held.extend(hold_streams(&hostile, &relay, 4, 1).await);
    let refused = honest.connect(&relay.address, ONION_PORT, &Lane::isolated()).await;
    assert!(matches!(refused, Err(TorError::StreamRefused)), "{:?}", refused.map(drop));
    drop((held, relay));

    let relay = Relay::start(&directory.path().join("shared"), RelayLimits::default()).await;
    let user = User::new(&directory.path().join("user"), PASSWORD).unwrap();
    let (registering, address, invitation) =
        (user.clone(), relay.address.to_string(), relay.invitation.clone());
    let register = move || registering.run_json(&["register", &address, "--invite", &invitation]).unwrap();
    tokio::task::spawn_blocking(register).await.unwrap();
    let alone = put_and_get(&user, "alone").await;
    let mut held = hold_streams(&hostile, &relay, circuits, EACH).await;
    let sockets = relay.worker.sockets().unwrap();
    assert!(held.len() >= places - EACH && sockets >= places - EACH, "the flood reaches the relay");
    let before = still_open(&mut held).await;
    let flooded = put_and_get(&user, "flooded").await;
    let after = still_open(&mut held).await;
    println!("put and get alone {alone:?}, beside {before} held streams {flooded:?}; {after} are left");
    assert!(before >= places - EACH && after < before, "streams gave way");
    assert!(after >= places / 2, "and only as many as were needed");
}

/// Far more streams at once than a circuit may have: the circuit ends, again and again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_streams_on_one_circuit_keep_nobody_out() {
    const STREAMS: usize = 10_000;
    let directory = tempfile::tempdir().unwrap();
    let hostile = client(&directory.path().join("hostile")).await;
    let relay = Relay::start(&directory.path().join("relay"), RelayLimits::default()).await;
    let user = User::new(&directory.path().join("user"), PASSWORD).unwrap();
    let (registering, address, invitation) =
        (user.clone(), relay.address.to_string(), relay.invitation.clone());
    let register = move || registering.run_json(&["register", &address, "--invite", &invitation]).unwrap();
    tokio::task::spawn_blocking(register).await.unwrap();
    let alone = put_and_get(&user, "alone").await;

    let held = hold_streams(&hostile, &relay, 1, EACH).await;
    assert!(held.len() >= EACH - 2, "as many as are allowed stand: {}", held.len());
    let (tried, stood) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let lane = Lane::isolated();
    let flood: Vec<_> = (0..STREAMS)
        .map(|_| {
            let (tor, address, lane) = (hostile.clone(), relay.address.clone(), lane.clone());
            let (tried, stood) = (Arc::clone(&tried), Arc::clone(&stood));
            tokio::spawn(async move {
                let stream = open(&tor, &address, &lane).await;
                tried.fetch_add(1, Ordering::Relaxed);
                stood.fetch_add(usize::from(stream.is_some()), Ordering::Relaxed);
                // Keeps what it got while others try.
                sleep(PATIENCE).await;
            })
        })
        .collect();
    let flooded = put_and_get(&user, "flooded").await;
    let (tried, stood) = (tried.load(Ordering::Relaxed), stood.load(Ordering::Relaxed));
    println!(
        "put and get alone {alone:?}, beside {STREAMS} streams {flooded:?}; by then {tried} were answered, {stood} stood"
    );
    flood.iter().for_each(JoinHandle::abort);
    assert!(tried > EACH, "more came than a circuit may have");
}
