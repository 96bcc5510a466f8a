//! Lies by asking the honest relay for something else: what is served is genuine, only not what was asked for; what is
//! stored is not what was sent.

use crate::lying::{Answer, Asked, Lie};
use nightdrop_wire::endpoint::Endpoint;

/// Asks this instead.
#[derive(Debug, Clone, Copy)]
pub struct AskInstead<F>(
    /// What becomes of a request.
    pub F,
);

impl<F: Fn(Asked) -> Asked + Send + Sync + 'static> Lie for AskInstead<F> {
    fn ask(&self, asked: &Asked) -> Asked {
        (self.0)(asked.clone())
    }
}

/// The honest relay never hears of it; the client hears this status.
#[derive(Debug, Clone, Copy)]
pub struct Swallow(
    /// Which.
    pub u16,
);

impl Swallow {
    /// A request that changes nothing, for whoever has to ask the honest relay for something.
    pub(super) const fn nothing() -> Asked {
        Asked::plain(Endpoint::EndSessions)
    }
}

impl Lie for Swallow {
    fn ask(&self, _asked: &Asked) -> Asked {
        Self::nothing()
    }

    fn answer(&self, _asked: &Asked, _honest: Answer) -> Answer {
        Answer::new(self.0, Vec::new())
    }
}
