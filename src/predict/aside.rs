//! Where a request is read and answered: with its connection while it is small, elsewhere once it would hold up others
//! that share the thread.

use super::error::PredictError;

/// Bytes from which on it is done elsewhere: below, handing it over would take longer than reading it.
const LARGE: usize = 64 * 1024;

/// Does what a request of this many bytes asks for, here or elsewhere.
///
/// # Errors
/// Those of the work; `internal` where it panicked.
pub async fn aside<T: Send + 'static>(
    size: usize,
    work: impl FnOnce() -> Result<T, PredictError> + Send + 'static,
) -> Result<T, PredictError> {
    if size < LARGE {
        return work();
    }
    tokio::task::spawn_blocking(work).await.unwrap_or(Err(PredictError::Internal))
}
