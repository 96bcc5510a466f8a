//! The relay as its operator meets it: three processes on a private Tor network, and what becomes of them when one is
//! killed.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that fails by panic is a test doing its work"
)]

mod harness;

use command_fds::{CommandFdExt, FdMapping};
use harness::{
    client::{begin_registration, bootstrap},
    outside::{Attempts, show_that_attempts_are_counted},
    relay::{PATIENCE, Relay, command_on, is_alive, wait_until_gone},
    surroundings::{has_open, variables},
};
use nightdrop_onion_config::{Tor, TorError};
use nix::{
    fcntl::{FcntlArg, OFlag, fcntl},
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use std::{
    fs::File,
    io::{PipeReader, PipeWriter, Write, pipe},
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// An invitation that no relay has issued.
const INVENTED: &str = "0000000000000000000000000000000000000000000000000000";

fn data() -> TempDir {
    tempfile::tempdir().unwrap()
}

fn invite(relay: &Relay) -> String {
    invitation_in(&relay.command(&["invite", "new", "--json"]))
}

fn invitation_in(output: &str) -> String {
    let object: serde_json::Value = serde_json::from_str(output).unwrap();
    object["invite"].as_str().unwrap().to_owned()
}

/// Asks the relay through Tor whether it holds the invitation, and whether it refuses one that it never issued.
async fn serves(client: &Path, address: &str, invitation: &str) {
    let tor = bootstrap(client).await;
    assert_eq!(answer(&tor, address, invitation).await, 200);
    assert_eq!(answer(&tor, address, INVENTED).await, 404);
}

/// Asks again where clients do: a circuit fails now and then, and a worker that has just started does not know its
/// address yet and says that it is busy.
async fn answer(tor: &Tor, address: &str, invitation: &str) -> u16 {
    let until = Instant::now() + PATIENCE;
    loop {
        match begin_registration(tor, address, invitation).await {
            Ok(503) | Err(TorError::ServiceUnreachable) if Instant::now() < until => {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            status => return status.unwrap(),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_serves_at_the_address_that_it_prints() {
    let (data, client) = (data(), data());
    let mut relay = Relay::start(data.path());
    let address = relay.reachable();
    serves(client.path(), &address, &invite(&relay)).await;
}

#[test]
fn for_people_the_address_is_the_only_line_and_stands_there_once() {
    let data = data();
    let mut relay = Relay::start_with(data.path(), &[]);
    let address = relay.line(Instant::now() + PATIENCE).unwrap();
    assert_eq!(address.len(), 62, "{address}");
    assert!(address.ends_with(".onion"), "{address}");
    relay.signal(Signal::SIGTERM);
    assert!(relay.ended().success());
    assert_eq!(relay.line(Instant::now() + PATIENCE), None);
}

#[test]
fn sigterm_ends_all_processes_within_ten_seconds() {
    let data = data();
    let mut relay = Relay::start(data.path());
    relay.reachable();
    let processes = relay.processes();
    let begun = Instant::now();
    relay.signal(Signal::SIGTERM);
    let status = relay.ended();
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    assert_eq!(status.code(), Some(0));
    for process in processes {
        assert!(!is_alive(process), "{process}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_worker_is_started_again_and_serves_the_same_data() {
    let (data, client) = (data(), data());
    let mut relay = Relay::start(data.path());
    let address = relay.reachable();
    let invitation = invite(&relay);
    let (worker, gateway) = (relay.child("worker"), relay.child("gateway"));
    kill(worker, Signal::SIGKILL).unwrap();
    assert_eq!(relay.event("restarting")["process"], "worker");
    serves(client.path(), &address, &invitation).await;
    assert_ne!(relay.child("worker"), worker);
    assert_eq!(relay.child("gateway"), gateway, "the gateway had nothing to do with it");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_gateway_is_started_again_at_the_same_address() {
    let (data, client) = (data(), data());
    let mut relay = Relay::start(data.path());
    let address = relay.reachable();
    let invitation = invite(&relay);
    let (worker, gateway) = (relay.child("worker"), relay.child("gateway"));
    kill(gateway, Signal::SIGKILL).unwrap();
    assert_eq!(relay.event("restarting")["process"], "gateway");
    assert_eq!(relay.reachable(), address);
    serves(client.path(), &address, &invitation).await;
    assert_eq!(relay.child("worker"), worker, "the worker had nothing to do with it");
}

#[test]
fn nothing_outlives_a_killed_supervisor() {
    let data = data();
    let mut relay = Relay::start(data.path());
    relay.reachable();
    let processes = relay.processes();
    assert!(processes.iter().all(|process| is_alive(*process)));
    relay.signal(Signal::SIGKILL);
    relay.ended();
    wait_until_gone(&processes);
    let mut next = Relay::start(data.path());
    next.reachable();
}

#[test]
fn five_deaths_within_a_minute_end_the_relay() {
    let data = data();
    let mut relay = Relay::start(data.path());
    let gateway = relay.child("gateway");
    let mut seen = Vec::new();
    while seen.len() < 5 {
        let worker = relay.child("worker");
        if !seen.contains(&worker) {
            seen.push(worker);
            kill(worker, Signal::SIGKILL).unwrap();
        }
    }
    assert_eq!(relay.ended().code(), Some(1));
    assert!(!is_alive(gateway));
}

#[test]
fn a_second_relay_on_the_same_data_is_refused_and_the_first_goes_on() {
    let data = data();
    let mut first = Relay::start(data.path());
    let worker = first.child("worker");
    let mut second = Relay::start(data.path());
    assert_eq!(second.ended().code(), Some(4));
    first.reachable();
    assert_eq!(first.child("worker"), worker);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invitation_issued_while_no_relay_runs_is_good_when_one_does() {
    let (data, client) = (data(), data());
    let mut relay = Relay::start(data.path());
    let address = relay.reachable();
    relay.signal(Signal::SIGTERM);
    assert!(relay.ended().success());
    let invitation = invitation_in(&command_on(data.path(), &["--json", "invite", "new", "--days", "3"]));
    let mut relay = Relay::start(data.path());
    assert_eq!(relay.reachable(), address);
    serves(client.path(), &address, &invitation).await;
}

#[test]
fn only_the_owner_may_look_into_the_data_directory() {
    let data = data();
    let relay = Relay::start(data.path());
    relay.child("gateway");
    for (part, expected) in
        [("", 0o700), ("run", 0o700), ("tor", 0o700), ("store", 0o700), ("run/admin.sock", 0o600)]
    {
        let mode = std::fs::metadata(data.path().join(part)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, expected, "{part}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_with_a_private_network_tries_nothing_outside_of_it() {
    show_that_attempts_are_counted();
    let before = Attempts::so_far();
    let (data, client) = (data(), data());
    let mut relay = Relay::start(data.path());
    let address = relay.reachable();
    serves(client.path(), &address, &invite(&relay)).await;
    assert_eq!(Attempts::so_far(), before);
}

#[test]
fn children_get_nothing_of_the_supervisors_surroundings() {
    /// What a child may have been given; the second one only where Arti cannot work without.
    const GIVEN: [&str; 2] = ["LISTEN_FDS=2", "FS_MISTRUST_DISABLE_PERMISSIONS_CHECKS=true"];
    let data = data();
    let canary = data.path().join("left open");
    let left_open = |command: &mut Command| {
        let parent_fd = File::create(&canary).unwrap().into();
        command.fd_mappings(vec![FdMapping { parent_fd, child_fd: 9 }]).unwrap();
    };
    let mut probe = Command::new("sleep");
    left_open(probe.arg("60"));
    let mut probe = probe.spawn().unwrap();
    assert!(has_open(Pid::from_raw(probe.id().try_into().unwrap()), &canary), "the probe sees it");
    probe.kill().unwrap();
    probe.wait().unwrap();

    let mut command = Relay::run(data.path(), &["--json"]);
    left_open(
        command.stdout(Stdio::piped()).env("CANARY", "sings").env("RUST_LOG", "trace").env("TZ", "UTC"),
    );
    let mut relay = Relay::start_command(data.path(), &mut command);
    relay.reachable();
    assert!(variables(relay.supervisor()).contains(&"CANARY=sings".to_owned()), "the supervisor has it");
    for (child, needed) in [("worker", vec!["LISTEN_FDS=2"]), ("gateway", vec![])] {
        let child = relay.child(child);
        let given = variables(child);
        assert!(given.iter().all(|variable| GIVEN.contains(&variable.as_str())), "{given:?}");
        assert!(needed.iter().all(|variable| given.contains(&(*variable).to_owned())), "{given:?}");
        assert!(!has_open(child, &canary));
    }
    let store = data.path().join("store/nightdrop.redb");
    assert!(has_open(relay.child("worker"), &store), "the worker's files are seen");
}

/// A pipe that takes no byte more, as behind a pager or a stuck log collector.
fn full_pipe() -> (PipeReader, PipeWriter) {
    let (reader, mut writer) = pipe().unwrap();
    fcntl(&writer, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).unwrap();
    while writer.write(b"\n").is_ok() {}
    fcntl(&writer, FcntlArg::F_SETFL(OFlag::empty())).unwrap();
    (reader, writer)
}

#[test]
fn a_reader_that_does_not_read_holds_nothing_up() {
    let data = data();
    let (reader, writer) = full_pipe();
    let mut command = Relay::run(data.path(), &["--json"]);
    let mut relay = Relay::start_command(data.path(), command.stdout(writer));
    drop(command);
    for child in ["worker", "gateway", "worker"] {
        let killed = relay.child(child);
        kill(killed, Signal::SIGKILL).unwrap();
        wait_until_gone(&[killed]);
        assert_ne!(relay.child(child), killed);
    }
    let begun = Instant::now();
    relay.signal(Signal::SIGTERM);
    assert!(relay.ended().success());
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    drop(reader);
}

#[test]
fn a_killed_predecessor_that_is_still_dying_is_waited_for() {
    let data = data();
    let mut relay = Relay::start(data.path());
    let address = relay.reachable();
    relay.signal(Signal::SIGTERM);
    assert!(relay.ended().success());
    // What the predecessor's worker and gateway hold until the kernel is done with them.
    let held = ["store/nightdrop.redb", "tor/gateway.lock"].map(|path| {
        let file =
            File::options().write(true).create(true).truncate(false).open(data.path().join(path)).unwrap();
        file.try_lock().unwrap();
        file
    });
    let mut relay = Relay::start(data.path());
    let (worker, gateway) = (relay.child("worker"), relay.child("gateway"));
    // That long it takes to die.
    std::thread::sleep(Duration::from_secs(2));
    assert!(is_alive(worker) && is_alive(gateway));
    drop(held);
    assert_eq!(relay.reachable(), address);
    assert_eq!((relay.child("worker"), relay.child("gateway")), (worker, gateway), "neither gave up");
}
