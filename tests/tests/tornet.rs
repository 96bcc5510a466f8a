//! `tornet` as a person or a script meets it: its exit status, its output, what it leaves behind and what it refuses.
//!
//! Each test starts a `tornet` of its own, so they also hold inside the network of another one.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

/// A busy machine may miss the first vote, and start its nodes once more.
const LIMIT: Duration = Duration::from_secs(150);

/// A directory for a network, and whatever a test puts beside it.
struct Place {
    outer: TempDir,
}

impl Place {
    fn new() -> Self {
        Self { outer: TempDir::new().unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.outer.path().join(name)
    }

    fn network(&self) -> PathBuf {
        self.path("net")
    }

    /// `tornet DIR` with these further arguments.
    fn tornet(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tornet"));
        command.arg(self.network()).args(arguments).stdin(Stdio::null());
        command
    }

    /// A `PATH` on which there is nothing but these programs, of those that this test sees.
    fn only(&self, programs: &[&str]) -> PathBuf {
        let dir = self.path(&format!("bin-{}", programs.join("-")));
        fs::create_dir(&dir).unwrap();
        for program in programs {
            symlink(find(program), dir.join(program)).unwrap();
        }
        dir
    }

    /// A `PATH` on which `program` is this script, and all else is as usual.
    fn replaced(&self, program: &str, script: &str) -> String {
        let dir = self.path(&format!("fake-{program}"));
        fs::create_dir(&dir).unwrap();
        let file = dir.join(program);
        fs::write(&file, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
        format!("{}:{}", dir.display(), std::env::var("PATH").unwrap())
    }

    /// The living processes that name this place in their arguments: every node does.
    fn processes(&self) -> Vec<Pid> {
        let name = self.outer.path().to_str().unwrap().to_owned();
        let ours = |pid: &i32| {
            fs::read(format!("/proc/{pid}/cmdline"))
                .is_ok_and(|line| String::from_utf8_lossy(&line).contains(&name))
        };
        let entries = fs::read_dir("/proc").unwrap();
        let pids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<i32>().ok());
        pids.filter(ours).map(Pid::from_raw).collect()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        for pid in self.processes() {
            let _ = kill(pid, Signal::SIGKILL);
        }
    }
}

fn find(program: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap();
    std::env::split_paths(&path).map(|dir| dir.join(program)).find(|file| file.exists()).unwrap()
}

fn until(what: &str, limit: Duration, mut condition: impl FnMut() -> bool) {
    let started = Instant::now();
    while !condition() {
        assert!(started.elapsed() < limit, "not within {limit:?}: {what}");
        thread::sleep(Duration::from_millis(20));
    }
}

fn send(child: &Child, signal: Signal) {
    kill(Pid::from_raw(child.id().try_into().unwrap()), signal).unwrap();
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// Waits until the command of this `tornet` has made this file; the network is up then.
fn until_made(file: &Path, tornet: &mut Child) {
    until(&format!("{} is made", file.display()), LIMIT, || {
        assert_eq!(tornet.try_wait().unwrap(), None, "tornet ended before {} was made", file.display());
        file.exists()
    });
}

#[test]
fn exit_status_and_stdout_are_the_commands() {
    let place = Place::new();
    let output = place
        .tornet(&["--", "sh", "-c", "echo it is; echo $NIGHTDROP_TEST_NETWORK; exit 7"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(7), "{}", stderr(&output));
    let file = place.network().canonicalize().unwrap().join("network.toml");
    assert_eq!(stdout(&output), format!("it is\n{}\n", file.display()));
    assert!(stderr(&output).contains("tor.log"), "a failure names the logs: {}", stderr(&output));
}

#[test]
fn death_by_a_signal_is_128_and_its_number() {
    let output = Place::new().tornet(&["--", "sh", "-c", "kill -KILL $$"]).output().unwrap();
    assert_eq!(output.status.code(), Some(128 + 9), "{}", stderr(&output));
}

#[test]
fn inside_there_is_only_lo_and_it_answers_at_once() {
    let place = Place::new();
    let output =
        place.tornet(&["--", "sh", "-c", "cat /proc/net/dev; ip route show table local"]).output().unwrap();
    let text = stdout(&output);
    let interfaces: Vec<_> = text.lines().filter_map(|line| Some(line.split_once(':')?.0.trim())).collect();
    assert_eq!(interfaces, ["lo"], "{text}");
    assert_eq!(text.matches("quickack 1").count(), 2, "{text}");
}

#[test]
fn nothing_outlives_the_command() {
    let place = Place::new();
    let (started, go) = (place.path("started"), place.path("go"));
    // The background process is in a session of its own and nobody's child: only the namespace can end it.
    let script = r#"(setsid sh -c 'while :; do sleep 1; done' "$0-left-behind" &)
        touch "$0"; while ! [ -e "$1" ]; do sleep 0.1; done"#;
    let arguments = ["--", "sh", "-c", script, started.to_str().unwrap(), go.to_str().unwrap()];
    let mut tornet = place.tornet(&arguments).spawn().unwrap();
    until_made(&started, &mut tornet);
    // Outer and inner tornet, unshare, five nodes, the command, what it left.
    until("all run", LIMIT, || place.processes().len() == 10);
    fs::write(go, "").unwrap();
    assert!(tornet.wait().unwrap().success());
    assert_eq!(place.processes(), []);
}

#[test]
fn nothing_outlives_a_killed_tornet() {
    let place = Place::new();
    let started = place.path("started");
    let script = "touch $0; sleep 1000";
    let mut tornet = place.tornet(&["--", "sh", "-c", script, started.to_str().unwrap()]).spawn().unwrap();
    until_made(&started, &mut tornet);
    assert!(5 < place.processes().len());
    send(&tornet, Signal::SIGKILL);
    tornet.wait().unwrap();
    until("all are gone", Duration::from_secs(2), || place.processes().is_empty());
}

#[test]
fn a_signal_ends_a_stubborn_command_within_five_seconds() {
    let place = Place::new();
    let started = place.path("started");
    let script = "trap '' TERM INT; touch $0; while :; do sleep 1; done";
    let mut tornet = place.tornet(&["--", "sh", "-c", script, started.to_str().unwrap()]).spawn().unwrap();
    until_made(&started, &mut tornet);
    let asked = Instant::now();
    send(&tornet, Signal::SIGTERM);
    let status = tornet.wait().unwrap();
    assert!(asked.elapsed() < Duration::from_secs(5), "{:?}", asked.elapsed());
    assert_eq!(status.code(), Some(128 + 9), "it had to be killed");
    assert_eq!(place.processes(), []);
}

#[test]
fn a_command_that_ends_by_the_signal_tells_its_own_status() {
    let place = Place::new();
    let started = place.path("started");
    let script = "trap 'exit 42' TERM; touch $0; while :; do sleep 0.1; done";
    let mut tornet = place.tornet(&["--", "sh", "-c", script, started.to_str().unwrap()]).spawn().unwrap();
    until_made(&started, &mut tornet);
    send(&tornet, Signal::SIGTERM);
    assert_eq!(tornet.wait().unwrap().code(), Some(42));
}

#[test]
fn without_a_command_it_is_ready_and_stays_until_sigterm() {
    let place = Place::new();
    let mut tornet = place.tornet(&["--relays", "3"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(tornet.stdout.take().unwrap()).lines();
    assert_eq!(lines.next().unwrap().unwrap(), "ready");

    let file = place.network().join("network.toml");
    let network: toml::Table = fs::read_to_string(&file).unwrap().parse().unwrap();
    let tor = network["tor_network"].as_table().unwrap();
    let authorities = tor["authorities"].as_table().unwrap();
    for name in 0..3 {
        let certificate = place.network().join(format!("auth{name}/data/keys/authority_certificate"));
        let certificate = fs::read_to_string(certificate).unwrap();
        let idents = authorities["v3idents"].as_array().unwrap();
        let named =
            |ident: &toml::Value| certificate.contains(&format!("fingerprint {}", ident.as_str().unwrap()));
        assert_eq!(idents.iter().filter(|ident| named(ident)).count(), 1, "auth{name} in {idents:?}");
    }
    for part in ["v3idents", "uploads", "downloads", "votes"] {
        assert_eq!(authorities[part].as_array().unwrap().len(), 3, "{part}");
    }
    assert_eq!(tor["fallback_caches"].as_array().unwrap().len(), 6);
    assert_eq!(network["address_filter"]["allow_local_addrs"], toml::Value::Boolean(true));

    assert!(tornet.try_wait().unwrap().is_none());
    send(&tornet, Signal::SIGTERM);
    assert!(tornet.wait().unwrap().success());
    assert!(lines.next().is_none(), "nothing but `ready` on standard output");
    assert_eq!(place.processes(), []);
    assert!(!file.exists(), "a network that is gone has no description");
}

#[test]
fn without_a_command_it_ends_with_its_parent() {
    let place = Place::new();
    let ready = place.path("ready");
    let script = r#""$0" "$1" > "$2" & while ! [ -s "$2" ]; do sleep 0.1; done"#;
    let mut parent = Command::new("sh");
    parent.args(["-c", script, env!("CARGO_BIN_EXE_tornet")]).arg(place.network()).arg(&ready);
    assert!(parent.status().unwrap().success());
    assert_eq!(fs::read_to_string(ready).unwrap(), "ready\n");
    until("all are gone", Duration::from_secs(5), || place.processes().is_empty());
}

#[test]
fn without_namespaces_what_the_command_leaves_is_killed() {
    let place = Place::new();
    let script = r#"(setsid sh -c 'while :; do sleep 1; done' "$0" &); exit 7"#;
    let orphan = place.path("left-behind");
    let output = place
        .tornet(&["--no-namespace", "--", "sh", "-c", script, orphan.to_str().unwrap()])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(7), "{}", stderr(&output));
    assert_eq!(place.processes(), []);
}

#[test]
fn a_node_that_dies_ends_the_wait_and_its_log_is_named() {
    let place = Place::new();
    let tor = find("tor");
    // Keys are made; one of the network's nodes, started with -f as the first argument, ends at once. Only one, so that it is
    // certain whose death is seen first.
    let script = format!(
        r#"case "$1 $2" in "-f "*/auth0/*) echo the cat sat on it; exit 3;; *) exec {} "$@";; esac"#,
        tor.display()
    );
    let path = place.replaced("tor", &script);
    let output = place.tornet(&["--", "true"]).env("PATH", path).output().unwrap();
    assert_eq!(output.status.code(), Some(125));
    let text = stderr(&output);
    for part in ["auth0 ended by itself (exit status: 3)", "/net/auth0/tor.log", "the cat sat on it"] {
        assert!(text.contains(part), "{part:?} in {text}");
    }
}

#[test]
fn a_node_that_misses_the_first_vote_is_heard_in_another() {
    let place = Place::new();
    let tor = find("tor");
    let script = format!(r#"case "$1 $2" in "-f "*/relay0/*) sleep 4.5;; esac; exec {} "$@""#, tor.display());
    let path = place.replaced("tor", &script);
    let output =
        place.tornet(&["--", "sh", "-c", "cat $NIGHTDROP_TEST_NETWORK"]).env("PATH", path).output().unwrap();
    let text = stderr(&output);
    assert!(output.status.success(), "{text}");
    for part in ["relay0: the vote came too early", "starting again with 12 s"] {
        assert!(text.contains(part), "{part:?} in {text}");
    }
    assert_eq!(stdout(&output).matches("rsa_identity").count(), 5);
    assert_eq!(place.processes(), []);
}

#[test]
fn a_missing_program_is_an_error_that_says_how_to_get_it() {
    let place = Place::new();
    let all = ["tor", "tor-gencert", "setpriv", "unshare", "ip"];
    let packages = ["tor", "tor", "util-linux", "util-linux", "iproute2"];
    for (missing, package) in all.iter().zip(packages) {
        let others: Vec<_> = all.iter().copied().filter(|program| program != missing).collect();
        let output = place.tornet(&["--", "true"]).env("PATH", place.only(&others)).output().unwrap();
        assert_eq!(output.status.code(), Some(125));
        let text = stderr(&output);
        assert!(text.contains(&format!("`{missing}` was not found")), "{text}");
        assert!(text.contains(&format!("apt-get install {package}\n")), "{text}");
    }
}

#[test]
fn a_tor_too_old_is_an_error_that_says_how_to_get_another() {
    let place = Place::new();
    let path = place.replaced("tor", "echo 'Tor version 0.4.7.16.'");
    for arguments in [&["--", "true"][..], &["--no-namespace", "--", "true"], &[]] {
        let output = place.tornet(arguments).env("PATH", &path).output().unwrap();
        assert_eq!(output.status.code(), Some(125));
        let text = stderr(&output);
        for part in ["0.4.7.16", "at least 0.4.8", "apt-get install tor"] {
            assert!(text.contains(part), "{part:?} in {text}");
        }
        assert_eq!(stdout(&output), "");
    }
}

#[test]
fn where_namespaces_are_refused_it_names_the_way_without() {
    let place = Place::new();
    let path = place.replaced("unshare", "echo 'unshare failed: Operation not permitted' >&2; exit 1");
    let output = place.tornet(&["--", "true"]).env("PATH", path).output().unwrap();
    assert_eq!(output.status.code(), Some(125));
    let text = stderr(&output);
    assert!(text.contains("Operation not permitted") && text.contains("--no-namespace"), "{text}");
}

#[test]
fn a_directory_of_somebody_else_is_left_alone() {
    let place = Place::new();
    fs::create_dir(place.network()).unwrap();
    let precious = place.network().join("thesis.txt");
    fs::write(&precious, "all my work").unwrap();
    let output = place.tornet(&["--", "true"]).output().unwrap();
    assert_eq!(output.status.code(), Some(125));
    assert!(stderr(&output).contains("name a new or an empty directory"), "{}", stderr(&output));
    assert_eq!(fs::read_to_string(precious).unwrap(), "all my work");
}
