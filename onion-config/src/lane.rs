//! Which streams may be seen to belong together.

use arti_client::IsolationToken;

/// Streams of one lane may share a circuit; streams of two lanes never do.
///
/// Clones are the same lane. A lane costs nothing until it is used; its first use builds a circuit of its own.
#[derive(Debug, Clone)]
pub struct Lane(pub(crate) IsolationToken);

impl Lane {
    /// A lane that shares circuits with no other.
    #[must_use]
    pub fn isolated() -> Self {
        Self(IsolationToken::new())
    }
}
