//! Going on unasked with uploads that the network cut off: soon, then less and less often, as long as the account is open.
//!
//! It is no use of the account: only while the relay takes something of an upload does the agent not lock itself.

use super::{
    chores::varied,
    limits::AgentLimits,
    serve::{Agent, Execute, Inner, Stage},
};
use crate::{ClientError, transfer::CutOff};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::{runtime::Handle, sync::watch, task::spawn_blocking, time::sleep};

impl<E: Execute> Agent<E> {
    /// Until the account is locked; returns when nothing of it is under way any more.
    pub(super) async fn go_on(self) {
        let Inner { unlocked, limits, .. } = self.inner();
        let mut turns = Turns::new(unlocked.cut_off().clone(), limits);
        loop {
            tokio::select! {
                biased;
                () = self.reached(Stage::Locking) => return,
                () = turns.next() => {}
            }
            // After a sleep of the machine it may not have been looked at the clock yet; then the account is locked before long.
            if self.is_in_use() && self.go_on_once().await {
                turns.are_soon();
            }
        }
    }

    /// Whether the relay took something.
    async fn go_on_once(&self) -> bool {
        let has_moved = Arc::new(AtomicBool::new(false));
        let (agent, heard) = (self.clone(), Arc::clone(&has_moved));
        let moved = Arc::new(move || {
            heard.store(true, Ordering::Relaxed);
            agent.note_moved();
        });
        let agent = self.clone();
        let work = move || {
            let stopped = async {
                agent.reached(Stage::Locking).await;
                ClientError::Locked
            };
            Handle::current().block_on(agent.inner().execute.go_on(moved, stopped));
        };
        self.idle().go_on();
        // If it panicked, it has ended.
        let _ = spawn_blocking(work).await;
        self.idle().rest();
        if self.inner().unlocked.session_has_ended() {
            self.lock();
        }
        has_moved.load(Ordering::Relaxed)
    }
}

/// When it is the agent's turn.
struct Turns {
    cut_off: CutOff,
    news: watch::Receiver<()>,
    first: Duration,
    longest: Duration,
    pause: Duration,
}

impl Turns {
    fn new(cut_off: CutOff, limits: &AgentLimits) -> Self {
        let news = cut_off.news();
        let AgentLimits { first_going_on: first, longest_going_on: longest, .. } = *limits;
        Self { cut_off, news, first, longest, pause: first }
    }

    /// Returns when it is time to go on with what waits. Not so soon after the last time as then, unless a command was cut off meanwhile.
    async fn next(&mut self) {
        loop {
            if !self.cut_off.is_waiting() {
                self.pause = self.first;
                // The sender is that of `cut_off`.
                let _ = self.news.changed().await;
                continue;
            }
            tokio::select! {
                biased;
                _ = self.news.changed() => self.pause = self.first,
                () = sleep(varied(self.pause)) => {
                    self.pause = (self.pause * 2).min(self.longest);
                    if self.cut_off.is_waiting() {
                        return;
                    }
                }
            }
        }
    }

    /// The line was there: it may be there again soon.
    const fn are_soon(&mut self) {
        self.pause = self.first;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nightdrop_wire::ids::BlobId;
    use tokio::time::{Instant, timeout};

    const NEVER: Duration = Duration::from_secs(7 * 24 * 3_600);

    /// A command at this upload is ended by the network.
    fn is_cut_off(cut_off: &CutOff, upload: u8) {
        let run = cut_off.command();
        run.begins(BlobId::from_bytes([upload; 16]));
        assert_eq!(run.leaves_to_agent(|_| true), 1);
    }

    fn turns(cut_off: &CutOff) -> Turns {
        Turns::new(cut_off.clone(), &AgentLimits::default())
    }

    async fn next(turns: &mut Turns) -> Duration {
        let began = Instant::now();
        timeout(NEVER, turns.next()).await.unwrap();
        began.elapsed()
    }

    /// The next pause, which the network ends again.
    async fn in_vain(cut_off: &CutOff, turns: &mut Turns) -> Duration {
        let pause = next(turns).await;
        cut_off.by_itself(Arc::new(|| {})).unwrap().leaves_to_agent(|_| true);
        pause
    }

    fn is_about(pause: Duration, longest: u64) -> bool {
        let longest = Duration::from_secs(longest);
        // A timer is right to a millisecond.
        (longest / 2..=longest + Duration::from_millis(2)).contains(&pause)
    }

    #[tokio::test(start_paused = true)]
    async fn it_goes_on_soon_and_then_less_and_less_often() {
        let cut_off = CutOff::default();
        is_cut_off(&cut_off, 1);
        let mut turns = turns(&cut_off);
        let mut pauses = Vec::new();
        for longest in [40, 80, 160, 320, 600, 600, 600] {
            let pause = in_vain(&cut_off, &mut turns).await;
            assert!(is_about(pause, longest), "{pause:?} {longest}");
            pauses.push(pause);
        }
        assert!(pauses[4] != pauses[5] || pauses[5] != pauses[6], "by chance: {pauses:?}");
        turns.are_soon();
        assert!(is_about(next(&mut turns).await, 40), "the relay took something");
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_is_done_while_nothing_waits() {
        let cut_off = CutOff::default();
        let mut turns = turns(&cut_off);
        assert!(timeout(NEVER, turns.next()).await.is_err());
        is_cut_off(&cut_off, 1);
        assert!(is_about(next(&mut turns).await, 40));
        cut_off.by_itself(Arc::new(|| {})).unwrap().ended();
        assert!(timeout(NEVER, turns.next()).await.is_err(), "that was done");
        is_cut_off(&cut_off, 2);
        assert!(is_about(next(&mut turns).await, 40), "as soon as the first");
    }

    #[tokio::test(start_paused = true)]
    async fn what_nobody_is_to_go_on_with_any_more_ends_the_wait() {
        let cut_off = CutOff::default();
        is_cut_off(&cut_off, 1);
        let mut turns = turns(&cut_off);
        cut_off.command().drops(BlobId::from_bytes([1; 16]));
        assert!(timeout(NEVER, turns.next()).await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn another_one_that_is_cut_off_makes_it_soon_again() {
        let cut_off = CutOff::default();
        is_cut_off(&cut_off, 1);
        let mut turns = turns(&cut_off);
        for _ in 0..6 {
            in_vain(&cut_off, &mut turns).await;
        }
        let mut pause = std::pin::pin!(next(&mut turns));
        assert!(timeout(Duration::from_secs(60), pause.as_mut()).await.is_err());
        is_cut_off(&cut_off, 2);
        let pause = pause.await;
        assert!(is_about(pause - Duration::from_secs(60), 40), "{pause:?}");
    }
}
