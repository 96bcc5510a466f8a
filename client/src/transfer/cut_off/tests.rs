//! Who decides what becomes of an upload.

use super::*;
use futures::FutureExt;

const ONE: BlobId = BlobId::from_bytes([1; 16]);
const OTHER: BlobId = BlobId::from_bytes([2; 16]);

fn nobody() -> Moved {
    Arc::new(|| {})
}

/// What the agent would go on with now.
fn taken(cut_off: &CutOff) -> Vec<BlobId> {
    let Some(run) = cut_off.by_itself(nobody()) else { return vec![] };
    let taken = [ONE, OTHER].into_iter().filter(|blob| run.goes_on_with(*blob) && run.takes(*blob));
    let taken = taken.collect();
    run.leaves_to_agent(|_| true);
    taken
}

fn cut_off_at(uploads: &[BlobId]) -> CutOff {
    let cut_off = CutOff::default();
    let run = cut_off.command();
    uploads.iter().for_each(|blob| run.begins(*blob));
    assert_eq!(cut_off.count(), 0, "a command is at them");
    assert_eq!(run.leaves_to_agent(|_| true), uploads.len());
    cut_off
}

#[test]
fn the_agent_goes_on_with_what_the_network_cut_off_and_can_be_gone_on_with() {
    let cut_off = CutOff::default();
    assert_eq!((taken(&cut_off), cut_off.is_waiting()), (vec![], false));
    let run = cut_off.command();
    run.begins(ONE);
    run.begins(OTHER);
    assert_eq!(run.leaves_to_agent(|blob| blob == ONE), 1);
    assert_eq!((taken(&cut_off), cut_off.count(), cut_off.is_waiting()), (vec![ONE], 1, true));
    let by_itself = cut_off.by_itself(nobody()).unwrap();
    assert_eq!((cut_off.count(), cut_off.is_waiting()), (1, false), "it is at it");
    assert!(by_itself.takes(ONE));
    by_itself.ended();
    assert_eq!((cut_off.count(), taken(&cut_off)), (0, vec![]), "that was done, or failed for good");
}

#[test]
fn what_was_stopped_or_ended_otherwise_waits_for_nobody() {
    for end in [Run::stopped, Run::ended] {
        let cut_off = cut_off_at(&[ONE]);
        let run = cut_off.command();
        run.begins(OTHER);
        end(&run);
        assert_eq!(taken(&cut_off), [ONE]);
    }
}

/// Whatever came before: what was cut off once and then stopped is stopped, also if the earlier command ends last.
#[test]
fn the_last_one_at_an_upload_decides() {
    let cut_off = cut_off_at(&[ONE, OTHER]);
    let run = cut_off.command();
    assert!(run.takes(ONE));
    assert_eq!((taken(&cut_off), cut_off.count()), (vec![OTHER], 1), "a command is at it");
    run.stopped();
    assert_eq!(taken(&cut_off), [OTHER]);

    let (first, second) = (cut_off.command(), cut_off.command());
    first.begins(ONE);
    assert!(second.takes(ONE));
    second.stopped();
    assert_eq!(first.leaves_to_agent(|_| true), 0);
    assert_eq!(taken(&cut_off), [OTHER]);
}

#[test]
fn a_command_that_is_on_its_way_to_an_upload_keeps_the_agent_away() {
    let cut_off = cut_off_at(&[ONE]);
    for (end, left) in [(Run::ended as fn(&Run), vec![ONE]), (Run::stopped, vec![])] {
        let run = cut_off.command();
        run.wants(ONE);
        run.wants(OTHER);
        assert_eq!(taken(&cut_off), []);
        end(&run);
        assert_eq!(taken(&cut_off), left);
    }
}

#[test]
fn the_agents_own_run_ends_for_a_command_that_wants_what_it_is_at() {
    for wants in [Run::wants as fn(&Run, BlobId), |run, blob| assert!(run.goes_on_with(blob)), Run::drops] {
        let cut_off = cut_off_at(&[ONE]);
        let by_itself = cut_off.by_itself(nobody()).unwrap();
        assert!(by_itself.takes(ONE));
        let run = cut_off.command();
        wants(&run, OTHER);
        assert!(by_itself.gives_way().now_or_never().is_none());
        wants(&run, ONE);
        assert!(by_itself.gives_way().now_or_never().is_some());
        assert_eq!((by_itself.leaves_to_agent(|_| true), taken(&cut_off)), (0, vec![]));
        run.stopped();
        assert_eq!(taken(&cut_off), []);
    }
}

#[test]
fn a_command_for_all_uploads_is_at_those_that_nobody_else_is_at() {
    let cut_off = cut_off_at(&[ONE]);
    let (other, run) = (cut_off.command(), cut_off.command());
    other.begins(OTHER);
    assert!(run.goes_on_with(ONE) && run.goes_on_with(OTHER));
    run.stopped();
    assert_eq!(other.leaves_to_agent(|_| true), 1);
    assert_eq!(taken(&cut_off), [OTHER]);
}

/// Between the agent's look and its lock, a command had the journal.
#[test]
fn the_agent_comes_too_late_for_what_a_command_took_meanwhile() {
    let cut_off = cut_off_at(&[ONE, OTHER]);
    let by_itself = cut_off.by_itself(nobody()).unwrap();
    let run = cut_off.command();
    assert!(by_itself.goes_on_with(ONE) && run.takes(ONE));
    run.stopped();
    assert!(!by_itself.takes(ONE) && by_itself.takes(OTHER));
    by_itself.leaves_to_agent(|_| true);
    assert_eq!(taken(&cut_off), [OTHER]);
}

#[test]
fn what_is_dropped_or_left_waits_for_nobody_even_if_the_network_ends_the_command() {
    let cut_off = cut_off_at(&[ONE, OTHER]);
    let run = cut_off.command();
    run.drops(ONE);
    assert!(run.takes(OTHER));
    run.leaves(OTHER);
    assert_eq!(run.leaves_to_agent(|_| true), 0);
    assert_eq!(taken(&cut_off), []);
}

#[test]
fn only_commands_are_news() {
    let cut_off = CutOff::default();
    let mut news = cut_off.news();
    let run = cut_off.command();
    run.begins(ONE);
    run.leaves_to_agent(|_| true);
    assert!(news.has_changed().unwrap());
    news.mark_unchanged();
    assert_eq!(taken(&cut_off), [ONE]);
    assert!(!news.has_changed().unwrap());
}

#[test]
fn what_moves_is_heard_of_in_the_agents_own_run() {
    let (cut_off, heard) = (cut_off_at(&[ONE]), Arc::new(Mutex::new(0)));
    let hears = Arc::clone(&heard);
    let by_itself = cut_off.by_itself(Arc::new(move || *hears.lock().unwrap() += 1)).unwrap();
    cut_off.command().moved();
    by_itself.moved();
    assert_eq!(*heard.lock().unwrap(), 1);
}
