//! `make bench-tor`: rates through a private Tor network, ours beside others in the same rounds of the same run: raw Arti streams (one, and eight on
//! circuits of their own), curl over Debian's `tor` at both ends, and OnionShare, if it is installed.
//!
//! Run as `tornet DIR -- bench-tor run DIR`, and then `bench-tor plot`. Ours are sealed MiB per second of the transfer phase: from when
//! chunks may set out, lanes beyond the first not yet open, to the last chunk acknowledged. Theirs are the file's bytes, from when their connections stand. Medians of the rounds.
#![forbid(unsafe_code)]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a bench prints its figures")]

mod c_tor;
mod curl;
mod error;
mod onion_share;
mod ours;
mod plot;
mod rates;
mod raw;
mod usage;

use c_tor::CTor;
use clap::{Parser, Subcommand};
use error::BenchError;
use nightdrop_tests::system::make_sample;
use ours::Ours;
use rates::{Found, Rounds, print_usage};
use raw::RawService;
use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

/// Raw streams side by side: as many as a transfer has lanes at most.
const SIDE_BY_SIDE: u64 = 8;

#[derive(Debug, Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Measures within a private network and prints a table
    Run {
        /// For the files of all sides
        directory: PathBuf,
        /// What is measured, in words
        #[arg(long)]
        title: String,
        /// MiB of the file
        #[arg(long, default_value_t = 64)]
        size: u64,
        /// Transfers each way
        #[arg(long, default_value_t = 3)]
        rounds: u64,
        /// Where the medians go, for the plot
        #[arg(long)]
        results: PathBuf,
    },
    /// Draws the medians of runs
    Plot {
        /// The plot
        svg: PathBuf,
        /// Medians of the runs
        results: Vec<PathBuf>,
    },
}

fn main() -> ExitCode {
    match carry_out(Arguments::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench-tor: {error}");
            ExitCode::FAILURE
        }
    }
}

fn carry_out(command: Command) -> Result<(), BenchError> {
    match command {
        Command::Run { directory, title, size, rounds, results } => {
            let runtime = tokio::runtime::Runtime::new()?;
            let found = runtime.block_on(bench(&directory, title, size << 20, rounds))?;
            found.print();
            Ok(std::fs::write(results, serde_json::to_string(&found).map_err(std::io::Error::other)?)?)
        }
        Command::Plot { svg, results } => {
            let runs: Vec<Found> = results.iter().map(|path| read(path)).collect::<Result<_, _>>()?;
            Ok(std::fs::write(svg, plot::svg(&runs))?)
        }
    }
}

fn read(path: &Path) -> Result<Found, BenchError> {
    Ok(serde_json::from_str(&std::fs::read_to_string(path)?).map_err(std::io::Error::other)?)
}

async fn bench(directory: &Path, title: String, size: u64, rounds: u64) -> Result<Found, BenchError> {
    std::fs::create_dir_all(directory)?;
    let directory = directory.canonicalize()?;
    let file = directory.join("file");
    make_sample(&file, size)?;
    let mut ours = Ours::start(&directory, &file).await?;
    let raw = RawService::start(&directory.join("raw")).await?;
    let c_tor = CTor::start(&directory.join("c-tor"))?;
    let server = curl::Server::start(&c_tor, &file)?;
    let with_onion_share = onion_share::is_installed();
    if !with_onion_share {
        println!("onionshare-cli is not installed, and left out");
    }
    let (mut all, mut usage) = (Rounds::default(), Vec::new());
    for _ in 0..rounds {
        let (rates, used) = ours.transfer().await?;
        usage.push(used);
        all.add("Nightdrop (sealed bytes)", rates);
        all.add("one raw Arti stream", raw.rates(ours.tor(), size, 1).await?);
        all.add("8 isolated raw Arti streams", raw.rates(ours.tor(), size, SIDE_BY_SIDE).await?);
        all.add("curl over C tor", server.rates(&c_tor, &file)?);
        if with_onion_share {
            all.add(
                "OnionShare over C tor",
                onion_share::rates(&c_tor, &directory.join("onionshare"), &file)?,
            );
        }
    }
    ours.stop()?;
    print_usage(&usage);
    Ok(all.medians(title))
}
