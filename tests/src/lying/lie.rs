//! What a lie is.

use super::{Answer, Asked};

/// One way to lie. It sees each request before the honest relay does, and each answer after it.
pub trait Lie: Send + Sync + 'static {
    /// What the honest relay is asked in place of `asked`.
    fn ask(&self, asked: &Asked) -> Asked {
        asked.clone()
    }

    /// What the client hears in place of `honest`, which answered what [`Self::ask`] made of `asked`.
    fn answer(&self, asked: &Asked, honest: Answer) -> Answer {
        let _ = asked;
        honest
    }
}

/// No lie.
#[derive(Debug, Clone, Copy)]
pub struct Honest;

impl Lie for Honest {}

impl Lie for Box<dyn Lie> {
    fn ask(&self, asked: &Asked) -> Asked {
        (**self).ask(asked)
    }

    fn answer(&self, asked: &Asked, honest: Answer) -> Answer {
        (**self).answer(asked, honest)
    }
}
