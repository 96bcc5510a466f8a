//! `make bench-home`: what commands on one's own files cost when many are stored: processor time of the client, and bytes to and from the relay.
//!
//! Run as `bench-home DIR [FILES…]`. The relay is the built worker behind its socket, so its time is not counted. The list is filled by sealing its
//! entries, without storing what they name: no command measured here reads it. The same files lie in a directory, for a put of what has not changed.
//!
//! - *alone*: as a command without an agent: logging in, which is told by itself, too, because it is a password hash of fixed cost; opening the home
//!   space; the command.
//! - *agent*: the command on a home space that is open already.
#![forbid(unsafe_code)]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a bench prints its figures")]

mod counting;

use counting::Counting;
use nightdrop_client::{
    Home,
    account::{self, Prepared},
    agent::{Execute, Invocation, Piece},
    cli::Served,
    console::{BarState, Console},
    limits::ClientLimits,
    transport::AnyTransport,
    unlocked::Unlocked,
};
use nightdrop_envelope::{
    account_code::AccountCode,
    capability::BlobCapabilities,
    key::FileKey,
    space::{FileRecord, Operation, SpacePath},
};
use nightdrop_login::password::Password;
use nightdrop_onion_config::Network;
use nightdrop_relay::worker::{Environment, issue_invitations};
use nightdrop_store::{Store, StoreLimits};
use nightdrop_tests::system::WorkerProcess;
use nightdrop_wire::{onion::OnionAddress, price};
use nix::sys::resource::{UsageWho, getrusage};
use sha2::{Digest, Sha256};
use std::{
    error::Error,
    io,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
    time::Duration,
};
use zeroize::Zeroizing;

const PASSWORD: &str = "plum orbit velvet cactus tide";
const RELAY: &str = "2gzyxa5ihm7nsggfxnu52rck2vv4rvmdlkiu3zzui5du4xyclen53wid.onion";
/// Files of one directory.
const PER_DIRECTORY: usize = 100;
/// Repetitions, of which the middle one counts.
const ROUNDS: usize = 3;

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    let Some(directory) = arguments.next().map(PathBuf::from) else {
        eprintln!("bench-home: usage: bench-home DIR [FILES…]");
        return ExitCode::from(2);
    };
    let sizes: Vec<usize> = arguments.filter_map(|size| size.to_str()?.parse().ok()).collect();
    let sizes = if sizes.is_empty() { vec![100, 10_000, 100_000] } else { sizes };
    match bench(&directory, &sizes) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench-home: {error}");
            ExitCode::FAILURE
        }
    }
}

fn bench(directory: &Path, sizes: &[usize]) -> Result<(), Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    println!("   files  what                                  processor ms       KiB");
    for size in sizes {
        runtime.block_on(measure(&directory.join(size.to_string()), *size))?;
    }
    Ok(())
}

async fn measure(directory: &Path, files: usize) -> Result<(), Box<dyn Error>> {
    let directory = &std::path::absolute(directory)?;
    std::fs::create_dir_all(directory)?;
    let mut stage = Stage::set(directory).await?;
    stage.fill(files).await?;
    let report = Report { files };
    let login = stage.median(async |stage| stage.log_in().await).await?;
    report.row("logging in", login);
    let another = stage.median(async |stage| stage.open_on_another_device().await).await?;
    report.row("opening, new device, no checkpoint", another);

    stage.alone(&["ls"]).await?;
    let tree = stage.tree.to_string_lossy().into_owned();
    let listing = stage.median(async |stage| stage.alone(&["ls"]).await).await?;
    report.row("ls, alone", listing);
    let first = stage.cost(async |stage| stage.put_one().await).await?;
    report.row("put that writes what checkpoint is due", first);
    let another = stage.median(async |stage| stage.open_on_another_device().await).await?;
    report.row("opening, new device", another);
    let put = stage.median(async |stage| stage.put_one().await).await?;
    report.row("put of one file, alone", put);
    let unchanged = stage.median(async |stage| stage.alone(&["put", &tree]).await).await?;
    report.row("put of the unchanged tree, alone", unchanged);

    let agent = stage.unlock(&stage.home).await?;
    let listing = stage.median(async |stage| stage.command(&agent, &["ls"]).await).await?;
    report.row("ls, agent", listing);
    let put = stage.median(async |stage| stage.put_one_with(&agent).await).await?;
    report.row("put of one file, agent", put);
    let unchanged = stage.median(async |stage| stage.command(&agent, &["put", &tree]).await).await?;
    report.row("put of the unchanged tree, agent", unchanged);
    agent.lock().await?;
    Ok(())
}

/// What a piece of work took.
#[derive(Debug, Clone, Copy, Default)]
struct Cost {
    processor: Duration,
    bytes: u64,
}

struct Report {
    files: usize,
}

impl Report {
    fn row(&self, what: &str, cost: Cost) {
        let (milliseconds, kib) = (cost.processor.as_secs_f64() * 1e3, cost.bytes as f64 / 1024.0);
        println!("{:>8}  {what:<36}  {milliseconds:>12.1}  {kib:>8.1}", self.files);
    }
}

/// A person with an account at a worker, and a device.
struct Stage {
    transport: Counting,
    _worker: WorkerProcess,
    code: AccountCode,
    home: Home,
    directory: PathBuf,
    /// What is listed.
    tree: PathBuf,
    put: usize,
}

impl Stage {
    async fn set(directory: &Path) -> Result<Self, Box<dyn Error>> {
        let (relay, data): (OnionAddress, _) = (RELAY.parse()?, directory.join("relay"));
        let invitation = {
            let store = Store::open(&data.join("store"), StoreLimits::default())?;
            issue_invitations(&store, &Environment::system(), 7, 1).await?.remove(0)
        };
        let worker = WorkerProcess::start(&data, relay.clone())?;
        let transport = Counting::over(worker.transport());
        let (password, limits) = (Password::new(PASSWORD), ClientLimits::default());
        let prepared = account::prepare(&transport, &relay, invitation, password, false, &limits).await?;
        let Prepared { code, request, memory, .. } = prepared;
        account::commit(&transport, &relay, &request, &limits).await?;
        let home = Home::open(&directory.join("home"))?;
        let lock = home.lock()?;
        home.keep_account(&code, &lock)?;
        home.keep_memory(&memory, &lock)?;
        drop(lock);
        let (directory, tree) = (directory.to_owned(), directory.join("tree"));
        Ok(Self { transport, _worker: worker, code, home, directory, tree, put: 0 })
    }

    /// Writes the tree and lists its files as if they were stored.
    async fn fill(&mut self, files: usize) -> Result<(), Box<dyn Error>> {
        let mut operations = Vec::with_capacity(files);
        for number in 0..files {
            let directory = format!("{}", number / PER_DIRECTORY);
            let (name, content) =
                (format!("minutes of meeting {number}"), format!("content of file {number}"));
            std::fs::create_dir_all(self.tree.join(&directory))?;
            std::fs::write(self.tree.join(&directory).join(&name), &content)?;
            let capabilities = BlobCapabilities::generate(&mut rand::rng());
            let (key, manifest) = (FileKey::from_bytes(rand::random()), rand::random());
            let (size, hash) = (content.len() as u64, Sha256::digest(&content).into());
            let file =
                FileRecord::new(capabilities, &key, manifest, size, Some(1_700_000_000), hash, u32::MAX);
            let path = SpacePath::parse(&format!("tree/{directory}/{name}"))?;
            operations.push(Operation::PutFile { path, file: Box::new(file) });
        }
        let unlocked = self.unlock(&self.home).await?;
        let mut space = unlocked.space().await?;
        let payment = unlocked.pay(&[price::LOG]).await?.pop().ok_or("no payment")?;
        space.create(payment).await?;
        space.append(&*unlocked, |_| Ok(std::mem::take(&mut operations))).await?;
        unlocked.remember(&space).await?;
        unlocked.lock().await?;
        Ok(())
    }

    async fn unlock(&self, home: &Home) -> Result<Arc<Unlocked>, Box<dyn Error>> {
        let (transport, password) = (AnyTransport::new(self.transport.clone()), Password::new(PASSWORD));
        let limits = ClientLimits::default();
        Ok(Arc::new(Unlocked::unlock(transport, home.clone(), &self.code, &password, limits).await?))
    }

    async fn log_in(&self) -> Result<(), Box<dyn Error>> {
        let (password, limits) = (Password::new(PASSWORD), ClientLimits::default());
        account::log_in(&self.transport, &self.code, &password, &limits).await?.end().await?;
        Ok(())
    }

    async fn open_on_another_device(&self) -> Result<(), Box<dyn Error>> {
        let directory = tempfile::tempdir_in(&self.directory)?;
        let home = Home::open(&directory.path().join("home"))?;
        self.unlock(&home).await?.lock().await?;
        Ok(())
    }

    async fn alone(&self, words: &[&str]) -> Result<(), Box<dyn Error>> {
        let unlocked = self.unlock(&self.home).await?;
        self.command(&unlocked, words).await?;
        unlocked.lock().await?;
        Ok(())
    }

    async fn put_one(&mut self) -> Result<(), Box<dyn Error>> {
        let unlocked = self.unlock(&self.home).await?;
        self.put_one_with(&unlocked).await?;
        unlocked.lock().await?;
        Ok(())
    }

    async fn put_one_with(&mut self, unlocked: &Arc<Unlocked>) -> Result<(), Box<dyn Error>> {
        self.put += 1;
        let file = self.directory.join(format!("one more {}", self.put));
        std::fs::write(&file, format!("one more {}", self.put))?;
        self.command(unlocked, &["put", &file.to_string_lossy()]).await
    }

    /// A command as the agent, or a process of its own, carries it out.
    async fn command(&self, unlocked: &Arc<Unlocked>, words: &[&str]) -> Result<(), Box<dyn Error>> {
        let served = Served::new(Arc::clone(unlocked), Network::Live);
        let invocation = Invocation {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            arguments: words.iter().map(|word| Piece::new(word.as_bytes())).collect(),
            directory: Piece::new(self.directory.as_os_str().as_bytes()),
        };
        match served.execute(invocation, Arc::new(Quiet), std::future::pending()).await {
            0 => Ok(()),
            exit => Err(format!("{words:?} ended with {exit}").into()),
        }
    }

    async fn cost(
        &mut self,
        mut work: impl AsyncFnMut(&mut Self) -> Result<(), Box<dyn Error>>,
    ) -> Result<Cost, Box<dyn Error>> {
        let (processor, moved) = (processor_time()?, self.transport.moved());
        work(self).await?;
        let bytes = self.transport.moved() - moved;
        Ok(Cost { processor: processor_time()?.saturating_sub(processor), bytes })
    }

    /// The middle one of some repetitions, by processor time.
    async fn median(
        &mut self,
        mut work: impl AsyncFnMut(&mut Self) -> Result<(), Box<dyn Error>>,
    ) -> Result<Cost, Box<dyn Error>> {
        let mut costs = Vec::with_capacity(ROUNDS);
        for _ in 0..ROUNDS {
            costs.push(self.cost(&mut work).await?);
        }
        costs.sort_by_key(|cost| cost.processor);
        costs.get(ROUNDS / 2).copied().ok_or_else(|| "nothing was measured".into())
    }
}

/// User and system time of this process.
fn processor_time() -> io::Result<Duration> {
    let usage = getrusage(UsageWho::RUSAGE_SELF)?;
    let microseconds = [usage.user_time(), usage.system_time()]
        .map(|time| time.tv_sec().unsigned_abs() * 1_000_000 + time.tv_usec().unsigned_abs());
    Ok(Duration::from_micros(microseconds.iter().sum()))
}

/// Results go nowhere.
#[derive(Debug)]
struct Quiet;

impl Console for Quiet {
    fn result(&self, _bytes: &[u8]) -> io::Result<()> {
        Ok(())
    }

    fn message(&self, line: &str) {
        eprintln!("{line}");
    }

    fn bar(&self, _number: u32, _state: BarState) {}

    fn read_input(&self, _buffer: &mut [u8]) -> io::Result<usize> {
        Ok(0)
    }

    fn ask_secret(&self, _question: &str) -> io::Result<Zeroizing<String>> {
        Err(io::ErrorKind::Unsupported.into())
    }
}
