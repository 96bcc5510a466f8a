//! Lies by asking the honest relay for something else: what is served is genuine, only not what was asked for.

use crate::lying::{Asked, Lie};
use nightdrop_wire::endpoint::Endpoint;

/// Asks elsewhere.
#[derive(Debug, Clone, Copy)]
pub struct AskElsewhere<F>(
    /// Where.
    pub F,
);

impl<F: Fn(Endpoint) -> Endpoint + Send + Sync + 'static> Lie for AskElsewhere<F> {
    fn ask(&self, asked: &Asked) -> Asked {
        Asked { endpoint: (self.0)(asked.endpoint), ..asked.clone() }
    }
}
