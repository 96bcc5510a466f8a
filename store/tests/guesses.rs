//! Back-off after logins that were begun and not finished (R03).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use common::{Fixture, random};
use nightdrop_store::{Guesses, Minute, TooManyGuesses};
use nightdrop_wire::ids::AccountId;
use std::{future::poll_fn, task::Poll};

const NOON: Minute = Minute(29_000_000);

fn after(minutes: u64) -> Minute {
    Minute(NOON.0 + minutes)
}

fn fixture() -> (Fixture, Guesses) {
    let fixture = Fixture::new();
    fixture.session(1);
    let guesses = Guesses::load(fixture.store()).unwrap();
    (fixture, guesses)
}

fn fail(guesses: &Guesses, account: AccountId, times: u32) {
    for _ in 0..times {
        guesses.begin(account, NOON).unwrap();
    }
}

/// The one that exists, and one that does not.
fn both() -> [AccountId; 2] {
    [AccountId::from_bytes([1; 10]), AccountId::from_bytes([77; 10])]
}

#[test]
fn the_fifth_failure_in_a_row_delays_whether_the_account_exists_or_not() {
    for account in both() {
        let (_fixture, guesses) = fixture();
        fail(&guesses, account, 5);
        assert_eq!(guesses.begin(account, NOON), Err(TooManyGuesses));
        guesses.begin(account, after(1)).expect("a minute later");
        assert_eq!(guesses.begin(account, after(2)), Err(TooManyGuesses), "then it is two");
        guesses.begin(account, after(3)).unwrap();
        assert_eq!(guesses.begin(account, after(6)), Err(TooManyGuesses), "then it is four");
        guesses.begin(account, after(7)).unwrap();
    }
}

#[test]
fn a_finished_login_forgets_the_failures() {
    let (_fixture, guesses) = fixture();
    for account in both() {
        fail(&guesses, account, 5);
        assert_eq!(guesses.begin(account, NOON), Err(TooManyGuesses));
        guesses.finish(account, NOON);
        fail(&guesses, account, 5);
    }
}

#[test]
fn r03_failures_survive_a_restart_and_are_forgotten_after_a_day() {
    for account in both() {
        let (mut fixture, guesses) = fixture();
        fail(&guesses, account, 5);
        fixture.wait(guesses.keep()).unwrap();
        drop(guesses);
        fixture.open();
        let guesses = Guesses::load(fixture.store()).unwrap();
        assert_eq!(guesses.begin(account, NOON), Err(TooManyGuesses), "after a restart");
        for _ in 0..5 {
            guesses.begin(account, after(24 * 60)).expect("a day later it starts afresh");
        }
        guesses.finish(account, after(24 * 60));
        fixture.wait(guesses.keep()).unwrap();
        drop(guesses);
        fixture.open();
        fail(&Guesses::load(fixture.store()).unwrap(), account, 5);
    }
}

#[test]
fn r03_nobody_can_keep_an_owner_out_for_longer_than_a_quarter_of_an_hour() {
    let (_fixture, guesses) = fixture();
    let [owner, _] = both();
    let (mut minute, mut longest) = (0, 0);
    for _ in 0..50 {
        // A guesser who comes at the first moment, each time.
        let refused = (0..60).take_while(|wait| guesses.begin(owner, after(minute + wait)).is_err()).count();
        longest = longest.max(refused);
        minute += refused as u64;
    }
    assert_eq!(longest, 15);
    guesses.finish(owner, after(minute));
    guesses.begin(owner, after(minute)).expect("the owner's own login ends it");
}

#[test]
fn a_clock_that_was_set_back_keeps_nobody_out() {
    let (_fixture, guesses) = fixture();
    let [owner, _] = both();
    fail(&guesses, owner, 5);
    guesses.begin(owner, Minute(NOON.0 - 1)).unwrap();
}

#[test]
fn failures_of_many_others_delay_nobody() {
    let (_fixture, guesses) = fixture();
    let [owner, _] = both();
    for _ in 0..2_000 {
        fail(&guesses, AccountId::from_bytes(random()), 5);
    }
    fail(&guesses, owner, 5);
    assert_eq!(guesses.begin(owner, NOON), Err(TooManyGuesses), "its own do");
}

#[test]
fn a_write_that_nobody_waits_for_any_more_keeps_no_later_one_from_being_made() {
    for account in both() {
        let (mut fixture, guesses) = fixture();
        fail(&guesses, account, 3);
        let mut given_up = Box::pin(guesses.keep());
        fixture.wait(poll_fn(|context| {
            assert!(given_up.as_mut().poll(context).is_pending());
            Poll::Ready(())
        }));
        drop(given_up);
        fail(&guesses, account, 2);
        fixture.wait(guesses.keep()).unwrap();
        drop(guesses);
        fixture.open();
        let guesses = Guesses::load(fixture.store()).unwrap();
        assert_eq!(guesses.begin(account, NOON), Err(TooManyGuesses));
    }
}
