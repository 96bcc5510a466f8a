//! The worker is killed at random moments, 200 times, while clients upload and write to their logs. What was acknowledged is
//! recorded on the client's side, and all of it must be there afterwards.

use super::{PASSWORD, moments};
use nightdrop_client::{
    account::{self, Session},
    limits::ClientLimits,
    relay::RelayLane,
    space::HomeSpace,
    transfer::{self, OutputPath, Source},
};
use nightdrop_envelope::space::{Operation, SpacePath};
use nightdrop_login::password::Password;
use nightdrop_relay::worker::{Environment, issue_invitations};
use nightdrop_store::{Store, StoreLimits};
use nightdrop_tests::{
    memory::Empty,
    system::{SocketTransport, WorkerProcess},
    uploads,
};
use nightdrop_wire::{onion::OnionAddress, token::Token};
use rand::RngExt;
use std::{collections::BTreeMap, fs, path::Path, sync::Arc, time::Duration};

const KILLS: u32 = 200;
/// A worker starts in about 30 ms, so that some kills hit it while it starts, others in the middle of its work.
const LONGEST_LIFE: Duration = Duration::from_millis(150);

fn relay() -> OnionAddress {
    "2gzyxa5ihm7nsggfxnu52rck2vv4rvmdlkiu3zzui5du4xyclen53wid".parse().unwrap()
}

/// Patient enough to outlive many deaths of the worker in a row.
fn limits() -> ClientLimits {
    ClientLimits {
        connect: Duration::from_secs(30),
        request: Duration::from_secs(20),
        attempts: 100,
        first_retry: Duration::from_millis(10),
        longest_retry: Duration::from_millis(100),
        lanes: 2,
        most_lanes: 2,
        streams_per_lane: 1,
        chunks_at_once: 2,
    }
}

/// Issued on the store itself, as by an operator while no relay runs.
async fn invitations(data: &Path) -> [Token; 2] {
    let store = Store::open(&data.join("store"), StoreLimits::default()).unwrap();
    let environment = Environment::system();
    issue_invitations(&store, &environment, 7, 2).await.unwrap().try_into().unwrap()
}

struct Client {
    transport: SocketTransport,
    session: Session<SocketTransport>,
    home: HomeSpace<SocketTransport>,
    directory: tempfile::TempDir,
    /// What the relay acknowledged: path and content.
    acknowledged: BTreeMap<String, Vec<u8>>,
}

impl Client {
    async fn register(transport: SocketTransport, invitation: Token) -> Self {
        let (relay, limits) = (relay(), limits());
        let password = Password::new(PASSWORD);
        let prepared =
            account::prepare(&transport, &relay, invitation, password, true, &limits).await.unwrap();
        account::commit(&transport, &relay, &prepared.request, &limits).await.unwrap();
        let password = Password::new(PASSWORD);
        let mut session = account::log_in(&transport, &prepared.code, &password, &limits).await.unwrap();
        let memory = session.open_memory(Some(&prepared.memory)).unwrap();
        let keys = session.keyring().home_keys();
        let mut home = HomeSpace::open(&transport, &relay, keys, memory.home_head, &limits).await.unwrap();
        home.create(session.fetch_credits(uploads::ONE).await.unwrap().into()).await.unwrap();
        let directory = tempfile::tempdir().unwrap();
        Self { transport, session, home, directory, acknowledged: BTreeMap::new() }
    }

    /// Stores one file, of one chunk or of three, and lists it; every fifth time it removes one instead.
    async fn step(&mut self, number: u32) {
        if number % 5 == 4 {
            return self.remove_one().await;
        }
        let size = if number.is_multiple_of(3) { 2_500_000 } else { 3_000 };
        let content: Vec<u8> = (0..size).map(|at: u32| at.wrapping_mul(number).to_be_bytes()[2]).collect();
        let file = self.directory.path().join("file");
        fs::write(&file, &content).unwrap();
        let credit = self.session.fetch_credits(uploads::ONE).await.unwrap().remove(0);
        let source = Source::open(&file, None).unwrap();
        let journals = self.session.journals(self.directory.path().join("transfers"));
        let (relay, limits) = (relay(), limits());
        let way = (&self.transport, &relay, &limits);
        let stored = uploads::store(way, &journals, source, credit, Arc::new(())).await;
        let stored = Box::new(stored.unwrap());
        let name = format!("file {number}");
        let path = SpacePath::parse(&name).unwrap();
        // A lost answer: the entry may stand already when it is decided again.
        let put = |state: &nightdrop_envelope::space::State| match state.file(&path) {
            Some(listed) if listed.blob == stored.blob => Ok(vec![]),
            _ => Ok(vec![Operation::PutFile { path: path.clone(), file: stored.clone() }]),
        };
        self.home.append(&Empty, put).await.unwrap();
        self.acknowledged.insert(name, content);
    }

    async fn remove_one(&mut self) {
        let Some((name, _)) = self.acknowledged.pop_first() else { return };
        let path = SpacePath::parse(&name).unwrap();
        let remove = |state: &nightdrop_envelope::space::State| match state.file(&path) {
            Some(_) => Ok(vec![Operation::Remove { path: path.clone() }]),
            None => Ok(vec![]),
        };
        self.home.append(&Empty, remove).await.unwrap();
        let leaving: Vec<_> = self.home.state().leaving().map(|(blob, key)| (blob, key.clone())).collect();
        let mut lane = RelayLane::isolated(&self.transport, &relay(), &limits());
        for (blob, write_key) in leaving {
            transfer::destroy(&mut lane, blob, &write_key).await.unwrap();
            let destroyed = |state: &nightdrop_envelope::space::State| {
                let still = state.leaving().any(|(left, _)| left == blob);
                Ok(if still { vec![Operation::Destroyed { blob }] } else { vec![] })
            };
            self.home.append(&Empty, destroyed).await.unwrap();
        }
    }

    /// Reads everything anew, as a device does that has seen this head.
    async fn verify(&self) {
        let keys = self.session.keyring().home_keys();
        let seen = Some(self.home.head());
        let home = HomeSpace::open(&self.transport, &relay(), keys, seen, &limits()).await.unwrap();
        assert_eq!(home.reports().1, 0);
        let listed: Vec<String> = home.state().files().map(|(path, _)| path.as_str().to_owned()).collect();
        assert_eq!(listed, self.acknowledged.keys().cloned().collect::<Vec<_>>());
        let out = tempfile::tempdir().unwrap();
        for (path, file) in home.state().files() {
            let output = OutputPath::new(Some(&out.path().join(path.as_str()))).unwrap();
            transfer::download_file(&self.transport, &relay(), file, &output, &limits(), Arc::new(()))
                .await
                .unwrap();
            assert_eq!(fs::read(out.path().join(path.as_str())).unwrap(), self.acknowledged[path.as_str()]);
        }
    }
}

#[test]
fn c01_nothing_acknowledged_is_lost_when_the_worker_is_killed_200_times() {
    let mut random = moments();
    let data = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let invitations = runtime.block_on(invitations(data.path()));
    let mut worker = WorkerProcess::start(data.path(), relay()).unwrap();
    let transport = worker.transport();
    let (stop, stopped) = tokio::sync::watch::channel(false);
    // Before the first kill: a login's two requests need one life of the worker, and Argon2id between them takes longer.
    let registered =
        invitations.map(|invitation| runtime.block_on(Client::register(transport.clone(), invitation)));
    let clients = registered.map(|mut client| {
        let stopped = stopped.clone();
        runtime.spawn(async move {
            let mut steps = 0;
            while !*stopped.borrow() {
                client.step(steps).await;
                steps += 1;
            }
            (client, steps)
        })
    });
    // Killed from this thread, which started it: a worker dies with the thread of its supervisor.
    for _ in 0..KILLS {
        std::thread::sleep(LONGEST_LIFE.mul_f64(random.random_range(0.0..1.0)));
        assert!(worker.is_running().unwrap(), "a worker must not end by itself");
        worker.kill_and_restart().unwrap();
    }
    stop.send(true).unwrap();
    runtime.block_on(async {
        for client in clients {
            let (client, steps) = client.await.unwrap();
            assert!(steps > 10, "the clients got something done between the kills: {steps}");
            println!("{steps} steps, {} files left", client.acknowledged.len());
            client.verify().await;
        }
    });
}
