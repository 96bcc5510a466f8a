//! Lies in the head of an answer.

use crate::lying::{Answer, Asked, Lie};
use nightdrop_wire::refusal::Refusal;

/// Refuses what it could give.
#[derive(Debug, Clone, Copy)]
pub struct Refuse(
    /// How.
    pub Refusal,
);

impl Lie for Refuse {
    fn answer(&self, _asked: &Asked, _honest: Answer) -> Answer {
        Answer::new(self.0.status(), Vec::new())
    }
}

/// Another status over the honest body.
#[derive(Debug, Clone, Copy)]
pub struct Say(
    /// Which.
    pub u16,
);

impl Lie for Say {
    fn answer(&self, _asked: &Asked, honest: Answer) -> Answer {
        Answer { status: self.0, ..honest }
    }
}

/// A status and headers that ask the client to do something, such as to go elsewhere.
#[derive(Debug, Clone)]
pub struct Headers {
    /// The status.
    pub status: u16,
    /// Names and values.
    pub headers: Vec<(String, String)>,
}

impl Lie for Headers {
    fn answer(&self, _asked: &Asked, honest: Answer) -> Answer {
        Answer { status: self.status, headers: self.headers.clone(), ..honest }
    }
}
