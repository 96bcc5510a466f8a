//! What a relay that keeps everything would have: every byte that clients sent, each connection apart.

use std::sync::{Arc, Mutex};

/// The bytes that came over one connection, also those of requests that were never finished.
#[derive(Debug, Clone, Default)]
pub struct Heard {
    bytes: Arc<Mutex<Vec<u8>>>,
}

impl Heard {
    pub(super) fn add(&self, bytes: &[u8]) {
        self.bytes.lock().unwrap().extend_from_slice(bytes);
    }

    /// A copy of what came so far.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        self.bytes.lock().unwrap().clone()
    }
}
