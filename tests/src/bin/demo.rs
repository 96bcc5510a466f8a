//! `make demo`: the main job as a readable story, in a private Tor network, with the built programs.
//!
//! Run as `tornet DIR -- demo DIR`. Everything that is printed as a command is what a user would type, but for the options
//! that name the private network and the password file.
#![forbid(unsafe_code)]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a story is told by printing")]

use nightdrop_tests::system::{Found, MARKER, RelayProcess, SystemError, User, make_sample, search};
use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    time::Instant,
};

const SIZE: u64 = 64 << 20;
const NAME: &str = "minutes of the strike committee.txt";
const ANNA: &str = "plum orbit velvet cactus tide";
const BEN: &str = "harbor seven lantern mosaic quilt";

fn main() -> ExitCode {
    let Some(directory) = std::env::args_os().nth(1).map(PathBuf::from) else {
        eprintln!("demo: usage: tornet DIR -- demo DIR");
        return ExitCode::from(2);
    };
    // Users work in directories of their own, from which a relative path would lead elsewhere.
    let directory = std::fs::create_dir_all(&directory).and_then(|()| directory.canonicalize());
    let directory = match directory {
        Ok(directory) => directory,
        Err(error) => {
            eprintln!("demo: cannot use the directory: {error}");
            return ExitCode::FAILURE;
        }
    };
    match story(&directory) {
        Ok(true) => {
            println!("\n{LIVE}");
            ExitCode::SUCCESS
        }
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("demo: {error}");
            ExitCode::FAILURE
        }
    }
}

const LIVE: &str = "The same on the live Tor network, without any configuration:

  on the server      nightdrop-relay run
                     nightdrop-relay invite new
  on your machine    nightdrop register ADDRESS.onion --invite CODE
                     nightdrop put FILE --link
  on theirs          nightdrop get LINK

Both programs are in target/debug; `cargo build --release` makes those to install.";

fn story(directory: &Path) -> Result<bool, SystemError> {
    println!("A relay starts as an onion service. It has no other address and opens no port.\n");
    println!("  server$ nightdrop-relay run");
    let started = Instant::now();
    let relay = RelayProcess::start(&directory.join("relay"))?;
    println!("  {}  ({:.1} s)\n", relay.address(), started.elapsed().as_secs_f64());

    println!("Anna and Ben register over Tor, each with an invitation from the operator.\n");
    let anna = register(&relay, "anna", &directory.join("anna"), ANNA)?;
    let ben = register(&relay, "ben", &directory.join("ben"), BEN)?;

    println!("Anna uploads a file of 64 MiB and gets a link.\n");
    make_sample(&anna.directory().join(NAME), SIZE)?;
    println!("  anna$ nightdrop put '{NAME}' --link");
    let started = Instant::now();
    let put = anna.run_json(&["put", NAME, "--link"])?;
    let link = put.get("link").and_then(|link| link.as_str()).unwrap_or_default();
    println!("  {link}\n  ({})\n", rate(started));

    println!("She gives the link to Ben, who downloads the file.\n");
    println!("  ben$ nightdrop get nightdrop:file/…");
    let started = Instant::now();
    ben.run_json(&["get", link])?;
    println!("  ./{NAME}\n  ({})\n", rate(started));
    let identical = same(&anna.directory().join(NAME), &ben.directory().join(NAME))?;
    println!("  The two files are {}.\n", if identical { "identical" } else { "DIFFERENT" });

    let data = relay.data().to_owned();
    let status = relay.stop()?;
    println!(
        "The relay ends ({status}). Its whole data directory is searched for the file's name,\nits content and both passwords.\n"
    );
    let clean = nothing_found(&data)?;
    Ok(identical && status.success() && clean)
}

fn register(relay: &RelayProcess, name: &str, directory: &Path, password: &str) -> Result<User, SystemError> {
    let user = User::new(directory, password)?;
    println!("  server$ nightdrop-relay invite new");
    let invite = relay.invite()?;
    println!("  {invite}");
    println!("  {name}$ nightdrop register {} --invite {invite}", relay.address());
    let started = Instant::now();
    let registered = user.run_json(&["register", relay.address(), "--invite", &invite])?;
    let code = registered.get("account_code").and_then(|code| code.as_str()).unwrap_or_default();
    println!("  {code}  ({:.1} s)\n", started.elapsed().as_secs_f64());
    Ok(user)
}

/// Searches for canaries, after the search was shown to find one that is planted.
fn nothing_found(data: &Path) -> Result<bool, SystemError> {
    let canaries = [NAME, "strike committee", MARKER, ANNA, BEN];
    let planted = data.join("planted");
    let write = std::fs::write(&planted, format!("…{MARKER}…"));
    write.map_err(|source| SystemError::Io { action: "plant a canary".to_owned(), source })?;
    let probe = search(data, &canaries)?;
    let remove = std::fs::remove_file(&planted);
    remove.map_err(|source| SystemError::Io { action: "remove the canary".to_owned(), source })?;
    let works = probe.iter().any(|Found { path, .. }| *path == planted);
    println!(
        "  With a canary planted, the search finds {} ({}).",
        probe.len(),
        if works { "it works" } else { "IT DOES NOT WORK" }
    );
    let found = search(data, &canaries)?;
    println!("  Without it, the search finds {}.", found.len());
    for Found { canary, path } in &found {
        println!("  FOUND {canary:?} in {}", path.display());
    }
    Ok(works && probe.len() == 1 && found.is_empty())
}

fn same(one: &Path, other: &Path) -> Result<bool, SystemError> {
    let read = |path: &Path| {
        std::fs::read(path)
            .map_err(|source| SystemError::Io { action: format!("read {}", path.display()), source })
    };
    Ok(read(one)? == read(other)?)
}

fn rate(started: Instant) -> String {
    let seconds = started.elapsed().as_secs_f64();
    format!("{seconds:.1} s with connecting to Tor, {:.1} MiB/s", 64.0 / seconds)
}
