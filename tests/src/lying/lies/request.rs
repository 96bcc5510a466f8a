//! Lies by asking the honest relay for something else: what is served is genuine, only not what was asked for; what is
//! stored is not what was sent.

use crate::lying::{Asked, Lie};

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
