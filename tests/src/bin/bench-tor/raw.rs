//! Raw Arti streams to a service of their own: what the network gives, without any protocol of ours.

use crate::{error::BenchError, rates::Rates};
use futures::StreamExt;
use nightdrop_onion_config::{Lane, OnionService, Role, Tor, TorStream};
use nightdrop_tests::{measure::MIB, over_tor::start_tor};
use nightdrop_wire::{ONION_PORT, onion::OnionAddress};
use std::{
    path::Path,
    time::{Duration, Instant},
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

#[derive(Clone, Copy)]
enum Direction {
    Up,
    Down,
}

/// An onion service that takes or gives bytes, as its first byte says: what one raw stream can do.
pub(crate) struct RawService {
    address: OnionAddress,
    tor: Tor,
    _service: OnionService,
    serving: tokio::task::JoinHandle<()>,
}

impl RawService {
    pub(crate) async fn start(directory: &Path) -> Result<Self, BenchError> {
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
        let raw = Self { address: service.address().clone(), tor, _service: service, serving };
        raw.wait_until_reachable().await?;
        Ok(raw)
    }

    async fn wait_until_reachable(&self) -> Result<(), BenchError> {
        let end = Instant::now() + Duration::from_secs(120);
        loop {
            match self.tor.connect(&self.address, ONION_PORT, &Lane::isolated()).await {
                Ok(_) => return Ok(()),
                Err(error) if Instant::now() > end => return Err(error.into()),
                Err(_) => tokio::time::sleep(Duration::from_millis(200)).await,
            }
        }
    }

    /// Over so many streams, each on a circuit of its own, that carry `size` bytes in all.
    pub(crate) async fn rates(&self, tor: &Tor, size: u64, streams: u64) -> Result<Rates, BenchError> {
        let up = self.measure(tor, Direction::Up, size, streams).await?;
        Ok(Rates { up, down: self.measure(tor, Direction::Down, size, streams).await? })
    }

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
