//! Work that would keep other tasks waiting: it reads the disk, opens many seals, or hashes a password.

use crate::ClientError;

/// Does it on a thread of its own, and gives what came of it. Whoever stops waiting does not end it.
///
/// # Errors
/// [`ClientError::Stopped`] if it panicked, or the program ends.
pub(crate) async fn blocking<R: Send + 'static>(
    work: impl FnOnce() -> R + Send + 'static,
) -> Result<R, ClientError> {
    tokio::task::spawn_blocking(work).await.map_err(|_| ClientError::Stopped)
}
