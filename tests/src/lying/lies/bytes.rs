//! Lies about the bytes of a body. What the head says of its length is true.

use crate::lying::{Answer, Asked, Lie};

/// One bit is another.
#[derive(Debug, Clone, Copy)]
pub struct FlipBit(
    /// Which, counted from the first byte's lowest.
    pub usize,
);

impl Lie for FlipBit {
    fn answer(&self, _asked: &Asked, mut honest: Answer) -> Answer {
        if let Some(byte) = honest.body.get_mut(self.0 / 8) {
            *byte ^= 1 << (self.0 % 8);
        }
        honest
    }
}

/// The end is missing.
#[derive(Debug, Clone, Copy)]
pub struct Truncate(
    /// Bytes that are left.
    pub usize,
);

impl Lie for Truncate {
    fn answer(&self, _asked: &Asked, mut honest: Answer) -> Answer {
        honest.body.truncate(self.0);
        honest
    }
}

/// Something follows.
#[derive(Debug, Clone)]
pub struct Append(
    /// What.
    pub Vec<u8>,
);

impl Lie for Append {
    fn answer(&self, _asked: &Asked, mut honest: Answer) -> Answer {
        honest.body.extend_from_slice(&self.0);
        honest
    }
}

/// Another body, as a success.
#[derive(Debug, Clone)]
pub struct Replace(
    /// Which.
    pub Vec<u8>,
);

impl Lie for Replace {
    fn answer(&self, _asked: &Asked, _honest: Answer) -> Answer {
        Answer::new(200, self.0.clone())
    }
}
