//! `make bench-tor`: rates through a private Tor network, ours beside raw Arti streams in the same run: one, and eight on circuits of their own.
//!
//! Run as `tornet DIR -- bench-tor DIR [MIB] [ROUNDS]`. Prints sealed MiB per second of the transfer phase (from the first chunk asked for to
//! the last one acknowledged), medians of the rounds.
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
use nightdrop_onion_config::{Lane, Network, Role, Tor, TorError, TorLimits, TorSettings, TorStream};
use nightdrop_tests::{
    system::{NotBuilt, RelayProcess, SystemError, make_sample, network_file},
    uploads,
};
use nightdrop_wire::{ONION_PORT, onion::OnionAddress, token::Token};
use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// MiB of the file, and of what raw streams carry in all.
const SIZE: u64 = 64;
/// Transfers each way.
const ROUNDS: u64 = 3;
/// Raw streams side by side.
const SIDE_BY_SIDE: u64 = 8;
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
    let number = |at| std::env::args().nth(at).and_then(|text| text.parse().ok());
    let (size, rounds) = (number(2).unwrap_or(SIZE) << 20, number(3).unwrap_or(ROUNDS));
    let Some(directory) = std::env::args_os().nth(1).map(PathBuf::from) else {
        eprintln!("bench-tor: usage: tornet DIR -- bench-tor DIR [MIB] [ROUNDS]");
        return ExitCode::from(2);
    };
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("bench-tor: {error}");
            return ExitCode::FAILURE;
        }
    };
    match runtime.block_on(bench(&directory, size, rounds)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench-tor: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn bench(directory: &Path, size: u64, rounds: u64) -> Result<(), BenchError> {
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
    make_sample(&file, size)?;
    let raw = RawService::start(&directory.join("raw")).await?;
    let mut rates: [[Vec<f64>; 3]; 2] = Default::default();
    for round in 0..rounds {
        let (up, down) = transfer_once(&tor, &address, &mut session, &file, round).await?;
        let directions = [(Direction::Up, up), (Direction::Down, down)];
        for (rates, (direction, ours)) in rates.iter_mut().zip(directions) {
            let one = raw.measure(&tor, direction, size, 1).await?;
            let many = raw.measure(&tor, direction, size, SIDE_BY_SIDE).await?;
            for (rates, rate) in rates.iter_mut().zip([ours, one, many]) {
                rates.push(rate);
            }
        }
    }
    for (direction, mut rates) in ["up  ", "down"].into_iter().zip(rates) {
        let [ours, one, many] = rates.each_mut().map(|rates| median(rates));
        println!(
            "{direction}  {ours:6.2} MiB/s sealed; raw Arti: one stream {one:6.2}, {SIDE_BY_SIDE} isolated {many:6.2}"
        );
    }
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
    round: u64,
) -> Result<(f64, f64), BenchError> {
    let limits = ClientLimits::default();
    let credits = session.fetch_credits(uploads::enough_for(file)?).await?;
    let phase = Arc::new(Phase::default());
    let source = Source::open(file, None)?;
    let journals = session.journals(file.with_extension("transfers"));
    let way = (tor, address, &limits);
    let stored = uploads::store(way, &journals, source, credits, Arc::clone(&phase) as _).await?;
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

    fn lanes(&self, _lanes: usize) {}
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

    /// MiB/s over so many streams, each on a circuit of its own, that carry `size` bytes in all.
    async fn measure(
        &self,
        tor: &Tor,
        direction: Direction,
        size: u64,
        streams: u64,
    ) -> Result<f64, BenchError> {
        let mut open = Vec::new();
        for _ in 0..streams {
            open.push(tor.connect(&self.address, ONION_PORT, &Lane::isolated()).await?);
        }
        let started = Instant::now();
        let moved = open.into_iter().map(|stream| carry(stream, direction, size / streams));
        futures::future::try_join_all(moved).await?;
        Ok(size as f64 / MIB / started.elapsed().as_secs_f64())
    }
}

/// Moves so many bytes over a stream.
async fn carry(mut stream: TorStream, direction: Direction, size: u64) -> Result<(), BenchError> {
    let mut buffer = vec![0; 1 << 16];
    stream.write_u8(if matches!(direction, Direction::Up) { b'u' } else { b'd' }).await?;
    stream.write_u64(size).await?;
    match direction {
        Direction::Up => {
            send(&mut stream, size, &buffer).await?;
            stream.read_exact(buffer.get_mut(..1).unwrap_or_default()).await?;
        }
        Direction::Down => {
            stream.flush().await?;
            receive(&mut stream, size, &mut buffer).await?;
        }
    }
    Ok(())
}

async fn send(stream: &mut TorStream, mut left: u64, buffer: &[u8]) -> std::io::Result<()> {
    while left > 0 {
        let piece = usize::try_from(left).map_or(buffer, |left| buffer.get(..left).unwrap_or(buffer));
        stream.write_all(piece).await?;
        left -= piece.len() as u64;
    }
    stream.flush().await
}

async fn receive(stream: &mut TorStream, mut left: u64, buffer: &mut [u8]) -> std::io::Result<()> {
    while left > 0 {
        match stream.read(buffer).await? {
            0 => return Err(std::io::ErrorKind::UnexpectedEof.into()),
            read => left = left.saturating_sub(read as u64),
        }
    }
    Ok(())
}

impl Drop for RawService {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn serve_raw(stream: &mut TorStream) -> std::io::Result<()> {
    let mut buffer = vec![0; 1 << 16];
    let (direction, size) = (stream.read_u8().await?, stream.read_u64().await?);
    if direction == b'd' {
        send(stream, size, &buffer).await?;
    } else {
        receive(stream, size, &mut buffer).await?;
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
