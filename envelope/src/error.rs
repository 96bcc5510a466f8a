//! Why something sealed did not open.

/// Why something that the relay (or a link, or a code) gave is not believed. Each variant names the check that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// Shorter, longer, or built otherwise than the format says.
    #[error("malformed")]
    Malformed,
    /// The suite is not the one this program knows.
    #[error("of an unknown suite or version")]
    UnknownSuite,
    /// An envelope of another kind.
    #[error("an envelope of another kind")]
    WrongKind,
    /// The key is not the one that sealed it, or the place or version is another.
    #[error("not sealed with this key for this place")]
    WrongKey,
    /// The bytes were changed after they were sealed.
    #[error("altered after it was sealed")]
    Altered,
    /// The bytes are not those whose hash was vouched for.
    #[error("not the bytes whose hash was vouched for")]
    WrongHash,
    /// What is inside contradicts itself or the limits.
    #[error("sealed contents that contradict themselves")]
    Inconsistent,
}
