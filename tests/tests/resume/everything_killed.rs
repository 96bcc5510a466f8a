//! Everything that a transfer runs on is killed under it at random moments, one after the other: the client, the relay's gateway and worker, and
//! Tor's own relays, which come back with their keys.
//!
//! The killing goes on in a network of its own, because other tests stand on the common one: a test starts this program again within it.

use crate::killed::Scene;
use nightdrop_tests::system::{network_file, program};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use rand::RngExt;
use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command},
    time::{Duration, Instant},
};

const MIB: u64 = 1 << 20;
const AT_MOST: Duration = Duration::from_secs(600);
/// How often a command that the network ended is typed again when nothing is killed any more, and how long is waited before that: where many of the few relays
/// that kept the service's descriptor were killed, it is found again when it is published anew.
const TRIES: usize = 60;
const BETWEEN_TRIES: Duration = Duration::from_secs(5);
/// A relay whose process ends once more than so often within a minute gives up: whoever started it is to look.
const ENDS_IN_A_MINUTE: usize = 4;

#[test]
fn c08_transfers_complete_whatever_is_killed_under_them() {
    in_a_network_of_its_own("five_kills");
}

/// `make soak`: 30 kills in 256 MiB.
#[test]
#[ignore = "takes many minutes"]
fn soak_transfers_complete_whatever_is_killed_under_them() {
    in_a_network_of_its_own("thirty_kills");
}

#[test]
#[ignore = "kills its network: run by the test above"]
fn five_kills() {
    kill_everything(64 * MIB, 5);
}

#[test]
#[ignore = "kills its network: run by the test above"]
fn thirty_kills() {
    kill_everything(256 * MIB, 30);
}

/// Runs one of these tests within a new network.
fn in_a_network_of_its_own(test: &str) {
    let place = tempfile::tempdir().unwrap();
    let mut tornet = Command::new(program("tornet").unwrap());
    tornet
        .arg("--no-namespace")
        .arg(place.path().join("network"))
        .arg("--")
        .arg(std::env::current_exe().unwrap());
    tornet.args(["--ignored", "--exact", "--nocapture"]).arg(format!("everything_killed::{test}"));
    assert!(tornet.status().unwrap().success());
}

const GATEWAY: &str = "gateway";
const WORKER: &str = "worker";
const MINUTE: Duration = Duration::from_secs(60);

/// What is killed.
#[derive(Debug, Clone, Copy)]
enum Victim {
    Client,
    Gateway,
    Worker,
    TorRelay,
}

const VICTIMS: [Victim; 5] =
    [Victim::TorRelay, Victim::Client, Victim::Gateway, Victim::TorRelay, Victim::Worker];

fn kill_everything(size: u64, kills: usize) {
    let scene = Scene::of_size(size);
    let mut killer = Killer { scene: &scene, network: Network::here(), ended: Vec::new() };
    for (arguments, from) in [(["put", "sample"].as_slice(), 0), (&["get", "sample", "-o", "back"], 1)] {
        let began = Instant::now();
        let mut run = Run { scene: &scene, arguments, child: scene.start(arguments), typed: 1 };
        let mut done = 0;
        for number in 0..kills {
            // Now and then it ends before the last of them.
            if !run.goes_on_for(Duration::from_millis(rand::rng().random_range(200..1_500))) {
                break;
            }
            killer.kill(VICTIMS[(number + from) % VICTIMS.len()], &mut run);
            done += 1;
        }
        let typed = run.finish();
        assert!(done > 0, "it ended before anything was killed");
        eprintln!("{arguments:?}: {done} kills, typed {typed} times, {:?} in all", began.elapsed());
    }
    fs::remove_file(scene.anna.directory().join("back")).unwrap();
    scene.expect_sample();
}

/// Kills, but never so that the relay gives up.
struct Killer<'s> {
    scene: &'s Scene,
    network: Network,
    /// Processes of the relay, and when: of all commands, since the relay counts so.
    ended: Vec<(&'static str, Instant)>,
}

impl Killer<'_> {
    fn kill(&mut self, victim: Victim, run: &mut Run<'_>) {
        match self.spared(victim) {
            Victim::Client => run.kill(),
            Victim::Gateway => self.kill_child(GATEWAY),
            Victim::Worker => self.kill_child(WORKER),
            Victim::TorRelay => self.network.kill_a_relay(),
        }
    }

    /// The victim, or another one if the relay would give up.
    fn spared(&self, victim: Victim) -> Victim {
        let name = match victim {
            Victim::Gateway => GATEWAY,
            Victim::Worker => WORKER,
            Victim::Client | Victim::TorRelay => return victim,
        };
        let lately = |(ended, when): &&(&str, Instant)| *ended == name && when.elapsed() < MINUTE;
        if self.ended.iter().filter(lately).count() < ENDS_IN_A_MINUTE { victim } else { Victim::TorRelay }
    }

    /// If it was killed just before, it is not back yet.
    fn kill_child(&mut self, name: &'static str) {
        let end = Instant::now() + AT_MOST;
        loop {
            match self.scene.relay.child(name) {
                Ok(process) => {
                    kill_now(process);
                    return self.ended.push((name, Instant::now()));
                }
                Err(error) => assert!(Instant::now() < end, "{error}"),
            }
            self.scene.relay.expect_running().unwrap();
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// A command that is typed again when what it runs on is killed.
struct Run<'s> {
    scene: &'s Scene,
    arguments: &'s [&'s str],
    child: Child,
    typed: usize,
}

impl Run<'_> {
    /// Whether it is still at it after this time.
    fn goes_on_for(&mut self, time: Duration) -> bool {
        let end = Instant::now() + time;
        while Instant::now() < end {
            if self.child.try_wait().unwrap().is_some_and(|status| status.success()) {
                return false;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        self.type_again_if_it_failed();
        true
    }

    fn kill(&mut self) {
        self.child.kill().unwrap();
        // It may have come to its good end just before.
        if !self.child.wait().unwrap().success() {
            self.again();
        }
    }

    fn type_again_if_it_failed(&mut self) {
        if let Some(status) = self.child.try_wait().unwrap()
            && !status.success()
        {
            assert_eq!(status.code(), Some(5), "only the network may fail: {}", self.scene.said());
            self.again();
        }
    }

    fn again(&mut self) {
        self.typed += 1;
        self.child = self.scene.start(self.arguments);
    }

    /// Waits for its end, which is a good one.
    fn finish(mut self) -> usize {
        let end = Instant::now() + AT_MOST;
        let most = self.typed + TRIES;
        while !self.child.try_wait().unwrap().is_some_and(|status| status.success()) {
            self.scene.relay.expect_running().unwrap();
            let typed = self.typed;
            self.type_again_if_it_failed();
            assert!(
                Instant::now() < end && self.typed < most,
                "{:?} does not end: {}",
                self.arguments,
                self.scene.said()
            );
            std::thread::sleep(if self.typed > typed { BETWEEN_TRIES } else { Duration::from_millis(50) });
        }
        self.typed
    }
}

/// The network around this process, whose nodes come back.
struct Network(PathBuf);

impl Network {
    fn here() -> Self {
        let directory = network_file().unwrap().parent().unwrap().to_owned();
        for node in nodes(&directory) {
            fs::write(node.join("revive"), "").unwrap();
        }
        Self(directory)
    }

    /// Any one: all of them relay. It has been started again when this returns.
    fn kill_a_relay(&self) {
        let relays = nodes(&self.0);
        let relay = &relays[rand::rng().random_range(0..relays.len())];
        let process = || fs::read_to_string(relay.join("pid")).ok()?.trim().parse::<i32>().ok();
        let killed = process().unwrap();
        kill_now(killed);
        let end = Instant::now() + AT_MOST;
        while process().is_none_or(|process| process == killed) {
            assert!(Instant::now() < end, "{relay:?} does not come back");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

fn nodes(network: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(network).unwrap().map(|entry| entry.unwrap().path());
    entries.filter(|path| path.join("torrc").exists()).collect()
}

fn kill_now(process: i32) {
    kill(Pid::from_raw(process), Signal::SIGKILL).unwrap();
}
