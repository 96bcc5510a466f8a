//! The client is killed.

use super::{
    PASSWORD,
    ledger::{Command, Ledger, NAME},
    moments, registered,
};
use nightdrop_tests::system::{Killed, MARKER, RelayProcess, User, search};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use std::{
    collections::BTreeMap,
    mem::{Discriminant, discriminant},
    time::{Duration, Instant},
};

/// Of each of the two users who work at once.
const KILLS_EACH: usize = 30;
const REGISTRATION_KILLS: usize = 12;

/// Where a kill hit, as far as it shows from outside: the device's memory is written when the account is open, and again when an
/// entry of the log was acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    /// Tor, login, reading one's files.
    Opening,
    /// Credits, chunks, finish, and the log's entry until it was acknowledged.
    Working,
    /// The same; the entry stood at the relay, and its acknowledgement was lost.
    Appended,
    /// The entry was acknowledged, the user was not answered.
    Acknowledged,
    /// The user was answered.
    Answered,
}

fn phase(killed: &Killed, done: bool) -> Phase {
    match killed.memory_writes {
        _ if killed.stdout.ends_with('\n') => Phase::Answered,
        0 => Phase::Opening,
        1 if done => Phase::Appended,
        1 => Phase::Working,
        _ => Phase::Acknowledged,
    }
}

/// How long each kind of command takes when it is let alone.
#[derive(Default)]
struct Lengths(BTreeMap<&'static str, Duration>);

impl Lengths {
    fn kind(command: &Command) -> &'static str {
        match command {
            Command::Put { size, .. } if *size > 1_000_000 => "large",
            Command::Put { .. } => "put",
            Command::Move { .. } => "mv",
            Command::Remove { .. } => "rm",
            Command::Share { .. } => "share",
        }
    }
}

fn work_under_kills(ledger: &mut Ledger, random: &mut StdRng) -> BTreeMap<Phase, usize> {
    let mut lengths = Lengths::default();
    let mut hits = BTreeMap::new();
    let mut kinds: Vec<Discriminant<Command>> = Vec::new();
    while hits.values().sum::<usize>() < KILLS_EACH {
        let command = ledger.draw(random);
        let kind = Lengths::kind(&command);
        // The first of each kind is measured.
        let measured = lengths.0.get(kind).copied();
        let after =
            measured.map_or(Duration::from_secs(120), |length| length.mul_f64(random.random_range(0.0..1.0)));
        let begun = Instant::now();
        let killed = ledger.user.run_and_kill(&command.arguments(), after).unwrap();
        if let Some(code) = killed.status.code() {
            assert_eq!(code, 0, "{command:?}: {}", killed.stderr);
            lengths.0.insert(kind, begun.elapsed());
        }
        if killed.stdout.ends_with('\n') {
            ledger.answered(&command, &killed.stdout);
        } else {
            ledger.unanswered(command.clone());
        }
        // The next command works as if nothing had been.
        let ls = ledger.user.run(&["ls", "--json"]).unwrap();
        assert!(ls.status.success(), "after {command:?}: {}", ls.stderr);
        assert_eq!(ls.stderr, "", "after {command:?}");
        let done = ledger.settle(&ls.stdout);
        if killed.status.code().is_none() {
            *hits.entry(phase(&killed, done)).or_default() += 1;
            kinds.push(discriminant(&command));
        }
    }
    kinds.dedup();
    assert!(kinds.len() > 4, "different commands were killed");
    hits
}

#[test]
fn c01_nothing_acknowledged_is_lost_when_the_client_is_killed_60_times() {
    let mut random = moments();
    let directory = tempfile::tempdir().unwrap();
    let relay = RelayProcess::start(&directory.path().join("relay")).unwrap();
    let mut users = ["anna", "ben"].map(|name| {
        let user = registered(&relay, &directory.path().join(name));
        (Ledger::new(user), StdRng::seed_from_u64(random.random()))
    });
    let mut hits: BTreeMap<Phase, usize> = BTreeMap::new();
    std::thread::scope(|scope| {
        let working: Vec<_> = users
            .iter_mut()
            .map(|(ledger, random)| scope.spawn(move || work_under_kills(ledger, random)))
            .collect();
        for (phase, count) in working.into_iter().flat_map(|user| user.join().unwrap()) {
            *hits.entry(phase).or_default() += count;
        }
    });
    println!("kills: {hits:?}");
    assert_eq!(hits.values().sum::<usize>(), 2 * KILLS_EACH);
    assert!(hits.contains_key(&Phase::Opening) && hits.contains_key(&Phase::Working), "{hits:?}");
    for (ledger, _) in &users {
        println!("files and links left: {:?}", ledger.counts());
        ledger.read_everything();
    }
    let data = relay.data().to_owned();
    assert!(relay.stop().unwrap().success());
    for place in [data, users[0].0.user.home(), users[1].0.user.home()] {
        assert_eq!(search(&place, &[NAME, MARKER, PASSWORD]).unwrap(), []);
        std::fs::write(place.join("planted"), MARKER).unwrap();
        assert_eq!(search(&place, &[MARKER]).unwrap().len(), 1, "the search finds what is there");
    }
}

#[test]
fn c01_a_registration_that_is_killed_is_finished_by_repeating_it() {
    let mut random = moments();
    let directory = tempfile::tempdir().unwrap();
    let relay = RelayProcess::start(&directory.path().join("relay")).unwrap();
    let begun = Instant::now();
    registered(&relay, &directory.path().join("measured"));
    let mut length = begun.elapsed();
    let mut kills = 0;
    let mut left: BTreeMap<&str, usize> = BTreeMap::new();
    for number in 0..4 * REGISTRATION_KILLS {
        if kills == REGISTRATION_KILLS {
            break;
        }
        let user = User::new(&directory.path().join(number.to_string()), PASSWORD).unwrap();
        let invite = relay.invite().unwrap();
        let register = ["register", relay.address(), "--invite", &invite];
        let is_kept = |name: &str| user.home().join(name).exists();
        let begun = Instant::now();
        let killed = if number % 2 == 0 {
            user.run_and_kill(&register, length.mul_f64(random.random_range(0.2..1.0))).unwrap()
        } else {
            // While the request that makes the account is on its way, which is too short to be hit by chance.
            user.run_and_kill_when(&register, 10 * length, || is_kept("registration")).unwrap()
        };
        if killed.status.code().is_some() {
            // Faster than the one that was measured.
            length = begun.elapsed();
        } else {
            kills += 1;
        }
        *left
            .entry(match (is_kept("account"), is_kept("registration")) {
                _ if killed.status.code().is_some() => "it was not killed",
                (true, _) => "an account",
                (false, true) => "a pending registration",
                (false, false) => "nothing",
            })
            .or_default() += 1;
        let repeated = user.run(&register).unwrap();
        let code = repeated.status.code();
        assert!(
            code == Some(0) || (code == Some(4) && repeated.stderr.contains("there is an account")),
            "{repeated:?}"
        );
        assert!(is_kept("account") && !is_kept("registration"), "{left:?}");
        std::fs::write(user.directory().join("notes"), "notes").unwrap();
        user.run_json(&["put", "notes"]).unwrap();
    }
    println!("a killed registration left: {left:?}");
    assert_eq!(kills, REGISTRATION_KILLS);
    for phase in ["nothing", "a pending registration"] {
        assert!(left.contains_key(phase), "kills hit different phases: {left:?}");
    }
}
