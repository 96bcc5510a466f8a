//! `tornet`: starts a private Tor network on loopback, for one command or until it is ended.
//!
//! Standard output belongs to the command; without one it carries the single line `ready`. All else goes to standard
//! error.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program's output")]

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{self, ExitCode};
use std::time::{Duration, Instant};

use clap::Parser;
use nightdrop_tests::tornet::namespace::{self, Namespaces};
use nightdrop_tests::tornet::{
    Builder, DEFAULT_RELAYS, Error, Interrupt, MAX_RELAYS, Network, Result, supervise,
};

/// Starts a private Tor network on loopback and writes DIR/network.toml, the file that `--network` takes.
///
/// With a COMMAND, network and command live in namespaces of their own with nothing but `lo`; nothing outlives it,
/// and its exit status is tornet's (128 + n for death by signal n). It finds the file's path in
/// NIGHTDROP_TEST_NETWORK. Without a COMMAND, tornet prints `ready` and stays until SIGTERM, SIGINT or the end of the
/// process that started it.
///
/// Tornet's own failures have exit status 125 (usage: 2), a command that cannot be started 126 or 127. The logs,
/// DIR/*/tor.log, stay until the next network in DIR.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100)]
struct Arguments {
    /// Holds the network's files: new, empty, or left by an earlier tornet
    dir: PathBuf,

    /// Relays beside the three authorities
    #[arg(long, value_name = "N", default_value_t = DEFAULT_RELAYS, value_parser = clap::value_parser!(u8).range(1..=i64::from(MAX_RELAYS)))]
    relays: u8,

    /// Put the nodes this many milliseconds apart, each way; 25 give an onion round trip of about 370
    #[arg(long, value_name = "MS", value_parser = clap::value_parser!(u16).range(1..=1000))]
    delay: Option<u16>,

    /// Run the COMMAND where this process runs, for kernels that refuse namespaces: it then sees the real network
    /// interfaces
    #[arg(long)]
    no_namespace: bool,

    /// What the inner process, in the namespaces, follows
    #[arg(long, hide = true, value_name = "FIFO")]
    lifeline: Option<PathBuf>,

    /// What to run in the network
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(&arguments) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            say(&error.to_string());
            ExitCode::from(error.exit_code())
        }
    }
}

fn run(arguments: &Arguments) -> Result<u8> {
    let interrupt = Interrupt::signals()?;
    match &arguments.lifeline {
        Some(lifeline) => {
            let interrupt = interrupt.and_lifeline(lifeline)?;
            namespace::set_up_loopback()?;
            with_command(arguments, &interrupt)
        }
        None if arguments.command.is_empty() => stay(arguments, &interrupt.and_parent()),
        None if arguments.no_namespace => {
            let code = with_command(arguments, &interrupt);
            supervise::kill_orphans();
            code
        }
        None => outer(arguments, &interrupt),
    }
}

/// Keeps the network until asked to end it.
fn stay(arguments: &Arguments, interrupt: &Interrupt) -> Result<u8> {
    let mut network = start(arguments, interrupt)?;
    println!("ready");
    loop {
        for ended in network.take_ended() {
            say(&ended.to_string());
        }
        if interrupt.wait(Duration::from_secs(1)).is_some() {
            network.end();
            return Ok(0);
        }
    }
}

/// The outer process: everything else happens in an inner one, in namespaces.
fn outer(arguments: &Arguments, interrupt: &Interrupt) -> Result<u8> {
    // Here rather than inside: what is missing is said before anything else is tried.
    nightdrop_tests::tornet::check_programs()?;
    let namespaces = Namespaces::probe()?;
    let dir = &arguments.dir;
    std::fs::create_dir_all(dir).map_err(Error::io("create", dir))?;
    let dir = dir.canonicalize().map_err(Error::io("find", dir))?;
    let lifeline = dir.join(format!("lifeline.{}", process::id()));
    supervise::in_namespaces(&namespaces, &lifeline, &inner_arguments(arguments, &dir, &lifeline), interrupt)
}

fn inner_arguments(arguments: &Arguments, dir: &Path, lifeline: &Path) -> Vec<OsString> {
    let Arguments { dir: _, relays, delay, no_namespace: _, lifeline: _, command } = arguments;
    let mut inner = vec!["--relays".into(), relays.to_string().into()];
    if let Some(delay) = delay {
        inner.extend(["--delay".into(), delay.to_string().into()]);
    }
    inner.extend(["--lifeline".into(), lifeline.into()]);
    inner.extend([dir.into(), "--".into()]);
    inner.extend_from_slice(command);
    inner
}

/// Starts the network, runs the command, ends the network.
fn with_command(arguments: &Arguments, interrupt: &Interrupt) -> Result<u8> {
    let mut network = start(arguments, interrupt)?;
    let inside = arguments.lifeline.is_some();
    let code = supervise::run_command(&arguments.command, &mut network, inside, interrupt, &say);
    let logs = network.logs();
    network.end();
    if !matches!(code, Ok(0)) {
        say(&format!("the network's logs are {}", logs.display()));
    }
    code
}

fn start(arguments: &Arguments, interrupt: &Interrupt) -> Result<Network> {
    let started = Instant::now();
    let mut builder = Builder::new(&arguments.dir).relays(arguments.relays);
    if let Some(delay) = arguments.delay {
        builder = builder.delay(Duration::from_millis(u64::from(delay)));
    }
    let prepared = builder.prepare(interrupt)?;
    say(&format!("keys made after {:.1} s", started.elapsed().as_secs_f32()));
    let mut network = prepared.start(interrupt)?;
    network.wait_ready(interrupt, &say)?;
    say(&format!("ready after {:.1} s: {}", started.elapsed().as_secs_f32(), network.file().display()));
    Ok(network)
}

fn say(line: &str) {
    eprintln!("tornet: {line}");
}
