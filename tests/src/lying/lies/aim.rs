//! Aiming a lie: at some requests only, or at one only.

use crate::lying::{Answer, Asked, Lie};
use nightdrop_wire::endpoint::Endpoint;
use std::sync::atomic::{AtomicBool, Ordering};

/// A lie about requests of one kind; all others are answered honestly.
#[derive(Debug)]
pub struct On<W, L> {
    which: W,
    lie: L,
}

/// Lies when `which` says so.
pub const fn on<W, L>(which: W, lie: L) -> On<W, L>
where
    W: Fn(&Endpoint) -> bool + Send + Sync + 'static,
    L: Lie,
{
    On { which, lie }
}

impl<W, L> Lie for On<W, L>
where
    W: Fn(&Endpoint) -> bool + Send + Sync + 'static,
    L: Lie,
{
    fn ask(&self, asked: &Asked) -> Asked {
        if (self.which)(&asked.endpoint) { self.lie.ask(asked) } else { asked.clone() }
    }

    fn answer(&self, asked: &Asked, honest: Answer) -> Answer {
        if (self.which)(&asked.endpoint) { self.lie.answer(asked, honest) } else { honest }
    }
}

/// A lie about the first request of one kind only.
#[derive(Debug)]
pub struct Once<W, L> {
    which: W,
    lie: L,
    told: AtomicBool,
}

/// Lies when `which` says so for the first time.
pub const fn once<W, L>(which: W, lie: L) -> Once<W, L>
where
    W: Fn(&Endpoint) -> bool + Send + Sync + 'static,
    L: Lie,
{
    Once { which, lie, told: AtomicBool::new(false) }
}

impl<W, L> Lie for Once<W, L>
where
    W: Fn(&Endpoint) -> bool + Send + Sync + 'static,
    L: Lie,
{
    fn answer(&self, asked: &Asked, honest: Answer) -> Answer {
        if (self.which)(&asked.endpoint) && !self.told.swap(true, Ordering::Relaxed) {
            self.lie.answer(asked, honest)
        } else {
            honest
        }
    }
}
