//! Gateway and supervisor are killed while a client works through Tor.

use super::{ledger::Ledger, moments, registered};
use nightdrop_tests::system::{RelayProcess, SystemError};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    time::{Duration, Instant},
};

const SUPERVISOR_KILLS: usize = 10;
/// Before each kill of the supervisor: five deaths within a minute would end it by itself.
const GATEWAY_KILLS: usize = 2;
const BACK_WITHIN: Duration = Duration::from_secs(180);
/// What a command may say while the relay is gone: failed, refused, no way through; never that somebody cheats.
const HONEST_FAILURES: [i32; 3] = [1, 4, 5];
/// Looks until one succeeds.
const LOOKS: usize = 20;

/// Commands by their exit code.
fn work(
    ledger: &mut Ledger,
    random: &mut StdRng,
    answered: &AtomicUsize,
    stop: &AtomicBool,
) -> BTreeMap<i32, usize> {
    let mut codes = BTreeMap::new();
    while !stop.load(Ordering::Relaxed) {
        let command = ledger.draw(random);
        let finished = ledger.user.run(&command.arguments()).unwrap();
        let code = finished.status.code().unwrap();
        *codes.entry(code).or_default() += 1;
        if code == 0 {
            ledger.answered(&command, &finished.stdout);
            answered.fetch_add(1, Ordering::Relaxed);
            continue;
        }
        assert!(HONEST_FAILURES.contains(&code), "{command:?}: {}", finished.stderr);
        println!("{command:?}: {}", finished.stderr.lines().next().unwrap_or_default());
        ledger.unanswered(command);
        look(ledger);
    }
    codes
}

fn look(ledger: &mut Ledger) {
    for _ in 0..LOOKS {
        let ls = ledger.user.run(&["ls", "--json"]).unwrap();
        if ls.status.success() {
            ledger.settle(&ls.stdout);
            return;
        }
        assert!(HONEST_FAILURES.contains(&ls.status.code().unwrap()), "{}", ls.stderr);
    }
    panic!("the relay is there, and no command gets through");
}

/// Each of them at a random moment of a command that takes `length`; gives the last relay.
fn kill_them_all(
    mut relay: RelayProcess,
    random: &mut StdRng,
    length: Duration,
    answered: &AtomicUsize,
) -> Result<RelayProcess, SystemError> {
    let mut wait = || std::thread::sleep(length.mul_f64(random.random_range(0.0..1.0)));
    for _ in 0..SUPERVISOR_KILLS {
        let before = answered.load(Ordering::Relaxed);
        for _ in 0..GATEWAY_KILLS {
            wait();
            relay.kill_gateway()?;
            relay.wait_for_event("restarting", BACK_WITHIN)?;
            relay.wait_for_event("reachable", BACK_WITHIN)?;
        }
        wait();
        // At once, while its children are still dying.
        relay = relay.kill_and_restart()?;
        // Kills are faster than commands: only what was answered in between can be lost.
        let patience = Instant::now() + BACK_WITHIN;
        while answered.load(Ordering::Relaxed) == before && Instant::now() < patience {
            std::thread::sleep(Duration::from_millis(20));
        }
    }
    Ok(relay)
}

#[test]
fn c01_nothing_acknowledged_is_lost_when_gateway_and_supervisor_are_killed_30_times() {
    let mut random = moments();
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("relay");
    let relay = RelayProcess::start(&data).unwrap();
    let address = relay.address().to_owned();
    let mut ledger = Ledger::new(registered(&relay, &directory.path().join("anna")));
    let begun = Instant::now();
    let first = ledger.draw(&mut random);
    let finished = ledger.user.run(&first.arguments()).unwrap();
    assert!(finished.status.success(), "{}", finished.stderr);
    ledger.answered(&first, &finished.stdout);
    let length = begun.elapsed();

    let (stop, answered) = (AtomicBool::new(false), AtomicUsize::new(0));
    let mut drawn = StdRng::seed_from_u64(random.random());
    let (codes, relay) = std::thread::scope(|scope| {
        let working = scope.spawn(|| work(&mut ledger, &mut drawn, &answered, &stop));
        let killed = kill_them_all(relay, &mut random, length, &answered);
        // Also when something failed: the scope waits for the client.
        stop.store(true, Ordering::Relaxed);
        (working.join().unwrap(), killed)
    });
    let relay = relay.unwrap();
    assert_eq!(relay.address(), address);
    println!("{codes:?} commands by exit code; files and links left: {:?}", ledger.counts());
    assert!(codes[&0] >= SUPERVISOR_KILLS, "the client got something done between the kills: {codes:?}");
    look(&mut ledger);
    ledger.read_everything();
    assert!(relay.stop().unwrap().success());
}
