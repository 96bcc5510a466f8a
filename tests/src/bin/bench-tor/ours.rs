//! Our own transfers: the client's library in this process, the built relay.

use crate::{
    error::BenchError,
    rates::Rates,
    usage::{Usage, UsageMeter},
};
use nightdrop_client::{
    account::Session,
    limits::ClientLimits,
    transfer::{self, OutputPath, Progress, Source},
};
use nightdrop_onion_config::{Role, Tor};
use nightdrop_tests::{
    measure::MIB,
    over_tor::{open_account, start_tor},
    system::RelayProcess,
    uploads,
};
use nightdrop_wire::onion::OnionAddress;
use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::Instant,
};

/// A client that is logged in at a relay of its own.
pub(crate) struct Ours {
    relay: RelayProcess,
    address: OnionAddress,
    tor: Tor,
    session: Session<Tor>,
    file: PathBuf,
}

impl Ours {
    pub(crate) async fn start(directory: &Path, file: &Path) -> Result<Self, BenchError> {
        let relay = RelayProcess::start(&directory.join("relay"))?;
        let address = relay.address().parse().map_err(|_| BenchError::Unexpected("the address"))?;
        let started = Instant::now();
        let tor = start_tor(&directory.join("client"), Role::Client).await?;
        let bootstrapped = started.elapsed();
        let session = open_account(&tor, &relay).await?;
        println!(
            "bootstrap {:.2} s; register and log in {:.2} s more",
            bootstrapped.as_secs_f64(),
            (started.elapsed() - bootstrapped).as_secs_f64()
        );
        Ok(Self { relay, address, tor, session, file: file.to_owned() })
    }

    /// The client's Tor, for the raw streams beside it.
    pub(crate) const fn tor(&self) -> &Tor {
        &self.tor
    }

    /// One upload and one download, in sealed bytes, and what they took.
    pub(crate) async fn transfer(&mut self) -> Result<(Rates, Usage), BenchError> {
        let limits = ClientLimits::default();
        let credits = self.session.fetch_credits(uploads::enough_for(&self.file)?).await?;
        let meter = UsageMeter::begin(&self.relay)?;
        let phase = Arc::new(Phase::default());
        let source = Source::open(&self.file, None)?;
        let journals = self.session.journals(self.file.with_extension("transfers"));
        let way = (&self.tor, &self.address, &limits);
        let stored = uploads::store(way, &journals, source, credits, Arc::clone(&phase) as _).await?;
        let up = phase.rate();
        let out = self.file.with_extension("back");
        let back = Arc::new(Phase::default());
        let output = OutputPath::new(Some(&out))?;
        transfer::download_file(&self.tor, &self.address, &stored, &output, &limits, Arc::clone(&back) as _)
            .await?;
        let down = back.rate();
        let usage = meter.end(&self.relay, phase.bytes() + back.bytes())?;
        if std::fs::read(&out)? != std::fs::read(&self.file)? {
            return Err(BenchError::Unexpected("the downloaded file"));
        }
        std::fs::remove_file(&out)?;
        Ok((Rates { up, down }, usage))
    }

    pub(crate) fn stop(self) -> Result<(), BenchError> {
        if self.relay.stop()?.success() {
            Ok(())
        } else {
            Err(BenchError::Unexpected("the relay's exit status"))
        }
    }
}

/// Times a transfer from when its chunks may set out, lanes beyond the first not yet open, to its last chunk.
#[derive(Default)]
struct Phase(Mutex<Option<(Instant, Instant, u64)>>);

impl Phase {
    fn rate(&self) -> f64 {
        let phase = self.0.lock().map(|phase| *phase).unwrap_or_default();
        phase.map_or(0.0, |(begun, last, bytes)| bytes as f64 / MIB / (last - begun).as_secs_f64())
    }

    fn bytes(&self) -> u64 {
        self.0.lock().map(|phase| *phase).unwrap_or_default().map_or(0, |(_, _, bytes)| bytes)
    }
}

impl Progress for Phase {
    fn begin(&self, _sealed_bytes: u64) {}

    fn advance(&self, sealed_bytes: u64) {
        if let Ok(mut phase) = self.0.lock()
            && let Some((_, last, bytes)) = phase.as_mut()
        {
            *last = Instant::now();
            *bytes += sealed_bytes;
        }
    }

    /// First said when chunks may set out: until then an upload makes its blob.
    fn lanes(&self, _lanes: usize) {
        if let Ok(mut phase) = self.0.lock() {
            let now = Instant::now();
            phase.get_or_insert((now, now, 0));
        }
    }
}
