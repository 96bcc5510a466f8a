//! The agent as a process: `unlock`, commands through it, `lock`, and everything that can end it, through a private Tor network.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

use nightdrop_tests::system::{RelayProcess, User, make_sample, search};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Child, Stdio},
    time::{Duration, Instant},
};

const ANNA: &str = "plum orbit velvet cactus tide";
/// How long an agent may take to end.
const ENDS_WITHIN: Duration = Duration::from_secs(30);

fn registered(relay: &RelayProcess, directory: &Path) -> User {
    let user = User::new(directory, ANNA).unwrap();
    let invite = relay.invite().unwrap();
    user.run_json(&["register", relay.address(), "--invite", &invite]).unwrap();
    user
}

/// The same directory, with a password that opens nothing: what succeeds did not use it.
fn forgetful(user: &User) -> User {
    User::new(user.directory(), "not the password at all").unwrap()
}

/// An agent that ends with the test.
struct AgentProcess(Pid);

impl AgentProcess {
    fn of(status: &serde_json::Value) -> Self {
        Self(Pid::from_raw(i32::try_from(status["agent"]["process"].as_i64().unwrap()).unwrap()))
    }

    fn unlocked(user: &User, options: &[&str]) -> Self {
        Self::of(&user.run_json(&[&["unlock"], options].concat()).unwrap())
    }

    fn proc(&self, file: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/{file}", self.0))
    }

    /// It may be a child that nobody waits for: that is as gone as can be.
    fn is_gone(&self) -> bool {
        let stat = fs::read_to_string(self.proc("stat")).unwrap_or_default();
        stat.is_empty() || stat.rsplit(')').next().unwrap().trim_start().starts_with(['Z', 'X'])
    }

    fn ends(&self) {
        let end = Instant::now() + ENDS_WITHIN;
        while !self.is_gone() {
            assert!(Instant::now() < end, "the agent did not end");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn signal(&self, signal: Signal) {
        kill(self.0, signal).unwrap();
    }
}

impl Drop for AgentProcess {
    fn drop(&mut self) {
        if !self.is_gone() {
            let _ = kill(self.0, Signal::SIGKILL);
        }
    }
}

fn fails(user: &User, arguments: &[&str], exit: i32, says: &str) {
    let finished = user.run(arguments).unwrap();
    assert_eq!(finished.status.code(), Some(exit), "{}: {}", finished.command, finished.stderr);
    assert!(finished.stderr.contains(says), "{}: {}", finished.command, finished.stderr);
}

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn unlocked_every_command_works_without_the_password_and_locked_none_does() {
    let directory = tempfile::tempdir().unwrap();
    let relay = RelayProcess::start(&directory.path().join("relay")).unwrap();
    let anna = registered(&relay, &directory.path().join("anna"));
    assert_eq!(anna.run_json(&["status"]).unwrap()["agent"], serde_json::Value::Null);
    let wrong = forgetful(&anna);
    fails(&wrong, &["unlock"], 4, "the password is wrong");
    fails(&wrong, &["ls"], 4, "the password is wrong");

    let anna = User::new(anna.directory(), ANNA).unwrap();
    let agent = AgentProcess::unlocked(&anna, &["--idle", "1h"]);
    let anna = forgetful(&anna);
    let status = anna.run_json(&["status"]).unwrap();
    assert_eq!((&status["relay"], &status["account"]), (&relay.address().into(), &true.into()));
    assert!(status["agent"]["locks_in"].as_u64().unwrap() > 3000, "{status}");
    assert_eq!(anna.run_json(&["unlock"]).unwrap()["agent"]["process"], agent.0.as_raw(), "still the same");

    let name = "minutes of the meeting";
    make_sample(&anna.directory().join(name), 3_000_000).unwrap();
    let link = anna.run_json(&["put", name, "--link"]).unwrap()["link"].as_str().unwrap().to_owned();
    anna.run_json(&["get", name, "-o", "back"]).unwrap();
    anna.run_json(&["get", &link, "-o", "by-link"]).unwrap();
    let original = fs::read(anna.directory().join(name)).unwrap();
    for copy in ["back", "by-link"] {
        assert!(fs::read(anna.directory().join(copy)).unwrap() == original);
    }
    anna.run_json(&["mv", name, "moved"]).unwrap();
    assert_eq!(anna.run_json(&["ls"]).unwrap()["name"], "moved");
    fails(&anna, &["get", "absent"], 3, "there is no absent");

    // What the process is, as far as others can see it.
    let limits = fs::read_to_string(agent.proc("limits")).unwrap();
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    assert_eq!(core.split_whitespace().rev().take(3).collect::<Vec<_>>(), ["bytes", "0", "0"], "{core}");
    let secret = link.rsplit('/').next().unwrap();
    let canaries = [ANNA, "plum orbit", name, secret];
    for file in ["environ", "cmdline"] {
        let shown = String::from_utf8_lossy(&fs::read(agent.proc(file)).unwrap()).into_owned();
        assert!(shown.contains(anna.home().to_str().unwrap()) || file == "environ", "{shown}");
        assert!(canaries.iter().all(|canary| !shown.contains(canary)), "{file}: {shown}");
    }
    let run = anna.home().join("run");
    assert_eq!((mode(&run), mode(&run.join("agent.sock"))), (0o700, 0o600));
    assert_eq!(search(&anna.home(), &canaries).unwrap(), []);

    assert_eq!(anna.run_json(&["lock"]).unwrap()["was_open"], true);
    agent.ends();
    assert_eq!(anna.run_json(&["lock"]).unwrap()["was_open"], false);
    assert_eq!(anna.run_json(&["status"]).unwrap()["agent"], serde_json::Value::Null);
    fails(&anna, &["ls"], 4, "the password is wrong");
    assert!(!run.join("agent.sock").exists());
    assert_eq!(search(&anna.home(), &canaries).unwrap(), []);
    fs::write(anna.home().join("planted"), name).unwrap();
    assert_eq!(search(&anna.home(), &canaries).unwrap().len(), 1, "the search finds what is there");

    let anna = User::new(anna.directory(), ANNA).unwrap();
    assert_eq!(anna.run_json(&["ls"]).unwrap()["name"], "moved", "by itself it works as well");
}

#[test]
fn whatever_ends_the_agent_leaves_a_home_that_works() {
    let directory = tempfile::tempdir().unwrap();
    let relay = RelayProcess::start(&directory.path().join("relay")).unwrap();
    let anna = registered(&relay, &directory.path().join("anna"));
    fs::write(anna.directory().join("notes"), "notes").unwrap();

    // Idling.
    let agent = AgentProcess::unlocked(&anna, &["--idle", "3s"]);
    agent.ends();
    assert_eq!(anna.run_json(&["status"]).unwrap()["agent"], serde_json::Value::Null);

    // The end of the login session.
    let agent = AgentProcess::unlocked(&anna, &[]);
    anna.run_json(&["put", "notes"]).unwrap();
    agent.signal(Signal::SIGHUP);
    agent.ends();
    assert_eq!(anna.run_json(&["status"]).unwrap()["agent"], serde_json::Value::Null);

    // Nothing can prepare for this one.
    let agent = AgentProcess::unlocked(&anna, &[]);
    agent.signal(Signal::SIGKILL);
    agent.ends();
    assert!(anna.home().join("run/agent.sock").exists(), "it left its socket");
    assert_eq!(anna.run_json(&["status"]).unwrap()["agent"], serde_json::Value::Null);
    assert_eq!(anna.run_json(&["ls"]).unwrap()["name"], "notes");

    // Two at once give one.
    let unlock = || {
        let mut command = anna.command(&["unlock", "--json"]).unwrap();
        command.stdout(Stdio::piped()).spawn().unwrap()
    };
    let process = |child: Child| {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success());
        AgentProcess::of(&serde_json::from_slice(&output.stdout).unwrap())
    };
    let (one, other) = (unlock(), unlock());
    let (one, other) = (process(one), process(other));
    assert_eq!(one.0, other.0);
    assert_eq!(anna.run_json(&["ls"]).unwrap()["name"], "notes");

    // Forgetting the account locks it first.
    fails(&anna, &["logout"], 4, "not confirmed");
    anna.run_json(&["logout", "-y"]).unwrap();
    one.ends();
    assert_eq!(anna.run_json(&["status"]).unwrap()["account"], false);
    fails(&anna, &["ls"], 3, "there is no account");
    fails(&anna, &["unlock"], 3, "there is no account");
    let left: Vec<_> = fs::read_dir(anna.home())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert!(left.iter().all(|name| ["agent", "lock", "run", "tor"].contains(&name.as_str())), "{left:?}");
}

/// A closed terminal ends the command at it, and not the transfer; Ctrl-C ends both.
#[test]
fn a_transfer_outlives_its_terminal_but_not_ctrl_c() {
    let directory = tempfile::tempdir().unwrap();
    let relay = RelayProcess::start(&directory.path().join("relay")).unwrap();
    let anna = registered(&relay, &directory.path().join("anna"));
    let agent = AgentProcess::unlocked(&anna, &[]);
    for (name, signal, arrives) in [("one", Signal::SIGHUP, true), ("two", Signal::SIGINT, false)] {
        make_sample(&anna.directory().join(name), 30_000_000).unwrap();
        let mut put = anna.command(&["put", name]).unwrap().stderr(Stdio::null()).spawn().unwrap();
        let running = || anna.run_json(&["status"]).unwrap()["agent"]["commands"].as_u64().unwrap();
        let until = |count: u64| {
            let end = Instant::now() + Duration::from_secs(200);
            while running() != count {
                assert!(Instant::now() < end && !agent.is_gone());
                std::thread::sleep(Duration::from_millis(20));
            }
        };
        until(1);
        kill(Pid::from_raw(i32::try_from(put.id()).unwrap()), signal).unwrap();
        assert!(!put.wait().unwrap().success());
        if arrives {
            assert_eq!(running(), 1, "it was over before the terminal was closed");
        }
        until(0);
        let listed = anna.run(&["ls", "--json"]).unwrap().stdout;
        assert_eq!(listed.contains(&format!("\"{name}\"")), arrives, "{listed}");
    }
}

/// The relay is away until the command has ended for it, and comes back at the same address.
#[test]
fn an_upload_that_the_network_cut_off_is_done_without_a_word_typed() {
    const AT_MOST: Duration = Duration::from_secs(20 * 60);
    let directory = tempfile::tempdir().unwrap();
    let relay = RelayProcess::start(&directory.path().join("relay")).unwrap();
    let anna = registered(&relay, &directory.path().join("anna"));
    let agent = AgentProcess::unlocked(&anna, &["--idle", "2h"]);
    make_sample(&anna.directory().join("sample"), 64 << 20).unwrap();
    let mut command = anna.command(&["put", "sample", "--json"]).unwrap();
    let mut put = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let said = std::thread::spawn({
        let mut stderr = put.stderr.take().unwrap();
        move || std::io::read_to_string(&mut stderr).unwrap()
    });
    let (end, transfers) = (Instant::now() + AT_MOST, anna.home().join("transfers"));
    let journal = || {
        let entries = fs::read_dir(&transfers).ok()?.map_while(Result::ok);
        let lengths = entries.map(|entry| entry.metadata().map_or(0, |metadata| metadata.len()));
        lengths.max().filter(|length| *length > 10_000)
    };
    while journal().is_none() {
        assert!(Instant::now() < end && put.try_wait().unwrap().is_none(), "before it was on its way");
        std::thread::sleep(Duration::from_millis(2));
    }
    let data = relay.data().to_owned();
    drop(relay);
    assert_eq!(put.wait().unwrap().code(), Some(5));
    let said = said.join().unwrap();
    assert!(said.contains("1 upload(s) that were cut off go on by themselves"), "{said}");
    let goes_on_with = || anna.run_json(&["status"]).unwrap()["agent"]["goes_on_with"].as_u64().unwrap();
    assert_eq!(goes_on_with(), 1);

    let relay = RelayProcess::start(&data).unwrap();
    while goes_on_with() > 0 {
        assert!(Instant::now() < end && !agent.is_gone());
        std::thread::sleep(Duration::from_millis(200));
    }
    assert_eq!(anna.run_json(&["ls"]).unwrap()["name"], "sample");
    anna.run_json(&["get", "sample", "-o", "back"]).unwrap();
    let [back, sample] = ["back", "sample"].map(|name| fs::read(anna.directory().join(name)).unwrap());
    assert!(back == sample && journal().is_none());
    drop(relay);
}

#[test]
fn a_home_that_others_can_read_is_refused_with_the_command_that_mends_it() {
    let directory = tempfile::tempdir().unwrap();
    let anna = User::new(&directory.path().join("anna"), ANNA).unwrap();
    assert_eq!(anna.run_json(&["status"]).unwrap()["account"], false);
    fs::set_permissions(anna.home(), fs::Permissions::from_mode(0o755)).unwrap();
    for command in ["status", "ls", "unlock", "lock"] {
        fails(&anna, &[command], 1, &format!("chmod 700 {}", anna.home().display()));
    }
    let mended = std::process::Command::new("chmod").arg("700").arg(anna.home()).status();
    assert!(mended.unwrap().success());
    assert_eq!(anna.run_json(&["status"]).unwrap()["account"], false);
}
