//! `make bench-tor`: rates through a private Tor network, ours beside one raw Arti stream in the same run.
//!
//! Run as `tornet DIR -- bench-tor DIR`. Prints sealed MiB per second of the transfer phase (from the first chunk asked for to the
//! last one acknowledged), medians of [`ROUNDS`].
#![forbid(unsafe_code)]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a bench prints its figures")]

use futures::StreamExt;
use nightdrop_client::{
    ClientError,
    account::{self, Session},
    limits::ClientLimits,
    transfer::{self, OutputPath, Progress, Source},
};
use nightdrop_login::password::Password;
use nightdrop_onion_config::{Lane, Network, Role, Tor, TorError, TorLimits, TorSettings};
use nightdrop_tests::system::{NotBuilt, RelayProcess, SystemError, make_sample, network_file};
use nightdrop_wire::{ONION_PORT, onion::OnionAddress, token::Token};
use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Bytes of the file, and of what the raw stream carries.
const SIZE: u64 = 64 << 20;
/// Transfers each way.
const ROUNDS: usize = 3;
const MIB: f64 = 1_048_576.0;
const PASSWORD: &str = "plum orbit velvet cactus tide";

#[derive(Debug, thiserror::Error)]
enum BenchError {
    #[error(transparent)]
    System(#[from] SystemError),
    #[error(transparent)]
    NotBuilt(#[from] NotBuilt),
    #[error(transparent)]
    Tor(#[from] TorError),
    #[error(transparent)]
    Client(#[from] ClientError),
    #[error("{0}")]
    Io(#[from] std::io::Error),
    #[error("{0} is not what it should be")]
    Unexpected(&'static str),
}

fn main() -> ExitCode {
    let Some(directory) = std::env::args_os().nth(1).map(PathBuf::from) else {
        eprintln!("bench-tor: usage: tornet DIR -- bench-tor DIR");
        return ExitCode::from(2);
    };
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("bench-tor: {error}");
            return ExitCode::FAILURE;
        }
    };
    match runtime.block_on(bench(&directory)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench-tor: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn bench(directory: &Path) -> Result<(), BenchError> {
    std::fs::create_dir_all(directory)?;
    let directory = directory.canonicalize()?;
    let relay = RelayProcess::start(&directory.join("relay"))?;
    let address: OnionAddress = relay.address().parse().map_err(|_| BenchError::Unexpected("the address"))?;

    let started = Instant::now();
    let tor = start_tor(&directory.join("client"), Role::Client).await?;
    let bootstrapped = started.elapsed();
    let mut session = open_account(&tor, &relay, &address).await?;
    println!(
        "bootstrap {:.2} s; register and log in {:.2} s more",
        bootstrapped.as_secs_f64(),
        (started.elapsed() - bootstrapped).as_secs_f64()
    );

    let file = directory.join("file");
    make_sample(&file, SIZE)?;
    let raw = RawService::start(&directory.join("raw")).await?;
    let (mut ups, mut downs, mut raw_ups, mut raw_downs) = (vec![], vec![], vec![], vec![]);
    for round in 0..ROUNDS {
        let (up, down) = transfer_once(&tor, &address, &mut session, &file, round).await?;
        ups.push(up);
        downs.push(down);
        raw_ups.push(raw.measure(&tor, Direction::Up).await?);
        raw_downs.push(raw.measure(&tor, Direction::Down).await?);
    }
    let lanes = ClientLimits::default().lanes;
    println!(
        "up    {:6.2} MiB/s sealed over {lanes} lanes; raw Arti stream {:6.2} MiB/s",
        median(&mut ups),
        median(&mut raw_ups)
    );
    println!(
        "down  {:6.2} MiB/s sealed over {lanes} lanes; raw Arti stream {:6.2} MiB/s",
        median(&mut downs),
        median(&mut raw_downs)
    );
    if !relay.stop()?.success() {
        return Err(BenchError::Unexpected("the relay's exit status"));
    }
    Ok(())
}

async fn start_tor(directory: &Path, role: Role) -> Result<Tor, BenchError> {
    let network = Network::load(Some(&network_file()?)).map_err(TorError::from)?;
    let settings =
        TorSettings { directory: directory.to_owned(), network, role, limits: TorLimits::default() };
    Ok(Tor::bootstrap(settings, |_| {}).await?)
}

async fn open_account(
    tor: &Tor,
    relay: &RelayProcess,
    address: &OnionAddress,
) -> Result<Session<Tor>, BenchError> {
    let limits = ClientLimits::default();
    let invitation =
        Token::from_text(&relay.invite()?).map_err(|_| BenchError::Unexpected("the invitation"))?;
    let password = Password::new(PASSWORD);
    let prepared = account::prepare(tor, address, invitation, password, false, &limits).await?;
    account::commit(tor, address, &prepared.request, &limits).await?;
    Ok(account::log_in(tor, &prepared.code, &Password::new(PASSWORD), &limits).await?)
}

/// One upload and one download; sealed MiB/s of each.
async fn transfer_once(
    tor: &Tor,
    address: &OnionAddress,
    session: &mut Session<Tor>,
    file: &Path,
    round: usize,
) -> Result<(f64, f64), BenchError> {
    let limits = ClientLimits::default();
    let credit = session.fetch_credits(1).await?.pop().ok_or(BenchError::Unexpected("the credits"))?;
    let phase = Arc::new(Phase::default());
    let source = Source::open(file, None)?;
    let stored = transfer::upload(tor, address, source, credit, &limits, Arc::clone(&phase) as _).await?;
    let up = phase.rate();
    let out = file.with_extension(format!("back{round}"));
    let phase = Arc::new(Phase::default());
    let output = OutputPath::new(Some(&out))?;
    transfer::download_file(tor, address, &stored, &output, &limits, Arc::clone(&phase) as _).await?;
    if std::fs::read(&out)? != std::fs::read(file)? {
        return Err(BenchError::Unexpected("the downloaded file"));
    }
    std::fs::remove_file(&out)?;
    Ok((up, phase.rate()))
}

/// Times a transfer from its beginning to its last chunk.
#[derive(Default)]
struct Phase(Mutex<Option<(Instant, Instant, u64)>>);

impl Phase {
    fn rate(&self) -> f64 {
        let phase = self.0.lock().map(|phase| *phase).unwrap_or_default();
        phase.map_or(0.0, |(begun, last, bytes)| bytes as f64 / MIB / (last - begun).as_secs_f64())
    }
}

impl Progress for Phase {
    fn begin(&self, _sealed_bytes: u64) {
        if let Ok(mut phase) = self.0.lock() {
            let now = Instant::now();
            *phase = Some((now, now, 0));
        }
    }

    fn advance(&self, sealed_bytes: u64) {
        if let Ok(mut phase) = self.0.lock()
            && let Some((_, last, bytes)) = phase.as_mut()
        {
            *last = Instant::now();
            *bytes += sealed_bytes;
        }
    }
}

#[derive(Clone, Copy)]
enum Direction {
    Up,
    Down,
}

/// An onion service that takes or gives [`SIZE`] bytes, as its first byte says: what one raw stream can do.
struct RawService {
    address: OnionAddress,
    _tor: Tor,
    _service: nightdrop_onion_config::OnionService,
    serving: tokio::task::JoinHandle<()>,
}

impl RawService {
    async fn start(directory: &Path) -> Result<Self, BenchError> {
        let tor = start_tor(directory, Role::Relay).await?;
        let (service, streams) = tor.launch_service(ONION_PORT)?;
        let serving = tokio::spawn(async move {
            let mut streams = std::pin::pin!(streams);
            while let Some(incoming) = streams.next().await {
                tokio::spawn(async move {
                    if let Ok(mut stream) = incoming.accept().await {
                        // How it ended shows at the other side.
                        let _ = serve_raw(&mut stream).await;
                    }
                });
            }
        });
        let raw = Self { address: service.address().clone(), _tor: tor, _service: service, serving };
        raw.wait_until_reachable().await?;
        Ok(raw)
    }

    async fn wait_until_reachable(&self) -> Result<(), BenchError> {
        let end = Instant::now() + Duration::from_secs(120);
        loop {
            match self._tor.connect(&self.address, ONION_PORT, &Lane::isolated()).await {
                Ok(_) => return Ok(()),
                Err(error) if Instant::now() > end => return Err(error.into()),
                Err(_) => tokio::time::sleep(Duration::from_millis(200)).await,
            }
        }
    }

    async fn measure(&self, tor: &Tor, direction: Direction) -> Result<f64, BenchError> {
        let mut stream = tor.connect(&self.address, ONION_PORT, &Lane::isolated()).await?;
        let mut buffer = vec![0; 1 << 16];
        let started = Instant::now();
        match direction {
            Direction::Up => {
                stream.write_all(b"u").await?;
                let mut left = SIZE;
                while left > 0 {
                    stream.write_all(&buffer).await?;
                    left -= buffer.len() as u64;
                }
                stream.flush().await?;
                stream.read_exact(buffer.get_mut(..1).unwrap_or_default()).await?;
            }
            Direction::Down => {
                stream.write_all(b"d").await?;
                stream.flush().await?;
                let mut left = SIZE;
                while left > 0 {
                    let read = stream.read(&mut buffer).await?;
                    if read == 0 {
                        return Err(BenchError::Unexpected("the raw stream's length"));
                    }
                    left -= read as u64;
                }
            }
        }
        Ok(SIZE as f64 / MIB / started.elapsed().as_secs_f64())
    }
}

impl Drop for RawService {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn serve_raw(stream: &mut nightdrop_onion_config::TorStream) -> std::io::Result<()> {
    let mut buffer = vec![0; 1 << 16];
    let mut left = SIZE;
    if stream.read_u8().await? == b'd' {
        while left > 0 {
            stream.write_all(&buffer).await?;
            left -= buffer.len() as u64;
        }
        stream.flush().await?;
    } else {
        while left > 0 {
            left = left.saturating_sub(stream.read(&mut buffer).await?.max(1) as u64);
        }
        stream.write_all(b"k").await?;
        stream.flush().await?;
    }
    // The peer closes when it has everything.
    let _ = stream.read(&mut buffer).await;
    Ok(())
}

fn median(rates: &mut [f64]) -> f64 {
    rates.sort_by(f64::total_cmp);
    rates.get(rates.len() / 2).copied().unwrap_or_default()
}
